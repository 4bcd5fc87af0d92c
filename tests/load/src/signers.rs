//! Verifications a second for each kind of signer, beside ring's own operation over the same bytes; and
//! what the first token costs when no key of its issuer is held.
//!
//! Each row is measured in turns of a few hundredths of a second, ring and ours alternating, so that a
//! machine that is busy with something else slows both; the ratios are medians over the turns.

use std::{
    collections::BTreeMap,
    hint::black_box,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use launchgate_google::{Endpoints, Freshness, KeySet};
use launchgate_standin::{Attestation, BuildkiteStandin, PushToken, SigstoreStandin};
use launchgate_statement::{Envelope, PAYLOAD_TYPE, Signature, Timestamp, pae};
use launchgate_trust::{
    BuildkiteKeys, BuildkiteOidc, ForkBuilds, IapAudience, Jwks, PublicKey, PushIdentity, Scheme, Signer,
    SignerId, SignerKind, Signers, SigningKey, Sigstore, TrustInputs, TrustedRoot, Unverified, verify,
    verify_iap_token, verify_push_token, verify_signatures,
};
use ring::{
    rand::SystemRandom,
    signature::{self, EcdsaKeyPair, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm},
};
use serde_json::{Value, json};

use crate::events::{PUBLISHED, statement};

const TURNS: usize = 25;
const TURN: Duration = Duration::from_millis(40);

/// First tokens that are timed.
const COLD: usize = 21;

const AUDIENCE: &str = "launchgate-bench";

/// ring makes no RSA keys, so this one is committed.
const RSA: &str = include_str!("../../vectors/trust/keys/rsa.pem");

/// Something to do over and over.
type Work<'w> = Box<dyn FnMut() -> bool + 'w>;

/// Measures every kind and prints the tables.
pub(crate) fn print() -> anyhow::Result<()> {
    println!(
        "\n{:<24}{:>12}{:>14}{:>8}{:>14}{:>8}",
        "verifications a second", "ring alone", "signature", "ratio", "from bytes", "ratio"
    );
    for scheme in Scheme::ALL {
        key_row(scheme)?;
    }
    buildkite_row()?;
    push_row()?;
    iap_row()?;
    bundle_row()?;
    println!(
        "ring alone: its verify over the same bytes with the same key. signature: of an envelope already read, with its \
         encoding built anew; of a token, with base64, JSON and claims.\nfrom bytes: the envelope's JSON and base64, the \
         event's SHA-256, the signature, the statement's JSON, identity, scope and the ladder.\n\
         bundle: ring alone is one ECDSA P-256 operation, of the several that certificate, logs and envelope need."
    );
    first_token()
}

fn key_row(scheme: Scheme) -> anyhow::Result<()> {
    let key = match scheme {
        Scheme::RsaPssSha256 | Scheme::RsaPkcs1v15Sha256 => SigningKey::from_pem(RSA, Some(scheme))?,
        _ => SigningKey::generate(scheme)?,
    };
    let envelope = key.envelope(PAYLOAD_TYPE, &statement(1)?)?;
    let raw = raw_key(&key.public_pem(), scheme)?;
    let message = pae(PAYLOAD_TYPE, &envelope.payload);
    let sig = envelope.signatures.first().context("signed")?.sig.clone();
    let signers = signers(SignerKind::PublicKey(key.public_key()?))?;
    let bytes = envelope.to_json().into_bytes();
    let inputs = inputs(BuildkiteKeys::Missing)?;
    row(
        scheme.as_str(),
        Box::new(|| raw.verify(black_box(&message), &sig).is_ok()),
        Some(Box::new(|| verify_signatures(black_box(&envelope), &signers).len() == 1)),
        Some(Box::new(|| from_bytes(&bytes, &signers, inputs))),
    )
}

fn buildkite_row() -> anyhow::Result<()> {
    let job = Job::new()?;
    let raw = RawToken::of(&job.token, &job.keys)?;
    let inputs = inputs(BuildkiteKeys::Held(&job.keys))?;
    row(
        "buildkiteOidc",
        Box::new(|| raw.verifies()),
        None,
        Some(Box::new(|| from_bytes(&job.envelope, &job.signers, inputs))),
    )
}

fn push_row() -> anyhow::Result<()> {
    let identity = PushIdentity {
        audience: "https://gate.example/pubsub/events".to_owned(),
        email: "p@p.iam.gserviceaccount.com".to_owned(),
    };
    let key = launchgate_standin::SigningKey::First;
    let token = PushToken::new(&identity.audience, &identity.email).mint();
    let keys = Jwks::parse(json!({"keys": [key.jwk()]}).to_string().as_bytes())?;
    let now = Timestamp::from_seconds(i64::try_from(
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs(),
    )?);
    let raw = RawToken::of(&token, &keys)?;
    row(
        "Google's push token",
        Box::new(|| raw.verifies()),
        Some(Box::new(|| verify_push_token(black_box(&token), &keys, &identity, now).is_ok())),
        None,
    )
}

fn iap_row() -> anyhow::Result<()> {
    let audience = "/projects/1/locations/us-central1/services/console";
    let random = SystemRandom::new();
    let unmade = |_| anyhow::anyhow!("ring made no key");
    let algorithm = &signature::ECDSA_P256_SHA256_FIXED_SIGNING;
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).map_err(unmade)?;
    let key = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random);
    let key = key.map_err(|rejected| anyhow::anyhow!("{rejected}"))?;
    let point = ring::signature::KeyPair::public_key(&key).as_ref().to_vec();
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..]));
    let keys = json!({"keys": [{"kty": "EC", "crv": "P-256", "kid": "iap", "x": x, "y": y}]});
    let keys = Jwks::parse(keys.to_string().as_bytes())?;
    let claims = json!({
        "iss": "https://cloud.google.com/iap", "aud": audience, "sub": "accounts.google.com:1", "email": "ada@acme.example",
        "iat": 1_795_000_000, "exp": 1_795_000_600,
    });
    let message = format!("{}.{}", part(&json!({"alg": "ES256", "kid": "iap", "typ": "JWT"})), part(&claims));
    let sig = key.sign(&random, message.as_bytes()).map_err(unmade)?;
    let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(sig));
    let raw = UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point);
    let audience = IapAudience::parse(audience).map_err(anyhow::Error::msg)?;
    let now = Timestamp::from_seconds(1_795_000_100);
    row(
        "Identity-Aware Proxy's",
        Box::new(|| raw.verify(black_box(message.as_bytes()), sig.as_ref()).is_ok()),
        Some(Box::new(|| verify_iap_token(black_box(&token), &keys, &audience, now).is_ok())),
        None,
    )
}

