//! A git repository by whatever remote names it.

/// `host/path` of a remote, so that two spellings of one repository compare equal: lower case, without
/// scheme, user, port and `.git`; `git@host:org/repo` is `host/org/repo`. `None` when there is no host or
/// no path. Source: DESIGN §3, "Forks".
pub fn repository_name(remote: &str) -> Option<String> {
    let remote = remote.strip_prefix("git+").unwrap_or(remote);
    let (schemed, rest) = match remote.split_once("://") {
        Some((_, rest)) => (true, rest),
        None => (false, remote),
    };
    // User and password end at the last `@` before the path.
    let authority = rest.find('/').map_or(rest, |end| &rest[..end]);
    let rest = &rest[authority.rfind('@').map_or(0, |at| at + 1)..];
    // Whichever ends the host first: a path, or scp's colon (which the official plugin also writes
    // after a scheme: `https://git@github.com:org/repo`).
    let (host, path) = rest.split_at(rest.find(['/', ':'])?);
    let path = match path.strip_prefix(':') {
        Some(after) => match after.split_once('/') {
            Some((port, path)) if schemed && port.bytes().all(|byte| byte.is_ascii_digit()) => path,
            _ => after,
        },
        None => path,
    };
    let path = path.trim_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    (!host.is_empty() && !path.is_empty()).then(|| format!("{host}/{path}").to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_remote_has_one_name() {
        for remote in [
            "https://github.com/acme/fraud",
            "https://github.com/acme/fraud.git",
            "https://user:token@GitHub.com/Acme/fraud.git/",
            "https://github.com:443/acme/fraud",
            "ssh://git@github.com:22/acme/fraud.git",
            "ssh://git@github.com/acme/fraud.git",
            "git://github.com/acme/fraud",
            "git@github.com:acme/fraud.git",
            "git@github.com:/acme/fraud.git",
            "github.com:acme/fraud",
            "git+https://github.com/acme/fraud",
            "git+https://git@github.com:acme/fraud",
        ] {
            assert_eq!(repository_name(remote).as_deref(), Some("github.com/acme/fraud"), "{remote}");
        }
        assert_eq!(repository_name("git@host:2222/repo").as_deref(), Some("host/2222/repo"));
        for remote in
            ["", "github.com", "https://", "https:///x", "https://host/", "https://host/.git", "/srv/x"]
        {
            assert_eq!(repository_name(remote), None, "{remote}");
        }
    }
}
