//! `launchgate test`: what a triggers file says of builds that might be, held against what it should say.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use crate::{
    cases::{CaseFile, CaseResult, Runner, TriggerCoverage, find, junit},
    clock,
    failure::Failure,
    output::{Output, Paint, line},
    template_arguments::TemplateArguments,
};

#[derive(Debug, Args)]
#[command(after_help = "\
A case is a build that might be (or a recorded event), and what the triggers file must say of it. It runs through
verification and decision as in production; where a case describes a build, the file's signers are replaced by
stand-ins that sign it, so no private key is needed. Nothing is launched.

  apiVersion: launchgate/v1
  config: ../launchgate.yaml            # the default
  now: 2026-11-18T12:00:00Z             # when the events are published; default: now
  cases:
    - name: a build of main retrains
      build: { pipeline: fraud-train, branch: main, number: 42 }
      artifacts: [{ name: fraud-train, uri: us-docker.pkg.dev/acme/ml/fraud-train, annotations: { epochs: 3 } }]
      signedBy: [release-key]           # default: the first signer of the file
      expect: { outcome: launched, trigger: retrain-fraud, parameters: { epochs: 3 } }
    - name: a build of another branch does not
      build: { pipeline: fraud-train, branch: try-adam }
      expect: { outcome: no_match }
    - name: last month's event is too old
      event: events/recorded.json
      expect: { outcome: denied_policy, reason: too_old }

`expect` has outcome, reason, trigger, subject, parameters (some of parameterValues) and request (some of the body).
The coverage lines name clauses at which no case fails: taking them away would break no case.

Examples:
  launchgate test tests
  launchgate test tests/fraud.yaml --junit results.xml
  launchgate test tests --output json

Exit codes: 0 every case passed · 4 a case failed · 2 a case file or the triggers file has errors")]
pub(crate) struct Test {
    /// A file of cases, or a folder of them (*.yaml)
    #[arg(value_name = "PATH", default_value = "tests")]
    path: PathBuf,
    /// Also write the results as JUnit XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    #[command(flatten)]
    templates: TemplateArguments,
}

impl Test {
    pub(crate) fn run(self, output: &Output) -> Result<u8, Failure> {
        let now = clock::now_in_seconds();
        let mut runners: Vec<(PathBuf, Runner)> = Vec::new();
        let mut results = Vec::new();
        for path in find(&self.path)? {
            let file = CaseFile::read(&path)?;
            let config = file.config();
            // Files about one triggers file add up to one coverage.
            let known = runners.iter().position(|(of, _)| *of == config);
            let index = if let Some(index) = known {
                index
            } else {
                runners.push((config.clone(), Runner::load(&config, &self.templates)?));
                runners.len() - 1
            };
            let (_, runner) = &mut runners[index];
            let of_file: Vec<_> = file.cases.iter().map(|case| runner.run(&file, case, now)).collect();
            results.push((path, of_file));
        }

        if let Some(junit_file) = &self.junit {
            let suites: Vec<_> = results.iter().map(|(path, cases)| (path.as_path(), &**cases)).collect();
            std::fs::write(junit_file, junit(&suites))
                .map_err(|error| Failure::usage(format!("{}: {error}", junit_file.display())))?;
        }
        let failed = results.iter().flat_map(|(_, cases)| cases).filter(|case| !case.passed).count();
        if output.is_json() {
            let files: Vec<_> =
                results.iter().map(|(path, cases)| json!({ "file": path, "cases": cases })).collect();
            let coverage: Vec<_> = runners
                .iter()
                .map(|(config, runner)| json!({ "config": config, "triggers": runner.coverage().triggers() }))
                .collect();
            output.json(&json!({ "passed": failed == 0, "files": files, "coverage": coverage }))?;
        } else {
            let mut text = String::new();
            for (path, cases) in &results {
                text.push_str(&rendered(path, cases, output.paint));
            }
            let count: usize = results.iter().map(|(_, cases)| cases.len()).sum();
            let said = if failed == 0 {
                output.paint.green("all passed")
            } else {
                output.paint.red(&format!("{failed} failed"))
            };
            text.push_str(&format!("\n{count} cases, {said}\n"));
            for (config, runner) in &runners {
                text.push_str(&covered(config, &runner.coverage().triggers()));
            }
            output.data(&text)?;
        }
        Ok(if failed == 0 { 0 } else { 4 })
    }
}

fn rendered(path: &Path, cases: &[CaseResult], paint: Paint) -> String {
    let mut text = format!("{}\n", paint.bold(&path.display().to_string()));
    for case in cases {
        let mark = if case.passed { paint.green("✓") } else { paint.red("✗") };
        text.push_str(&format!("  {mark} {}\n", line(&case.name)));
        for mismatch in &case.mismatches {
            let (what, expected, actual) = (&mismatch.what, line(&mismatch.expected), line(&mismatch.actual));
            text.push_str(&format!("      {}: expected {expected}, got {actual}\n", line(what)));
        }
    }
    text
}

fn covered(config: &Path, triggers: &[TriggerCoverage]) -> String {
    let launched = triggers.iter().filter(|trigger| trigger.launched).count();
    let name = config.file_name().unwrap_or(config.as_os_str()).to_string_lossy();
    let mut text =
        format!("coverage of {name}: {launched} of {} triggers launch in a case\n", triggers.len());
    for TriggerCoverage { trigger, launched, refused_by, never_refused_by } in triggers {
        if !launched && refused_by.is_empty() {
            text.push_str(&format!("  {trigger}: no case is about it\n"));
        } else if !never_refused_by.is_empty() {
            text.push_str(&format!("  {trigger}: no case fails at {}\n", never_refused_by.join(", ")));
        }
    }
    text
}
