//! The commit that a program says it was built from. Whoever built it chose that word: it is held against the commit
//! that was found, and leads nowhere by itself.

use remint_model::{Candidate, FoundBy, MeantFor, Survey};

use super::FoundSource;

/// Adds the program's word to what was found.
pub(super) fn add_claim(survey: &Survey, found: &mut FoundSource) {
    let Some(revision) = survey
        .program
        .as_ref()
        .and_then(|info| info.setting("vcs.revision"))
    else {
        return;
    };
    let commit = revision.parse().ok();
    if let Some(otherwise) = &mut found.otherwise {
        add_claim(survey, otherwise);
    }
    let agrees = commit.as_ref() == Some(&found.pin.commit);
    found.pin.candidates.push(Candidate {
        found_by: FoundBy::BuildInfo,
        reference: None,
        commit,
        agrees,
        note: (!agrees)
            .then(|| "the program says that it was built from another commit".to_owned()),
        meant_for: MeantFor::ThisRelease,
    });
}
