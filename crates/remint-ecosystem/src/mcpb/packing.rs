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

/// What of this no server reads: where somebody packed by hand, it says nothing about what runs.
const INERT: &[&str] = &[
    ".DS_Store",
    "Thumbs.db",
    ".gitignore",
    ".mcpbignore",
    "*.map",
    "*.d.ts",
    "*.tsbuildinfo",
    ".editorconfig",
    ".eslintrc",
    ".eslintignore",
    ".prettierrc",
    ".prettierignore",
    ".nycrc",
    "package-lock.json",
    "yarn.lock",
    "tsconfig.json",
];

/// The rules that decide which files are packed.
#[derive(Debug)]
pub struct Packing {
    left_out: Ignored,
    inert: Ignored,
}

impl Packing {
    /// Those that apply to every bundle.
    #[must_use]
    pub fn usual() -> Self {
        let (mut left_out, mut inert) = (Ignored::default(), Ignored::default());
        left_out.add(LEFT_OUT.iter().copied());
        inert.add(INERT.iter().copied());
        Self { left_out, inert }
    }

    /// Those of a project whose bundle is packed from this folder of its source.
    #[must_use]
    pub fn of(tree: &SourceTree, directory: Option<&EntryPath>) -> Self {
        let mut packing = Self::usual();
        for name in [".mcpbignore", ".dxtignore"] {
            if let Some(text) = tree.text(&SourceTree::path_in(directory, name)) {
                packing.left_out.add(text.lines());
            }
        }
        packing
    }

    /// Whether a file of the folder is packed.
    #[must_use]
    pub fn takes(&self, path: &EntryPath) -> bool {
        !self.left_out.leaves_out(path.as_str())
    }

    /// Whether a file of the folder has no business in a bundle: the packer leaves it out, and it could matter to the
    /// server, such as settings of the developer's machine.
    #[must_use]
    pub fn refuses(&self, path: &EntryPath) -> bool {
        !self.takes(path) && !self.inert.leaves_out(path.as_str())
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

    #[test]
    fn what_is_left_out_and_could_matter_is_refused() {
        let mut tree = SourceTree::default();
        let ignore = ".mcpbignore".parse().unwrap();
        tree.texts.insert(ignore, b"server/dev-hooks.js\n".to_vec());
        let packing = Packing::of(&tree, None);
        let refuses = |path: &str| packing.refuses(&path.parse().unwrap());
        for path in [".env", "server/.env.local", "server/dev-hooks.js", ".npmrc"] {
            assert!(refuses(path), "{path}");
        }
        for path in ["server/index.js", "types.d.ts", "package-lock.json"] {
            assert!(!refuses(path), "{path}");
        }
        for path in INERT {
            let path = path.replace('*', "x");
            assert!(!packing.takes(&path.parse().unwrap()), "{path}");
        }
    }
}
