//! `init`: what it writes is usable as it stands.

use std::fs;

use crate::folder::Folder;

const INIT: [&str; 9] = [
    "init",
    "--template",
    "retrain.yaml",
    "--pipeline",
    "fraud-train",
    "--project",
    "acme-ml",
    "--config",
    "new.yaml",
];

#[test]
fn what_is_written_lints_without_a_finding_once_the_key_exists() {
    for spec in ["retrain.yaml", "sweep.yaml", "batch_eval.yaml", "deploy.yaml", "deploy_wrapped_job.json"] {
        let folder = Folder::new();
        let specs = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/vertex/specs");
        fs::copy(format!("{specs}/{spec}"), folder.path("retrain.yaml")).unwrap();

        folder.run(&INIT).ok();

        let ran = folder.run(&["lint", "--config", "new.yaml", "--output", "json"]);
        assert_eq!((ran.code, ran.stdout.trim()), (0, "[]"), "{spec}: {ran:?}\n{}", folder.read("new.yaml"));
        let ran = folder.run(&["test", "tests"]);
        assert_eq!(ran.code, 0, "{spec}: {ran:?}\n{}", folder.read("tests/retrain.yaml"));
        // Nothing is overwritten.
        assert_eq!(folder.run(&INIT).code, 2);
    }
}

#[test]
fn every_input_is_listed_with_its_type() {
    let folder = Folder::new();
    let spec = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/vertex/specs/retrain.yaml");
    fs::copy(spec, folder.path("retrain.yaml")).unwrap();

    folder.run(&INIT).ok();

    insta::assert_snapshot!(folder.read("new.yaml"));
    insta::assert_snapshot!(folder.read("tests/retrain.yaml"));
}

#[test]
fn a_template_outside_the_folder_or_none_at_all_is_refused() {
    let folder = Folder::new();
    fs::create_dir(folder.path("deep")).unwrap();
    folder.write("bad.yaml", "hello: world");

    let outside = folder.run(&["init", "--template", "pipeline.yaml", "--config", "deep/new.yaml"]);
    let none = folder.run(&["init", "--template", "bad.yaml", "--config", "new.yaml"]);

    assert_eq!((outside.code, none.code), (2, 2));
    assert!(outside.stderr.contains("copy the template there"), "{outside:?}");
    assert!(!folder.path("new.yaml").exists());
}
