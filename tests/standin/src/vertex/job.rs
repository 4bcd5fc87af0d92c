//! One stored job: what was sent, what the server added, and how its state moves on.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{kind::JobKind, labels::BILLING_ID};
use crate::timestamp::rfc3339;

/// State of a job; the enum of the job's own kind has it with its prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum JobState {
    /// Waiting in a queue of the service.
    Queued,
    /// Accepted, not started.
    Pending,
    /// Work is going on.
    Running,
    /// Ended well.
    Succeeded,
    /// Ended with an error.
    Failed,
    /// Asked to stop.
    Cancelling,
    /// Stopped as asked.
    Cancelled,
    /// Stopped, can be resumed.
    Paused,
}

impl JobState {
    /// Whether the job can still change by itself.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }

    fn word(self) -> &'static str {
        match self {
            Self::Queued => "QUEUED",
            Self::Pending => "PENDING",
            Self::Running => "RUNNING",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::Cancelling => "CANCELLING",
            Self::Cancelled => "CANCELLED",
            Self::Paused => "PAUSED",
        }
    }
}

/// What makes a job move from PENDING over RUNNING to its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "type")]
pub enum Schedule {
    /// Nothing: only an explicit call does. Tests that wait for nothing use this.
    #[default]
    Manual,
    /// Each GET (and list) that shows the job moves it one step after it was shown.
    EachRead,
    /// Time since creation, in milliseconds.
    Timed {
        /// PENDING lasts this long.
        running_after_ms: u64,
        /// PENDING and RUNNING together last this long.
        finished_after_ms: u64,
    },
}

/// Identity of a job: unique among all a stand-in holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct JobKey {
    pub(crate) project_number: u64,
    pub(crate) location: String,
    pub(crate) kind: JobKind,
    pub(crate) id: String,
}

impl JobKey {
    /// `projects/NUMBER/locations/L/COLLECTION/ID`: the server names projects by number.
    pub(crate) fn name(&self) -> String {
        format!(
            "projects/{}/locations/{}/{}/{}",
            self.project_number,
            self.location,
            self.kind.collection(),
            self.id
        )
    }
}

/// A job as the stand-in keeps it.
#[derive(Clone, Debug)]
pub(crate) struct StoredJob {
    pub(crate) key: JobKey,
    /// The resource in canonical form, without what only the server writes.
    pub(crate) body: Value,
    pub(crate) state: JobState,
    /// Set when the job is to end in FAILED with this `google.rpc.Status`.
    pub(crate) ends_with: Option<Value>,
    pub(crate) created_at: SystemTime,
    pub(crate) updated_at: SystemTime,
    pub(crate) started_at: Option<SystemTime>,
    pub(crate) ended_at: Option<SystemTime>,
    /// List calls of its collection answered since it was created.
    pub(crate) lists_since: u32,
}

impl StoredJob {
    /// A job just accepted: PENDING, with the defaults that the server fills in.
    pub(crate) fn accepted(key: JobKey, mut body: Value, now: SystemTime, billing_id: u64) -> Self {
        if key.kind == JobKind::PipelineJobs {
            body["labels"][BILLING_ID] = json!(billing_id.to_string());
            if body["serviceAccount"].as_str().unwrap_or_default().is_empty() {
                body["serviceAccount"] =
                    json!(format!("{}-compute@developer.gserviceaccount.com", key.project_number));
            }
        }
        Self {
            key,
            body,
            state: JobState::Pending,
            ends_with: None,
            created_at: now,
            updated_at: now,
            started_at: None,
            ended_at: None,
            lists_since: 0,
        }
    }

    /// The resource as the server shows it.
    pub(crate) fn resource(&self) -> Value {
        let mut shown = self.body.clone();
        shown["name"] = json!(self.key.name());
        shown["state"] = json!(format!("{}{}", self.key.kind.state_prefix(), self.state.word()));
        shown["createTime"] = json!(rfc3339(self.created_at));
        shown["updateTime"] = json!(rfc3339(self.updated_at));
        if let Some(at) = self.started_at {
            shown["startTime"] = json!(rfc3339(at));
        }
        if let Some(at) = self.ended_at {
            shown["endTime"] = json!(rfc3339(at));
        }
        if let (JobState::Failed, Some(error)) = (self.state, &self.ends_with) {
            shown["error"] = error.clone();
        }
        shown
    }

    /// Puts the job into a state at a moment, keeping start and end in step.
    pub(crate) fn enter(&mut self, state: JobState, at: SystemTime) {
        self.state = state;
        self.updated_at = at;
        if state == JobState::Running {
            self.started_at.get_or_insert(at);
        }
        if state.is_final() {
            self.ended_at.get_or_insert(at);
        }
    }

    /// One step towards the end; a finished job stays as it is.
    pub(crate) fn step(&mut self, at: SystemTime) {
        let end = if self.ends_with.is_some() { JobState::Failed } else { JobState::Succeeded };
        match self.state {
            JobState::Queued => self.enter(JobState::Pending, at),
            JobState::Pending | JobState::Paused => self.enter(JobState::Running, at),
            JobState::Running => self.enter(end, at),
            JobState::Cancelling => self.enter(JobState::Cancelled, at),
            JobState::Succeeded | JobState::Failed | JobState::Cancelled => {}
        }
    }

    /// Moves the job to where the time puts it.
    pub(crate) fn catch_up(&mut self, schedule: Schedule, now: SystemTime) {
        let Schedule::Timed { running_after_ms, finished_after_ms } = schedule else {
            return;
        };
        let started = self.created_at + Duration::from_millis(running_after_ms);
        let finished = self.created_at + Duration::from_millis(finished_after_ms.max(running_after_ms));
        if self.state == JobState::Cancelling {
            self.step(now);
        }
        if self.state == JobState::Pending && now >= started {
            self.step(started);
        }
        if self.state == JobState::Running && now >= finished {
            self.step(finished);
        }
    }
}
