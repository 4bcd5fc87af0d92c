//! A scope that costs nothing until it is asked for.

use std::cell::OnceCell;

use launchgate_statement::Artifact;
use launchgate_trust::{VerifiedEvent, VouchedFacts};

use crate::scope::Scope;

/// The variables of expressions, made when the first expression asks: most launches read none.
pub(crate) struct LazyScope<'a> {
    event: &'a VerifiedEvent,
    artifact: &'a Artifact,
    facts: &'a VouchedFacts,
    scope: OnceCell<Scope<'a>>,
}

impl<'a> LazyScope<'a> {
    pub(crate) fn new(event: &'a VerifiedEvent, artifact: &'a Artifact, facts: &'a VouchedFacts) -> Self {
        Self { event, artifact, facts, scope: OnceCell::new() }
    }

    pub(crate) fn get(&self) -> &Scope<'a> {
        self.scope.get_or_init(|| Scope::new(self.event, self.artifact, self.facts))
    }
}
