//! The version of the tool in a wheel's WHEEL file. The tool's name stays.

use super::{File, Normaliser, Subject, WHEELS};

pub(super) const NORMALISER: Normaliser = Normaliser {
    id: "wheel-generator",
    version: 1,
    hides: "the version in the `Generator:` line of WHEEL",
    formats: WHEELS,
    subject: Subject::Content(normalise),
};

fn normalise(file: &File<'_>) -> Option<Vec<u8>> {
    let is_wheel_file = matches!(
        file.path.as_str().split_once('/'),
        Some((directory, "WHEEL")) if directory.ends_with(".dist-info")
    );
    if !is_wheel_file {
        return None;
    }
    let text = std::str::from_utf8(file.content).ok()?;
    let mut generators = 0;
    let lines: Vec<String> = text
        .split('\n')
        .map(
            |line| match line.strip_prefix("Generator: ").and_then(tool) {
                Some(tool) => {
                    generators += 1;
                    format!("Generator: {tool}")
                }
                None => line.to_owned(),
            },
        )
        .collect();
    (generators == 1).then(|| lines.join("\n").into_bytes())
}

/// The name in `name version` or `name (version)`.
fn tool(value: &str) -> Option<&str> {
    let (name, version) = value.split_once(' ')?;
    let version = version
        .strip_prefix('(')
        .and_then(|version| version.strip_suffix(')'))
        .unwrap_or(version);
    let plain = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.+!".contains(&byte))
    };
    (plain(name) && plain(version) && version.starts_with(|c: char| c.is_ascii_digit()))
        .then_some(name)
}
