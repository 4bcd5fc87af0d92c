//! The Buildkite plugin: its hook in real bash with the stand-in's agent, its own tests, its examples.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use launchgate_standin::{BuildkiteStandin, VertexStandin};
use launchgate_statement::Envelope;
use launchgate_suite::{
    Binary, Delivery, Finished, Folder, PATIENCE, Profile, PubSubEmulator, Python, a_key, a_pipeline_job,
    a_vertex, run, skip,
};
use serde_json::{Value, json};

const AUDIENCE: &str = "launchgate-prod";

fn plugin() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/buildkite-plugin").canonicalize().unwrap()
}

/// Files of the plugin with this ending, below `folder`.
fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(plugin().join(folder)).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.filter(|path| path.to_string_lossy().ends_with(ending)).collect();
    assert!(!files.is_empty(), "{folder} holds no {ending}");
    files.sort();
    files
}

fn is_there(tool: &str) -> bool {
    Command::new(tool).arg("--version").output().is_ok_and(|output| output.status.success())
}

fn a_folder(buildkite: &BuildkiteStandin, vertex: &VertexStandin) -> Folder {
    let mut trigger = a_pipeline_job("retrain");
    trigger["require"] = json!({"signers": {"anyOf": ["buildkite"]}, "sources": ["webhook"]});
    trigger["launch"]["pipelineJob"]["runtimeConfig"]["parameterValues"]["train_image"] =
        "${artifact.sha256}".into();
    let signer =
        json!({"id": "buildkite", "buildkiteOidc": {"organization": "acme", "forkBuilds": "disabled"}});
    Folder::trusting(&a_key())
        .set("/signers", json!([signer]))
        .triggers(vec![trigger])
        .vertex_at(&vertex.endpoint())
        .variable("LAUNCHGATE_BUILDKITE_JWKS_ENDPOINT", &buildkite.endpoint())
}

