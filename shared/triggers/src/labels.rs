//! Google's label rule, and `labelSafe` that makes a text fit it.
