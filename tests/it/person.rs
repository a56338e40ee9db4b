//! Who runs the binary in a test: whoever runs the test, or an ordinary user where that is root.

use std::path::{Path, PathBuf};
use std::process::Command;

use assert_cmd::cargo::CommandCargoExt as _;

/// Belongs to nobody.
const NOBODY_S: u32 = 1_999_999_998;

pub(crate) enum Person {
    Myself,
    /// Runs a copy of the binary that he can reach.
    OrdinaryUser {
        /// Where whoever runs the test is root; otherwise that is an ordinary user already.
        uid: Option<u32>,
        program: PathBuf,
    },
}

impl Person {
    /// An ordinary user who has this directory.
    pub(crate) fn ordinary_user(home: &Path) -> Self {
        let program = home.join("bin/remint");
        fs_err::create_dir_all(program.parent().unwrap()).unwrap();
        fs_err::copy(
            Command::cargo_bin("remint").unwrap().get_program(),
            &program,
        )
        .unwrap();
        Self::OrdinaryUser {
            uid: is_root().then_some(NOBODY_S),
            program,
        }
    }

    /// The binary.
    pub(crate) fn program(&self) -> PathBuf {
        match self {
            Self::Myself => Command::cargo_bin("remint").unwrap().get_program().into(),
            Self::OrdinaryUser { program, .. } => program.clone(),
        }
    }

    /// A command that runs it.
    pub(crate) fn command(&self) -> Command {
        self.command_of(&self.program())
    }

    /// A command of this person's that runs some program.
    #[expect(
        clippy::disallowed_methods,
        reason = "tests start the program under test"
    )]
    pub(crate) fn command_of(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        #[cfg(unix)]
        if let Self::OrdinaryUser { uid: Some(uid), .. } = self {
            use std::os::unix::process::CommandExt as _;
            command.uid(*uid).gid(*uid);
            // What cargo sets for whoever runs the test is not his.
            command.env_remove("CARGO_HOME").env_remove("RUSTUP_HOME");
        }
        command
    }

    /// Gives him what the test has put there.
    pub(crate) fn take_over(&self, directory: &Path) {
        #[cfg(unix)]
        if let Self::OrdinaryUser { uid: Some(uid), .. } = self {
            give(directory, *uid);
        }
        #[cfg(not(unix))]
        let _ = directory;
    }
}

#[cfg(unix)]
fn give(path: &Path, uid: u32) {
    let given = || -> std::io::Result<Vec<PathBuf>> {
        let metadata = fs_err::symlink_metadata(path)?;
        if std::os::unix::fs::MetadataExt::uid(&metadata) != uid {
            std::os::unix::fs::lchown(path, Some(uid), Some(uid))?;
        }
        if !metadata.is_dir() {
            return Ok(Vec::new());
        }
        fs_err::read_dir(path)?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect()
    };
    match given() {
        Ok(below) => below.iter().for_each(|path| give(path, uid)),
        // Something of his is running and clears its own away.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => panic!("{error}"),
    }
}

/// Whether whoever runs the test is root.
pub(crate) fn is_root() -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        fs_err::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0)
    }
    #[cfg(not(unix))]
    false
}

/// User and group of whoever runs the test.
#[cfg(unix)]
pub(crate) fn ids() -> (u32, u32) {
    use std::os::unix::fs::MetadataExt as _;
    let own = fs_err::metadata("/proc/self").unwrap();
    (own.uid(), own.gid())
}
