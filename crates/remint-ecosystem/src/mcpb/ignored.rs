//! Ignore rules as `mcpb pack` reads them: those of git, without regard to case.

use globset::{GlobBuilder, GlobMatcher};

/// Rules of one file that are read; nobody writes more by hand.
const MOST: usize = 1000;
/// The longest rule.
const LONGEST: usize = 1000;

/// Rules, the last of which that fits decides.
#[derive(Debug, Default)]
pub(super) struct Ignored {
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    again: bool,
    directories_only: bool,
    /// Matches the whole path, else any last part.
    anchored: bool,
    glob: GlobMatcher,
}

impl Ignored {
    /// Adds the lines of a file. What cannot be read as a rule is none.
    pub(super) fn add<'l>(&mut self, lines: impl Iterator<Item = &'l str>) {
        let rules = lines.take(MOST).filter_map(rule);
        self.rules.extend(rules);
    }

    /// Whether a file is left out: by a rule for itself or for any folder that it lies in.
    pub(super) fn leaves_out(&self, path: &str) -> bool {
        let folders = path.match_indices('/').filter_map(|(at, _)| path.get(..at));
        folders
            .map(|folder| (folder, true))
            .chain([(path, false)])
            .any(|(path, is_folder)| self.decides(path, is_folder))
    }

    fn decides(&self, path: &str, is_folder: bool) -> bool {
        let name = path.rsplit('/').next().unwrap_or(path);
        self.rules
            .iter()
            .rev()
            .filter(|rule| is_folder || !rule.directories_only)
            .find(|rule| rule.glob.is_match(if rule.anchored { path } else { name }))
            .is_some_and(|rule| !rule.again)
    }
}

fn rule(line: &str) -> Option<Rule> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') || line.len() > LONGEST {
        return None;
    }
    let (again, line) = match line.strip_prefix('!') {
        Some(rest) => (true, rest),
        None => (false, line),
    };
    let directories_only = line.ends_with('/');
    let line = line.trim_end_matches('/');
    let anchored = line.contains('/');
    let glob = GlobBuilder::new(line.trim_start_matches('/'))
        .literal_separator(true)
        .case_insensitive(true)
        .backslash_escape(true)
        .build()
        .ok()?;
    Some(Rule {
        again,
        directories_only,
        anchored,
        glob: glob.compile_matcher(),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rules_are_read_as_git_reads_them() {
        let mut ignored = Ignored::default();
        ignored.add("# x\n*.log\nsrc/\n/top\na/**/z\n!keep.log\ndocs/*.md".lines());
        for path in [
            "x.log",
            "deep/x.LOG",
            "src/a",
            "a/src/b",
            "top",
            "a/z",
            "a/b/c/z",
            "docs/x.md",
        ] {
            assert!(ignored.leaves_out(path), "{path}");
        }
        for path in ["keep.log", "src", "a/top", "b/z", "docs/a/x.md", "#", "x"] {
            assert!(!ignored.leaves_out(path), "{path}");
        }
    }

    proptest! {
        #[test]
        fn any_rules_are_read(text: String, path: String) {
            let mut ignored = Ignored::default();
            ignored.add(text.lines());
            ignored.leaves_out(&path);
        }
    }
}
