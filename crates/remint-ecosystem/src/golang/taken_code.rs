//! Which machine code go links into a program as it finds it, told by the names of files (`goodOSArchFile` of
//! `go/build`; `cmd/go/internal/work`, `security.go`).

use std::collections::BTreeMap;

/// Names that go has always known in file names. A newer one says nothing to older toolchains, which then take the file.
const SYSTEMS: [&str; 13] = [
    "aix",
    "android",
    "darwin",
    "dragonfly",
    "freebsd",
    "illumos",
    "ios",
    "js",
    "linux",
    "netbsd",
    "openbsd",
    "plan9",
    "solaris",
];
const WINDOWS: &str = "windows";
const PROCESSORS: [&str; 11] = [
    "386", "amd64", "arm", "arm64", "mips", "mips64", "mips64le", "mipsle", "ppc64", "ppc64le",
    "s390x",
];
/// Builds for the first take files for the second, too.
const ALIKE: [(&str, &str); 3] = [
    ("android", "linux"),
    ("illumos", "solaris"),
    ("ios", "darwin"),
];
/// What a comment in a source can have the linker of C take.
const FOR_C: [&str; 8] = ["a", "dll", "dylib", "lib", "o", "obj", "so", "tbd"];

/// What a build takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenCode {
    system: String,
    processor: String,
    cgo: bool,
}

impl TakenCode {
    /// By the variables of the build.
    #[must_use]
    pub fn new(environment: &BTreeMap<String, String>) -> Self {
        let of = |key: &str| environment.get(key).cloned().unwrap_or_default();
        Self {
            system: of("GOOS"),
            processor: of("GOARCH"),
            cgo: of("CGO_ENABLED") != "0",
        }
    }

    /// Whether this file would be linked in if its package were.
    #[must_use]
    pub fn has(&self, path: &str) -> bool {
        let name = path.rsplit('/').next().unwrap_or(path);
        // Sources can name it wherever it lies, also as `libx.so.1`.
        let is_for_c = || {
            name.split('.')
                .skip(1)
                .any(|part| FOR_C.contains(&&*part.to_ascii_lowercase()))
        };
        if self.cgo && is_for_c() {
            return true;
        }
        // Folders that `...` passes over, such as `testdata`, can be imported by their names.
        name.ends_with(".syso") && !name.starts_with(['.', '_']) && self.is_for(name)
    }

    /// Whether the ending of a name, such as `_windows_amd64`, lets the file be taken.
    fn is_for(&self, name: &str) -> bool {
        let stem = name.split('.').next().unwrap_or(name);
        let Some((_, stem)) = stem.split_once('_') else {
            return true;
        };
        let mut words: Vec<&str> = stem.split('_').collect();
        if words.last() == Some(&"test") {
            words.pop();
        }
        let is_system = |word: &str| word == WINDOWS || SYSTEMS.contains(&word);
        let is_processor = |word: &str| PROCESSORS.contains(&word);
        match words.as_slice() {
            [.., system, processor] if is_system(system) && is_processor(processor) => {
                self.is(system) && self.is(processor)
            }
            [.., word] if is_system(word) || is_processor(word) => self.is(word),
            _ => true,
        }
    }

    fn is(&self, word: &str) -> bool {
        word == self.system
            || word == self.processor
            || ALIKE.contains(&(self.system.as_str(), word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machine_code_is_taken_by_its_name() {
        let check = |system: &str, cgo: &str, path: &str, expect: bool| {
            let environment = [("GOOS", system), ("GOARCH", "amd64"), ("CGO_ENABLED", cgo)]
                .map(|(key, value)| (key.to_owned(), value.to_owned()));
            let taken = TakenCode::new(&BTreeMap::from(environment));
            assert_eq!(taken.has(path), expect, "{system} {cgo} {path}");
        };
        for path in [
            "x.syso",
            "cmd/x/evil_linux_amd64.syso",
            "cmd/x/evil_amd64.syso",
            "evil_linux.syso",
            // Nothing stands before the system.
            "linux.syso",
            "windows.syso",
            "evil_wasip1.syso",
            "evil_windows_x.syso",
            "testdata/x.syso",
        ] {
            check("linux", "0", path, true);
        }
        for path in [
            "rsrc_windows_amd64.syso",
            "rsrc_windows.syso",
            "evil_arm64.syso",
            "evil_linux_arm64.syso",
            "_x.syso",
            ".x.syso",
            "x.go",
            "x.syso.txt",
            "lib/x.a",
        ] {
            check("linux", "0", path, false);
        }
        check("windows", "0", "rsrc_windows_amd64.syso", true);
        check("android", "0", "evil_linux.syso", true);
        for path in ["lib/x.a", "testdata/x.o", "libx.so.1", "x.DLL"] {
            check("linux", "1", path, true);
            check("linux", "0", path, false);
        }
        check("linux", "1", "x/also.go", false);
    }
}
