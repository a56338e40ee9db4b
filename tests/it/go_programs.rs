//! Programs of Go through the binary: built by the toolchain that remint fetched, honest and not. The module proxy and the
//! checksum database are the real ones.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::golang::{Files, digest, digest_of_go_mod, zip};
use crate::registry::Registry;
use crate::world::{Answer, World, commit};

const MODULE: &str = "github.com/acme/hours";
const SPEC: &str = "go:github.com/acme/hours@v1.0.0";
const FIXTURE: &str = "golang/hours";
const TAG: &str = "v1.0.0";
const GO: &str = "1.24.3";
/// What the fixture's commits are dated: 1780000000.
const DATE: &str = "2026-05-28T20:26:40Z";
/// The files of the module, picked by hand.
const FILES: [&str; 7] = [
    ".goreleaser.yaml",
    "LICENSE",
    "README.md",
    "cmd/hours/main.go",
    "go.mod",
    "go.sum",
    "internal/clock/clock.go",
];

/// A repository with a tagged module, and somebody who builds it.
struct Publisher {
    world: World,
    repository: PathBuf,
}

impl Publisher {
    fn new() -> Self {
        let world = World::new();
        let repository = world.repository(FIXTURE, &[], TAG);
        Self { world, repository }
    }

    /// A module whose only package is this, built by go as it is: little has to be compiled.
    fn of_little(main: &str) -> Self {
        let world = World::new();
        let changes = [
            ("go.mod", "module github.com/acme/hours\n\ngo 1.24\n"),
            ("go.sum", ""),
            ("cmd/hours/main.go", main),
            (".goreleaser.yaml", "builds: [{ldflags: ['']}]\n"),
        ];
        let repository = world.repository(FIXTURE, &changes, TAG);
        Self { world, repository }
    }

    /// What remint says of a program.
    fn verify(&self, program: &Path) -> Answer {
        self.world.verify(&[
            SPEC,
            "--artifact",
            program.to_str().unwrap(),
            "--source",
            self.repository.to_str().unwrap(),
        ])
    }

    fn head(&self) -> String {
        let repository = git2::Repository::open(&self.repository).unwrap();
        let head = repository.head().unwrap().peel_to_commit().unwrap();
        head.id().to_string()
    }

    /// Commits what lies in the work tree, and moves the tag there.
    fn release_again(&self) {
        let repository = git2::Repository::open(&self.repository).unwrap();
        let id = commit(&repository, "Release again");
        let object = repository.find_object(id, None).unwrap();
        repository.tag_lightweight(TAG, &object, true).unwrap();
    }

    /// Runs go as somebody would who has it.
    fn go(&self, arguments: &[&str], variables: &[(&str, &str)]) {
        let place = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let mut go = self.world.command_of(&toolchain().join("bin/go"));
        go.current_dir(&self.repository)
            .args(arguments)
            .env("GOENV", "off")
            .env("GOTOOLCHAIN", "local")
            .env("GOFLAGS", "-modcacherw")
            .env("CGO_ENABLED", "0")
            .env("GOPATH", place.join("go-path"))
            .env("GOCACHE", place.join("go-cache"))
            .env("GIT_CONFIG_COUNT", "1")
            .env("GIT_CONFIG_KEY_0", "safe.directory")
            .env("GIT_CONFIG_VALUE_0", "*")
            .envs(variables.iter().copied());
        let output = go.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
    }

    /// Builds the server in the work tree.
    fn build(&self, flags: &[&str]) -> PathBuf {
        self.build_with(flags, &[])
    }

    fn build_with(&self, flags: &[&str], variables: &[(&str, &str)]) -> PathBuf {
        let program = self.world.path().join("hours");
        let mut arguments = vec!["build", "-trimpath"];
        arguments.extend(flags);
        arguments.extend(["-o", program.to_str().unwrap(), "./cmd/hours"]);
        self.go(&arguments, variables);
        program
    }

