//! Base64 as DESIGN §2 reads it: either alphabet, never both in one text, exact padding, no whitespace.
