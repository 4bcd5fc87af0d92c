//! The checks ladder as people read it. Source of its order and content: the engine.
//!
//! Expected and actual values hold payload text, so everything goes through `output::line`.

use launchgate_outcome::{Check, CheckStatus, Voucher};

use crate::output::{Paint, line};

/// The ladder, one rung a line, details below, indented by `by`.
pub(crate) fn rendered(checks: &[Check], paint: Paint, by: usize) -> String {
    let width = checks.iter().map(|check| check.name.chars().count()).max().unwrap_or(0).min(32);
    let mut text = String::new();
    for check in checks {
        text.push_str(&rung(check, paint, by, width));
    }
    text
}

fn rung(check: &Check, paint: Paint, by: usize, width: usize) -> String {
    let mark = match check.status {
        CheckStatus::Passed => paint.green("✓"),
        CheckStatus::Failed => paint.red("✗"),
        CheckStatus::Skipped => paint.yellow("–"),
        CheckStatus::NotReached => paint.dim("·"),
    };
    let name = line(&check.name);
    let front = " ".repeat(by);
    let mut text = format!("{front}{mark} {name:<width$}");
    for word in [said(check), check.voucher.map(|voucher| paint.dim(&format!("[{}]", voucher_word(voucher))))]
        .into_iter()
        .flatten()
    {
        text.push_str("  ");
        text.push_str(&word);
    }
    let mut text = text.trim_end().to_owned();
    text.push('\n');
    if let Some(detail) = &check.detail {
        for part in detail.lines() {
            text.push_str(&format!("{front}  {}\n", paint.dim(&line(part))));
        }
    }
    text
}

/// What was asked and what was found; a passed rung needs only the latter.
fn said(check: &Check) -> Option<String> {
    let expected = check.expected.as_deref().map(line);
    let actual = check.actual.as_deref().map(line);
    match (expected, actual) {
        (Some(expected), Some(actual)) if expected == actual => Some(actual),
        (Some(expected), Some(actual)) if check.status == CheckStatus::Passed => {
            Some(format!("{actual} (asked: {expected})"))
        }
        (Some(expected), Some(actual)) => Some(format!("expected {expected}, found {actual}")),
        (Some(expected), None) if check.status == CheckStatus::Failed => {
            Some(format!("expected {expected}, found nothing"))
        }
        (Some(expected), None) => Some(format!("asked: {expected}")),
        (None, actual) => actual,
    }
}

fn voucher_word(voucher: Voucher) -> &'static str {
    match voucher {
        Voucher::Key => "key",
        Voucher::Token => "token",
        Voucher::Certificate => "certificate",
        Voucher::Webhook => "webhook",
        Voucher::Rest => "rest",
        Voucher::Statement => "the job's own word",
        Voucher::SignersWord => "the signer's word",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_rung_says_what_was_expected_and_found_on_its_own_line() {
        let checks = [
            Check::passed("signature").actual("release-key").voucher(Voucher::Key),
            Check::failed("match.branch").expected("main").actual("dev\n✓ forged").detail("fix the branch"),
            Check::not_reached("plan"),
        ];

        let text = rendered(&checks, Paint::NONE, 2);

        assert_eq!(
            text,
            "  ✓ signature     release-key  [key]\n  ✗ match.branch  expected main, found dev\\n✓ forged\n    fix the branch\n  · plan\n"
        );
    }
}