    /// A file that says of itself what go writes, and is nothing else.
    fn stand_in(&self, lines: &[&str]) -> PathBuf {
        let program = self.world.path().join("stand-in");
        fs_err::write(&program, elf(&blob(lines))).unwrap();
        program
    }
}

/// The toolchain, as remint keeps it: fetched for the first program that says that it was built by it.
fn toolchain() -> &'static Path {
    static TOOLCHAIN: OnceLock<PathBuf> = OnceLock::new();
    TOOLCHAIN.get_or_init(|| {
        let publisher = Publisher::new();
        let answer = publisher.verify(&publisher.stand_in(&honest()));
        let tools = publisher.world.cache().join("v1/tools");
        let mut found: Vec<PathBuf> = fs_err::read_dir(tools)
            .unwrap_or_else(|error| panic!("{error}; {answer:?}"))
            .map(|entry| entry.unwrap().path())
            .filter(|path| {
                let name = path.file_name().unwrap().to_string_lossy();
                name.starts_with(&format!("go-{GO}-"))
            })
            .collect();
        let path = found.pop().unwrap_or_else(|| panic!("{answer:?}"));
        path.join("root")
    })
}

fn processor() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "build\tGOARCH=amd64",
        _ => "build\tGOARCH=arm64",
    }
}

/// What an honest program of the fixture says.
fn honest() -> Vec<&'static str> {
    vec![
        "path\tgithub.com/acme/hours/cmd/hours",
        "mod\tgithub.com/acme/hours\t(devel)\t",
        "build\t-trimpath=true",
        "build\tCGO_ENABLED=0",
        processor(),
        "build\tGOOS=linux",
    ]
}

/// The blob that go writes (`debug/buildinfo` of its standard library).
fn blob(lines: &[&str]) -> Vec<u8> {
    let text = format!("{}{}\n{}", "0".repeat(16), lines.join("\n"), "1".repeat(16));
    let mut blob = b"\xff Go buildinf:\x08\x02".to_vec();
    blob.resize(32, 0);
    for text in [format!("go{GO}"), text] {
        let length = u16::try_from(text.len()).unwrap();
        blob.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
        blob.push(u8::try_from(length >> 7).unwrap());
        blob.extend(text.as_bytes());
    }
    blob
}

/// An ELF file with a section for the blob and one for names.
fn elf(blob: &[u8]) -> Vec<u8> {
    const HEADER: u64 = 64;
    let names = b"\0.go.buildinfo\0.names\0";
    let size = |bytes: &[u8]| bytes.len() as u64;
    let sections = (HEADER + size(blob) + size(names)).next_multiple_of(8);
    let mut file = b"\x7fELF\x02\x01\x01".to_vec();
    file.resize(16, 0);
    for half in [2_u16, 62] {
        file.extend(half.to_le_bytes());
    }
    file.extend(1_u32.to_le_bytes());
    for word in [0, 0, sections] {
        file.extend(word.to_le_bytes());
    }
    file.extend(0_u32.to_le_bytes());
    for half in [64_u16, 56, 0, 64, 3, 2] {
        file.extend(half.to_le_bytes());
    }
    file.extend(blob);
    file.extend(names);
    file.resize(usize::try_from(sections).unwrap(), 0);
    for (name, kind, offset, length) in [
        (0_u32, 0_u32, 0, 0),
        (1, 1, HEADER, size(blob)),
        (15, 3, HEADER + size(blob), size(names)),
    ] {
        file.extend(name.to_le_bytes());
        file.extend(kind.to_le_bytes());
        // Flags, address, place, size; links to other sections; alignment, size of entries.
        for word in [3_u64, 0, offset, length, 0, 1, 0] {
            file.extend(word.to_le_bytes());
        }
    }
    file
}

