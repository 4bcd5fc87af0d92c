//! From an envelope to a verified event.

use launchgate_outcome::{Check, Reason, Refusal, Voucher};
use launchgate_statement::{Envelope, EventDigest, PAYLOAD_TYPE, Sha256, Statement, Timestamp, pae};

use crate::plugin_mistakes::recognise;
use crate::signer::OutOfForce;
use crate::{Signer, SignerKind, Signers, VerifiedEvent, VerifiedSignature};

/// Why no event came of an envelope, with the ladder up to there.
#[derive(Clone, Debug)]
pub struct Rejection {
    /// Outcome, reason, sentence.
    pub refusal: Refusal,
    /// The ladder.
    pub checks: Vec<Check>,
    /// The digest of what was claimed; names nothing that is stored as an event.
    pub digest: Option<EventDigest>,
}

/// Verifies an envelope against the configured signers.
///
/// Order: payload type, signatures (each signer once; keyid is only a hint), windows and revocation at
/// `published`, statement, what each signer may speak for. `published` is the publish time of the first
/// receipt that a signer verified: Google's clock, which neither job nor relay can set.
///
/// # Errors
/// `rejected_signature` when no signer is left, with the most telling reason (a right key that signed the
/// wrong bytes is named before an unknown one); `rejected_statement` when a signer in force signed
/// something that is no acceptable statement.
pub fn verify(
    envelope: Envelope,
    signers: &Signers,
    published: Timestamp,
) -> Result<VerifiedEvent, Rejection> {
    let pae = pae(&envelope.payload_type, &envelope.payload);
    let digest = EventDigest(Sha256::of(&pae));
    let mut ladder = Ladder { digest, checks: vec![passed_envelope(&envelope)] };

    if envelope.payload_type != PAYLOAD_TYPE {
        let check = Check::failed("payloadType").expected(PAYLOAD_TYPE).actual(&*envelope.payload_type);
        let message = format!("expected the payload type {PAYLOAD_TYPE}, found `{}`", envelope.payload_type);
        return Err(ladder.refuse(
            check,
            Refusal::new(Reason::PayloadType, message),
            &["signature", "statement", "scope"],
        ));
    }
    ladder.checks.push(Check::passed("payloadType"));

    let made: Vec<_> = signers.iter().filter(|signer| signed_by(&envelope, &pae, signer)).collect();
    let in_force = ladder.check_signatures(&envelope, &pae, signers, &made, published)?;

    let statement = match Statement::parse(&envelope.payload) {
        Ok(statement) => statement,
        Err(error) => {
            let check = Check::failed("statement").detail(&*error.message);
            return Err(ladder.refuse(check, error.into(), &["scope"]));
        }
    };
    ladder.checks.push(Check::passed("statement"));

    let speaking = ladder.check_scope(&statement, in_force)?;
    let signatures = speaking.into_iter().map(verified_signature).collect();
    Ok(VerifiedEvent { envelope, digest, statement, signatures, checks: ladder.checks })
}

/// The signature layer alone: which signers made a signature over this envelope, whatever its payload.
/// For `inspect` and for other implementations' vectors.
pub fn verify_signatures(envelope: &Envelope, signers: &Signers) -> Vec<VerifiedSignature> {
    let pae = pae(&envelope.payload_type, &envelope.payload);
    signers.iter().filter(|signer| signed_by(envelope, &pae, signer)).map(verified_signature).collect()
}

/// Each signer once, however many signatures it made: the threshold counts keys (DSSE protocol,
/// multi-signature). The keyid does not decide, so every signature is tried.
fn signed_by(envelope: &Envelope, pae: &[u8], signer: &Signer) -> bool {
    let SignerKind::PublicKey(key) = &signer.kind;
    envelope.signatures.iter().any(|signature| key.verifies(pae, &signature.sig))
}

fn verified_signature(signer: &Signer) -> VerifiedSignature {
    VerifiedSignature { signer: signer.id.clone(), root: signer.kind.root(), voucher: signer.kind.voucher() }
}

fn passed_envelope(envelope: &Envelope) -> Check {
    let signatures = match envelope.signatures.len() {
        1 => "1 signature".to_owned(),
        count => format!("{count} signatures"),
    };
    Check::passed("envelope").actual(format!("{} bytes of payload, {signatures}", envelope.payload.len()))
}

/// The rungs climbed so far.
struct Ladder {
    digest: EventDigest,
    checks: Vec<Check>,
}

