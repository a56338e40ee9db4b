//! What is told of a program of Go beside the verdict: its own words, and what had to be assumed.

use remint_model::{AssumptionKind, BuildRecord, GoBuildInfo};

/// A commit is shown so far.
const SHORT: usize = 12;
/// And any other text so far.
const LONGEST: usize = 120;

/// What the program says of itself, for people.
pub(crate) fn stated(info: &GoBuildInfo) -> Vec<String> {
    let setting = |key| beginning(info.setting(key).unwrap_or("an unknown place"));
    let from = match (&info.main, info.setting("vcs.revision")) {
        (Some(main), _) if main.sum.is_some() => format!(", from the zip of {}", main.version),
        (_, Some(commit)) => {
            let short: String = commit.chars().take(SHORT).collect();
            format!(", from commit {short}")
        }
        (_, None) => String::new(),
    };
    let mut said = vec![format!(
        "the program says that {} built it for {}/{}{from}",
        beginning(&info.go_version),
        setting("GOOS"),
        setting("GOARCH")
    )];
    if info.setting("vcs.modified") == Some("true") {
        said.push(
            "the program says that something in its work tree was not committed (`vcs.modified=true`)"
                .to_owned(),
        );
    }
    said
}

/// The beginning of a stranger's text.
pub(crate) fn beginning(text: &str) -> &str {
    let end = text.char_indices().nth(LONGEST).map(|(at, _)| at);
    end.and_then(|end| text.get(..end)).unwrap_or(text)
}

/// What had to be assumed to make the same program, for people.
pub(crate) fn assumed(record: &BuildRecord) -> Vec<String> {
    said(
        record,
        &[
            (AssumptionKind::LinkerFlags, "linker flags"),
            (AssumptionKind::BuildSettings, "settings"),
            (AssumptionKind::NativeToolchain, "compiler"),
        ],
    )
}

/// What was left out of a build that did not make the same program, for people.
pub(crate) fn left_out(record: &BuildRecord) -> Vec<String> {
    said(record, &[(AssumptionKind::ReleaseSteps, "release steps")])
}

fn said(record: &BuildRecord, kinds: &[(AssumptionKind, &str)]) -> Vec<String> {
    kinds
        .iter()
        .flat_map(|(kind, what)| {
            let made = record
                .assumptions
                .iter()
                .filter(move |made| made.kind == *kind);
            made.map(move |made| format!("{what}: {}; {}", made.value, made.from))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_strangers_text_the_beginning_is_told() {
        let long = "é".repeat(5000);
        let info = GoBuildInfo {
            go_version: "go1.26.8".to_owned(),
            settings: [("GOOS", "linux"), ("GOARCH", &long)]
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .to_vec(),
            ..GoBuildInfo::default()
        };
        let said = stated(&info).remove(0);
        assert!(said.starts_with("the program says that go1.26.8 built it for linux/é"));
        assert!(said.chars().count() < 2 * LONGEST + 60, "{said}");
        assert_eq!(beginning("é"), "é");
    }
}
