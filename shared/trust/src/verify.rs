//! From an envelope to a verified event.

use launchgate_outcome::{Check, Reason, Refusal, Voucher};
use launchgate_statement::{
    Envelope, EventDigest, FactName, PAYLOAD_TYPE, Sha256, Statement, Timestamp, pae,
};

use crate::buildkite_token::{BuildkiteToken, NoToken};
use crate::plugin_mistakes::recognise;
use crate::signer::OutOfForce;
use crate::{Jwks, Signer, SignerKind, Signers, TokenProof, VerifiedEvent, VerifiedSignature};

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

/// What verification needs beside the envelope and the file.
#[derive(Clone, Copy, Debug)]
pub struct TrustInputs<'k> {
    /// The publish time of the first receipt that a signer verified: Google's clock, which neither job nor
    /// relay can set.
    pub published: Timestamp,
    /// Buildkite's keys.
    pub buildkite_keys: BuildkiteKeys<'k>,
}

/// Buildkite's keys, and how much their silence says.
#[derive(Clone, Copy, Debug)]
pub enum BuildkiteKeys<'k> {
    /// None at hand: nothing can be said about a token.
    Missing,
    /// Kept from some time ago: a key that is not in it may be newer.
    Held(&'k Jwks),
    /// Fetched just now, or given as the whole: a key that is not in it does not exist.
    Complete(&'k Jwks),
}

/// Why no event came of an envelope.
#[derive(Clone, Debug)]
pub enum Unverified {
    /// It is none, for good.
    Rejected(Rejection),
    /// Nothing can be said before Buildkite's keys are there.
    KeyWanted(KeyWanted),
}

/// A token is bound to this event but its key is not at hand: fetch the keys afresh and ask again with
/// `BuildkiteKeys::Complete`. Where they cannot be fetched nothing may be decided.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Buildkite's key `{kid}`, which a token of this event names, is not at hand")]
pub struct KeyWanted {
    /// The id that the token gives; a stranger may have written it.
    pub kid: String,
}

impl From<Rejection> for Unverified {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

/// Verifies an envelope against the configured signers.
///
/// Order: payload type, signatures (each signer once; keyid is only a hint), windows and revocation at
/// the publish time, statement, identity (what tokens claim against what the statement says), what each
/// signer may speak for.
///
/// # Errors
/// `rejected_signature` when no signer is left, with the most telling reason (a right key that signed the
/// wrong bytes is named before an unknown one); `rejected_statement` when a signer in force signed
/// something that is no acceptable statement; `KeyWanted` when a token cannot be judged with the keys at
/// hand, even if another signer's signature holds: deciding without it would lose what it proves.
pub fn verify(
    envelope: Envelope,
    signers: &Signers,
    inputs: TrustInputs<'_>,
) -> Result<VerifiedEvent, Unverified> {
    let TrustInputs { published, buildkite_keys } = inputs;
    let pae = pae(&envelope.payload_type, &envelope.payload);
    let digest = EventDigest(Sha256::of(&pae));
    let mut ladder = Ladder { digest, checks: vec![passed_envelope(&envelope)] };

    if envelope.payload_type != PAYLOAD_TYPE {
        let check = Check::failed("payloadType").expected(PAYLOAD_TYPE).actual(&*envelope.payload_type);
        let message = format!("expected the payload type {PAYLOAD_TYPE}, found `{}`", envelope.payload_type);
        let refusal = Refusal::new(Reason::PayloadType, message);
        return Err(ladder.refuse(check, refusal, &["signature", "statement", "scope"]).into());
    }
    ladder.checks.push(Check::passed("payloadType"));

    let tokens = Tokens::of(&envelope, signers, digest, buildkite_keys).map_err(Unverified::KeyWanted)?;
    let (made, refused) = made(&envelope, &pae, signers, &tokens, digest, published);
    let in_force = ladder.check_signatures(&envelope, &pae, signers, made, refused, published)?;

    let statement = match Statement::parse(&envelope.payload) {
        Ok(statement) => statement,
        Err(error) => {
            let check = Check::failed("statement").detail(&*error.message);
            return Err(ladder.refuse(check, error.into(), &["scope"]).into());
        }
    };
    ladder.checks.push(Check::passed("statement"));

    let identified = ladder.check_identity(&statement, in_force, published)?;
    let signatures = ladder.check_scope(&statement, identified)?;
    Ok(VerifiedEvent { envelope, digest, statement, signatures, checks: ladder.checks })
}

/// The signature layer of keys alone: which of them made a signature over this envelope, whatever its
/// payload. For other implementations' vectors.
pub fn verify_signatures(envelope: &Envelope, signers: &Signers) -> Vec<VerifiedSignature> {
    let pae = pae(&envelope.payload_type, &envelope.payload);
    signers
        .iter()
        .filter(|signer| signed_by_key(envelope, &pae, signer))
        .map(|signer| verified_signature(signer, None))
        .collect()
}

/// Each signer once, however many signatures it made: the threshold counts keys (DSSE protocol,
/// multi-signature). The keyid does not decide, so every signature is tried.
fn signed_by_key(envelope: &Envelope, pae: &[u8], signer: &Signer) -> bool {
    let SignerKind::PublicKey(key) = &signer.kind else { return false };
    envelope.signatures.iter().any(|signature| key.verifies(pae, &signature.sig))
}

fn verified_signature(signer: &Signer, token: Option<TokenProof>) -> VerifiedSignature {
    let (root, voucher) = (signer.kind.root(), signer.kind.voucher());
    VerifiedSignature { signer: signer.id.clone(), root, voucher, token: token.map(Box::new) }
}

/// The signatures that have the form of a Buildkite token, each verified once for all signers.
#[derive(Default)]
struct Tokens {
    genuine: Vec<BuildkiteToken>,
    refused: Vec<Refusal>,
}

impl Tokens {
    fn of(
        envelope: &Envelope,
        signers: &Signers,
        digest: EventDigest,
        keys: BuildkiteKeys<'_>,
    ) -> Result<Self, KeyWanted> {
        let mut tokens = Self::default();
        let kinds: Vec<_> = signers
            .iter()
            .filter_map(|signer| match &signer.kind {
                SignerKind::BuildkiteOidc(oidc) => Some(oidc),
                SignerKind::PublicKey(_) => None,
            })
            .collect();
        if kinds.is_empty() {
            return Ok(tokens);
        }
        let none = Jwks::default();
        let (set, is_complete) = match keys {
            BuildkiteKeys::Missing => (&none, false),
            BuildkiteKeys::Held(set) => (set, false),
            BuildkiteKeys::Complete(set) => (set, true),
        };
        for signature in &envelope.signatures {
            match BuildkiteToken::read(&signature.sig, set) {
                None => {}
                Some(Ok(token)) => tokens.genuine.push(token),
                Some(Err(NoToken::Refused(refusal))) => tokens.refused.push(refusal),
                Some(Err(NoToken::UnknownKey { kid, unverified })) => {
                    // A token that no key could make acceptable is worth no fetch.
                    let bound = kinds.iter().map(|oidc| oidc.check_binding(&unverified, digest));
                    match bound.reduce(Result::or) {
                        Some(Err(refusal)) => tokens.refused.push(refusal),
                        _ if is_complete => {
                            let kid = bounded(&kid);
                            let message =
                                format!("the token names the key `{kid}`, which Buildkite does not publish");
                            tokens.refused.push(Refusal::new(Reason::BuildkiteTokenUnknownKey, message));
                        }
                        _ => return Err(KeyWanted { kid }),
                    }
                }
            }
        }
        Ok(tokens)
    }
}

/// A signer with what it made: a signature by its key, or these tokens.
struct Made<'s> {
    signer: &'s Signer,
    tokens: Vec<&'s BuildkiteToken>,
}

/// Who made a signature, and why tokens that look like one are none.
fn made<'s>(
    envelope: &Envelope,
    pae: &[u8],
    signers: &'s Signers,
    tokens: &'s Tokens,
    digest: EventDigest,
    published: Timestamp,
) -> (Vec<Made<'s>>, Vec<Refusal>) {
    let (mut made, mut refused) = (Vec::new(), tokens.refused.clone());
    for signer in signers.iter() {
        match &signer.kind {
            SignerKind::PublicKey(_) if signed_by_key(envelope, pae, signer) => {
                made.push(Made { signer, tokens: Vec::new() });
            }
            SignerKind::PublicKey(_) => {}
            SignerKind::BuildkiteOidc(oidc) => {
                let mut accepted = Vec::new();
                for token in &tokens.genuine {
                    match oidc.accepts(&token.claims, digest, published) {
                        Ok(()) => accepted.push(token),
                        Err(refusal) => refused.push(refusal),
                    }
                }
                if !accepted.is_empty() {
                    made.push(Made { signer, tokens: accepted });
                }
            }
        }
    }
    (made, refused)
}

