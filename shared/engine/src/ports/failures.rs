//! Where failed launches are told.

use async_trait::async_trait;

use crate::DecisionRecord;

/// Tells people of a failed launch.
#[async_trait]
pub trait Failures: Send + Sync + 'static {
    /// Publishes one notice; `Ok` means confirmed.
    async fn publish(&self, notice: FailureNotice<'_>) -> Result<(), String>;
}

/// A failed launch as it is told: the decision, from which attributes (`outcome`, `reason`, `trigger`,
/// `event`, `launch_id`) and a JSON body are made.
#[derive(Clone, Copy, Debug)]
pub struct FailureNotice<'a> {
    /// The decision.
    pub decision: &'a DecisionRecord,
}

/// No failures topic is configured: the log is the only place.
#[derive(Clone, Copy, Debug)]
pub struct NoFailureTopic;

#[async_trait]
impl Failures for NoFailureTopic {
    async fn publish(&self, _: FailureNotice<'_>) -> Result<(), String> {
        Ok(())
    }
}
