//! Which files of an image are code: by what they are, by what they are called, and by what the image starts.

use std::collections::BTreeSet;

use remint_model::ImageConfig;
use serde_json::Value;

use super::filesystem::{Filesystem, Node, NodeKind};

/// Endings that interpreters and loaders go by, archives that they run as they are included.
const ENDINGS: &[&str] = &[
    "asar", "awk", "bash", "bat", "beam", "cjs", "class", "clj", "cmd", "coffee", "csh", "cts",
    "csx", "dll", "dylib", "egg", "el", "elc", "erl", "ex", "exe", "exs", "fish", "fsx", "groovy",
    "jar", "jl", "js", "jsx", "ksh", "kts", "lua", "luac", "mjs", "mts", "node", "pex", "phar",
    "php", "phtml", "pl", "pm", "ps1", "psm1", "pth", "py", "pyc", "pyd", "pyo", "pyw", "pyz",
    "pyzw", "r", "raku", "rb", "rbw", "ru", "scm", "sh", "so", "tcl", "ts", "tsx", "vbs", "war",
    "wasm", "whl", "zip", "zsh",
];
/// Loaded into every program.
const PRELOADED: &[u8] = b"etc/ld.so.preload";
/// Steps through directories and links that looking for what is started takes.
const MOST_STEPS: u64 = 1_000_000;

/// What an image starts, as far as its command names it by path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Started {
    paths: BTreeSet<Vec<u8>>,
    /// Whether there is more to be looked at than is, so that any file may be started.
    anything: bool,
}

impl Started {
    /// The paths that the entry point and the command name, below the working directory where they are relative, with links
    /// followed. Any word, and any part of a script, may be one. Where a folder is named, what its `package.json` names is
    /// started, too (`node .`, `npm start`).
    #[must_use]
    pub fn of(config: &ImageConfig, filesystem: &Filesystem) -> Self {
        let mut looking = Looking {
            filesystem,
            steps: 0,
            started: Self::default(),
        };
        let directory = config.working_directory.as_deref().unwrap_or_default();
        looking.path(directory);
        let words = config.entrypoint.iter().chain(&config.command);
        for word in words.chain(&config.healthcheck) {
            looking.words(directory, word);
        }
        for folder in looking.started.paths.clone() {
            looking.folder(&folder);
        }
        looking.started
    }
}

struct Looking<'f> {
    filesystem: &'f Filesystem,
    steps: u64,
    started: Started,
}

impl Looking<'_> {
    /// Adds where a path leads, and says so.
    fn path(&mut self, path: &str) -> Option<Vec<u8>> {
        if self.steps > MOST_STEPS {
            self.started.anything = true;
            return None;
        }
        let reached = self.filesystem.follow(path.as_bytes(), &mut self.steps);
        self.started.paths.extend(reached.clone());
        reached
    }

    /// Adds what a word is the path of, and what its parts are, where it is a script or an option.
    fn words(&mut self, directory: &str, word: &str) {
        let parts =
            word.split(|letter: char| letter.is_whitespace() || "=\"'`;|&<>(),:".contains(letter));
        for part in std::iter::once(word).chain(parts) {
            if part.starts_with('/') {
                self.path(part);
            } else {
                self.path(&format!("{directory}/{part}"));
            }
        }
    }

    /// Adds what the `package.json` of a folder names. One that is there and cannot be read may name anything.
    fn folder(&mut self, folder: &[u8]) {
        let Ok(folder) = std::str::from_utf8(folder) else {
            return;
        };
        let manifest = format!("{folder}/package.json");
        let Some(reached) = self.filesystem.follow(manifest.as_bytes(), &mut self.steps) else {
            return;
        };
        let Some(node) = self.filesystem.at(&reached) else {
            return;
        };
        let manifest = match &node.kind {
            NodeKind::File(content) => content
                .text
                .as_ref()
                .and_then(|text| serde_json::from_slice::<Value>(text).ok()),
            NodeKind::Link(_) | NodeKind::Special | NodeKind::Unreadable(_) => None,
        };
        let Some(manifest) = manifest else {
            self.started.anything = true;
            return;
        };
        for field in ["main", "bin", "scripts"] {
            match manifest.get(field) {
                Some(Value::String(text)) => self.words(folder, text),
                Some(Value::Object(texts)) => {
                    for text in texts.values().filter_map(Value::as_str) {
                        self.words(folder, text);
                    }
                }
                Some(_) | None => {}
            }
        }
    }
}

impl Started {
    /// Whether the image starts this file, or may.
    pub(super) fn contains(&self, path: &[u8]) -> bool {
        self.anything || self.paths.contains(path)
    }
}

