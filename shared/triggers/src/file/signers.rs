//! `signers`: whose proof counts.

use launchgate_statement::Timestamp;
use launchgate_trust::{
    BuildkiteOidc, BuildkiteWebhook, ForkBuilds, PatternList, PublicKey, Root, Scheme, Signer, SignerId,
    SignerKind, Signers, Sigstore, TrustError, TrustedRoot, Wildcards,
};

use super::{
    Files,
    findings::{At, Findings},
    node::{Member, Node, Shape},
    scalar,
    section::Section,
};

use crate::{Buildkite, Place};

pub(super) const KEYS: &[&str] = &[
    "id",
    "publicKey",
    "scheme",
    "notBefore",
    "notAfter",
    "rotateAfter",
    "revoked",
    "pipelines",
    "builders",
    "buildkiteOidc",
    "sigstore",
    "buildkiteWebhook",
];

pub(super) const OIDC_KEYS: &[&str] =
    &["organization", "organizationId", "pipelineIds", "cluster", "queue", "forkBuilds"];

pub(super) const SIGSTORE_KEYS: &[&str] = &["organization", "trustedRoot", "forkBuilds"];

pub(super) const WEBHOOK_KEYS: &[&str] = &["organization"];

const SCHEMES: &[&str] = &["ed25519", "ecdsa-p256", "ecdsa-p384", "rsa-pss-sha256", "rsa-pkcs1v15-sha256"];

/// The signers as read: also the names of those that are broken, so that a trigger naming one is not
/// blamed for it.
#[derive(Default)]
pub(super) struct SignerList {
    pub(super) names: Vec<String>,
    sound: Vec<Signer>,
    places: Vec<At>,
    /// Microseconds.
    rotate_after: Vec<Option<i64>>,
}

impl SignerList {
    /// What the threshold counts for a name; `None` for a signer that is broken.
    pub(super) fn root(&self, name: &str) -> Option<Root> {
        Some(self.get(name)?.kind.root())
    }

    pub(super) fn get(&self, name: &str) -> Option<&Signer> {
        self.sound.iter().find(|signer| signer.id.as_str() == name)
    }

    /// Where each sound signer stands.
    pub(super) fn places(&self, findings: &Findings) -> Vec<(SignerId, Option<Place>)> {
        let place = |at: &At| match at {
            At::Bytes(range) => Some(findings.source.place(range)),
            At::Variable(_) => None,
        };
        self.sound.iter().zip(&self.places).map(|(signer, at)| (signer.id.clone(), place(at))).collect()
    }

    /// `rotateAfter` of each sound signer that gives it, in microseconds.
    pub(super) fn rotations(&self) -> Vec<(SignerId, i64)> {
        let pairs = self.sound.iter().zip(&self.rotate_after);
        pairs.filter_map(|(signer, after)| Some((signer.id.clone(), (*after)?))).collect()
    }

    pub(super) fn into_signers(self) -> Option<Signers> {
        Signers::new(self.sound).ok()
    }
}

/// What the rest of the file gives to a signer.
pub(super) struct Around<'a> {
    /// `service.audience`; `None` when it is broken, which has its own finding.
    pub(super) audience: Option<&'a str>,
    pub(super) files: &'a dyn Files,
    /// `buildkite`; `None` when it is absent or broken.
    pub(super) buildkite: Option<&'a Buildkite>,
    /// Whether `ingress.builds` is there.
    pub(super) takes_builds: bool,
}

pub(super) fn read(member: &Member, around: &Around, findings: &mut Findings) -> SignerList {
    let mut list = SignerList::default();
    let Shape::List(items) = &member.value.shape else {
        let message = format!("expected a list for `signers`, found {}", member.value.kind());
        findings.error("wrong-type", &member.value.at, message);
        return list;
    };
    if items.is_empty() {
        let message = "expected at least one signer, found none: without one no event is believed";
        findings.error("empty-value", &member.key_at, message);
    }
    for item in items {
        if let Some(id) = item.get("id")
            && let Shape::Text(name) = &id.shape
        {
            if list.names.contains(name) {
                let message = format!("the signer id `{name}` stands twice");
                findings.error("duplicate-signer", &id.at, message).fix("give each signer a name of its own");
                continue;
            }
            list.names.push(name.clone());
        }
        if let Some((signer, rotate_after)) = signer(item, around, findings) {
            list.sound.push(signer);
            list.rotate_after.push(rotate_after);
            let id = item.get("id").unwrap_or(item);
            list.places.push(id.at.clone());
        }
    }
    list
}