#[test]
fn a_program_is_what_its_tag_builds_and_one_byte_more_is_not() {
    let publisher = Publisher::new();
    let commit = publisher.head();
    let flags = format!(
        "-ldflags=-s -w -X main.version=1.0.0 -X main.commit={} -X main.date={DATE}",
        commit.get(..7).unwrap()
    );
    let program = publisher.build(&[&flags]);
    let answer = publisher.verify(&program);
    assert_eq!(answer.outcome(), ("verified", "identical"), "{answer:?}");
    assert!(answer.findings().is_empty(), "{answer:?}");
    let target = answer.target();
    assert_eq!(
        target["target"],
        "pkg:golang/github.com/acme/hours@v1.0.0?file_name=hours"
    );
    assert_eq!(target["basis"], "rebuild");
    assert_eq!(target["source"]["commit"], commit.as_str());
    assert_eq!(target["program"]["go"], format!("go{GO}").as_str());
    assert_eq!(target["program"]["module"], MODULE);
    assert_eq!(target["program"]["version"], TAG);
    assert_eq!(target["program"]["settings"]["vcs.modified"], "false");
    assert_eq!(target["program"]["linked_otherwise"], false);
    let build = &target["build"];
    assert_eq!(build["toolchain"]["go"], GO);
    let fetched = build["fetched"].as_array().unwrap();
    assert!(
        fetched.iter().any(|file| {
            let url = file["url"].as_str().unwrap();
            url.ends_with("github.com/pkg/errors/@v/v0.9.1.zip")
        }),
        "{fetched:?}"
    );
    let assumed = &build["assumptions"][0];
    assert_eq!(assumed["kind"], "linker-flags");
    assert_eq!(assumed["value"], flags.strip_prefix("-ldflags=").unwrap());

    let mut bytes = fs_err::read(&program).unwrap();
    let at = bytes.len() / 4;
    bytes[at] ^= 1;
    fs_err::write(&program, bytes).unwrap();
    let answer = publisher.verify(&program);
    assert_eq!(answer.code, 1, "{answer:?}");
    assert_eq!(answer.outcome(), ("failed", "different"), "{answer:?}");
    assert_eq!(answer.differences(), [("program", "changed", "native")]);
    assert_eq!(answer.target()["program"]["linked_otherwise"], false);
}

#[test]
fn a_patched_program_is_not_excused_by_flags_that_it_was_not_linked_with() {
    let publisher = Publisher::new();
    // Not the first that are tried.
    let program = publisher.build(&["-ldflags=-w -s"]);
    let answer = publisher.verify(&program);
    assert_eq!(answer.outcome(), ("verified", "identical"), "{answer:?}");
    let mut bytes = fs_err::read(&program).unwrap();
    let at = bytes.len() / 4;
    bytes[at] ^= 1;
    fs_err::write(&program, bytes).unwrap();
    let answer = publisher.verify(&program);
    assert_eq!(answer.outcome(), ("failed", "different"), "{answer:?}");
    assert_eq!(answer.target()["program"]["linked_otherwise"], false);
}

#[test]
fn a_program_of_another_commit_says_so_and_differs() {
    let publisher = Publisher::new();
    let clock = publisher.repository.join("internal/clock/clock.go");
    let text = fs_err::read_to_string(&clock).unwrap();
    fs_err::write(&clock, text.replace("Hour()", "Minute()")).unwrap();
    let repository = git2::Repository::open(&publisher.repository).unwrap();
    commit(&repository, "Tell the minute");
    let answer = publisher.verify(&publisher.build(&[]));
    assert_eq!(answer.outcome(), ("failed", "different"), "{answer:?}");
    assert_eq!(answer.findings()["source-hints-disagree"], "medium");
    assert_eq!(answer.target()["source"]["ref"], TAG);
}

