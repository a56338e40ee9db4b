//! What this machine allows, found out by trying.

use crate::error::SandboxError;

/// What can be had on this machine.
#[derive(Debug)]
pub struct Probe {
    /// Whether a command was run in namespaces just now, and if not, why not.
    pub namespaces: Result<(), SandboxError>,
    /// The version of Landlock's interface that the kernel offers, if any.
    pub landlock: Option<u32>,
    /// The kernel's release; elsewhere the system's name.
    pub kernel: String,
}

/// Tries everything that isolation needs: namespaces, mounts, an overlay, the network's observer, a program.
#[cfg(target_os = "linux")]
#[must_use]
pub fn probe() -> Probe {
    Probe {
        namespaces: try_namespaces(),
        landlock: crate::helper::landlock_version(),
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
        landlock: None,
        kernel,
    }
}

#[cfg(target_os = "linux")]
fn try_namespaces() -> Result<(), SandboxError> {
    use crate::{Command, Layer, Owner, remove_tree};

    let owner = Owner::of_this_process()?;
    let unprepared = |source| SandboxError::Setup {
        step: "make a temporary directory".to_owned(),
        path: None,
        source,
    };
    let place = tempfile::Builder::new()
        .prefix("remint-probe-")
        .tempdir()
        .map_err(unprepared)?;
    let name = |name: &str| place.path().join(name);
    for directory in ["lower", "upper", "work"] {
        fs_err::create_dir(name(directory)).map_err(unprepared)?;
    }
    owner.give(place.path())?;
    let mut command = Command::new(["true"], owner);
    command.layers.push(Layer {
        inside: "/build".into(),
        lowers: vec![name("lower")],
        upper: name("upper"),
        work: name("work"),
    });
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
