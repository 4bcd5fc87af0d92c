//! Rekor v1: entries of kind `dsse` in a tree of two leaves, with proof, checkpoint and promise.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{LogKey, sha256};

const ORIGIN: &str = "rekor.sigstore.example - 1193050959916656506";

/// The log's one key.
pub(super) struct TransparencyLog {
    key: LogKey,
}

impl TransparencyLog {
    pub(super) fn new(since: i64) -> Self {
        Self { key: LogKey::new(since) }
    }

    pub(super) fn trusted(&self) -> Value {
        self.key.trusted("https://rekor.sigstore.example")
    }

    /// Logs an envelope that the certificate's key signed; the bundle's `tlogEntries` member.
    pub(super) fn log_dsse(&self, envelope: &Value, payload: &[u8], certificate: &[u8], at: i64) -> Value {
        let digest = |bytes: &[u8]| json!({"algorithm": "sha256", "value": hex(&sha256(bytes))});
        let body = json!({
            "apiVersion": "0.0.1",
            "kind": "dsse",
            "spec": {
                "envelopeHash": digest(envelope.to_string().as_bytes()),
                "payloadHash": digest(payload),
                "signatures": [{
                    "signature": envelope["signatures"][0]["sig"],
                    "verifier": STANDARD.encode(pem(certificate)),
                }],
            },
        });
        // Names are sorted and nothing needs escaping, so this is the canonical form (RFC 8785).
        let body = body.to_string();
        let encoded = STANDARD.encode(&body);

        // RFC 6962, 2.1: our leaf is the second of two.
        let neighbour = sha256(b"\0an older entry");
        let leaf = sha256(&[b"\0", body.as_bytes()].concat());
        let root = sha256(&[b"\x01", &*neighbour, &leaf].concat());
        let note = format!("{ORIGIN}\n2\n{}\n", STANDARD.encode(&root));
        let signature = [&self.key.id()[..4], &self.key.sign(note.as_bytes())].concat();
        let checkpoint = format!("{note}\n\u{2014} rekor.sigstore.example {}\n", STANDARD.encode(signature));

        let index = 1;
        let promise = json!({
            "body": encoded, "integratedTime": at, "logID": hex(&self.key.id()), "logIndex": index,
        });
        let promise = self.key.sign(promise.to_string().as_bytes());
        json!({
            "logIndex": index.to_string(),
            "logId": {"keyId": STANDARD.encode(self.key.id())},
            "kindVersion": {"kind": "dsse", "version": "0.0.1"},
            "integratedTime": at.to_string(),
            "inclusionPromise": {"signedEntryTimestamp": STANDARD.encode(promise)},
            "inclusionProof": {
                "logIndex": index.to_string(),
                "rootHash": STANDARD.encode(&root),
                "treeSize": "2",
                "hashes": [STANDARD.encode(&neighbour)],
                "checkpoint": {"envelope": checkpoint},
            },
            "canonicalizedBody": encoded,
        })
    }
}

/// RFC 7468, with the line length and the final newline that Rekor's own canonical form has.
fn pem(certificate: &[u8]) -> String {
    let encoded = STANDARD.encode(certificate);
    let lines: Vec<_> = encoded.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
