//! `remint log`.

use std::io::Read as _;
use std::path::Path;

use anyhow::Context as _;
use remint_attest::log::{
    LogDirectory, LogError, LogRelation, verify_checkpoints, verify_consistency, verify_log,
};
use remint_attest::{LogKey, trusted_root_of};

use crate::cli::LogAction;
use crate::exit::Exit;
use crate::failure::Usage;
use crate::terminal;

/// Checks a log, or shows how others trust it.
pub(crate) fn run(action: &LogAction) -> anyhow::Result<Exit> {
    let (log, log_key, since, until) = match action {
        LogAction::TrustedRoot { log_key } => {
            terminal::answer(&trusted_root_of(&read_key(log_key)?))?;
            return Ok(Exit::Verified);
        }
        LogAction::Verify {
            log,
            log_key,
            since,
            until,
        } => (log, log_key, since, until),
    };
    anyhow::ensure!(
        log.is_dir(),
        Usage(format!("there is no directory `{}`", log.display()))
    );
    let key = read_key(log_key)?;
    let since = since.as_deref().map(checkpoint).transpose()?;
    let until = until.as_deref().map(checkpoint).transpose()?;
    let files = LogDirectory::at(log.clone());
    let verified = verify_log(&files, &key).and_then(|entries| {
        let relation = match (&since, &until) {
            (None, _) => None,
            (Some(since), None) => Some(verify_consistency(&files, &key, since)?),
            (Some(since), Some(until)) => Some(verify_checkpoints(&files, &key, since, until)?),
        };
        Ok((entries, relation))
    });
    match verified {
        Ok((entries, relation)) => {
            let continued = match relation {
                None => String::new(),
                Some(LogRelation::Same) => ", the same as before".to_owned(),
                Some(relation) => format!(", {relation}"),
            };
            let entries = match entries {
                1 => "1 entry".to_owned(),
                many => format!("{many} entries"),
            };
            terminal::answer(&format!("{}: {entries}{continued}\n", key.name()))?;
            Ok(Exit::Verified)
        }
        Err(error @ LogError::File { .. }) => Err(error.into()),
        Err(error) => {
            terminal::tell_error(&error.into(), None);
            Ok(Exit::Failed)
        }
    }
}

fn read_key(path: &Path) -> anyhow::Result<LogKey> {
    fs_err::read_to_string(path)
        .map_err(anyhow::Error::from)
        .and_then(|text| Ok(LogKey::parse(&text)?))
        .with_context(|| Usage(format!("cannot use the key `{}`", path.display())))
}

fn checkpoint(path: &Path) -> anyhow::Result<Vec<u8>> {
    const LARGEST: u64 = 1 << 20;
    let mut text = Vec::new();
    fs_err::File::open(path)
        .and_then(|file| file.take(LARGEST).read_to_end(&mut text))
        .with_context(|| Usage(format!("cannot read the checkpoint `{}`", path.display())))?;
    Ok(text)
}
