//! What a token or certificate says of the build that the statement, or a pin, says otherwise.

use launchgate_outcome::{Check, Reason, Refusal};

/// A claim that is not what the statement or a pin says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mismatch {
    /// Whose claim: `the token's`, `the certificate's`.
    pub(crate) of: &'static str,
    pub(crate) claim: &'static str,
    /// Who expects it: the statement, or a pin.
    pub(crate) by: &'static str,
    pub(crate) expected: String,
    pub(crate) actual: String,
}

/// The signer's own configuration expects it.
pub(crate) const PINNED: &str = "the signer is pinned to";

impl Mismatch {
    /// A claim that the statement gives otherwise; `None` is none.
    pub(crate) fn with_statement(
        of: &'static str,
        claim: &'static str,
        expected: Option<&str>,
        actual: Option<&str>,
    ) -> Self {
        let word = |text: Option<&str>| text.map_or_else(|| "none".to_owned(), bounded);
        Self { of, claim, by: "the statement says", expected: word(expected), actual: word(actual) }
    }

    pub(crate) fn refusal(&self) -> Refusal {
        let Self { of, claim, by, expected, actual } = self;
        let message = format!("{of} `{claim}` is {actual}, but {by} {expected}");
        Refusal::new(Reason::IdentityMismatch, message)
    }

    pub(crate) fn check(&self) -> Check {
        let Self { claim, expected, actual, .. } = self;
        Check::failed("identity").expected(format!("{claim} {expected}")).actual(actual.clone())
    }
}

/// The start of a text that a stranger chose, short enough for a message.
pub(crate) fn bounded(text: &str) -> String {
    text.chars().take(200).collect()
}
