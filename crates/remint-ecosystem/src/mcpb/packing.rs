//! Which files of a folder `mcpb pack` takes.

use remint_model::{EntryPath, SourceTree};

use super::ignored::Ignored;

/// What it leaves out everywhere, whatever the project says.
const LEFT_OUT: &[&str] = &[
    ".DS_Store",
    "Thumbs.db",
    ".git",
    ".gitignore",
    ".mcpbignore",
    "*.log",
    "*.map",
    "*.d.ts",
    "*.mcpb",
    "*.tsbuildinfo",
    ".env*",
    ".npm",
    ".npmrc",
    ".yarnrc",
    ".yarn",
    ".pnp.*",
    ".editorconfig",
    ".eslintrc",
    ".eslintignore",
    ".prettierrc",
    ".prettierignore",
    ".babelrc",
    ".nycrc",
    "npm-debug.log*",
    "yarn-debug.log*",
    "yarn-error.log*",
    "package-lock.json",
    "yarn.lock",
    "tsconfig.json",
    "node_modules/.cache",
    "node_modules/.bin",
];

/// The rules that decide which files are packed.
#[derive(Debug)]
pub struct Packing(Ignored);

impl Packing {
    /// Those that apply to every bundle.
    #[must_use]
    pub fn usual() -> Self {
        let mut ignored = Ignored::default();
        ignored.add(LEFT_OUT.iter().copied());
        Self(ignored)
    }

    /// Those of a project whose bundle is packed from this folder of its source.
    #[must_use]
    pub fn of(tree: &SourceTree, directory: Option<&EntryPath>) -> Self {
        let mut packing = Self::usual();
        for name in [".mcpbignore", ".dxtignore"] {
            if let Some(text) = tree.text(&SourceTree::path_in(directory, name)) {
                packing.0.add(text.lines());
            }
        }
        packing
    }

    /// Whether a file of the folder is packed.
    #[must_use]
    pub fn takes(&self, path: &EntryPath) -> bool {
        !self.0.leaves_out(path.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_adds_to_what_is_always_left_out() {
        let mut tree = SourceTree::default();
        let ignore = "bundle/.mcpbignore".parse().unwrap();
        tree.texts.insert(ignore, b"src/\n".to_vec());
        let packing = Packing::of(&tree, Some(&"bundle".parse().unwrap()));
        let takes = |path: &str| packing.takes(&path.parse().unwrap());
        assert!(takes("server/index.js") && takes("manifest.json") && takes("package.json"));
        for path in [
            "src/index.ts",
            "a/b.map",
            "package-lock.json",
            ".env.local",
            "types.d.ts",
        ] {
            assert!(!takes(path), "{path}");
        }
        assert!(Packing::usual().takes(&"src/index.ts".parse().unwrap()));
    }
}
