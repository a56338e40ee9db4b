//! Which repository and commit a workflow ran for: the certificate's word, which everybody else's must equal.

use serde_json::Value;
use sigstore_verify::VerificationResult;

use super::answer::{PublisherHost, TrustedPublisher};
use super::{GITHUB_ACTIONS, GITLAB, SLSA_V0_2, printable};
use crate::refusal::{Refusal, RefusalReason};
use crate::statement::Statement;

/// What a certificate of a CI service says about the run that it was made for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Workload {
    pub(super) issuer: String,
    pub(super) repository: String,
    pub(super) commit: String,
    pub(super) reference: Option<String>,
    pub(super) runner: Option<String>,
    /// The workflow's file with its ref, in certificates since 2023.
    pub(super) configuration: Option<String>,
}

impl Workload {
    pub(super) fn of(result: &VerificationResult, issuer: &str) -> Result<Self, Refusal> {
        let lacking = || {
            Refusal::new(
                RefusalReason::CertificateInvalid,
                "the certificate does not say which repository and commit its workflow ran for",
            )
        };
        let claims = &result.certificate().ok_or_else(lacking)?.ci_claims;
        let older = &claims.deprecated_github;
        // Certificates from before 2023 have GitHub's own claims alone.
        let of_github = (issuer == GITHUB_ACTIONS)
            .then(|| {
                let name = older.workflow_repository.as_deref()?;
                Some(format!("https://github.com/{name}"))
            })
            .flatten();
        let either = |claim: &Option<String>, older: &Option<String>| {
            claim.as_ref().or(older.as_ref()).cloned()
        };
        let repository = either(&claims.source_repository_uri, &of_github);
        let commit = either(&claims.source_repository_digest, &older.workflow_sha);
        Ok(Self {
            issuer: issuer.to_owned(),
            repository: printable(&repository.ok_or_else(lacking)?),
            commit: printable(&commit.ok_or_else(lacking)?),
            reference: either(&claims.source_repository_ref, &older.workflow_ref)
                .map(|text| printable(&text)),
            runner: claims.runner_environment.as_deref().map(printable),
            configuration: claims.build_config_uri.clone(),
        })
    }
}

/// The commits that SLSA provenance names for the certificate's repository must be the certificate's.
///
/// A workflow may list further repositories as dependencies; those are its own word and say nothing here.
pub(super) fn check_sources(statement: &Statement, workload: &Workload) -> Result<(), Refusal> {
    let list = if statement.predicate_type == SLSA_V0_2 {
        statement.predicate.get("materials")
    } else {
        statement
            .predicate
            .pointer("/buildDefinition/resolvedDependencies")
    };
    let dependencies = list
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    let mut agreed = false;
    for dependency in dependencies {
        let Some(repository) = dependency
            .get("uri")
            .and_then(Value::as_str)
            .map(repository)
        else {
            continue;
        };
        if !repository.eq_ignore_ascii_case(repository_bare(&workload.repository)) {
            continue;
        }
        let digest = dependency.get("digest");
        let commits = ["gitCommit", "sha1"]
            .iter()
            .filter_map(|name| digest?.get(name)?.as_str());
        for commit in commits {
            if commit != workload.commit {
                return Err(Refusal::new(
                    RefusalReason::ClaimsDisagree,
                    format!(
                        "the statement names commit `{}`, the certificate {}",
                        printable(commit),
                        workload.commit
                    ),
                ));
            }
            agreed = true;
        }
    }
    if agreed {
        return Ok(());
    }
    Err(Refusal::new(
        RefusalReason::ClaimsDisagree,
        format!(
            "the statement names no commit of {}, which the certificate is for",
            workload.repository
        ),
    ))
}

/// `git+https://host/owner/name@refs/heads/main` without what stands around the repository.
fn repository(uri: &str) -> &str {
    let uri = uri.strip_prefix("git+").unwrap_or(uri);
    // A user name before the host has an `@` as well; a ref follows the path.
    let path = uri.find("://").map_or(0, |at| at + 3);
    let path = uri
        .get(path..)
        .and_then(|rest| rest.find('/'))
        .map_or(uri.len(), |at| path + at);
    let end = uri
        .get(path..)
        .and_then(|rest| rest.find('@'))
        .map_or(uri.len(), |at| path + at);
    repository_bare(uri.get(..end).unwrap_or(uri))
}

fn repository_bare(uri: &str) -> &str {
    let uri = uri.trim_end_matches('/');
    uri.strip_suffix(".git").unwrap_or(uri)
}

