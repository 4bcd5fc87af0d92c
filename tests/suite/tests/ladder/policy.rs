//! What the trigger asks for: its clauses, its requirements, its parameters.

use launchgate_outcome::Reason as R;
use launchgate_statement::PAYLOAD_TYPE;
use launchgate_suite::now;
use serde_json::{Value, json};

use super::{
    case::{Case, refused},
    hold,
};

const STARTED: &str = "/predicate/runDetails/metadata/startedOn";
const SOURCE: &str = "/predicate/buildDefinition/internalParameters/buildkite/source";
const REPOSITORY: &str = "/predicate/buildDefinition/externalParameters/repository";

/// Each clause of `match`, asking for something else.
fn clauses() -> Vec<Case> {
    let clause = |rung: &'static str, value: &str| {
        let (_, name) = rung.rsplit_once(['.', '/']).unwrap();
        refused(R::NoTriggerMatches, rung, format!("another {name}"))
            .file(&format!("/triggers/0/match/{name}"), value)
    };
    vec![
        clause("retrain/match.organization", "umbrella"),
        clause("retrain/match.pipeline", "fraud-score"),
        clause("retrain/match.branch", "release"),
        clause("retrain/match.tag", "v2"),
        clause("retrain/match.step", "test"),
        clause("retrain/match.artifact", "us-docker.pkg.dev/acme/other/**"),
        clause("retrain/when", "artifact.annotations.kind == \"wheel\""),
        refused(R::WhenError, "when", "a `when` without a value")
            .file("/triggers/0/match/when", "artifact.annotations.absent == 1"),
    ]
}

fn requirements() -> Vec<Case> {
    let hour = 3_600_000_000;
    let at = |hours: i64| now().plus_micros(hours * hour).to_string();
    vec![
        refused(R::SignerNotPermitted, "require.signers", "a key that is not permitted")
            .envelope(|envelope, keys| keys.second.envelope(PAYLOAD_TYPE, &envelope.payload).unwrap()),
        refused(R::ThresholdNotMet, "require.signers", "one signature of two")
            .file("/triggers/0/require/signers/atLeast", 2),
        refused(R::ThresholdNotMet, "require.signers", "one key that signed twice")
            .file("/triggers/0/require/signers/atLeast", 2)
            .envelope(|mut envelope, _| {
                envelope.signatures.push(envelope.signatures[0].clone());
                envelope
            }),
        refused(R::SourceNotAllowed, "require.sources", "a build started by hand").statement(SOURCE, "ui"),
        refused(R::RepositoryNotAllowed, "require.repository", "another repository")
            .file("/triggers/0/require/repository", "https://github.com/acme/other"),
        refused(R::FactNotVouched, "require.repository", "a repository that no signer proves")
            .by_token()
            .statement(REPOSITORY, "https://github.com/acme/fraud-train")
            .file("/triggers/0/require/repository", "https://github.com/acme/fraud-train"),
        refused(R::ArtifactNotCheckable, "require.artifact", "an image by a tag")
            .file("/triggers/0/require/artifact", "exists")
            .statement("/subject/0/uri", "us-docker.pkg.dev/acme/ml/fraud-train:v1"),
        refused(R::TooOld, "require.maxAge", "a build of yesterday").statement(STARTED, at(-25)),
        refused(R::TimeInFuture, "require.maxAge", "a build of the next hour").statement(STARTED, at(1)),
        refused(R::NoTime, "require.maxAge", "no time").statement(STARTED, Value::Null),
        refused(R::TooOld, "require.maxAge", "a token older than allowed")
            .by_token()
            .file("/triggers/0/require/maxAge", "1m")
            .claims(|mut claims| {
                let issued = claims["iat"].as_i64().unwrap() - 200;
                (claims["iat"], claims["nbf"]) = (issued.into(), issued.into());
                claims
            }),
    ]
}

fn parameters() -> Vec<Case> {
    let value = |name: &str| format!("/triggers/0/launch/pipelineJob/runtimeConfig/parameterValues/{name}");
    let annotations = |members: Value| {
        ("/subject/0/annotations", {
            let mut all = json!({"kind": "container"});
            all.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
            all
        })
    };
    let label = "/triggers/0/launch/pipelineJob/labels/team";
    let with = |case: Case, members: Value| {
        let (place, members) = annotations(members);
        case.statement(place, members)
    };
    vec![
        refused(R::ExpressionError, "parameters", "an annotation that is absent")
            .file(&value("note"), "${artifact.annotations.absent}"),
        with(
            refused(R::MissingParameter, "parameters", "a null for what is required")
                .file(&value("base_model_uri"), "${artifact.annotations.base}"),
            json!({"base": null}),
        ),
        with(
            refused(R::ParameterType, "parameters", "text for a number")
                .file(&value("epochs"), "${artifact.annotations.epochs}"),
            json!({"epochs": "three"}),
        ),
        with(
            refused(R::LabelValue, "plan", "an upper-case label").file(label, "${artifact.annotations.team}"),
            json!({"team": "Fraud"}),
        ),
        with(
            refused(R::FieldValue, "plan", "a display name of 200 characters")
                .file("/triggers/0/launch/pipelineJob/displayName", "${artifact.annotations.title}"),
            json!({"title": "x".repeat(200)}),
        ),
    ]
}

pub(super) fn cases() -> Vec<Case> {
    [clauses(), requirements(), parameters()].into_iter().flatten().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clause_that_asks_for_something_else_does_not_match() {
    hold(clauses()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_requirement_that_is_not_met_denies() {
    hold(requirements()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parameter_that_an_event_cannot_give_is_invalid() {
    hold(parameters()).await;
}
