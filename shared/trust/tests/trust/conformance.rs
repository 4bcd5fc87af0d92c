//! `docs/conformance.md`: what the suites of others came to, written from a run of them.

use std::path::PathBuf;

use crate::{sigstore_corpus, sigstore_peers, suite::Suite, vectors, wycheproof_suites};

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
- **accepted though invalid there**: counted as accepted. The suite puts its cases to a verifier that wants other
  parameters than ours; this signature has ours, and is correct.

All other answers are the ones the suite expects.

";

fn page(suites: &[Suite]) -> String {
    let mut page = HEAD.to_owned();
    page.push_str("| suite | version | cases | accepted | rejected | excluded | why excluded, or answered otherwise |\n");
    page.push_str("|---|---|---:|---:|---:|---:|---|\n");
    let row = |name: &str, version: &str, counts: [usize; 4], why: &str| {
        let [cases, accepted, rejected, excluded] = counts;
        format!("| {name} | {version} | {cases} | {accepted} | {rejected} | {excluded} | {why} |\n")
    };
    let mut sums = [0; 4];
    for suite in suites {
        let counts = [suite.cases(), suite.accepted, suite.rejected, suite.excluded];
        for (sum, count) in sums.iter_mut().zip(counts) {
            *sum += count;
        }
        let why: Vec<_> = suite.explained.iter().map(|(why, cases)| format!("{cases} {why}")).collect();
        page.push_str(&row(&suite.name, &suite.version, counts, &why.join("; ")));
    }
    page.push_str(&row("**all**", "", sums, ""));
    page
}

#[test]
fn the_conformance_page_is_current() {
    let name = "conformance::the_conformance_page_is_current";
    let Some(official) = vectors::official(name) else { return };
    let Some(plugin) = vectors::plugin(name) else { return };
    let Some(bundles) = sigstore_corpus::suite(name) else { return };
    let (Some(mock), Some(second)) = (sigstore_peers::mock(name), sigstore_peers::second_opinion(name))
    else {
        return;
    };
    let mut suites = wycheproof_suites::suites();
    suites.extend([official, vectors::dsse(), vectors::webhook(), plugin, bundles, mock, second]);
    let suites: Vec<_> = suites.into_iter().map(Suite::holds).collect();
    let page = page(&suites);

    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/conformance.md");
    if std::env::var_os("UPDATE_DOCS").is_some_and(|update| update == "1") {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "docs/conformance.md is stale: run `UPDATE_DOCS=1 cargo test -p launchgate-trust conformance`"
    );
}
