//! What this machine allows, found out by trying.

use std::path::Path;

use crate::command::Isolation;
use crate::error::SandboxError;

/// What can be had on this machine.
#[derive(Debug)]
pub struct Probe {
    /// Whether a command was run in namespaces just now, and if not, why not.
    pub namespaces: Result<(), SandboxError>,
    /// The same for the level without namespaces.
    pub landlock: Result<(), SandboxError>,
    /// The kernel's release; elsewhere the system's name.
    pub kernel: String,
}

/// Tries everything that isolation needs: namespaces, mounts, an overlay, the network's observer, a program.
#[cfg(target_os = "linux")]
#[must_use]
pub fn probe() -> Probe {
    Probe {
        namespaces: try_isolation(Isolation::Namespaces, &std::env::temp_dir()),
        landlock: try_isolation(Isolation::Landlock, &std::env::temp_dir()),
        kernel: rustix::system::uname()
            .release()
            .to_string_lossy()
            .into_owned(),
    }
}

/// There is nothing to try here.
#[cfg(not(target_os = "linux"))]
#[must_use]
pub fn probe() -> Probe {
    let kernel = std::env::consts::OS.to_owned();
    Probe {
        namespaces: Err(SandboxError::Unsupported),
        landlock: Err(SandboxError::Unsupported),
        kernel,
    }
}

/// There is nothing to try here.
///
/// # Errors
///
/// Always.
#[cfg(not(target_os = "linux"))]
pub fn try_isolation(_isolation: Isolation, _place: &Path) -> Result<(), SandboxError> {
    Err(SandboxError::Unsupported)
}

/// Runs a command at this level that does nothing, in a directory below `place` that is gone afterwards.
///
/// # Errors
///
/// When it cannot be had here; the error says why, and what can be done about it.
#[cfg(target_os = "linux")]
pub fn try_isolation(isolation: Isolation, place: &Path) -> Result<(), SandboxError> {
    use crate::{Command, Layer, Owner, remove_tree};

    let owner = Owner::of_this_process()?;
    let unprepared = |source| SandboxError::Setup {
        step: "make a temporary directory".to_owned(),
        path: None,
        source,
    };
    let place = tempfile::Builder::new()
        .prefix("remint-probe-")
        .tempdir_in(place)
        .map_err(unprepared)?;
    let name = |name: &str| place.path().join(name);
    for directory in ["lower", "upper", "work"] {
        fs_err::create_dir(name(directory)).map_err(unprepared)?;
    }
    owner.give(place.path())?;
    let mut command = Command::new(["true"], owner);
    command.isolation = isolation;
    match isolation {
        Isolation::Namespaces => command.layers.push(Layer {
            inside: "/build".into(),
            lowers: vec![name("lower")],
            upper: name("upper"),
            work: name("work"),
        }),
        Isolation::Landlock => {}
    }
    let mut log = Vec::new();
    let finished = crate::run(
        &command,
        &mut log,
        &std::sync::atomic::AtomicBool::new(false),
        |_| (),
    );
    // The kernel leaves a directory that nobody may enter.
    remove_tree(place.path())?;
    let finished = finished?;
    if finished.ending.is_success() {
        Ok(())
    } else {
        Err(SandboxError::HelperLost {
            status: format!("`true` {}", finished.ending),
        })
    }
}
