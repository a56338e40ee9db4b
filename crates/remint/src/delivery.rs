//! Where the answer goes: to standard output, or to a place that the user names.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::exit::Exit;
use crate::failure::{self, Usage};
use crate::terminal;

/// As many links as the kernel follows.
const MOST_LINKS: usize = 40;

/// What a path that the user names turns out to be.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// Our own standard output.
    Standard,
    /// A regular file, there or not: replaced whole or not at all.
    File(PathBuf),
    /// A device, a pipe, or a file that somebody else has open: written to where it is.
    Stream(PathBuf),
}

/// Finds out before the work whether the answer can be put there.
///
/// # Errors
/// It cannot; the user has to name another place.
pub(crate) fn check(output: Option<&Path>) -> anyhow::Result<()> {
    let Some(named) = output else {
        return Ok(());
    };
    let usage = |why: &dyn std::fmt::Display| {
        Usage(format!(
            "cannot write the answer to `{}`: {why}; name another file with --output",
            named.display()
        ))
    };
    match place(named).map_err(|error| usage(&error))? {
        Place::Standard | Place::Stream(_) => Ok(()),
        Place::File(path) => {
            let directory = directory_of(&path);
            if !directory.is_dir() {
                let missing = format!("there is no directory `{}`", directory.display());
                anyhow::bail!(usage(&missing));
            }
            // The error itself names a file that the user has never heard of.
            tempfile::NamedTempFile::new_in(directory).map_err(|error| usage(&error.kind()))?;
            Ok(())
        }
    }
}

/// Delivers an answer; one that cannot be put where it belongs goes to standard output instead of being lost. Returns
/// what that alone would end the run with.
pub(crate) fn deliver(text: &str, output: Option<&Path>) -> Exit {
    let put = match output {
        Some(named) => put(text, named),
        None => terminal::answer(text),
    };
    let Err(error) = put else {
        return Exit::Verified;
    };
    failure::tell(&error);
    if output.is_some()
        && let Err(error) = terminal::answer(text)
    {
        failure::tell(&error);
    }
    Exit::Machine
}

/// Puts text where the user names it: a regular file whole or not at all.
///
/// # Errors
/// It cannot be put there.
pub(crate) fn put(text: &str, named: &Path) -> anyhow::Result<()> {
    let context = || format!("cannot write to `{}`", named.display());
    let plain = anstream::adapter::strip_str(text).to_string();
    match place(named).with_context(context)? {
        Place::Standard => terminal::answer(text),
        Place::File(path) => replace(&path, &plain).with_context(context),
        Place::Stream(path) => {
            let written = fs_err::OpenOptions::new()
                .append(true)
                .open(path)
                .and_then(|mut stream| stream.write_all(plain.as_bytes()));
            match written {
                // As at standard output: a reader that has gone away is no failure of ours.
                Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                    Err(error).with_context(context)
                }
                Ok(()) | Err(_) => Ok(()),
            }
        }
    }
}

/// Puts a whole file in the place of what is there, or of nothing.
fn replace(path: &Path, text: &str) -> anyhow::Result<()> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    let builder = {
        use std::os::unix::fs::PermissionsExt as _;
        // What any program's new file gets: the kernel takes off the user's mask.
        builder.permissions(std::fs::Permissions::from_mode(0o666))
    };
    // The error itself names a file that the user has never heard of.
    let mut file = builder
        .tempfile_in(directory_of(path))
        .map_err(|error| std::io::Error::from(error.kind()))?;
    if let Ok(metadata) = fs_err::metadata(path) {
        fs_err::set_permissions(file.path(), metadata.permissions())?;
    }
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

fn place(named: &Path) -> std::io::Result<Place> {
    if ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"]
        .iter()
        .any(|standard| named.as_os_str() == *standard)
    {
        return Ok(Place::Standard);
    }
    // Names of what is already open: also a regular file behind them is written to through them.
    if named == Path::new("/dev/stderr")
        || named.starts_with("/dev/fd")
        || named.starts_with("/proc")
    {
        return Ok(Place::Stream(named.to_owned()));
    }
    match fs_err::metadata(named) {
        Ok(metadata) if metadata.is_dir() => Err(std::io::Error::other("it is a directory")),
        Ok(metadata) if metadata.is_file() => Ok(Place::File(fs_err::canonicalize(named)?)),
        Ok(_) => Ok(Place::Stream(named.to_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Ok(Place::File(behind_links(named)?))
        }
        Err(error) => Err(error),
    }
}

/// The path at the end of links that lead to nothing yet.
fn behind_links(named: &Path) -> std::io::Result<PathBuf> {
    let mut path = named.to_owned();
    for _ in 0..MOST_LINKS {
        if !path.is_symlink() {
            return Ok(path);
        }
        path = directory_of(&path).join(fs_err::read_link(&path)?);
    }
    Err(std::io::Error::other("too many links"))
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn links_are_followed_and_stay_and_the_file_keeps_its_mode() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs_err::create_dir(at("far")).unwrap();
        fs_err::write(at("far/old"), "before").unwrap();
        let mode = std::fs::Permissions::from_mode(0o640);
        fs_err::set_permissions(at("far/old"), mode).unwrap();
        for (link, target) in [("to-old", "far/old"), ("to-new", "far/new")] {
            symlink(target, at(link)).unwrap();
            check(Some(&at(link))).unwrap();
            assert_eq!(deliver("answer", Some(&at(link))), Exit::Verified);
            assert!(at(link).is_symlink());
            assert_eq!(fs_err::read_to_string(at(target)).unwrap(), "answer");
        }
        let mode = |name: &str| fs_err::metadata(at(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode("far/old"), 0o640);
        fs_err::write(at("usual"), "").unwrap();
        assert_eq!(mode("far/new"), mode("usual"));
    }

    #[test]
    fn what_is_no_file_is_written_to_and_not_replaced() {
        use std::os::unix::fs::FileTypeExt as _;
        let device = Path::new("/dev/null");
        check(Some(device)).unwrap();
        assert_eq!(deliver("answer", Some(device)), Exit::Verified);
        let file_type = fs_err::metadata(device).unwrap().file_type();
        assert!(file_type.is_char_device());
        assert_eq!(place(Path::new("-")).unwrap(), Place::Standard);
        assert_eq!(place(Path::new("/dev/stdout")).unwrap(), Place::Standard);
    }

    #[test]
    fn a_place_that_cannot_be_written_to_is_found_out_and_named() {
        let directory = tempfile::tempdir().unwrap();
        let missing = directory.path().join("missing/answer.json");
        for (path, why) in [
            (&*missing, "there is no directory"),
            (directory.path(), "it is a directory"),
        ] {
            let error = check(Some(path)).unwrap_err();
            assert_eq!(failure::exit(&error), Exit::Usage);
            let text = error.to_string();
            assert!(text.contains(&*path.to_string_lossy()), "{text}");
            assert!(text.contains(why), "{text}");
        }
        assert_eq!(deliver("answer", Some(&missing)), Exit::Machine);
    }
}
