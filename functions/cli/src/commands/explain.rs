//! `launchgate explain`: the whole decision offline, by the code that decides in production.

use std::path::PathBuf;

use clap::Args;
use launchgate_engine::{Decided, Judgement, judge};
use launchgate_outcome::{Check, Outcome, Reason};
use launchgate_statement::{Artifact, Build, EventId, Timestamp};
use launchgate_triggers::{DecideOptions, Decision, LaunchPlan};
use launchgate_trust::{BuildFacts, TrustInputs};
use serde::Serialize;
use serde_json::{Map, Value, value::RawValue};

use crate::{
    buildkite_keys::KeysArgument,
    clock,
    command_line::ConfigArgument,
    event_source::GivenEvent,
    failure::Failure,
    ladder,
    output::{Output, Paint, indented, line, lines, spread_json},
};

/// What is checked only where a ledger is.
const NEEDS_LEDGER: &str = "offline: whether this event was decided before is not asked";

#[derive(Debug, Args)]
#[command(after_help = "\
Nothing is launched and no ledger is read; the request shown is byte for byte what the service would send.

Examples:
  launchgate explain event.json
  launchgate explain event.json --publish-time 2026-11-18T11:06:40Z --output json
  launchgate emit --key release.key --artifact model.bin --dry-run | launchgate explain -
  launchgate explain keyless-event.json --jwks buildkite-jwks.json
  launchgate explain event.json --build-facts webhook.json

Exit codes: 0 would launch · 3 rejected · 4 denied or invalid parameters · 5 no trigger matches ·
6 would wait, observed or paused · 2 the triggers file or the command line has errors")]
pub(crate) struct Explain {
    /// File with an envelope, a Sigstore bundle or a Pub/Sub push body; `-` is standard input
    event: PathBuf,
    #[command(flatten)]
    config: ConfigArgument,
    /// When Pub/Sub took the event in; default: the push body's publishTime, else now
    #[arg(long, value_name = "TIME", value_parser = clock::parse)]
    publish_time: Option<Timestamp>,
    #[command(flatten)]
    keys: KeysArgument,
    /// A Buildkite webhook's body: its facts of the build are used and marked "given by the operator"
    #[arg(long, value_name = "FILE")]
    build_facts: Option<PathBuf>,
}

impl Explain {
    pub(crate) fn run(self, output: &Output) -> Result<u8, Failure> {
        let config = self.config.load()?;
        let build_facts: Vec<_> = self.build_facts()?.into_iter().collect();
        let given = GivenEvent::read(&self.event)?;
        let published = self.publish_time.or(given.publish_time).unwrap_or_else(clock::now);
        let options = DecideOptions { build_facts: &build_facts, ..DecideOptions::default() };
        let judgement = self.keys.answer(|buildkite_keys| {
            judge(&config, &given.data, TrustInputs { published, buildkite_keys }, options)
        })?;
        if let (Some(facts), Judgement::Decided(decided)) = (build_facts.first(), &judgement)
            && !facts.are_of(&decided.event.statement().build, None)
        {
            let [theirs, ours] = [facts.build(), &decided.event.statement().build].map(build_line);
            output.warn(&format!("--build-facts is not used: it tells of {theirs}; the event is of {ours}"));
        }
        let explanation = Explanation::of(&judgement);
        if output.is_json() {
            output.json(&explanation)?;
        } else {
            output.data(&explanation.rendered(output.paint))?;
        }
        Ok(explanation.outcome.exit_code())
    }

    /// What `--build-facts` says of a build; nobody but the operator vouches for it.
    fn build_facts(&self) -> Result<Option<BuildFacts>, Failure> {
        let Some(path) = &self.build_facts else { return Ok(None) };
        let body = GivenEvent::read(path)?.data;
        let facts = BuildFacts::given_by_operator(&body).map_err(|refusal| {
            Failure::usage(format!("{}: {}: {}", path.display(), refusal.reason, refusal.message))
        })?;
        Ok(Some(facts))
    }
}

