//! What a suite of cases that we did not write came to: counted here, judged by its test, told in
//! `docs/conformance.md`.

use std::collections::BTreeMap;

use launchgate_statement::Sha256;

/// Counts of one suite. Every case is accepted, rejected or excluded, or it stands in `wrong` as well.
pub(crate) struct Suite {
    pub(crate) name: String,
    pub(crate) version: String,
    /// Fewer cases than this mean that the suite was cut or not read to its end.
    at_least: usize,
    pub(crate) accepted: usize,
    pub(crate) rejected: usize,
    /// Cases that could not be put to the code under test.
    pub(crate) excluded: usize,
    /// Why cases were excluded, or answered otherwise than the suite says; how many.
    pub(crate) explained: BTreeMap<String, usize>,
    /// Answers that are not the expected ones and that nobody explained.
    wrong: Vec<String>,
}

impl Suite {
    pub(crate) fn new(name: impl Into<String>, version: impl Into<String>, at_least: usize) -> Self {
        Self {
            name: name.into(),
            version: version.into(),
            at_least,
            accepted: 0,
            rejected: 0,
            excluded: 0,
            explained: BTreeMap::new(),
            wrong: Vec::new(),
        }
    }

    /// Counts the answer to a case that its makers call `valid` or not. `otherwise` says why another answer
    /// than theirs is right; a reason that does not apply is wrong like an answer without one.
    pub(crate) fn compare(&mut self, named: &str, accepted: bool, valid: bool, otherwise: Option<&str>) {
        self.answered(accepted);
        match otherwise {
            None if accepted && !valid => self.wrong(format!("{named}: ACCEPTED")),
            None if !accepted && valid => self.wrong(format!("{named}: rejected, for no listed reason")),
            None => {}
            Some(why) if accepted == valid => {
                self.wrong(format!("{named}: the listed reason does not apply: {why}"));
            }
            Some(why) if accepted => self.accepted_though_invalid(why),
            Some(why) => self.refused_though_valid(why),
        }
    }

    /// The rejected case is one that the suite calls valid or acceptable.
    pub(crate) fn refused_though_valid(&mut self, why: &str) {
        self.explain("refused though valid", why);
    }

    /// The accepted case is one that the suite calls invalid, for another question than the one it was put.
    pub(crate) fn accepted_though_invalid(&mut self, why: &str) {
        self.explain("accepted though invalid there", why);
    }

    pub(crate) fn answered(&mut self, accepted: bool) {
        *(if accepted { &mut self.accepted } else { &mut self.rejected }) += 1;
    }

    /// The case was not put to the code under test.
    pub(crate) fn exclude(&mut self, why: &str) {
        self.excluded += 1;
        self.explain("excluded", why);
    }

    fn explain(&mut self, what: &str, why: &str) {
        *self.explained.entry(format!("{what}: {why}")).or_default() += 1;
    }

    pub(crate) fn wrong(&mut self, case: String) {
        self.wrong.push(case);
    }

    pub(crate) fn cases(&self) -> usize {
        self.accepted + self.rejected + self.excluded
    }

    /// Fails with every case that fell short, not with the first.
    #[track_caller]
    pub(crate) fn holds(self) -> Self {
        let (wrong, cases) = (&self.wrong, self.cases());
        assert!(wrong.is_empty(), "{}: {} of {cases} cases:\n{}", self.name, wrong.len(), wrong.join("\n"));
        assert!(cases >= self.at_least, "{}: {cases} cases, expected {} or more", self.name, self.at_least);
        self
    }
}

/// The version of a suite that is a file without one: the head of its digest.
pub(crate) fn version_of(text: &str) -> String {
    format!("SHA-256 {}…", &Sha256::of(text.as_bytes()).to_hex()[..12])
}