#[test]
fn what_was_not_committed_is_no_part_of_a_program_that_is_the_same() {
    let publisher = Publisher::new();
    // Nothing of the source is in the way of saying so again.
    fs_err::write(publisher.repository.join(".remint"), "a file\n").unwrap();
    publisher.release_again();
    fs_err::write(publisher.repository.join("notes.txt"), "not committed\n").unwrap();
    let answer = publisher.verify(&publisher.build(&[]));
    assert_eq!(answer.outcome(), ("verified", "identical"), "{answer:?}");
    assert_eq!(answer.target()["program"]["version"], "v1.0.0+dirty");
    let assumptions = answer.target()["build"]["assumptions"].as_array().unwrap();
    let kinds: Vec<_> = assumptions.iter().map(|made| &made["kind"]).collect();
    assert_eq!(kinds, ["linker-flags", "uncommitted-file"]);
    let notes = answer.target()["notes"].to_string();
    assert!(notes.contains("was not committed"), "{notes}");
}

#[test]
fn a_program_that_takes_machine_code_from_its_source_is_not_verified() {
    let publisher = Publisher::new();
    let place = |name: &str| publisher.repository.join("cmd/hours").join(name);
    let mut code = elf(&[0; 16]);
    // An object, for this processor.
    code[16] = 1;
    if std::env::consts::ARCH == "aarch64" {
        code[18] = 183;
    }
    // Go takes it for another system.
    fs_err::write(place("code_windows.syso"), &code).unwrap();
    publisher.release_again();
    let answer = publisher.verify(&publisher.build(&[]));
    assert_eq!(answer.outcome(), ("verified", "identical"), "{answer:?}");

    fs_err::write(place("code.syso"), &code).unwrap();
    publisher.release_again();
    let answer = publisher.verify(&publisher.build(&[]));
    assert_eq!(
        answer.outcome(),
        ("inconclusive", "identical"),
        "{answer:?}"
    );
    assert_eq!(answer.findings()["opaque-native-code"], "medium");
    let detail = answer.target()["detail"].as_str().unwrap();
    assert!(detail.contains("`cmd/hours/code.syso`"), "{detail}");
}

