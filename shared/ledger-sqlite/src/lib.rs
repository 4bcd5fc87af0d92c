//! The ledger on `SQLite`: the embedded default for one machine.
//!
//! Promises: what is answered is on disk (WAL, `synchronous=FULL`, one commit for everything queued
//! meanwhile); leases are measured by one clock that never goes back; a database written by a newer
//! version is refused untouched. Several processes of one machine may share the file.
//! Does not: work over a network file system; run where the disk is not durable unless told to; delete
//! anything.

mod admission;
mod artifact_checks;
mod build_asks;
mod build_facts;
mod claims;
mod clock;
mod column;
mod commands;
mod database;
mod decision;
mod disk;
mod event;
mod fault;
mod ledger;
mod listing;
mod migrations;
mod near_misses;
mod readers;
mod receipt;
mod redecision;
mod runs;
mod standing;
mod writer;

pub use fault::OpenError;
pub use ledger::{Options, SqliteLedger};
