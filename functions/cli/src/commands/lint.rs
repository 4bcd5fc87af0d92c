//! `launchgate lint`: everything that can be known of a triggers file before it is deployed.

use clap::Args;
use launchgate_triggers::{Finding, Severity, lint, render};

use super::lint_sarif::sarif;
use crate::{
    clock,
    command_line::ConfigArgument,
    failure::Failure,
    output::{Output, lines},
};

#[derive(Debug, Args)]
#[command(after_help = "\
The findings are on stderr with line, caret and fix; with `--output json` they are an array on stdout.

A remote template that cannot be reached, or `--offline`, is a warning: its inputs are unchecked then.

Examples:
  launchgate lint
  launchgate lint --config deploy/launchgate.yaml --output json
  launchgate lint --output sarif > launchgate.sarif      for code scanning

Exit codes: 0 usable, maybe with warnings · 2 errors")]
pub(crate) struct Lint {
    #[command(flatten)]
    config: ConfigArgument,
}

impl Lint {
    pub(crate) fn run(self, output: &Output) -> Result<u8, Failure> {
        let file = match self.config.read(true) {
            Ok(file) => file,
            Err(unreadable) => {
                let findings = [Finding::unreadable(unreadable.rendered.clone())];
                if output.is_json() {
                    output.json(&findings)?;
                } else if output.is_sarif() {
                    output.data(&sarif(&findings))?;
                }
                return Err(unreadable.into());
            }
        };
        let mut findings = file.findings;
        if let Some(config) = &file.config {
            findings.extend(lint(config, clock::now()));
        }
        if output.is_json() {
            output.json(&findings)?;
        } else if output.is_sarif() {
            output.data(&sarif(&findings))?;
        } else {
            output.data(&summary(&self.config, &findings))?;
        }
        let errors = count(&findings, Severity::Error) > 0 || file.config.is_none();
        if errors || !(output.is_json() || output.is_sarif()) {
            output.say(&lines(&render(&file.source, &findings)));
        }
        Ok(if errors { 2 } else { 0 })
    }
}

fn summary(config: &ConfigArgument, findings: &[Finding]) -> String {
    let counted = |severity, one: &str| match count(findings, severity) {
        0 => None,
        1 => Some(format!("1 {one}")),
        many => Some(format!("{many} {one}s")),
    };
    let parts: Vec<_> = [counted(Severity::Error, "error"), counted(Severity::Warning, "warning")]
        .into_iter()
        .flatten()
        .collect();
    let said = if parts.is_empty() { "ok".to_owned() } else { parts.join(", ") };
    format!("{}: {said}", config.config.display())
}

fn count(findings: &[Finding], severity: Severity) -> usize {
    findings.iter().filter(|finding| finding.severity == severity).count()
}
