//! Files that are accepted, and what is read from them.

use launchgate_triggers::{LaunchKind, LedgerChoice, Mode, Overrides, PushAuth, Severity, load, render};
use launchgate_trust::{BuildkiteOidc, ForkBuilds, SignerKind, Sigstore, TrustedRoot};

use crate::the_file::{Folder, RELEASE, YAML, config, edited, load_text};

const MINIMUM: &str = "\
apiVersion: launchgate/v1
service: {audience: launchgate-prod}
vertex: {project: acme-ml, location: us-central1}
signers: [{id: release-key, publicKey: keys/release.pem}]
triggers:
  - name: train
    match: {pipeline: fraud-train}
    require: {signers: {anyOf: release-key}}
    launch: {customJob: {jobSpec: {workerPoolSpecs: [{replicaCount: '1'}]}}}
";

#[test]
fn the_whole_file_is_read() {
    let config = config(YAML);
    assert_eq!(config.service.audience, "launchgate-prod");
    assert_eq!(config.vertex.call_timeout_seconds, 20);
    let events = config.ingress.events.as_ref().unwrap();
    assert!(matches!(&events.auth, PushAuth::Oidc(identity) if identity.email.starts_with("pubsub-push@")));
    assert_eq!(events.subscription.as_deref(), Some("projects/acme-ml/subscriptions/launchgate-events"));
    assert!(matches!(config.ingress.sweep.as_ref().unwrap().auth, PushAuth::None));
    let Some(LedgerChoice::Sqlite { path, ephemeral_disk_allowed }) = &config.ledger else { panic!() };
    assert_eq!((path.as_str(), *ephemeral_disk_allowed), ("./data/launchgate.db", false));
    assert_eq!(config.failures.as_ref().unwrap().topic, "projects/acme-ml/topics/launchgate-failures");
    assert_eq!(config.buildkite.as_ref().unwrap().organization, "acme");
    let key = config.signers.iter().next().unwrap();
    assert_eq!(key.not_after.unwrap().to_string(), "2027-03-01T00:00:00Z");
    assert_eq!(config.trigger("retrain-fraud").unwrap().mode, Mode::Enforce);
    assert!(config.trigger("other").is_none());
}

#[test]
fn the_minimum_is_enough() {
    let config = config(MINIMUM);
    assert!(config.ledger.is_none() && config.ingress.events.is_none());
    assert_eq!(config.vertex.call_timeout_seconds, 20);
}

#[test]
fn a_file_written_as_json_works_with_escapes_and_all() {
    let json = r#"{"apiVersion": "launchgate/v1", "service": {"audience": "launchgate-prod"},
        "vertex": {"project": "acme-ml", "location": "us-central1"},
        "signers": [{"id": "release-key", "publicKey": "keys\/release.pem"}],
        "triggers": [{"name": "train", "match": {"pipeline": "fraud-train"},
          "require": {"signers": {"anyOf": ["release-key"]}},
          "launch": {"customJob": {"displayName": "gr\u00f6\u00dfe \ud83d\ude00\t\"x\"", "jobSpec": {"workerPoolSpecs": [{"replicaCount": "1"}]}}}}]}"#;
    config(json);
}

#[test]
fn an_inline_key_works() {
    let pem = RELEASE.public_pem().trim_end().replace('\n', "\n      ");
    config(&edited("keys/second.pem", &format!("|\n      {pem}")));
}

#[test]
fn a_keyless_signer_is_read_with_its_pins_and_bound_to_the_services_audience() {
    let oidc = "buildkiteOidc: { organization: acme, organizationId: o-1, pipelineIds: p-1, cluster: c-1, queue: gpu, \
                forkBuilds: disabled }";
    let config = config(&edited("publicKey: keys/second.pem", oidc));

    let signer = config.signers.iter().nth(1).unwrap();
    let text = |text: &str| Some(text.to_owned());
    let expected = BuildkiteOidc {
        audience: "launchgate-prod".to_owned(),
        organization: "acme".to_owned(),
        organization_id: text("o-1"),
        pipeline_ids: Some(vec!["p-1".to_owned()]),
        cluster: text("c-1"),
        queue: text("gpu"),
        fork_builds: ForkBuilds::Disabled,
    };
    assert_eq!(signer.kind, SignerKind::BuildkiteOidc(expected));
    assert!(config.signers.need_buildkite_keys());
    // A key beside it vouches for the repository, which a token does not.
    assert!(config.trigger("retrain-fraud").is_some());
}