#[test]
fn an_installed_program_is_what_the_module_of_its_tag_makes() {
    let publisher = Publisher::new();
    let files: BTreeMap<String, Vec<u8>> = FILES
        .iter()
        .map(|path| {
            let content = fs_err::read(publisher.repository.join(path)).unwrap();
            ((*path).to_owned(), content)
        })
        .collect();
    let serve = |files: &BTreeMap<String, Vec<u8>>| {
        let below = format!("{MODULE}/@v/{TAG}");
        Registry::of_bytes(BTreeMap::from([
            (format!("{MODULE}/@v/list"), b"v1.0.0\n".to_vec()),
            (format!("{below}.info"), br#"{"Version":"v1.0.0"}"#.to_vec()),
            (format!("{below}.mod"), files["go.mod"].clone()),
            (
                format!("{below}.zip"),
                zip(&format!("{MODULE}@{TAG}"), files, 0),
            ),
        ]))
    };
    let install = |files: &BTreeMap<String, Vec<u8>>| {
        let registry = serve(files);
        let proxies = format!("{},https://proxy.golang.org", registry.url());
        let path = publisher.world.path().join("installed");
        drop(fs_err::remove_dir_all(&path));
        publisher.go(
            &[
                "install",
                "-trimpath",
                "github.com/acme/hours/cmd/hours@v1.0.0",
            ],
            &[
                ("GOPROXY", proxies.as_str()),
                ("GONOSUMDB", "github.com/acme/*"),
                ("GOPATH", path.to_str().unwrap()),
            ],
        );
        path.join("bin/hours")
    };
    let answer = publisher.verify(&install(&files));
    assert_eq!(answer.outcome(), ("verified", "identical"), "{answer:?}");
    let sum = answer.target()["program"]["sum"].as_str().unwrap();
    assert!(sum.starts_with("h1:"), "{sum}");

    let mut others = files.clone();
    let clock = others.get_mut("internal/clock/clock.go").unwrap();
    clock.extend(b"\nfunc init() {}\n");
    let answer = publisher.verify(&install(&others));
    assert_eq!(answer.outcome(), ("failed", "different"), "{answer:?}");
}

/// A program of Windows with something behind it that has the shape of a signature (PE format, "The Attribute Certificate
/// Table").
fn with_certificate(mut program: Vec<u8>) -> Vec<u8> {
    let at = |program: &[u8], at: usize| {
        let number = u32::from_le_bytes(*program[at..].first_chunk().unwrap());
        usize::try_from(number).unwrap()
    };
    let optional = at(&program, 0x3c) + 24;
    assert_eq!(program[optional..optional + 2], [0x0b, 2]);
    program.resize(program.len().next_multiple_of(8), 0);
    let start = u32::try_from(program.len()).unwrap();
    let entry = optional + 112 + 32;
    program[entry..entry + 4].copy_from_slice(&start.to_le_bytes());
    program[entry + 4..entry + 8].copy_from_slice(&32_u32.to_le_bytes());
    program[optional + 64] ^= 1;
    program.extend([9; 32]);
    program
}

#[test]
fn a_program_that_was_only_signed_is_neither_verified_nor_accused() {
    let publisher = Publisher::of_little("package main\n\nfunc main() { println(24) }\n");
    let windows = [("GOOS", "windows"), ("GOARCH", "amd64")];
    let program = publisher.build_with(&[], &windows);
    let signed = with_certificate(fs_err::read(&program).unwrap());
    fs_err::write(&program, signed).unwrap();
    let answer = publisher.verify(&program);
    assert_eq!(answer.code, 3, "{answer:?}");
    let open = ("inconclusive", "inconclusive");
    assert_eq!(answer.outcome(), open, "{answer:?}");
    assert_eq!(answer.target()["reason"], "unsupported");
    let detail = answer.target()["detail"].as_str().unwrap();
    assert!(detail.contains("signature (Authenticode)"), "{detail}");
}

#[test]
fn a_program_of_which_another_compiler_may_have_made_a_part_is_not_accused() {
    let publisher = Publisher::of_little(
        "package main\n\n// int hours(void) { return 24; }\nimport \"C\"\n\nfunc main() { println(C.hours()) }\n",
    );
    let program = publisher.build_with(&[], &[("CGO_ENABLED", "1")]);
    let mut bytes = fs_err::read(&program).unwrap();
    let at = bytes.len() / 4;
    bytes[at] ^= 1;
    fs_err::write(&program, bytes).unwrap();
    let answer = publisher.verify(&program);
    assert_eq!(answer.code, 3, "{answer:?}");
    let open = ("inconclusive", "inconclusive");
    assert_eq!(answer.outcome(), open, "{answer:?}");
    assert_eq!(answer.target()["reason"], "unsupported");
    let detail = answer.target()["detail"].as_str().unwrap();
    assert!(detail.contains("machine's compiler for C"), "{detail}");
}

#[test]
fn a_module_zip_that_readers_may_take_for_two_is_refused() {
    const PATH: &str = "github.com/pkg/errors";
    let top = format!("{PATH}@v0.9.1");
    let honest = Files::from([
        ("errors.go".to_owned(), b"package errors\n".to_vec()),
        ("go.mod".to_owned(), format!("module {PATH}\n").into_bytes()),
    ]);
    let mut evil = honest.clone();
    evil.insert("errors.go".to_owned(), b"package evil\n".to_vec());
    let sums = format!(
        "{PATH} v0.9.1 {}\n{PATH} v0.9.1/go.mod {}\n",
        digest(&top, &honest),
        digest_of_go_mod(&honest)
    );
    let world = World::new();
    let hooks = "before: {hooks: [./assets.sh]}\n";
    let changes = [("go.sum", &*sums), (".goreleaser.yaml", hooks)];
    let repository = world.repository(FIXTURE, &changes, TAG);
    let publisher = Publisher { world, repository };
    let refused = |zip: Vec<u8>| {
        let below = format!("{PATH}/@v/v0.9.1");
        let registry = Registry::of_bytes(BTreeMap::from([
            (format!("{below}.mod"), honest["go.mod"].clone()),
            (format!("{below}.zip"), zip),
        ]));
        let settings = publisher.world.path().join(".config/go");
        fs_err::create_dir_all(&settings).unwrap();
        let proxies = format!("GOPROXY={},https://proxy.golang.org\n", registry.url());
        fs_err::write(settings.join("env"), proxies).unwrap();
        let answer = publisher.verify(&publisher.stand_in(&self::honest()));
        assert_eq!(answer.code, 3, "{answer:?}");
        let detail = answer.target()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains("v0.9.1.zip"), "{detail}");
        assert!(detail.contains("its digest is h1:"), "{detail}");
        assert!(detail.contains("declared with h1:"), "{detail}");
        // What else was not done is told beside it.
        let notes = answer.target()["notes"].to_string();
        assert!(notes.contains("without `./assets.sh`"), "{notes}");
    };
    // One behind the other: the last counts.
    refused([zip(&top, &honest, 0), zip(&top, &evil, 0)].concat());
    // One name for two files.
    let mut both = honest.clone();
    both.insert("errorz.go".to_owned(), b"package evil\n".to_vec());
    let mut twice = zip(&top, &both, 0);
    while let Some(at) = twice.windows(9).position(|name| name == b"errorz.go") {
        twice[at..at + 9].copy_from_slice(b"errors.go");
    }
    refused(twice);
}

