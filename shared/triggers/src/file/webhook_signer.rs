//! What a trigger must ask for that permits the webhook signer.
//!
//! Any job of a build's cluster can write the build's meta-data, so the artifact in them is held down on every other
//! side. Source: DESIGN §3, "buildkiteWebhook".

use launchgate_trust::SignerKind;

use super::{
    findings::Findings,
    node::{Member, Shape},
    signers::SignerList,
};
use crate::{matching::Match, requirements::Requirements};

/// The blocks of a trigger.
pub(super) struct Blocks<'a> {
    pub(super) matching: Option<(&'a Member, &'a Match)>,
    pub(super) require: (&'a Member, &'a Requirements),
}

/// Each safeguard that a trigger leaves out is an error.
pub(super) fn safeguards(blocks: &Blocks, signers: &SignerList, findings: &mut Findings) {
    let (block, require) = blocks.require;
    let by_webhook = |kind: &SignerKind| matches!(kind, SignerKind::BuildkiteWebhook(_));
    let permitted = require.any_of.iter();
    let mut webhooks =
        permitted.filter(|id| signers.get(id.as_str()).is_some_and(|one| by_webhook(&one.kind)));
    let Some(id) = webhooks.next() else { return };
    let mut missing = |at, what: &str, fix: &str| {
        let message =
            format!("the signer `{id}` proves no artifact, so a trigger that permits it needs {what}");
        findings.error("webhook-signer-unguarded", at, message).fix(fix);
    };
    if !require.build_passed {
        let at = block.value.get("build").map_or(&block.key_at, |node| &node.at);
        missing(at, "`build: passed`", "add `build: passed` to `require`");
    }
    let word = block.value.get("artifact").map(|node| &node.shape);
    if !matches!(word, Some(Shape::Text(word)) if word == "exists" || word == "content") {
        let at = block.value.get("artifact").map_or(&block.key_at, |node| &node.at);
        missing(at, "`artifact: exists` or `content`", "add `artifact: exists` to `require`");
    }
    if require.trusts_cluster.is_none() {
        let fix =
            "add `trustsCluster: ID` to `require`: the cluster whose every job you trust with this trigger";
        missing(&block.key_at, "`trustsCluster`", fix);
    }
    if let Some((block, matching)) = blocks.matching
        && !matching.artifact.as_ref().is_some_and(crate::matching::ArtifactPatterns::holds_immutable_places)
    {
        let at = block.value.get("artifact").map_or(&block.key_at, |node| &node.at);
        let what = "a `match.artifact` that names a literal place and a digest or generation";
        let fix = "write `artifact: REGION-docker.pkg.dev/PROJECT/REPOSITORY/IMAGE@*` or `gs://BUCKET/FOLDER/*#*` in \
                   `match`";
        missing(at, what, fix);
    }
}
