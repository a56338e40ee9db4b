//! The directory in which a publisher built, learnt from the absolute paths in published source maps. Those are
//! hostile text: only a plain new directory below a few well-known places is taken.

use remint_model::Survey;

use crate::npm::project::Project;

/// The directories below which a build may be placed.
const PLACES: [&str; 5] = ["/home/", "/Users/", "/builds/", "/runner/", "/workspace/"];

/// The home directory inside the sandbox, which the tree must not replace.
const HOME: &str = "/home/build";

/// Where the root of the tree lay, if some published path tells.
pub(crate) fn learn(project: &Project<'_>, survey: &Survey) -> Option<String> {
    survey
        .build_paths
        .iter()
        .take(50)
        .find_map(|path| root_of(project, survey, path))
        .filter(|root| is_safe(root))
}

/// Cuts the longest tail off that is a folder of the tree.
fn root_of(project: &Project<'_>, survey: &Survey, path: &str) -> Option<String> {
    let path = path
        .strip_prefix("file://")
        .unwrap_or(path)
        .trim_end_matches('/');
    // What was installed lies in the tree too, but its own folders are not in git.
    let path = path.split("/node_modules").next().unwrap_or(path);
    let parts: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
    let package = project.folder.as_str();
    for cut in 1..=parts.len() {
        let (root, tail) = parts.split_at_checked(cut)?;
        let tail = tail.join("/");
        let fits = if tail.is_empty() {
            // The whole path may be the root itself.
            package.is_empty()
        } else {
            let within = package.is_empty()
                || tail == package
                || tail.starts_with(&format!("{package}/"))
                || project.members.values().any(|member| {
                    tail == member.folder.as_str()
                        || tail.starts_with(&format!("{}/", member.folder.as_str()))
                });
            within && (has_folder(project, &tail) || was_made(project, survey, &tail))
        };
        if fits {
            return Some(format!("/{}", root.join("/")));
        }
    }
    None
}

/// Whether this is a folder of the published file, which lay below the package's own.
fn was_made(project: &Project<'_>, survey: &Survey, folder: &str) -> bool {
    let package = project.folder.as_str();
    let below = if package.is_empty() {
        Some(folder)
    } else {
        folder
            .strip_prefix(package)
            .and_then(|rest| rest.strip_prefix('/'))
    };
    below.is_some_and(|below| {
        let prefix = format!("{below}/");
        survey
            .entries
            .iter()
            .any(|entry| entry.path.as_str().starts_with(&prefix))
    })
}

fn has_folder(project: &Project<'_>, folder: &str) -> bool {
    let prefix = format!("{folder}/");
    project
        .tree
        .entries
        .range::<str, _>((
            std::ops::Bound::Excluded(prefix.as_str()),
            std::ops::Bound::Unbounded,
        ))
        .next()
        .is_some_and(|(path, _)| path.as_str().starts_with(&prefix))
}

/// Absolute, normalised, plain characters, deep enough below a known place, and not the sandbox's own.
fn is_safe(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    path.len() <= 200
        && PLACES.iter().any(|place| path.starts_with(place))
        && parts.len() >= 2
        && parts.iter().all(|part| {
            !part.is_empty()
                && !matches!(*part, "." | "..")
                && !part.starts_with('-')
                && part
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-_.+@ ".contains(&b))
        })
        && path != HOME
        && !path.starts_with(&format!("{HOME}/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::npm::testing::{pin, survey, tree};

    fn check(folder: Option<&str>, path: &str, expect: Option<&str>) {
        let tree = tree(&[
            ("package.json", r#"{"workspaces":["packages/*"]}"#),
            ("src/index.ts", ""),
            ("packages/a/package.json", r#"{"name":"a"}"#),
            ("packages/a/src/index.ts", ""),
        ]);
        let project = Project::find(&tree, &pin(folder)).unwrap();
        let survey = Survey {
            build_paths: vec![path.to_owned()],
            ..survey(&[("dist/cjs/index.js", "")])
        };
        assert_eq!(learn(&project, &survey).as_deref(), expect, "{path}");
    }

    #[test]
    fn the_root_is_what_stands_before_a_folder_of_the_tree() {
        check(
            None,
            "/Users/me/code/project/src",
            Some("/Users/me/code/project"),
        );
        check(None, "/home/runner/work/x/x", Some("/home/runner/work/x/x"));
        check(None, "/home/me/x/node_modules/zod/lib", Some("/home/me/x"));
        check(
            Some("packages/a"),
            "/Users/me/x/packages/a/dist/cjs",
            Some("/Users/me/x"),
        );
        check(None, "/Users/me/x/dist", Some("/Users/me/x"));
        check(
            Some("packages/a"),
            "/Users/me/x/packages/a/src",
            Some("/Users/me/x"),
        );
        check(Some("packages/a"), "/Users/me/x/src", None);
        check(Some("packages/a"), "/Users/me/x/elsewhere", None);
    }

    #[test]
    fn hostile_paths_are_not_taken() {
        for path in [
            "/etc/src",
            "/home/src",
            "/home/build/src",
            "/home/build/x/src",
            "/usr/lib/src",
            "/home/../etc/src",
            "/home/a//src",
            "home/me/src",
            "/home/$(id)/src",
            "/home/-rf/x/src",
            "C:/Users/me/src",
            "",
        ] {
            check(None, path, None);
        }
    }
}
