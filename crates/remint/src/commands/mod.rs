//! One file for each command; each returns how the process ends.

pub(crate) mod attest;
pub(crate) mod cache;
pub(crate) mod compare;
pub(crate) mod completions;
pub(crate) mod conformance;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod explain;
pub(crate) mod key;
pub(crate) mod log;
pub(crate) mod sign_release;
pub(crate) mod trust;
pub(crate) mod verify_attestation;
pub(crate) mod verify_build;