/// The answer. Its JSON shape is a contract: DESIGN §8.
#[derive(Debug, Serialize)]
pub(crate) struct Explanation<'j> {
    event: ExplainedEvent<'j>,
    pub(crate) outcome: Outcome,
    reason: Option<Reason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'j str>,
    checks: Vec<Check>,
    decisions: Vec<ExplainedDecision<'j>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unmatched: Vec<ExplainedMiss<'j>>,
}

#[derive(Debug, Serialize)]
struct ExplainedEvent<'j> {
    id: Option<EventId>,
    artifacts: &'j [Artifact],
    build: Option<&'j Build>,
}

#[derive(Debug, Serialize)]
struct ExplainedDecision<'j> {
    subject: &'j str,
    trigger: &'j str,
    outcome: Outcome,
    reason: Option<Reason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'j str>,
    launch_id: &'j str,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<ExplainedRequest<'j>>,
    checks: &'j [Check],
}

#[derive(Debug, Serialize)]
struct ExplainedRequest<'j> {
    method: &'j str,
    path: &'j str,
    query: Map<String, Value>,
    /// The service account that asks; absent for the service's own identity.
    #[serde(skip_serializing_if = "Option::is_none")]
    impersonate: Option<&'j str>,
    /// The text that is sent, embedded as it is.
    body: &'j RawValue,
}

#[derive(Debug, Serialize)]
struct ExplainedMiss<'j> {
    subject: &'j str,
    nearest: Vec<NearMiss<'j>>,
}

#[derive(Debug, Serialize)]
struct NearMiss<'j> {
    trigger: &'j str,
    checks: &'j [Check],
}

impl<'j> Explanation<'j> {
    pub(crate) fn of(judgement: &'j Judgement) -> Self {
        match judgement {
            Judgement::Rejected(rejection) => Self {
                event: ExplainedEvent {
                    id: rejection.digest.map(|digest| digest.id()),
                    artifacts: &[],
                    build: None,
                },
                outcome: rejection.refusal.outcome,
                reason: Some(rejection.refusal.reason),
                message: Some(&rejection.refusal.message),
                checks: rejection.checks.clone(),
                decisions: Vec::new(),
                unmatched: Vec::new(),
            },
            Judgement::Decided(decided) => Self::of_decided(decided, judgement),
        }
    }

    fn of_decided(decided: &'j Decided, judgement: &Judgement) -> Self {
        let Decided { event, decisions } = decided;
        let statement = event.statement();
        let mut checks = event.checks().to_vec();
        checks.push(Check::skipped("ledger").detail(NEEDS_LEDGER));
        Self {
            event: ExplainedEvent {
                id: Some(event.id()),
                artifacts: &statement.artifacts,
                build: Some(&statement.build),
            },
            outcome: judgement.outcome(),
            reason: judgement.reason(),
            message: decided.decisive().and_then(message),
            checks,
            decisions: decisions.decisions.iter().map(ExplainedDecision::of).collect(),
            unmatched: decisions
                .unmatched
                .iter()
                .map(|unmatched| ExplainedMiss {
                    subject: &unmatched.artifact.name,
                    nearest: unmatched
                        .nearest
                        .iter()
                        .map(|(trigger, checks)| NearMiss { trigger: trigger.as_str(), checks })
                        .collect(),
                })
                .collect(),
        }
    }

    /// For people.
    pub(crate) fn rendered(&self, paint: Paint) -> String {
        let mut text = String::new();
        let id = self.event.id.as_ref().map_or("no event", EventId::as_str);
        push(&mut text, &format!("{}  {}{}", paint.bold(id), paint.outcome(self.outcome), why(self.reason)));
        if let Some(build) = self.event.build {
            push(&mut text, &format!("  build     {}", build_line(build)));
        }
        for artifact in self.event.artifacts {
            let place = artifact.uri.as_deref().map_or(String::new(), |uri| format!("  {}", line(uri)));
            push(&mut text, &format!("  artifact  {}  {}{place}", line(&artifact.name), artifact.digest()));
        }
        text.push('\n');
        text.push_str(&ladder::rendered(&self.checks, paint, 2));
        for decision in &self.decisions {
            text.push('\n');
            text.push_str(&decision.rendered(paint));
        }
        for miss in &self.unmatched {
            text.push('\n');
            push(&mut text, &format!("{}  no trigger matches", paint.bold(&line(miss.subject))));
            for near in &miss.nearest {
                push(&mut text, &format!("  nearest: {}", near.trigger));
                text.push_str(&ladder::rendered(near.checks, paint, 4));
            }
        }
        if self.decisions.is_empty() {
            text.push_str(&reason_rendered(self.reason, self.message, paint, 0));
        }
        text
    }
}