/// A bundle of an instance of our own: certificate, certificate log, transparency log, envelope.
fn bundle_row() -> anyhow::Result<()> {
    let payload = statement(1)?;
    let published = Timestamp::parse(PUBLISHED).context("a time")?;
    let instance = SigstoreStandin::new(published.seconds() - 100_000_000);
    let attestation = Attestation::of_job(&a_job(), published.seconds() - 10);
    let bundle = instance.attest(&payload, &attestation).to_string().into_bytes();
    let trusted_root = TrustedRoot::from_json(&instance.trusted_root())?;
    let signers = signers(SignerKind::Sigstore(Sigstore {
        organization: "acme".to_owned(),
        trusted_root,
        fork_builds: ForkBuilds::Disabled,
    }))?;
    let inputs = inputs(BuildkiteKeys::Missing)?;

    let key = SigningKey::generate(Scheme::EcdsaP256)?;
    let (raw, message) = (raw_key(&key.public_pem(), Scheme::EcdsaP256)?, pae(PAYLOAD_TYPE, &payload));
    let sig = key.sign(&message)?;
    row(
        "sigstore bundle",
        Box::new(|| raw.verify(black_box(&message), &sig).is_ok()),
        None,
        Some(Box::new(|| from_bytes(&bundle, &signers, inputs))),
    )
}

/// The job that the measured statement is of.
fn a_job() -> Value {
    let mut job = BuildkiteStandin::a_job("fraud-train", 1);
    job["step_key"] = json!("image");
    job["job_id"] = json!("0184990a-477b-4fa8-9968-496074483cee");
    job["build_commit"] = json!("3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f");
    job
}

