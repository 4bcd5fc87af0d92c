//! One case of the ladder: a delivery that is right in everything, bent in one place.

use launchgate_outcome::{Outcome, Reason};
use launchgate_standin::{
    Attestation, BuildkiteStandin, GoogleCerts, PushToken, SigningKey as StandinKey, SigstoreStandin,
    VertexStandin,
};
use launchgate_statement::{Envelope, PAYLOAD_TYPE, Signature};
use launchgate_suite::{
    Folder, PATIENCE, Push, a_key, a_pipeline_job, a_push, a_vertex, an_event, client, eventually, now,
};
use launchgate_trust::SigningKey;
use serde_json::{Value, json};

pub(super) const AUDIENCE: &str = "launchgate-prod";
const ROUTE: &str = "https://launchgate.example.com/pubsub/events";
const EMAIL: &str = "pubsub-push@acme-ml.iam.gserviceaccount.com";
const SUBSCRIPTION: &str = "projects/acme-ml/subscriptions/launchgate-events";

/// Changes one thing of a delivery in the making.
type Bend<T> = Box<dyn Fn(T) -> T>;

/// Makes another envelope, with any of the keys.
type Resign = Box<dyn Fn(Envelope, &Keys) -> Envelope>;

/// Who signs what is right.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    /// The signer `release-key`.
    Key,
    /// The job's own token: the signer `buildkite`.
    Token,
    /// A Sigstore bundle: the signer `sigstore`.
    Bundle,
}

/// The keys of a case's triggers file.
pub(super) struct Keys {
    /// `release-key`, which the trigger permits.
    pub(super) release: SigningKey,
    /// `second-key`, which it does not.
    pub(super) second: SigningKey,
}

/// The stand-ins that a table of cases shares; a service is each case's own.
pub(super) struct Clouds {
    vertex: VertexStandin,
    certs: GoogleCerts,
    buildkite: BuildkiteStandin,
    sigstore: SigstoreStandin,
}

impl Clouds {
    pub(super) async fn start() -> Self {
        let (certs, buildkite) = (GoogleCerts::start().await, BuildkiteStandin::start().await);
        let sigstore = SigstoreStandin::new(now().seconds() - 86_400);
        Self { vertex: a_vertex().await, certs: certs.unwrap(), buildkite: buildkite.unwrap(), sigstore }
    }
}

/// A delivery and what must become of it.
pub(super) struct Case {
    pub(super) what: String,
    pub(super) reason: Reason,
    /// The one rung that fails; `None` where a delivery ends before the ladder begins.
    rung: Option<&'static str>,
    proof: Proof,
    file: Vec<(String, Value)>,
    statement: Vec<(String, Value)>,
    claims: Option<Bend<Value>>,
    token_key: StandinKey,
    attestation: Option<fn(&mut Attestation)>,
    envelope: Option<Resign>,
    data: Option<Bend<String>>,
    push: Option<Bend<Push>>,
    body: Option<Bend<Value>>,
    sender: Option<Bend<PushToken>>,
    has_token: bool,
}

/// A delivery that must be refused at `rung`.
pub(super) fn refused(reason: Reason, rung: &'static str, what: impl Into<String>) -> Case {
    Case {
        what: what.into(),
        reason,
        rung: Some(rung),
        proof: Proof::Key,
        file: Vec::new(),
        statement: Vec::new(),
        claims: None,
        token_key: StandinKey::First,
        attestation: None,
        envelope: None,
        data: None,
        push: None,
        body: None,
        sender: None,
        has_token: true,
    }
}

/// A request that must be refused before there is a ladder: its sender is not proven, or it is no delivery.
pub(super) fn turned_away(reason: Reason, what: &str) -> Case {
    Case { rung: None, ..refused(reason, "", what) }
}

impl Case {
    /// Signed by the job's token instead of a key.
    pub(super) fn by_token(self) -> Self {
        Self { proof: Proof::Token, ..self }
    }

