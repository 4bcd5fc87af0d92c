//! Compact RS256 JSON Web Tokens, read as narrowly as their issuers write them.
//!
//! Promises: the algorithm is pinned to RS256; `jku`, `x5u`, `x5c`, `jwk` and `crit` are refused, never
//! followed; sizes are bounded; a member that stands twice is refused.
