//! YAML as JSON values: workflows, lockfiles and settings of several tools. Sizes are bounded here; what the
//! values mean is the caller's business.

use serde_json::Value;

/// Parses one document. Of two equal keys the last counts, and only `true` and `false` are booleans, so that the
/// key `on` stays a text.
pub(crate) fn parse(text: &str) -> Result<Value, String> {
    serde_saphyr::from_str_with_options(text, options()).map_err(reason)
}

/// Parses every document of a stream.
pub(crate) fn parse_all(text: &str) -> Result<Vec<Value>, String> {
    serde_saphyr::from_multiple_with_options(text, options()).map_err(reason)
}

fn options() -> serde_saphyr::Options {
    let mut options = serde_saphyr::options! {
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::LastWins,
        strict_booleans: true,
    };
    // A lockfile of a large monorepo has some hundred thousand nodes.
    options.budget = serde_saphyr::budget! {
        max_reader_input_bytes: Some(32 * 1024 * 1024),
        max_events: 6_000_000,
        max_nodes: 3_000_000,
        max_depth: 64,
    };
    options
}

/// The first line of an error: the library quotes the whole surrounding text below it.
fn reason(error: impl std::fmt::Display) -> String {
    let text = error.to_string();
    text.lines()
        .next()
        .unwrap_or_default()
        .chars()
        .take(300)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_numbers_are_what_tools_see() {
        let value = parse("on: push\non: {x: yes}\nnode: 22\nlts: lts/*\nv: '9.0'\n").unwrap();
        assert_eq!(
            value,
            serde_json::json!({ "on": { "x": "yes" }, "node": 22, "lts": "lts/*", "v": "9.0" })
        );
    }

    #[test]
    fn bombs_are_refused() {
        let deep = "[".repeat(10_000);
        assert!(parse(&deep).is_err());
        let bomb: String = (1..12)
            .map(|level| {
                let row = format!("*a{},", level - 1).repeat(10);
                format!("a{level}: &a{level} [{row}]\n")
            })
            .collect();
        let bomb = format!("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n{bomb}");
        assert!(parse(&bomb).is_err());
        assert!(parse("a: [1").is_err());
    }
}
