//! What a program says about the settings of its build, as arguments and variables of a rebuild. It is a stranger's
//! text: each setting is known here and has one of the values that go gives it, or there is no rebuild.

use std::collections::BTreeMap;

use remint_model::GoBuildInfo;

/// The settings of a build that can be made again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Settings {
    /// The toolchain's version, without `go`: `1.26.8`.
    pub(super) toolchain: String,
    /// Flags of `go build`, but for those of the linker and the tool that stamps.
    pub(super) flags: Vec<String>,
    /// Variables.
    pub(super) environment: BTreeMap<String, String>,
    /// Whether a compiler for C took part.
    pub(super) cgo: bool,
    /// What version control said, where it was asked.
    pub(super) stamp: Option<Stamp>,
    /// The profile that the compiler was given.
    pub(super) profile: bool,
}

/// What version control said of the work tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp {
    /// Whether something in it was not committed.
    pub(super) modified: bool,
}

/// Reads the settings.
///
/// # Errors
/// Why such a program cannot be made again, for people.
pub(super) fn read(info: &GoBuildInfo) -> Result<Settings, String> {
    let mut settings = Settings::default();
    settings.toolchain(&info.go_version)?;
    let mut system = None;
    for (key, value) in &info.settings {
        let refused = || {
            Err(format!(
                "it was built with `{}`, which is not done here",
                shown(&format!("{key}={value}"))
            ))
        };
        let variable = |settings: &mut Settings| {
            settings.environment.insert(key.clone(), value.clone());
        };
        match key.as_str() {
            "-buildmode" => match value.as_str() {
                // What go writes where nothing is said; a link that is told so has another build id.
                "exe" => {}
                "pie" => settings.flags.push("-buildmode=pie".to_owned()),
                _ => return refused(),
            },
            "-compiler" if value == "gc" => {}
            "-trimpath" if value == "true" => settings.flags.push("-trimpath".to_owned()),
            "-tags" if is_list(value, b"._") => settings.flags.push(format!("-tags={value}")),
            "-gcflags" if are_compiler_flags(value) => {
                settings.flags.push(format!("-gcflags={value}"));
            }
            // The file of this name beside the main package is taken without being asked for.
            "-pgo" if value == "default.pgo" => settings.profile = true,
            // Written down where `-trimpath` is not given; such programs are turned away below.
            "-ldflags" | "CGO_CFLAGS" | "CGO_CPPFLAGS" | "CGO_CXXFLAGS" | "CGO_LDFLAGS" => {}
            // Follows from `go.mod` and from comments in the main package.
            "DefaultGODEBUG" => {}
            "CGO_ENABLED" if matches!(value.as_str(), "0" | "1") => {
                settings.cgo = value == "1";
                variable(&mut settings);
            }
            "GOOS" | "GOARCH" if is_word(value) => {
                if key == "GOOS" {
                    system = Some(value.as_str());
                }
                variable(&mut settings);
            }
            "GOAMD64" | "GOARM" | "GOARM64" | "GO386" | "GOMIPS" | "GOMIPS64" | "GOPPC64"
            | "GORISCV64" | "GOWASM" | "GOEXPERIMENT"
                if is_list(value, b".") =>
            {
                variable(&mut settings);
            }
            "GOFIPS140" if matches!(value.as_str(), "off" | "latest") => variable(&mut settings),
            "vcs" if value == "git" => {
                settings.stamp.get_or_insert(Stamp { modified: false });
            }
            "vcs.revision" | "vcs.time" => {}
            "vcs.modified" => match value.as_str() {
                "false" => {}
                "true" => settings.stamp = Some(Stamp { modified: true }),
                _ => return refused(),
            },
            _ => return refused(),
        }
    }
    if info.setting("-trimpath") != Some("true") {
        return Err(
            "it was built without `-trimpath`, so the paths of the machine that built it are in it: what is made elsewhere differs"
                .to_owned(),
        );
    }
    if system.is_none() || !settings.environment.contains_key("GOARCH") {
        return Err("it does not say for which system and processor it was built".to_owned());
    }
    if !settings.environment.contains_key("CGO_ENABLED") {
        return Err("it does not say whether it was built with cgo".to_owned());
    }
    if settings.stamp.is_some() && info.setting("vcs") != Some("git") {
        return Err("it does not say which version control was asked".to_owned());
    }
    Ok(settings)
}

