//! Which files of an image are code: by what they are, by what they are called, and by what the image starts.

use std::collections::BTreeSet;

use remint_model::ImageConfig;

use super::filesystem::{Filesystem, Node, NodeKind};

/// Endings that interpreters and loaders go by, archives that they run as they are included.
const ENDINGS: &[&str] = &[
    "bash", "cjs", "class", "cts", "dll", "dylib", "egg", "exe", "jar", "js", "jsx", "lua", "mjs",
    "mts", "node", "phar", "php", "pl", "pm", "pth", "py", "pyc", "pyd", "pyo", "pyw", "pyz",
    "pyzw", "rb", "sh", "so", "ts", "tsx", "war", "wasm", "whl", "zip",
];
/// Loaded into every program.
const PRELOADED: &[u8] = b"etc/ld.so.preload";
/// Steps through directories and links that looking for what is started takes.
const MOST_STEPS: u64 = 1_000_000;

/// What an image starts, as far as its command names it by path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Started(BTreeSet<Vec<u8>>);

impl Started {
    /// The paths that the entry point and the command name, below the working directory where they are relative, with links
    /// followed. Any word, and any part of a script, may be one.
    #[must_use]
    pub fn of(config: &ImageConfig, filesystem: &Filesystem) -> Self {
        let directory = config.working_directory.as_deref().unwrap_or_default();
        let words = config.entrypoint.iter().chain(&config.command);
        let mut started = Self::default();
        let mut steps = 0;
        for word in words {
            let parts = word
                .split(|letter: char| letter.is_whitespace() || "=\"'`;|&<>(),:".contains(letter));
            for part in std::iter::once(&**word).chain(parts) {
                if steps > MOST_STEPS {
                    return started;
                }
                let path = if part.starts_with('/') {
                    part.to_owned()
                } else {
                    format!("{directory}/{part}")
                };
                started
                    .0
                    .extend(filesystem.follow(path.as_bytes(), &mut steps));
            }
        }
        started
    }
}

impl Started {
    /// Whether the image starts this file.
    pub(super) fn contains(&self, path: &[u8]) -> bool {
        self.0.contains(path)
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
        || started.0.contains(path)
}

#[cfg(test)]
mod tests {
    use remint_model::{Sha1, Sha256};

    use super::super::filesystem::{Content, Entry, ImageLimits, Makes};
    use super::*;

    fn files(entries: &[(&str, u32)]) -> Filesystem {
        let mut filesystem = Filesystem::new(ImageLimits::default());
        for (line, mode) in entries {
            let (name, makes) = match line.split_once(" -> ") {
                Some((name, target)) => (name, Makes::SymbolicLink(target.as_bytes())),
                None => (
                    *line,
                    Makes::File(Content {
                        size: 0,
                        sha256: Sha256::of(b""),
                        blob: Sha1::from_bytes([0; 20]).to_string().parse().unwrap(),
                        runs: false,
                        text: None,
                    }),
                ),
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
            "a.egg",
            "a.jsx",
            "a.node",
            "a.pth",
            "a.pyz",
            "a.so.1",
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
}
