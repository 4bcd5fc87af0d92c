//! What a set of permitted signers proves of an event.

use launchgate_outcome::Voucher;
use launchgate_statement::{Build, FactName, Timestamp};

use crate::{Root, SignerId, VerifiedEvent};

/// The facts that the permitted signers vouch for; everything else is absent.
#[derive(Clone, Debug, Default)]
pub struct VouchedFacts {
    build: Build,
    signers: Vec<SignerId>,
    roots: Vec<Root>,
    time: Option<VouchedTime>,
}

/// A vouched instant that says when the event came to be, for `maxAge`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VouchedTime {
    /// When.
    pub at: Timestamp,
    /// Where it stands: `startedOn`, `token iat`, …
    pub source: &'static str,
    /// Who proves it.
    pub voucher: Voucher,
}

impl VouchedFacts {
    pub(crate) fn gather(event: &VerifiedEvent, any_of: &[SignerId]) -> Self {
        let _ = (event, any_of);
        unimplemented!("vouched facts")
    }

    /// The vouched facts; an unvouched one is `None`.
    pub fn build(&self) -> &Build {
        &self.build
    }

    /// Who proves `fact`; `None` when nobody permitted does (or the statement does not have it).
    pub fn voucher(&self, fact: FactName) -> Option<Voucher> {
        let _ = fact;
        unimplemented!("vouched facts")
    }

    /// The permitted signers that signed.
    pub fn signers(&self) -> &[SignerId] {
        &self.signers
    }

    /// Distinct roots among them: what `atLeast` counts.
    pub fn roots(&self) -> usize {
        self.roots.len()
    }

    /// The instant `maxAge` is measured from.
    pub fn time(&self) -> Option<VouchedTime> {
        self.time
    }
}
