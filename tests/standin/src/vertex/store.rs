//! The jobs a stand-in holds, by name and in order of creation.
//!
//! Knows no HTTP and no faults. In lean mode only the names of jobs are kept, so that a long load run does not
//! fill the memory.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    filter::Filter,
    job::{JobKey, JobState, Schedule, StoredJob},
    kind::JobKind,
};

/// When a job that exists begins to appear in list answers. GET shows it at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "type")]
pub enum ListVisibility {
    /// With its creation.
    #[default]
    AtOnce,
    /// So many milliseconds after its creation.
    After {
        /// Milliseconds.
        ms: u64,
    },
    /// After so many list calls on its collection that did not show it.
    AfterLists {
        /// List calls that leave it out.
        count: u32,
    },
    /// Not until this setting changes.
    Never,
}

/// Numbers the server would have given to a project that the options do not name.
const FIRST_PROJECT_NUMBER: u64 = 100_000_000_001;
/// Numeric ids of jobs are 19 digits or fewer; this is where ours begin.
const FIRST_JOB_ID: u64 = 4_617_315_517_961_601_024;

#[derive(Debug)]
pub(crate) struct JobStore {
    project_numbers: BTreeMap<String, u64>,
    pub(crate) schedule: Schedule,
    pub(crate) visibility: ListVisibility,
    order: Vec<JobKey>,
    jobs: HashMap<JobKey, StoredJob>,
    lean: HashSet<Box<str>>,
    next_id: u64,
}

/// A create that found its name taken.
#[derive(Debug, PartialEq)]
pub(crate) struct AlreadyExists;

impl JobStore {
    pub(crate) fn new(
        project_numbers: BTreeMap<String, u64>,
        schedule: Schedule,
        visibility: ListVisibility,
    ) -> Self {
        Self {
            project_numbers,
            schedule,
            visibility,
            order: Vec::new(),
            jobs: HashMap::new(),
            lean: HashSet::new(),
            next_id: FIRST_JOB_ID,
        }
    }

    /// The number of a project given by id or by number; the same project always has the same one.
    pub(crate) fn project_number(&mut self, project: &str) -> u64 {
        if let Ok(number) = project.parse() {
            return number;
        }
        if let Some(number) = self.project_numbers.get(project) {
            return *number;
        }
        let mut number = FIRST_PROJECT_NUMBER;
        while self.project_numbers.values().any(|taken| *taken == number) {
            number += 1;
        }
        self.project_numbers.insert(project.to_owned(), number);
        number
    }

    /// An id the server makes up.
    pub(crate) fn next_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    pub(crate) fn create(
        &mut self,
        key: JobKey,
        body: Value,
        now: SystemTime,
    ) -> Result<&mut StoredJob, AlreadyExists> {
        let billing_id = self.next_id();
        self.insert(StoredJob::accepted(key, body, now, billing_id))
    }

    pub(crate) fn insert(&mut self, job: StoredJob) -> Result<&mut StoredJob, AlreadyExists> {
        let key = job.key.clone();
        if self.jobs.contains_key(&key) {
            return Err(AlreadyExists);
        }
        self.order.push(key.clone());
        Ok(self.jobs.entry(key).or_insert(job))
    }

    /// Keeps the name alone; true if it is new.
    pub(crate) fn create_lean(&mut self, name: &str) -> bool {
        !self.lean.contains(name) && self.lean.insert(name.into())
    }

    pub(crate) fn holds_lean(&self, name: &str) -> bool {
        self.lean.contains(name)
    }

    pub(crate) fn count(&self) -> usize {
        self.jobs.len() + self.lean.len()
    }

    /// A job as it stands now, without counting as a read.
    pub(crate) fn peek(&mut self, key: &JobKey, now: SystemTime) -> Option<&mut StoredJob> {
        let schedule = self.schedule;
        let job = self.jobs.get_mut(key)?;
        job.catch_up(schedule, now);
        Some(job)
    }

    /// The resource as GET shows it; under [`Schedule::EachRead`] the job then moves on.
    pub(crate) fn read(&mut self, key: &JobKey, now: SystemTime) -> Option<Value> {
        let each_read = self.schedule == Schedule::EachRead;
        let job = self.peek(key, now)?;
        let shown = job.resource();
        if each_read {
            job.step(now);
        }
        Some(shown)
    }

    /// The resources of a collection that the filter holds for, newest first.
    pub(crate) fn list(
        &mut self,
        project_number: u64,
        location: &str,
        kind: JobKind,
        filter: &Filter,
        now: SystemTime,
    ) -> Vec<Value> {
        let (schedule, visibility) = (self.schedule, self.visibility);
        let mut shown = Vec::new();
        for key in self.order.iter().rev() {
            // `-` stands for every location.
            let in_place = key.project_number == project_number
                && key.kind == kind
                && (location == "-" || key.location == location);
            let Some(job) = self.jobs.get_mut(key).filter(|_| in_place) else {
                continue;
            };
            job.catch_up(schedule, now);
            let visible = match visibility {
                ListVisibility::AtOnce => true,
                ListVisibility::After { ms } => now >= job.created_at + Duration::from_millis(ms),
                ListVisibility::AfterLists { count } => job.lists_since >= count,
                ListVisibility::Never => false,
            };
            job.lists_since = job.lists_since.saturating_add(1);
            let resource = job.resource();
            if visible && filter.holds(&resource) {
                shown.push(resource);
                if schedule == Schedule::EachRead {
                    job.step(now);
                }
            }
        }
        shown
    }

    pub(crate) fn remove(&mut self, key: &JobKey) {
        self.order.retain(|other| other != key);
        self.jobs.remove(key);
    }

    /// Every job in order of creation, as it stands now.
    pub(crate) fn all(&mut self, now: SystemTime) -> Vec<Value> {
        let schedule = self.schedule;
        let mut all = Vec::with_capacity(self.order.len());
        for key in &self.order {
            if let Some(job) = self.jobs.get_mut(key) {
                job.catch_up(schedule, now);
                all.push(job.resource());
            }
        }
        all
    }

    /// Moves a job by hand.
    pub(crate) fn enter(
        &mut self,
        key: &JobKey,
        state: JobState,
        error: Option<Value>,
        now: SystemTime,
    ) -> bool {
        let Some(job) = self.jobs.get_mut(key) else {
            return false;
        };
        if error.is_some() {
            job.ends_with = error;
        }
        job.enter(state, now);
        true
    }
}
