//! Recipes of a makefile, as far as a rebuild needs them: what `make build` stands for. No variables, patterns or
//! conditions; a line that has some is left out.

use std::collections::BTreeSet;

/// Prerequisites are followed so deep.
const DEEPEST: usize = 6;
/// No release takes more commands.
const MOST: usize = 200;

/// The commands of a target and of what it needs, one a line, in order; empty where there is no such target.
pub(crate) fn commands(makefile: &str, target: &str) -> Vec<String> {
    let mut found = Vec::new();
    collect(makefile, target, DEEPEST, &mut BTreeSet::new(), &mut found);
    found
}

fn collect(
    makefile: &str,
    target: &str,
    depth: usize,
    visited: &mut BTreeSet<String>,
    found: &mut Vec<String>,
) {
    if depth == 0 || !visited.insert(target.to_owned()) {
        return;
    }
    let joined = makefile.replace("\\\n", " ");
    let mut lines = joined.lines().peekable();
    while let Some(line) = lines.next() {
        let Some((targets, prerequisites)) = rule(line) else {
            continue;
        };
        if !targets.split_whitespace().any(|name| name == target) {
            continue;
        }
        let (prerequisites, inline) = prerequisites.split_once(';').unwrap_or((prerequisites, ""));
        let prerequisites = prerequisites.split('#').next().unwrap_or("");
        for needed in prerequisites.split_whitespace() {
            collect(makefile, needed, depth - 1, visited, found);
        }
        push(inline, found);
        while let Some(recipe) =
            lines.next_if(|line| line.starts_with('\t') || line.trim().is_empty())
        {
            push(recipe, found);
        }
    }
}

/// `targets: prerequisites`, which is neither an assignment nor a recipe.
fn rule(line: &str) -> Option<(&str, &str)> {
    if line.starts_with(['\t', ' ', '#', '.']) {
        return None;
    }
    let (targets, rest) = line.split_once(':')?;
    (!rest.starts_with('=') && !targets.contains('=')).then_some((targets, rest))
}

fn push(line: &str, found: &mut Vec<String>) {
    let line = line.trim().trim_start_matches(['@', '-', '+']).trim();
    let line = line.replace("$$", "\u{0}");
    // What is left of a dollar sign is a variable of make.
    if line.is_empty() || line.starts_with('#') || line.contains('$') || found.len() >= MOST {
        return;
    }
    found.push(line.replace('\u{0}', "$"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_stands_for_its_commands_and_those_it_needs() {
        let makefile = ".PHONY: build\nPYTHON := python\nclean: ## Clean\n\trm -rf dist\n\nbuild: clean ui # all\n\t@uv run gen.py && \\\n\t  echo $$HOME\n\t$(PYTHON) x.py\n\nui: build\n\tnpm ci\ntest:\n\tpytest\n";
        assert_eq!(
            commands(makefile, "build"),
            ["rm -rf dist", "npm ci", "uv run gen.py &&  \t  echo $HOME"]
        );
        assert_eq!(commands(makefile, "release"), Vec::<String>::new());
    }
}
