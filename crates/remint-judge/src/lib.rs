//! From evidence to findings and an outcome: values in, values out.
//!
//! Each check looks at one question and returns what it found; the outcome follows from the content of the
//! comparison and the severities of the findings by the rules of the contract, and from nothing else.

mod bundle;
pub mod checks;
mod evidence;
mod image;
mod native;
mod outcome;
mod remote_code;

pub use evidence::{
    AttestedFailure, Evidence, IntegrityCheck, Manifests, Programs, ResultEvidence, StatedIdentity,
};
pub use image::{IMAGE_FINDINGS, judge_image, judge_mismatch};
pub use outcome::judge;
