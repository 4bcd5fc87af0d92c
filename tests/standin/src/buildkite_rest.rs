//! Buildkite's REST API: builds, and the annotations on their pages.
//!
//! Promises: refuses what the real API refuses (a token that is none or lacks the scope, an unknown build, a body that
//! is no annotation, more requests in a minute than an organization has) and counts what it is asked. Does not: render
//! Markdown (`body_html` holds the text, escaped) or run builds.
//! Source: buildkite.com/docs/apis/rest-api, …/builds, …/annotations and …/limits. The texts of refusals are ours
//! where Buildkite publishes none.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use serde_json::{Map, Value, json};

use crate::{
    BuildkiteWebhook,
    loopback::{Answers, Asked, LoopbackServer, Reply},
};

/// Bytes of an annotation's body.
const BODY_LIMIT: usize = 1024 * 1024;

/// Requests that an organization has in a minute.
const MINUTE: usize = 200;

const STYLES: [&str; 4] = ["success", "info", "warning", "error"];

/// What happens to the next request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestFault {
    /// This HTTP status, with a message.
    Status(u16),
    /// 429, with so many seconds until the limit is reset.
    RateLimited(u64),
    /// The connection is closed without an answer, and nothing was done.
    HangUp,
    /// It is done, and the connection is closed without an answer.
    HangUpAfter,
    /// 200 and a page of HTML, as a proxy in maintenance answers.
    Page,
}

/// An annotation as it stands on the build's page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownAnnotation {
    /// Its context.
    pub context: String,
    /// Its style.
    pub style: String,
    /// Its Markdown.
    pub body: String,
    /// How often it was put there.
    pub times: usize,
}

#[derive(Debug, Default)]
struct State {
    /// By path of the build: `ORG/PIPELINE/NUMBER`.
    builds: BTreeMap<String, Value>,
    annotations: BTreeMap<String, Vec<ShownAnnotation>>,
    /// Scopes of each token.
    tokens: BTreeMap<String, BTreeSet<String>>,
    faults: VecDeque<RestFault>,
    left: usize,
}

#[derive(Debug)]
struct Service {
    state: Mutex<State>,
    requests: AtomicUsize,
}

/// A running stand-in for Buildkite's REST API; it stops when dropped.
#[derive(Debug)]
pub struct BuildkiteRestStandin {
    service: Arc<Service>,
    server: LoopbackServer,
}

impl BuildkiteRestStandin {
    /// Starts without a build.
    pub async fn start() -> io::Result<Self> {
        let state = State { left: MINUTE, ..State::default() };
        let service = Arc::new(Service { state: Mutex::new(state), requests: AtomicUsize::new(0) });
        let server = LoopbackServer::start(0, Arc::clone(&service)).await?;
        Ok(Self { service, server })
    }

    /// `http://127.0.0.1:PORT`
    pub fn endpoint(&self) -> String {
        self.server.endpoint()
    }

    /// A token with these scopes (`read_builds`, `write_builds`).
    pub fn token(&self, scopes: &[&str]) -> String {
        let mut state = self.service.state();
        let token = format!("bkua_{:040x}", state.tokens.len() + 1);
        state.tokens.insert(token.clone(), scopes.iter().map(|scope| (*scope).to_owned()).collect());
        token
    }

    /// The build that the webhook tells of, as it is now.
    ///
    /// # Panics
    /// When the webhook is of no build.
    pub fn set_build(&self, webhook: &BuildkiteWebhook) {
        let told: Value = serde_json::from_slice(&webhook.body()).expect("a webhook is JSON");
        let mut build = told["build"].clone();
        build["pipeline"] = told["pipeline"].clone();
        build["jobs"] = json!([]);
        let url = build["url"].as_str().expect("a build has a url").to_owned();
        let path = url.split_once("/v2/organizations/").expect("the API's address").1;
        self.service.state().builds.insert(build_of(path).expect("the address of a build").0, build);
    }

    /// What stands on the page of a build.
    pub fn annotations(&self, organization: &str, pipeline: &str, number: u64) -> Vec<ShownAnnotation> {
        let key = format!("{organization}/{pipeline}/{number}");
        self.service.state().annotations.get(&key).cloned().unwrap_or_default()
    }

    /// Does this to the requests that follow, one each.
    pub fn faults(&self, faults: impl IntoIterator<Item = RestFault>) {
        self.service.state().faults.extend(faults);
    }

    /// So many requests are left in this minute; the next minute never comes by itself.
    pub fn set_left(&self, left: usize) {
        self.service.state().left = left;
    }

    /// How many requests came.
    pub fn requests(&self) -> usize {
        self.service.requests.load(Ordering::SeqCst)
    }
}

/// Why a request is refused.
type Refused = (u16, String);

