//! What `emit` writes.

use launchgate_outcome::Reason;
use launchgate_statement::{Artifact, Build, BuildkiteIds, ProvenanceDraft, Sha256, Statement, Timestamp};
use serde_json::{Map, Value, json};

fn a_draft() -> ProvenanceDraft {
    let text = |text: &str| Some(text.to_owned());
    let mut annotations = Map::new();
    annotations.insert("size".to_owned(), json!(u64::MAX));
    annotations.insert("kind".to_owned(), json!("container"));
    ProvenanceDraft {
        build: Build {
            organization: text("acme"),
            pipeline: text("fraud-train"),
            number: Some(42),
            branch: text("main"),
            tag: None,
            commit: text("d18aac96b905b4b3c839891b7a91c9414149514c"),
            step: text("build"),
            job: text("0184990a-477b-4fa8-9968-496074483cee"),
            source: text("webhook"),
            runner: text("self-hosted"),
            repository: text("git@github.com:acme/fraud-train.git"),
            state: None,
            creator: text("ada"),
            pull_request: text("7"),
        },
        artifacts: vec![Artifact {
            name: "fraud-train".to_owned(),
            sha256: Sha256::of(b"artifact"),
            uri: Some(format!("us-docker.pkg.dev/acme/ml/fraud-train@sha256:{}", Sha256::of(b"artifact"))),
            media_type: Some("application/vnd.oci.image.manifest.v1+json".to_owned()),
            annotations,
        }],
        ids: BuildkiteIds { organization: text("o-1"), pipeline: text("p-1"), build: text("b-1") },
        command: text("make image"),
        started_on: Timestamp::parse("2026-11-18T11:01:40Z"),
    }
}

#[test]
fn a_statement_reads_back_as_the_draft_it_was_written_from() {
    let draft = a_draft();

    let statement = Statement::parse(&draft.to_statement().unwrap()).unwrap();

    assert_eq!(statement.build, draft.build);
    assert_eq!(statement.artifacts, draft.artifacts);
    assert_eq!(statement.started_on, draft.started_on);
    assert_eq!(statement.builder, "urn:launchgate:emit:v1");
    let written = &statement.predicate["buildDefinition"]["internalParameters"]["buildkite"];
    for (name, id) in [("organization_id", "o-1"), ("pipeline_id", "p-1"), ("build_id", "b-1")] {
        assert_eq!(written[name], id);
    }
    let sources = &statement.predicate["buildDefinition"]["resolvedDependencies"];
    assert_eq!(sources[0]["uri"], "git+ssh://git@github.com/acme/fraud-train.git@refs/heads/main");
}

#[test]
fn the_source_is_a_uri_however_the_repository_is_written() {
    for (repository, uri) in [
        (
            "https://github.com/acme/fraud-train.git",
            "git+https://github.com/acme/fraud-train.git@refs/heads/main",
        ),
        ("ssh://git@example.com:22/acme/x", "git+ssh://git@example.com:22/acme/x@refs/heads/main"),
        ("git@github.com:acme/x.git", "git+ssh://git@github.com/acme/x.git@refs/heads/main"),
        ("/srv/git/x", "git+/srv/git/x@refs/heads/main"),
    ] {
        let mut draft = a_draft();
        draft.build.repository = Some(repository.to_owned());

        let statement = Statement::parse(&draft.to_statement().unwrap()).unwrap();

        let sources = &statement.predicate["buildDefinition"]["resolvedDependencies"];
        assert_eq!(sources[0]["uri"], uri);
    }
}

#[test]
fn the_same_draft_gives_the_same_bytes_in_a_fixed_order() {
    let mut reordered = a_draft();
    let annotations = std::mem::take(&mut reordered.artifacts[0].annotations);
    reordered.artifacts[0].annotations = annotations.into_iter().rev().collect();

    let bytes = a_draft().to_statement().unwrap();

    assert_eq!(bytes, reordered.to_statement().unwrap());
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.starts_with(
        r#"{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"fraud-train","digest":{"#
    ));
    assert!(text.contains(r#""annotations":{"kind":"container","size":18446744073709551615}"#));
    assert!(text.ends_with(r#""startedOn":"2026-11-18T11:01:40Z"}}}}"#));
}

#[test]
fn a_keyless_draft_holds_no_clock_and_head_is_no_source() {
    let mut draft = a_draft();
    draft.started_on = None;
    draft.build.commit = Some("HEAD".to_owned());

    let statement: Value = serde_json::from_slice(&draft.to_statement().unwrap()).unwrap();

    assert_eq!(statement.pointer("/predicate/runDetails/metadata/startedOn"), None);
    assert_eq!(statement.pointer("/predicate/buildDefinition/resolvedDependencies"), None);
}

#[test]
fn a_draft_that_no_gate_would_take_is_refused_when_written() {
    let broken = |change: fn(&mut ProvenanceDraft)| {
        let mut draft = a_draft();
        change(&mut draft);
        draft.to_statement().unwrap_err().reason
    };
    assert_eq!(broken(|draft| draft.build.organization = None), Reason::StatementShape);
    assert_eq!(broken(|draft| draft.build.pipeline = None), Reason::StatementShape);
    assert_eq!(broken(|draft| draft.build.number = None), Reason::StatementShape);
    assert_eq!(broken(|draft| draft.build.number = Some(0)), Reason::StatementShape);
    assert_eq!(broken(|draft| draft.build.job = None), Reason::StatementShape);
    assert_eq!(broken(|draft| draft.build.pipeline = Some("A B".to_owned())), Reason::StatementShape);
    assert_eq!(broken(|draft| draft.artifacts.clear()), Reason::NoSubject);
    assert_eq!(broken(|draft| draft.artifacts[0].name.clear()), Reason::StatementShape);
    assert_eq!(broken(|draft| draft.artifacts[0].sha256 = Sha256::of(b"other")), Reason::SubjectDigest);
    assert_eq!(
        broken(|draft| draft.artifacts = [draft.artifacts.clone(), draft.artifacts.clone()].concat()),
        Reason::DuplicateSubject
    );
}
