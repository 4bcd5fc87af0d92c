//! Logs: JSON in Cloud Logging's shape for the service, a short line for people.
//!
//! Source of the special members: cloud.google.com/logging/docs/structured-logging.

use std::{
    fmt::{self, Write as _},
    io::Write as _,
};

use serde_json::{Map, Value};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id},
};
use tracing_subscriber::{
    Layer,
    filter::Targets,
    layer::{Context, SubscriberExt},
    registry::LookupSpan,
    util::SubscriberInitExt,
};

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line on stdout, as Cloud Logging reads them.
    CloudLogging,
    /// A short line on stderr.
    Text,
}

/// Starts logging for the process. `level` is `error`, `warn`, `info`, `debug` or `trace` (anything else is
/// `info`); `project` makes trace names that Cloud Logging links. A second call is ignored.
pub fn init_logs(format: LogFormat, level: Option<&str>, project: Option<&str>) {
    let level = level.and_then(|text| text.parse::<Level>().ok()).unwrap_or(Level::INFO);
    // Libraries speak from warnings up: their debug lines may hold requests.
    let targets = Targets::new().with_default(Level::WARN).with_targets(
        [
            "launchgate",
            "launchgate_engine",
            "launchgate_service",
            "launchgate_google",
            "launchgate_ledger_sqlite",
            "launchgate_cli",
            "launchgate_trigger",
            "launchgate_webhook",
            "launchgate_lambda",
        ]
        .map(|name| (name, level)),
    );
    let lines = Lines { format, project: project.map(str::to_owned) };
    let _ = tracing_subscriber::registry().with(lines.with_filter(targets)).try_init();
}

struct Lines {
    format: LogFormat,
    project: Option<String>,
}

/// The trace a span belongs to, from its field `trace` (a W3C trace id).
struct Trace(String);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Lines {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut members = Members(Map::new());
        attributes.record(&mut members);
        if let (Some(Value::String(trace)), Some(span)) = (members.0.remove("trace"), context.span(id)) {
            span.extensions_mut().insert(Trace(trace));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut members = Members(Map::with_capacity(12));
        let metadata = event.metadata();
        if self.format == LogFormat::CloudLogging {
            members.0.insert("severity".to_owned(), severity(*metadata.level()).into());
        }
        event.record(&mut members);
        let mut members = members.0;
        let line = match self.format {
            LogFormat::Text => text_line(*metadata.level(), members),
            LogFormat::CloudLogging => {
                members.insert("target".to_owned(), metadata.target().into());
                let scope = context.event_scope(event);
                let trace = scope.and_then(|mut spans| {
                    spans.find_map(|span| span.extensions().get::<Trace>().map(|trace| trace.0.clone()))
                });
                if let Some(trace) = trace {
                    let name = self
                        .project
                        .as_ref()
                        .map_or(trace.clone(), |project| format!("projects/{project}/traces/{trace}"));
                    members.insert("logging.googleapis.com/trace".to_owned(), name.into());
                }
                let mut line = Value::Object(members).to_string();
                line.push('\n');
                line
            }
        };
        // A log line that cannot be written must not stop the work it speaks of.
        let _ = match self.format {
            LogFormat::CloudLogging => std::io::stdout().lock().write_all(line.as_bytes()),
            LogFormat::Text => std::io::stderr().lock().write_all(line.as_bytes()),
        };
    }
}

/// Source: cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry#LogSeverity.
fn severity(level: Level) -> &'static str {
    match level {
        Level::ERROR => "ERROR",
        Level::WARN => "WARNING",
        Level::INFO => "INFO",
        _ => "DEBUG",
    }
}

fn text_line(level: Level, mut members: Map<String, Value>) -> String {
    let message = members.remove("message");
    let message = message.as_ref().and_then(Value::as_str).unwrap_or_default();
    let mut line = format!("{:<5} {}", level.as_str().to_lowercase(), message.escape_debug());
    for (name, value) in members {
        // `escape_debug` and JSON both keep a hostile text from writing lines or colours of its own.
        let _ = write!(line, " {name}={value}");
    }
    line.push('\n');
    line
}

struct Members(Map<String, Value>);

impl Visit for Members {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}