impl Ladder {
    /// Which of the signers that `made` a signature count at `published`; none is a rejection.
    fn check_signatures<'s>(
        &mut self,
        envelope: &Envelope,
        pae: &[u8],
        signers: &Signers,
        made: &[&'s Signer],
        published: Timestamp,
    ) -> Result<Vec<&'s Signer>, Rejection> {
        const ABOVE: &[&str] = &["statement", "scope"];
        if made.is_empty() {
            let refusal = no_signer(envelope, pae, signers);
            let check = Check::failed("signature")
                .expected(names(signers.iter()))
                .actual("none of them")
                .detail(&*refusal.message);
            return Err(self.refuse(check, refusal, ABOVE));
        }
        let (mut in_force, mut out) = (Vec::new(), Vec::new());
        for &signer in made {
            match signer.in_force(published) {
                Ok(()) => in_force.push(signer),
                Err(why) => out.push((signer, out_of_force(signer, why, published))),
            }
        }
        if in_force.is_empty() {
            let (signer, refusal) = out.swap_remove(0);
            let check = Check::failed("signature").actual(shown(signer)).detail(&*refusal.message);
            return Err(self.refuse(check, refusal, ABOVE));
        }
        self.checks.extend(
            in_force.iter().map(|signer| {
                Check::passed("signature").actual(shown(signer)).voucher(signer.kind.voucher())
            }),
        );
        self.checks.extend(out.into_iter().map(|(signer, refusal)| uncounted("signature", signer, refusal)));
        Ok(in_force)
    }

    /// Which of them may say what the statement says; none is a rejection.
    fn check_scope<'s>(
        &mut self,
        statement: &Statement,
        in_force: Vec<&'s Signer>,
    ) -> Result<Vec<&'s Signer>, Rejection> {
        let (mut speaking, mut out) = (Vec::new(), Vec::new());
        for signer in in_force {
            match out_of_scope(signer, statement) {
                None => speaking.push(signer),
                Some(why) => out.push((signer, why)),
            }
        }
        if speaking.is_empty() {
            let (_, (refusal, check)) = out.swap_remove(0);
            return Err(self.refuse(check, refusal, &[]));
        }
        let pipeline = statement.build.pipeline.as_deref().unwrap_or_default();
        self.checks.push(
            Check::passed("scope")
                .actual(format!("{} for {pipeline}", names(speaking.iter().copied())))
                .voucher(Voucher::Key),
        );
        self.checks.extend(out.into_iter().map(|(signer, (refusal, _))| uncounted("scope", signer, refusal)));
        Ok(speaking)
    }

    fn refuse(&mut self, failed: Check, refusal: Refusal, not_reached: &[&str]) -> Rejection {
        let mut checks = std::mem::take(&mut self.checks);
        checks.push(failed);
        checks.extend(not_reached.iter().map(|name| Check::not_reached(*name)));
        Rejection { refusal, checks, digest: Some(self.digest) }
    }
}

/// Why nobody verified, as tellingly as can be said.
fn no_signer(envelope: &Envelope, pae: &[u8], signers: &Signers) -> Refusal {
    if envelope.signatures.iter().all(|signature| signature.sig.is_empty()) {
        let found = if envelope.signatures.is_empty() { "no signature" } else { "only empty signatures" };
        return Refusal::new(
            Reason::Unsigned,
            format!("the envelope has {found}; sign it with `launchgate sign`"),
        );
    }
    if let Some((reason, message)) = recognise(envelope, pae, signers) {
        return Refusal::new(reason, message);
    }
    let hints: Vec<_> = envelope.signatures.iter().filter_map(|one| one.keyid.as_deref()).collect();
    let hints = if hints.is_empty() {
        String::new()
    } else {
        format!(" (key ids given: {})", bounded(&hints.join(", ")))
    };
    let message = format!(
        "none of the signers {} made a signature over exactly these bytes{hints}: another key signed, or the payload \
         was changed after signing",
        names(signers.iter())
    );
    Refusal::new(Reason::UnknownSigner, message)
}

fn out_of_force(signer: &Signer, why: OutOfForce, published: Timestamp) -> Refusal {
    let id = &signer.id;
    match why {
        OutOfForce::Revoked => Refusal::new(
            Reason::RevokedSigner,
            format!("`{id}` signed, but it is revoked in today's triggers file"),
        ),
        OutOfForce::NotYetValid(from) => Refusal::new(
            Reason::SignerNotYetValid,
            format!("`{id}` signed, but it counts from {from} and the event was published at {published}"),
        ),
        OutOfForce::Expired(until) => Refusal::new(
            Reason::SignerExpired,
            format!("`{id}` signed, but it counted until {until} and the event was published at {published}"),
        ),
    }
}

/// Why `signer` may not say what the statement says.
fn out_of_scope(signer: &Signer, statement: &Statement) -> Option<(Refusal, Check)> {
    let id = &signer.id;
    let pipeline = statement.build.pipeline.as_deref().unwrap_or_default();
    if !signer.speaks_for_pipeline(statement) {
        let allowed = signer.pipelines.as_ref().map(ToString::to_string).unwrap_or_default();
        let message = format!("`{id}` may speak for the pipelines {allowed}, not for `{pipeline}`");
        let check = Check::failed("scope").expected(allowed).actual(pipeline).detail(&*message);
        return Some((Refusal::new(Reason::PipelineNotAllowed, message), check));
    }
    if !signer.speaks_for_builder(statement) {
        let allowed = signer.builders.as_ref().map(|builders| builders.join(", ")).unwrap_or_default();
        let builder = bounded(&statement.builder);
        let message = format!("`{id}` may speak for the builders {allowed}, not for `{builder}`");
        let check = Check::failed("scope").expected(allowed).actual(builder).detail(&*message);
        return Some((Refusal::new(Reason::BuilderNotAllowed, message), check));
    }
    None
}

/// A genuine signature that another one makes up for: no failure of the event.
fn uncounted(name: &str, signer: &Signer, refusal: Refusal) -> Check {
    Check::skipped(name).actual(shown(signer)).detail(refusal.message)
}

fn shown(signer: &Signer) -> String {
    let SignerKind::PublicKey(key) = &signer.kind;
    let fingerprint = key.fingerprint().to_hex();
    format!("{} ({}, SHA-256 {}…)", signer.id, key.scheme().as_str(), &fingerprint[..16])
}

fn names<'s>(signers: impl Iterator<Item = &'s Signer>) -> String {
    let names: Vec<_> = signers.map(|signer| signer.id.as_str()).collect();
    if names.is_empty() { "(none configured)".to_owned() } else { names.join(", ") }
}

/// The start of a text that a stranger chose, short enough for a message.
fn bounded(text: &str) -> String {
    text.chars().take(200).collect()
}