/// From the first token of a process that holds no key of Buildkite's to its answer, over loopback: the
/// connection, the fetch, the reading of the key set, and verification twice (the first ends at the key).
fn first_token() -> anyhow::Result<()> {
    let job = Job::new()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        let standin = BuildkiteStandin::start().await?;
        let variables =
            BTreeMap::from([("LAUNCHGATE_BUILDKITE_JWKS_ENDPOINT".to_owned(), standin.endpoint())]);
        let endpoints = Endpoints::from_variables(&variables)?;
        let (mut cold, mut warm) = (Vec::new(), Vec::new());
        for _ in 0..COLD {
            let keys = KeySet::buildkite(&endpoints, Freshness::default())?;
            for times in [&mut cold, &mut warm] {
                let begun = Instant::now();
                ensure!(job.is_verified(&keys).await?, "the token must verify");
                times.push(begun.elapsed().as_secs_f64() * 1000.0);
            }
        }
        ensure!(standin.fetches() == COLD, "each first token fetches once, and no second one does");
        println!(
            "first token, keys fetched from loopback {:.2} ms, later ones {:.3} ms (medians of {COLD})",
            median(&mut cold),
            median(&mut warm)
        );
        Ok(())
    })
}

/// A keyless event of a job.
struct Job {
    token: String,
    envelope: Vec<u8>,
    signers: Signers,
    keys: Jwks,
}

impl Job {
    fn new() -> anyhow::Result<Self> {
        let key = launchgate_standin::SigningKey::First;
        let mut envelope = Envelope::unsigned(PAYLOAD_TYPE, statement(1)?);
        let audience = BuildkiteOidc::event_audience(AUDIENCE, envelope.event_digest());
        let issued = Timestamp::parse(PUBLISHED).context("a time")?.seconds() - 10;
        let mut claims = BuildkiteStandin::claims(&a_job(), &audience);
        for (claim, value) in [("iat", issued), ("nbf", issued), ("exp", issued + 300)] {
            claims[claim] = json!(value);
        }
        let token = BuildkiteStandin::mint_with(&claims, key);
        envelope.signatures.push(Signature { keyid: None, sig: token.clone().into_bytes() });
        let kid = header(&token)?["kid"].clone();
        let mut jwk = key.jwk();
        jwk["kid"] = kid;
        let keys = Jwks::parse(json!({"keys": [jwk]}).to_string().as_bytes())?;
        let oidc = BuildkiteOidc {
            audience: AUDIENCE.to_owned(),
            organization: "acme".to_owned(),
            organization_id: None,
            pipeline_ids: None,
            cluster: None,
            queue: None,
            fork_builds: ForkBuilds::Disabled,
        };
        let signers = signers(SignerKind::BuildkiteOidc(oidc))?;
        Ok(Self { token, envelope: envelope.to_json().into_bytes(), signers, keys })
    }

    /// As the gate does it: with the keys at hand, else with fresh ones.
    async fn is_verified(&self, keys: &KeySet) -> anyhow::Result<bool> {
        let held = keys.current();
        let ask = |keys| {
            Ok::<_, anyhow::Error>(verify(Envelope::parse(&self.envelope)?, &self.signers, inputs(keys)?))
        };
        match ask(held.as_deref().map_or(BuildkiteKeys::Missing, BuildkiteKeys::Held))? {
            Err(Unverified::KeyWanted(wanted)) => {
                let fresh = keys.refresh_for(&wanted.kid).await?;
                Ok(ask(BuildkiteKeys::Complete(&fresh))?.is_ok())
            }
            answer => Ok(answer.is_ok()),
        }
    }
}