    /// In a Sigstore bundle instead.
    pub(super) fn in_bundle(self) -> Self {
        Self { proof: Proof::Bundle, ..self }
    }

    /// Another attestation of the job, which the instance of Sigstore makes all the same.
    pub(super) fn attestation(self, bend: fn(&mut Attestation)) -> Self {
        Self { attestation: Some(bend), ..self.in_bundle() }
    }

    /// Another value in the triggers file, at a JSON pointer's place.
    pub(super) fn file(mut self, pointer: &str, value: impl Into<Value>) -> Self {
        self.file.push((pointer.to_owned(), value.into()));
        self
    }

    /// Another value in the statement, before it is signed.
    pub(super) fn statement(mut self, pointer: &str, value: impl Into<Value>) -> Self {
        self.statement.push((pointer.to_owned(), value.into()));
        self
    }

    /// Another claim in the token, which Buildkite signs all the same.
    pub(super) fn claim(self, name: &'static str, value: impl Into<Value>) -> Self {
        let value = value.into();
        self.claims(move |mut claims| {
            claims[name] = value.clone();
            claims
        })
    }

    /// Other claims.
    pub(super) fn claims(self, bend: impl Fn(Value) -> Value + 'static) -> Self {
        Self { claims: Some(Box::new(bend)), ..self.by_token() }
    }

    /// Signed by this key of the stand-in under its own name.
    pub(super) fn token_key(self, key: StandinKey) -> Self {
        Self { token_key: key, ..self.by_token() }
    }

    /// Another envelope.
    pub(super) fn envelope(self, bend: impl Fn(Envelope, &Keys) -> Envelope + 'static) -> Self {
        Self { envelope: Some(Box::new(bend)), ..self }
    }

    /// Another payload in the envelope, signed as it stands.
    pub(super) fn payload(self, payload: &'static str) -> Self {
        self.envelope(move |_, keys| keys.release.envelope(PAYLOAD_TYPE, payload.as_bytes()).unwrap())
    }

    /// Other message data.
    pub(super) fn data(self, bend: impl Fn(String) -> String + 'static) -> Self {
        Self { data: Some(Box::new(bend)), ..self }
    }

    /// Another delivery.
    pub(super) fn push(self, bend: impl Fn(Push) -> Push + 'static) -> Self {
        Self { push: Some(Box::new(bend)), ..self }
    }

    /// Another request body.
    pub(super) fn body(self, bend: impl Fn(Value) -> Value + 'static) -> Self {
        Self { body: Some(Box::new(bend)), ..self }
    }

    /// Another push token.
    pub(super) fn sender(self, bend: impl Fn(PushToken) -> PushToken + 'static) -> Self {
        Self { sender: Some(Box::new(bend)), ..self }
    }

    /// Without a push token.
    pub(super) fn no_token(self) -> Self {
        Self { has_token: false, ..self }
    }

    /// Delivers it to a service of its own and holds what is recorded against what must be.
    pub(super) async fn holds(&self, clouds: &Clouds) {
        let Self { what, reason, .. } = self;
        let delivered = self.deliver(clouds).await;

        assert_eq!(delivered.calls, 0, "{what}: Vertex AI was called");
        if reason.outcome() == Outcome::RejectedAuth {
            assert!(matches!(delivered.status, 401 | 403), "{what}: {}", delivered.status);
            assert_eq!(delivered.answer.trim(), reason.as_str(), "{what}");
            assert!(delivered.folder.recorded().is_empty(), "{what}: something of a stranger was stored");
            return;
        }
        assert_eq!(delivered.status, 204, "{what}: {}", delivered.answer);
        let ladder = delivered.folder.recorded_ladder();
        let found = (ladder.outcome.as_str(), ladder.reason.as_deref());
        assert_eq!(found, (reason.outcome().as_str(), Some(reason.as_str())), "{what}: {ladder:#?}");
        assert_eq!(ladder.failed(), Vec::from_iter(self.rung), "{what}: {ladder:#?}");
    }

