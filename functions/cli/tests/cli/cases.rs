//! `test`: cases of a triggers file, judged as in production.

use crate::folder::Folder;

const GOOD: &str = "\
apiVersion: launchgate/v1
now: 2026-11-18T12:00:00Z
cases:
  - name: main retrains
    build: { pipeline: fraud-train, number: 7 }
    artifacts: [{ name: model, annotations: { epochs: 3 } }]
    expect: { outcome: launched, trigger: retrain-fraud, parameters: { epochs: 3 }, request: { displayName: fraud-7 } }
  - name: by hand it does not
    build: { pipeline: fraud-train, source: ui }
    expect: { outcome: denied_policy, reason: source_not_allowed }
  - name: a pipeline that the key may not speak for
    build: { pipeline: payments }
    expect: { outcome: rejected_signature, reason: pipeline_not_allowed }
";

/// A folder `tests` with this file of cases.
fn with_cases(folder: Folder, cases: &str) -> Folder {
    std::fs::create_dir_all(folder.path("tests")).unwrap();
    folder.write("tests/retrain.yaml", cases);
    folder
}

#[test]
fn cases_that_hold_pass_and_the_coverage_says_what_none_tries() {
    let ran = with_cases(Folder::new(), GOOD).run(&["test"]).ok();

    insta::assert_snapshot!(ran.stdout);
}

#[test]
fn a_case_that_does_not_hold_says_what_was_expected_and_what_came() {
    let cases = GOOD
        .replace("epochs: 3 }, request", "epochs: 4 }, request")
        .replace("displayName: fraud-7", "displayName: fraud-8, labels: { team: x }")
        .replace("reason: source_not_allowed", "reason: too_old")
        .replace("outcome: rejected_signature, reason: pipeline_not_allowed", "outcome: launched");

    let ran = with_cases(Folder::new(), &cases).run(&["test", "tests/retrain.yaml"]);

    assert_eq!(ran.code, 4);
    insta::assert_snapshot!(ran.stdout);
}

#[test]
fn the_files_own_requirement_is_what_passes_a_case_and_not_the_stand_in() {
    // Break the file, and the case that held before fails.
    let folder = with_cases(Folder::new().with("sources: [webhook]", "sources: [schedule]"), GOOD);
    let ran = folder.run(&["test", "--output", "json"]);

    assert_eq!(ran.code, 4);
    let result = ran.json();
    assert_eq!(result["passed"], false);
    let first = &result["files"][0]["cases"][0];
    assert_eq!(first["mismatches"][0]["actual"], "denied_policy (source_not_allowed)", "{result}");
}

#[test]
fn a_recorded_event_is_verified_by_the_files_own_keys() {
    let folder = Folder::new();
    let cases = "\
apiVersion: launchgate/v1
now: 2026-11-18T11:06:40Z
cases:
  - name: it is too old by now
    event: ../event.json
    now: 2027-01-01T00:00:00Z
    expect: { outcome: denied_policy, reason: too_old }
  - name: nobody signed this
    event: ../unsigned.json
    expect: { outcome: rejected_signature, reason: unsigned }
";
    let event = folder.read(folder.event(&["epochs=3"], &[]));
    let mut unsigned: serde_json::Value = serde_json::from_str(&event).unwrap();
    unsigned["signatures"] = serde_json::json!([]);
    folder.write("unsigned.json", &unsigned.to_string());

    let ran = with_cases(folder, cases).run(&["test"]);

    assert_eq!(ran.code, 0, "{ran:?}");
}

#[test]
fn keyless_and_sigstore_signers_are_stood_in_for_with_their_pins() {
    let signers = "  - { id: release, publicKey: keys/release.pem, pipelines: [\"fraud-*\"] }\n";
    let more = format!(
        "{signers}  - {{ id: buildkite, buildkiteOidc: {{ organization: acme, organizationId: o-1, cluster: c-1, forkBuilds: disabled }} }}\n  \
         - {{ id: bundle, sigstore: {{ organization: acme, forkBuilds: disabled }} }}\n"
    );
    let folder =
        Folder::new().with(signers, &more).with("anyOf: [release]", "anyOf: [release, buildkite, bundle]");
    let cases = "\
apiVersion: launchgate/v1
now: 2026-11-18T12:00:00Z
cases:
  - name: the job's own token
    build: { pipeline: fraud-train }
    artifacts: [{ name: model, annotations: { epochs: 3 } }]
    signedBy: [buildkite]
    expect: { outcome: launched }
  - name: a bundle proves no branch
    build: { pipeline: fraud-train }
    artifacts: [{ name: model, annotations: { epochs: 3 } }]
    signedBy: [bundle]
    expect: { outcome: denied_policy, reason: fact_not_vouched }
  - name: a job of another organization
    build: { pipeline: fraud-train, organization: evil }
    signedBy: [buildkite]
    expect: { outcome: rejected_signature, reason: identity_mismatch }
  - name: nobody
    build: { pipeline: fraud-train }
    signedBy: []
    expect: { outcome: rejected_signature, reason: unsigned }
";
    let ran = with_cases(folder, cases).run(&["test"]);

    assert_eq!(ran.code, 0, "{ran:?}");
}

