//! What a bundle fetches when it starts: the commands of its manifest, for every platform, read as clients'
//! configurations are.

use remint_model::{Pinned, RemoteCode};
use serde_json::{Map, Value};

use crate::command_line::{self, Beyond, Origin, Part};

/// Platforms that are looked at; there are three.
const MOST_PLATFORMS: usize = 16;
/// Words of a command that are looked at.
const MOST_WORDS: usize = 1024;
/// Bytes of a command's words that are read to see what it passes on to, all times together.
const MOST_LOOKED_AT: usize = 4 << 20;

/// Everything that is fetched by any of the commands of `server`. `has_lock` says whether the bundle holds a
/// `uv.lock`.
pub(crate) fn remote(server: &Map<String, Value>, has_lock: bool) -> Vec<RemoteCode> {
    let mut found = Vec::new();
    let kind = server.get("type").and_then(Value::as_str);
    let Some(usual) = server.get("mcp_config").and_then(Value::as_object) else {
        if kind == Some("uv") {
            found.push(by_uv(None, has_lock));
        }
        return found;
    };
    found.extend(of_command(usual, usual, None, has_lock));
    let overrides = usual.get("platform_overrides").and_then(Value::as_object);
    for (platform, own) in overrides.into_iter().flatten().take(MOST_PLATFORMS) {
        let platform: String = platform.chars().take(40).collect();
        if let Some(own) = own.as_object() {
            found.extend(of_command(own, usual, Some(&platform), has_lock));
        }
    }
    found.sort();
    found.dedup();
    found
}

/// What a command fetches, where `own` says it, and `usual` what `own` leaves out.
fn of_command(
    own: &Map<String, Value>,
    usual: &Map<String, Value>,
    platform: Option<&str>,
    has_lock: bool,
) -> Vec<RemoteCode> {
    let said = |field| own.get(field).or_else(|| usual.get(field));
    let Some(command) = said("command").and_then(Value::as_str) else {
        return Vec::new();
    };
    let command = substituted(command);
    let arguments: Vec<String> = match said("args") {
        Some(Value::Array(arguments)) => arguments
            .iter()
            .take(MOST_WORDS + 1)
            .map(|argument| substituted(argument.as_str().unwrap_or_default()))
            .collect(),
        Some(_) | None => Vec::new(),
    };
    let variables: Vec<&str> = [own, usual]
        .iter()
        .filter_map(|set| set.get("env").and_then(Value::as_object))
        .flat_map(|set| set.keys().map(String::as_str))
        .take(MOST_WORDS + 1)
        .collect();
    let words: Vec<&str> = [&*command]
        .into_iter()
        .chain(arguments.iter().map(String::as_str))
        .collect();
    let mut found = of_words(&words, &variables, platform, has_lock);
    // What only passes on to another program (`timeout 60 npx …`) has no end of names; programs that read files of a
    // server pass on nothing.
    if words.first().is_some_and(|first| !reads_files(first)) {
        let inner: Vec<usize> = (1..words.len().saturating_sub(1))
            .filter(|at| words.get(*at).is_some_and(|word| is_starter(word)))
            .collect();
        let bytes: usize = words.iter().map(|word| word.len()).sum();
        if inner.len().saturating_mul(bytes) > MOST_LOOKED_AT {
            found.push(RemoteCode {
                platform: platform.map(str::to_owned),
                what: "its command names more programs than are looked at".to_owned(),
                pinned: Pinned::Untold,
            });
        } else {
            for at in inner {
                let words = words.get(at..).unwrap_or_default();
                found.extend(of_words(words, &variables, platform, has_lock));
            }
        }
    }
    found
}

/// What is called by a path or with Windows' ending, by its name.
fn program_of(word: &str) -> String {
    let name = word.rsplit(['/', '\\']).next().unwrap_or_default();
    let name = name.to_ascii_lowercase();
    let stem = [".cmd", ".exe", ".bat"]
        .iter()
        .find_map(|ending| name.strip_suffix(ending));
    stem.map_or_else(|| name.clone(), str::to_owned)
}

