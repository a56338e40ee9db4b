//! Reads settings files: absent is fine, unreadable is not.

use std::io::Read as _;
use std::path::Path;

use crate::error::FetchError;

/// No settings file or certificate bundle of a package client is larger.
const LIMIT: u64 = 8 << 20;

/// The text of a file; `None` when there is none.
pub(crate) fn read_optional(path: &Path) -> Result<Option<String>, FetchError> {
    let refuse = |reason: String| FetchError::Configuration {
        origin: path.display().to_string(),
        reason,
    };
    // A directory of that name, or a path through a file, is no settings file either.
    if !path.is_file() {
        return match path.try_exists() {
            Ok(_) => Ok(None),
            Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => Ok(None),
            Err(error) => Err(refuse(error.to_string())),
        };
    }
    let file = fs_err::File::open(path).map_err(|error| refuse(error.to_string()))?;
    let mut bytes = Vec::new();
    file.take(LIMIT + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| refuse(error.to_string()))?;
    if bytes.len() as u64 > LIMIT {
        return Err(refuse(format!("larger than {LIMIT} bytes")));
    }
    let text = String::from_utf8(bytes).map_err(|_| refuse("not UTF-8".to_owned()))?;
    Ok(Some(
        text.strip_prefix('\u{feff}').unwrap_or(&text).to_owned(),
    ))
}

/// The text of a file that the user named.
pub(crate) fn read_named(path: &Path) -> Result<String, FetchError> {
    read_optional(path)?.ok_or_else(|| FetchError::Configuration {
        origin: path.display().to_string(),
        reason: "no such file".to_owned(),
    })
}
