//! The `filter` of list calls: comparisons joined by `AND`.
//!
//! Served: `labels.KEY=VALUE` (key and value plain or quoted), `labels.KEY:*`, and `=` or `!=` on
//! `display_name`, `state`, `pipeline_job_user_id`, and all comparisons on `create_time` and `update_time`.
//! Anything else is refused, as a filter that silently matches everything would hide a fault.

use serde_json::Value;

use crate::{google_error::GoogleError, timestamp};

/// A filter that a job satisfies when all its terms hold; the empty one holds for every job.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Filter {
    terms: Vec<Term>,
}

#[derive(Debug, PartialEq)]
struct Term {
    field: Field,
    comparison: Comparison,
    value: String,
}

#[derive(Debug, PartialEq)]
enum Field {
    Label(String),
    /// The JSON member compared.
    Member(&'static str),
    Id,
    Time(&'static str),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Comparison {
    Equal,
    NotEqual,
    AtLeast,
    AtMost,
    Above,
    Below,
    Present,
}

impl Filter {
    pub(crate) fn parse(text: &str) -> Result<Self, GoogleError> {
        let refused = |why: &str| GoogleError::invalid(&format!("Invalid list filter: {text}. {why}"));
        let mut rest = text.trim();
        let mut terms = Vec::new();
        while !rest.is_empty() {
            let (term, after) = Term::parse(rest).map_err(refused)?;
            terms.push(term);
            rest = match after.trim_start() {
                "" => "",
                joined => joined
                    .strip_prefix("AND ")
                    .map(str::trim_start)
                    .filter(|next| !next.is_empty())
                    .ok_or_else(|| refused("Terms are joined by AND."))?,
            };
        }
        Ok(Self { terms })
    }

    /// Whether the resource, as GET would show it, satisfies the filter.
    pub(crate) fn holds(&self, resource: &Value) -> bool {
        self.terms.iter().all(|term| term.holds(resource))
    }
}

impl Term {
    fn parse(text: &str) -> Result<(Self, &str), &'static str> {
        let (name, rest) = word(text, |c| c == '.' || is_word(c))?;
        let (field, rest) = match name.strip_prefix("labels.") {
            Some("") => {
                let (key, rest) = value(rest)?;
                (Field::Label(key), rest)
            }
            Some(key) => (Field::Label(key.to_owned()), rest),
            None => (field(&name).ok_or("The field cannot be filtered by.")?, rest),
        };
        let (comparison, rest) = comparison(rest.trim_start()).ok_or("A comparison is missing.")?;
        if comparison == Comparison::Present {
            let rest = rest.trim_start().strip_prefix('*').ok_or("Only :* is served.")?;
            return match field {
                Field::Label(_) => Ok((Self { field, comparison, value: String::new() }, rest)),
                _ => Err("Only labels can be asked for presence."),
            };
        }
        let ordered = !matches!(comparison, Comparison::Equal | Comparison::NotEqual);
        let (value, rest) = value(rest.trim_start())?;
        match field {
            Field::Time(_) if timestamp::parse(&value).is_none() => Err("A time must be RFC 3339."),
            Field::Time(_) => Ok((Self { field, comparison, value }, rest)),
            _ if ordered => Err("Only times can be ordered."),
            _ => Ok((Self { field, comparison, value }, rest)),
        }
    }

    fn holds(&self, resource: &Value) -> bool {
        let found = match &self.field {
            Field::Label(key) => resource["labels"][key].as_str(),
            Field::Member(name) | Field::Time(name) => resource[name].as_str(),
            Field::Id => resource["name"].as_str().and_then(|name| name.rsplit('/').next()),
        };
        if let Field::Time(_) = self.field {
            let (Some(found), Some(wanted)) =
                (found.and_then(timestamp::parse), timestamp::parse(&self.value))
            else {
                return false;
            };
            return match self.comparison {
                Comparison::Equal => found == wanted,
                Comparison::NotEqual => found != wanted,
                Comparison::AtLeast => found >= wanted,
                Comparison::AtMost => found <= wanted,
                Comparison::Above => found > wanted,
                Comparison::Below => found < wanted,
                Comparison::Present => true,
            };
        }
        match self.comparison {
            Comparison::Present => found.is_some(),
            Comparison::NotEqual => found != Some(&self.value),
            _ => found == Some(&self.value),
        }
    }
}

fn field(name: &str) -> Option<Field> {
    Some(match name {
        "display_name" | "displayName" => Field::Member("displayName"),
        "state" => Field::Member("state"),
        "pipeline_job_user_id" => Field::Id,
        "create_time" | "createTime" => Field::Time("createTime"),
        "update_time" | "updateTime" => Field::Time("updateTime"),
        _ => return None,
    })
}

fn comparison(text: &str) -> Option<(Comparison, &str)> {
    [
        ("!=", Comparison::NotEqual),
        (">=", Comparison::AtLeast),
        ("<=", Comparison::AtMost),
        ("=", Comparison::Equal),
        (">", Comparison::Above),
        ("<", Comparison::Below),
        (":", Comparison::Present),
    ]
    .into_iter()
    .find_map(|(sign, comparison)| text.strip_prefix(sign).map(|rest| (comparison, rest)))
}

/// A quoted text (backslash escapes quote and backslash) or a plain word.
fn value(text: &str) -> Result<(String, &str), &'static str> {
    let Some(quoted) = text.strip_prefix('"') else {
        return word(text, |c| is_word(c) || c == '.' || c == ':' || c == '+');
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return Ok((value, &quoted[at + 1..])),
            '\\' => value.push(characters.next().ok_or("A quoted text does not end.")?.1),
            _ => value.push(c),
        }
    }
    Err("A quoted text does not end.")
}

