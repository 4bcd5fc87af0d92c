//! One broken file for each rule; the rendered findings are the snapshots.

use launchgate_triggers::{Finding, Severity, render};

use crate::the_file::{RELEASE, YAML, edited, load_text};

/// Name of the case, what is replaced, by what.
type Case = (&'static str, &'static str, &'static str);

const BROKEN: &[Case] = &[
    // -- the file ----------------------------------------------------------------------------------
    ("api-version", "launchgate/v1", "launchgate/v2"),
    ("api-version-missing", "apiVersion: launchgate/v1\n", ""),
    ("unknown-top-key", "service: {", "servce: {"),
    ("yaml-syntax", "mode: enforce", "mode: [enforce"),
    ("yaml-tab", "    mode: enforce", "\tmode: enforce"),
    ("duplicate-key", "    mode: enforce", "    mode: enforce\n    mode: observe"),
    ("anchor", "mode: enforce", "mode: &anchor enforce"),
    ("merge-key", "    mode: enforce", "    <<: {mode: enforce}"),
    ("unknown-tag", "mode: enforce", "mode: !secret enforce"),
    ("two-documents", "apiVersion: launchgate/v1\n", "apiVersion: launchgate/v1\n---\n"),
    ("number-not-finite", "epochs: 3", "epochs: .nan"),
    ("number-too-big", "epochs: 3", "epochs: 99999999999999999999"),
    // -- service, vertex ---------------------------------------------------------------------------
    ("audience-missing", "audience: launchgate-prod, ", ""),
    ("audience-rule", "launchgate-prod", "Launchgate_Prod"),
    ("service-url", "url: https://launchgate.example.com", "url: launchgate"),
    ("service-type", "{ audience: launchgate-prod, url: https://launchgate.example.com }", "launchgate-prod"),
    ("vertex-project", "project: acme-ml", "project: Acme ML"),
    ("vertex-location", "us-central1", "us-central1/../x"),
    ("vertex-location-missing", "  location: us-central1\n", ""),
    ("vertex-root", "gs://acme-pipelines/root", "s3://acme-pipelines/root"),
    ("vertex-timeout", "callTimeout: 20s", "callTimeout: 20"),
    ("vertex-timeout-long", "callTimeout: 20s", "callTimeout: 1h"),
    // -- ingress, ledger, failures, buildkite ------------------------------------------------------
    ("ingress-auth", "auth: oidc", "auth: basic"),
    ("ingress-cloud-run-iam", "auth: oidc", "auth: cloudRunIam"),
    ("ingress-audience-missing", "    audience: https://launchgate.example.com/pubsub/events\n", ""),
    ("ingress-email", "pubsub-push@acme-ml.iam.gserviceaccount.com", "pubsub-push"),
    ("ingress-email-missing", "    email: pubsub-push@acme-ml.iam.gserviceaccount.com\n", ""),
    ("ingress-subscription", "projects/acme-ml/subscriptions/launchgate-events", "launchgate-events"),
    (
        "ingress-subscription-missing",
        "    subscription: projects/acme-ml/subscriptions/launchgate-events\n",
        "",
    ),
    ("ingress-route-later", "  sweep: { auth: none }", "  deadletters: { auth: none }"),
    ("ingress-replay-attribute", "    auth: oidc", "    auth: oidc\n    replayAttribute: true"),
    ("ledger-leaves-folder", "./data/launchgate.db", "data/../../launchgate.db"),
    ("ledger-absolute", "./data/launchgate.db", "/var/launchgate.db"),
    ("ledger-firestore", "sqlite: ./data/launchgate.db", "firestore: { project: acme-ml }"),
    ("ledger-ephemeral", "./data/launchgate.db }", "./data/launchgate.db, ephemeralDisk: yes }"),
    ("failures-topic", "projects/acme-ml/topics/launchgate-failures", "launchgate-failures"),
    ("buildkite-organization", "organization: acme,", "organization: Acme Inc,"),
    ("buildkite-secret", "BUILDKITE_WEBHOOK_SECRET", "s3cr3t-value"),
    ("service-missing", "service: { audience: launchgate-prod, url: https://launchgate.example.com }\n", ""),
    ("vertex-project-missing", "  project: acme-ml\n", ""),
    ("ingress-auth-missing", "    auth: oidc\n", ""),
    ("ingress-audience-type", "audience: https://launchgate.example.com/pubsub/events", "audience: [a]"),
    ("ingress-unknown-key", "    auth: oidc", "    auth: oidc\n    issuer: google"),
    ("ingress-sweep", "sweep: { auth: none }", "sweep: { auth: oidc }"),
    ("ledger-type", "{ sqlite: ./data/launchgate.db }", "sqlite"),
    ("ledger-sqlite-missing", "{ sqlite: ./data/launchgate.db }", "{ ephemeralDisk: allowed }"),
    ("failures-topic-missing", "{ topic: projects/acme-ml/topics/launchgate-failures }", "{}"),
    ("buildkite-organization-missing", "organization: acme, ", ""),
    ("buildkite-token", "BUILDKITE_API_TOKEN", "bkua_0123"),
    // -- signers -----------------------------------------------------------------------------------
    ("signer-id-missing", "  - id: second-key\n    publicKey", "  - publicKey"),
    ("signer-id-rule", "id: second-key\n", "id: second key\n"),
    ("signer-twice", "id: second-key\n", "id: release-key\n"),
    ("signer-no-kind", "    publicKey: keys/second.pem\n", ""),
    ("signer-key-file", "keys/second.pem", "keys/third.pem"),
    ("signer-key-outside", "keys/second.pem", "../second.pem"),
    ("signer-key-not-pem", "keys/second.pem", "notes.txt"),
    ("signer-scheme", "keys/second.pem", "keys/second.pem\n    scheme: ecdsa-p521"),
    ("signer-scheme-mismatch", "keys/second.pem", "keys/second.pem\n    scheme: ed25519"),
    ("signer-time", "notAfter: 2027-03-01", "notAfter: next year"),
    ("signer-window", "notAfter: 2027-03-01", "notAfter: 2027-03-01\n    notBefore: 2027-03-01T00:00:00Z"),
    ("signer-rotate-after", "notAfter: 2027-03-01", "notBefore: 2026-11-01\n    rotateAfter: 30 days"),
    ("signer-rotate-after-without-start", "notAfter: 2027-03-01", "rotateAfter: 30d"),
    (
        "signer-rotate-after-without-key",
        "publicKey: keys/second.pem",
        "rotateAfter: 30d\n    buildkiteOidc: { organization: acme, forkBuilds: disabled }",
    ),
    ("signer-revoked", "notAfter: 2027-03-01", "revoked: maybe"),
    ("signer-pipelines", "pipelines: [fraud-*]", "pipelines: []"),
    ("signer-pipelines-pattern", "pipelines: [fraud-*]", "pipelines: [\"!\"]"),
    ("signer-builders", "pipelines: [fraud-*]", "builders: [7]"),
    (
        "signer-oidc-forks-enabled",
        "publicKey: keys/second.pem",
        "buildkiteOidc: { organization: acme, forkBuilds: enabled }",
    ),
    ("signer-oidc-forks-unsaid", "publicKey: keys/second.pem", "buildkiteOidc: { organization: acme }"),
    ("signer-oidc-organization", "publicKey: keys/second.pem", "buildkiteOidc: { forkBuilds: disabled }"),
    (
        "signer-oidc-pins",
        "publicKey: keys/second.pem",
        "buildkiteOidc: { organization: acme, forkBuilds: disabled, pipelineIds: [], cluster: 7, claster: x }",
    ),
    (
        "signer-two-kinds",
        "publicKey: keys/second.pem",
        "publicKey: keys/second.pem\n    buildkiteOidc: { organization: acme, forkBuilds: disabled }",
    ),
    (
        "signer-oidc-cannot-vouch",
        "publicKey: keys/release.pem\n    notAfter: 2027-03-01\n    pipelines: [fraud-*]\n  - id: second-key\n    publicKey: keys/second.pem",
        "buildkiteOidc: { organization: acme, forkBuilds: disabled }\n  - id: second-key\n    buildkiteOidc: { organization: acme, queue: gpu, forkBuilds: disabled }",
    ),
    ("signer-sigstore", "publicKey: keys/second.pem", "sigstore: { trustedRoot: keys/release.pem }"),
    (
        "signer-sigstore-missing-root",
        "publicKey: keys/second.pem",
        "sigstore: { organization: acme, trustedRoot: keys/none.json, forkBuilds: enabled }",
    ),
    ("signer-not-before", "notAfter: 2027-03-01", "notBefore: 2026-13-01"),
    ("signer-webhook", "publicKey: keys/second.pem", "buildkiteWebhook: {}"),
    ("signer-unknown-key", "publicKey: keys/second.pem", "public_key: keys/second.pem"),
    // -- triggers ----------------------------------------------------------------------------------
    ("trigger-name-missing", "- name: retrain-fraud\n    match", "- match"),
    ("trigger-name-rule", "name: retrain-fraud", "name: Retrain_Fraud"),
    ("trigger-mode", "mode: enforce", "mode: enforced"),
    ("trigger-once-per", "mode: enforce", "oncePer: comit"),
    ("trigger-order", "mode: enforce", "order: newer"),
    ("trigger-concurrency", "mode: enforce", "concurrency: { key: build.branch, max: 1, whenBusy: queue }"),
    ("trigger-rate", "mode: enforce", "maxLaunchesPerHour: 0"),
    ("trigger-wait-for", "mode: enforce", "waitFor: { build: soon, turn: 24h, biuld: 1h }"),
    ("trigger-on-ambiguous", "mode: enforce", "onAmbiguous: relaunch"),
    ("vertex-impersonate", "callTimeout: 20s", "impersonate: launcher"),
    (
        "trigger-vertex-place",
        "mode: enforce",
        "vertex: { project: Acme, location: europe, pipelineRoot: /tmp }",
    ),
    ("trigger-vertex-impersonate", "mode: enforce", "vertex: { impersonate: someone@example.com }"),
    ("trigger-vertex-key", "mode: enforce", "vertex: { callTimeout: 5s }"),
    (
        "trigger-vertex-expression",
        "mode: enforce",
        "vertex: { project: \"${build.branch}\", impersonate: \"${artifact.annotations.account}\" }",
    ),
    ("trigger-vertex-type", "mode: enforce", "vertex: acme-research"),
    ("defaults-type", "triggers:\n", "defaults: [enforce]\ntriggers:\n"),
    ("defaults-unknown-key", "triggers:\n", "defaults: { requires: {} }\ntriggers:\n"),
    ("defaults-match", "triggers:\n", "defaults: { match: { branch: main }, name: x }\ntriggers:\n"),
    ("defaults-template", "triggers:\n", "defaults: { template: pipelines/retrain.yaml }\ntriggers:\n"),
    ("defaults-require-type", "triggers:\n", "defaults: { require: 7, labels: fraud }\ntriggers:\n"),
    (
        "defaults-service-account",
        "triggers:\n",
        "defaults: { serviceAccount: \"${build.branch}\" }\ntriggers:\n",
    ),
    (
        "defaults-fact",
        "triggers:\n",
        "  - { id: buildkite, buildkiteOidc: { organization: acme, forkBuilds: disabled } }\n\
         defaults: { require: { repository: https://github.com/acme/other } }\ntriggers:\n  \
         - { name: other, match: { pipeline: other }, require: { signers: { anyOf: buildkite } }, \
         launch: { customJob: { jobSpec: { workerPoolSpecs: [{ replicaCount: '1' }] } } } }\n",
    ),
    ("identity-of-keys", "commit: ${claimed.build.commit}", "commit: ${identity.job_id}"),
    ("identity-of-keys-in-when", "when: artifact.annotations.dataset != \"\"", "when: has(identity.sub)"),
    (
        "identity-misspelt",
        "    publicKey: keys/second.pem\ntriggers:\n",
        "    buildkiteOidc: { organization: acme, forkBuilds: disabled }\ntriggers:\n  \
         - { name: other, match: { pipeline: other }, require: { signers: { anyOf: second-key } }, \
         launch: { customJob: { displayName: \"${identity.build_numbr}\", jobSpec: { workerPoolSpecs: [{ replicaCount: '1' }] } } } }\n",
    ),
    ("trigger-unknown-key", "mode: enforce", "modus: enforce"),
    ("match-pipeline-missing", "      pipeline: fraud-train\n", ""),
    ("match-number", "branch: main", "branch: 2024"),
    ("match-empty-list", "branch: main", "branch: []"),
    ("match-empty-text", "branch: main", "branch: \"\""),
    ("match-negation", "branch: main", "branch: [main, \"!\"]"),
    ("match-unknown-key", "branch: main", "brnach: main"),
    ("match-organization", "branch: main", "organization: [acme, 7]"),
    ("match-tag", "branch: main", "tag: true"),
    ("match-step", "branch: main", "step: { key: build }"),
    ("match-artifact", "us-docker.pkg.dev/acme/ml/fraud-train@*", "\"!\""),
    ("match-when-type", "when: artifact.annotations.dataset != \"\"", "when: true"),
    (
        "match-when-unbounded",
        "when: artifact.annotations.dataset != \"\"",
        "when: \"[1].all(a, [1].all(b, a == b))\"",
    ),
    ("match-when-syntax", "when: artifact.annotations.dataset != \"\"", "when: build.branch == "),
    ("match-when-variable", "when: artifact.annotations.dataset != \"\"", "when: build.brnach == \"main\""),
    (
        "match-when-claimed",
        "when: artifact.annotations.dataset != \"\"",
        "when: claimed.build.branch == \"main\"",
    ),
    ("require-signers-missing", "      signers: { anyOf: [release-key, second-key], atLeast: 1 }\n", ""),
    ("require-any-of-missing", "anyOf: [release-key, second-key], ", ""),
    ("require-unknown-signer", "[release-key, second-key]", "[release-kye]"),
    ("require-any-of-empty", "[release-key, second-key]", "[]"),
    ("require-at-least-text", "atLeast: 1", "atLeast: one"),
    ("require-at-least-zero", "atLeast: 1", "atLeast: 0"),
    ("require-at-least-unreachable", "atLeast: 1", "atLeast: 3"),
    ("require-sources", "maxAge: 24h", "sources: [web-hook]"),
    ("require-repository", "repository: https://github.com/acme/fraud-train", "repository: fraud"),
    ("require-sources-type", "maxAge: 24h", "sources: { webhook: true }"),
    ("require-max-age-zero", "maxAge: 24h", "maxAge: 0s"),
    ("require-max-age", "maxAge: 24h", "maxAge: 1 day"),
    ("require-pull-request", "maxAge: 24h", "pullRequest: none"),
    ("require-artifact", "maxAge: 24h", "artifact: exist"),
    ("require-build", "maxAge: 24h", "build: passed"),
    ("require-unknown-key", "maxAge: 24h", "maxage: 24h"),
    // -- launch ------------------------------------------------------------------------------------
    ("launch-kind", "pipelineJob:", "pipelinejob:"),
    ("launch-kind-later", "pipelineJob:", "modelUpload:"),
    ("launch-two-kinds", "      pipelineJob:", "      customJob: {}\n      pipelineJob:"),
    ("launch-body-type", "displayName: fraud-retrain-${build.number}", "displayName: [a]"),
    ("labels-type", "labels: { team: fraud }", "labels: [team]"),
    (
        "launch-artifact-unknown",
        "parameterValues:",
        "inputArtifacts: { data: { artifactId: \"7\" } }\n          parameterValues:",
    ),
    ("launch-failure-policy", "parameterValues:", "failurePolicy: FAIL_FAST\n          parameterValues:"),
    (
        "launch-digest-differs",
        "pipelines/retrain.yaml",
        "pipelines/retrain.yaml\n        templateSha256: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    ),
    ("launch-unknown-field", "serviceAccount: vertex", "serviceAcount: vertex"),
    ("launch-snake-field", "serviceAccount: vertex", "service_account: vertex"),
    ("launch-no-template", "        template: pipelines/retrain.yaml\n", ""),
    ("launch-template-file", "pipelines/retrain.yaml", "pipelines/retrian.yaml"),
    ("launch-template-unpinned", "pipelines/retrain.yaml", "gs://acme/retrain.yaml"),
    ("launch-template-address", "pipelines/retrain.yaml", "https://example.com/retrain.yaml"),
    ("launch-template-generation", "pipelines/retrain.yaml", "gs://acme/retrain.yaml#17"),
    (
        "launch-template-tag",
        "pipelines/retrain.yaml",
        "https://us-central1-kfp.pkg.dev/acme-ml/pipelines/retrain/latest",
    ),
    (
        "launch-template-unavailable",
        "pipelines/retrain.yaml",
        "gs://acme/retrain.yaml\n        templateSha256: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    ),
    ("launch-template-expression", "pipelines/retrain.yaml", "pipelines/${build.branch}.yaml"),
    ("launch-template-not-a-pipeline", "pipelines/retrain.yaml", "notes.txt"),
    (
        "launch-template-digest",
        "pipelines/retrain.yaml",
        "pipelines/retrain.yaml\n        templateSha256: 4f0c",
    ),
    ("launch-two-templates", "pipelines/retrain.yaml", "pipelines/retrain.yaml\n        pipelineSpec: {}"),
    ("launch-caching", "pipelines/retrain.yaml", "pipelines/retrain.yaml\n        caching: \"no\""),
    ("launch-fixed-place", "serviceAccount: vertex-runner@", "serviceAccount: ${build.branch}@"),
    ("launch-expression-key", "epochs: 3", "\"${build.branch}\": 3"),
    ("launch-expression-syntax", "${artifact.uri}", "${artifact.uri"),
    ("launch-expression-name", "${artifact.uri}", "x-${artifact.url}"),
    ("launch-root", "parameterValues:", "gcsOutputDirectory: /tmp\n          parameterValues:"),
    (
        "launch-root-bucket",
        "parameterValues:",
        "gcsOutputDirectory: gs://${build.branch}/x\n          parameterValues:",
    ),
    ("launch-root-type", "parameterValues:", "gcsOutputDirectory: null\n          parameterValues:"),
    ("launch-no-root", "  pipelineRoot: gs://acme-pipelines/root\n", ""),
    ("launch-parameters-of-kfp-1", "parameterValues:", "parameters: {}\n          parameterValues:"),
    ("parameter-unknown", "epochs: 3", "epoch: 3"),
    ("parameter-unknown-null", "epochs: 3", "epoch: null"),
    ("parameter-missing", "            image: ${artifact.uri}\n", ""),
    ("parameter-type", "epochs: 3", "epochs: \"3\""),
    ("label-value", "team: fraud", "team: Fraud Team"),
    ("label-key", "team: fraud", "Team: fraud"),
    ("label-type", "team: fraud", "team: 7"),
    ("label-reserved", "team: fraud", "launchgate-id: lg-x"),
    ("display-name-long", "fraud-retrain-${build.number}", LONG),
];

const LONG: &str = "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn";

const CUSTOM: &str = r#"      customJob:
        jobSpec:
          workerPoolSpecs:
            - replicaCount: "1"
              machineSpec: { machineType: n1-standard-8 }
              containerSpec:
                imageUri: ${artifact.uri}
                args: ["--commit", "${claimed.build.commit}"]
"#;

/// Cases of a custom job: replaced in `CUSTOM`, and in the match block where a third pair is given.
const BROKEN_CUSTOM: &[Case] = &[
    ("image-of-claimed", "imageUri: ${artifact.uri}", "imageUri: ${claimed.build.branch}"),
    (
        "image-in-text",
        "imageUri: ${artifact.uri}",
        "imageUri: us-docker.pkg.dev/${artifact.name}@${artifact.digest}",
    ),
    ("image-with-tag", "imageUri: ${artifact.uri}", "imageUri: \"us-docker.pkg.dev/a/b:${build.branch}\""),
    (
        "command-expression",
        "args: [\"--commit\"",
        "command: [\"${build.branch}\"]\n                args: [\"--commit\"",
    ),
    ("custom-unknown-field", "machineType:", "machineTyp:"),
    ("custom-template", "        jobSpec:", "        template: pipelines/retrain.yaml\n        jobSpec:"),
];

fn findings_of(text: &str) -> (Vec<Finding>, String) {
    let loaded = load_text(text);
    assert_eq!(loaded.config.is_none(), loaded.findings.iter().any(|f| f.severity == Severity::Error));
    let rendered = render(text, &loaded.findings);
    (loaded.findings, rendered)
}

/// Compares with the snapshot; answers what is wrong with the case itself.
fn snapshot(name: &str, text: &str) -> Option<String> {
    let (findings, rendered) = findings_of(text);
    if !findings.iter().any(|finding| finding.severity == Severity::Error) {
        return Some(format!("{name}: no error\n{rendered}"));
    }
    if findings.len() > 3 {
        return Some(format!("{name}: one mistake gives {} findings\n{rendered}", findings.len()));
    }
    insta::with_settings!({snapshot_path => "snapshots/findings", prepend_module_to_snapshot => false, omit_expression => true}, {
        insta::assert_snapshot!(name, rendered);
    });
    None
}

#[test]
fn every_rule_has_a_file_that_breaks_it() {
    let wrong = BROKEN.iter().filter_map(|(name, from, to)| snapshot(name, &edited(from, to)));
    assert_eq!(wrong.collect::<Vec<_>>().join("\n"), "");
}

#[test]
fn every_rule_of_custom_jobs_has_a_file_that_breaks_it() {
    let custom = |body: &str| format!("{}{body}", &YAML[..YAML.find("      pipelineJob:").unwrap()]);
    assert!(load_text(&custom(CUSTOM)).config.is_some(), "{}", findings_of(&custom(CUSTOM)).1);
    let mut wrong: Vec<String> = BROKEN_CUSTOM
        .iter()
        .filter_map(|(name, from, to)| {
            assert_eq!(CUSTOM.matches(from).count(), 1, "{from}");
            snapshot(name, &custom(&CUSTOM.replace(from, to)))
        })
        .collect();
    let matching = |artifact: &str| {
        custom(CUSTOM)
            .replace("artifact: us-docker.pkg.dev/acme/ml/fraud-train@*", &format!("artifact: {artifact}"))
    };
    wrong.extend(snapshot("image-repository-open", &matching("us-docker.pkg.dev/**")));
    wrong.extend(snapshot("image-repository-by-name", &matching("fraud-*")));
    assert_eq!(wrong.join("\n"), "");
}

#[test]
fn one_load_tells_all_mistakes() {
    let text = edited("us-central1", "nowhere")
        .replace("mode: enforce", "mode: on")
        .replace("epochs: 3", "epoch: 3");
    let (findings, _) = findings_of(&text);
    let codes: Vec<_> = findings.iter().map(|finding| finding.code).collect();
    assert_eq!(codes, ["bad-location", "unknown-value", "unknown-parameter"]);
}

#[test]
fn two_ids_with_one_key_count_once() {
    let text = edited("keys/second.pem", "keys/release.pem").replace("atLeast: 1", "atLeast: 2");
    let (findings, _) = findings_of(&text);
    assert_eq!(findings[0].code, "threshold-unreachable");
}

#[test]
fn two_triggers_of_one_name_are_refused() {
    let trigger = &YAML[YAML.find("  - name: retrain").unwrap()..];
    let (findings, _) = findings_of(&format!("{YAML}{trigger}"));
    assert_eq!(findings[0].code, "duplicate-trigger");
}

#[test]
fn a_place_counts_characters_and_survives_text_that_is_not_ascii() {
    let text = edited("displayName: fraud-retrain-${build.number}", "displayName: größe ${bild.number}");
    let (findings, rendered) = findings_of(&text);
    let place = findings[0].place.clone().unwrap();
    assert_eq!(&text[place.bytes.clone()], "bild", "{rendered}");
    assert_eq!(place.column, 30);
}

#[test]
fn an_inline_private_key_is_not_a_signer() {
    let pem = RELEASE.to_pem().replace('\n', "\n      ");
    let (findings, rendered) = findings_of(&edited("keys/second.pem", &format!("|\n      {pem}")));
    assert_eq!(findings[0].code, "bad-key");
    assert!(!rendered.contains(RELEASE.to_pem().lines().nth(1).unwrap()));
}