impl Settings {
    /// What decides which code is compiled, and how, and stands in no file of the source.
    pub(super) fn chosen(&self) -> Vec<String> {
        let flags = self
            .flags
            .iter()
            .filter(|flag| flag.starts_with("-tags=") || flag.starts_with("-gcflags="));
        let experiments = self
            .environment
            .get("GOEXPERIMENT")
            .map(|list| format!("GOEXPERIMENT={list}"));
        flags.cloned().chain(experiments).collect()
    }

    /// `go1.26.8`, perhaps with experiments behind it: `go1.26.8 X:nodwarf5`. What is no release has no module.
    fn toolchain(&mut self, text: &str) -> Result<(), String> {
        let unknown = || {
            format!(
                "it was built by `{}`, which is no released toolchain",
                shown(text)
            )
        };
        let (version, experiments) = match text.split_once(" X:") {
            Some((version, experiments)) => (version, Some(experiments)),
            None => (text, None),
        };
        let number = version.strip_prefix("go").ok_or_else(unknown)?;
        if !is_release(number) || experiments.is_some_and(|list| !is_list(list, b"")) {
            return Err(unknown());
        }
        number.clone_into(&mut self.toolchain);
        if let Some(experiments) = experiments {
            self.environment
                .insert("GOEXPERIMENT".to_owned(), experiments.to_owned());
        }
        Ok(())
    }
}

/// `1.26.8`, `1.21rc3` (`cmd/go/internal/gover`).
fn is_release(number: &str) -> bool {
    let digits = number
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(number.len());
    let (release, pre) = number.split_at(digits);
    let parts: Vec<&str> = release.split('.').collect();
    let is_number =
        |text: &str| matches!(text.len(), 1..=4) && text.bytes().all(|b| b.is_ascii_digit());
    let pre = pre.strip_prefix("rc").or_else(|| pre.strip_prefix("beta"));
    let ends_well = digits == number.len() || pre.is_some_and(is_number);
    matches!(parts.len(), 2 | 3) && parts.into_iter().all(is_number) && ends_well
}

fn is_word(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 32
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}

/// Words with commas between them, of letters, digits and these.
fn is_list(text: &str, more: &[u8]) -> bool {
    !text.is_empty()
        && text.len() <= 1024
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b',' || more.contains(&b))
}

/// Flags of the compiler that read and write nothing and leave no check out: less optimisation.
fn are_compiler_flags(text: &str) -> bool {
    let flags = text.strip_prefix("all=").unwrap_or(text);
    flags.split(' ').all(|flag| matches!(flag, "-N" | "-l"))
}

