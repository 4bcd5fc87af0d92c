//! Templates that lie elsewhere, as `load` takes them from whoever fetched them.

use launchgate_outcome::{Outcome, Reason};
use launchgate_statement::Sha256;
use launchgate_triggers::{
    DecideOptions, Files, Finding, Loaded, Overrides, Remote, RemoteTemplate, Severity, decide, load,
};
use serde_json::Value;

use crate::{
    an_event::{an_event, published},
    the_file::{Folder, TEMPLATE, edited},
};

const OBJECT: &str = "gs://acme-pipelines/retrain.yaml";
const PACKAGE: &str = "https://us-kfp.pkg.dev/acme-ml/pipelines/retrain/sha256:\
                       4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f";

/// The folder, and one answer for whatever lies elsewhere.
struct Fetched(Folder, Remote);

impl Files for Fetched {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        self.0.read(path)
    }

    fn remote(&self, template: &RemoteTemplate) -> Remote {
        assert_eq!(template.sha256, Sha256::of(TEMPLATE.as_bytes()));
        self.1.clone()
    }
}

/// The file with its template elsewhere, and more members of the job.
fn naming(address: &str, more: &str) -> String {
    let digest = Sha256::of(TEMPLATE.as_bytes());
    edited("pipelines/retrain.yaml\n", &format!("{address}\n        templateSha256: {digest}\n{more}"))
}

fn loaded(file: &str, remote: Remote) -> Loaded {
    load("launchgate.yaml", file, &Fetched(Folder::new(), remote), &Overrides::default())
}

fn body(file: &str) -> Value {
    let config = loaded(file, Remote::Fetched(TEMPLATE.into())).config.unwrap();
    let decisions = decide(&config, &an_event().verified(&config), published(), DecideOptions::default());
    serde_json::from_str(&decisions.decisions[0].verdict.plan().unwrap().request().body).unwrap()
}

fn codes(findings: &[Finding]) -> Vec<&'static str> {
    findings.iter().map(|finding| finding.code).collect()
}

#[test]
fn the_spec_is_sent_and_a_registry_is_named_with_it() {
    let (object, package) = (body(&naming(OBJECT, "")), body(&naming(PACKAGE, "")));

    assert_eq!(object["pipelineSpec"]["pipelineInfo"]["name"], "retrain");
    assert_eq!(object["pipelineSpec"], package["pipelineSpec"]);
    assert_eq!((object.get("templateUri"), package["templateUri"].as_str()), (None, Some(PACKAGE)));
    assert!(package.get("template").is_none() && package.get("templateSha256").is_none());
}

#[test]
fn a_template_uri_in_the_file_must_be_the_templates_own() {
    let given = |uri: &str| naming(PACKAGE, &format!("        templateUri: {uri}\n"));

    assert_eq!(body(&given(PACKAGE))["templateUri"], PACKAGE);
    let other = loaded(&given("https://us-kfp.pkg.dev/acme-ml/p/x/v1"), Remote::Fetched(TEMPLATE.into()));
    assert_eq!(codes(&other.findings), ["template-uri"]);
}

#[test]
fn what_differs_from_the_reviewed_digest_is_not_even_read() {
    let other = loaded(&naming(OBJECT, ""), Remote::Fetched(b"a: [".to_vec()));

    assert_eq!(codes(&other.findings), ["template-digest"]);
    let message = &other.findings[0].message;
    for said in [OBJECT, "4 bytes", &Sha256::of(b"a: [").to_hex()] {
        assert!(message.contains(said), "{message}");
    }
    assert_eq!(other.findings[0].place.as_ref().unwrap().column, 25);
}

#[test]
fn a_template_that_nobody_looked_at_is_a_warning_and_can_never_launch() {
    let file = naming(OBJECT, "");
    let unseen = loaded(&file, Remote::NotLooked("no network".to_owned()));
    assert_eq!(codes(&unseen.findings), ["template-not-looked-at"]);
    assert_eq!(unseen.findings[0].severity, Severity::Warning);

    let config = unseen.config.unwrap();
    let decisions = decide(&config, &an_event().verified(&config), published(), DecideOptions::default());

    let verdict = &decisions.decisions[0].verdict;
    assert_eq!(verdict.outcome(), Outcome::InvalidParameters, "{verdict:?}");
    assert_eq!(verdict.reason(), Some(Reason::FieldValue));
    assert!(verdict.plan().is_none());
}

#[test]
fn other_faults_of_the_trigger_are_found_without_the_template() {
    let file = naming(OBJECT, "").replace("labels: {", "network: 7\n        labels: {");
    let unseen = loaded(&file, Remote::NotLooked("no network".to_owned()));

    assert!(codes(&unseen.findings).contains(&"launch-body"), "{:?}", unseen.findings);
}

#[test]
fn why_a_template_cannot_be_had_is_shown_with_what_to_do() {
    let failed = Remote::Failed { why: "HTTP 403".to_owned(), fix: Some("gcloud …".to_owned()) };
    let failed = loaded(&naming(OBJECT, ""), failed);

    assert_eq!(codes(&failed.findings), ["template-unavailable"]);
    assert!(failed.findings[0].message.contains("HTTP 403"));
    assert_eq!(failed.findings[0].fix.as_deref(), Some("gcloud …"));
}

#[test]
fn a_files_reader_that_fetches_nothing_refuses() {
    let here = load("launchgate.yaml", &naming(OBJECT, ""), &Folder::new(), &Overrides::default());

    assert_eq!(codes(&here.findings), ["template-unavailable"]);
}