#[test]
fn a_sigstore_signer_without_a_root_of_its_own_has_the_embedded_one_and_a_warning() {
    let loaded = load_text(&edited(
        "publicKey: keys/second.pem",
        "sigstore: { organization: acme, forkBuilds: disabled }",
    ));

    let config = loaded.config.unwrap();
    let expected = Sigstore {
        organization: "acme".to_owned(),
        trusted_root: TrustedRoot::public_good(),
        fork_builds: ForkBuilds::Disabled,
    };
    assert_eq!(config.signers.iter().nth(1).unwrap().kind, SignerKind::Sigstore(expected));
    assert!(!config.signers.need_buildkite_keys());
    let codes: Vec<_> = loaded.findings.iter().map(|finding| finding.code).collect();
    assert_eq!(codes, ["embedded-trusted-root"]);
}

#[test]
fn neutral_values_of_later_rules_pass() {
    let rules = "mode: enforce\n    oncePer: event\n    order: any\n    onAmbiguous: hold";
    let file = edited("mode: enforce", rules).replace(
        "maxAge: 24h",
        "maxAge: 7d\n      pullRequest: any\n      artifact: none\n      build: none",
    );
    config(&file);
}

#[test]
fn every_launch_kind_is_compiled() {
    let kinds = [
        ("customJob: {jobSpec: {workerPoolSpecs: [{replicaCount: '1'}]}}", "customJobs"),
        (
            "hyperparameterTuningJob: {maxTrialCount: 2, parallelTrialCount: 1, studySpec: {metrics: [{metricId: m, goal: MAXIMIZE}], parameters: [{parameterId: p, discreteValueSpec: {values: [1]}}]}, trialJobSpec: {workerPoolSpecs: [{replicaCount: '1'}]}}",
            "hyperparameterTuningJobs",
        ),
        (
            "batchPredictionJob: {model: projects/p/locations/l/models/1, inputConfig: {instancesFormat: jsonl, gcsSource: {uris: [gs://a/b]}}, outputConfig: {predictionsFormat: jsonl, gcsDestination: {outputUriPrefix: gs://a/c}}}",
            "batchPredictionJobs",
        ),
    ];
    for (body, _) in kinds {
        config(&MINIMUM.replace("customJob: {jobSpec: {workerPoolSpecs: [{replicaCount: '1'}]}}", body));
    }
    assert!(LaunchKind::PipelineJob.has_client_id() && !LaunchKind::BatchPredictionJob.has_client_id());
}

#[test]
fn variables_replace_and_add_values() {
    let vars = [
        ("LAUNCHGATE_SERVICE_AUDIENCE", "other"),
        ("LAUNCHGATE_VERTEX_PIPELINE_ROOT", "gs://other/root"),
        ("LAUNCHGATE_LEDGER_SQLITE", "/var/lib/launchgate.db"),
        ("LAUNCHGATE_INGRESS_EVENTS_AUTH", "none"),
        ("LAUNCHGATE_VERTEX_ENDPOINT", "http://127.0.0.1:1"),
        ("LAUNCHGATE_ROLE", "gate"),
        ("HOME", "/"),
    ];
    let overrides = Overrides::from_vars(vars.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let loaded = load("launchgate.yaml", MINIMUM, &Folder::new(), &overrides);
    assert_eq!(loaded.findings, []);
    let config = loaded.config.unwrap();
    assert_eq!(config.service.audience, "other");
    assert_eq!(config.vertex.pipeline_root.as_deref(), Some("gs://other/root"));
    assert!(
        matches!(config.ledger, Some(LedgerChoice::Sqlite { path, .. }) if path == "/var/lib/launchgate.db")
    );
    assert!(matches!(config.ingress.events.unwrap().auth, PushAuth::None));
}

#[test]
fn a_bad_value_of_a_variable_is_blamed_on_it_and_an_unknown_one_is_only_a_warning() {
    let vars = [("LAUNCHGATE_SERVICE_AUDIENCE", "No"), ("LAUNCHGATE_SERVICE_HOST", "10.0.0.1")];
    let overrides = Overrides::from_vars(vars.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let loaded = load("launchgate.yaml", MINIMUM, &Folder::new(), &overrides);
    assert!(loaded.config.is_none());
    let found: Vec<_> = loaded.findings.iter().map(|finding| (finding.code, finding.severity)).collect();
    assert_eq!(found, [("unknown-variable", Severity::Warning), ("bad-audience", Severity::Error)]);
    let text = render(MINIMUM, &loaded.findings);
    assert!(text.contains("(set by LAUNCHGATE_SERVICE_AUDIENCE)"), "{text}");
}

#[test]
fn the_digest_is_of_the_bytes() {
    assert_ne!(config(YAML).digest, config(&format!("{YAML}# note\n")).digest);
}
