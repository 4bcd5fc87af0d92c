//! Buildkite as jobs see it: its key set, the agent API with `oidc/tokens`, `data/…` (meta-data) and `annotations`,
//! and a `buildkite-agent` that asks it.
//!
//! Promises: a token has the documented claims and lifetimes; what Buildkite refuses is refused here. Does
//! not: run jobs, or know anything of pipelines. Source: buildkite.com/docs/pipelines/security/oidc and
//! …/agent/cli/reference/oidc; the request as buildkite/agent writes it (`api/oidc.go`). The text for a lifetime is
//! the documented one, the others are ours.

use std::{
    collections::{BTreeMap, VecDeque},
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::SystemTime,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};

mod build_data;

use self::build_data::{BuildData, build_of};
use crate::{
    google_certs::SigningKey,
    loopback::{Answers, Asked, LoopbackServer, Reply},
    timestamp::unix_seconds,
};

/// Path of Buildkite's own JWKS document, kept here.
const JWKS: &str = "/.well-known/jwks";

/// Seconds a token lives when nothing is said, and at most.
const LIFETIME: (i64, i64) = (300, 7200);

/// What is in a token only when it is asked for.
const OPTIONAL: [&str; 7] =
    ["organization_id", "pipeline_id", "build_id", "cluster_id", "cluster_name", "queue_id", "queue_key"];

#[derive(Debug)]
struct State {
    published: Vec<SigningKey>,
    failing: bool,
    /// The claims of each running job, by its access token.
    jobs: BTreeMap<String, Map<String, Value>>,
    faults: VecDeque<AgentFault>,
    builds: BuildData,
}

/// What happens to a request of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentFault {
    /// This HTTP status, with a message.
    Status(u16),
    /// The connection is closed without an answer.
    HangUp,
    /// 200 and a page of HTML, as a proxy in maintenance answers.
    Page,
}

#[derive(Debug)]
struct Issuer {
    state: Mutex<State>,
    fetches: AtomicUsize,
    minted: AtomicUsize,
    asked: AtomicUsize,
}

/// A running stand-in for Buildkite; it stops when dropped.
#[derive(Debug)]
pub struct BuildkiteStandin {
    issuer: Arc<Issuer>,
    server: LoopbackServer,
}

impl BuildkiteStandin {
    /// Starts with the first key published and no job.
    pub async fn start() -> io::Result<Self> {
        let state = State {
            published: vec![SigningKey::First],
            failing: false,
            jobs: BTreeMap::new(),
            faults: VecDeque::new(),
            builds: BuildData::default(),
        };
        let issuer = Arc::new(Issuer {
            state: Mutex::new(state),
            fetches: AtomicUsize::new(0),
            minted: AtomicUsize::new(0),
            asked: AtomicUsize::new(0),
        });
        let server = LoopbackServer::start(0, Arc::clone(&issuer)).await?;
        Ok(Self { issuer, server })
    }

    /// `http://127.0.0.1:PORT`
    pub fn endpoint(&self) -> String {
        self.server.endpoint()
    }

    /// A job as an organization `acme` runs it, to be bent: every claim that a token can have but those of
    /// its audience and time.
    pub fn a_job(pipeline: &str, number: u64) -> Value {
        json!({
            "organization_slug": "acme", "pipeline_slug": pipeline, "build_number": number,
            "build_branch": "main", "build_commit": "3f".repeat(20), "step_key": "build",
            "job_id": format!("0184990a-477b-4fa8-9968-{number:012}"),
            "agent_id": "0184990a-4782-42b5-afc1-16715b10b8ff",
            "build_source": "webhook", "runner_environment": "self-hosted",
            "organization_id": "19299724-43b4-4812-b823-9ea5a62b388e",
            "pipeline_id": "ac95cb65-7589-41fa-9142-9cfb27f65249",
            "build_id": "d3ce1ab5-df3c-4197-901d-a2339201046d",
            "cluster_id": "fc0a4d4b-1c5b-4e35-8a5c-2a1c7f1c7a11", "queue_key": "default",
        })
    }

    /// The key set that tokens of `mint` verify by, without a running stand-in.
    pub fn published_keys() -> Value {
        key_set(&[SigningKey::First])
    }

