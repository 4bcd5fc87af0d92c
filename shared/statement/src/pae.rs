//! DSSE v1 pre-authentication encoding.

/// The only payload type an event may have. Source: DESIGN §2.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// The bytes a DSSE signature covers: `DSSEv1 LEN(type) type LEN(body) body`, lengths in bytes.
/// Source: secure-systems-lab/dsse protocol.md, v1.0.
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut out = format!("DSSEv1 {} {} {} ", payload_type.len(), payload_type, payload.len()).into_bytes();
    out.extend_from_slice(payload);
    out
}
