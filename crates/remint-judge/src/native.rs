//! Which machine code of a published file nobody can trace to something that people read, and what that means.

use std::collections::BTreeMap;

use remint_model::{
    AssumptionKind, Basis, Change, Comparison, Difference, EntryPath, InconclusiveReason,
    NativeFile, NativeFormat, ProgramSignature,
};
use serde::Serialize;

use crate::evidence::{Evidence, ResultEvidence};

/// A file of machine code that no source explains.
pub(crate) struct Opaque<'e> {
    pub(crate) file: &'e NativeFile,
    pub(crate) origin: Origin,
}

/// What is known of where such a file comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Origin {
    /// The repository holds the same bytes. A build may only have copied them.
    Committed,
    /// The rebuild makes another file at this path.
    RebuiltOtherwise,
    /// The rebuild makes no such file, and the source does not hold it.
    NotInSource,
    /// Nothing was rebuilt, and the source does not hold it.
    NotBuilt,
    /// Nobody knows its source.
    NoSource,
}

/// Every such file, in path order. A trusted rebuilder has answered for all of them.
pub(crate) fn opaque(evidence: &Evidence) -> Vec<Opaque<'_>> {
    let differing: BTreeMap<&EntryPath, Change> = match &evidence.result {
        ResultEvidence::Compared {
            comparison: Comparison::Different { differences, .. },
            ..
        } => differences
            .iter()
            .map(|difference| (&difference.path, difference.change))
            .collect(),
        ResultEvidence::Compared { .. } | ResultEvidence::NotCompared { .. } => BTreeMap::new(),
    };
    evidence
        .native
        .iter()
        .filter_map(|file| {
            let change = differing.get(&file.path).copied();
            Some(Opaque {
                file,
                origin: origin(evidence, file, change)?,
            })
        })
        .collect()
}

/// What was linked into a rebuilt program without being compiled.
pub(crate) fn linked_as_is(evidence: &Evidence) -> &[String] {
    match (&evidence.result, &evidence.build) {
        (
            ResultEvidence::Compared {
                basis: Basis::Rebuild,
                ..
            },
            Some(build),
        ) => &build.linked_as_is,
        _ => &[],
    }
}

fn origin(evidence: &Evidence, file: &NativeFile, change: Option<Change>) -> Option<Origin> {
    match &evidence.result {
        ResultEvidence::Compared {
            basis: Basis::Attestation,
            ..
        } => None,
        _ if file.committed.is_some() => Some(Origin::Committed),
        ResultEvidence::Compared {
            basis: Basis::Rebuild | Basis::SourceTree | Basis::Sdist,
            ..
        } => match change? {
            Change::Added => Some(Origin::NotInSource),
            Change::Changed | Change::Removed => Some(Origin::RebuiltOtherwise),
            Change::Metadata => None,
        },
        ResultEvidence::NotCompared { .. } if evidence.source.is_none() => Some(Origin::NoSource),
        ResultEvidence::NotCompared { .. } => Some(Origin::NotBuilt),
    }
}

/// Why machine code keeps a release from being verified although it is what its source has: that source cannot be
/// read either.
pub(crate) fn unreadable(evidence: &Evidence) -> Option<(InconclusiveReason, String)> {
    let more = |count: usize| match count {
        0 | 1 => String::new(),
        n => format!(" and {} more", n - 1),
    };
    let committed = "machine code that is committed as it is: nothing says what it was made from";
    let opaque = opaque(evidence);
    let Some(first) = opaque.first() else {
        let linked = linked_as_is(evidence);
        let path = linked.first()?;
        let more = more(linked.len());
        return Some((
            InconclusiveReason::Unsupported,
            format!("linked in as it is, `{path}`{more}: {committed}"),
        ));
    };
    let more = more(opaque.len());
    let why = match first.origin {
        Origin::Committed => committed,
        Origin::RebuiltOtherwise | Origin::NotInSource | Origin::NotBuilt | Origin::NoSource => {
            "machine code that no rebuild made"
        }
    };
    Some((
        InconclusiveReason::Unsupported,
        format!("`{}`{more}: {why}", first.file.path),
    ))
}