    /// Lets a job run; the answer is its access token, with which its agent asks for tokens.
    ///
    /// # Panics
    /// When `job` is no object with a `job_id`.
    pub fn run_job(&self, job: &Value) -> String {
        let access = format!("bkaj_{}", job["job_id"].as_str().expect("a job has an id"));
        let claims = job.as_object().expect("a job is an object").clone();
        self.issuer.state().jobs.insert(access.clone(), claims);
        access
    }

    /// The token that a job gets for `audience` now, with every optional claim.
    pub fn mint(job: &Value, audience: &str) -> String {
        Self::mint_with(
            &claims(job.as_object().unwrap_or(&Map::new()), audience, LIFETIME.0),
            SigningKey::First,
        )
    }

    /// The claims of such a token, to be bent before `mint_with`.
    pub fn claims(job: &Value, audience: &str) -> Value {
        claims(job.as_object().unwrap_or(&Map::new()), audience, LIFETIME.0)
    }

    /// A token that says exactly this, signed by `key`.
    pub fn mint_with(claims: &Value, key: SigningKey) -> String {
        key.compact(&json!({"alg": "RS256", "kid": kid(key), "typ": "JWT"}), claims)
    }

    /// Publishes the second key alone: tokens of the first were minted before.
    pub fn rotate(&self) {
        self.issuer.state().published = vec![SigningKey::Second];
    }

    /// Publishes the second key beside the first.
    pub fn announce(&self) {
        self.issuer.state().published = vec![SigningKey::First, SigningKey::Second];
    }

    /// Answers 503 for the key set from now on, or no longer.
    pub fn set_failing(&self, failing: bool) {
        self.issuer.state().failing = failing;
    }

    /// The key set as it is published now.
    pub fn key_set(&self) -> Value {
        key_set(&self.issuer.state().published)
    }

    /// How often the key set was asked for, failures included.
    pub fn fetches(&self) -> usize {
        self.issuer.fetches.load(Ordering::SeqCst)
    }

    /// How many tokens agents were given.
    pub fn minted(&self) -> usize {
        self.issuer.minted.load(Ordering::SeqCst)
    }

    /// The meta-data of the build that `job` is of.
    pub fn meta_data(&self, job: &Value) -> BTreeMap<String, String> {
        let build = build_of(job.as_object().unwrap_or(&Map::new()));
        self.issuer.state().builds.meta_data.get(&build).cloned().unwrap_or_default()
    }

    /// Puts meta-data into the build that `job` is of, as any job of its cluster can.
    pub fn set_meta_data(&self, job: &Value, key: &str, value: &str) {
        let build = build_of(job.as_object().unwrap_or(&Map::new()));
        let mut state = self.issuer.state();
        state.builds.meta_data.entry(build).or_default().insert(key.to_owned(), value.to_owned());
    }

    /// Style and body of the annotations on the build that `job` is of, by context, as its jobs put them there.
    pub fn job_annotations(&self, job: &Value) -> BTreeMap<String, (String, String)> {
        let build = build_of(job.as_object().unwrap_or(&Map::new()));
        self.issuer.state().builds.annotations.get(&build).cloned().unwrap_or_default()
    }

    /// How often agents asked for something, refusals and faults included.
    pub fn agent_requests(&self) -> usize {
        self.issuer.asked.load(Ordering::SeqCst)
    }

    /// Does this to the agents' requests that follow, one each.
    pub fn agent_faults(&self, faults: impl IntoIterator<Item = AgentFault>) {
        self.issuer.state().faults.extend(faults);
    }

    /// What a step of `job` asks the agent API with, where there is no agent; the job runs from now on.
    pub fn agent_variables(&self, job: &Value) -> Vec<(String, String)> {
        let mut variables = Self::job_variables(job);
        variables.push(("BUILDKITE_AGENT_ENDPOINT".to_owned(), format!("{}/v3", self.endpoint())));
        variables.push(("BUILDKITE_AGENT_ACCESS_TOKEN".to_owned(), self.run_job(job)));
        variables
    }

    /// What a token of this stand-in says; nothing is verified.
    ///
    /// # Panics
    /// When it is no token.
    pub fn claims_in(token: &str) -> Value {
        let claims = token.split('.').nth(1).expect("a token has three parts");
        let claims = URL_SAFE_NO_PAD.decode(claims).expect("a token is base64url");
        serde_json::from_slice(&claims).expect("claims are JSON")
    }

