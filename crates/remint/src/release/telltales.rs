//! Where in the source the cause of a difference may be: words that such causes are made of. A hint, and no more.

use remint_model::EntryPath;

use super::conditions::Condition;
use super::diagnosis::Cause;

/// Larger files are no scripts.
pub(super) const LARGEST: u64 = 512 << 10;
/// How many places are told.
const TOLD: usize = 3;

/// A line of a committed file.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Place {
    /// The file, from the repository's root.
    pub(crate) path: String,
    /// Counted from 1.
    pub(crate) line: usize,
}

/// Whether a file may decide what a build writes.
pub(super) fn is_code(path: &EntryPath) -> bool {
    let name = path.file_name();
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    let known = matches!(
        ending,
        "js" | "mjs" | "cjs" | "jsx" | "ts" | "mts" | "cts" | "tsx" | "py" | "sh" | "bash" | "mk"
    ) || matches!(name, "package.json" | "Makefile" | "justfile" | "setup.py");
    let folders = path.as_str().split('/');
    let is_beside = |folder: &str| {
        matches!(
            folder,
            "test" | "tests" | "__tests__" | "docs" | "examples" | "node_modules" | ".github"
        )
    };
    known && !folders.into_iter().any(is_beside) && !name.contains(".test.")
}

/// The likeliest places for this cause of a difference in `differing`, likeliest first.
pub(super) fn places<'f>(
    cause: Cause,
    differing: &EntryPath,
    files: impl IntoIterator<Item = (&'f EntryPath, &'f str)>,
) -> Vec<Place> {
    let words = words(cause);
    let mut found: Vec<(i32, Place)> = Vec::new();
    for (path, text) in files {
        let Some(line) = text
            .lines()
            .position(|line| !is_import(line) && words.iter().any(|word| contains(line, word)))
        else {
            continue;
        };
        found.push((
            -likelihood(path, text, differing),
            Place {
                path: path.to_string(),
                line: line + 1,
            },
        ));
    }
    found.sort_by(|(one, a), (other, b)| (one, &a.path).cmp(&(other, &b.path)));
    found
        .into_iter()
        .map(|(_, place)| place)
        .take(TOLD)
        .collect()
}

/// What is only named here is used elsewhere.
fn is_import(line: &str) -> bool {
    let line = line.trim_start();
    ["import ", "from ", "//", "# ", "* ", "/*"]
        .iter()
        .any(|begin| line.starts_with(begin))
}

/// A word as such: not the end of another one.
fn contains(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let begins_with_a_part = word.starts_with(is_part);
    line.match_indices(word).any(|(at, _)| {
        let before = line.get(..at).unwrap_or_default();
        !begins_with_a_part || !before.ends_with(is_part)
    })
}

/// A file that names what differs, then one that is made for building, then any.
fn likelihood(path: &EntryPath, text: &str, differing: &EntryPath) -> i32 {
    let name = differing.file_name();
    let stem = name.split('.').next().unwrap_or(name);
    let own = path.file_name();
    let is_named = |text: &str| text.contains(name) || (stem.len() > 3 && text.contains(stem));
    let named = i32::from(is_named(text) || is_named(own));
    let builds = path
        .as_str()
        .split('/')
        .any(|part| matches!(part, "scripts" | "script" | "tools" | "build" | "bin"))
        || own.contains("build")
        || own.contains(".config.")
        || matches!(own, "setup.py" | "package.json" | "Makefile" | "justfile");
    4 * named + 2 * i32::from(builds)
}

