//! Where private keys and passphrases come from.

use std::io::Read as _;
use std::path::Path;

use anyhow::Context as _;
use remint_attest::{KeyError, LARGEST_KEY, SigningKey};
use zeroize::Zeroizing;

use crate::failure::Usage;
use crate::settings::Settings;

/// The variable that holds the passphrase.
const PASSPHRASE: &str = "REMINT_KEY_PASSWORD";

/// Reads the key that an option names: a file, `-` for standard input, or `env:NAME`.
///
/// # Errors
/// There is no key, others can read its file, or the passphrase is wrong or missing.
pub(crate) fn signing_key(given: &str, settings: &Settings) -> anyhow::Result<SigningKey> {
    let unusable = || Usage(format!("cannot sign with the key `{given}`"));
    let pem = text(given, settings).with_context(unusable)?;
    let passphrase = if SigningKey::is_encrypted(&pem) {
        Some(existing_passphrase(given, settings).with_context(unusable)?)
    } else {
        None
    };
    SigningKey::parse(&pem, passphrase.as_ref().map(|phrase| phrase.as_str()))
        .map_err(|error| match error {
            KeyError::Passphrase => anyhow::Error::new(error).context(format!(
                "the passphrase of {PASSPHRASE} or of the prompt was tried"
            )),
            KeyError::Format(_)
            | KeyError::PassphraseNeeded
            | KeyError::Kind
            | KeyError::PublicFormat(_)
            | KeyError::LogFormat(_) => error.into(),
        })
        .with_context(unusable)
}

fn text(given: &str, settings: &Settings) -> anyhow::Result<Zeroizing<String>> {
    if let Some(name) = given.strip_prefix("env:") {
        let value = settings.user.variables.get(name);
        let value = value.with_context(|| format!("the variable {name} is not set"))?;
        return Ok(Zeroizing::new(value.clone()));
    }
    if given == "-" {
        return bounded(std::io::stdin().lock());
    }
    let path = Path::new(given);
    let file = fs_err::File::open(path)?;
    refuse_exposed(file.file(), path)?;
    bounded(file)
}

fn bounded(reader: impl std::io::Read) -> anyhow::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    reader
        .take(LARGEST_KEY as u64 + 1)
        .read_to_string(&mut text)
        .context("cannot read the key")?;
    Ok(text)
}

#[cfg(unix)]
fn refuse_exposed(file: &std::fs::File, path: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = file.metadata()?;
    anyhow::ensure!(metadata.is_file(), "it is not a file");
    let mode = metadata.mode() & 0o777;
    anyhow::ensure!(
        mode & 0o077 == 0,
        "others than its owner can read it (mode {mode:03o}); make it private: `chmod 600 {}`",
        path.display()
    );
    Ok(())
}

#[cfg(not(unix))]
fn refuse_exposed(file: &std::fs::File, _path: &Path) -> anyhow::Result<()> {
    anyhow::ensure!(file.metadata()?.is_file(), "it is not a file");
    Ok(())
}

fn existing_passphrase(given: &str, settings: &Settings) -> anyhow::Result<Zeroizing<String>> {
    match from_settings(settings) {
        Some(passphrase) => Ok(passphrase),
        None => prompt(&format!("Passphrase of {given}: ")),
    }
}

/// A passphrase for a new key: from the settings, or typed twice.
///
/// # Errors
/// It is empty, was typed in two ways, or there is no terminal to type it on.
pub(crate) fn new_passphrase(settings: &Settings) -> anyhow::Result<Zeroizing<String>> {
    let passphrase = match from_settings(settings) {
        Some(passphrase) => passphrase,
        None => {
            let first = prompt("Passphrase for the new key: ")?;
            let second = prompt("The same again: ")?;
            anyhow::ensure!(
                *first == *second,
                Usage("the two passphrases differ; nothing was written".to_owned())
            );
            first
        }
    };
    anyhow::ensure!(
        !passphrase.is_empty(),
        Usage("the passphrase is empty: whoever finds the file could sign with it".to_owned())
    );
    Ok(passphrase)
}

fn from_settings(settings: &Settings) -> Option<Zeroizing<String>> {
    settings
        .user
        .variables
        .get(PASSPHRASE)
        .map(|value| Zeroizing::new(value.clone()))
}

/// Asks on the terminal, without echo, whatever standard input and output are.
fn prompt(words: &str) -> anyhow::Result<Zeroizing<String>> {
    rpassword::prompt_password(words)
        .map(Zeroizing::new)
        .with_context(|| {
            Usage(format!(
                "there is no terminal to ask for the passphrase; set {PASSPHRASE}"
            ))
        })
}
