#![no_main]

use libfuzzer_sys::fuzz_target;
use remint_fuzz::Text;
use remint_model::{
    CommitId, Ecosystem, EntryPath, FileName, Integrity, PackageName, RepositoryUrl, Sha256,
    Sha512, Spec, Target, Version,
};

/// What names of packages, files and repositories are made of.
const WORDS: &[&str] = &[
    "pkg:",
    "npm:",
    "pypi:",
    "npm",
    "pypi",
    "@",
    "/",
    "==",
    "%40",
    "%2F",
    "..",
    "./",
    "?file_name=",
    "name",
    "1.2.3",
    ".tar.gz",
    ".whl",
    "https://",
    "git+ssh://",
    "git@",
    "github.com",
    "gitlab.com",
    ":",
    ".git",
    "#",
    "/-/",
    "/tree/main/",
    "sha512-",
    "sha256-",
    "AAAA",
    "=",
    " ",
    "-",
    "_",
    "[::1]",
];

/// What is accepted is written in a form that is accepted as the same again.
macro_rules! stays {
    ($kind:ty, $text:expr) => {
        if let Ok(value) = $text.parse::<$kind>() {
            assert_eq!(value.to_string().parse::<$kind>().as_ref(), Ok(&value));
        }
    };
}

fuzz_target!(|input: Text| {
    let text = input.spelled(WORDS);
    stays!(Sha256, text);
    stays!(Sha512, text);
    stays!(CommitId, text);
    stays!(Integrity, text);
    stays!(EntryPath, text);
    stays!(Version, text);
    stays!(FileName, text);
    stays!(RepositoryUrl, text);
    if let Ok(path) = text.parse::<EntryPath>() {
        assert!(
            path.as_str()
                .split('/')
                .all(|part| !matches!(part, "" | "." | ".."))
        );
    }
    for ecosystem in Ecosystem::ALL.iter().copied() {
        if let Ok(name) = PackageName::parse(ecosystem, &text) {
            assert_eq!(PackageName::parse(ecosystem, name.as_str()), Ok(name));
        }
    }
    let Ok(spec) = text.parse::<Spec>() else {
        return;
    };
    let Spec::Release {
        ecosystem,
        name,
        version: Some(version),
        file,
    } = spec
    else {
        return;
    };
    let target = Target {
        ecosystem,
        name,
        version,
        file,
    };
    // A target is what its package URL says.
    let meant = Spec::Release {
        ecosystem,
        name: target.name.clone(),
        version: Some(target.version.clone()),
        file: target.file.clone(),
    };
    assert_eq!(target.purl().parse::<Spec>(), Ok(meant));
});
