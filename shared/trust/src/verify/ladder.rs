//! The checks ladder of a verification: what was looked at, in order, and where it ended.

use launchgate_outcome::{Check, Reason, Refusal, Voucher};
use launchgate_statement::{Envelope, EventDigest, FactName, Statement, Timestamp};

use super::{
    Rejection,
    evidence::{Evidence, Made, Proof, nearness},
};
use crate::buildkite_token::BuildkiteToken;
use crate::carrier::TokenTime;
use crate::mismatch::{Mismatch, bounded};
use crate::plugin_mistakes::recognise;
use crate::signer::OutOfForce;
use crate::{BuildkiteOidc, Signer, SignerKind, Signers, VerifiedSignature};

/// The rungs climbed so far.
pub(super) struct Ladder {
    digest: EventDigest,
    checks: Vec<Check>,
}

impl Ladder {
    pub(super) fn new(digest: EventDigest, envelope: &Envelope) -> Self {
        let signatures = match envelope.signatures.len() {
            1 => "1 signature".to_owned(),
            count => format!("{count} signatures"),
        };
        let around = if envelope.verification_material.is_some() { " in a Sigstore bundle" } else { "" };
        let actual = format!("{} bytes of payload, {signatures}{around}", envelope.payload.len());
        Self { digest, checks: vec![Check::passed("envelope").actual(actual)] }
    }

    pub(super) fn passed(&mut self, check: Check) {
        self.checks.push(check);
    }

    pub(super) fn into_checks(self) -> Vec<Check> {
        self.checks
    }

    /// Which of the signers that `made` a signature count at `published`; none is a rejection.
    pub(super) fn check_signatures<'s>(
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

    /// Whose tokens and certificates agree with the statement; a key has none and goes on as it is. None left
    /// is a rejection.
    pub(super) fn check_identity<'s>(
        &mut self,
        envelope: &Envelope,
        statement: &Statement,
        in_force: Vec<Made<'s>>,
        published: Timestamp,
        counts: TokenTime,
    ) -> Result<Vec<(&'s Signer, Proof)>, Rejection> {
        let (mut identified, mut out) = (Vec::new(), Vec::new());
        for Made { signer, evidence } in in_force {
            let proof = match (&signer.kind, evidence) {
                (SignerKind::BuildkiteOidc(oidc), Evidence::Tokens(tokens)) => {
                    first_proof(oidc, &tokens, statement, published, counts).map(Proof::Token)
                }
                (SignerKind::Sigstore(sigstore), Evidence::Certificate(certificate)) => {
                    sigstore.prove(certificate, envelope, statement, published).map(Proof::Certificate)
                }
                (_, Evidence::Webhook(proof)) => Ok(Proof::Webhook(proof.clone())),
                _ => Ok(Proof::Key),
            };
            match proof {
                Ok(proof) => {
                    self.checks.extend(identity_rung(signer, &proof));
                    identified.push((signer, proof));
                }
                Err(mismatch) => out.push((signer, mismatch)),
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
    pub(super) fn check_scope(
        &mut self,
        statement: &Statement,
        identified: Vec<(&Signer, Proof)>,
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
        for voucher in [Voucher::Key, Voucher::Token, Voucher::Certificate, Voucher::Webhook] {
            let of_kind = speaking.iter().map(|(signer, _)| *signer);
            let of_kind: Vec<_> = of_kind.filter(|signer| signer.kind.voucher() == voucher).collect();
            if !of_kind.is_empty() {
                let actual = format!("{} for {pipeline}", names(of_kind.into_iter()));
                self.checks.push(Check::passed("scope").actual(actual).voucher(voucher));
            }
        }
        self.checks.extend(out.into_iter().map(|(signer, (refusal, _))| uncounted("scope", signer, refusal)));
        Ok(speaking.into_iter().map(|(signer, proof)| VerifiedSignature::of(signer, proof)).collect())
    }

    pub(super) fn refuse(&mut self, failed: Check, refusal: Refusal, not_reached: &[&str]) -> Rejection {
        let mut checks = std::mem::take(&mut self.checks);
        checks.push(failed);
        checks.extend(not_reached.iter().map(|name| Check::not_reached(*name)));
        Rejection { refusal, checks, digest: Some(self.digest) }
    }
}

/// What the first token that agrees with the statement proves; else how the last one differs.
fn first_proof(
    oidc: &BuildkiteOidc,
    tokens: &[&BuildkiteToken],
    statement: &Statement,
    published: Timestamp,
    counts: TokenTime,
) -> Result<crate::TokenProof, Mismatch> {
    let (last, earlier) = tokens.split_last().expect("a signer that made no token made nothing");
    let agreeing = earlier.iter().find_map(|token| oidc.prove(token, statement, published, counts).ok());
    agreeing.map_or_else(|| oidc.prove(last, statement, published, counts), Ok)
}

/// Which facts the proof names; a key names none of its own.
fn identity_rung(signer: &Signer, proof: &Proof) -> Option<Check> {
    let build = match proof {
        Proof::Key => return None,
        Proof::Token(token) => &token.build,
        Proof::Certificate(certificate) => &certificate.build,
        Proof::Webhook(webhook) => &webhook.build,
    };
    let named = FactName::ALL.into_iter().filter(|name| build.fact(*name).is_some());
    let named: Vec<_> = named.map(FactName::as_str).collect();
    let actual = format!("{}: {}", signer.id, named.join(", "));
    Some(Check::passed("identity").actual(actual).voucher(signer.kind.voucher()))
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
        SignerKind::Sigstore(sigstore) => {
            return format!("{} (Sigstore bundle of organization {})", signer.id, sigstore.organization);
        }
        SignerKind::BuildkiteWebhook(webhook) => {
            return format!(
                "{} (Buildkite's webhook of organization {}: the weakest proof, of the build and not of the artifact)",
                signer.id, webhook.organization
            );
        }
    };
    let fingerprint = key.fingerprint().to_hex();
    format!("{} ({}, SHA-256 {}…)", signer.id, key.scheme().as_str(), &fingerprint[..16])
}

fn names<'s>(signers: impl Iterator<Item = &'s Signer>) -> String {
    let names: Vec<_> = signers.map(|signer| signer.id.as_str()).collect();
    if names.is_empty() { "(none configured)".to_owned() } else { names.join(", ") }
}
