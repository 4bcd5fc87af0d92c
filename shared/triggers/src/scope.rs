//! What expressions can see. Source: DESIGN §4, "Variables".

use launchgate_statement::Artifact;
use launchgate_trust::{VerifiedEvent, VouchedFacts};

/// The variables of one (event, subject, trigger): `build`, `claimed`, `artifact`, `event`, `provenance`,
/// `identity`. JSON integers are CEL ints. Built once and used by every expression of the trigger.
pub(crate) struct Scope {
    _private: (),
}

impl Scope {
    /// `facts` are what the trigger's permitted signers vouch for.
    pub(crate) fn new(event: &VerifiedEvent, artifact: &Artifact, facts: &VouchedFacts) -> Self {
        let _ = (event, artifact, facts);
        unimplemented!("scope")
    }
}
