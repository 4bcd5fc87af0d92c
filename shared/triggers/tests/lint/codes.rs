//! Each code has an example that shows it, and the mended form does not; each code of the source has a row.

use std::{fs, path::Path};

use launchgate_triggers::{Finding, FindingCode};

use crate::example::{Example, Side, folder, said_of, whole};

/// The broken text and the mended one.
type Pair = fn() -> [String; 2];

/// Files that are too large to be shown: the code, what breaks, what mends.
const MADE: &[(FindingCode, Pair)] = &[
    (FindingCode::FileSize, || [format!("{}#{}\n", whole(""), "x".repeat(16 << 20)), whole("# x\n")]),
    (FindingCode::MoreFindings, || [201, 0].map(|count| whole(&unknown_keys(count)))),
    (FindingCode::TooManyLabels, || [62, 61].map(labels)),
];

fn unknown_keys(count: usize) -> String {
    (0..count).map(|number| format!("unknown{number}: 1\n")).collect()
}

fn labels(count: usize) -> String {
    let labels: String = (0..count).map(|number| format!("          l{number}: x\n")).collect();
    let head =
        "triggers:\n  - name: retrain\n    match: …\n    require: …\n    launch:\n      pipelineJob:\n";
    let job =
        "        template: pipelines/retrain.yaml\n        serviceAccount: …\n        runtimeConfig: …\n";
    whole(&format!("{head}{job}        labels:\n{labels}"))
}

#[test]
fn every_code_has_a_file_that_shows_it_and_a_mended_one_that_does_not() {
    let mut wrong = Vec::new();
    for code in FindingCode::ALL {
        let made = MADE.iter().find(|(of, _)| of == code);
        let (broken, mended) = match (Example::of(*code), made) {
            (Some(example), None) => (example.said(Side::Broken), example.said(Side::Mended)),
            (None, Some((_, pair))) => {
                let [broken, mended] = pair();
                (said_of(&broken), said_of(&mended))
            }
            // The file could not be read, so nobody can look at its text: the command says it.
            (None, None) if *code == FindingCode::Unreadable => {
                assert_eq!(Finding::unreadable("no such file").code, "unreadable");
                continue;
            }
            _ => {
                wrong.push(format!("{code}: expected one example in {}", folder().display()));
                continue;
            }
        };
        let shown = broken.codes().contains(&code.as_str());
        let others = broken.codes().into_iter().filter(|other| *other != code.as_str()).count();
        let allowed = match code {
            FindingCode::MoreFindings => 200,
            // The weakest signer says so, whatever else is wrong.
            FindingCode::ForeignOrganization | FindingCode::WebhookSignerUnguarded => 1,
            _ => 0,
        };
        if !shown || others > allowed {
            wrong.push(format!("{code}: the broken form says\n{}", broken.rendered));
        }
        let is_mended = mended.codes().iter().all(|said| allowed == 1 && *said == "weakest-signer");
        if !is_mended {
            wrong.push(format!("{code}: the mended form says\n{}", mended.rendered));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_example_is_of_a_code_that_does_not_exist() {
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let code = path.file_stem().unwrap().to_str().unwrap();
        assert!(FindingCode::parse(code).is_some(), "{}", path.display());
    }
}

/// Where the source names a code: as the first argument of what adds a finding, or beside it.
#[test]
fn every_code_that_the_source_names_has_a_row_and_every_row_is_named() {
    let mut source = String::new();
    read_all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut source);

    let wrong = FindingCode::ALL
        .iter()
        .filter(|code| !source.contains(&format!("\"{code}\"")))
        .map(|code| format!("{code} has a row, and nothing says it"));
    let named = calls(&source).filter(|code| FindingCode::parse(code).is_none());
    let wrong: Vec<_> =
        wrong.chain(named.map(|code| format!("{code} has no row in finding_code.rs"))).collect();

    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(calls(&source).count() > 60, "the search for codes finds too little");
}

/// The first text after each call that adds a finding.
fn calls(source: &str) -> impl Iterator<Item = &str> {
    const ADDING: [&str; 7] =
        [".error(", ".warning(", ".remark(", ".placeless(", "warning(", "Finding::new(", "notice("];
    ADDING.into_iter().flat_map(move |call| {
        source.split(call).skip(1).filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next())
    })
}

/// All Rust source below a folder, but the table itself.
fn read_all(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_all(&path, text);
        } else if path.extension().is_some_and(|it| it == "rs") && !path.ends_with("finding_code.rs") {
            text.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}
