//! The stand-ins judged from outside, over HTTP, by the vectors Google's own client wrote and by each promise.
#![allow(clippy::unwrap_used)]

mod answers;
mod caller;
mod credentials;
mod faults;
mod kms;
mod listing;
mod mutations;
mod refusals;
mod states;
mod vectors;
