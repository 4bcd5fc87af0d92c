//! Signers of a triggers file replaced by stand-ins that sign on demand, so that a case runs through
//! verification as it is, without anybody's private key.

use launchgate_standin::{Attestation, BuildkiteStandin, SigningKey as BuildkiteKey, SigstoreStandin};
use launchgate_statement::{Envelope, PAYLOAD_TYPE, Signature, Timestamp};
use launchgate_trust::{
    BuildkiteOidc, Jwks, Scheme, Signer, SignerId, SignerKind, Signers, SigningKey, Sigstore, TrustedRoot,
};
use serde_json::{Value, json};

use crate::failure::Failure;

/// The signers of a file with keys of our own, everything else as it was.
pub(crate) struct StandInSigners {
    pub(crate) signers: Signers,
    pub(crate) buildkite_keys: Jwks,
    means: Vec<(SignerId, Means)>,
}

/// What a stand-in signs with.
enum Means {
    Key(Box<SigningKey>),
    Token(BuildkiteOidc),
    Bundle(Box<SigstoreStandin>),
    /// By what Buildkite says alone.
    Webhook,
}

impl StandInSigners {
    pub(crate) fn of(signers: &Signers) -> Result<Self, Failure> {
        let keys = BuildkiteStandin::published_keys().to_string();
        let buildkite_keys = Jwks::parse(keys.as_bytes()).map_err(anyhow::Error::from)?;
        let (mut replaced, mut means) = (Vec::new(), Vec::new());
        for signer in signers.iter() {
            let (kind, mean) = match &signer.kind {
                SignerKind::PublicKey(_) => {
                    let key = SigningKey::generate(Scheme::Ed25519).map_err(anyhow::Error::from)?;
                    let public = key.public_key().map_err(anyhow::Error::from)?;
                    (SignerKind::PublicKey(public), Means::Key(Box::new(key)))
                }
                SignerKind::BuildkiteOidc(oidc) => {
                    (SignerKind::BuildkiteOidc(oidc.clone()), Means::Token(oidc.clone()))
                }
                SignerKind::Sigstore(sigstore) => {
                    let instance = SigstoreStandin::new(0);
                    let trusted_root =
                        TrustedRoot::from_json(&instance.trusted_root()).map_err(anyhow::Error::from)?;
                    let replaced = Sigstore { trusted_root, ..sigstore.clone() };
                    (SignerKind::Sigstore(replaced), Means::Bundle(Box::new(instance)))
                }
                // Nobody signs by it, so a case that names it is told so; others of the file run.
                kind => (kind.clone(), Means::Webhook),
            };
            replaced.push(Signer { kind, ..signer.clone() });
            means.push((signer.id.clone(), mean));
        }
        let signers = Signers::new(replaced).map_err(anyhow::Error::from)?;
        Ok(Self { signers, buildkite_keys, means })
    }

    /// The message data of an event with this statement, signed by each of `by` at `at`. `job` holds the claims
    /// that Buildkite would make of the build.
    pub(crate) fn signed(
        &self,
        statement: &[u8],
        by: &[String],
        job: &Value,
        at: Timestamp,
    ) -> Result<Vec<u8>, String> {
        let mut envelope = Envelope::unsigned(PAYLOAD_TYPE, statement.to_vec());
        for name in by {
            let means = self.means.iter().find(|(id, _)| id.as_str() == name).map(|(_, means)| means);
            match means {
                None => return Err(format!("`signedBy` names `{name}`, which is no signer of the file")),
                Some(Means::Key(key)) => {
                    let signed = key.envelope(PAYLOAD_TYPE, statement).map_err(|error| error.to_string())?;
                    envelope.signatures.extend(signed.signatures);
                }
                Some(Means::Token(oidc)) => envelope.signatures.push(token(oidc, &envelope, job, at)),
                Some(Means::Webhook) => {
                    return Err(format!(
                        "`signedBy` names `{name}`, whose events are made of webhooks; cases have none"
                    ));
                }
                Some(Means::Bundle(_)) if by.len() > 1 => {
                    return Err(format!("a bundle has one signature: name `{name}` alone in `signedBy`"));
                }
                Some(Means::Bundle(instance)) => {
                    let attestation = Attestation::of_job(job, at.seconds() - 30);
                    return Ok(instance.attest(statement, &attestation).to_string().into_bytes());
                }
            }
        }
        Ok(envelope.to_json().into_bytes())
    }
}

/// A token of the job for this event, with the claims that the signer is pinned to.
fn token(oidc: &BuildkiteOidc, envelope: &Envelope, job: &Value, at: Timestamp) -> Signature {
    let audience = BuildkiteOidc::event_audience(&oidc.audience, envelope.event_digest());
    let mut claims = BuildkiteStandin::claims(job, &audience);
    let issued = at.seconds() - 30;
    for (name, seconds) in [("iat", issued), ("nbf", issued), ("exp", issued + 300)] {
        claims[name] = seconds.into();
    }
    let pins = [
        ("organization_id", oidc.organization_id.clone()),
        ("pipeline_id", oidc.pipeline_ids.as_ref().and_then(|ids| ids.first().cloned())),
        ("cluster_id", oidc.cluster.clone()),
        ("queue_key", oidc.queue.clone()),
    ];
    for (name, pin) in pins {
        if let Some(pin) = pin {
            claims[name] = json!(pin);
        }
    }
    let token = BuildkiteStandin::mint_with(&claims, BuildkiteKey::First);
    Signature { keyid: None, sig: token.into_bytes() }
}
