//! Which of this machine's Python interpreters builds a project.

use std::str::FromStr as _;

use pep440_rs::{Version, VersionSpecifiers};
use remint_model::{Assumption, AssumptionKind, SourceTree, Tool, ToolOrigin};

use crate::pypi::file_name::minor_version;
use crate::pypi::poetry;
use crate::pypi::publish::Publishing;
use crate::pypi::pyproject::Pyproject;
use crate::pypi::setup_cfg::SetupCfg;
use crate::request::{Interpreter, PlanError, PlanRequest};

/// The interpreter, as a tool of the plan, and what was guessed about it.
///
/// Where none of the machine's is in the project's range, the newest has to do: a backend that packs pure Python
/// does the same on each of them, and what differs then is held against the interpreter, not the publisher.
pub(crate) fn choose(
    request: &PlanRequest<'_>,
    manifest: &Pyproject,
    setup_cfg: &SetupCfg,
    publishing: &Publishing,
) -> Result<(Tool, Option<Assumption>), PlanError> {
    let (range, stated) = requires_python(manifest, setup_cfg);
    let fitting: Vec<&Interpreter> = request
        .interpreters
        .iter()
        .filter(|interpreter| {
            Version::from_str(&interpreter.version)
                .is_ok_and(|version| range.as_ref().is_none_or(|range| range.contains(&version)))
        })
        .collect();
    let tool = |interpreter: &Interpreter, because: String| Tool {
        name: "python".to_owned(),
        version: Some(interpreter.version.clone()),
        as_of: None,
        origin: ToolOrigin::System,
        because,
    };
    if fitting.is_empty() {
        let Some(newest) = newest(request.interpreters) else {
            return Err(PlanError::Unsupported(format!(
                "interpreter unavailable: the project requires Python {stated}; this machine has no Python"
            )));
        };
        let because = format!("the project requires Python {stated}, which this machine has not");
        let assumption = Assumption {
            kind: AssumptionKind::SubstituteInterpreter,
            value: format!("python {}", newest.version),
            from: because.clone(),
        };
        return Ok((tool(newest, because), Some(assumption)));
    }
    for (wanted, because) in wishes(request, publishing) {
        let found = fitting.iter().find(|interpreter| {
            interpreter.version == wanted
                || interpreter
                    .version
                    .strip_prefix(&wanted)
                    .is_some_and(|rest| rest.starts_with('.'))
        });
        if let Some(interpreter) = found {
            return Ok((tool(interpreter, because), None));
        }
    }
    let newest = fitting
        .iter()
        .find(|interpreter| was_out(&interpreter.version, request.uploaded))
        .or_else(|| fitting.last());
    let Some(interpreter) = newest else {
        return Err(PlanError::Unsupported("interpreter unavailable".to_owned()));
    };
    let because = "the newest of this machine that the project allows and that was out when the file was published";
    let assumption = Assumption {
        kind: AssumptionKind::ToolchainGuess,
        value: format!("python {}", interpreter.version),
        from: because.to_owned(),
    };
    Ok((tool(interpreter, because.to_owned()), Some(assumption)))
}

fn newest(interpreters: &[Interpreter]) -> Option<&Interpreter> {
    interpreters
        .iter()
        .max_by_key(|interpreter| Version::from_str(&interpreter.version).ok())
}

/// The range of versions that the project allows, and its text. By the source alone: a range that only the published
/// file states would let its publisher choose which interpreters may judge it.
fn requires_python(
    manifest: &Pyproject,
    setup_cfg: &SetupCfg,
) -> (Option<VersionSpecifiers>, String) {
    let poetry = manifest
        .text(&["tool", "poetry", "dependencies", "python"])
        .and_then(poetry::specifiers)
        .map(|specifiers| specifiers.join(","));
    [
        manifest
            .text(&["project", "requires-python"])
            .map(str::to_owned),
        poetry,
        setup_cfg
            .get("options", "python_requires")
            .map(str::to_owned),
    ]
    .into_iter()
    .flatten()
    .find_map(|text| {
        let range = VersionSpecifiers::from_str(&text).ok()?;
        Some((Some(range), text))
    })
    .unwrap_or((None, "3".to_owned()))
}

/// Versions that the source or its publish workflow name, most telling first.
fn wishes(request: &PlanRequest<'_>, publishing: &Publishing) -> Vec<(String, String)> {
    let mut wishes: Vec<(String, String)> = publishing
        .python
        .iter()
        .map(|(version, path)| (version.clone(), format!("{path} sets it up")))
        .collect();
    let directory = request.pin.subdirectory.as_ref();
    for path in [
        SourceTree::path_in(directory, ".python-version"),
        ".python-version".to_owned(),
    ] {
        if let Some(line) = request
            .tree
            .text(&path)
            .and_then(|text| text.lines().next())
        {
            wishes.push((line.trim().to_owned(), format!("{path} names it")));
        }
    }
    wishes.retain(|(version, _)| {
        !version.is_empty() && version.bytes().all(|b| b.is_ascii_digit() || b == b'.')
    });
    wishes
}

/// Python 3.9 came out in October 2020, and every minor version since a year after the one before (PEP 602).
fn was_out(version: &str, moment: Option<i64>) -> bool {
    const OCTOBER_2020: i64 = 1_601_856_000;
    const YEAR: i64 = 31_556_952;
    let (Some(minor), Some(moment)) = (minor_version(version), moment) else {
        return true;
    };
    let years = i64::try_from(minor).unwrap_or(i64::MAX).saturating_sub(9);
    OCTOBER_2020.saturating_add(years.saturating_mul(YEAR)) <= moment
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interpreters_appear_every_october() {
        for (version, moment, out) in [
            ("3.12.1", 1_696_896_000, true),
            ("3.13.0", 1_696_896_000, false),
            ("3.14.0", 1_760_500_000, true),
            ("3.11.7", 1_500_000_000, false),
        ] {
            assert_eq!(was_out(version, Some(moment)), out, "{version}");
        }
        assert!(was_out("3.13.0", None));
    }
}