#[test]
fn a_case_by_a_keyless_signer_has_an_identity() {
    let signers = "  - { id: release, publicKey: keys/release.pem, pipelines: [\"fraud-*\"] }\n";
    let keyless = "  - { id: buildkite, buildkiteOidc: { organization: acme, organizationId: o-1, forkBuilds: disabled } }\n  \
                   - { id: bundle, sigstore: { organization: acme, forkBuilds: disabled } }\n";
    let who = "displayName: 'by-${has(identity.organization_id) ? identity.organization_id : identity.buildTrigger}'";
    let folder = Folder::new()
        .with(signers, keyless)
        .with("anyOf: [release]", "anyOf: [buildkite, bundle]")
        .with(", branch: main }", " }")
        .with("displayName: fraud-${build.number}", who);
    let cases = "\
apiVersion: launchgate/v1
now: 2026-11-18T12:00:00Z
cases:
  - name: a token names the organization's id
    build: { pipeline: fraud-train }
    artifacts: [{ name: model, annotations: { epochs: 3 } }]
    signedBy: [buildkite]
    expect: { outcome: launched, request: { displayName: by-o-1 } }
  - name: a certificate names what started the build
    build: { pipeline: fraud-train }
    artifacts: [{ name: model, annotations: { epochs: 3 } }]
    signedBy: [bundle]
    expect: { outcome: launched, request: { displayName: by-webhook } }
";
    let ran = with_cases(folder, cases).run(&["test"]);

    assert_eq!(ran.code, 0, "{ran:?}");
}

#[test]
fn what_buildkite_says_of_a_build_can_be_part_of_a_case() {
    let signers = "  - { id: release, publicKey: keys/release.pem, pipelines: [\"fraud-*\"] }\n";
    let forks = "  - { id: release, buildkiteOidc: { organization: acme, forkBuilds: enabled } }\n";
    let folder = Folder::new()
        .with(signers, forks)
        .with("events: { auth: none } }", "events: { auth: none }, builds: { auth: none } }")
        .with("signers:", "buildkite: { organization: acme, webhookSecretEnv: SECRET }\nsigners:")
        .with(
            "      maxAge: 24h\n",
            "      maxAge: 24h\n      build: passed\n      pullRequest: sameRepository\n",
        );
    let case = |name: &str, facts: &str, expect: &str| {
        format!(
            "  - name: {name}\n    build: {{ pipeline: fraud-train }}\n    artifacts: [{{ name: m, annotations: {{ epochs: 3 }} }}]\n    \
             {facts}\n    expect: {{ {expect} }}\n"
        )
    };
    let cases = [
        case("nothing has come", "", "outcome: waiting_build"),
        case("it passed", "buildFacts: {}", "outcome: launched"),
        case("its own pull request", "buildFacts: { pullRequest: sameRepository }", "outcome: launched"),
        case("a fork's", "buildFacts: { pullRequest: fork }", "outcome: denied_policy, reason: fork_build"),
        case(
            "it failed",
            "buildFacts: { state: failed }",
            "outcome: denied_policy, reason: build_not_passed",
        ),
        case(
            "it runs",
            "buildFacts: { state: running }",
            "outcome: waiting_build, reason: build_not_finished",
        ),
    ];
    let text = format!("apiVersion: launchgate/v1\nnow: 2026-11-18T12:00:00Z\ncases:\n{}", cases.concat());

    let ran = with_cases(folder, &text).run(&["test"]);

    assert_eq!(ran.code, 0, "{ran:?}");
}

