//! A Vertex AI that keeps the jobs it made and does with each create what a test says.
#![allow(dead_code, reason = "each test program uses its part")]

use std::{
    collections::{HashMap, VecDeque},
    sync::Mutex,
};

use async_trait::async_trait;
use launchgate_engine::{
    Run,
    ports::{CallError, CallErrorKind, Vertex},
};
use launchgate_outcome::Reason;
use launchgate_triggers::LaunchPlan;
use serde_json::{Value, json};

/// What the scripted Vertex does with the next create.
pub(crate) enum Next {
    /// Stores the job and says so.
    Accept,
    /// Stores the job; the answer is lost.
    AcceptThenReset,
    /// Refuses; whether it is known not to have been accepted.
    Fail(CallErrorKind, bool),
}

#[derive(Default)]
struct Script {
    next: VecDeque<Next>,
    jobs: HashMap<String, Value>,
    creates: usize,
    /// What fetching a job answers instead of the job.
    get_fails: Option<CallErrorKind>,
}

#[derive(Default)]
pub(crate) struct ScriptedVertex(Mutex<Script>);

impl ScriptedVertex {
    /// Does this with the next create that nothing was said of yet; without a word it is accepted.
    pub(crate) fn script(&self, next: Next) {
        self.0.lock().unwrap().next.push_back(next);
    }

    /// How many jobs there are.
    pub(crate) fn jobs(&self) -> usize {
        self.0.lock().unwrap().jobs.len()
    }

    /// How many creates came, whatever was answered.
    pub(crate) fn creates(&self) -> usize {
        self.0.lock().unwrap().creates
    }

    /// Puts a job there as if somebody else had made it.
    pub(crate) fn plant(&self, id: &str, job: Value) {
        self.0.lock().unwrap().jobs.insert(id.to_owned(), job);
    }

    /// Answers this to whoever fetches a job, or the job again.
    pub(crate) fn fetching_fails(&self, kind: Option<CallErrorKind>) {
        self.0.lock().unwrap().get_fails = kind;
    }
}

fn error(kind: CallErrorKind, code: &str, not_accepted: bool) -> CallError {
    CallError {
        kind,
        http_status: None,
        code: code.to_owned(),
        message: code.to_owned(),
        not_accepted,
        retry_after: None,
    }
}

#[async_trait]
impl Vertex for ScriptedVertex {
    async fn create(&self, plan: &LaunchPlan) -> Result<Run, CallError> {
        let mut script = self.0.lock().unwrap();
        script.creates += 1;
        let next = script.next.pop_front().unwrap_or(Next::Accept);
        if let Next::Fail(kind, not_accepted) = next {
            return Err(error(kind, "SCRIPTED", not_accepted));
        }
        let count = script.jobs.len();
        let id =
            if plan.kind().has_client_id() { plan.launch_id().to_string() } else { format!("job-{count}") };
        if script.jobs.contains_key(&id) {
            return Err(error(CallErrorKind::AlreadyExists, "ALREADY_EXISTS", true));
        }
        let mut job: Value = serde_json::from_str(&plan.request().body).unwrap();
        job["name"] = json!(format!("projects/1/x/{id}"));
        job["createTime"] = json!("2099-01-01T00:00:00Z");
        let run = self.run_of(plan, &job).unwrap();
        script.jobs.insert(id, job);
        match next {
            Next::AcceptThenReset => {
                Err(error(CallErrorKind::Transient(Reason::VertexUnavailable), "RESET", false))
            }
            _ => Ok(run),
        }
    }

    async fn get(&self, plan: &LaunchPlan) -> Result<Value, CallError> {
        let script = self.0.lock().unwrap();
        if let Some(kind) = script.get_fails {
            return Err(error(kind, "SCRIPTED", true));
        }
        let found = script.jobs.get(plan.launch_id().as_str()).cloned();
        found.ok_or_else(|| error(CallErrorKind::Terminal(Reason::NotFound), "NOT_FOUND", true))
    }

    async fn find(&self, plan: &LaunchPlan) -> Result<Vec<Value>, CallError> {
        let script = self.0.lock().unwrap();
        let jobs = script.jobs.values();
        Ok(jobs.filter(|job| job["labels"]["launchgate-id"] == plan.launch_id().as_str()).cloned().collect())
    }

    async fn look(&self, _: &LaunchPlan, run: &Run) -> Result<Value, CallError> {
        let script = self.0.lock().unwrap();
        if let Some(kind) = script.get_fails {
            return Err(error(kind, "SCRIPTED", true));
        }
        let found = script.jobs.values().find(|job| job["name"] == run.name.as_str()).cloned();
        found.ok_or_else(|| error(CallErrorKind::Terminal(Reason::NotFound), "NOT_FOUND", true))
    }

    fn run_of(&self, _: &LaunchPlan, job: &Value) -> Option<Run> {
        Some(Run {
            name: job["name"].as_str()?.to_owned(),
            console: String::new(),
            state: None,
            end: None,
            error: None,
        })
    }

    async fn ready(&self) -> Result<(), CallError> {
        Ok(())
    }
}
