//! Buildkite's webhooks as the relay sees them: headers and event names.
//!
//! The event's name stands in an unsigned header and in the signed body; only the body counts, and only
//! once its HMAC is verified. Source: buildkite.com/docs/apis/webhooks/pipelines.

use serde::Deserialize;

/// `timestamp=SECONDS,signature=HEX`: HMAC-SHA256 over `SECONDS.rawbody`.
pub const SIGNATURE_HEADER: &str = "x-buildkite-signature";

/// The webhook's secret in plain. A relay that is sent this one is set up wrongly: the secret has travelled.
pub const TOKEN_HEADER: &str = "x-buildkite-token";

/// The event's name, unsigned: a hint at most.
pub const EVENT_HEADER: &str = "x-buildkite-event";

/// Declares the events with their names in one place.
macro_rules! events {
    ($($variant:ident = $name:literal : $doc:literal;)*) => {
        /// What a webhook tells.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum WebhookEvent { $(#[doc = $doc] $variant,)* }

        impl WebhookEvent {
            /// Every event that is known.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Buildkite's name of it.
            pub fn as_str(self) -> &'static str { match self { $(Self::$variant => $name,)* } }
        }
    };
}

events! {
    Ping = "ping": "Sent when the webhook is set up, and on demand.";
    BuildScheduled = "build.scheduled": "A build has been created.";
    BuildRunning = "build.running": "A build has started.";
    BuildFailing = "build.failing": "A job has failed; the build goes on.";
    BuildFinished = "build.finished": "A build has finished, or has stopped at a block step.";
    BuildSkipped = "build.skipped": "A build was skipped for a newer one.";
    JobScheduled = "job.scheduled": "A job waits for an agent.";
    JobStarted = "job.started": "A job has started.";
    JobFinished = "job.finished": "A job has finished.";
    JobActivated = "job.activated": "A block step was unblocked.";
    AgentConnected = "agent.connected": "An agent has connected.";
    AgentLost = "agent.lost": "An agent has been lost.";
    AgentDisconnected = "agent.disconnected": "An agent has disconnected.";
    AgentStopping = "agent.stopping": "An agent is stopping.";
    AgentStopped = "agent.stopped": "An agent has stopped.";
    AgentBlocked = "agent.blocked": "An agent's address is not allowed.";
}

impl WebhookEvent {
    /// The event of a name; `None` for one that is not known.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|event| event.as_str() == name)
    }

    /// Whether it tells of a build: every such event carries the whole build as it is then.
    pub fn is_of_a_build(self) -> bool {
        matches!(
            self,
            Self::BuildScheduled
                | Self::BuildRunning
                | Self::BuildFailing
                | Self::BuildFinished
                | Self::BuildSkipped
        )
    }
}

/// What a relay does with a webhook, judged by its body alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebhookClass {
    /// Build facts: to be passed on.
    BuildFacts(WebhookEvent),
    /// Known, and of no use here: to be taken and dropped, so that Buildkite does not count a failure.
    Other(WebhookEvent),
    /// A name nobody knows yet: taken and dropped likewise. Bounded; escape before showing.
    Unknown(String),
    /// Not a webhook's body at all.
    NotAWebhook,
}

/// Characters of an unknown event's name that are kept.
const NAME: usize = 64;

/// Reads the body's own `event`, and nothing else of it. Says nothing of who sent it.
pub fn classify(body: &[u8]) -> WebhookClass {
    #[derive(Deserialize)]
    struct Head {
        event: String,
    }
    // serde would take a list for the object.
    if !body.trim_ascii_start().starts_with(b"{") {
        return WebhookClass::NotAWebhook;
    }
    let Ok(Head { event }) = serde_json::from_slice(body) else { return WebhookClass::NotAWebhook };
    match WebhookEvent::from_name(&event) {
        Some(event) if event.is_of_a_build() => WebhookClass::BuildFacts(event),
        Some(event) => WebhookClass::Other(event),
        None => WebhookClass::Unknown(event.chars().filter(|c| !c.is_control()).take(NAME).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_builds_carry_facts_and_nothing_else_does() {
        for event in WebhookEvent::ALL {
            let body = format!(r#"{{"event": "{}", "build": {{"id": "x"}}}}"#, event.as_str());
            let class = classify(body.as_bytes());
            if event.as_str().starts_with("build.") {
                assert_eq!(class, WebhookClass::BuildFacts(*event));
            } else {
                assert_eq!(class, WebhookClass::Other(*event));
            }
        }
    }

    #[test]
    fn an_unknown_event_is_named_within_bounds() {
        let long = format!(r#"{{"event": "a\u0000{}"}}"#, "b".repeat(500));
        assert_eq!(classify(long.as_bytes()), WebhookClass::Unknown(format!("a{}", "b".repeat(63))));
    }

    #[test]
    fn a_body_without_an_event_is_no_webhook() {
        for body in [
            "",
            "[]",
            r#"["ping"]"#,
            "null",
            "{}",
            r#"{"event": 1}"#,
            r#"{"event": "ping""#,
            r#"{"event":"ping","event":"ping"}"#,
        ] {
            assert_eq!(classify(body.as_bytes()), WebhookClass::NotAWebhook, "{body}");
        }
        assert_eq!(classify(&[0xff, 0xfe]), WebhookClass::NotAWebhook);
    }
}
