//! A repository's address, compared as DESIGN §3 (Forks) says.

use std::fmt;

/// Lower-case host and path, without scheme, user, port and `.git`; `git@host:org/repo` is `host/org/repo`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository(String);

impl Repository {
    /// The normal form of any text; texts that are no address come out as themselves, lower-cased.
    pub fn normalise(text: &str) -> Self {
        let text = text.trim();
        let text = text.strip_prefix("git+").unwrap_or(text);
        let (has_scheme, rest) = match text.split_once("://") {
            Some((_, rest)) => (true, rest),
            None => (false, text),
        };
        let authority_end = rest.find('/').unwrap_or(rest.len());
        let (authority, path) = rest.split_at(authority_end);
        let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let joined = match authority.split_once(':') {
            // After a scheme a colon starts the port; in `git@host:org/repo` it starts the path.
            Some((host, _port)) if has_scheme => format!("{host}{path}"),
            Some((host, start)) => format!("{host}/{}{path}", start.trim_start_matches('/')),
            None => format!("{authority}{path}"),
        };
        let joined = joined.trim_end_matches('/').to_lowercase();
        Self(joined.strip_suffix(".git").unwrap_or(&joined).trim_end_matches('/').to_owned())
    }

    /// Whether it names a host and something on it.
    pub fn is_address(&self) -> bool {
        matches!(self.0.split_once('/'), Some((host, path)) if host.contains('.') && !path.is_empty())
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_one_repository_is_the_same_repository() {
        for text in [
            "https://github.com/acme/fraud",
            "https://github.com/acme/fraud.git",
            "https://user:secret@GitHub.com:443/Acme/fraud.git/",
            "git@github.com:acme/fraud.git",
            "github.com:acme/fraud",
            "ssh://git@github.com:22/acme/fraud.git",
            "git+https://github.com/acme/fraud",
            "github.com/acme/fraud",
        ] {
            assert_eq!(Repository::normalise(text).to_string(), "github.com/acme/fraud", "{text}");
        }
    }

    #[test]
    fn another_host_owner_or_name_is_another_repository() {
        let ours = Repository::normalise("https://github.com/acme/fraud");
        for text in [
            "https://github.com.evil.example/acme/fraud",
            "https://github.com/evil/fraud",
            "https://github.com/acme/fraud2",
            "https://evil.example/github.com/acme/fraud",
            "https://github.com@evil.example/acme/fraud",
            "",
        ] {
            assert_ne!(Repository::normalise(text), ours, "{text}");
        }
    }
}