/// How near a refused token came to counting: the nearest tells most.
fn nearness(refusal: &Refusal) -> usize {
    const FAR_TO_NEAR: [Reason; 7] = [
        Reason::BuildkiteTokenMalformed,
        Reason::BuildkiteTokenSignature,
        Reason::BuildkiteTokenIssuer,
        Reason::UnboundToken,
        Reason::BindingMismatch,
        Reason::BuildkiteTokenUnknownKey,
        Reason::BuildkiteTokenTime,
    ];
    FAR_TO_NEAR.iter().position(|reason| *reason == refusal.reason).unwrap_or(FAR_TO_NEAR.len())
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
        made: Vec<Made<'s>>,
        refused: Vec<Refusal>,
        published: Timestamp,
    ) -> Result<Vec<Made<'s>>, Rejection> {
        const ABOVE: &[&str] = &["statement", "scope"];
        if made.is_empty() {
            let refusal = no_signer(envelope, pae, signers, refused);
            let check = Check::failed("signature")
                .expected(names(signers.iter()))
                .actual("none of them")
                .detail(&*refusal.message);
            return Err(self.refuse(check, refusal, ABOVE));
        }
        let (mut in_force, mut out) = (Vec::new(), Vec::new());
        for one in made {
            match one.signer.in_force(published) {
                Ok(()) => in_force.push(one),
                Err(why) => out.push((one.signer, out_of_force(one.signer, why, published))),
            }
        }
        if in_force.is_empty() {
            let (signer, refusal) = out.swap_remove(0);
            let check = Check::failed("signature").actual(shown(signer)).detail(&*refusal.message);
            return Err(self.refuse(check, refusal, ABOVE));
        }
        self.checks.extend(in_force.iter().map(|Made { signer, .. }| {
            Check::passed("signature").actual(shown(signer)).voucher(signer.kind.voucher())
        }));
        self.checks.extend(out.into_iter().map(|(signer, refusal)| uncounted("signature", signer, refusal)));
        Ok(in_force)
    }

    /// Whose tokens agree with the statement; a key has none and goes on as it is. None left is a rejection.
    fn check_identity<'s>(
        &mut self,
        statement: &Statement,
        in_force: Vec<Made<'s>>,
        published: Timestamp,
    ) -> Result<Vec<(&'s Signer, Option<TokenProof>)>, Rejection> {
        let (mut identified, mut out) = (Vec::new(), Vec::new());
        for Made { signer, tokens } in in_force {
            let SignerKind::BuildkiteOidc(oidc) = &signer.kind else {
                identified.push((signer, None));
                continue;
            };
            let mut mismatch = None;
            let proof = tokens.into_iter().find_map(|token| {
                let proof = oidc.prove(token, statement, published);
                proof.map_err(|why| mismatch = Some(why)).ok()
            });
            match (proof, mismatch) {
                (Some(proof), _) => {
                    let named = FactName::ALL.into_iter().filter(|name| proof.build.fact(*name).is_some());
                    let named: Vec<_> = named.map(FactName::as_str).collect();
                    self.checks.push(
                        Check::passed("identity")
                            .actual(format!("{}: {}", signer.id, named.join(", ")))
                            .voucher(Voucher::Token),
                    );
                    identified.push((signer, Some(proof)));
                }
                (None, Some(mismatch)) => out.push((signer, mismatch)),
                (None, None) => {}
            }
        }
        if identified.is_empty()
            && let Some((signer, mismatch)) = out.first()
        {
            let refusal = mismatch.refusal();
            let check = mismatch.check().detail(format!("{}: {}", signer.id, refusal.message));
            return Err(self.refuse(check, refusal, &["scope"]));
        }
        self.checks.extend(out.into_iter().map(|(signer, why)| uncounted("identity", signer, why.refusal())));
        Ok(identified)
    }

    /// Which of them may say what the statement says; none is a rejection.
    fn check_scope(
        &mut self,
        statement: &Statement,
        identified: Vec<(&Signer, Option<TokenProof>)>,
    ) -> Result<Vec<VerifiedSignature>, Rejection> {
        let (mut speaking, mut out) = (Vec::new(), Vec::new());
        for (signer, proof) in identified {
            match out_of_scope(signer, statement) {
                None => speaking.push((signer, proof)),
                Some(why) => out.push((signer, why)),
            }
        }
        if speaking.is_empty() {
            let (_, (refusal, check)) = out.swap_remove(0);
            return Err(self.refuse(check, refusal, &[]));
        }
        let pipeline = statement.build.pipeline.as_deref().unwrap_or_default();
        for voucher in [Voucher::Key, Voucher::Token] {
            let of_kind = speaking.iter().map(|(signer, _)| *signer);
            let of_kind: Vec<_> = of_kind.filter(|signer| signer.kind.voucher() == voucher).collect();
            if !of_kind.is_empty() {
                let actual = format!("{} for {pipeline}", names(of_kind.into_iter()));
                self.checks.push(Check::passed("scope").actual(actual).voucher(voucher));
            }
        }
        self.checks.extend(out.into_iter().map(|(signer, (refusal, _))| uncounted("scope", signer, refusal)));
        Ok(speaking.into_iter().map(|(signer, proof)| verified_signature(signer, proof)).collect())
    }

    fn refuse(&mut self, failed: Check, refusal: Refusal, not_reached: &[&str]) -> Rejection {
        let mut checks = std::mem::take(&mut self.checks);
        checks.push(failed);
        checks.extend(not_reached.iter().map(|name| Check::not_reached(*name)));
        Rejection { refusal, checks, digest: Some(self.digest) }
    }
}

/// Why nobody verified, as tellingly as can be said.
fn no_signer(envelope: &Envelope, pae: &[u8], signers: &Signers, refused: Vec<Refusal>) -> Refusal {
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
    if let Some(nearest) = refused.into_iter().max_by_key(nearness) {
        return nearest;
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
    let key = match &signer.kind {
        SignerKind::PublicKey(key) => key,
        SignerKind::BuildkiteOidc(oidc) => {
            return format!("{} (Buildkite token of organization {})", signer.id, oidc.organization);
        }
    };
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
