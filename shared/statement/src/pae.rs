//! DSSE v1 pre-authentication encoding.

/// The only payload type an event may have. Source: DESIGN §2.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// The bytes a DSSE signature covers: `DSSEv1 LEN(type) type LEN(body) body`, lengths in bytes.
/// Source: secure-systems-lab/dsse protocol.md, v1.0.
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = pae_head(payload_type, payload.len());
    let mut out = Vec::with_capacity(head.len() + payload.len());
    out.extend_from_slice(head.as_bytes());
    out.extend_from_slice(payload);
    out
}

/// Everything before the body.
pub(crate) fn pae_head(payload_type: &str, payload_len: usize) -> String {
    format!("DSSEv1 {} {payload_type} {payload_len} ", payload_type.len())
}