#[test]
fn results_can_be_read_by_a_ci_system() {
    let cases = GOOD.replace("reason: source_not_allowed", "reason: too_old");
    let folder = with_cases(Folder::new(), &cases);

    assert_eq!(folder.run(&["test", "--junit", "results.xml"]).code, 4);

    let xml = folder.read("results.xml");
    assert!(xml.contains("tests=\"3\" failures=\"1\""), "{xml}");
    assert!(xml.contains("message=\"expected too_old, got source_not_allowed\""), "{xml}");
}

#[test]
fn a_case_file_with_a_mistake_is_refused_with_its_place() {
    let good = "apiVersion: launchgate/v1\ncases:\n  - name: a\n    build: { pipeline: p }\n    expect: { outcome: launched }\n";
    for (from, to, said) in [
        ("pipeline: p", "pipeline: p, brunch: main", "brunch"),
        ("outcome: launched", "outcome: lunched", "`lunched` is no outcome"),
        ("outcome: launched", "outcome: launched, reason: because", "`because` is no reason"),
        ("build: { pipeline: p }", "event: e.json\n    build: { pipeline: p }", "either `event` or `build`"),
        ("    build: { pipeline: p }\n", "", "either `event` or `build`"),
        ("launchgate/v1", "launchgate/v2", "expected apiVersion launchgate/v1"),
        ("name: a", "name: a\n    now: yesterday", "expected an RFC 3339 time"),
        ("cases:\n", "cases: []\nmore:\n", "more"),
    ] {
        assert!(good.contains(from));
        let ran = with_cases(Folder::new(), &good.replacen(from, to, 1)).run(&["test"]);

        assert_eq!(ran.code, 2, "{to}: {ran:?}");
        assert!(ran.stderr.contains(said) && ran.stderr.contains("retrain.yaml"), "{to}: {}", ran.stderr);
    }
    let twice =
        format!("{good}  - name: a\n    build: {{ pipeline: p }}\n    expect: {{ outcome: launched }}\n");
    let ran = with_cases(Folder::new(), &twice).run(&["test"]);
    assert!(ran.stderr.contains("stands twice"), "{ran:?}");

    let misspelt =
        with_cases(Folder::new(), &good.replace("pipeline: p", "pipeline: p, brunch: main")).run(&["test"]);
    insta::assert_snapshot!(misspelt.stderr);
    let anchor = with_cases(Folder::new(), &good.replace("name: a", "name: &a a")).run(&["test"]);
    insta::assert_snapshot!(anchor.stderr);

    let ran = Folder::new().run(&["test"]);
    assert_eq!(ran.code, 2, "no folder of cases: {ran:?}");
}

/// Where the examples lie, and every folder below it with a triggers file.
fn examples() -> Vec<std::path::PathBuf> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/examples");
    let (mut open, mut found) = (vec![root], Vec::new());
    while let Some(folder) = open.pop() {
        if folder.join("launchgate.yaml").exists() {
            found.push(folder.clone());
        }
        let entries = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
        open.extend(entries.filter(|path| path.is_dir()));
    }
    found.sort();
    found
}

#[test]
fn every_example_lints_without_a_finding_and_its_cases_hold() {
    let examples = examples();
    assert!(examples.len() >= 6, "{examples:?}");
    for folder in examples {
        let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
        let linted = Folder::new().run(&["lint", "--config", &path("launchgate.yaml"), "--output", "json"]);
        assert_eq!((linted.code, linted.stdout.trim()), (0, "[]"), "{}: {linted:?}", folder.display());

        let tested = Folder::new().run(&["test", &path("tests"), "--output", "json"]);

        assert_eq!(tested.code, 0, "{}: {}", folder.display(), tested.stdout);
        let result = tested.json();
        for trigger in result["coverage"][0]["triggers"].as_array().unwrap() {
            assert_eq!(trigger["launched"], true, "{}: {trigger}", folder.display());
            assert!(
                !trigger["refusedBy"].as_array().unwrap().is_empty() || trigger["trigger"] == "train-feed"
            );
        }
    }
}

#[test]
fn the_first_example_tries_every_requirement_it_can() {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/examples/retrain-on-image-push/tests");
    let result = Folder::new().run(&["test", example, "--output", "json"]).ok().json();

    let untried = &result["coverage"][0]["triggers"][0]["neverRefusedBy"];
    assert_eq!(*untried, serde_json::json!(["match.pipeline", "require.signers", "parameters"]), "{result}");
}