/// The signer, with its `rotateAfter` in microseconds.
fn signer(item: &Node, around: &Around, findings: &mut Findings) -> Option<(Signer, Option<i64>)> {
    let section = Section::open("a signer", KEYS, item, &item.at, findings)?;
    let id = section.need("id", "give the signer a name; triggers permit it by that", findings);
    let rule = "1 to 63 letters, digits, dots, dashes or underscores";
    let id = id.and_then(|it| scalar::ruled(it, "bad-signer-id", rule, is_id, findings));
    let (not_before, not_after) =
        (instant(&section, "notBefore", findings), instant(&section, "notAfter", findings));
    let in_order = !matches!((not_before, not_after), (Some(from), Some(until)) if from >= until);
    if !in_order {
        let at = section.get("notAfter").map_or(item.at.clone(), |it| it.value.at.clone());
        findings.error("empty-validity", &at, "expected `notAfter` later than `notBefore`");
    }
    let rotate_after = section.get("rotateAfter").map(|it| rotate_after(it, &section, findings));
    let revoked = section.get("revoked").and_then(|it| scalar::boolean(it, findings)).unwrap_or(false);
    let pipelines = section.get("pipelines").map(|it| pipelines(it, findings));
    let builders = section.get("builders").map(|it| scalar::texts(it, findings));
    let kind = kind(&section, around, findings);
    let builders = match builders {
        Some(read) => Some(read?.into_iter().map(|(text, _)| text.to_owned()).collect()),
        None => None,
    };
    let pipelines = match pipelines {
        Some(read) => Some(read?),
        None => None,
    };
    let rotate_after = match rotate_after {
        Some(read) => Some(read?),
        None => None,
    };
    in_order.then_some(())?;
    let id = SignerId::new(id?);
    let signer = Signer { id, kind: kind?, not_before, not_after, revoked, pipelines, builders };
    Some((signer, rotate_after))
}

/// An age that nobody could tell would be a promise that is not kept, so it is an error and not ignored.
fn rotate_after(member: &Member, section: &Section, findings: &mut Findings) -> Option<i64> {
    let seconds = scalar::duration(member, findings)?;
    if section.get("publicKey").is_none() {
        let message = "`rotateAfter` is the age of a key; a signer without `publicKey` has none to rotate";
        findings.error("rotate-after-without-key", &member.key_at, message).fix("leave it out");
        return None;
    }
    if section.get("notBefore").is_none() {
        let message = "`rotateAfter` counts from `notBefore`, which this signer does not have";
        let fix = "say since when the key is in use: `notBefore: 2026-11-18`";
        findings.error("rotate-after-without-start", &member.key_at, message).fix(fix);
        return None;
    }
    i64::try_from(seconds).ok()?.checked_mul(1_000_000)
}