    /// Delivers it to a service of its own.
    pub(super) async fn deliver(&self, clouds: &Clouds) -> Delivered {
        let Clouds { vertex, certs, buildkite, sigstore } = clouds;
        let keys = Keys { release: a_key(), second: a_key() };
        let folder = self
            .file
            .iter()
            .fold(a_folder(self.proof, &keys, sigstore), |folder, (pointer, value)| {
                folder.set(pointer, value.clone())
            })
            .vertex_at(&vertex.endpoint())
            .variable("LAUNCHGATE_GOOGLE_CERTS_ENDPOINT", &certs.endpoint())
            .variable("LAUNCHGATE_BUILDKITE_JWKS_ENDPOINT", &buildkite.endpoint());
        let service = folder.start();

        let data = bent(self.data.as_ref(), self.data_of(&keys, sigstore));
        let push = bent(self.push.as_ref(), a_push(data));
        let body = bent(self.body.as_ref(), push.wrapped()).to_string();
        let token = bent(self.sender.as_ref(), PushToken::new(ROUTE, EMAIL)).mint();
        // 503 decides nothing: a strange key's token comes again until the keys were asked for anew.
        let (status, answer) = eventually(&self.what, PATIENCE, async || {
            let request = client().post(service.url("/pubsub/events"));
            let request = if self.has_token { request.bearer_auth(&token) } else { request };
            let answer = request.body(body.clone()).send().await.unwrap();
            let status = answer.status().as_u16();
            (status != 503).then_some((status, answer.text().await.unwrap()))
        })
        .await;
        Delivered { status, answer, calls: vertex.request_count(), runs: vertex.jobs().len(), folder }
    }

    fn data_of(&self, keys: &Keys, sigstore: &SigstoreStandin) -> String {
        let mut statement = a_statement();
        for (pointer, value) in &self.statement {
            put(&mut statement, pointer, value.clone());
        }
        let payload = statement.to_string().into_bytes();
        let envelope = match self.proof {
            Proof::Key => keys.release.envelope(PAYLOAD_TYPE, &payload).unwrap(),
            Proof::Token => self.with_token(Envelope::unsigned(PAYLOAD_TYPE, payload)),
            Proof::Bundle => {
                let mut attestation = Attestation::of_job(&a_job(), now().seconds() - 2);
                if let Some(bend) = self.attestation {
                    bend(&mut attestation);
                }
                return sigstore.attest(&payload, &attestation).to_string();
            }
        };
        self.envelope.as_ref().map_or(envelope.clone(), |bend| bend(envelope, keys)).to_json()
    }

    fn with_token(&self, mut envelope: Envelope) -> Envelope {
        let audience = format!("{AUDIENCE}/event/{}", envelope.event_digest().0);
        let claims = bent(self.claims.as_ref(), BuildkiteStandin::claims(&a_job(), &audience));
        let token = BuildkiteStandin::mint_with(&claims, self.token_key);
        envelope.signatures = vec![Signature { keyid: None, sig: token.into_bytes() }];
        envelope
    }
}

/// What a delivery came to.
pub(super) struct Delivered {
    pub(super) status: u16,
    pub(super) answer: String,
    /// Requests that have reached Vertex AI so far.
    pub(super) calls: u64,
    pub(super) runs: usize,
    pub(super) folder: Folder,
}

fn bent<T>(bend: Option<&Bend<T>>, right: T) -> T {
    match bend {
        Some(bend) => bend(right),
        None => right,
    }
}

/// Puts a value at a JSON pointer's place; its parent must exist.
fn put(document: &mut Value, pointer: &str, value: Value) {
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer starts with a slash");
    match document.pointer_mut(parent).unwrap_or_else(|| panic!("nothing at {parent}")) {
        Value::Array(list) => list[name.parse::<usize>().unwrap()] = value,
        members => members[name] = value,
    }
}

