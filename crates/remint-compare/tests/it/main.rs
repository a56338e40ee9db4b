//! Archives made byte by byte: honest ones next to hostile ones, each refused for its named reason.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a broken test archive should stop its test"
)]

mod archives_inside;
mod comparing;
mod disagreeing_readers;
mod layers;
mod making;
mod normalisers;
mod surveying;
mod tar_anomalies;
mod zip_anomalies;