    /// Writes a `buildkite-agent` into `folder`, to be put on PATH, that speaks to this stand-in as the job of
    /// `access`. It needs `sh`, `sed`, `awk` and `curl`, and knows `oidc request-token`, `meta-data` and `annotate`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn agent_shim(&self, folder: &Path, access: &str) -> io::Result<PathBuf> {
        let job = access.trim_start_matches("bkaj_");
        let api = format!("{}/v3/jobs/{job}", self.endpoint());
        let script =
            include_str!("buildkite/agent_shim.sh").replace("@API@", &api).replace("@ACCESS@", access);
        let path = folder.join("buildkite-agent");
        fs::write(&path, script)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        }
        Ok(path)
    }

    /// The environment of a job, as its agent sets it.
    pub fn job_variables(job: &Value) -> Vec<(String, String)> {
        let said = |claim: &str| match &job[claim] {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            other => other.to_string(),
        };
        let named = [
            ("BUILDKITE_ORGANIZATION_SLUG", "organization_slug"),
            ("BUILDKITE_PIPELINE_SLUG", "pipeline_slug"),
            ("BUILDKITE_BUILD_NUMBER", "build_number"),
            ("BUILDKITE_BRANCH", "build_branch"),
            ("BUILDKITE_COMMIT", "build_commit"),
            ("BUILDKITE_STEP_KEY", "step_key"),
            ("BUILDKITE_JOB_ID", "job_id"),
            ("BUILDKITE_SOURCE", "build_source"),
        ];
        let mut variables: Vec<_> =
            named.into_iter().map(|(name, claim)| (name.to_owned(), said(claim))).collect();
        variables.push(("BUILDKITE".to_owned(), "true".to_owned()));
        variables
    }
}

impl Issuer {
    fn state(&self) -> MutexGuard<'_, State> {
        // Each change under the lock is one assignment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keys(&self) -> Reply {
        self.fetches.fetch_add(1, Ordering::SeqCst);
        let state = self.state();
        if state.failing {
            return Reply::text(503, "unavailable");
        }
        Reply::json(200, &key_set(&state.published))
            .with_header("cache-control", "max-age=3600, private, must-revalidate")
    }

    fn token(&self, job: &str, asked: &Asked) -> Result<Value, (u16, String)> {
        let bad = |message: String| (400, message);
        let state = self.state();
        let claims_of_job = state.asking(asked)?;
        if claims_of_job.get("job_id").and_then(Value::as_str) != Some(job) {
            return Err((403, "Cannot request an OIDC token for another job".to_owned()));
        }
        let request: Value = serde_json::from_slice(&asked.body).map_err(|error| bad(error.to_string()))?;
        let members = request.as_object().ok_or_else(|| bad("expected an object".to_owned()))?;
        if let Some(name) =
            members.keys().find(|name| !["audience", "lifetime", "claims"].contains(&&***name))
        {
            return Err(bad(format!("unknown field {name}")));
        }
        let audience = match members.get("audience") {
            None => "https://buildkite.com/acme".to_owned(),
            Some(Value::String(audience)) if !audience.is_empty() => audience.clone(),
            Some(other) => return Err(bad(format!("audience is {other}, expected a text"))),
        };
        let lifetime = match members.get("lifetime") {
            None => 0,
            Some(value) => {
                value.as_i64().ok_or_else(|| bad(format!("lifetime is {value}, expected seconds")))?
            }
        };
        let (usual, most) = LIFETIME;
        if lifetime < 0 {
            return Err((422, format!("Requested lifetime too low (requested: {lifetime})")));
        }
        if lifetime > most {
            return Err((422, format!("Requested lifetime too high (requested: {lifetime}, max: {most})")));
        }
        let wanted = match members.get("claims") {
            None => Vec::new(),
            Some(list) => list
                .as_array()
                .and_then(|list| list.iter().map(Value::as_str).collect::<Option<Vec<_>>>())
                .ok_or_else(|| bad(format!("claims is {list}, expected a list of texts")))?,
        };
        if let Some(unknown) = wanted.iter().find(|name| !OPTIONAL.contains(name)) {
            return Err((422, format!("Unknown claim {unknown}")));
        }
        let mut job = claims_of_job.clone();
        job.retain(|name, _| !OPTIONAL.contains(&&**name) || wanted.contains(&&**name));
        let lifetime = if lifetime == 0 { usual } else { lifetime };
        self.minted.fetch_add(1, Ordering::SeqCst);
        let token = BuildkiteStandin::mint_with(&claims(&job, &audience, lifetime), state.published[0]);
        Ok(json!({ "token": token }))
    }
}

