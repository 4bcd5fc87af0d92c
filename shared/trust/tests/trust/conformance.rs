//! `docs/conformance.md`: what the suites of others came to, written from a run of them.
//!
//! A suite that cannot be run on this machine keeps the row it has, so that the page is stale only where
//! something that was run says otherwise. To add a suite, add a `Source`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::{
    keyless, python_peers, sigstore_corpus, sigstore_peers, suite::Suite, vectors, wycheproof_suites,
};

/// What is run and what is not, above the table.
const HEAD: &str = "\
# Conformance

<!-- Generated: `UPDATE_DOCS=1 cargo test -p launchgate-trust conformance`; a test checks that it is current. -->

What verification answers to cases that were made elsewhere. Each run of the tests runs every case again. It fails
on a case that is accepted and should not be, on a case that is refused without a reason listed here, on a suite
that has become smaller, and when this page is stale.

- **accepted**, **rejected**: what verification answered.
- **excluded**: not put to verification, because something before it refuses; the last column says what.
- **refused though valid**: counted as rejected. The suite calls the case valid or acceptable, and we refuse it for
  the reason given.
- **accepted though invalid there**: counted as accepted. The suite asks another question than ours, and the
  answer to ours is yes, for the reason given.

All other answers are the ones the suite expects. Where a suite is made by another library during the run, what is
expected is what that library itself says of the case.

";

/// Suites that are there or not there together.
struct Source {
    /// The names of its suites, as the page has them.
    names: &'static [&'static str],
    /// Runs them; `None` where something is missing, which is said in the name of the test given.
    run: fn(&str) -> Option<Vec<Suite>>,
}

/// Everything on the page, in its order.
const SOURCES: &[Source] = &[
    Source { names: &[], run: |_| Some(wycheproof_suites::suites()) },
    Source { names: &[vectors::OFFICIAL], run: |test| Some(vec![vectors::official(test)?]) },
    Source { names: &[], run: |_| Some(vec![vectors::dsse(), keyless::suite(), vectors::webhook()]) },
    Source { names: &[vectors::PLUGIN], run: |test| Some(vec![vectors::plugin(test)?]) },
    Source { names: python_peers::NAMES, run: python_peers::suites },
    Source { names: &[sigstore_corpus::NAME], run: |test| Some(vec![sigstore_corpus::suite(test)?]) },
    Source { names: &[sigstore_peers::MOCK], run: |test| Some(vec![sigstore_peers::mock(test)?]) },
    Source {
        names: &[sigstore_peers::SECOND_OPINION],
        run: |test| Some(vec![sigstore_peers::second_opinion(test)?]),
    },
];

/// One line of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    name: String,
    version: String,
    /// Cases, accepted, rejected, excluded.
    counts: [usize; 4],
    why: String,
}

impl Row {
    fn of(suite: &Suite) -> Self {
        let why: Vec<_> = suite.explained.iter().map(|(why, cases)| format!("{cases} {why}")).collect();
        let counts = [suite.cases(), suite.accepted, suite.rejected, suite.excluded];
        Self { name: suite.name.clone(), version: suite.version.clone(), counts, why: why.join("; ") }
    }

    /// A row as it stands on the page; `None` for any other line.
    fn read(line: &str) -> Option<Self> {
        let cells: Vec<_> = line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ").collect();
        let [name, version, cases, accepted, rejected, excluded, why] = cells[..] else { return None };
        let count = |cell: &str| cell.parse().ok();
        let counts = [count(cases)?, count(accepted)?, count(rejected)?, count(excluded)?];
        Some(Self { name: name.to_owned(), version: version.to_owned(), counts, why: why.to_owned() })
    }

    fn written(&self) -> String {
        let Self { name, version, counts: [cases, accepted, rejected, excluded], why } = self;
        format!("| {name} | {version} | {cases} | {accepted} | {rejected} | {excluded} | {why} |\n")
    }
}

/// The rows of all suites: those of this run, and of those that cannot be run the ones that `written` has.
fn rows(test: &str, written: &BTreeMap<String, Row>) -> Vec<Row> {
    let mut rows = Vec::new();
    for Source { names, run } in SOURCES {
        if let Some(suites) = run(test) {
            rows.extend(suites.into_iter().map(|suite| Row::of(&suite.holds())));
        } else {
            rows.extend(names.iter().map(|name| {
                let row = written.get(*name).cloned();
                row.unwrap_or_else(|| panic!("the suite `{name}` has no row yet and cannot be run here"))
            }));
        }
    }
    rows
}

fn page(rows: &[Row], after: &str) -> String {
    let mut page = HEAD.to_owned();
    page.push_str("| suite | version | cases | accepted | rejected | excluded | why excluded, or answered otherwise |\n");
    page.push_str("|---|---|---:|---:|---:|---:|---|\n");
    let mut all =
        Row { name: "**all**".to_owned(), version: String::new(), counts: [0; 4], why: String::new() };
    for row in rows {
        for (sum, count) in all.counts.iter_mut().zip(row.counts) {
            *sum += count;
        }
        page.push_str(&row.written());
    }
    page.push_str(&all.written());
    page + after
}

/// Where the part of the page begins that `tests/python/mutants_table.py` writes; it is kept as it stands.
const MUTANTS: &str = "\n<!-- mutants -->";

#[test]
fn the_conformance_page_is_current() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/conformance.md");
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    let (table, after) = written.split_at(written.find(MUTANTS).unwrap_or(written.len()));
    let known = table.lines().filter_map(Row::read).map(|row| (row.name.clone(), row)).collect();

    let rows = rows("conformance::the_conformance_page_is_current", &known);
    let page = page(&rows, after);

    if std::env::var_os("UPDATE_DOCS").is_some_and(|update| update == "1") {
        std::fs::write(&path, &page).unwrap();
        return;
    }
    for row in &rows {
        let [cases, told] = [Some(row), known.get(&row.name)].map(|row| row.map_or(0, |row| row.counts[0]));
        assert!(cases >= told, "{}: {cases} cases, the page has {told}: a suite lost some", row.name);
    }
    assert!(
        written == page,
        "docs/conformance.md is stale: run `UPDATE_DOCS=1 cargo test -p launchgate-trust conformance`"
    );
}

#[test]
fn a_row_is_read_as_it_was_written() {
    let row = Row {
        name: "a suite".to_owned(),
        version: "1.0".to_owned(),
        counts: [3, 1, 1, 1],
        why: "1 excluded: because".to_owned(),
    };
    let bare = Row { why: String::new(), ..row.clone() };

    for row in [row, bare] {
        assert_eq!(Row::read(row.written().trim_end_matches('\n')), Some(row));
    }
    assert_eq!(Row::read("| suite | version | cases | accepted | rejected | excluded | why |"), None);
}
