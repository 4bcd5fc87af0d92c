//! Resource paths and the operation that a method and path name together.

use hyper::Method;
use serde::{Deserialize, Serialize};

use super::kind::JobKind;

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Operation {
    /// `POST …/COLLECTION`
    Create,
    /// `GET …/COLLECTION`
    List,
    /// `GET …/COLLECTION/ID`
    Get,
    /// `POST …/COLLECTION/ID:cancel`
    Cancel,
    /// `DELETE …/COLLECTION/ID`
    Delete,
}

impl Operation {
    /// The method's name in the service definition.
    pub(crate) fn rpc(self, kind: JobKind) -> String {
        let resource = kind.resource();
        match self {
            Self::Create => format!("Create{resource}"),
            Self::List => format!("List{resource}s"),
            Self::Get => format!("Get{resource}"),
            Self::Cancel => format!("Cancel{resource}"),
            Self::Delete => format!("Delete{resource}"),
        }
    }
}

/// A request's place: project, location, collection and, save for create and list, the job's id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) operation: Operation,
    pub(crate) project: String,
    pub(crate) location: String,
    pub(crate) kind: JobKind,
    /// Empty for create and list.
    pub(crate) id: String,
}

impl Target {
    /// Reads `/v1/projects/P/locations/L/COLLECTION[/ID[:cancel]]`; none for anything else.
    pub(crate) fn parse(method: &Method, path: &str) -> Option<Self> {
        let mut parts = path.strip_prefix("/v1/projects/")?.split('/');
        let project = parts.next().filter(|part| is_name(part))?;
        parts.next().filter(|part| *part == "locations")?;
        let location = parts.next().filter(|part| is_name(part))?;
        let kind = JobKind::from_collection(parts.next()?)?;
        let last = parts.next();
        if parts.next().is_some() {
            return None;
        }
        let (operation, id) = match (method.as_str(), last) {
            ("POST", None) => (Operation::Create, ""),
            ("GET", None) => (Operation::List, ""),
            ("GET", Some(id)) => (Operation::Get, id),
            ("DELETE", Some(id)) => (Operation::Delete, id),
            ("POST", Some(id)) => (Operation::Cancel, id.strip_suffix(":cancel")?),
            _ => return None,
        };
        if last.is_some() && !is_name(id) {
            return None;
        }
        Some(Self {
            operation,
            project: project.to_owned(),
            location: location.to_owned(),
            kind,
            id: id.to_owned(),
        })
    }

    /// `projects/P/locations/L` as the request wrote it.
    pub(crate) fn place(&self) -> String {
        format!("projects/{}/locations/{}", self.project, self.location)
    }
}

/// Project ids may hold a domain (`example.com:p`); nothing in a name needs an escape.
fn is_name(part: &str) -> bool {
    !part.is_empty()
        && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte))
        && !part.ends_with(':')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn method_and_path_name_the_operation() {
        let base = "/v1/projects/p/locations/l/customJobs";
        let cases = [
            (Method::POST, base.to_owned(), Some(Operation::Create)),
            (Method::GET, base.to_owned(), Some(Operation::List)),
            (Method::GET, format!("{base}/7"), Some(Operation::Get)),
            (Method::DELETE, format!("{base}/7"), Some(Operation::Delete)),
            (Method::POST, format!("{base}/7:cancel"), Some(Operation::Cancel)),
            (Method::POST, format!("{base}/7"), None),
            (Method::PUT, base.to_owned(), None),
            (Method::POST, format!("{base}/"), None),
            (Method::POST, "/v1/projects/p/locations/l/endpoints".to_owned(), None),
            (Method::POST, "/v1beta1/projects/p/locations/l/customJobs".to_owned(), None),
        ];

        for (method, path, expected) in cases {
            assert_eq!(
                Target::parse(&method, &path).map(|target| target.operation),
                expected,
                "{method} {path}"
            );
        }
    }
}