/// The beginning of a stranger's text.
fn shown(text: &str) -> String {
    text.chars().take(120).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn info(settings: &[(&str, &str)]) -> GoBuildInfo {
        let usual = [
            ("-trimpath", "true"),
            ("CGO_ENABLED", "0"),
            ("GOARCH", "amd64"),
            ("GOOS", "linux"),
        ];
        let own = settings.iter().map(|(key, _)| *key);
        let own: Vec<&str> = own.collect();
        GoBuildInfo {
            go_version: "go1.26.8".to_owned(),
            settings: usual
                .iter()
                .filter(|(key, _)| !own.contains(key))
                .chain(settings)
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
            ..GoBuildInfo::default()
        }
    }

    #[test]
    fn the_settings_of_usual_builds_are_made_again() {
        let read = read(&info(&[
            ("-buildmode", "exe"),
            ("-compiler", "gc"),
            ("-tags", "netgo,osusergo"),
            ("GOAMD64", "v1"),
            ("vcs", "git"),
            ("vcs.revision", "9c2b0ed02d2b7a2c4a2bd3a41c77cd8d4d9d1c3f"),
            ("vcs.time", "2026-05-28T20:26:40Z"),
            ("vcs.modified", "true"),
        ]))
        .unwrap();
        assert_eq!(read.toolchain, "1.26.8");
        assert_eq!(read.flags, ["-trimpath", "-tags=netgo,osusergo"]);
        assert_eq!(read.environment["GOAMD64"], "v1");
        assert_eq!(read.stamp, Some(Stamp { modified: true }));
        assert!(!read.cgo);
    }

    #[test]
    fn what_is_not_known_is_not_left_out() {
        for (key, value) in [
            ("-toolexec", "/tmp/x"),
            ("-overlay", "x.json"),
            ("-modfile", "x.mod"),
            ("-buildmode", "c-shared"),
            ("-compiler", "gccgo"),
            ("-trimpath", "false"),
            ("-tags", "a b"),
            ("-tags", "a,-toolexec=x"),
            ("-tags", ""),
            ("-gcflags", "all=-trimpath=/home"),
            ("-gcflags", "-B"),
            ("-asmflags", "-I/tmp"),
            ("-race", "true"),
            ("-pgo", "/tmp/x.pgo"),
            ("CGO_ENABLED", "yes"),
            ("GOOS", "linux;x"),
            ("GOARCH", "../x"),
            ("GOAMD64", "v1 -x"),
            ("GOFIPS140", "v1.0.0"),
            ("GOFLAGS", "-toolexec=x"),
            ("vcs", "hg"),
            ("vcs.modified", "perhaps"),
        ] {
            let error = read(&info(&[(key, value)])).unwrap_err();
            assert!(error.contains(key) || error.contains("trimpath"), "{error}");
        }
        let mut without = info(&[]);
        without.settings.retain(|(key, _)| key != "-trimpath");
        assert!(read(&without).unwrap_err().contains("without `-trimpath`"));
    }

    #[test]
    fn only_released_toolchains_are_asked_for() {
        let check = |text: &str, expect: Option<&str>| {
            let info = GoBuildInfo {
                go_version: text.to_owned(),
                ..info(&[])
            };
            let found = read(&info).ok().map(|settings| settings.toolchain);
            assert_eq!(found.as_deref(), expect, "{text}");
        };
        check("go1.26.8", Some("1.26.8"));
        check("go1.18", Some("1.18"));
        check("go1.21rc3", Some("1.21rc3"));
        check("go1.26.8 X:nodwarf5,jsonv2", Some("1.26.8"));
        for text in [
            "",
            "1.26.8",
            "go",
            "go1",
            "go1.26.8-custom",
            "go1.26.8 X:a b",
            "go1.26.8.linux-amd64",
            "devel go1.27-abcdef",
            "go1.26.8/../x",
            "go1..8",
        ] {
            check(text, None);
        }
    }

    proptest! {
        #[test]
        fn arguments_hold_nothing_but_what_is_known(
            key in prop::sample::select(vec![
                "-tags", "-gcflags", "-buildmode", "GOOS", "GOEXPERIMENT", "-ldflags", "x",
            ]),
            value in "[ -~]{0,20}",
            version in "go[0-9.rcXbeta: ]{0,12}",
        ) {
            let mut info = info(&[(key, &value)]);
            if let Ok(settings) = read(&info) {
                for flag in &settings.flags {
                    let known = ["-trimpath", "-buildmode=pie", "-tags=", "-gcflags="];
                    prop_assert!(known.iter().any(|known| flag.starts_with(known)));
                }
            }
            info.go_version = version;
            if let Ok(settings) = read(&info) {
                prop_assert!(!settings.toolchain.contains([' ', '/', ':']));
            }
        }
    }
}
