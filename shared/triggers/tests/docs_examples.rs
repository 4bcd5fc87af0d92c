//! The YAML in the documents is what the program reads.
//!
//! A fenced `yaml` block whose first line is `# lint: ok` loads without a finding; `# lint: CODE` has an error of
//! that code and no other. With `triggers` after it the block is a list of triggers, put under a common head.
//! The files it names are those of `tests/examples/retrain-on-image-push`.

use std::{fs, path::PathBuf};

use launchgate_statement::Timestamp;
use launchgate_triggers::{Files, Loaded, Overrides, Severity, lint, load, render};

const HEAD: &str = "\
apiVersion: launchgate/v1
service: { audience: launchgate-docs }
vertex: { project: acme-ml, location: us-central1, pipelineRoot: gs://acme-pipelines/root }
signers:
  - { id: release, publicKey: keys/release.pem }
triggers:
";

#[test]
fn every_marked_example_of_the_triggers_reference_is_what_it_says() {
    let blocks = blocks("docs/triggers.md");
    assert!(blocks.len() >= 8, "the reference lost its examples: {}", blocks.len());

    for block in blocks {
        block.check();
    }
}

#[test]
fn every_marked_example_of_the_readme_is_what_it_says() {
    for block in blocks("README.md") {
        block.check();
    }
}

#[test]
fn the_example_on_disk_lints_without_a_warning() {
    let path = example().join("launchgate.yaml");
    let text = fs::read_to_string(&path).expect("the example is part of the checkout");

    let Loaded { config, findings } = load("launchgate.yaml", &text, &Example, &Overrides::default());

    assert!(findings.is_empty(), "{}", render(&text, &findings));
    let remarks = lint(&config.expect("no finding is an error"), Timestamp::from_seconds(0));
    assert!(remarks.is_empty(), "{}", render(&text, &remarks));
}

/// A marked block.
struct Block {
    /// Where it stands, for messages.
    place: String,
    /// `ok` or the code of an error.
    expected: String,
    /// The file it stands for.
    text: String,
}

impl Block {
    fn check(&self) {
        let Loaded { config, findings } = load(&self.place, &self.text, &Example, &Overrides::default());
        let codes: Vec<_> =
            findings.iter().filter(|it| it.severity == Severity::Error).map(|it| it.code).collect();
        let shown = render(&self.text, &findings);
        if self.expected == "ok" {
            assert!(config.is_some() && findings.is_empty(), "{}\n{shown}", self.place);
        } else {
            assert!(
                !codes.is_empty() && codes.iter().all(|code| *code == self.expected),
                "{}: expected {}\n{shown}",
                self.place,
                self.expected
            );
        }
    }
}

/// The marked blocks of a document.
fn blocks(document: &str) -> Vec<Block> {
    let path = root().join(document);
    let text = fs::read_to_string(&path).expect("the document is part of the checkout");
    let mut blocks = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        if line != "```yaml" {
            continue;
        }
        let body: Vec<_> = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```").collect();
        let Some(mark) = body.first().and_then(|first| first.strip_prefix("# lint: ")) else { continue };
        let (expected, of_triggers) =
            mark.strip_suffix(" triggers").map_or((mark, false), |code| (code, true));
        let head = if of_triggers { HEAD } else { "" };
        blocks.push(Block {
            place: format!("{document}:{}", number + 1),
            expected: expected.to_owned(),
            text: format!("{head}{}\n", body.join("\n")),
        });
    }
    blocks
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn example() -> PathBuf {
    root().join("tests/examples/retrain-on-image-push")
}

/// The files beside the example.
struct Example;

impl Files for Example {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        fs::read(example().join(path)).map_err(|error| error.to_string())
    }
}
