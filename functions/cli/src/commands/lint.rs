//! `launchgate lint`: everything that can be known of a triggers file before it is deployed.

use clap::Args;
use launchgate_triggers::{Finding, FindingCode, Severity, lint, render};
use serde_json::Value;

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
Each has a code; docs/lint.md shows for every code a file that has it and the mended one.

A remote template that cannot be reached, or `--offline`, is a warning: its inputs are unchecked then.

Examples:
  launchgate lint
  launchgate lint --config deploy/launchgate.yaml --output json
  launchgate lint --output sarif > launchgate.sarif      for code scanning
  launchgate lint --strict                               warnings fail too, for CI
  launchgate lint --explain sources-open                 what a code means

Exit codes: 0 usable, maybe with warnings · 2 errors; with --strict warnings too")]
pub(crate) struct Lint {
    #[command(flatten)]
    config: ConfigArgument,
    /// Fail on warnings as on errors
    #[arg(long)]
    strict: bool,
    /// Say what a code means and how the file is mended, instead of reading one
    #[arg(long, value_name = "CODE", value_parser = code, conflicts_with = "strict")]
    explain: Option<FindingCode>,
}

fn code(text: &str) -> Result<FindingCode, String> {
    FindingCode::parse(text).ok_or_else(|| "expected a code that lint prints in brackets".to_owned())
}

impl Lint {
    pub(crate) fn run(self, output: &Output) -> Result<u8, Failure> {
        if let Some(code) = self.explain {
            output.data(&explained(code))?;
            return Ok(0);
        }
        let file = match self.config.read(true) {
            Ok(file) => file,
            Err(unreadable) => {
                let findings = [Finding::unreadable(unreadable.rendered.clone())];
                if output.is_json() {
                    output.json(&with_help(&findings)?)?;
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
            output.json(&with_help(&findings)?)?;
        } else if output.is_sarif() {
            output.data(&sarif(&findings))?;
        } else {
            output.data(&summary(&self.config, &findings))?;
        }
        let errors = count(&findings, Severity::Error) > 0 || file.config.is_none();
        if errors || !(output.is_json() || output.is_sarif()) {
            output.say(&lines(&render(&file.source, &findings)));
        }
        let failed = errors || self.strict && !findings.is_empty();
        Ok(if failed { 2 } else { 0 })
    }
}

/// What docs/lint.md says of a code, without its example.
fn explained(code: FindingCode) -> String {
    let severity = if code.severity() == Severity::Error { "error" } else { "warning" };
    format!(
        "{code} ({severity})\n{}\n\nTo mend it: {}\n\nAn example is in {}\n",
        code.meaning(),
        code.mend(),
        code.help()
    )
}

/// The findings, each with where its code is explained.
fn with_help(findings: &[Finding]) -> Result<Value, Failure> {
    let mut list = serde_json::to_value(findings).map_err(anyhow::Error::from)?;
    for (value, finding) in list.as_array_mut().into_iter().flatten().zip(findings) {
        if let Some(code) = FindingCode::parse(finding.code) {
            value["help"] = code.help().into();
        }
    }
    Ok(list)
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
