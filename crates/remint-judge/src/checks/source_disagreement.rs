//! The hints for the commit contradict each other, or the manifest states another version or name than was released.

use remint_model::{Axis, Candidate, Finding, FoundBy, MeantFor, Severity};
use serde_json::json;

use super::Check;
use crate::evidence::Evidence;

pub(super) const CHECK: Check = Check {
    ids: &["name-stamped", "source-hints-disagree", "version-stamped"],
    run: source_disagreement,
};

fn source_disagreement(evidence: &Evidence) -> Vec<Finding> {
    let Some(pin) = &evidence.source else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    let strong = |candidate: &&Candidate| {
        matches!(
            candidate.found_by,
            FoundBy::Tag
                | FoundBy::GitHead
                | FoundBy::VcsInfo
                | FoundBy::Origin
                | FoundBy::BuildInfo
                | FoundBy::Provenance
        ) && !candidate.agrees
            // A tag that turned out to be a sibling's was no hint for this package.
            && candidate.meant_for == MeantFor::ThisRelease
    };
    let disagreeing: Vec<_> = pin.candidates.iter().filter(strong).collect();
    if let Some(first) = disagreeing.first()
        && pin.found_by != FoundBy::User
    {
        findings.push(Finding {
            id: "source-hints-disagree",
            axis: Axis::Source,
            severity: Severity::Medium,
            message: format!(
                "{} points to {}, the source was taken from {}",
                hint_name(first),
                first
                    .commit
                    .as_ref()
                    .map_or("nothing", |commit| commit.short()),
                pin.commit.short()
            ),
            evidence: json!({ "taken": pin.commit, "disagreeing": disagreeing }),
        });
    }
    if let Some(stamp) = &pin.stamp {
        findings.push(Finding {
            id: "version-stamped",
            axis: Axis::Source,
            severity: Severity::Info,
            message: match &stamp.found {
                Some(found) => format!(
                    "the source says version {found}; {} was written in for the build, because {}",
                    stamp.wanted, stamp.because
                ),
                None => format!(
                    "the source computes its version; {} was given to the build, because {}",
                    stamp.wanted, stamp.because
                ),
            },
            evidence: json!({ "stamp": stamp }),
        });
    }
    if let Some(renamed) = &pin.renamed {
        findings.push(Finding {
            id: "name-stamped",
            axis: Axis::Source,
            severity: Severity::Info,
            message: format!(
                "the source calls itself {}; {} was written in for the build, because `{}` names it",
                renamed.found, renamed.wanted, renamed.named_in
            ),
            evidence: json!({ "renamed": renamed }),
        });
    }
    findings
}

fn hint_name(candidate: &Candidate) -> String {
    match candidate.found_by {
        FoundBy::GitHead => "`gitHead` of the registry".to_owned(),
        FoundBy::VcsInfo => "`.cargo_vcs_info.json` of the file".to_owned(),
        FoundBy::Origin => "`Origin` of the proxy".to_owned(),
        FoundBy::BuildInfo => "`vcs.revision` of the program".to_owned(),
        FoundBy::Provenance => "provenance".to_owned(),
        FoundBy::Tag
        | FoundBy::User
        | FoundBy::VersionCommit
        | FoundBy::Neighbour
        | FoundBy::Blobs => match &candidate.reference {
            Some(reference) => format!("`{reference}`"),
            None => "a hint".to_owned(),
        },
    }
}