/// What is said where nothing differs but machine code of which a difference proves nothing. That takes the word of
/// the source or of the build, never that of the published file alone: anything else that differs stays a difference.
///
/// * The source's own manifest is that of a package for one platform.
/// * The build compiled code of the same format to the same path, with a compiler that nothing in the source pins;
///   libraries that wheels take along from the system of their publisher may then lie beside it.
///
/// What an interpreter would run by its name is no machine code here, whatever it begins with: a text can begin with
/// the header of a program.
pub(crate) fn only_native(evidence: &Evidence, differences: &[Difference]) -> Option<String> {
    let published: BTreeMap<&EntryPath, &NativeFile> = evidence
        .native
        .iter()
        .filter(|file| file.format != NativeFormat::Unknown && !is_interpreted(&file.path))
        .map(|file| (&file.path, file))
        .collect();
    let code = |difference: &Difference| published.get(&difference.path).copied();
    let compiler = evidence.build.as_ref().and_then(|build| {
        build
            .assumptions
            .iter()
            .find(|made| made.kind == AssumptionKind::NativeToolchain)
    });
    let compiled = |difference: &Difference| {
        compiler.is_some()
            && difference.change == Change::Changed
            && code(difference)
                .is_some_and(|file| evidence.rebuilt_native.get(&file.path) == Some(&file.format))
    };
    let compiled_one = differences.iter().any(compiled);
    let mut first = None;
    for difference in differences {
        let is_declared = evidence.declares_native
            && code(difference).is_some()
            && matches!(difference.change, Change::Added | Change::Changed);
        let is_taken_along = compiled_one
            && code(difference).is_some()
            && difference.change == Change::Added
            && is_library_folder(&difference.path);
        if is_declared || compiled(difference) || is_taken_along {
            first = first.or_else(|| code(difference));
        } else if !(compiled_one && is_wheel_metadata(difference)) {
            return None;
        }
    }
    let path = &first?.path;
    Some(match compiler {
        Some(compiler) => format!(
            "nothing differs but machine code, such as `{path}`: compiled here with {}, and {}",
            compiler.value, compiler.from
        ),
        None => format!(
            "nothing differs but machine code, such as `{path}`, that the source has put there when it is released: it is not built here"
        ),
    })
}

/// Names of what interpreters, loaders of settings and browsers take for text.
fn is_interpreted(path: &EntryPath) -> bool {
    const ENDINGS: [&str; 24] = [
        "bash", "bat", "cjs", "cmd", "css", "cts", "html", "js", "json", "jsx", "mjs", "mts",
        "php", "pl", "ps1", "pth", "py", "pyw", "rb", "sh", "ts", "tsx", "yaml", "yml",
    ];
    path.file_name()
        .rsplit_once('.')
        .is_some_and(|(_, ending)| ENDINGS.contains(&&*ending.to_ascii_lowercase()))
}

/// What is said where a program differs that says of itself that it was compiled from the same, and linked with other
/// flags than those that could be tried. No tampering hides behind it: what differs is not verified either way.
pub(crate) fn only_linked_otherwise(
    evidence: &Evidence,
    differences: &[Difference],
) -> Option<String> {
    let flags = evidence
        .build
        .as_ref()?
        .assumptions
        .iter()
        .find(|made| made.kind == AssumptionKind::LinkerFlags)?;
    let programs = evidence.programs.as_ref()?;
    let said = programs
        .published
        .says_it_was_linked_otherwise(programs.rebuilt.as_ref()?);
    (said && are_programs(evidence, differences)).then(|| {
        format!(
            "linker flags unknown: by its build id it was compiled from the same and linked with other flags than those that were tried, such as: {}; {}",
            flags.value, flags.from
        )
    })
}

/// What is said where a program differs by a signature alone, which was put into it when it was built.
pub(crate) fn only_signed(evidence: &Evidence, differences: &[Difference]) -> Option<String> {
    let signature = match evidence.programs.as_ref()?.only_signed? {
        ProgramSignature::Authenticode => "Authenticode",
        ProgramSignature::CodeSignature => "`LC_CODE_SIGNATURE`",
    };
    are_programs(evidence, differences).then(|| {
        format!(
            "it was signed after it was built: but for the signature ({signature}) it is what the source builds"
        )
    })
}

/// Whether all that differs is machine code that the rebuild has in the same format.
fn are_programs(evidence: &Evidence, differences: &[Difference]) -> bool {
    differences.iter().all(|difference| {
        difference.change == Change::Changed
            && evidence.native.iter().any(|file| {
                file.path == difference.path
                    && evidence.rebuilt_native.get(&file.path) == Some(&file.format)
            })
    })
}

/// Where auditwheel and delocate put the libraries that they take along.
fn is_library_folder(path: &EntryPath) -> bool {
    path.as_str()
        .split('/')
        .rev()
        .skip(1)
        .any(|folder| folder.ends_with(".libs") || folder == ".dylibs")
}

/// Lists of a wheel's files and components, and what it says about platforms, follow from its machine code. Nothing
/// that runs reads the components (PEP 770).
fn is_wheel_metadata(difference: &Difference) -> bool {
    let path = difference.path.as_str();
    path.split_once('/').is_some_and(|(folder, file)| {
        folder.ends_with(".dist-info")
            && (matches!(file, "WHEEL" | "RECORD")
                || (file.starts_with("sboms/") && file.ends_with(".json")))
    })
}
