//! The real binary, run as people and builds run it: exit codes, what is on stdout, what is on stderr.

#![allow(clippy::unwrap_used)]

mod cases;
mod demo;
mod diff;
mod emit;
mod explain;
mod folder;
mod init;
mod keys;
mod lint;
mod reference;
mod remote;
mod service;
mod webhook;