fn inputs(buildkite_keys: BuildkiteKeys<'_>) -> anyhow::Result<TrustInputs<'_>> {
    Ok(TrustInputs { published: Timestamp::parse(PUBLISHED).context("a time")?, buildkite_keys })
}

fn from_bytes(bytes: &[u8], signers: &Signers, inputs: TrustInputs<'_>) -> bool {
    Envelope::parse(black_box(bytes)).is_ok_and(|envelope| verify(envelope, signers, inputs).is_ok())
}

fn signers(kind: SignerKind) -> anyhow::Result<Signers> {
    let signer = Signer {
        id: SignerId::new("signer"),
        kind,
        not_before: None,
        not_after: None,
        revoked: false,
        pipelines: None,
        builders: None,
    };
    Ok(Signers::new(vec![signer])?)
}

/// The key as ring takes it, out of its PEM: each kind lies at the end of the DER, RSA behind 24 bytes of
/// algorithm and lengths.
fn raw_key(pem: &str, scheme: Scheme) -> anyhow::Result<UnparsedPublicKey<Vec<u8>>> {
    PublicKey::from_pem(pem, Some(scheme))?;
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let der = STANDARD.decode(body)?;
    let (algorithm, from): (&'static dyn VerificationAlgorithm, usize) = match scheme {
        Scheme::Ed25519 => (&signature::ED25519, der.len() - 32),
        Scheme::EcdsaP256 => (&signature::ECDSA_P256_SHA256_ASN1, der.len() - 65),
        Scheme::EcdsaP384 => (&signature::ECDSA_P384_SHA384_ASN1, der.len() - 97),
        Scheme::RsaPssSha256 => (&signature::RSA_PSS_2048_8192_SHA256, 24),
        Scheme::RsaPkcs1v15Sha256 => (&signature::RSA_PKCS1_2048_8192_SHA256, 24),
    };
    Ok(UnparsedPublicKey::new(algorithm, der[from..].to_vec()))
}

fn header(token: &str) -> anyhow::Result<Value> {
    let header = token.split('.').next().context("a token")?;
    Ok(serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header)?)?)
}

/// What ring verifies of an RS256 token.
struct RawToken {
    key: RsaPublicKeyComponents<Vec<u8>>,
    message: Vec<u8>,
    sig: Vec<u8>,
}

impl RawToken {
    fn of(token: &str, keys: &Jwks) -> anyhow::Result<Self> {
        let key = keys.jwk(header(token)?["kid"].as_str().context("kid")?).context("its key")?;
        let (message, sig) = token.rsplit_once('.').context("a token")?;
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text);
        let key = RsaPublicKeyComponents { n: decode(&key.n)?, e: decode(&key.e)? };
        Ok(Self { key, message: message.as_bytes().to_vec(), sig: decode(sig)? })
    }

    fn verifies(&self) -> bool {
        let message = black_box(&self.message);
        self.key.verify(&signature::RSA_PKCS1_2048_8192_SHA256, message, &self.sig).is_ok()
    }
}

/// Measures in turns and prints one line.
fn row<'w>(
    name: &str,
    mut raw: Work<'w>,
    mut layer: Option<Work<'w>>,
    mut whole: Option<Work<'w>>,
) -> anyhow::Result<()> {
    ensure!(
        raw() && layer.as_mut().is_none_or(|work| work()) && whole.as_mut().is_none_or(|work| work()),
        "{name} must verify"
    );
    let mut turns = [Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..TURNS {
        turns[0].push(turn(&mut raw));
        for (times, work) in turns[1..].iter_mut().zip([&mut layer, &mut whole]) {
            if let Some(work) = work {
                times.push(turn(work));
            }
        }
    }
    print!("{name:<24}{:>12.0}", median(&mut turns[0].clone()));
    for ours in &turns[1..] {
        if ours.is_empty() {
            print!("{:>14}{:>8}", "–", "–");
            continue;
        }
        let mut ratios: Vec<f64> = ours.iter().zip(&turns[0]).map(|(ours, raw)| ours / raw).collect();
        print!("{:>14.0}{:>8.2}", median(&mut ours.clone()), median(&mut ratios));
    }
    println!();
    Ok(())
}

/// Calls a second, over one turn.
fn turn(work: &mut Work<'_>) -> f64 {
    let begun = Instant::now();
    let mut calls = 0_u32;
    while begun.elapsed() < TURN {
        for _ in 0..8 {
            black_box(work());
        }
        calls += 8;
    }
    f64::from(calls) / begun.elapsed().as_secs_f64()
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
