//! Signs a release that was found to be sound, and puts the bundles where they are looked for.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use remint_attest::log::LogDirectory;
use remint_attest::{
    Judged, KeyError, LARGEST_KEY, Signed, SigningKey, StatementKind, sign_with_key, statements,
};
use remint_judge::ResultEvidence;
use remint_model::{AssumptionKind, BuildRecord, Sha256};

use super::Examined;
use crate::cli::ReportFormat;
use crate::exit::Exit;
use crate::failure::Usage;
use crate::report::RunReport;
use crate::resolve::Case;
use crate::settings::Settings;

/// The passphrase of an encrypted key.
const PASSWORD: &str = "REMINT_KEY_PASSWORD";

/// Reads the key that signs.
///
/// # Errors
/// There is no such key, or nothing opens it.
pub(crate) fn signing_key(path: &Path, settings: &Settings) -> anyhow::Result<SigningKey> {
    let usage =
        |why: &dyn std::fmt::Display| Usage(format!("`{}` cannot sign: {why}", path.display()));
    let mut pem = String::new();
    let limit = LARGEST_KEY as u64 + 1;
    fs_err::File::open(path)
        .and_then(|file| file.take(limit).read_to_string(&mut pem))
        .map_err(|error| usage(&error.kind()))?;
    let passphrase = settings.user.variables.get(PASSWORD).map(String::as_str);
    SigningKey::parse(&pem, passphrase).map_err(|error| {
        let hint = if error == KeyError::PassphraseNeeded {
            format!(" (set {PASSWORD})")
        } else {
            String::new()
        };
        usage(&format_args!("{error}{hint}")).into()
    })
}

/// Where the log of a key is, if the user names no other place: beside the key.
pub(crate) fn log_directory(key: &Path) -> PathBuf {
    key.with_extension("log")
}

/// Signs what was found out about a sound release; `repository` is its public address.
///
/// # Errors
/// The log does not take the signatures.
pub(crate) fn sign(
    case: &Case,
    examined: &Examined,
    repository: &str,
    settings: &Settings,
    finished: jiff::Timestamp,
    key: &SigningKey,
    log: &Path,
) -> anyhow::Result<Vec<(StatementKind, Signed)>> {
    let rebuild = examined
        .rebuild
        .as_ref()
        .context("a sound release was built")?;
    let evidence = examined
        .report
        .evidence
        .as_ref()
        .context("a sound release was judged")?;
    let comparison = match &evidence.result {
        ResultEvidence::Compared { comparison, .. } => comparison,
        ResultEvidence::NotCompared { .. } => anyhow::bail!("a sound release was compared"),
    };
    let mut source = rebuild.found.pin.clone();
    repository.clone_into(&mut source.repository);
    source.reference = super::report::public_reference(&source);
    let record = evidence
        .build
        .clone()
        .context("a sound release was built")?;
    let build = public_record(record, examined);
    let run = RunReport {
        started: settings.now,
        targets: vec![examined.report.clone()],
        unjudged: Vec::new(),
        exit: Exit::Verified,
    };
    let unsigned = statements(&Judged {
        target: &case.target,
        published: &case.artifact,
        rebuilt: Some(&rebuild.artifact),
        source: Some(&source),
        plan: Some(&rebuild.plan),
        build: Some(&build),
        failure: None,
        comparison: Some(comparison),
        judgement: &examined.report.judgement,
        report: Sha256::of(run.render(ReportFormat::Json, None).as_bytes()),
        started: settings.now,
        finished,
    });
    let payloads: Vec<Vec<u8>> = unsigned
        .iter()
        .map(|statement| statement.payload.clone())
        .collect();
    let log = LogDirectory::at(log.to_owned());
    let _held = log.lock().context("cannot lock the key's log")?;
    let signed = sign_with_key(key, &payloads, &log).context("cannot sign")?;
    Ok(unsigned
        .iter()
        .map(|statement| statement.kind)
        .zip(signed)
        .collect())
}

/// What happened during the build, without what only this machine's user should know.
fn public_record(mut record: BuildRecord, examined: &Examined) -> BuildRecord {
    record
        .assumptions
        .retain(|assumption| assumption.kind != AssumptionKind::HostSurroundings);
    record.reproduced_under = examined
        .varied
        .iter()
        .map(super::Variation::words)
        .collect();
    record
}

/// Writes the bundles beside each other, all or none, and returns their names.
///
/// # Errors
/// The disk does not take them.
pub(crate) fn write_bundles(
    directory: &Path,
    artifact: &str,
    bundles: &[(StatementKind, Signed)],
) -> anyhow::Result<Vec<(StatementKind, PathBuf)>> {
    let context = || format!("cannot write bundles to `{}`", directory.display());
    let mut ready = Vec::new();
    for (kind, signed) in bundles {
        let mut builder = tempfile::Builder::new();
        #[cfg(unix)]
        let builder = {
            use std::os::unix::fs::PermissionsExt as _;
            // What any program's new file gets: the kernel takes off the user's mask.
            builder.permissions(std::fs::Permissions::from_mode(0o666))
        };
        let mut file = builder
            .prefix(".remint-")
            .tempfile_in(directory)
            .with_context(context)?;
        file.write_all(signed.text.as_bytes())
            .and_then(|()| file.as_file().sync_all())
            .with_context(context)?;
        let path = directory.join(format!("{artifact}.{}.sigstore.json", kind.name()));
        ready.push((*kind, file, path));
    }
    let mut written: Vec<(StatementKind, PathBuf)> = Vec::new();
    for (kind, file, path) in ready {
        if let Err(error) = file.persist(&path) {
            for (_, path) in &written {
                // The error is what the user needs to hear.
                let _left = fs_err::remove_file(path);
            }
            return Err(anyhow::Error::new(error.error).context(context()));
        }
        written.push((kind, path));
    }
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_varied_condition_is_signed_with_both_values() {
        let varied = super::super::Variation {
            condition: super::super::conditions::Condition::Umask,
            first: "022".to_owned(),
            second: "077".to_owned(),
        };
        assert_eq!(varied.words(), "umask: 022, 077");
    }

    #[test]
    fn the_log_of_a_key_lies_beside_it() {
        assert_eq!(
            log_directory(Path::new("keys/release.key")),
            Path::new("keys/release.log")
        );
    }
}