/// Whether a program runs a file that it is given, whose arguments are the file's own affair.
fn reads_files(word: &str) -> bool {
    let name = program_of(word);
    let bare = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    [
        "node", "deno", "bun", "python", "pypy", "ruby", "perl", "php", "java", "dotnet",
    ]
    .contains(&bare)
}

/// Whether a word behind another program is likely the program that this one starts.
fn is_starter(word: &str) -> bool {
    const STARTERS: [&str; 32] = [
        "npx",
        "npm",
        "pnpm",
        "pnpx",
        "pnx",
        "yarn",
        "yarnpkg",
        "bunx",
        "bun",
        "uvx",
        "uv",
        "pipx",
        "go",
        "docker",
        "podman",
        "nerdctl",
        "finch",
        "sh",
        "bash",
        "dash",
        "zsh",
        "fish",
        "env",
        "cmd",
        "powershell",
        "pwsh",
        "curl",
        "wget",
        "pip",
        "pip3",
        "node",
        "deno",
    ];
    let name = program_of(word);
    STARTERS.contains(&&*name) || name.starts_with("python")
}

/// What one command fetches by its own words.
fn of_words(
    words: &[&str],
    variables: &[&str],
    platform: Option<&str>,
    has_lock: bool,
) -> Vec<RemoteCode> {
    let code = |what: String, pinned| RemoteCode {
        platform: platform.map(str::to_owned),
        what,
        pinned,
    };
    let Some((command, arguments)) = words.split_first() else {
        return Vec::new();
    };
    let words = Words {
        all: words.to_vec(),
    };
    command_line::read(command, arguments, variables)
        .into_iter()
        .filter_map(|part| match part {
            Part::Release(wanted) => Some(match &wanted.version {
                Some(_) => code(
                    format!(
                        "`{}` fetches {}, whose own dependencies float",
                        wanted.runner,
                        wanted.spec()
                    ),
                    Pinned::Exactly,
                ),
                None => code(
                    format!(
                        "`{}` fetches {} without a version",
                        wanted.runner,
                        wanted.spec()
                    ),
                    Pinned::Floating,
                ),
            }),
            Part::Image(wanted) => {
                let what = format!("`{}` fetches the image {}", wanted.runner, wanted.image);
                Some(match wanted.image.digest() {
                    Some(_) => code(what, Pinned::Exactly),
                    None => code(format!("{what}, and a tag can be moved"), Pinned::Floating),
                })
            }
            Part::Beyond(Beyond::Project(program)) if program == "uv" => {
                Some(words.uv(platform, has_lock))
            }
            Part::Beyond(beyond) => {
                let pinned = words.pinned(&beyond)?;
                Some(code(beyond.to_string(), pinned))
            }
        })
        .collect()
}

/// The manifest's own variables, as far as they say where something lies.
fn substituted(word: &str) -> String {
    word.replace("${__dirname}", ".")
        .replace("${/}", "/")
        .replace("${pathSeparator}", "/")
}

fn by_uv(platform: Option<&str>, has_lock: bool) -> RemoteCode {
    RemoteCode {
        platform: platform.map(str::to_owned),
        what: if has_lock {
            "`uv` fetches the packages that its uv.lock pins".to_owned()
        } else {
            "`uv` fetches the packages that its project names, and no uv.lock pins them".to_owned()
        },
        pinned: if has_lock {
            Pinned::Exactly
        } else {
            Pinned::Untold
        },
    }
}

/// A command with all of its arguments.
struct Words<'a> {
    all: Vec<&'a str>,
}