impl State {
    /// The job whose agent asks.
    fn asking(&self, asked: &Asked) -> Result<&Map<String, Value>, (u16, String)> {
        let content_type = asked.header("content-type").unwrap_or_default();
        if content_type.split(';').next() != Some("application/json") {
            return Err((415, "expected application/json".to_owned()));
        }
        let access = asked.header("authorization").and_then(|text| text.strip_prefix("Token "));
        let job = access.and_then(|access| self.jobs.get(access));
        job.ok_or((401, "Invalid access token".to_owned()))
    }

    /// What a request about the build of `job` comes to.
    fn build_data(&mut self, job: &str, action: &str, asked: &Asked) -> Result<Reply, (u16, String)> {
        let asking = self.asking(asked)?;
        let id = |job: &Map<String, Value>| job.get("job_id").and_then(Value::as_str).map(str::to_owned);
        let own = id(asking).as_deref() == Some(job);
        let target = self.jobs.values().find(|one| id(one).as_deref() == Some(job));
        let target = target.ok_or((404, "No job found".to_owned()))?;
        if !own && (action == "annotations" || asking.get("cluster_id") != target.get("cluster_id")) {
            return Err((403, "Not a job of this cluster".to_owned()));
        }
        let build = build_of(target);
        Ok(match action.strip_prefix("data/") {
            Some(action) => self.builds.meta_data(&build, action, asked),
            None => self.builds.annotate(&build, asked),
        })
    }
}

impl Answers for Issuer {
    async fn answer(self: Arc<Self>, asked: Asked) -> Reply {
        if asked.method == "GET" && asked.path == JWKS {
            return self.keys();
        }
        let below = asked.path.strip_prefix("/v3/jobs/").and_then(|rest| rest.split_once('/'));
        let known = |action: &str| {
            let actions = ["oidc/tokens", "data/set", "data/get", "data/exists", "annotations"];
            asked.method == "POST" && actions.contains(&action)
        };
        let Some((job, action)) = below.filter(|(_, action)| known(action)) else {
            return Reply::json(404, &json!({"message": "Not Found"}));
        };
        self.asked.fetch_add(1, Ordering::SeqCst);
        let fault = self.state().faults.pop_front();
        match fault {
            Some(AgentFault::Status(status)) => {
                Reply::json(status, &json!({"message": "The stand-in was told to."}))
            }
            Some(AgentFault::HangUp) => Reply::HangUp,
            Some(AgentFault::Page) => Reply::new(200, "text/html", "<html>Back soon</html>"),
            None => {
                let answered = match action {
                    "oidc/tokens" => self.token(job, &asked).map(|answer| Reply::json(200, &answer)),
                    _ => self.state().build_data(job, action, &asked),
                };
                answered
                    .unwrap_or_else(|(status, message)| Reply::json(status, &json!({ "message": message })))
            }
        }
    }
}

fn claims(job: &Map<String, Value>, audience: &str, lifetime: i64) -> Value {
    let now = unix_seconds(SystemTime::now());
    let text = |name: &str| job.get(name).and_then(Value::as_str).unwrap_or_default();
    let subject = format!(
        "organization:{}:pipeline:{}:ref:refs/heads/{}:commit:{}:step:{}",
        text("organization_slug"),
        text("pipeline_slug"),
        text("build_branch"),
        text("build_commit"),
        text("step_key")
    );
    let mut claims = json!({
        "iss": "https://agent.buildkite.com", "sub": subject, "aud": audience,
        "iat": now, "nbf": now, "exp": now + lifetime,
    });
    for (name, value) in job {
        claims[name] = value.clone();
    }
    claims
}

fn key_set(published: &[SigningKey]) -> Value {
    let keys = published.iter().map(|key| {
        let mut jwk = key.jwk();
        jwk["kid"] = kid(*key).into();
        jwk
    });
    json!({ "keys": keys.collect::<Vec<_>>() })
}

fn kid(key: SigningKey) -> &'static str {
    match key {
        SigningKey::First => "standin-buildkite-1",
        SigningKey::Second => "standin-buildkite-2",
        SigningKey::Stranger => "standin-buildkite-3",
    }
}