fn kind(section: &Section, around: &Around, findings: &mut Findings) -> Option<SignerKind> {
    let kinds = [
        ("buildkiteOidc", &["sigstore", "buildkiteWebhook", "publicKey", "scheme"][..]),
        ("sigstore", &["buildkiteWebhook", "publicKey", "scheme"]),
        ("buildkiteWebhook", &["publicKey", "scheme"]),
    ];
    for (key, others) in kinds {
        if section.get(key).is_none() {
            continue;
        }
        for extra in others.iter().filter_map(|other| section.get(other)) {
            let other = &extra.key;
            let message = format!("expected one kind of proof for a signer, found `{key}` and `{other}`");
            let finding = findings.error("two-kinds", &extra.key_at, message);
            finding.fix("make them two signers, and permit both");
        }
    }
    if let Some(oidc) = section.get("buildkiteOidc") {
        return buildkite_oidc(oidc, around, findings).map(SignerKind::BuildkiteOidc);
    }
    if let Some(sigstore) = section.get("sigstore") {
        return self::sigstore(sigstore, around, findings).map(SignerKind::Sigstore);
    }
    if let Some(webhook) = section.get("buildkiteWebhook") {
        return buildkite_webhook(webhook, around, findings).map(SignerKind::BuildkiteWebhook);
    }
    let Some(key) = section.get("publicKey") else {
        let fix = "say what proves the signer: `publicKey: keys/release.pem`, or for Buildkite's own token \
                   `buildkiteOidc: { organization: …, forkBuilds: disabled }`";
        section.need("publicKey", fix, findings);
        return None;
    };
    let scheme = section.get("scheme");
    let word = scheme.map(|it| scalar::choice(it, SCHEMES, findings));
    let word = match word {
        Some(read) => Some(Scheme::parse(read?).ok()?),
        None => None,
    };
    let pem = pem(key, around.files, findings)?;
    match PublicKey::from_pem(&pem, word) {
        Ok(key) => Some(SignerKind::PublicKey(key)),
        Err(error) => {
            let at = match (&error, scheme) {
                (TrustError::SchemeMismatch { .. }, Some(scheme)) => &scheme.value.at,
                _ => &key.value.at,
            };
            findings.error("bad-key", at, error.to_string());
            None
        }
    }
}

/// `forkBuilds`, which nobody but the operator can know.
fn fork_builds(section: &Section, findings: &mut Findings) -> Option<ForkBuilds> {
    let fix = "write `forkBuilds: disabled` if these pipelines build no third-party forks, or prefix their branches, \
               else `forkBuilds: enabled`: a fork can call its branch main, and no token says so";
    let forks = section.need("forkBuilds", fix, findings)?;
    let enabled = scalar::choice(forks, &["disabled", "enabled"], findings)? == "enabled";
    Some(if enabled { ForkBuilds::Enabled } else { ForkBuilds::Disabled })
}

fn sigstore(member: &Member, around: &Around, findings: &mut Findings) -> Option<Sigstore> {
    let section = Section::open("sigstore", SIGSTORE_KEYS, &member.value, &member.key_at, findings)?;
    let organization = section.need("organization", "name the organization's slug", findings);
    let organization = organization.and_then(|it| scalar::text(it, findings));
    let forks = fork_builds(&section, findings);
    let trusted_root = if let Some(file) = section.get("trustedRoot") {
        trusted_root(file, around.files, findings)
    } else {
        let message = format!(
            "no `trustedRoot` is given, so Sigstore's public-good root as of {} is used; it lacks what came later",
            TrustedRoot::PUBLIC_GOOD_DATE
        );
        let finding = findings.warning("embedded-trusted-root", &member.key_at, message);
        finding.fix(
            "keep today's `trusted_root.json` beside this file, name it here, and renew it now and then",
        );
        Some(TrustedRoot::public_good())
    };
    Some(Sigstore {
        organization: organization?.to_owned(),
        trusted_root: trusted_root?,
        fork_builds: forks?,
    })
}

fn trusted_root(member: &Member, files: &dyn Files, findings: &mut Findings) -> Option<TrustedRoot> {
    let path = scalar::path(member, findings)?;
    let json = text_file(member, path, "a Sigstore trusted root", files, findings)?;
    TrustedRoot::from_json(&json)
        .map_err(|error| {
            let finding = findings.error("bad-trusted-root", &member.value.at, error.to_string());
            finding.fix("take `trusted_root.json` from your Sigstore instance, or from a client's cache");
        })
        .ok()
}

