//! Starting a bundle fetches code that the bundle does not hold: what was judged is then not what runs.

use remint_model::Finding;

use super::Check;
use crate::evidence::Evidence;
use crate::remote_code;

const ID: &str = "bundle-runs-remote-code";

pub(super) const CHECK: Check = Check {
    ids: &[ID],
    run: bundle_runs_remote_code,
};

fn bundle_runs_remote_code(evidence: &Evidence) -> Vec<Finding> {
    evidence.bundle.as_ref().map_or_else(Vec::new, |bundle| {
        remote_code::findings(ID, &bundle.facts.remote)
    })
}
