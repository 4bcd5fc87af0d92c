//! The full name of one version of a key.

use std::{fmt, str::FromStr};

use crate::GoogleError;

/// `projects/P/locations/L/keyRings/R/cryptoKeys/K/cryptoKeyVersions/N`.
///
/// Its parts hold nothing that means something to a shell or in a URL's path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyVersion {
    project: String,
    location: String,
    ring: String,
    key: String,
    number: String,
}

impl KeyVersion {
    /// The project.
    pub fn project(&self) -> &str {
        &self.project
    }

    /// `--key=… --keyring=… --location=… --project=…`: where it lies, for `gcloud kms`.
    pub(crate) fn place(&self) -> String {
        format!("--key={} {}", self.key, self.ring_place())
    }

    /// The same without the key, for commands that take that first.
    pub(crate) fn ring_place(&self) -> String {
        format!("--keyring={} --location={} --project={}", self.ring, self.location, self.project)
    }

    /// The key's id.
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// The version's number.
    pub(crate) fn number(&self) -> &str {
        &self.number
    }

    /// Whether `name`, out of an answer, names this version. A project has an id and a number; Google may
    /// answer with the one where the other was asked for.
    pub(crate) fn is_named_by(&self, name: &str) -> bool {
        let Ok(other) = name.parse::<Self>() else { return false };
        let is_number = |project: &str| project.bytes().all(|b| b.is_ascii_digit());
        let same_project =
            self.project == other.project || is_number(&self.project) != is_number(&other.project);
        same_project && Self { project: self.project.clone(), ..other } == *self
    }
}

impl FromStr for KeyVersion {
    type Err = GoogleError;

    fn from_str(text: &str) -> Result<Self, GoogleError> {
        let problem =
            |problem: &str| GoogleError::KeyVersion { text: text.to_owned(), problem: problem.to_owned() };
        let id = |part: &str| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        };
        // Projects of a domain are `example.com:name`.
        let project_id = |part: &str| {
            !part.is_empty()
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b':'))
                && !part.starts_with('.')
        };
        match text.split('/').collect::<Vec<_>>().as_slice() {
            [
                "projects",
                project,
                "locations",
                location,
                "keyRings",
                ring,
                "cryptoKeys",
                key,
                "cryptoKeyVersions",
                number,
            ] if project_id(project) && id(location) && id(ring) && id(key) => {
                if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
                    return Err(problem("the version is a number"));
                }
                let [project, location, ring, key, number] =
                    [project, location, ring, key, number].map(|part| (*part).to_owned());
                Ok(Self { project, location, ring, key, number })
            }
            ["projects", _, "locations", _, "keyRings", _, "cryptoKeys", _] => Err(problem(
                "a key has several versions, and each signs on its own; add /cryptoKeyVersions/N",
            )),
            _ => Err(problem("the name does not have this form")),
        }
    }
}

impl fmt::Display for KeyVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { project, location, ring, key, number } = self;
        write!(
            f,
            "projects/{project}/locations/{location}/keyRings/{ring}/cryptoKeys/{key}/cryptoKeyVersions/{number}"
        )
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const NAME: &str =
        "projects/acme-ml/locations/europe-west1/keyRings/launchgate/cryptoKeys/release/cryptoKeyVersions/3";

    #[test]
    fn a_full_name_is_read_and_written_back() {
        assert_eq!(NAME.parse::<KeyVersion>().unwrap().to_string(), NAME);
    }

    #[test]
    fn anything_else_is_an_error_that_shows_the_form() {
        let key = NAME.rsplit_once("/cryptoKeyVersions").unwrap().0;
        for bad in [
            "",
            "release",
            key,
            &format!("{NAME}/"),
            &NAME.replace("/3", "/latest"),
            &NAME.replace("/3", "/"),
            &NAME.replace("acme-ml", "acme ml"),
            &NAME.replace("release", "re;lease"),
            &NAME.replace("release", ".."),
            &NAME.replace("acme-ml", ".."),
            &format!("gcpkms://{NAME}"),
        ] {
            let error = bad.parse::<KeyVersion>().unwrap_err().to_string();
            assert!(error.contains("cryptoKeyVersions/N"), "{error}");
        }
    }

    #[test]
    fn an_answer_may_name_the_project_by_its_number_and_nothing_else_otherwise() {
        let asked: KeyVersion = NAME.parse().unwrap();
        assert!(asked.is_named_by(NAME));
        assert!(asked.is_named_by(&NAME.replace("acme-ml", "123456789012")));
        for other in ["acme-ml2", "evil"] {
            assert!(!asked.is_named_by(&NAME.replace("acme-ml", other)), "{other}");
        }
        assert!(!asked.is_named_by(&NAME.replace("/3", "/4")));
        assert!(!asked.is_named_by(&NAME.replace("release", "other")));
        assert!(!asked.is_named_by(""));
    }
}