/// Build 42 with everything that a claim or a clause could be held against.
fn a_statement() -> Value {
    let mut statement: Value = serde_json::from_slice(&an_event().statement()).unwrap();
    let definition = &mut statement["predicate"]["buildDefinition"];
    definition["externalParameters"]["build"]["tag"] = json!("v1");
    let job = a_job();
    let said = &mut definition["internalParameters"]["buildkite"];
    for claim in ["runner_environment", "organization_id", "pipeline_id", "build_id"] {
        said[claim] = job[claim].clone();
    }
    statement
}

/// The job that made `a_statement`.
fn a_job() -> Value {
    let mut job = BuildkiteStandin::a_job("fraud-train", 42);
    job["job_id"] = json!("0184990a-477b-4fa8-9968-496074483cee");
    job["build_tag"] = json!("v1");
    job
}

/// A file that asks for everything there is to ask for, and what is right meets.
fn a_folder(proof: Proof, keys: &Keys, sigstore: &SigstoreStandin) -> Folder {
    let day = 86_400_000_000;
    let window = json!({
        "notBefore": now().plus_micros(-day).to_string(),
        "notAfter": now().plus_micros(40 * day).to_string(),
        "pipelines": ["fraud-*"],
        "builders": ["urn:launchgate:emit:v1"],
    });
    let job = a_job();
    let oidc = json!({
        "organization": "acme", "organizationId": job["organization_id"], "pipelineIds": [job["pipeline_id"]],
        "cluster": job["cluster_id"], "queue": job["queue_key"], "forkBuilds": "disabled",
    });
    let mut buildkite = window.clone();
    buildkite["id"] = json!("buildkite");
    buildkite["buildkiteOidc"] = oidc;

    let mut trigger = a_pipeline_job("retrain");
    trigger["match"] = json!({
        "organization": "acme", "pipeline": "fraud-train", "branch": "main", "tag": "v1", "step": "build",
        "artifact": "us-docker.pkg.dev/acme/ml/**", "when": "artifact.annotations.kind == \"container\"",
    });
    trigger["require"] = json!({
        "signers": {"anyOf": ["release-key", "buildkite", "sigstore"], "atLeast": 1},
        "sources": ["webhook", "schedule"], "maxAge": "24h",
    });
    match proof {
        Proof::Key => trigger["require"]["repository"] = json!("https://github.com/acme/fraud-train"),
        // A token does not say it.
        Proof::Token => {}
        // Nor does a certificate, and none of these.
        Proof::Bundle => {
            trigger["launch"]["pipelineJob"]["labels"] = json!({"team": "fraud"});
            trigger["match"]
                .as_object_mut()
                .unwrap()
                .retain(|name, _| !["branch", "tag", "step"].contains(&&**name));
        }
    }
    let route = json!({"auth": "oidc", "audience": ROUTE, "email": EMAIL, "subscription": SUBSCRIPTION});
    let folder = Folder::trusting(&keys.release)
        .signer("second-key", &keys.second.public_pem(), json!({}))
        .triggers(vec![trigger])
        .set("/ingress/events", route);
    let mut signers = folder.file()["signers"].as_array().unwrap().clone();
    for (name, value) in window.as_object().unwrap() {
        signers[0][name] = value.clone();
    }
    signers.push(buildkite);
    folder.write("keys/trusted_root.json", sigstore.trusted_root());
    let mut bundles = window;
    bundles["id"] = json!("sigstore");
    bundles["sigstore"] =
        json!({"organization": "acme", "trustedRoot": "keys/trusted_root.json", "forkBuilds": "disabled"});
    signers.push(bundles);
    folder.set("/signers", Value::Array(signers))
}

/// What is right in everything.
pub(super) fn right(proof: Proof) -> Case {
    Case { proof, ..refused(Reason::UnknownSigner, "", "what is right in everything") }
}
