//! Turns what the stages answer into the evidence that is judged.

use std::collections::BTreeMap;

use remint_compare::{ArchiveError, only_signed};
use remint_ecosystem::{
    PlanError, StatedVersion, is_for_one_platform, published_claims, published_facts,
    published_identity, registry_disagreements, same_version, source_facts,
};
use remint_fetch::source::FoundSource;
use remint_judge::{Evidence, Manifests, Programs, ResultEvidence, StatedIdentity};
use remint_model::{
    Artifact, BuildRecord, CommitId, Comparison, Ecosystem, EntryPath, InconclusiveReason,
    NativeFile, Provenance, Rebuilt, RepositoryUrl, Survey, SurveyEntry,
};

use crate::build::chain;
use crate::open;
use crate::resolve::Case;

/// What is known before anything was opened.
pub(crate) fn begin(case: &Case) -> Evidence {
    Evidence {
        target: case.target.clone(),
        integrity: case.integrity.clone(),
        identity: None,
        source: None,
        provenance: Provenance::default(),
        repository_claims_disagree: None,
        registry_disagreements: Vec::new(),
        published_anomalies: Vec::new(),
        rebuilt_anomalies: Vec::new(),
        manifests: Manifests::default(),
        build: None,
        consumed_published: false,
        bundle: None,
        checksums: None,
        programs: None,
        native: Vec::new(),
        rebuilt_native: BTreeMap::new(),
        declares_native: false,
        attested_failures: Vec::new(),
        result: ResultEvidence::NotCompared {
            reason: InconclusiveReason::NotBuilt,
            detail: "nothing was built".to_owned(),
        },
    }
}

/// What the published archive says of itself.
pub(crate) fn add_published(evidence: &mut Evidence, case: &Case, survey: &Survey) {
    let ecosystem = case.target.ecosystem;
    evidence.published_anomalies.clone_from(&survey.anomalies);
    evidence.native = native(survey);
    evidence.programs = survey.program.clone().map(|published| Programs {
        published,
        rebuilt: None,
        only_signed: None,
    });
    evidence.manifests.published =
        Some(published_facts(ecosystem, survey).map_err(|error| chain(&error)));
    if let Ok(identity) = published_identity(ecosystem, survey) {
        let version = match identity.version {
            StatedVersion::Exact(version) | StatedVersion::Placeholder(version) => Some(version),
            StatedVersion::Dynamic(_) | StatedVersion::Absent => None,
        };
        evidence.identity = Some(StatedIdentity {
            name: identity.name.map(|name| name.to_string()),
            // A program may say nothing of its version; then nothing contradicts.
            same_version: version
                .as_deref()
                .map_or(survey.program.is_some(), |version| {
                    same_version(ecosystem, version, case.target.version.as_str())
                }),
            version,
        });
    }
    // A manifest that cannot be read is a finding of its own.
    if let Some(release) = &case.release
        && let Ok(disagreements) = registry_disagreements(ecosystem, release, survey)
    {
        evidence.registry_disagreements = disagreements;
    }
    // The registry's metadata is made from the manifest on upload; where the two differ, somebody changed one.
    if ecosystem == Ecosystem::Npm
        && let Some(release) = &case.release
    {
        let first = |claims: &[remint_ecosystem::RepositoryClaim]| -> Option<RepositoryUrl> {
            claims
                .iter()
                .find(|claim| claim.field == "repository")
                .and_then(|claim| claim.url.clone().ok())
        };
        let registry = first(&release.claims);
        let file = first(&published_claims(ecosystem, survey));
        if let (Some(registry), Some(file)) = (registry, file)
            && registry.display_short() != file.display_short()
        {
            evidence.repository_claims_disagree = Some((registry.to_string(), file.to_string()));
        }
    }
}

/// Where the source was found, and what its manifest says.
pub(crate) fn add_source(
    evidence: &mut Evidence,
    case: &Case,
    survey: &Survey,
    found: &FoundSource,
) {
    evidence.manifests.source = Some(
        source_facts(case.target.ecosystem, &found.tree, &found.pin).map_err(|error| chain(&error)),
    );
    evidence.source = Some(found.pin.clone());
    let entries = found.tree.entries.iter();
    let entries = entries.map(|(path, entry)| (&entry.blob, path.as_str()));
    // Another source may have been looked at before.
    for file in &mut evidence.native {
        file.committed = None;
    }
    add_committed(&mut evidence.native, survey, entries);
    evidence.declares_native = is_for_one_platform(case.target.ecosystem, &found.tree, &found.pin);
}

/// The machine code that an archive holds.
fn native(survey: &Survey) -> Vec<NativeFile> {
    survey
        .entries
        .iter()
        .filter_map(|entry| {
            let code = survey.native.get(&entry.path)?;
            Some(NativeFile {
                path: entry.path.clone(),
                format: code.format,
                architecture: code.architecture,
                size: entry.size,
                sha256: entry.sha256,
                committed: None,
            })
        })
        .collect()
}