const fn words(cause: Cause) -> &'static [&'static str] {
    match cause {
        Cause::Chance => &[
            "Math.random(",
            "randomUUID(",
            "randomBytes(",
            "getRandomValues(",
            "nanoid(",
            "uuid4(",
            "uuid1(",
            "random.",
            "secrets.token",
            "os.urandom(",
            "mkdtemp",
            "Promise.all(",
        ],
        Cause::Condition(Condition::Clock) => &[
            "Date.now(",
            "new Date()",
            "new Date;",
            "datetime.now(",
            "datetime.utcnow(",
            "date.today(",
            "time.time(",
            "time.time_ns(",
            "time.strftime(",
            "time.ctime(",
            "$(date",
            "`date",
        ],
        Cause::Condition(Condition::BuildPath) => &[
            "process.cwd(",
            "__dirname",
            "__filename",
            "import.meta.dirname",
            "import.meta.filename",
            "import.meta.url",
            "path.resolve(",
            "os.getcwd(",
            "Path.cwd(",
            ".resolve(",
            "os.path.abspath(",
            "__file__",
            "$PWD",
            "$(pwd)",
        ],
        Cause::Condition(Condition::DirectoryOrder) => &[
            "os.listdir(",
            "os.scandir(",
            "os.walk(",
            ".iterdir(",
            ".rglob(",
            ".glob(",
            "glob(",
            "opendir(",
            "opendirSync(",
            "find ",
        ],
        Cause::Condition(Condition::User) => &[
            "userInfo(",
            "homedir(",
            "getuid(",
            "getpass.getuser(",
            "os.getlogin(",
            "expanduser(",
            "Path.home(",
            "process.env.USER",
            "process.env.HOME",
            "process.env.LOGNAME",
            "environ[\"USER\"]",
            "environ[\"HOME\"]",
            "environ.get(\"USER\"",
            "environ.get(\"HOME\"",
            "$USER",
            "$HOME",
            "whoami",
            "id -u",
        ],
        Cause::Condition(Condition::HostName) => &[
            "os.hostname(",
            "hostname(",
            "gethostname(",
            "platform.node(",
            "uname",
            "$HOSTNAME",
            "hostname",
        ],
        Cause::Condition(Condition::Locale) => &[
            "toLocale",
            "localeCompare(",
            "Intl.",
            "setlocale(",
            "getlocale(",
            "$LANG",
            "process.env.LANG",
            "sort ",
        ],
        Cause::Condition(Condition::TimeZone) => &[
            "getTimezoneOffset(",
            "toLocale",
            "toDateString(",
            "toTimeString(",
            "getHours(",
            "getDate(",
            "getDay(",
            "localtime(",
            "fromtimestamp(",
            "astimezone(",
            "strftime(",
            "$TZ",
        ],
        Cause::Condition(Condition::Processors) => &[
            "os.cpus(",
            "cpus(",
            "availableParallelism(",
            "cpu_count(",
            "sched_getaffinity(",
            "nproc",
        ],
        Cause::Condition(Condition::Umask) => &[
            "umask(",
            ".mode",
            "st_mode",
            "statSync(",
            "os.stat(",
            "chmod",
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> EntryPath {
        text.parse().unwrap()
    }

    fn found(cause: Cause, differing: &str, files: &[(&str, &str)]) -> Vec<String> {
        let files: Vec<_> = files
            .iter()
            .map(|(name, text)| (path(name), *text))
            .collect();
        places(
            cause,
            &path(differing),
            files.iter().map(|(path, text)| (path, *text)),
        )
        .into_iter()
        .map(|place| format!("{}:{}", place.path, place.line))
        .collect()
    }

    #[test]
    fn the_script_that_names_the_file_comes_first() {
        let files = [
            ("src/index.ts", "const a = 1;\nlog(Date.now());\n"),
            (
                "scripts/stamp.mjs",
                "import fs from 'fs';\n\nconst built = new Date();\nfs.writeFileSync('dist/build-info.js', built);\n",
            ),
            ("scripts/other.mjs", "Date.now();\n"),
            ("src/plain.ts", "nothing\n"),
        ];
        assert_eq!(
            found(
                Cause::Condition(Condition::Clock),
                "dist/build-info.js",
                &files
            ),
            [
                "scripts/stamp.mjs:3",
                "scripts/other.mjs:1",
                "src/index.ts:2"
            ]
        );
        assert!(found(Cause::Chance, "dist/build-info.js", &files).is_empty());
    }

    #[test]
    fn words_are_found_as_such() {
        assert!(contains("x = Date.now()", "Date.now("));
        assert!(!contains("x = MyDate.now()", "Date.now("));
        assert!(contains("echo $(date +%F)", "$(date"));
        assert!(!contains("", "Date.now("));
    }

    #[test]
    fn what_does_not_build_is_passed_over() {
        for (name, expected) in [
            ("scripts/a.mjs", true),
            ("package.json", true),
            ("tests/a.py", false),
            ("src/a.test.ts", false),
            ("README.md", false),
            ("logo.png", false),
        ] {
            assert_eq!(is_code(&path(name)), expected, "{name}");
        }
    }
}
