//! CRC32C.

/// CRC32C by its definition, so that a mistake of the client's is not made here too: the remainder of the message
/// as a polynomial over GF(2), bits reflected. Source: RFC 3720 appendix B.4.
pub(super) fn crc32c(bytes: &[u8]) -> u32 {
    let mut remainder: u64 = u64::from(u32::MAX);
    for byte in bytes {
        for bit in 0..8 {
            let incoming = u64::from((byte >> bit) & 1);
            let outgoing = (remainder >> 31) & 1;
            remainder = (remainder << 1) & u64::from(u32::MAX);
            if incoming ^ outgoing == 1 {
                remainder ^= 0x1edc_6f41;
            }
        }
    }
    let remainder = u32::try_from(remainder).expect("it is cut to 32 bits in each step");
    !remainder.reverse_bits()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_checksum_is_the_one_of_rfc_3720() {
        assert_eq!(super::crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(super::crc32c(&[0; 32]), 0x8a91_36aa);
    }
}
