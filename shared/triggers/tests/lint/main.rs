//! Every lint code: what shows it, what no longer does, and the page that explains it.
#![allow(clippy::format_collect, reason = "test texts are short")]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod codes;
mod example;
mod page;
