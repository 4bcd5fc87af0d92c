//! Files that nobody means to write, and names that builds may have: a clear finding or correct work.

use launchgate_triggers::{Finding, Severity, render};
use serde_json::{Value, json};

use crate::the_file::{YAML, config, edited, load_text};

fn errors(text: &str) -> Vec<Finding> {
    let loaded = load_text(text);
    let errors: Vec<_> = loaded.findings.into_iter().filter(|it| it.severity == Severity::Error).collect();
    assert_eq!(loaded.config.is_none(), !errors.is_empty());
    errors
}

/// A sound file as JSON, which is YAML: values can be exchanged without a thought for indentation.
fn sound() -> Value {
    json!({
        "apiVersion": "launchgate/v1",
        "service": {"audience": "launchgate-prod", "url": "https://launchgate.example.com"},
        "vertex": {"project": "acme-ml", "location": "us-central1", "pipelineRoot": "gs://acme-pipelines/root", "callTimeout": "20s"},
        "ingress": {
            "events": {
                "auth": "oidc", "audience": "https://launchgate.example.com/pubsub/events",
                "email": "pubsub-push@acme-ml.iam.gserviceaccount.com",
                "subscription": "projects/acme-ml/subscriptions/launchgate-events",
            },
            "sweep": {"auth": "none"},
        },
        "ledger": {"sqlite": "./data/launchgate.db"},
        "failures": {"topic": "projects/acme-ml/topics/launchgate-failures"},
        "buildkite": {"organization": "acme", "webhookSecretEnv": "BUILDKITE_WEBHOOK_SECRET", "apiTokenEnv": "BUILDKITE_API_TOKEN"},
        "signers": [
            {"id": "release-key", "publicKey": "keys/release.pem", "notAfter": "2027-03-01", "pipelines": ["fraud-*"]},
            {"id": "second-key", "publicKey": "keys/second.pem", "revoked": false},
        ],
        "triggers": [{
            "name": "retrain-fraud",
            "match": {
                "pipeline": "fraud-train", "branch": "main", "artifact": "us-docker.pkg.dev/acme/ml/fraud-train@*",
                "when": "artifact.annotations.dataset != \"\"",
            },
            "require": {
                "signers": {"anyOf": ["release-key", "second-key"], "atLeast": 1},
                "repository": "https://github.com/acme/fraud-train", "maxAge": "24h",
            },
            "mode": "enforce",
            "waitFor": {"build": "1h"},
            "launch": {"pipelineJob": {
                "template": "pipelines/retrain.yaml", "caching": false,
                "displayName": "fraud-retrain-${build.number}",
                "serviceAccount": "vertex-runner@acme-ml.iam.gserviceaccount.com",
                "runtimeConfig": {"gcsOutputDirectory": "gs://acme-pipelines/x", "parameterValues": {"image": "${artifact.uri}", "epochs": 3, "commit": "x"}},
                "labels": {"team": "fraud"},
            }},
        }],
    })
}

/// Every place of a value, as a JSON pointer.
fn pointers(value: &Value, at: &str, list: &mut Vec<String>) {
    list.push(at.to_owned());
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(key, value)| pointers(value, &format!("{at}/{key}"), list));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| pointers(item, &format!("{at}/{index}"), list));
        }
        _ => {}
    }
}

/// Places where a value of another type says something as well.
fn also_takes(pointer: &str, wrong: &Value) -> bool {
    let patterns = ["/pipelines", "/pipeline", "/branch", "/artifact", "/anyOf", "/pipelines/0", "/anyOf/0"];
    let is_list_or_text = patterns.iter().any(|end| pointer.ends_with(end));
    // An absent value of these is a value, and null stands for absent in the body of a job.
    let is_bool = ["/revoked", "/caching"].iter().any(|end| pointer.ends_with(end));
    is_bool && wrong.is_boolean()
        || is_list_or_text && wrong == &json!(["x"])
        || pointer.contains("/pipelineJob/") && wrong.is_null()
}

