//! The statement.

use launchgate_outcome::{Outcome, Reason};
use launchgate_statement::{FactName, Statement, StatementError, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{a_statement, with};

const BUILD: &str = "/predicate/buildDefinition/externalParameters/build";
const EXTERNAL: &str = "/predicate/buildDefinition/externalParameters";
const BUILDKITE: &str = "/predicate/buildDefinition/internalParameters/buildkite";
const SOURCES: &str = "/predicate/buildDefinition/resolvedDependencies";
const METADATA: &str = "/predicate/runDetails/metadata";

fn parse(value: &Value) -> Result<Statement, StatementError> {
    Statement::parse(value.to_string().as_bytes())
}

fn refused(value: &Value) -> Reason {
    let error = parse(value).expect_err(&value.to_string());
    assert_eq!(error.reason.outcome(), Outcome::RejectedStatement);
    error.reason
}

fn changed(pointer: &str, new: Value) -> Value {
    with(a_statement(), pointer, Some(new))
}

#[test]
fn a_statement_says_what_it_says() {
    let statement = parse(&a_statement()).unwrap();

    let said: Vec<_> = FactName::ALL
        .into_iter()
        .filter_map(|name| statement.build.fact(name).map(|fact| format!("{}={fact}", name.as_str())))
        .collect();
    assert_eq!(
        said,
        [
            "organization=acme",
            "pipeline=fraud-train",
            "number=42",
            "branch=main",
            "commit=d18aac96b905b4b3c839891b7a91c9414149514c",
            "step=build",
            "job=0184990a-477b-4fa8-9968-496074483cee",
            "source=webhook",
            "runner=self-hosted",
            "repository=https://github.com/acme/fraud-train.git",
            "creator=ada",
        ]
    );
    assert_eq!(statement.builder, "urn:launchgate:emit:v1");
    assert_eq!(statement.started_on, Timestamp::parse("2026-11-18T11:01:40Z"));
    assert_eq!(Value::Object(statement.predicate), a_statement()["predicate"]);
    let artifact = &statement.artifacts[0];
    assert_eq!(artifact.name, "fraud-train");
    assert_eq!(artifact.kind(), Some("container"));
    assert_eq!(artifact.annotations["size"].as_u64(), Some(9_007_199_254_740_993));
}

#[test]
fn every_member_of_another_type_is_refused() {
    let objects = [
        "/predicate",
        "/predicate/buildDefinition",
        EXTERNAL,
        "/predicate/runDetails",
        "/predicate/runDetails/builder",
        "/subject/0/digest",
    ];
    let optional_objects = [
        BUILD,
        "/predicate/buildDefinition/externalParameters/step",
        "/predicate/buildDefinition/externalParameters/job",
        "/predicate/buildDefinition/internalParameters",
        BUILDKITE,
        METADATA,
        "/predicate/buildDefinition/resolvedDependencies/0/digest",
        "/subject/0/annotations",
    ];
    let texts = [
        "/_type",
        "/predicateType",
        "/predicate/buildDefinition/buildType",
        "/predicate/buildDefinition/externalParameters/pipeline",
        "/predicate/runDetails/builder/id",
        "/subject/0/name",
    ];
    let optional_texts = [
        "/predicate/buildDefinition/externalParameters/repository",
        "/predicate/buildDefinition/externalParameters/build/branch",
        "/predicate/buildDefinition/externalParameters/build/tag",
        "/predicate/buildDefinition/externalParameters/build/commit",
        "/predicate/buildDefinition/externalParameters/step/key",
        "/predicate/buildDefinition/externalParameters/step/command",
        "/predicate/buildDefinition/externalParameters/job/id",
        "/predicate/buildDefinition/internalParameters/buildkite/source",
        "/predicate/buildDefinition/internalParameters/buildkite/runner_environment",
        "/predicate/buildDefinition/internalParameters/buildkite/creator",
        "/predicate/buildDefinition/internalParameters/buildkite/pull_request",
        "/predicate/buildDefinition/resolvedDependencies/0/uri",
        "/predicate/buildDefinition/resolvedDependencies/0/digest/gitCommit",
        "/predicate/runDetails/metadata/invocationId",
        "/predicate/runDetails/metadata/startedOn",
        "/subject/0/uri",
        "/subject/0/mediaType",
    ];
    for pointer in objects.iter().chain(&optional_objects) {
        for wrong in [json!("x"), json!(5), json!(true), json!([])] {
            assert_eq!(refused(&changed(pointer, wrong)), Reason::StatementShape, "{pointer}");
        }
    }
    for pointer in texts.iter().chain(&optional_texts) {
        for wrong in [json!({}), json!(5), json!(true), json!([])] {
            assert_eq!(refused(&changed(pointer, wrong)), Reason::StatementShape, "{pointer}");
        }
    }
    for pointer in objects.iter().chain(&texts) {
        for absent in [with(a_statement(), pointer, None), changed(pointer, json!(null))] {
            assert_eq!(refused(&absent), Reason::StatementShape, "{pointer}");
        }
    }
    for pointer in texts {
        assert_eq!(refused(&changed(pointer, json!(""))), Reason::StatementShape, "{pointer}");
    }
    for pointer in optional_objects.iter().chain(&optional_texts) {
        let nulled = changed(pointer, json!(null));
        assert!(parse(&nulled).is_ok(), "{pointer}: {:?}", parse(&nulled));
    }
    for pointer in optional_texts {
        assert!(parse(&changed(pointer, json!(""))).is_ok(), "{pointer}");
    }
    for wrong in [json!("x"), json!({}), json!(5)] {
        assert_eq!(refused(&changed("/subject", wrong.clone())), Reason::StatementShape);
        assert_eq!(refused(&changed(SOURCES, wrong)), Reason::StatementShape);
    }
    assert_eq!(refused(&changed("/subject/0", json!("x"))), Reason::StatementShape);
    assert_eq!(refused(&changed(&format!("{SOURCES}/0"), json!("x"))), Reason::StatementShape);
}

#[test]
fn a_message_names_the_whole_path_and_what_was_found() {
    let error =
        parse(&changed("/predicate/buildDefinition/externalParameters/build/branch", json!(5))).unwrap_err();
    assert_eq!(
        error.message,
        "expected `predicate.buildDefinition.externalParameters.build.branch` to be a text, found 5"
    );
}

#[test]
fn the_types_are_the_only_ones() {
    assert_eq!(
        refused(&changed("/_type", json!("https://in-toto.io/Statement/v0.1"))),
        Reason::StatementType
    );
    assert_eq!(
        refused(&changed("/predicateType", json!("https://slsa.dev/provenance/v0.2"))),
        Reason::PredicateType
    );
    let build_type = "/predicate/buildDefinition/buildType";
    assert_eq!(refused(&changed(build_type, json!("https://example.com/x"))), Reason::BuildType);
}

#[test]
fn a_payload_is_one_json_object_that_names_each_member_once() {
    let good = a_statement().to_string();
    let inner_twice = good.replacen("\"branch\":\"main\"", "\"branch\":\"dev\",\"branch\":\"main\"", 1);
    assert_ne!(good, inner_twice);
    for text in [
        String::new(),
        "[]".to_owned(),
        "null".to_owned(),
        format!("{good} x"),
        format!("{good}{good}"),
        inner_twice,
        good.replacen("\"creator\":\"ada\"", "\"creator\":18446744073709551616", 1),
        format!("{},\"x\":{}{}}}", &good[..good.len() - 1], "[".repeat(64), "]".repeat(64)),
    ] {
        let error = Statement::parse(text.as_bytes()).unwrap_err();
        assert_eq!(error.reason, Reason::StatementNotJson, "{}", text.chars().take(60).collect::<String>());
    }
    let invalid: Vec<_> = good.bytes().map(|byte| if byte == b'm' { 0xff } else { byte }).collect();
    assert_eq!(Statement::parse(&invalid).unwrap_err().reason, Reason::StatementNotJson);
}

#[test]
fn one_to_thirty_two_different_subjects_each_with_its_sha256() {
    let subject = |name: &str, sha256: &str| json!({"name": name, "digest": {"sha256": sha256}});
    let many = |count: usize| {
        let subjects: Vec<_> =
            (0..count).map(|index| subject(&format!("a{index}"), &"ab".repeat(32))).collect();
        changed("/subject", json!(subjects))
    };
    assert_eq!(parse(&many(32)).unwrap().artifacts.len(), 32);
    assert_eq!(refused(&many(33)), Reason::NoSubject);
    assert_eq!(refused(&many(0)), Reason::NoSubject);
    assert_eq!(refused(&with(a_statement(), "/subject", None)), Reason::NoSubject);
    assert_eq!(refused(&changed("/subject", json!(null))), Reason::NoSubject);

    let (one, two) = ("ab".repeat(32), "cd".repeat(32));
    let pair = |a: Value, b: Value| changed("/subject", json!([a, b]));
    assert_eq!(refused(&pair(subject("a", &one), subject("a", &one))), Reason::DuplicateSubject);
    assert!(parse(&pair(subject("a", &one), subject("a", &two))).is_ok());
    assert!(parse(&pair(subject("a", &one), subject("b", &one))).is_ok());
    let elsewhere = json!({"name": "a", "digest": {"sha256": one}, "uri": "gs://b/o#1"});
    assert_eq!(refused(&pair(subject("a", &one), elsewhere)), Reason::DuplicateSubject);

    for digest in [
        json!({}),
        json!({"md5": "ab"}),
        json!({"sha256": null}),
        json!({"sha256": 5}),
        json!({"sha256": ""}),
        json!({"sha256": "AB".repeat(32)}),
        json!({"sha256": "ab".repeat(31)}),
        json!({"sha256": "ab".repeat(33)}),
        json!({"sha256": "zz".repeat(32)}),
        json!({"SHA256": "ab".repeat(32)}),
    ] {
        assert_eq!(refused(&changed("/subject/0/digest", digest)), Reason::SubjectDigest);
    }
    let uri = format!("us-docker.pkg.dev/acme/ml/fraud-train@sha256:{one}");
    assert_eq!(refused(&changed("/subject/0/uri", json!(uri))), Reason::SubjectDigest);
}

#[test]
fn a_build_number_is_whole_from_one_as_number_or_text_or_from_the_invocation() {
    let number = format!("{BUILDKITE}/build_number");
    for good in [json!(42), json!("42")] {
        assert_eq!(parse(&changed(&number, good)).unwrap().build.number, Some(42));
    }
    for wrong in [
        json!(0),
        json!("0"),
        json!(-1),
        json!("-1"),
        json!(42.0),
        json!("42.0"),
        json!("042"),
        json!("+42"),
        json!(" 42"),
        json!("4e1"),
        json!("forty"),
        json!(""),
        json!(true),
        json!([42]),
        json!("9223372036854775808"),
        json!(9_223_372_036_854_775_808_u64),
    ] {
        assert_eq!(refused(&changed(&number, wrong.clone())), Reason::StatementShape, "{wrong}");
    }
    let elsewhere = with(a_statement(), &number, None);
    assert_eq!(parse(&elsewhere).unwrap().build.number, Some(42));
    assert_eq!(refused(&with(elsewhere, &format!("{METADATA}/invocationId"), None)), Reason::StatementShape);
}

#[test]
fn a_pipeline_is_one_of_buildkites_addresses() {
    let pipeline = format!("{EXTERNAL}/pipeline");
    for wrong in [
        "https://buildkite.com/acme",
        "https://buildkite.com/acme/fraud-train/",
        "https://buildkite.com/acme/Fraud",
        "https://buildkite.com.evil.example/acme/fraud-train",
        "http://buildkite.com/acme/fraud-train",
        "acme/fraud-train",
    ] {
        assert_eq!(refused(&changed(&pipeline, json!(wrong))), Reason::StatementShape, "{wrong}");
    }
}

#[test]
fn an_invocation_that_says_something_else_is_a_contradiction() {
    let invocation = format!("{METADATA}/invocationId");
    let job = "0184990a-477b-4fa8-9968-496074483cee";
    for other in [
        format!("https://buildkite.com/other/fraud-train/builds/42#{job}"),
        format!("https://buildkite.com/acme/other/builds/42#{job}"),
        format!("https://buildkite.com/acme/fraud-train/builds/43#{job}"),
        "https://buildkite.com/acme/fraud-train/builds/42#other".to_owned(),
    ] {
        assert_eq!(refused(&changed(&invocation, json!(other))), Reason::SelfContradiction, "{other}");
    }
    for shapeless in [
        "x",
        "https://example.com/acme/fraud-train/builds/42",
        "https://buildkite.com/acme/fraud-train/builds/",
    ] {
        assert_eq!(refused(&changed(&invocation, json!(shapeless))), Reason::StatementShape, "{shapeless}");
    }
    let no_job = with(a_statement(), &format!("{EXTERNAL}/job"), None);
    assert_eq!(parse(&no_job).unwrap().build.job.as_deref(), Some(job));
    let jobless = "https://buildkite.com/acme/fraud-train/builds/42";
    assert_eq!(parse(&changed(&invocation, json!(jobless))).unwrap().build.job.as_deref(), Some(job));
}

#[test]
fn a_source_commit_contradicts_only_as_hex_id_of_the_same_repository() {
    let of = |uri: &str, commit: &str| json!({"uri": uri, "digest": {"gitCommit": commit}});
    let (here, other) = ("d18aac96b905b4b3c839891b7a91c9414149514c", "ab".repeat(20));
    let own = "git+https://github.com/acme/fraud-train@refs/heads/main";
    let scp = "git+https://git@github.com:acme/fraud-train@refs/heads/main";
    let submodule = "git+https://github.com/acme/submodule";
    let sources = |list: Value| changed(SOURCES, list);

    for contradicting in [
        json!([of(own, &other)]),
        json!([of(scp, &other)]),
        json!([of(submodule, &other)]),
        json!([of(submodule, &other), of(own, &other)]),
        json!([of(own, here), of(own, &other)]),
        json!([of(submodule, &other), {"digest": {"gitCommit": other}}]),
    ] {
        assert_eq!(refused(&sources(contradicting.clone())), Reason::SelfContradiction, "{contradicting}");
    }
    for agreeing in [
        json!([]),
        json!(null),
        json!([of(own, &here.to_uppercase())]),
        json!([of(own, "HEAD")]),
        json!([of(own, here), of(submodule, &other)]),
        json!([of(own, here), {"uri": "pkg:oci/x", "digest": {"sha256": other}}, {"uri": "x"}]),
    ] {
        assert!(parse(&sources(agreeing.clone())).is_ok(), "{agreeing}");
    }
    let head = changed(&format!("{BUILD}/commit"), json!("HEAD"));
    assert_eq!(parse(&head).unwrap().build.commit.as_deref(), Some("HEAD"));
}

#[test]
fn an_absent_null_or_empty_tag_or_step_means_none() {
    for absent in [None, Some(json!(null)), Some(json!(""))] {
        let statement = with(
            with(a_statement(), &format!("{BUILD}/tag"), absent.clone()),
            &format!("{EXTERNAL}/step/key"),
            absent,
        );
        let build = parse(&statement).unwrap().build;
        assert_eq!((build.tag, build.step), (None, None));
    }
}

#[test]
fn a_start_that_is_no_time_is_refused() {
    for wrong in ["yesterday", "2026-11-18", "2026-11-18T11:01:40", "1795000000"] {
        assert_eq!(
            refused(&changed(&format!("{METADATA}/startedOn"), json!(wrong))),
            Reason::StatementShape,
            "{wrong}"
        );
    }
    assert_eq!(parse(&with(a_statement(), METADATA, None)).unwrap().started_on, None);
}

proptest! {
    #[test]
    fn a_changed_byte_never_panics(at in any::<prop::sample::Index>(), new in any::<u8>()) {
        let mut text = a_statement().to_string().into_bytes();
        let at = at.index(text.len());
        text[at] = new;
        let _ = Statement::parse(&text);
    }
}

#[test]
fn the_builds_own_repository_is_told_among_others_however_its_address_is_written() {
    let ours = [
        "git+https://github.com/acme/fraud-train@refs/heads/main",
        "git+https://github.com/acme/fraud-train@main",
        "git+https://git@github.com/acme/fraud-train",
        "git+ssh://git@github.com/acme/fraud-train.git@v1",
    ];
    let other =
        json!({"uri": "git+https://github.com/acme/tools@main", "digest": {"gitCommit": "ab".repeat(20)}});
    for uri in ours {
        let with_commit = |commit: &str| {
            let own = json!({"uri": uri, "digest": {"gitCommit": commit}});
            changed(SOURCES, json!([other, own]))
        };
        assert_eq!(refused(&with_commit(&"cd".repeat(20))), Reason::SelfContradiction, "{uri}");
        assert!(parse(&with_commit("d18aac96b905b4b3c839891b7a91c9414149514c")).is_ok(), "{uri}");
    }
}

#[test]
fn an_artifacts_digest_is_written_as_oci_writes_digests() {
    let statement = parse(&a_statement()).unwrap();
    let artifact = &statement.artifacts[0];
    assert_eq!(artifact.digest(), format!("sha256:{}", artifact.sha256.to_hex()));
    assert!(artifact.uri.as_ref().unwrap().ends_with(&artifact.digest()));
}
