//! `remint key`.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use remint_attest::SigningKey;

use crate::cli::KeyAction;
use crate::exit::Exit;
use crate::failure::Usage;
use crate::settings::Settings;
use crate::{keys, terminal};

/// Makes a key.
pub(crate) fn run(action: &KeyAction, settings: &Settings) -> anyhow::Result<Exit> {
    let KeyAction::Generate { output } = action;
    let with = |ending: &str| {
        let mut name = output.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    };
    let (private, public, log) = (with(".key"), with(".pub"), with(".log.pub"));
    for path in [&private, &public, &log] {
        anyhow::ensure!(
            !path.exists() && !path.is_symlink(),
            Usage(format!(
                "`{}` is there already, and a key is never overwritten; choose another --output",
                path.display()
            ))
        );
    }
    let passphrase = keys::new_passphrase(settings)?;
    let key = SigningKey::generate()?;
    let encrypted = key.to_encrypted_pem(&passphrase)?;
    let made = [
        (&private, encrypted.as_bytes(), 0o600),
        (&public, key.public().to_pem().as_bytes(), 0o644),
        (&log, format!("{}\n", key.log()).as_bytes(), 0o644),
    ]
    .into_iter()
    .try_fold(Vec::new(), |mut made, (path, bytes, mode)| {
        match write(path, bytes, mode) {
            Ok(()) => {
                made.push(path);
                Ok(made)
            }
            Err(error) => {
                // A key of which only a part was written is of no use.
                for path in made {
                    drop(fs_err::remove_file(path));
                }
                Err(error)
            }
        }
    })?;
    let paths: Vec<String> = made.iter().map(|path| path.display().to_string()).collect();
    terminal::answer(&format!(
        "key {}\n  {}\n\nKeep {} and its passphrase to yourself; give {} and {} to those who should believe you.\n",
        key.public().id(),
        paths.join("\n  "),
        paths[0],
        paths[1],
        paths[2],
    ))?;
    Ok(Exit::Verified)
}

fn write(path: &Path, bytes: &[u8], mode: u32) -> anyhow::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let usage = || Usage(format!("cannot write `{}`", path.display()));
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(std::fs::Permissions::from_mode(mode));
    }
    #[cfg(not(unix))]
    let _ = mode;
    let mut file = builder
        .tempfile_in(folder)
        .map_err(|error| std::io::Error::from(error.kind()))
        .with_context(usage)?;
    file.write_all(bytes)
        .and_then(|()| file.as_file().sync_all())
        .with_context(usage)?;
    file.persist_noclobber(path)
        .map_err(|error| error.error)
        .with_context(usage)?;
    Ok(())
}
