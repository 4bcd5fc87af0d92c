//! `lint`: exit codes, and findings where programs and people look for them.

use crate::folder::Folder;

#[test]
fn a_sound_file_is_ok() {
    let ran = Folder::new().run(&["lint"]).ok();

    assert_eq!((ran.stdout.as_str(), ran.stderr.trim()), ("launchgate.yaml: ok\n", ""));
}

#[test]
fn an_error_is_shown_with_its_place_and_fix() {
    let ran = Folder::new().with("maxAge: 24h", "maxAgge: 24h").run(&["lint"]);

    assert_eq!(ran.code, 2);
    insta::assert_snapshot!(format!("{}---\n{}", ran.stdout, ran.stderr));
}

#[test]
fn programs_get_an_array_of_findings() {
    let ran = Folder::new().with("maxAge: 24h", "maxAgge: 24h").run(&["lint", "--output", "json"]);

    assert_eq!(ran.code, 2);
    let findings = ran.json();
    let first = &findings[0];
    assert_eq!(
        (first["severity"].as_str(), first["place"]["line"].as_u64()),
        (Some("error"), Some(14)),
        "{findings}"
    );
    assert!(ran.stderr.contains("maxAgge"), "the findings are on stderr too: {}", ran.stderr);
}

#[test]
fn a_warning_alone_is_exit_code_0() {
    let ran = Folder::new().with("      sources: [webhook]\n", "").run(&["lint", "--output", "json"]).ok();

    assert_eq!(ran.json()[0]["severity"], "warning");
    assert_eq!(ran.json()[0]["help"], "docs/lint.md#sources-open");
}

#[test]
fn a_warning_fails_where_the_caller_is_strict() {
    let open = Folder::new().with("      sources: [webhook]\n", "");

    assert_eq!(open.run(&["lint", "--strict"]).code, 2);
    assert_eq!(Folder::new().run(&["lint", "--strict"]).code, 0);
}

#[test]
fn a_code_is_explained_without_a_file() {
    let ran = Folder::new().run(&["lint", "--config", "none.yaml", "--explain", "sources-open"]).ok();

    assert!(ran.stdout.starts_with("sources-open (warning)\n"), "{}", ran.stdout);
    assert!(ran.stdout.contains("docs/lint.md#sources-open"), "{}", ran.stdout);
    assert_eq!(Folder::new().run(&["lint", "--explain", "source-open"]).code, 2);
}

#[test]
fn a_file_that_cannot_be_read_is_a_finding_too() {
    let ran = Folder::new().run(&["lint", "--config", "none.yaml", "--output", "json"]);

    assert_eq!((ran.code, ran.json()[0]["code"].as_str()), (2, Some("unreadable")));
    assert!(ran.stderr.contains("none.yaml"), "{}", ran.stderr);
}

#[test]
fn code_scanning_gets_rules_and_places() {
    let folder = Folder::new().with("maxAge: 24h", "maxAgge: 24h").with("      sources: [webhook]\n", "");
    let ran = folder.run(&["lint", "--output", "sarif"]);

    assert_eq!(ran.code, 2);
    let sarif = ran.json();
    assert_eq!(sarif["version"], "2.1.0");
    let run = &sarif["runs"][0];
    let first = &run["results"][0];
    let place = &first["locations"][0]["physicalLocation"];
    assert_eq!((&first["ruleId"], &first["level"]), (&"unknown-key".into(), &"error".into()), "{sarif}");
    assert_eq!(
        (&place["artifactLocation"]["uri"], &place["region"]["startLine"]),
        (&"launchgate.yaml".into(), &13.into()),
        "{sarif}"
    );
    let rules: Vec<_> =
        run["tool"]["driver"]["rules"].as_array().unwrap().iter().map(|rule| &rule["id"]).collect();
    assert!(run["results"].as_array().unwrap().iter().all(|result| rules.contains(&&result["ruleId"])));
    let helped = run["tool"]["driver"]["rules"].as_array().unwrap().iter();
    assert!(helped.clone().all(|rule| rule["help"]["text"].as_str().unwrap().contains("docs/lint.md#")));
    assert_eq!(folder.run(&["version", "--output", "sarif"]).code, 2);
}
