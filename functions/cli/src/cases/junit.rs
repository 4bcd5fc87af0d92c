//! Results as JUnit XML, which CI systems show. Source: the de-facto schema of Ant's JUnit task.

use std::path::Path;

use super::run::CaseResult;

/// One suite for each file.
pub(crate) fn junit(files: &[(&Path, &[CaseResult])]) -> String {
    let mut xml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n".to_owned();
    for (path, results) in files {
        let failed = results.iter().filter(|result| !result.passed).count();
        let suite = escaped(&path.display().to_string());
        let count = results.len();
        xml.push_str(&format!("  <testsuite name=\"{suite}\" tests=\"{count}\" failures=\"{failed}\">\n"));
        for CaseResult { name, mismatches, millis, .. } in *results {
            let (seconds, rest) = (millis / 1000, millis % 1000);
            let name = escaped(name);
            xml.push_str(&format!(
                "    <testcase classname=\"{suite}\" name=\"{name}\" time=\"{seconds}.{rest:03}\">"
            ));
            for mismatch in mismatches {
                let what = escaped(&mismatch.what);
                let message = escaped(&format!("expected {}, got {}", mismatch.expected, mismatch.actual));
                xml.push_str(&format!("\n      <failure type=\"{what}\" message=\"{message}\"/>"));
            }
            xml.push_str(if mismatches.is_empty() { "</testcase>\n" } else { "\n    </testcase>\n" });
        }
        xml.push_str("  </testsuite>\n");
    }
    xml + "</testsuites>\n"
}

/// XML 1.0 has no place for most control characters, not even escaped.
fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |mut escaped, char| {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            char if char.is_control() => escaped.push(' '),
            char => escaped.push(char),
        }
        escaped
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cases::run::Mismatch;

    #[test]
    fn hostile_text_stays_text() {
        let mismatch = Mismatch::new("outcome", "a<b", "\"&\u{1}".to_owned());
        let result =
            CaseResult { name: "</x>".to_owned(), passed: false, mismatches: vec![mismatch], millis: 1042 };

        let xml = junit(&[(Path::new("cases.yaml"), &[result])]);

        assert!(xml.contains("name=\"&lt;/x&gt;\" time=\"1.042\""), "{xml}");
        assert!(xml.contains("message=\"expected a&lt;b, got &quot;&amp; \""), "{xml}");
    }
}
