//! The checks, one file each; every one is listed in [`ALL`] and described in `docs/checks/`.

use remint_model::Finding;

use crate::evidence::Evidence;

mod archive_anomaly;
mod attested_failed;
mod build_consumes_published;
mod bundle_runs_remote_code;
mod bundle_signature;
mod bundled_file_unattributed;
mod bundled_package_unlocked;
mod commit_off_main;
mod commit_unreachable;
mod hidden_characters;
mod identity_mismatch;
mod integrity;
mod manifest_unreadable;
mod native_companions;
mod opaque_native_code;
mod provenance;
mod registry_manifest_disagrees;
mod repository_changed;
mod source_disagreement;
mod undeclared_dependency;
mod undeclared_install_hook;
mod unexpected_network_access;

pub use provenance::{SourceAgreement, source_agreement};

/// One check: the finding ids that it can report, and the function that reports them.
pub struct Check {
    /// Every id that `run` may return.
    pub ids: &'static [&'static str],
    /// Looks at the evidence.
    pub run: fn(&Evidence) -> Vec<Finding>,
}

/// Every check.
pub const ALL: &[Check] = &[
    archive_anomaly::CHECK,
    attested_failed::CHECK,
    build_consumes_published::CHECK,
    bundle_runs_remote_code::CHECK,
    bundle_signature::CHECK,
    bundled_file_unattributed::CHECK,
    bundled_package_unlocked::CHECK,
    commit_off_main::CHECK,
    commit_unreachable::CHECK,
    hidden_characters::CHECK,
    identity_mismatch::CHECK,
    integrity::CHECK,
    manifest_unreadable::CHECK,
    native_companions::CHECK,
    opaque_native_code::CHECK,
    provenance::CHECK,
    registry_manifest_disagrees::CHECK,
    repository_changed::CHECK,
    source_disagreement::CHECK,
    undeclared_dependency::CHECK,
    undeclared_install_hook::CHECK,
    unexpected_network_access::CHECK,
];