/// The publisher that an index names must be the workflow that signed (as `pypi-attestations` checks it).
pub(super) fn check_publisher(
    publisher: &TrustedPublisher,
    workload: &Workload,
) -> Result<(), Refusal> {
    let (issuer, repository, workflow) = match publisher.host {
        PublisherHost::GitHub => {
            let repository = format!("https://github.com/{}", publisher.repository);
            let workflow = format!("{repository}/.github/workflows/{}", publisher.workflow);
            (GITHUB_ACTIONS, repository, workflow)
        }
        PublisherHost::GitLab => {
            let repository = format!("https://gitlab.com/{}", publisher.repository);
            let workflow = format!("{repository}//{}", publisher.workflow);
            (GITLAB, repository, workflow)
        }
    };
    let other = |detail: String| Err(Refusal::new(RefusalReason::IdentityMismatch, detail));
    if workload.issuer != issuer {
        return other(format!(
            "the registry names a publisher that {issuer} vouches for, the certificate is from {}",
            workload.issuer
        ));
    }
    if !workload.repository.eq_ignore_ascii_case(&repository) {
        return other(format!(
            "the registry names {} as publisher, the certificate {}",
            printable(&repository),
            workload.repository
        ));
    }
    let refs = [Some(&workload.commit), workload.reference.as_ref()];
    let matches = workload.configuration.as_ref().is_some_and(|ran| {
        refs.into_iter()
            .flatten()
            .any(|at| ran.eq_ignore_ascii_case(&format!("{workflow}@{at}")))
    });
    if matches {
        return Ok(());
    }
    other(format!(
        "the registry names workflow {} as publisher, the certificate {}",
        printable(&workflow),
        workload
            .configuration
            .as_deref()
            .map_or_else(|| "none".to_owned(), printable)
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const COMMIT: &str = "7d2900eca1c22b3f87c13987c8d4b7c9a29b733a";

    fn check(predicate_type: &str, predicate: Value, expect: Result<(), RefusalReason>) {
        let statement = Statement {
            statement_type: crate::STATEMENT_TYPE.to_owned(),
            subject: Vec::new(),
            predicate_type: predicate_type.to_owned(),
            predicate,
        };
        let workload = Workload {
            issuer: GITHUB_ACTIONS.to_owned(),
            repository: "https://github.com/owner/name".to_owned(),
            commit: COMMIT.to_owned(),
            reference: None,
            runner: None,
            configuration: None,
        };
        let found = check_sources(&statement, &workload).map_err(|refusal| refusal.reason);
        assert_eq!(found, expect, "{}", statement.predicate);
    }

    fn v1(dependencies: &Value) -> Value {
        json!({ "buildDefinition": { "resolvedDependencies": dependencies } })
    }

    #[test]
    fn the_predicates_commit_must_be_the_certificates() {
        let refused = Err(RefusalReason::ClaimsDisagree);
        let other = "08802efe1f8e5fec4ad842d6b8ce97656092ee72";
        let uri = "git+https://github.com/Owner/name@refs/heads/main";
        let of = |uri: &str, digest: Value| json!({ "uri": uri, "digest": digest });
        let good = of(uri, json!({ "gitCommit": COMMIT }));
        for (dependencies, expect) in [
            (json!([good]), Ok(())),
            (
                json!([of(
                    "git+https://github.com/owner/name.git",
                    json!({ "sha1": COMMIT })
                )]),
                Ok(()),
            ),
            (json!([of(uri, json!({ "gitCommit": other }))]), refused),
            (
                json!([good, of(uri, json!({ "gitCommit": other }))]),
                refused,
            ),
            (
                json!([of(uri, json!({ "gitCommit": COMMIT, "sha1": other }))]),
                refused,
            ),
            (
                json!([of(
                    "git+https://github.com/owner/name2@refs/heads/main",
                    json!({ "gitCommit": COMMIT })
                )]),
                refused,
            ),
            // A further repository is the workflow's own word.
            (
                json!([
                    good,
                    of(
                        "git+https://github.com/owner/tool",
                        json!({ "gitCommit": other })
                    )
                ]),
                Ok(()),
            ),
            (json!([of(uri, json!({}))]), refused),
            (json!([]), refused),
            (json!(null), refused),
        ] {
            check(super::super::SLSA_V1, v1(&dependencies), expect);
            check(
                SLSA_V0_2,
                json!({ "materials": dependencies.clone() }),
                expect,
            );
            // Each version in its own place alone.
            check(SLSA_V0_2, v1(&dependencies), refused);
        }
    }

    #[test]
    fn a_repository_is_read_from_any_spelling() {
        for (uri, expect) in [
            (
                "git+https://github.com/o/n@refs/tags/v1@2",
                "https://github.com/o/n",
            ),
            (
                "git+https://user@github.com/o/n",
                "https://user@github.com/o/n",
            ),
            ("https://github.com/o/n.git/", "https://github.com/o/n"),
            ("o@n", "o@n"),
            ("", ""),
        ] {
            assert_eq!(repository(uri), expect, "{uri}");
        }
    }
}