#[test]
fn a_value_of_a_wrong_type_at_any_key_is_an_error_with_a_place() {
    let sound = sound();
    assert_eq!(errors(&sound.to_string()), []);
    let mut places = Vec::new();
    pointers(&sound, "", &mut places);
    assert!(places.len() > 60, "{}", places.len());

    let mut wrong = Vec::new();
    for pointer in &places {
        for other in [json!(null), json!(true), json!(7.5), json!([[]]), json!({"x": {}})] {
            if also_takes(pointer, &other) {
                continue;
            }
            let mut file = sound.clone();
            *file.pointer_mut(pointer).unwrap() = other.clone();
            let text = file.to_string();
            let errors = errors(&text);
            if errors.is_empty() || errors.iter().any(|error| error.place.is_none()) {
                wrong.push(format!("{pointer} = {other}: {}", render(&text, &errors)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn words_that_older_yaml_took_for_booleans_are_text() {
    for word in ["yes", "no", "on", "off", "NO", "y", "n"] {
        assert_eq!(errors(&edited("branch: main", &format!("branch: {word}"))), [], "{word}");
        assert_eq!(errors(&edited("team: fraud", &format!("team: {}", word.to_lowercase()))), [], "{word}");
    }
    let found = errors(&edited("branch: main", "branch: true"));
    assert_eq!((found[0].code, found[0].fix.as_deref()), ("wrong-type", Some("write it in quotes")));
}

#[test]
fn a_number_where_text_is_meant_is_refused_and_in_quotes_it_is_text() {
    for (from, bare, quoted) in [
        ("branch: main", "branch: 2024", "branch: \"2024\""),
        ("branch: main", "branch: 1e3", "branch: \"1e3\""),
        ("branch: main", "branch: 0x1f", "branch: \"0x1f\""),
        ("team: fraud", "team: 7", "team: \"7\""),
        ("project: acme-ml", "project: 123456789012", "project: \"123456789012\""),
    ] {
        assert_eq!(errors(&edited(from, bare)).len(), 1, "{bare}");
        assert_eq!(errors(&edited(from, quoted)), [], "{quoted}");
    }
}

#[test]
fn what_is_no_plain_yaml_is_one_error_however_large() {
    let bomb: String = std::iter::once("a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned())
        .chain((1..30).map(|n| format!("a{n}: &a{n} [*a{0}, *a{0}, *a{0}, *a{0}, *a{0}]\n", n - 1)))
        .collect();
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let nested_maps = (0..200).fold(String::new(), |text, depth| format!("{text}{}a:\n", " ".repeat(depth)));
    for (text, message) in [
        (bomb, "an anchor"),
        (deep, "recursion limit"),
        (nested_maps, "nested more than 32 deep"),
        ("a:\n\t- b\n".to_owned(), "tab"),
    ] {
        let found = errors(&text);
        assert_eq!(found.len(), 1, "{}", render(&text, &found));
        assert_eq!(found[0].code, "yaml-syntax");
        assert!(found[0].message.to_lowercase().contains(message), "{}", found[0].message);
    }
}

#[test]
fn a_file_that_is_wrong_all_over_has_a_list_that_ends() {
    let keys: String = (0..50_000).map(|number| format!("key{number}: {{}}\n")).collect();
    let loaded = load_text(&format!("{YAML}{keys}"));
    assert!(loaded.config.is_none());
    assert_eq!(loaded.findings.len(), 201);
    assert_eq!(loaded.findings[200].message, "49800 more findings are not shown");
}

#[test]
fn ten_thousand_triggers_are_read_one_by_one() {
    const MANY: usize = 10_000;
    let start = YAML.find("  - name: retrain").unwrap();
    let trigger = &YAML[start..];
    let many: String = (0..MANY)
        .map(|number| {
            trigger
                .replace("name: retrain-fraud", &format!("name: retrain-{number}"))
                .replace("pipeline: fraud-train", &format!("pipeline: fraud-{number}"))
        })
        .collect();
    let text = format!("{}{many}", &YAML[..start]);
    let config = config(&text);
    assert_eq!(config.triggers.len(), MANY);
    assert!(config.trigger(&format!("retrain-{}", MANY - 1)).is_some());
    let now = launchgate_statement::Timestamp::parse("2026-11-18T00:00:00Z").unwrap();
    assert_eq!(launchgate_triggers::lint(&config, now).len(), MANY, "sources-open, once for each");
}
