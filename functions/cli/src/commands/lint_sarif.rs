//! Findings as SARIF 2.1.0, which code scanning shows beside the changed lines.
//! Source: docs.oasis-open.org/sarif/sarif/v2.1.0.

use std::collections::BTreeMap;

use launchgate_triggers::{Finding, FindingCode, Severity};
use serde_json::{Value, json};

/// The document.
pub(crate) fn sarif(findings: &[Finding]) -> String {
    // One rule for each code that occurs. `helpUri` would have to be an absolute address, which a checkout does
    // not have: the help is in the file itself.
    let rules: BTreeMap<_, _> = findings.iter().map(|finding| (finding.code, finding.severity)).collect();
    let rules: Vec<_> = rules
        .into_iter()
        .map(|(code, severity)| {
            let mut rule = json!({
                "id": code,
                "shortDescription": {"text": code.replace('-', " ")},
                "defaultConfiguration": {"level": level(severity)},
            });
            if let Some(code) = FindingCode::parse(code) {
                rule["fullDescription"] = json!({"text": code.meaning()});
                let help = format!("{} To mend it: {} See {}.", code.meaning(), code.mend(), code.help());
                rule["help"] = json!({"text": help, "markdown": help});
            }
            rule
        })
        .collect();
    let results: Vec<_> = findings.iter().map(result).collect();
    let document = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "launchgate lint", "version": env!("CARGO_PKG_VERSION"), "rules": rules,
            }},
            "results": results,
        }],
    });
    format!("{document:#}")
}

fn result(finding: &Finding) -> Value {
    let text = match &finding.fix {
        Some(fix) => format!("{}. Fix: {fix}", finding.message),
        None => finding.message.clone(),
    };
    let mut result =
        json!({"ruleId": finding.code, "level": level(finding.severity), "message": {"text": text}});
    if let Some(place) = &finding.place {
        result["locations"] = json!([{"physicalLocation": {
            "artifactLocation": {"uri": place.file},
            "region": {
                "startLine": place.line, "startColumn": place.column,
                "byteOffset": place.bytes.start, "byteLength": place.bytes.len(),
            },
        }}]);
    }
    result
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}