/// What a build was like, and what it had that the source's tree does not list.
pub(crate) fn add_build(evidence: &mut Evidence, survey: &Survey, record: BuildRecord) {
    let unlisted = record.unlisted.iter();
    let unlisted = unlisted.map(|file| (&file.blob, file.path.as_str()));
    add_committed(&mut evidence.native, survey, unlisted);
    evidence.build = Some(record);
}

/// Says of machine code where the source holds the very same bytes.
fn add_committed<'s>(
    native: &mut [NativeFile],
    survey: &Survey,
    source: impl Iterator<Item = (&'s CommitId, &'s str)>,
) {
    if native.is_empty() {
        return;
    }
    let mut committed: BTreeMap<&CommitId, &str> = BTreeMap::new();
    for (blob, path) in source {
        committed.entry(blob).or_insert(path);
    }
    let entries: BTreeMap<&EntryPath, &SurveyEntry> = survey
        .entries
        .iter()
        .map(|entry| (&entry.path, entry))
        .collect();
    for file in native.iter_mut().filter(|file| file.committed.is_none()) {
        file.committed = entries
            .get(&file.path)
            .filter(|entry| entry.sha256 == file.sha256)
            .and_then(|entry| entry.committed_as().find_map(|blob| committed.get(blob)))
            .map(|path| (*path).to_owned());
    }
}

/// What the rebuilt archive's manifest says, which settles what the source leaves to its build backend, and where it
/// holds machine code.
pub(crate) fn add_rebuilt(evidence: &mut Evidence, case: &Case, artifact: &Artifact<Rebuilt>) {
    let survey = open::survey(artifact).map_err(|error| chain(&error));
    if let Ok(survey) = &survey {
        if let Some(programs) = &mut evidence.programs {
            programs.rebuilt.clone_from(&survey.program);
            // What cannot be read is no copy.
            let read = (
                fs_err::read(&case.artifact.path),
                fs_err::read(&artifact.path),
            );
            programs.only_signed = match read {
                (Ok(published), Ok(rebuilt)) => only_signed(&published, &rebuilt),
                _ => None,
            };
        }
        let formats = survey.native.iter();
        evidence.rebuilt_native = formats
            .map(|(path, code)| (path.clone(), code.format))
            .collect();
    }
    let facts = survey.and_then(|survey| {
        published_facts(case.target.ecosystem, &survey).map_err(|error| chain(&error))
    });
    evidence.manifests.rebuilt = Some(facts);
}

/// Says of differences that nothing else explains which missing part of the source may be behind them.
pub(crate) fn explain_by_gaps(evidence: &mut Evidence) {
    let Some(build) = &evidence.build else { return };
    let ResultEvidence::Compared {
        comparison: Comparison::Different { differences, .. },
        ..
    } = &mut evidence.result
    else {
        return;
    };
    let subdirectory = evidence
        .source
        .as_ref()
        .and_then(|pin| pin.subdirectory.as_ref());
    for difference in differences {
        if difference.explanation.is_none() {
            difference.explanation = build
                .gaps
                .iter()
                .find(|gap| gap.may_explain(subdirectory, difference))
                .map(ToString::to_string);
        }
    }
}

/// The published file cannot be read as an archive.
pub(crate) fn malformed(error: &ArchiveError) -> ResultEvidence {
    ResultEvidence::NotCompared {
        reason: InconclusiveReason::Malformed,
        detail: format!("the published file cannot be read: {error}"),
    }
}

/// There is no way to build the source.
pub(crate) fn no_plan(error: &PlanError) -> ResultEvidence {
    ResultEvidence::NotCompared {
        reason: match error {
            PlanError::Unsupported(_) => InconclusiveReason::Unsupported,
            PlanError::Manifest(_) => InconclusiveReason::Malformed,
        },
        detail: chain(error),
    }
}

#[cfg(test)]
mod tests {
    use remint_model::{NativeFormat, Sha256};

    use super::*;

    #[test]
    fn code_of_a_submodule_is_committed_too() {
        const CODE: &[u8] = b"\x7fELF code";
        let path: EntryPath = "bin/tool".parse().unwrap();
        let survey = Survey {
            entries: vec![SurveyEntry {
                path: path.clone(),
                size: CODE.len() as u64,
                mode: 0o755,
                modified: 0,
                sha256: Sha256::of(CODE),
                blob: CommitId::of_blob(CODE),
                lf_blob: None,
            }],
            ..Survey::default()
        };
        let committed = |source: &[(CommitId, &str)]| {
            let mut native = [NativeFile {
                path: path.clone(),
                format: NativeFormat::Elf,
                architecture: None,
                size: CODE.len() as u64,
                sha256: Sha256::of(CODE),
                committed: None,
            }];
            let source = source.iter().map(|(blob, path)| (blob, *path));
            add_committed(&mut native, &survey, source);
            native[0].committed.clone()
        };
        let own = CommitId::of_blob(CODE);
        let other = CommitId::of_blob(b"another");
        let found = committed(&[(other.clone(), "vendor/a"), (own, "vendor/tool")]);
        assert_eq!(found.as_deref(), Some("vendor/tool"));
        assert_eq!(committed(&[(other, "vendor/a")]), None);
    }
}
