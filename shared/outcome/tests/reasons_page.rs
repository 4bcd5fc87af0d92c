//! `docs/reasons.md` is written from the tables of this crate, so a code without a page cannot exist.
//!
//! `UPDATE_DOCS=1 cargo test -p launchgate-outcome` writes the page anew.

use std::{fmt::Write as _, fs, path::PathBuf};

use launchgate_outcome::{Outcome, Reason};

const HEAD: &str = "\
# Outcomes and reasons

<!-- Generated from shared/outcome/src; `UPDATE_DOCS=1 cargo test -p launchgate-outcome` writes it anew. -->

Every delivery, every event and every decision ends in one **outcome**. Most outcomes carry a **reason**: a
stable code that alerts and dashboards may rely on. `launchgate explain` and `launchgate events show` print
both, with a sentence that says what was expected, what was found and what to do.

";

#[test]
fn the_committed_page_is_what_the_tables_say() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/reasons.md");
    let page = page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &page).expect("docs/ is part of the checkout");
    }

    let committed = fs::read_to_string(&path).unwrap_or_default();

    assert!(
        committed == page,
        "docs/reasons.md is stale; run `UPDATE_DOCS=1 cargo test -p launchgate-outcome` and commit it"
    );
}

#[test]
fn each_code_has_a_section_of_its_own() {
    let page = page();

    for reason in Reason::ALL {
        let title = format!("### {reason}\n");
        assert_eq!(page.matches(&title).count(), 1, "{reason}");
    }
}

fn page() -> String {
    let mut page = HEAD.to_owned();
    outcomes(&mut page).and_then(|()| reasons(&mut page)).expect("writing to a String cannot fail");
    page
}

fn outcomes(page: &mut String) -> std::fmt::Result {
    page.push_str("## Outcomes\n\n");
    page.push_str(
        "An event with several decisions is summed up by the first of their outcomes in this order.\n",
    );
    page.push_str("*Exit code* is what a command ends with when this is its answer.\n\n");
    page.push_str("| outcome | meaning | exit code |\n|---|---|---|\n");
    for outcome in Outcome::ALL {
        writeln!(page, "| `{outcome}` | {} | {} |", outcome.meaning(), outcome.exit_code())?;
    }
    page.push('\n');
    Ok(())
}

fn reasons(page: &mut String) -> std::fmt::Result {
    page.push_str("## Reasons\n\n");
    let with_reasons = Outcome::ALL.into_iter().filter(|outcome| of(*outcome).next().is_some());
    for outcome in with_reasons.clone() {
        let codes: Vec<_> = of(outcome).map(|reason| format!("[`{reason}`](#{reason})")).collect();
        writeln!(page, "- `{outcome}`: {}", codes.join(", "))?;
    }
    page.push('\n');
    for outcome in with_reasons {
        for reason in of(outcome) {
            writeln!(
                page,
                "### {reason}\n\nOutcome `{outcome}`. {}\n\n**What to do:** {}\n",
                reason.meaning(),
                reason.fix()
            )?;
        }
    }
    page.truncate(page.trim_end().len());
    page.push('\n');
    Ok(())
}

fn of(outcome: Outcome) -> impl Iterator<Item = Reason> {
    Reason::ALL.iter().copied().filter(move |reason| reason.outcome() == outcome)
}