impl Service {
    fn state(&self) -> MutexGuard<'_, State> {
        // Each change under the lock is one assignment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn handle(&self, asked: &Asked) -> Result<(u16, Value), Refused> {
        let mut state = self.state();
        let scopes = asked.bearer().and_then(|token| state.tokens.get(token)).cloned();
        let scopes = scopes.ok_or((401, "Authentication required. Please supply a valid API Access Token: https://buildkite.com/docs/apis/rest-api#authentication".to_owned()))?;
        if state.left == 0 {
            return Err((
                429,
                "You have exceeded your API rate limit. Please wait 42 seconds before making more requests."
                    .to_owned(),
            ));
        }
        state.left -= 1;
        let no_route = || (404, "No organization found".to_owned());
        let path = asked.path.strip_prefix("/v2/organizations/").ok_or_else(no_route)?;
        let (key, rest) = build_of(path).ok_or_else(no_route)?;
        let (scope, write) = match (asked.method.as_str(), rest) {
            ("GET", "" | "annotations") => ("read_builds", false),
            ("POST", "annotations") => ("write_builds", true),
            _ => return Err(no_route()),
        };
        if !scopes.contains(scope) {
            return Err((403, format!("Forbidden: Your access token must have the `{scope}` scope")));
        }
        let Some(build) = state.builds.get(&key) else { return Err((404, "No build found".to_owned())) };
        if !write {
            let shown = state.annotations.get(&key).map(Vec::as_slice).unwrap_or_default();
            return Ok(match rest {
                "" => (200, build.clone()),
                _ => (200, shown.iter().map(annotation_json).collect()),
            });
        }
        let annotation = annotation(asked)?;
        let all = state.annotations.entry(key).or_default();
        let index = all.iter().position(|known| known.context == annotation.context);
        let index = index.unwrap_or_else(|| {
            all.push(ShownAnnotation { times: 0, ..annotation.clone() });
            all.len() - 1
        });
        all[index] = ShownAnnotation { times: all[index].times + 1, ..annotation };
        Ok((201, annotation_json(&all[index])))
    }
}

/// `ORG/pipelines/PIPELINE/builds/NUMBER[/REST]`
fn build_of(path: &str) -> Option<(String, &str)> {
    let mut steps = path.splitn(6, '/');
    let organization = steps.next().filter(|it| !it.is_empty())?;
    (steps.next() == Some("pipelines")).then_some(())?;
    let pipeline = steps.next().filter(|it| !it.is_empty())?;
    (steps.next() == Some("builds")).then_some(())?;
    let number: u64 = steps.next()?.parse().ok()?;
    Some((format!("{organization}/{pipeline}/{number}"), steps.next().unwrap_or_default()))
}

fn annotation(asked: &Asked) -> Result<ShownAnnotation, Refused> {
    let content_type = asked.header("content-type").unwrap_or_default();
    if content_type.split(';').next() != Some("application/json") {
        return Err((415, "expected application/json".to_owned()));
    }
    let bad = |message: &str| (400, message.to_owned());
    let body: Value = serde_json::from_slice(&asked.body).map_err(|_| bad("Problems parsing JSON"))?;
    let members: &Map<String, Value> = body.as_object().ok_or_else(|| bad("Body should be a JSON object"))?;
    if let Some(name) = members
        .keys()
        .find(|name| !["body", "style", "priority", "context", "append"].contains(&name.as_str()))
    {
        return Err((422, format!("Unknown attribute {name}")));
    }
    let text = |name: &str, default: &str| match members.get(name) {
        None => Ok(default.to_owned()),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(_) => Err((422, format!("{name} must be a string"))),
    };
    let shown = ShownAnnotation {
        context: text("context", "default")?,
        style: text("style", "info")?,
        body: text("body", "")?,
        times: 1,
    };
    if shown.body.is_empty() {
        return Err((422, "Validation failed: body can't be blank".to_owned()));
    }
    if shown.body.len() > BODY_LIMIT {
        return Err((422, "Validation failed: body is too long (maximum is 1048576 bytes)".to_owned()));
    }
    if !STYLES.contains(&shown.style.as_str()) {
        return Err((422, format!("Validation failed: style is not one of {}", STYLES.join(", "))));
    }
    let priority = members.get("priority").map_or(Some(3), Value::as_u64);
    if !priority.is_some_and(|priority| (1..=10).contains(&priority)) {
        return Err((422, "Validation failed: priority must be between 1 and 10".to_owned()));
    }
    match members.get("append") {
        None | Some(Value::Bool(false)) => Ok(shown),
        _ => Err((422, "this stand-in does not append".to_owned())),
    }
}

fn annotation_json(shown: &ShownAnnotation) -> Value {
    let escaped = shown.body.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    json!({
        "id": "018b8d10-6b5b-4df2-b0ff-dfa2af566050", "context": shown.context, "style": shown.style,
        "scope": "build", "priority": 3, "body_html": format!("<p>{escaped}</p>\n"),
        "created_at": "2026-11-18T11:06:40.000Z", "updated_at": "2026-11-18T11:06:40.000Z",
    })
}

impl Answers for Service {
    async fn answer(self: Arc<Self>, asked: Asked) -> Reply {
        self.requests.fetch_add(1, Ordering::SeqCst);
        let fault = self.state().faults.pop_front();
        let message = |text: &str| json!({ "message": text });
        match fault {
            Some(RestFault::Status(status)) => {
                return Reply::json(status, &message("The stand-in was told to."));
            }
            Some(RestFault::RateLimited(seconds)) => {
                return Reply::json(429, &message("You have exceeded your API rate limit."))
                    .with_header("ratelimit-remaining", "0")
                    .with_header("ratelimit-limit", &MINUTE.to_string())
                    .with_header("ratelimit-reset", &seconds.to_string());
            }
            Some(RestFault::HangUp) => return Reply::HangUp,
            Some(RestFault::Page) => return Reply::new(200, "text/html", "<html>Back soon</html>"),
            Some(RestFault::HangUpAfter) | None => {}
        }
        let answered = self.handle(&asked);
        if fault == Some(RestFault::HangUpAfter) {
            return Reply::HangUp;
        }
        let (status, body) = answered.unwrap_or_else(|(status, text)| (status, message(&text)));
        Reply::json(status, &body)
            .with_header("ratelimit-remaining", &self.state().left.to_string())
            .with_header("ratelimit-limit", &MINUTE.to_string())
            .with_header("ratelimit-reset", "42")
    }
}
