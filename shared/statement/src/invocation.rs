//! Buildkite's addresses of pipelines and jobs, as provenance carries them.

/// `https://buildkite.com/ORG/PIPELINE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PipelineUrl<'a> {
    /// Organization slug.
    pub organization: &'a str,
    /// Pipeline slug.
    pub pipeline: &'a str,
}

/// `https://buildkite.com/ORG/PIPELINE/builds/N#JOB`, the `invocationId`; the job may be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invocation<'a> {
    /// The pipeline.
    pub pipeline: PipelineUrl<'a>,
    /// Build number, from 1.
    pub number: u64,
    /// Job id.
    pub job: Option<&'a str>,
}

const SITE: &str = "https://buildkite.com/";

impl<'a> PipelineUrl<'a> {
    /// Reads an address in its one spelling; anything else is none.
    pub fn parse(text: &'a str) -> Option<Self> {
        let (organization, pipeline) = text.strip_prefix(SITE)?.split_once('/')?;
        (is_slug(organization) && is_slug(pipeline)).then_some(Self { organization, pipeline })
    }

    pub(crate) fn text(organization: &str, pipeline: &str) -> String {
        format!("{SITE}{organization}/{pipeline}")
    }
}

impl<'a> Invocation<'a> {
    /// Reads an address in its one spelling; anything else is none.
    pub fn parse(text: &'a str) -> Option<Self> {
        let (page, job) = match text.split_once('#') {
            Some((_, "")) => return None,
            Some((page, job)) => (page, Some(job)),
            None => (text, None),
        };
        let (pipeline, number) = page.split_once("/builds/")?;
        Some(Self { pipeline: PipelineUrl::parse(pipeline)?, number: build_number(number)?, job })
    }
}

/// Buildkite's slugs: lower-case letters, digits, dashes. An underscore is let through, as organizations
/// of its first years have it; anything that a pattern, a path or an eye could take for something else
/// is not.
pub(crate) fn is_slug(text: &str) -> bool {
    text.len() <= 128
        && text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
}

/// A build number from its one decimal spelling: from 1, within the signed 64 bits of expressions and
/// ledgers.
pub(crate) fn build_number(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    plain.then(|| text.parse().ok()).flatten().filter(|&number| is_build_number(number))
}

pub(crate) fn is_build_number(number: u64) -> bool {
    number >= 1 && i64::try_from(number).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipeline_has_one_spelling() {
        let good = PipelineUrl { organization: "acme", pipeline: "fraud-train" };
        assert_eq!(PipelineUrl::parse("https://buildkite.com/acme/fraud-train"), Some(good));
        for text in [
            "http://buildkite.com/acme/fraud-train",
            "https://buildkite.com.evil.example/acme/fraud-train",
            "https://buildkite.com@evil.example/acme/fraud-train",
            "https://buildkite.com:443/acme/fraud-train",
            "HTTPS://buildkite.com/acme/fraud-train",
            "https://buildkite.com/acme",
            "https://buildkite.com/acme/",
            "https://buildkite.com//fraud-train",
            "https://buildkite.com/acme/fraud-train/",
            "https://buildkite.com/acme/fraud-train?x",
            "https://buildkite.com/acme/Fraud-train",
            "https://buildkite.com/acme/fraud train",
            "https://buildkite.com/acme/fraud%2dtrain",
            "https://buildkite.com/acme/fräud",
            "https://buildkite.com/acme/..",
            "https://buildkite.com/-acme/fraud-train",
            " https://buildkite.com/acme/fraud-train",
        ] {
            assert_eq!(PipelineUrl::parse(text), None, "{text}");
        }
    }

    #[test]
    fn an_invocation_names_build_and_maybe_job() {
        let parsed = Invocation::parse("https://buildkite.com/acme/p/builds/42#j-1");
        assert!(matches!(parsed, Some(Invocation { number: 42, job: Some("j-1"), .. })));
        let parsed = Invocation::parse("https://buildkite.com/acme/p/builds/42");
        assert!(matches!(parsed, Some(Invocation { number: 42, job: None, .. })));
        for text in ["0", "042", "+42", "-1", "4 2", "", "42/", "9223372036854775808", "42#"] {
            assert_eq!(
                Invocation::parse(&format!("https://buildkite.com/acme/p/builds/{text}")),
                None,
                "{text}"
            );
        }
    }
}
