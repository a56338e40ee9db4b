//! Finds the source of a case: the repository by the ladder, or the registry's own source archive where the
//! repository is out of reach.

use std::sync::Arc;

use remint_ecosystem::{RepositoryClaim, published_claims};
use remint_fetch::source::{Ahead, FoundSource, SourceError, SourceRequest, find_source};
use remint_model::{ArtifactFormat, Basis, Ecosystem, InconclusiveReason, Survey};

use crate::build::{Builder, Scratch, chain};
use crate::pipeline::Request;
use crate::resolve::Case;
use crate::sdist;

/// A source, and what it proves to match it.
pub(crate) struct Located {
    pub(crate) found: FoundSource,
    pub(crate) basis: Basis,
    pub(crate) notes: Vec<String>,
    /// Holds the unpacked source archive, where that is the source.
    pub(crate) _unpacked: Option<Scratch>,
}

impl Located {
    /// The commit that nothing vouches for and that may explain what this one does not.
    pub(crate) fn otherwise(&self) -> Option<Self> {
        Some(Self {
            found: FoundSource::clone(self.found.otherwise.as_ref()?),
            basis: self.basis,
            notes: Vec::new(),
            _unpacked: None,
        })
    }

    /// One line for people.
    pub(crate) fn words(&self) -> String {
        let pin = &self.found.pin;
        let repository = pin
            .repository
            .split_once("://")
            .map_or(&*pin.repository, |(_, rest)| rest);
        match (&pin.reference, self.basis) {
            (_, Basis::Sdist) => "the registry's source archive".to_owned(),
            (Some(reference), _) => format!("{repository}  {reference}"),
            (None, _) => format!("{repository}  {}", pin.commit.short()),
        }
    }
}

/// Why there is no source, for the report.
pub(crate) type NoSource = (InconclusiveReason, String);

/// Looks for the source; an answer that there is none is the inner error.
pub(crate) async fn locate(
    case: &Case,
    survey: &Survey,
    request: &Request,
    builder: &Builder,
) -> anyhow::Result<Result<Located, NoSource>> {
    if request.from_sdist {
        return sdist::locate(case, builder, "asked for with `--source sdist`").await;
    }
    let search = Search {
        case: CaseParts::of(case, survey),
        overrides: request.overrides.clone(),
        user: builder.settings.user.clone(),
    };
    let answer = tokio::task::spawn_blocking(move || search.run()).await?;
    let error = match answer {
        Ok(found) => {
            let mut notes = Vec::new();
            if request.overrides.source.is_some()
                || request.overrides.reference.is_some()
                || request.overrides.subdirectory.is_some()
            {
                notes.push("the source was given by you, not found from the metadata".to_owned());
            }
            return Ok(Ok(Located {
                found,
                basis: Basis::Rebuild,
                notes,
                _unpacked: None,
            }));
        }
        Err(error) => error,
    };
    if error.is_machine_fault() {
        return Err(error.into());
    }
    let out_of_reach = matches!(
        error,
        SourceError::Unavailable { .. } | SourceError::NoClaim { .. } | SourceError::Refused { .. }
    );
    if out_of_reach
        && request.overrides.source.is_none()
        && case.target.ecosystem == Ecosystem::Pypi
        && case.artifact.format == ArtifactFormat::Wheel
        && let Ok(located) = sdist::locate(case, builder, &chain(&error)).await?
    {
        return Ok(Ok(located));
    }
    Ok(Err((reason(&error), chain(&error))))
}

/// Why the question stays open after this error.
pub(crate) fn reason(error: &SourceError) -> InconclusiveReason {
    match error {
        SourceError::Unavailable { .. } => InconclusiveReason::Unavailable,
        SourceError::Unsupported { .. } => InconclusiveReason::Unsupported,
        SourceError::NoSource { .. }
        | SourceError::NoClaim { .. }
        | SourceError::Refused { .. }
        | SourceError::UnknownRef { .. }
        | SourceError::NotASource { .. }
        | SourceError::Machine(_) => InconclusiveReason::NoSource,
    }
}

/// The owned inputs of the blocking search.
struct Search {
    case: CaseParts,
    overrides: remint_fetch::source::Overrides,
    user: remint_fetch::UserConfiguration,
}

struct CaseParts {
    target: remint_model::Target,
    release: Option<remint_ecosystem::Release>,
    claims: Vec<RepositoryClaim>,
    survey: Survey,
    uploaded: Option<i64>,
    ahead: Option<Arc<Ahead>>,
}

impl CaseParts {
    fn of(case: &Case, survey: &Survey) -> Self {
        // The registry's claims first: it is what people see. The file's own complete them.
        let mut claims = case
            .release
            .as_ref()
            .map(|release| release.claims.clone())
            .unwrap_or_default();
        for claim in published_claims(case.target.ecosystem, survey) {
            if !claims.contains(&claim) {
                claims.push(claim);
            }
        }
        Self {
            target: case.target.clone(),
            release: case.release.clone(),
            claims,
            survey: survey.clone(),
            uploaded: case.uploaded,
            ahead: case.ahead.clone(),
        }
    }
}

impl Search {
    fn run(self) -> Result<FoundSource, SourceError> {
        let request = SourceRequest {
            target: &self.case.target,
            release: self.case.release.as_ref(),
            claims: &self.case.claims,
            survey: &self.case.survey,
            overrides: self.overrides,
            uploaded: self.case.uploaded,
            ahead: self.case.ahead.as_deref(),
        };
        find_source(&request, &self.user)
    }
}