/// Runs the hook as the agent does, after a command of `job` that built `model.bin`.
fn hook(folder: &Folder, buildkite: &BuildkiteStandin, job: &Value, variables: &[(&str, &str)]) -> Finished {
    let bin = folder.path().join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    buildkite.agent_shim(&bin, &buildkite.run_job(job)).unwrap();
    folder.write("model.bin", "weights");
    let launchgate = Binary::Cli.path(Profile::Dev);
    let path = format!("{}:{}:/usr/bin:/bin", bin.display(), launchgate.parent().unwrap().display());
    let mut command = Command::new("bash");
    command.args(["-c", r#"set -euo pipefail; . "$0""#]).arg(plugin().join("hooks/post-command"));
    command.current_dir(folder.path()).env_clear().env("PATH", path).env("HOME", folder.path());
    command.envs(BuildkiteStandin::job_variables(job));
    command.env("BUILDKITE_PLUGIN_NAME", "LAUNCHGATE").env("BUILDKITE_COMMAND_EXIT_STATUS", "0");
    let option = |name: &str| format!("BUILDKITE_PLUGIN_LAUNCHGATE_{name}");
    command.env(option("ARTIFACTS_0"), "model.bin").env(option("SET_0"), "dataset=2026 11");
    command.env(option("KEYLESS"), "true").env(option("AUDIENCE"), AUDIENCE);
    command.envs(variables.iter().map(|(name, value)| {
        let name = if name.starts_with("LAUNCHGATE_") { (*name).to_owned() } else { option(name) };
        (name, *value)
    }));
    run(&mut command, b"")
}

/// The event's id, on a line of its own in the hook's output.
fn event_in(said: &Finished) -> String {
    let line = said.stdout.lines().find(|line| line.starts_with("ev-"));
    line.unwrap_or_else(|| panic!("no event id: {said:?}")).to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hook_publishes_on_the_topic_notes_it_and_waits_for_the_run() {
    let emulator = match PubSubEmulator::get().await {
        Ok(emulator) => emulator,
        Err(why) => skip!("{why}"),
    };
    let (buildkite, vertex) = (BuildkiteStandin::start().await.unwrap(), a_vertex().await);
    let folder = a_folder(&buildkite, &vertex);
    let service = folder.start();
    let topic = emulator.topic().await;
    emulator.push_to(&service.url("/pubsub/events"), &topic, Delivery::Wrapped).await;
    let job = BuildkiteStandin::a_job("fraud-train", 7);
    let options = [
        ("LAUNCHGATE_PUBSUB_ENDPOINT", emulator.endpoint()),
        ("TOPIC", &topic),
        ("ANNOTATE", "true"),
        ("CONSOLE_URL", "https://console.example.com"),
        ("WAIT", "launch"),
        ("GATE_URL", &service.url("")),
        ("WAIT_TIMEOUT", "2m"),
    ];

    let said = hook(&folder, &buildkite, &job, &options);

    assert_eq!(said.code, 0, "{said:?}");
    let event = event_in(&said);
    folder.wait_for_outcome(&event, "launched", PATIENCE).await;
    assert_eq!(vertex.jobs().len(), 1);
    assert!(said.stdout.contains("launched") && said.stdout.contains("console.cloud.google.com"), "{said:?}");
    assert!(said.stderr.contains(&format!("https://console.example.com/events/{event}")), "{said:?}");
    let notes = buildkite.job_annotations(&job);
    let (style, note) = &notes["launchgate/emit"];
    assert_eq!(style, "info");
    assert_eq!(
        *note,
        format!("launchgate: event [{event}](https://console.example.com/events/{event}) published\n")
    );
    assert!(!format!("{said:?}").contains("bkaj_"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hook_puts_the_event_into_the_builds_meta_data_and_a_second_one_does_not_take_its_place() {
    let (buildkite, vertex) = (BuildkiteStandin::start().await.unwrap(), a_vertex().await);
    let folder = a_folder(&buildkite, &vertex);
    let job = BuildkiteStandin::a_job("fraud-train", 7);
    let key = format!("launchgate:event:{}", job["job_id"].as_str().unwrap());
    let by_meta_data = [("VIA", "meta-data")];

    let said = hook(&folder, &buildkite, &job, &by_meta_data);

    assert_eq!(said.code, 0, "{said:?}");
    let event = event_in(&said);
    let digest = || {
        let kept = buildkite.meta_data(&job);
        assert_eq!(kept.keys().collect::<Vec<_>>(), [&key]);
        Envelope::parse(kept[&key].as_bytes()).unwrap().event_digest()
    };
    assert_eq!(digest().id().as_str(), event);
    let kept = buildkite.meta_data(&job)[&key].clone();
    let envelope = Envelope::parse(kept.as_bytes()).unwrap();
    let claims = BuildkiteStandin::claims_in(std::str::from_utf8(&envelope.signatures[0].sig).unwrap());
    assert_eq!(claims["aud"], format!("{AUDIENCE}/event/{}", digest().0));

    let again = hook(&folder, &buildkite, &job, &by_meta_data);
    assert_eq!((again.code, event_in(&again)), (0, event.clone()), "the same event again is fine");

    let other = hook(&folder, &buildkite, &job, &[("VIA", "meta-data"), ("SET_0", "dataset=2026-12")]);
    assert_eq!(other.code, 2, "{other:?}");
    assert!(other.stderr.contains("one `emit`"), "{other:?}");
    assert_eq!(digest().id().as_str(), event);

    buildkite.set_meta_data(&job, &key, "something of a stranger");
    let mended = hook(&folder, &buildkite, &job, &by_meta_data);
    assert_eq!(mended.code, 0, "{mended:?}");
    assert!(mended.stderr.contains("overwritten"), "{mended:?}");
    assert_eq!(digest().id().as_str(), event);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_put_into_meta_data_without_an_agent_too_and_one_that_is_too_large_is_not() {
    let (buildkite, vertex) = (BuildkiteStandin::start().await.unwrap(), a_vertex().await);
    let folder = a_folder(&buildkite, &vertex);
    folder.write("model.bin", "weights");
    let job = BuildkiteStandin::a_job("fraud-train", 7);
    let emit = |more: &[&str]| {
        let mut command = folder.command(Binary::Cli);
        command.args([
            "emit",
            "--keyless",
            "--audience",
            AUDIENCE,
            "--artifact",
            "model.bin",
            "--via",
            "meta-data",
        ]);
        command.args(more).env("PATH", folder.path().join("keys")).envs(buildkite.agent_variables(&job));
        run(&mut command, b"")
    };

    let note = format!("note={}", "x".repeat(70_000));
    let refused = emit(&["--set", &note]);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(refused.stderr.contains("90000"), "{}", refused.stderr);
    assert!(buildkite.meta_data(&job).is_empty());

    let emitted = emit(&["--output", "json"]).success().json();
    let key = emitted["metaData"].as_str().unwrap();
    let kept = &buildkite.meta_data(&job)[key];
    assert_eq!(emitted["event"], Envelope::parse(kept.as_bytes()).unwrap().event_digest().id().as_str());
}

#[test]
fn the_hook_alone_holds_what_its_tests_say() {
    if !is_there("bats") {
        skip!("bats is not installed (Debian: apt-get install bats)");
    }
    let told = run(Command::new("bats").args(["--tap", "tests"]).current_dir(plugin()), b"");
    assert_eq!(told.code, 0, "{}\n{}", told.stdout, told.stderr);
}

#[test]
fn shellcheck_finds_nothing_in_the_plugin() {
    if !is_there("shellcheck") {
        skip!("shellcheck is not installed (Debian: apt-get install shellcheck)");
    }
    let mut command = Command::new("shellcheck");
    command.arg("-x").arg(plugin().join("hooks/post-command"));
    command.args(files("lib", ".bash")).args(files("tests", ".bats"));
    let told = run(&mut command, b"");
    assert_eq!(told.code, 0, "{}", told.stdout);
}

#[test]
fn the_examples_are_pipelines_and_their_options_are_those_of_the_plugin() {
    let python = match Python::find() {
        Ok(python) => python,
        Err(why) => skip!("{why}"),
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../python/plugin_examples.py");
    let mut arguments = vec![plugin().join("plugin.yml"), plugin().join("README.md")];
    arguments.push(plugin().join("../../docs/buildkite.md"));
    arguments.extend(files("examples", ".yml"));
    let told = python.run(&script, &arguments);
    assert_eq!(told.code, 0, "{}\n{}", told.stdout, told.stderr);
}
