//! CRC32C, with which Cloud KMS guards what travels between it and its callers.
//!
//! A few hundred bytes a signature: bit by bit is quick enough, and needs no table.

use serde_json::Value;

/// Castagnoli's polynomial, reflected. Source: RFC 3720 appendix B.4.
const POLYNOMIAL: u32 = 0x82f6_3b78;

pub(super) fn crc32c(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for &byte in bytes {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            let carry = crc & 1 == 1;
            crc >>= 1;
            if carry {
                crc ^= POLYNOMIAL;
            }
        }
    }
    !crc
}

/// Whether `said`, an int64 in JSON (a text, by some writers a number), is the checksum of `bytes`. An absent one
/// is none: an answer without it could have been changed by anybody.
pub(super) fn is_checksum_of(said: &Value, bytes: &[u8]) -> bool {
    let said = match said {
        Value::String(text) => text.parse().ok(),
        other => other.as_u64(),
    };
    said == Some(u64::from(crc32c(bytes)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_vectors_of_rfc_3720_hold() {
        let ascending: Vec<u8> = (0..32).collect();
        for (bytes, expected) in [
            (&[0; 32][..], 0x8a91_36aa),
            (&[0xff; 32], 0x62a8_ab43),
            (&ascending, 0x46dd_794e),
            (b"123456789", 0xe306_9283),
            (b"", 0),
        ] {
            assert_eq!(crc32c(bytes), expected, "{bytes:?}");
        }
    }

    #[test]
    fn a_checksum_is_a_text_or_a_number_and_never_absent() {
        let bytes = b"123456789";
        assert!(is_checksum_of(&json!("3808858755"), bytes));
        assert!(is_checksum_of(&json!(3_808_858_755_u64), bytes));
        for wrong in [json!(null), json!(""), json!("3808858756"), json!("-1"), json!(true)] {
            assert!(!is_checksum_of(&wrong, bytes), "{wrong}");
        }
    }
}