#[test]
fn what_is_not_built_again_is_told() {
    let publisher = Publisher::new();
    let refused = |lines: &[&str], words: &str| {
        let answer = publisher.verify(&publisher.stand_in(lines));
        assert_eq!(answer.code, 3, "{answer:?}");
        let target = answer.target();
        assert_eq!(target["reason"], "unsupported", "{answer:?}");
        let detail = target["detail"].as_str().unwrap();
        assert!(detail.contains(words), "{detail}");
        assert!(target["build"].is_null(), "{answer:?}");
    };
    let with = |line: &'static str| {
        let mut lines = honest();
        lines.push(line);
        lines
    };
    let mut without = honest();
    without.retain(|line| !line.contains("trimpath"));
    refused(&without, "without `-trimpath`");
    refused(&with("build\t-toolexec=/tmp/x"), "`-toolexec=/tmp/x`");
    refused(&with("build\t-tags=a -toolexec=x"), "`-tags=a -toolexec=x`");
    refused(&with("build\t-buildmode=c-shared"), "c-shared");
    let elsewhere: Vec<&str> = honest()
        .into_iter()
        .map(|line| match line {
            "build\tCGO_ENABLED=0" => "build\tCGO_ENABLED=1",
            "build\tGOOS=linux" => "build\tGOOS=windows",
            line => line,
        })
        .collect();
    refused(&elsewhere, "with cgo for another system");
    let mut elsewhere = honest();
    elsewhere[0] = "path\tgithub.com/acme/hours/cmd/other";
    refused(&elsewhere, "no package");

    let mut others = honest();
    others[0] = "path\tgithub.com/acme/others";
    others[1] = "mod\tgithub.com/acme/others\tv1.0.0\t";
    let answer = publisher.verify(&publisher.stand_in(&others));
    assert_eq!(answer.code, 1, "{answer:?}");
    assert_eq!(answer.findings()["identity-mismatch"], "high", "{answer:?}");

    let none = publisher.world.path().join("none");
    fs_err::write(&none, elf(b"nothing that go writes")).unwrap();
    let answer = publisher.verify(&none);
    assert_eq!(answer.target()["reason"], "malformed", "{answer:?}");
}
