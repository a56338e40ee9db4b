//! What others offer as provenance, in a line for people.

use remint_judge::Evidence;
use remint_judge::checks::{SourceAgreement, source_agreement};
use remint_model::{
    OfferedProvenance, ProvenanceAnswer, ProvenanceOrigin, ProvenanceStanding, SourcePin,
    VerifiedProvenance,
};

/// One line for each thing that is worth telling; what did not hold is told by the findings.
pub(super) fn lines(evidence: &Evidence) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for offered in &evidence.provenance.offered {
        for words in words(offered, evidence.source.as_ref()) {
            let line = format!("{}: {words}", offered.origin.id());
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
    }
    lines
}

fn words(offered: &OfferedProvenance, pin: Option<&SourcePin>) -> Vec<String> {
    let claims = match (&offered.answer, offered.origin) {
        (ProvenanceAnswer::Offered(claims), _) => claims,
        // Most releases have nothing on GitHub.
        (
            ProvenanceAnswer::NoneOffered
            | ProvenanceAnswer::Unreachable(_)
            | ProvenanceAnswer::Unreadable(_),
            ProvenanceOrigin::GitHub,
        ) => return Vec::new(),
        (ProvenanceAnswer::NoneOffered, _) => return vec!["none offered".to_owned()],
        (ProvenanceAnswer::Unreachable(_), _) => return vec!["no answer".to_owned()],
        (ProvenanceAnswer::Unreadable(_), _) => {
            return vec!["an answer that cannot be read".to_owned()];
        }
    };
    let mut words = Vec::new();
    let mut own_word = false;
    for claim in claims {
        match (&claim.standing, offered.origin) {
            (ProvenanceStanding::Verified(verified), _) => match workflow(verified, pin) {
                Some(workflow) => words.push(workflow),
                None => own_word = true,
            },
            (ProvenanceStanding::Refused(_), _) => {
                words.push(format!("{} that does not hold", claim.kind.id()));
            }
            (ProvenanceStanding::Unchecked(_), ProvenanceOrigin::GitHub) => {}
            (ProvenanceStanding::Unchecked(_), _) => {
                words.push(format!("{} that cannot be checked", claim.kind.id()));
            }
        }
    }
    if words.is_empty() && own_word {
        words.push("the registry's own signature and no workflow's".to_owned());
    }
    words
}

/// `GitHub Actions, owner/name@v1.2.3, agrees`.
fn workflow(claim: &VerifiedProvenance, pin: Option<&SourcePin>) -> Option<String> {
    let repository = claim.source_repository.as_deref()?;
    let (service, repository) = match claim.issuer.as_deref() {
        Some("https://token.actions.githubusercontent.com") => (
            "GitHub Actions",
            repository
                .strip_prefix("https://github.com/")
                .unwrap_or(repository),
        ),
        Some("https://gitlab.com") => (
            "GitLab CI",
            repository
                .strip_prefix("https://gitlab.com/")
                .unwrap_or(repository),
        ),
        Some(issuer) => (issuer, repository),
        None => return None,
    };
    let reference = claim
        .source_reference
        .as_deref()
        .or(claim.source_commit.as_deref())
        .unwrap_or("?");
    let reference = ["refs/tags/", "refs/heads/"]
        .iter()
        .find_map(|prefix| reference.strip_prefix(prefix))
        .unwrap_or(reference);
    let runner = match claim.runner_environment.as_deref() {
        Some("self-hosted") => ", on a machine of the project's own",
        Some(_) | None => "",
    };
    Some(format!(
        "{service}, {repository}@{reference}{runner}, {}",
        agreement_words(source_agreement(claim, pin))
    ))
}

const fn agreement_words(agreement: SourceAgreement) -> &'static str {
    match agreement {
        SourceAgreement::Agrees => "agrees",
        SourceAgreement::OtherName => "agrees on the commit, not on the repository",
        SourceAgreement::OtherCommit => "names another commit",
        SourceAgreement::OtherRepository => "names another repository",
        SourceAgreement::Unknown => "with no source to hold it against",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(issuer: &str, repository: &str, runner: &str) -> VerifiedProvenance {
        VerifiedProvenance {
            signer: "a workflow".to_owned(),
            issuer: Some(issuer.to_owned()),
            source_repository: Some(repository.to_owned()),
            source_commit: Some("7d2900eca1c22b3f87c13987c8d4b7c9a29b733a".to_owned()),
            source_reference: Some("refs/tags/v1.2.3".to_owned()),
            runner_environment: Some(runner.to_owned()),
        }
    }

    #[test]
    fn a_claim_is_told_in_one_line() {
        let check = |claim: &VerifiedProvenance, expect: &str| {
            assert_eq!(workflow(claim, None).as_deref(), Some(expect));
        };
        check(
            &claim(
                "https://token.actions.githubusercontent.com",
                "https://github.com/owner/name",
                "github-hosted",
            ),
            "GitHub Actions, owner/name@v1.2.3, with no source to hold it against",
        );
        check(
            &claim(
                "https://gitlab.com",
                "https://gitlab.com/a/b/c",
                "self-hosted",
            ),
            "GitLab CI, a/b/c@v1.2.3, on a machine of the project's own, with no source to hold it against",
        );
        let mut own_word = claim("", "", "");
        own_word.issuer = None;
        assert_eq!(workflow(&own_word, None), None);
    }
}
