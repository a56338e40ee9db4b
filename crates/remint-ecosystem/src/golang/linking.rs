//! Which flags go's linker was given. A program that was built with `-trimpath` does not say (they could hold paths), but
//! it shows whether names for debuggers were left out and whether go's own build id was, and a release configuration in
//! the repository may state them.

use std::collections::BTreeMap;

use remint_model::{Assumption, AssumptionKind, EntryPath, GoBuildInfo};

use crate::golang::goreleaser::{Configuration, Fields};
use crate::golang::linker_flags::LinkerFlags;
use crate::request::PlanRequest;

/// Each is a build of its own.
const MOST: usize = 8;
/// Of the moments in a program, these may be when it was released.
const MOST_DATES: usize = 2;
/// A release is made within this many seconds of its commit, or its date is not looked for.
const LATEST: i64 = 400 * 24 * 60 * 60;
/// As git abbreviates in small repositories.
const SHORT: usize = 7;

/// One list of flags that may have been used.
#[derive(Debug, Clone)]
pub(super) struct Linking {
    pub(super) flags: LinkerFlags,
    /// For people.
    pub(super) words: String,
    pub(super) assumption: Assumption,
}

/// The lists of flags to try, the likeliest first; none where go's linker leaves no program in such a shape.
pub(super) fn choose(
    request: &PlanRequest<'_>,
    info: &GoBuildInfo,
    package: Option<&EntryPath>,
    configuration: &Result<Option<Configuration>, String>,
) -> Vec<Linking> {
    let mut open: Vec<String> = Vec::new();
    let mut found: Vec<(LinkerFlags, String)> = Vec::new();
    let stated = match configuration {
        Ok(Some(configuration)) => configuration.flags(package, &fields(request, info)),
        Ok(None) => Vec::new(),
        Err(error) => {
            open.push(error.clone());
            Vec::new()
        }
    };
    for stated in stated {
        let file = stated.file;
        let filled = match stated.flags {
            Ok(filled) => filled,
            Err(template) => {
                open.push(format!("`{file}` states flags with `{template}`"));
                continue;
            }
        };
        for filled in filled {
            match LinkerFlags::parse(&filled.text) {
                Ok(flags) if !shows(info, &flags) => open.push(format!(
                    "`{file}` states others, and it does not look as if it had had those"
                )),
                Ok(flags) => {
                    let date = match filled.date {
                        Some(date) => format!(", with the date {date} that the program holds"),
                        None => String::new(),
                    };
                    found.push((flags, format!("`{file}` states them{date}")));
                }
                Err(error) => open.push(format!("`{file}` states flags, of which {error}")),
            }
        }
    }
    if !found.is_empty() {
        open.push("with those that the source states it is another program".to_owned());
    }
    let why = match open.as_slice() {
        [] => "nothing in the source states any".to_owned(),
        open => open.join("; "),
    };
    found.extend(
        usual(info)
            .iter()
            .filter_map(|text| LinkerFlags::parse(text).ok())
            .filter(|flags| shows(info, flags))
            .map(|flags| (flags, why.clone())),
    );
    let mut all: Vec<Linking> = Vec::new();
    for (flags, from) in found {
        if all.len() >= MOST || all.iter().any(|known| known.flags == flags) {
            continue;
        }
        let value = if flags.is_empty() {
            "none".to_owned()
        } else {
            flags.to_string()
        };
        all.push(Linking {
            words: if flags.is_empty() {
                "no linker flags".to_owned()
            } else {
                format!("linker flags {value}")
            },
            flags,
            assumption: Assumption {
                kind: AssumptionKind::LinkerFlags,
                value,
                from: format!("the program does not say which it was linked with; {from}"),
            },
        });
    }
    all
}

/// The flags that people give by hand, as far as the program shows that it may have had them. Go's build id tells
/// `-s -w` from `-w -s`.
fn usual(info: &GoBuildInfo) -> &'static [&'static str] {
    match (info.debugging.dwarf, &info.build_id) {
        (true, Some(_)) => &[""],
        (true, None) => &["-buildid="],
        (false, Some(_)) if info.debugging.symbols => &["-w", "-s -w", "-s", "-w -s"],
        (false, Some(_)) => &["-s -w", "-w -s", "-s"],
        (false, None) => &["-s -w -buildid=", "-w -buildid="],
    }
}

/// Whether a program that was linked with these flags can look like this one. Mach-O files keep some symbols.
fn shows(info: &GoBuildInfo, flags: &LinkerFlags) -> bool {
    let is_mac = matches!(info.setting("GOOS"), Some("darwin" | "ios"));
    flags.strips() != info.debugging.dwarf
        && (is_mac || flags.strips_symbols() != info.debugging.symbols)
        && flags.set_build_id() == info.build_id.is_none()
}

/// What a release configuration may ask for and the source decides.
fn fields(request: &PlanRequest<'_>, info: &GoBuildInfo) -> Fields {
    let version = request.target.version.as_str();
    let plain = version.strip_prefix('v').unwrap_or(version);
    let commit = request.pin.commit.as_str();
    let mut values = BTreeMap::from([
        ("Version", plain.to_owned()),
        (
            "RawVersion",
            plain.split(['-', '+']).next().unwrap_or(plain).to_owned(),
        ),
        ("Commit", commit.to_owned()),
        ("FullCommit", commit.to_owned()),
        (
            "ShortCommit",
            commit.get(..SHORT).unwrap_or(commit).to_owned(),
        ),
        ("CommitTimestamp", request.pin.commit_time.to_string()),
        ("ModulePath", request.target.name.as_str().to_owned()),
        (
            "Prerelease",
            plain.split_once('-').map_or("", |(_, pre)| pre).to_owned(),
        ),
    ]);
    for (name, part) in ["Major", "Minor", "Patch"].into_iter().zip(
        plain
            .split(['-', '+'])
            .next()
            .unwrap_or_default()
            .split('.'),
    ) {
        values.insert(name, part.to_owned());
    }
    if let Some(tag) = &request.pin.reference {
        values.insert("Tag", tag.clone());
    }
    if let Ok(time) = jiff::Timestamp::from_second(request.pin.commit_time) {
        values.insert("CommitDate", time.to_string());
    }
    for (name, key) in [
        ("Os", "GOOS"),
        ("Arch", "GOARCH"),
        ("Amd64", "GOAMD64"),
        ("Arm", "GOARM"),
    ] {
        if let Some(value) = info.setting(key) {
            values.insert(name, value.to_owned());
        }
    }
    let committed = request.pin.commit_time;
    let dates = info
        .moments
        .iter()
        .filter(|moment| {
            moment.parse::<jiff::Timestamp>().is_ok_and(|time| {
                (committed..committed.saturating_add(LATEST)).contains(&time.as_second())
            })
        })
        .take(MOST_DATES)
        .cloned()
        .collect();
    Fields { values, dates }
}
