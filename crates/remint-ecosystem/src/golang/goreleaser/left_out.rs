//! What a release configuration runs or sets around a build and is left out here: its commands are a stranger's, and
//! could bring anything into the work tree. They are named, so that a difference is not a riddle; they excuse none.

use std::collections::BTreeSet;

use remint_model::{Assumption, AssumptionKind, EntryPath, GoBuildInfo};
use serde_json::Value;

use super::{Configuration, lines_of};

/// So many are shown, and so much of each.
const SHOWN: usize = 8;
const LONGEST: usize = 100;
/// Nobody runs more.
const MOST: usize = 256;

impl Configuration {
    /// The commands around the build of the main package in this folder, and the variables that neither the program
    /// states nor the flags of the linker were filled in with.
    pub(in crate::golang) fn left_out(
        &self,
        package: Option<&EntryPath>,
        info: &GoBuildInfo,
    ) -> Vec<Assumption> {
        let builds: Vec<(&Value, BTreeSet<String>)> = self
            .builds_of(package)
            .into_iter()
            .map(|build| (build, asked_for(build)))
            .collect();
        let mut commands = Named::default();
        commands.add_hooks(self.document.get("before").and_then(|it| it.get("hooks")));
        let mut variables = Named::default();
        for line in lines_of(&self.document) {
            let is_used = |name: &str| builds.iter().any(|(_, asked)| asked.contains(name));
            variables.add_variable(line, info, is_used);
        }
        for (build, asked) in &builds {
            let hooks = |when| build.get("hooks").and_then(|it| it.get(when));
            commands.add_hooks(hooks("pre"));
            commands.add_hooks(hooks("post"));
            let overrides = build.get("overrides").and_then(Value::as_array);
            let overrides = overrides.into_iter().flatten().take(MOST);
            for line in overrides.chain([*build]).flat_map(lines_of) {
                variables.add_variable(line, info, |name| asked.contains(name));
            }
        }
        [
            commands.assumption(&format!(
                "`{}` runs this before or after a build, and it was not run here",
                self.file
            )),
            variables.assumption(&format!(
                "`{}` sets this for a build, and it was not set here",
                self.file
            )),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// Texts of the configuration, each once.
#[derive(Default)]
struct Named {
    shown: Vec<String>,
    more: usize,
}

impl Named {
    /// A command, or several; each as a text or with a folder and variables of its own.
    fn add_hooks(&mut self, hooks: Option<&Value>) {
        let hooks = match hooks {
            None | Some(Value::Null) => return,
            Some(Value::Array(hooks)) => hooks.as_slice(),
            Some(hook) => std::slice::from_ref(hook),
        };
        for hook in hooks.iter().take(MOST) {
            self.add(hook.get("cmd").unwrap_or(hook));
        }
    }

    /// A variable, unless what it does can be seen in the program or was done.
    fn add_variable(&mut self, line: &Value, info: &GoBuildInfo, is_used: impl Fn(&str) -> bool) {
        let name = line.as_str().and_then(|line| line.split_once('='));
        let is_known = name.is_some_and(|(name, _)| {
            let name = name.trim();
            info.setting(name).is_some() || is_used(name)
        });
        if !is_known {
            self.add(line);
        }
    }

    fn add(&mut self, text: &Value) {
        let words = match text.as_str() {
            Some(text) => {
                let start: String = text.chars().take(LONGEST).collect();
                let words: Vec<&str> = start.split_whitespace().collect();
                format!("`{}`", words.join(" "))
            }
            None => "something that cannot be read".to_owned(),
        };
        if self.shown.contains(&words) {
        } else if self.shown.len() < SHOWN {
            self.shown.push(words);
        } else {
            self.more += 1;
        }
    }

    fn assumption(self, from: &str) -> Option<Assumption> {
        let more = match self.more {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        (!self.shown.is_empty()).then(|| Assumption {
            kind: AssumptionKind::ReleaseSteps,
            value: format!("without {}{more}", self.shown.join(", ")),
            from: from.to_owned(),
        })
    }
}

/// The variables that the flags of a build are filled in with; flags that are longer than any are not.
fn asked_for(build: &Value) -> BTreeSet<String> {
    let template = super::template(build);
    if template.len() > super::LONGEST {
        return BTreeSet::new();
    }
    let inside = template.split("{{").skip(1);
    inside
        .filter_map(|text| text.split("}}").next()?.trim().strip_prefix(".Env."))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use remint_model::SourceTree;

    use super::*;

    fn left_out(text: &str, package: &str) -> Option<Vec<String>> {
        let mut tree = SourceTree::default();
        tree.texts
            .insert(".goreleaser.yaml".parse().unwrap(), text.into());
        let info = GoBuildInfo {
            settings: vec![("CGO_ENABLED".to_owned(), "0".to_owned())],
            ..GoBuildInfo::default()
        };
        let configuration = Configuration::read(&tree).ok()??;
        let found = configuration.left_out(package.parse().ok().as_ref(), &info);
        let said = |one: Assumption| {
            assert_eq!(one.kind, AssumptionKind::ReleaseSteps);
            assert!(one.from.starts_with("`.goreleaser.yaml` "));
            one.value
        };
        Some(found.into_iter().map(said).collect())
    }

    fn check(text: &str, package: &str, expect: &[&str]) {
        let found = left_out(text, package).unwrap();
        assert_eq!(found, expect, "{text}");
    }

    #[test]
    fn commands_around_a_build_are_named() {
        check("version: 2\n", "", &[]);
        check("before: {hooks: []}\nbuilds: [{hooks: {}}]\n", "", &[]);
        check(
            "before:\n  hooks:\n  - go mod tidy\n  - {cmd: 'make  assets', dir: web}\n  - [x]\n",
            "",
            &["without `go mod tidy`, `make assets`, something that cannot be read"],
        );
        let builds = "builds:\n- {main: ./cmd/a, hooks: {pre: ./gen.sh, post: [{cmd: 'upx {{ .Path }}'}, ./gen.sh]}}\n- {main: ./cmd/b, hooks: {post: sign}}\n";
        check(builds, "cmd/a", &["without `./gen.sh`, `upx {{ .Path }}`"]);
        check(builds, "cmd/b", &["without `sign`"]);
        check(
            builds,
            "cmd/c",
            &["without `./gen.sh`, `upx {{ .Path }}`, `sign`"],
        );
    }

    #[test]
    fn variables_are_named_unless_their_effect_is_known() {
        check(
            "env: [GO111MODULE=on, PKG=example.org/x]\nbuilds:\n- env: [CGO_ENABLED=1, GOFLAGS=-mod=mod, UNSET]\n  ldflags: -X {{ .Env.PKG }}.v=1\n  overrides: [{goos: darwin, env: [CC=o64-clang]}]\n",
            "",
            &["without `GO111MODULE=on`, `CC=o64-clang`, `GOFLAGS=-mod=mod`, `UNSET`"],
        );
        check(
            "env: [PKG=example.org/x]\nbuilds: [{ldflags: '-X .Env.PKG.v={{ .Env.PKGS }}'}]\n",
            "",
            &["without `PKG=example.org/x`"],
        );
    }

    #[test]
    fn what_is_named_is_bounded() {
        let hooks = |count: usize| {
            let lines: String = (0..count)
                .map(|n| format!("  - run {n} {}\n", "é".repeat(5000)))
                .collect();
            let found = left_out(&format!("before:\n  hooks:\n{lines}"), "").unwrap();
            assert_eq!(found.len(), 1);
            found.concat()
        };
        assert!(!hooks(SHOWN).contains("more"));
        assert!(hooks(SHOWN + 3).ends_with(" and 3 more"));
        let all = hooks(1000);
        assert!(
            all.ends_with(" and 248 more") && all.chars().count() < 1000,
            "{all}"
        );
    }

    #[test]
    fn many_variables_and_long_flags_take_little_time() {
        let lines: String = (0..64).map(|n| format!("'V{n}=1',")).collect();
        let overrides = format!("{{env: [{lines}]}},").repeat(256);
        let flags = "{{ .Env.X }}".repeat(100_000);
        let text = format!("builds: [{{ldflags: '{flags}', overrides: [{overrides}]}}]\n");
        let begun = std::time::Instant::now();
        let found = left_out(&text, "").unwrap();
        assert!(found[0].starts_with("without `V0=1`, `V1=1`"), "{found:?}");
        // Looking through the flags for each variable takes minutes.
        assert!(begun.elapsed().as_secs() < 30, "{:?}", begun.elapsed());
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(before|builds|hooks|pre|post|env|cmd|overrides|:|-| |\n|\\[|\\]|=|\\{|\\}|a|é){0,30}") {
            drop(left_out(&text, ""));
        }
    }
}
