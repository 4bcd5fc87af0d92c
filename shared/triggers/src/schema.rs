//! The triggers file's JSON Schema for editors.

/// The schema as JSON text, draft 2020-12. It helps while typing; the file's own checks decide.
pub fn json_schema() -> &'static str {
    include_str!("schema.json")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::file::SECTIONS;

    /// Where the schema holds each section that the reader knows.
    fn place_of(section: &str) -> &'static str {
        match section {
            "the file" => "",
            "service" => "/properties/service",
            "vertex" => "/properties/vertex",
            "ingress" => "/properties/ingress",
            "an ingress route" => "/$defs/route",
            "ledger" => "/properties/ledger",
            "failures" => "/properties/failures",
            "buildkite" => "/properties/buildkite",
            "a signer" => "/$defs/signer",
            "buildkiteOidc" => "/$defs/signer/properties/buildkiteOidc",
            "sigstore" => "/$defs/signer/properties/sigstore",
            "buildkiteWebhook" => "/$defs/signer/properties/buildkiteWebhook",
            "a trigger" => "/$defs/trigger",
            "a trigger's vertex" => "/$defs/trigger/properties/vertex",
            "defaults" => "/properties/defaults",
            "waitFor" => "/$defs/trigger/properties/waitFor",
            "match" => "/$defs/match",
            "require" => "/$defs/require",
            "require.signers" => "/$defs/require/properties/signers",
            "launch" => "/$defs/launch",
            other => panic!("the schema does not say where {other} is"),
        }
    }

    #[test]
    fn the_schema_has_exactly_the_keys_that_the_reader_knows() {
        let schema: Value = serde_json::from_str(json_schema()).unwrap();
        for (section, keys) in SECTIONS {
            let object = schema.pointer(place_of(section)).unwrap();
            let held: BTreeSet<&str> =
                object["properties"].as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!(held, keys.iter().copied().collect(), "{section}");
            assert_eq!(object["additionalProperties"], false, "{section}");
        }
    }
}
