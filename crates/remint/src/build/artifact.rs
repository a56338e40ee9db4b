//! Finds what a build made. The directory was written by strangers: only a regular file counts, and only one.

use std::io::{Read as _, Seek as _, SeekFrom};

use remint_compare::recognise_native_code;
use remint_model::{
    Artifact, ArtifactFormat, BuildOutcome, Failure, FailureReason, FileName, NativeFormat, Output,
    Rebuilt, Sha256, Sha512,
};
use sha2::Digest as _;

use super::Workspace;

/// The largest artifact that is compared, in bytes.
const LARGEST: u64 = 2 << 30;
/// How much of a file tells whether it is a program, in bytes.
const PROGRAM_BEGINNING: u64 = 4096;

/// The one file with the plan's ending.
pub(super) fn collect(workspace: &Workspace, output: &Output) -> anyhow::Result<BuildOutcome> {
    let failed = |what: String| {
        Ok(BuildOutcome::Failed(Failure {
            step: "collect the artifact".to_owned(),
            phase: None,
            reason: FailureReason::NoArtifact(what),
            log_tail: String::new(),
        }))
    };
    let mut found = Vec::new();
    for entry in fs_err::read_dir(workspace.out())? {
        let entry = entry?;
        let regular = fs_err::symlink_metadata(entry.path())?.is_file();
        let name = entry.file_name();
        if let Some(name) = name.to_str()
            && regular
            && name.ends_with(&output.ending)
        {
            found.push((name.to_owned(), entry.path()));
        }
    }
    let (name, path) = match found.as_slice() {
        [(name, path)] => (name, path),
        [] => {
            return failed(format!(
                "every step ran, and no file with the ending `{}` was made",
                output.ending
            ));
        }
        several => {
            let names: Vec<_> = several.iter().map(|(name, _)| name.as_str()).collect();
            return failed(format!("more than one file was made: {}", names.join(", ")));
        }
    };
    let mut file = fs_err::File::open(path)?;
    let mut beginning = Vec::new();
    file.by_ref()
        .take(PROGRAM_BEGINNING)
        .read_to_end(&mut beginning)?;
    file.seek(SeekFrom::Start(0))?;
    let format = ArtifactFormat::of(name).or_else(|| is_program(name, &beginning));
    let (Ok(file_name), Some(format)) = (name.parse::<FileName>(), format) else {
        return failed(format!("`{name}` is no name of an artifact"));
    };
    let size = file.metadata()?.len();
    if size > LARGEST {
        return failed(format!(
            "`{name}` has {size} bytes, more than can be compared"
        ));
    }
    let (mut sha256, mut sha512) = (sha2::Sha256::new(), sha2::Sha512::new());
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            read => {
                let bytes = buffer.get(..read).unwrap_or_default();
                sha256.update(bytes);
                sha512.update(bytes);
            }
        }
    }
    Ok(BuildOutcome::Built(Artifact::<Rebuilt>::new(
        file_name,
        format,
        path.clone(),
        size,
        Sha256::from_bytes(sha256.finalize().into()),
        Sha512::from_bytes(sha512.finalize().into()),
    )))
}

/// A program has no ending that would tell.
fn is_program(name: &str, beginning: &[u8]) -> Option<ArtifactFormat> {
    let code = recognise_native_code(&name.parse().ok()?, beginning)?;
    matches!(
        code.format,
        NativeFormat::Elf | NativeFormat::MachO | NativeFormat::Pe
    )
    .then_some(ArtifactFormat::GoProgram)
}
