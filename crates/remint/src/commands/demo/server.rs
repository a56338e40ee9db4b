//! The small server of the demo, as a tagged git repository.

use std::path::Path;

use anyhow::Context as _;

/// The package.
pub(super) const NAME: &str = "@remint-demo/postbox";

const FILES: &[(&str, &str)] = &[
    (".gitignore", include_str!("../../../demo/gitignore")),
    ("README.md", include_str!("../../../demo/README.md")),
    ("package.json", include_str!("../../../demo/package.json")),
    (
        "package-lock.json",
        include_str!("../../../demo/package-lock.json"),
    ),
    ("tsconfig.json", include_str!("../../../demo/tsconfig.json")),
    ("src/index.ts", include_str!("../../../demo/src/index.ts")),
    ("src/outbox.ts", include_str!("../../../demo/src/outbox.ts")),
];

/// Writes the repository with tags `v1.0.0` and `v1.0.1`.
pub(super) fn write_repository(directory: &Path, now: jiff::Timestamp) -> anyhow::Result<()> {
    let repository = git2::Repository::init(directory)
        .with_context(|| format!("cannot make a repository in `{}`", directory.display()))?;
    for (version, age) in [("1.0.0", 48), ("1.0.1", 24)] {
        for (path, content) in FILES {
            let path = directory.join(path);
            if let Some(parent) = path.parent() {
                fs_err::create_dir_all(parent)?;
            }
            let own_version = content.replacen(
                "\"version\": \"1.0.0\"",
                &format!("\"version\": \"{version}\""),
                1,
            );
            let own_version = if path.ends_with("package-lock.json") {
                // The lockfile names the package's own version twice.
                own_version.replacen(
                    "\"version\": \"1.0.0\"",
                    &format!("\"version\": \"{version}\""),
                    1,
                )
            } else {
                own_version
            };
            fs_err::write(&path, own_version)?;
        }
        let mut index = repository.index()?;
        index.add_all(["*"], git2::IndexAddOption::DEFAULT, None)?;
        index.write()?;
        let tree = repository.find_tree(index.write_tree()?)?;
        let when = git2::Time::new(now.as_second() - age * 3600, 0);
        let who = git2::Signature::new("Postbox", "postbox@example.invalid", &when)?;
        let parent = repository
            .head()
            .ok()
            .and_then(|head| head.peel_to_commit().ok());
        let parents: Vec<&git2::Commit<'_>> = parent.iter().collect();
        let message = format!("Release {version}");
        let commit = repository.commit(Some("HEAD"), &who, &who, &message, &tree, &parents)?;
        let object = repository.find_object(commit, None)?;
        repository.tag_lightweight(&format!("v{version}"), &object, false)?;
    }
    Ok(())
}