impl<'j> ExplainedDecision<'j> {
    fn of(decision: &'j Decision) -> Self {
        Self {
            subject: &decision.subject,
            trigger: decision.trigger.as_str(),
            outcome: decision.verdict.outcome(),
            reason: decision.verdict.reason(),
            message: message(decision),
            launch_id: decision.launch_id.as_str(),
            request: decision.verdict.plan().map(ExplainedRequest::of),
            checks: &decision.checks,
        }
    }

    fn rendered(&self, paint: Paint) -> String {
        let mut text = String::new();
        let title = format!("{} × {}", line(self.subject), self.trigger);
        push(
            &mut text,
            &format!("{}  {}{}", paint.bold(&title), paint.outcome(self.outcome), why(self.reason)),
        );
        push(&mut text, &format!("  launch id {}", self.launch_id));
        text.push_str(&ladder::rendered(self.checks, paint, 2));
        if let Some(request) = &self.request {
            let query: Vec<_> = request
                .query
                .iter()
                .map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default()))
                .collect();
            let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
            push(&mut text, &format!("\n  {} {}{query}", request.method, line(request.path)));
            if let Some(account) = request.impersonate {
                push(&mut text, &format!("  as {}", line(account)));
            }
            push(&mut text, &indented(&lines(&spread_json(request.body.get())), 2));
        }
        text.push_str(&reason_rendered(self.reason, self.message, paint, 2));
        text
    }
}

impl<'j> ExplainedRequest<'j> {
    fn of(plan: &'j LaunchPlan) -> Self {
        let request = plan.request();
        Self {
            impersonate: plan.impersonate(),
            method: &request.method,
            path: &request.path,
            query: request
                .query
                .iter()
                .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
                .collect(),
            body: serde_json::from_str(&request.body)
                .expect("a plan's body is JSON text: `decide` wrote it from a value"),
        }
    }
}

fn message(decision: &Decision) -> Option<&str> {
    match &decision.verdict {
        launchgate_triggers::Verdict::Wait { refusal, .. }
        | launchgate_triggers::Verdict::Refused(refusal) => Some(&refusal.message),
        _ => None,
    }
}

/// ` / reason`, when there is one.
pub(crate) fn why(reason: Option<Reason>) -> String {
    reason.map_or(String::new(), |reason| format!(" / {}", reason.as_str()))
}

/// Organization/pipeline, number, branch, commit, as far as they are said.
pub(crate) fn build_line(build: &Build) -> String {
    let slug = [&build.organization, &build.pipeline].map(|part| part.as_deref().unwrap_or("?")).join("/");
    let mut text = line(&slug);
    if let Some(number) = build.number {
        text.push_str(&format!(" #{number}"));
    }
    for (name, value) in
        [("branch", &build.branch), ("tag", &build.tag), ("commit", &build.commit), ("step", &build.step)]
    {
        if let Some(value) = value {
            text.push_str(&format!(", {name} {}", line(value)));
        }
    }
    text
}

/// The sentence and the fix.
pub(crate) fn reason_rendered(
    reason: Option<Reason>,
    message: Option<&str>,
    paint: Paint,
    by: usize,
) -> String {
    let mut text = String::new();
    if reason.is_some() || message.is_some() {
        text.push('\n');
    }
    if let Some(message) = message {
        // Later lines hang below the first: payload text cannot pass for a line of ours.
        let hanging = lines(message).replace('\n', "\n     ");
        push(&mut text, &indented(&format!("why: {hanging}"), by));
    }
    if let Some(reason) = reason {
        push(&mut text, &indented(&format!("{} {}", paint.bold("fix:"), reason.fix()), by));
    }
    text
}

fn push(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}