fn buildkite_oidc(member: &Member, around: &Around, findings: &mut Findings) -> Option<BuildkiteOidc> {
    let section = Section::open("buildkiteOidc", OIDC_KEYS, &member.value, &member.key_at, findings)?;
    let organization = section.need("organization", "name the organization's slug", findings);
    let organization = organization.and_then(|it| scalar::text(it, findings));
    let fork_builds = fork_builds(&section, findings);
    let mut pin = |key| match section.get(key) {
        Some(member) => scalar::text(member, findings).map(|text| Some(text.to_owned())),
        None => Some(None),
    };
    let (organization_id, cluster, queue) = (pin("organizationId"), pin("cluster"), pin("queue"));
    let pipeline_ids = match section.get("pipelineIds") {
        Some(member) => scalar::texts(member, findings)
            .map(|texts| Some(texts.into_iter().map(|(text, _)| text.to_owned()).collect())),
        None => Some(None),
    };
    Some(BuildkiteOidc {
        audience: around.audience?.to_owned(),
        organization: organization?.to_owned(),
        organization_id: organization_id?,
        pipeline_ids: pipeline_ids?,
        cluster: cluster?,
        queue: queue?,
        fork_builds: fork_builds?,
    })
}

fn buildkite_webhook(member: &Member, around: &Around, findings: &mut Findings) -> Option<BuildkiteWebhook> {
    let section = Section::open("buildkiteWebhook", WEBHOOK_KEYS, &member.value, &member.key_at, findings)?;
    let organization_member = section.need("organization", "name the organization's slug", findings)?;
    let organization = scalar::text(organization_member, findings)?;
    let message = "`buildkiteWebhook` is the weakest signer: it proves the build, and the artifact is the word of any job \
                   in the build's cluster";
    let fix = "use it for first steps; `buildkiteOidc` needs nothing to keep either, and binds the artifact to the job";
    findings.warning("weakest-signer", &member.key_at, message).fix(fix);
    if !around.takes_builds {
        let message = "events of this signer are made of Buildkite's webhooks, and nothing lets these in";
        let fix = "add `ingress.builds` and `buildkite: { organization: …, webhookSecretEnv: … }`";
        findings.error("no-build-facts", &member.key_at, message).fix(fix);
        return None;
    }
    if let Some(buildkite) = around.buildkite
        && buildkite.organization != organization
    {
        let message = format!(
            "expected the organization {} of `buildkite`, whose webhooks alone are believed, found `{organization}`",
            buildkite.organization
        );
        findings.error("foreign-organization", &organization_member.value.at, message);
        return None;
    }
    Some(BuildkiteWebhook { organization: organization.to_owned() })
}

/// The key's PEM: inline, or a file beside this one.
fn pem(member: &Member, files: &dyn Files, findings: &mut Findings) -> Option<String> {
    let text = scalar::text(member, findings)?;
    if text.contains("-----BEGIN") {
        return Some(text.to_owned());
    }
    let path = scalar::path(member, findings)?;
    text_file(member, path, "a public key", files, findings)
}

fn text_file(
    member: &Member,
    path: &str,
    what: &str,
    files: &dyn Files,
    findings: &mut Findings,
) -> Option<String> {
    let read =
        files.read(path).and_then(|bytes| String::from_utf8(bytes).map_err(|_| "it is not text".to_owned()));
    read.map_err(|why| {
        let message = format!("expected {what} in `{path}`, which cannot be read: {why}");
        findings.error("unreadable-file", &member.value.at, message);
    })
    .ok()
}

fn pipelines(member: &Member, findings: &mut Findings) -> Option<PatternList> {
    let texts = scalar::texts(member, findings)?;
    match PatternList::parse(texts.iter().map(|(text, _)| *text), Wildcards::Name) {
        Ok(list) => Some(list),
        Err(error) => {
            findings.error("bad-pattern", &member.value.at, error.to_string());
            None
        }
    }
}

/// A date (its first instant, UTC) or RFC 3339.
fn instant(section: &Section, key: &'static str, findings: &mut Findings) -> Option<Timestamp> {
    let member = section.get(key)?;
    let text = scalar::text(member, findings)?;
    let instant = Timestamp::parse(text).or_else(|| Timestamp::parse(&format!("{text}T00:00:00Z")));
    if instant.is_none() {
        let message = format!("expected a date or an RFC 3339 time for `{key}`, found `{text}`");
        findings.error("bad-time", &member.value.at, message).fix("write 2027-03-01 or 2027-03-01T12:00:00Z");
    }
    instant
}

fn is_id(text: &str) -> bool {
    text.len() <= 63 && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
}