fn word(text: &str, belongs: impl Fn(char) -> bool) -> Result<(String, &str), &'static str> {
    let end = text.find(|c| !belongs(c)).unwrap_or(text.len());
    if end == 0 { Err("A name or value is missing.") } else { Ok((text[..end].to_owned(), &text[end..])) }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '-' || c == '_'
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn terms_compare_what_get_shows() {
        let job = json!({
            "name": "projects/1/locations/l/pipelineJobs/lg-a", "displayName": "a b", "state": "PIPELINE_STATE_RUNNING",
            "createTime": "2026-11-24T12:00:00Z", "labels": {"launchgate-id": "lg-a", "team": "x"},
        });
        for holds in [
            "",
            r#"labels.launchgate-id="lg-a""#,
            "labels.launchgate-id=lg-a",
            r#"labels."launchgate-id" = "lg-a""#,
            "labels.team:*",
            r#"display_name="a b" AND state=PIPELINE_STATE_RUNNING"#,
            "pipeline_job_user_id=lg-a",
            "state!=PIPELINE_STATE_FAILED",
            r#"create_time>="2026-11-24T12:00:00Z" AND labels.team=x"#,
            r#"create_time<"2026-11-24T12:00:01Z""#,
        ] {
            assert!(Filter::parse(holds).unwrap().holds(&job), "{holds}");
        }
        for fails in [
            "labels.launchgate-id=lg-b",
            "labels.other:*",
            r#"display_name="a""#,
            r#"create_time>"2026-11-24T12:00:00Z""#,
            "labels.team=x AND labels.team=y",
        ] {
            assert!(!Filter::parse(fails).unwrap().holds(&job), "{fails}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for bad in [
            "labels",
            "labels.a",
            "labels.a=",
            "labels.a=\"x",
            "labels.a=x OR labels.b=y",
            "labels.a=x labels.b=y",
            "colour=red",
            "labels.a>x",
            "create_time>yesterday",
            "state:*",
            "labels.a=x AND ",
            "=x",
        ] {
            assert!(Filter::parse(bad).is_err(), "{bad}");
        }
    }
}
