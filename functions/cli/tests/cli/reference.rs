//! What is generated from the command line: the reference, completions, the schema.

use std::fs;

use crate::folder::Folder;

#[test]
fn docs_cli_md_is_current() {
    let generated = Folder::new().run(&["docs"]).ok().stdout;

    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/cli.md");
    let written = fs::read_to_string(path).unwrap_or_default();

    assert!(
        written == generated,
        "docs/cli.md is stale: run `cargo run -p launchgate-cli -- docs > docs/cli.md`"
    );
}

#[test]
fn every_command_has_help_with_an_example_or_nothing_to_show() {
    let folder = Folder::new();
    for command in [
        "demo", "serve", "keygen", "sign", "emit", "send", "explain", "verify", "inspect", "lint", "init",
        "events", "replay", "wait",
    ] {
        let help = folder.run(&[command, "--help"]).ok().stdout;
        assert!(help.contains("Examples:") && help.contains("Exit codes:"), "{command}:\n{help}");
    }
    let help = folder.run(&["--help"]).ok().stdout;
    assert!(help.contains("Exit codes:") && help.contains("First steps:"), "{help}");
}

#[test]
fn completions_and_schema_are_printed() {
    let folder = Folder::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(folder.run(&["completions", shell]).ok().stdout.contains("launchgate"), "{shell}");
    }
    let schema = folder.run(&["schema"]).ok().json();
    assert!(schema["properties"]["triggers"].is_object(), "{schema}");
    assert!(folder.run(&["version"]).ok().stdout.starts_with("launchgate "));
}