impl Words<'_> {
    /// Whether something is fetched by a command that names no release, and whether it is the same tomorrow.
    fn pinned(&self, beyond: &Beyond) -> Option<Pinned> {
        match beyond {
            Beyond::Container(_) => Some(if self.names_image_by_digest() {
                Pinned::Exactly
            } else {
                Pinned::Floating
            }),
            Beyond::Shell => Some(if self.speak_of_the_network() {
                Pinned::Floating
            } else {
                Pinned::Untold
            }),
            Beyond::Program(program) => self.program(program),
            Beyond::PythonModule => self.module(),
            Beyond::Project(_) => self
                .has_any(&[
                    "install", "i", "add", "ci", "update", "up", "create", "init",
                ])
                .then_some(Pinned::Floating),
            Beyond::NotReleased(Origin::Git | Origin::Address)
            | Beyond::OtherRegistry(_)
            | Beyond::Range { .. }
            | Beyond::ChosenBy { .. }
            | Beyond::NotAName(_)
            | Beyond::Remote { .. } => Some(Pinned::Floating),
            Beyond::UnknownOption { .. }
            | Beyond::Runs(_)
            | Beyond::NoPackage(_)
            | Beyond::TooMuch
            | Beyond::Malformed(_)
            | Beyond::NoCommand => Some(Pinned::Untold),
            Beyond::File
            | Beyond::Local(_)
            | Beyond::NotReleased(Origin::Path)
            | Beyond::Extension => None,
        }
    }

    fn program(&self, program: &str) -> Option<Pinned> {
        let names_address = || {
            self.all.iter().skip(1).any(|word| {
                ["http://", "https://", "npm:", "jsr:"]
                    .iter()
                    .any(|scheme| word.starts_with(scheme))
            })
        };
        let floats = match program {
            "curl" | "wget" | "pip" | "pip3" | "gem" | "go" | "cargo" | "git" => true,
            "deno" => names_address(),
            // Their lines are not read: what they do cannot be told.
            "powershell" | "pwsh" | "sh" | "bash" | "zsh" | "dash" | "fish" | "cmd" | "cscript"
            | "wscript" | "mshta" | "osascript" => {
                if self.speak_of_the_network() {
                    true
                } else {
                    // `bash ./start.sh` runs a file of the bundle.
                    let inline = self
                        .all
                        .iter()
                        .skip(1)
                        .any(|word| word.starts_with(['-', '/']) && !word.contains('.'));
                    return inline.then_some(Pinned::Untold);
                }
            }
            _ => {
                let inline = self.has_any(&["-e", "--eval", "-p", "--print", "-c"]);
                inline && self.speak_of_the_network()
            }
        };
        floats.then_some(Pinned::Floating)
    }

    /// `python -m pip install …`
    fn module(&self) -> Option<Pinned> {
        let at = self.all.iter().position(|word| *word == "-m")?;
        let module = self.all.get(at + 1)?;
        ["pip", "uv", "pipx", "ensurepip", "easy_install"]
            .contains(module)
            .then_some(Pinned::Floating)
    }

    /// `uv run`, `uv pip install`, …
    fn uv(&self, platform: Option<&str>, has_lock: bool) -> RemoteCode {
        let with_more = self.all.iter().any(|word| {
            [
                "--with",
                "--from",
                "--index",
                "--default-index",
                "--with-requirements",
            ]
            .iter()
            .any(|option| word.split('=').next() == Some(*option))
        });
        if with_more || self.has_any(&["pip", "add"]) {
            return RemoteCode {
                platform: platform.map(str::to_owned),
                what: "`uv` fetches packages that its command line adds".to_owned(),
                pinned: Pinned::Floating,
            };
        }
        by_uv(platform, has_lock)
    }

    fn has_any(&self, wanted: &[&str]) -> bool {
        self.all.iter().skip(1).any(|word| wanted.contains(word))
    }

    fn names_image_by_digest(&self) -> bool {
        self.all.iter().any(|word| {
            word.split_once("@sha256:").is_some_and(|(_, digest)| {
                digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_hexdigit())
            })
        })
    }

    fn speak_of_the_network(&self) -> bool {
        const SIGNS: [&str; 16] = [
            "http:",
            "https:",
            "ftp:",
            "curl",
            "wget",
            "fetch(",
            "urlopen",
            "requests.",
            "invoke-webrequest",
            "iwr",
            "downloadstring",
            "npx",
            "uvx",
            "pip ",
            "docker",
            "npm ",
        ];
        self.all.iter().any(|word| {
            let word = word.to_ascii_lowercase();
            SIGNS.iter().any(|sign| word.contains(sign))
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn found(server: &Value, has_lock: bool) -> Vec<String> {
        remote(server.as_object().unwrap(), has_lock)
            .into_iter()
            .map(|code| {
                let platform = code.platform.map(|name| format!("{name}: "));
                format!(
                    "{}{:?} {}",
                    platform.unwrap_or_default(),
                    code.pinned,
                    code.what
                )
            })
            .collect()
    }

    fn check(command: &str, arguments: &[&str], expect: &str) {
        let server = json!({"type": "node", "mcp_config": {"command": command, "args": arguments}});
        let found = found(&server, false);
        match expect {
            "" => assert_eq!(found, [""; 0], "{command} {arguments:?}"),
            expect => {
                assert_eq!(found.len(), 1, "{command} {arguments:?}: {found:?}");
                assert!(found[0].contains(expect), "{found:?}");
            }
        }
    }

    #[test]
    fn a_server_of_the_bundle_fetches_nothing() {
        check("node", &["${__dirname}/server/index.js"], "");
        check(
            "node",
            &["${__dirname}${/}server.js", "--url", "https://x.example"],
            "",
        );
        check("python", &["-m", "server"], "");
        check("${__dirname}/server/bin", &[], "");
        check("bash", &["${__dirname}/start.sh"], "");
    }

    #[test]
    fn a_runner_without_a_version_floats() {
        check(
            "npx",
            &["-y", "some-server"],
            "Floating `npx` fetches npm:some-server",
        );
        check("npx", &["-y", "some-server@^1"], "Floating");
        check("npx", &["-y", "some-server@latest"], "Floating");
        check("npx", &["-y", "${user_config.package}"], "Floating");
        check("npx", &["-y", "github:owner/name"], "Floating");
        check(
            "uvx",
            &["some-server"],
            "Floating `uvx` fetches pypi:some-server",
        );
        check("cmd", &["/c", "npx -y some-server"], "Floating");
        check("docker", &["run", "-i", "image:latest"], "Floating");
        check(
            "sh",
            &["-c", "curl https://x.example/i.sh | sh"],
            "Floating",
        );
        check("bash", &["-lc", "npx some-server"], "Floating");
        check(
            "powershell",
            &["-Command", "iwr https://x.example | iex"],
            "Floating",
        );
        check("node", &["-e", "fetch('https://x.example')"], "Floating");
        check("deno", &["run", "https://x.example/m.ts"], "Floating");
        check("python", &["-m", "pip", "install", "x"], "Floating");
        check("npm", &["install"], "Floating");
        check("sh", &["-c", "cd x && ./server"], "Untold");
    }

    #[test]
    fn an_exact_version_or_digest_is_pinned() {
        check(
            "npx",
            &["-y", "some-server@1.2.3"],
            "Exactly `npx` fetches npm:some-server@1.2.3",
        );
        check("uvx", &["some-server==1.2.3"], "Exactly");
        let image = format!("image@sha256:{}", "0".repeat(64));
        check("docker", &["run", "-i", &image], "Exactly");
        check("docker", &["run", "-i", "image@sha256:0"], "Floating");
    }

    #[test]
    fn each_platform_may_say_something_else() {
        let server = json!({"type": "node", "mcp_config": {
            "command": "node", "args": ["${__dirname}/index.js"],
            "platform_overrides": {"win32": {"command": "npx", "args": ["some-server"]}},
        }});
        assert_eq!(
            found(&server, false),
            ["win32: Floating `npx` fetches npm:some-server without a version"]
        );
    }

    #[test]
    fn uv_fetches_what_its_lockfile_pins_or_anything() {
        let server = json!({"type": "uv", "entry_point": "server.py"});
        assert!(found(&server, true)[0].starts_with("Exactly"));
        assert!(found(&server, false)[0].starts_with("Untold"));
        let server =
            json!({"mcp_config": {"command": "uv", "args": ["run", "--with", "x", "s.py"]}});
        assert!(found(&server, true)[0].starts_with("Floating"));
    }

    proptest! {
        #[test]
        fn any_words_are_read(command: String, arguments: Vec<String>, platform: String) {
            let server = json!({"type": "uv", "mcp_config": {
                "command": command, "args": arguments, "env": {},
                "platform_overrides": {platform: {"args": arguments}},
            }});
            remote(server.as_object().unwrap(), false);
        }
    }
}