/// Whether a file is code, or may be.
pub(super) fn is_code(path: &[u8], node: &Node, started: &Started) -> bool {
    let content = match &node.kind {
        NodeKind::File(content) => content,
        NodeKind::Unreadable(_) => return true,
        NodeKind::Link(_) | NodeKind::Special => return false,
    };
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or(path);
    let name = name.to_ascii_lowercase();
    let ending = name
        .rsplitn(2, |byte| *byte == b'.')
        .next()
        .unwrap_or(&name);
    content.runs
        || node.mode & 0o111 != 0
        || (ending.len() < name.len() && ENDINGS.iter().any(|known| known.as_bytes() == ending))
        || name.windows(4).any(|part| part == b".so.")
        || path == PRELOADED
        || started.anything
        || started.paths.contains(path)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use remint_model::{Sha1, Sha256};

    use super::super::filesystem::{Content, Entry, ImageLimits, Makes};
    use super::*;

    /// Entries as texts: `path` is a file, `path = text` one with this content, `path -> target` a link.
    fn files(entries: &[(&str, u32)]) -> Filesystem {
        let mut filesystem = Filesystem::new(ImageLimits::default());
        for (line, mode) in entries {
            let file = |text: Option<&str>| {
                Makes::File(Content {
                    size: 0,
                    sha256: Sha256::of(b""),
                    blob: Sha1::from_bytes([0; 20]).to_string().parse().unwrap(),
                    runs: false,
                    text: text.map(|text| Arc::new(text.as_bytes().to_vec())),
                })
            };
            let (name, makes) = if let Some((name, target)) = line.split_once(" -> ") {
                (name, Makes::SymbolicLink(target.as_bytes()))
            } else if let Some((name, text)) = line.split_once(" = ") {
                (name, file(Some(text)))
            } else {
                (*line, file(None))
            };
            let entry = Entry {
                name: name.as_bytes(),
                mode: *mode,
                makes,
            };
            filesystem.apply(entry).unwrap();
        }
        filesystem
    }

    fn check(entries: &[(&str, u32)], config: &ImageConfig, expect: &[&str]) {
        let filesystem = files(entries);
        let started = Started::of(config, &filesystem);
        let found: Vec<String> = filesystem
            .nodes()
            .filter(|(path, node)| is_code(path, node, &started))
            .map(|(path, _)| String::from_utf8_lossy(path).into_owned())
            .collect();
        assert_eq!(found, expect);
    }

    #[test]
    fn code_is_told_by_its_name_and_mode() {
        let code = [
            "a.JS",
            "a.Py",
            "a.R",
            "a.egg",
            "a.exs",
            "a.jsx",
            "a.node",
            "a.ps1",
            "a.pth",
            "a.pyz",
            "a.so.1",
            "a.tcl",
            "a.tsx",
            "a.whl",
            "a.zip",
            "etc/ld.so.preload",
        ];
        let mut entries: Vec<(&str, u32)> = code.map(|name| (name, 0o644)).to_vec();
        entries.extend([
            ("a", 0o644),
            ("a.json", 0o644),
            ("js", 0o644),
            ("data", 0o600),
        ]);
        entries.push(("run", 0o645));
        let mut expect = code.to_vec();
        expect.push("run");
        check(&entries, &ImageConfig::default(), &expect);
    }

    #[test]
    fn what_the_image_starts_is_code() {
        let entries = [
            "app/data",
            "app/more",
            "app/other",
            "srv/one",
            "link -> app/other",
        ];
        let entries = entries.map(|name| (name, 0o644));
        let starts = |entrypoint: &[&str], command: &[&str], expect: &[&str]| {
            let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
            let config = ImageConfig {
                entrypoint: words(entrypoint),
                command: words(command),
                working_directory: Some("/app".to_owned()),
                ..ImageConfig::default()
            };
            check(&entries, &config, expect);
        };
        starts(&["node", "data"], &["/srv/one"], &["app/data", "srv/one"]);
        starts(&["./x/../data"], &[], &["app/data"]);
        starts(&["../srv/one"], &[], &["srv/one"]);
        starts(&["sh", "-c"], &["exec node more;"], &["app/more"]);
        starts(
            &["node", "--require=./data", "/link"],
            &[],
            &["app/data", "app/other"],
        );
    }
    fn starting(command: &[&str]) -> ImageConfig {
        ImageConfig {
            command: command.iter().map(|word| (*word).to_owned()).collect(),
            working_directory: Some("/app".to_owned()),
            ..ImageConfig::default()
        }
    }

    #[test]
    fn what_the_package_of_a_started_folder_names_is_code() {
        let check_manifest = |manifest: &str, command: &[&str], expect: &[&str]| {
            let manifest = format!("app/package.json = {manifest}");
            let entries = [&*manifest, "app/data", "app/lib/more", "srv/other"];
            check(
                &entries.map(|name| (name, 0o644)),
                &starting(command),
                expect,
            );
        };
        for command in [&["node", "/app"][..], &["node", "."], &["npm", "start"]] {
            check_manifest(r#"{"main": "data"}"#, command, &["app/data"]);
            check_manifest(r#"{"main": "./lib/more"}"#, command, &["app/lib/more"]);
        }
        check_manifest(r#"{"bin": "data"}"#, &["npx", "."], &["app/data"]);
        check_manifest(
            r#"{"bin": {"a": "./data", "b": "lib/more"}, "scripts": {"start": "node ../srv/other"}}"#,
            &["npm", "start"],
            &["app/data", "app/lib/more", "srv/other"],
        );
        check_manifest(r#"{"name": "data"}"#, &["node", "."], &[]);
        // What cannot be read may name anything.
        check_manifest(
            "{",
            &["node", "."],
            &["app/data", "app/lib/more", "app/package.json", "srv/other"],
        );
        // One of another folder is not started.
        check(
            &[
                (r#"srv/package.json = {"main": "data"}"#, 0o644),
                ("srv/data", 0o644),
            ],
            &starting(&["node", "."]),
            &[],
        );
    }

    #[test]
    fn everything_is_code_where_there_is_too_much_to_look_at() {
        let entries = [("app/data", 0o644), ("srv/other", 0o644)];
        let many = |count: usize| {
            let words = vec!["a/".repeat(2040); count];
            let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
            words.extend(["sh", "/app/data"]);
            starting(&words)
        };
        check(&entries, &many(3), &["app/data"]);
        check(&entries, &many(300), &["app/data", "srv/other"]);
    }
}
