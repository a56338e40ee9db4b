//! Where a case takes place: a private directory on the host, and commands that run in the sandbox.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use remint_sandbox::{Access, Bind, Command, Finished, Layer, Owner, remove_tree, run};

use crate::attacker;

/// Where this program is bound inside.
pub(crate) const ATTACKER: &str = "/opt/attacker";

pub(crate) struct Ground {
    place: PathBuf,
    pub(crate) owner: Owner,
}

impl Ground {
    /// A directory that only its owner may enter.
    pub(crate) fn new() -> Self {
        let place = tempfile::Builder::new()
            .prefix("remint-ground-")
            .tempdir()
            .unwrap()
            .keep();
        Self {
            place,
            owner: Owner::of_this_process().unwrap(),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.place.join(name)
    }

    /// A directory with files that belongs to the build.
    pub(crate) fn tree(&self, name: &str, files: &[(&str, &str)]) -> PathBuf {
        let tree = self.path(name);
        fs_err::create_dir(&tree).unwrap();
        for (path, content) in files {
            let path = tree.join(path);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, content).unwrap();
        }
        self.owner.give(&tree).unwrap();
        tree
    }

    /// An overlay over the trees, whose changes end up in `<name>/upper`.
    pub(crate) fn layer(&self, name: &str, inside: &str, lowers: &[&Path]) -> Layer {
        let state = self.tree(name, &[]);
        let (upper, work) = (state.join("upper"), state.join("work"));
        for directory in [&upper, &work] {
            fs_err::create_dir(directory).unwrap();
        }
        self.owner.give(&state).unwrap();
        let lowers = lowers.iter().map(|lower| lower.to_path_buf()).collect();
        Layer {
            inside: inside.into(),
            lowers,
            upper,
            work,
        }
    }

    /// This program, inside, doing what `attacker` knows under this name.
    pub(crate) fn attack(&self, words: &[&str]) -> Command {
        let words = [ATTACKER, attacker::MARK].iter().chain(words);
        let mut command = Command::new(words, self.owner);
        command.binds.push(Bind {
            host: std::env::current_exe().unwrap(),
            inside: ATTACKER.into(),
            access: Access::ReadOnly,
        });
        command
    }

    pub(crate) fn shell(&self, script: &str) -> Command {
        Command::new(["sh", "-c", script], self.owner)
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        remove_tree(&self.place).unwrap();
        assert!(!self.place.exists());
    }
}

/// Runs, and returns what the command said besides.
pub(crate) fn outcome(command: &Command) -> (Finished, String) {
    let mut log = Vec::new();
    let finished = run(command, &mut log, &AtomicBool::new(false), |_| ()).unwrap();
    (finished, String::from_utf8_lossy(&log).into_owned())
}

/// Runs a command that has to succeed, and returns what it said.
pub(crate) fn said(command: &Command) -> String {
    let (finished, log) = outcome(command);
    assert!(finished.ending.is_success(), "{:?}: {log}", finished.ending);
    log
}
