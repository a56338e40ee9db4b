//! What is told of a program of Go beside the verdict: its own words, and what had to be assumed.

use remint_model::{AssumptionKind, BuildRecord, GoBuildInfo};

/// A commit is shown so far.
const SHORT: usize = 12;

/// What the program says of itself, for people.
pub(crate) fn stated(info: &GoBuildInfo) -> Vec<String> {
    let setting = |key| info.setting(key).unwrap_or("an unknown place");
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
        info.go_version,
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

/// What had to be assumed to make the same program, for people.
pub(crate) fn assumed(record: &BuildRecord) -> Vec<String> {
    [
        (AssumptionKind::LinkerFlags, "linker flags"),
        (AssumptionKind::BuildSettings, "settings"),
    ]
    .into_iter()
    .flat_map(|(kind, what)| {
        let made = record
            .assumptions
            .iter()
            .filter(move |made| made.kind == kind);
        made.map(move |made| format!("{what}: {}; {}", made.value, made.from))
    })
    .collect()
}
