//! The algorithms of tokens. Each verifier pins one, as each issuer signs with one.

/// How an issuer signs its tokens. There is no `none`, and no algorithm with a shared secret: a public key
/// taken for a secret would let anyone sign. Source: RFC 7518 §3.1; RFC 8725 §3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JwtAlgorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256: Google's push tokens, Buildkite's job tokens.
    Rs256,
    /// ECDSA on P-256 with SHA-256, the signature 64 bytes: Identity-Aware Proxy.
    Es256,
}

impl JwtAlgorithm {
    /// Every algorithm.
    pub const ALL: [Self; 2] = [Self::Rs256, Self::Es256];

    /// The name in a token's header.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
        }
    }
}
