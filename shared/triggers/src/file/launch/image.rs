//! Which image a container may run: an image decides what code runs.

use super::Job;
use crate::{file::node::Node, matching::ArtifactPatterns};

impl Job<'_, '_> {
    /// An image decides what code runs, so an event may name it only within a literal repository.
    pub(super) fn image(&mut self, text: &str, node: &Node) {
        let inner = |text: &str| {
            text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')).map(|it| it.trim().to_owned())
        };
        if inner(text).as_deref() == Some("artifact.uri") {
            if !self.around.artifact.is_some_and(ArtifactPatterns::holds_a_repository) {
                let message = "expected a `match.artifact` whose every pattern starts with a literal registry and \
                               repository, since `imageUri: ${artifact.uri}` runs whatever it lets through";
                self.error("image-not-pinned", &node.at, message)
                    .fix("write `artifact: REGION-docker.pkg.dev/PROJECT/REPOSITORY/IMAGE@*` in `match`");
            }
            return;
        }
        let literal = text.split_once('@').is_some_and(|(repository, digest)| {
            inner(digest).as_deref() == Some("artifact.digest") && is_repository(repository)
        });
        if !literal {
            let message = format!(
                "expected `${{artifact.uri}}` or `REGISTRY/REPOSITORY@${{artifact.digest}}` for `imageUri`, found `{text}`"
            );
            self.error("image-expression", &node.at, message)
                .fix("an event may not choose the image in any other way");
        }
    }
}

/// `REGISTRY/REPOSITORY`, complete: a host and a path.
fn is_repository(text: &str) -> bool {
    let plain = text.bytes().all(|b| {
        b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'_' | b'/' | b':')
    });
    plain
        && matches!(text.split_once('/'), Some((host, path)) if host.contains('.') && !path.is_empty() && !path.ends_with('/') && !path.contains(':'))
}
