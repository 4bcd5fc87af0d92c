//! `docs/lint.md` is written from the table of codes and from the examples, so a code without a section, or a
//! section whose example is not true, cannot exist.
//!
//! `UPDATE_DOCS=1 cargo test -p launchgate-triggers --test lint` writes the page anew.

use std::{fmt::Write as _, fs, path::PathBuf};

use launchgate_triggers::{FindingCode, Severity};

use crate::example::{Example, Side};

const HEAD: &str = "\
# What lint says

<!-- Generated from shared/triggers/src/finding_code.rs and shared/triggers/tests/lint/examples;
`UPDATE_DOCS=1 cargo test -p launchgate-triggers --test lint` writes it anew. -->

`launchgate lint` tells whatever can be known of a [triggers file](triggers.md) before it is deployed. Each finding has a
code, the place, what was expected and found, and how to mend it; `launchgate lint --explain CODE` prints a section of this
page. With an **error** the file is not used by any command. A **warning** is something to look at; `lint --strict` fails on
warnings too.

In the examples `-` marks what is wrong and `+` what mends it; `…` stands for what does not matter there. Both forms of each
are run by the tests: the first gives the finding that is shown, the second gives none.

";

#[test]
fn the_committed_page_is_what_table_and_examples_say() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/lint.md");
    let page = page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &page).expect("docs/ is part of the checkout");
    }

    let committed = fs::read_to_string(&path).unwrap_or_default();

    assert!(
        committed == page,
        "docs/lint.md is stale; run `UPDATE_DOCS=1 cargo test -p launchgate-triggers --test lint` and commit it"
    );
}

fn page() -> String {
    let mut page = HEAD.to_owned();
    for (severity, title) in [(Severity::Error, "Errors"), (Severity::Warning, "Warnings")] {
        let codes = FindingCode::ALL.iter().filter(|code| code.severity() == severity);
        let codes: Vec<_> = codes.map(|code| format!("[`{code}`](#{code})")).collect();
        writeln!(page, "**{title}**: {}\n", codes.join(", ")).unwrap();
    }
    for code in FindingCode::ALL {
        section(&mut page, *code);
    }
    page.truncate(page.trim_end().len());
    page.push('\n');
    page
}

fn section(page: &mut String, code: FindingCode) {
    let severity = if code.severity() == Severity::Error { "Error" } else { "Warning" };
    write!(page, "## {code}\n\n{severity}. {}\n\n**To mend it:** {}\n\n", code.meaning(), code.mend())
        .unwrap();
    if let Some(example) = Example::of(code) {
        let said = example.said(Side::Broken).rendered;
        let shown: Vec<_> = said.lines().map(str::trim_end).collect();
        write!(page, "```diff\n{}```\n\n```text\n{}\n```\n\n", example.text, shown.join("\n").trim_end())
            .unwrap();
    }
}
