//! A file of this machine that the user names instead of what a registry serves: what it is, and its digests.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use remint_model::{Artifact, ArtifactFormat, FileName, Published, Sha256};

use super::{FILE_LIMIT, artifact};
use crate::digests::Hashing;
use crate::error::FetchError;

/// The longest name of an entry, and the header before it.
const LONGEST_ENTRY_START: u64 = 30 + (1 << 16);

/// A file that the user names instead of what the registry serves, opened, and known by its name; a program may have any.
#[derive(Debug)]
pub struct LocalFile {
    /// Its own name.
    pub name: FileName,
    /// How it is packed.
    pub format: ArtifactFormat,
    /// Bytes.
    pub size: u64,
    path: PathBuf,
    file: fs_err::File,
}

impl LocalFile {
    /// Opens a file and finds out what it is; its content is not read.
    ///
    /// # Errors
    /// There is no such file, or it is no program and its name is not that of an npm tarball, a wheel, an sdist, a crate or
    /// a bundle.
    pub fn open(path: &Path) -> Result<Self, FetchError> {
        let refuse = |reason| refused(path, reason);
        let unreadable = |error: std::io::Error| refused(path, error.to_string());
        let name: FileName = path
            .file_name()
            .and_then(|name| name.to_str())
            .ok_or_else(|| refuse("it has no readable name".to_owned()))?
            .parse()
            .map_err(|error| refuse(format!("{error}")))?;
        let by_name = ArtifactFormat::of(name.as_str());
        let mut file = fs_err::File::open(path).map_err(unreadable)?;
        let metadata = file.metadata().map_err(unreadable)?;
        if !metadata.is_file() {
            return Err(refuse("it is not a regular file".to_owned()));
        }
        if metadata.len() > FILE_LIMIT {
            return Err(refuse(format!("it is larger than {FILE_LIMIT} bytes")));
        }
        let format = match by_name {
            Some(ArtifactFormat::SdistZip) if is_module_zip(&mut file).map_err(unreadable)? => {
                ArtifactFormat::GoModule
            }
            Some(format) => format,
            None if is_program(&mut file).map_err(unreadable)? => ArtifactFormat::GoProgram,
            None => {
                return Err(refuse(
                    "it is no program, and its name ends in none of `.tgz`, `.whl`, `.tar.gz`, `.zip`, `.crate`, `.mcpb` and `.dxt`"
                        .to_owned(),
                ));
            }
        };
        Ok(Self {
            name,
            format,
            size: metadata.len(),
            path: path.to_owned(),
            file,
        })
    }

    /// Its SHA-256, for those who ask for nothing else.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn sha256(&mut self) -> Result<Sha256, FetchError> {
        let mut buffer = vec![0; 128 << 10];
        self.file
            .seek(SeekFrom::Start(0))
            .and_then(|_| Hashing::sha256(&mut self.file, &mut buffer))
            .map_err(|error| refused(&self.path, error.to_string()))
    }

    /// With all of its digests.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn artifact(mut self) -> Result<Artifact<Published>, FetchError> {
        let digests = self
            .file
            .seek(SeekFrom::Start(0))
            .and_then(|_| Hashing::read(&mut self.file))
            .map_err(|error| refused(&self.path, error.to_string()))?;
        Ok(artifact(self.name, self.format, self.path, &digests))
    }
}

fn refused(path: &Path, reason: String) -> FetchError {
    FetchError::Artifact {
        path: path.to_owned(),
        reason,
    }
}

/// Whether the first entry of a zip lies in a folder `module@v…`, as all of a Go module zip do; a source archive in Python's
/// old form lies in `name-version`.
fn is_module_zip(file: &mut fs_err::File) -> std::io::Result<bool> {
    file.seek(SeekFrom::Start(0))?;
    let mut start = Vec::new();
    file.take(LONGEST_ENTRY_START).read_to_end(&mut start)?;
    let length = match (start.first_chunk::<4>(), start.get(26..28)) {
        (Some(b"PK\x03\x04"), Some(&[low, high])) => usize::from(u16::from_le_bytes([low, high])),
        _ => return Ok(false),
    };
    let name = start.get(30..30 + length).unwrap_or_default();
    let name = String::from_utf8_lossy(name);
    Ok(name
        .split_once("@v")
        .is_some_and(|(path, rest)| path.contains('.') && rest.contains('/')))
}

/// Whether a file begins as ELF, Mach-O and PE files do; it is at its beginning again afterwards. Whether go made it is told
/// by its content.
fn is_program(file: &mut fs_err::File) -> std::io::Result<bool> {
    let mut start = Vec::new();
    file.by_ref().take(4).read_to_end(&mut start)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(matches!(
        start.as_slice(),
        [0x7f, b'E', b'L', b'F']
            | [0xce | 0xcf, 0xfa, 0xed, 0xfe]
            | [0xfe, 0xed, 0xfa, 0xce | 0xcf]
            | [0xca, 0xfe, 0xba, 0xbe | 0xbf]
            | [b'M', b'Z', ..]
    ))
}
