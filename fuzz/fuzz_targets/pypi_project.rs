#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use remint_ecosystem::pypi::locate::{
    metadata_claims, plain_requirements, version_files, version_in_file,
};
use remint_ecosystem::{manifest_identity, same_version};
use remint_fuzz::{Project, Text};
use remint_model::{Ecosystem, EntryPath};

#[derive(Debug, Arbitrary)]
struct Input {
    pyproject: Option<Text>,
    setup_cfg: Option<Text>,
    setup_py: Option<Text>,
    other: Vec<(Other, Text)>,
    metadata: Text,
    wheel: Text,
    bytes: Vec<u8>,
    subdirectory: bool,
    stamp: Option<Option<Text>>,
}

#[derive(Debug, Clone, Copy, Arbitrary)]
enum Other {
    Version,
    Init,
    Makefile,
    ManifestIn,
    Requirements,
    UvLock,
    PoetryLock,
    PythonVersion,
    PackageJson,
}

impl Other {
    fn file(self) -> &'static str {
        match self {
            Self::Version => "VERSION",
            Self::Init => "src/x/__init__.py",
            Self::Makefile => "Makefile",
            Self::ManifestIn => "MANIFEST.in",
            Self::Requirements => "requirements.txt",
            Self::UvLock => "uv.lock",
            Self::PoetryLock => "poetry.lock",
            Self::PythonVersion => ".python-version",
            Self::PackageJson => "package.json",
        }
    }
}

const WORDS: &[&str] = &[
    "[project]\n",
    "[build-system]\n",
    "[tool.poetry]\n",
    "[tool.poetry.dependencies]\n",
    "[tool.poetry.extras]\n",
    "[tool.hatch.version]\n",
    "[tool.setuptools.dynamic]\n",
    "[tool.setuptools.packages.find]\n",
    "[tool.flit.metadata]\n",
    "[tool.pdm.version]\n",
    "[metadata]\n",
    "[options]\n",
    "[options.extras_require]\n",
    "[project.optional-dependencies]\n",
    "name = ",
    "version = ",
    "dynamic = ",
    "requires = ",
    "dependencies = ",
    "build-backend = ",
    "requires-python = ",
    "install_requires = ",
    "path = ",
    "source = ",
    "where = ",
    "attr: ",
    "file: ",
    "\n    ",
    "\n",
    "'",
    "\"",
    "\"\"\"",
    "[",
    "]",
    "{",
    "}",
    "(",
    ")",
    ",",
    ":",
    ";",
    "=",
    "#",
    "\\",
    "x",
    "x.__version__",
    "1.2.3",
    "^1.2",
    "~1",
    ">=1,<2",
    "!=1.*",
    "~=1.4",
    " @ https://x.invalid/x.whl",
    " @ git+https://x.invalid/x",
    "; python_version < '3.11'",
    "; extra == 'a'",
    " and ",
    " or ",
    "not in ",
    "[extra]",
    "setup(",
    "__version__ = ",
    "import ",
    "def ",
    "f'",
    "b'",
    "Metadata-Version: 2.1\n",
    "Name: x\n",
    "Version: 1.2.3\n",
    "Requires-Dist: ",
    "Provides-Extra: ",
    "Requires-Python: ",
    "Project-URL: Source, ",
    "Home-page: ",
    "https://github.com/o/n",
    "Wheel-Version: 1.0\n",
    "Generator: ",
    "hatchling 1.27.0\n",
    "setuptools",
    "poetry-core",
    "flit_core",
    "Tag: py3-none-any\n",
    "../",
    "src/",
    "all:\n\t",
    "python -m build",
    "npm run build",
    "-r other.txt",
    "--index-url ",
    "-e .",
];

fn read(file: &str, content: &[u8]) {
    let path: EntryPath = file.parse().expect("a path");
    let _ = manifest_identity(Ecosystem::Pypi, &path, content);
    for file in version_files(&path, content) {
        assert!(!file.as_str().split('/').any(|part| part == ".."));
    }
    let _ = version_in_file(content);
    let _ = metadata_claims(content);
}

fuzz_target!(|input: Input| {
    let text = |text: &Text| text.spelled(WORDS);
    for file in ["pyproject.toml", "setup.cfg", "setup.py"] {
        read(file, &input.bytes);
    }
    let mut files: Vec<(String, String)> = Vec::new();
    let folder = if input.subdirectory { "p/" } else { "" };
    for (name, content) in [
        ("pyproject.toml", &input.pyproject),
        ("setup.cfg", &input.setup_cfg),
        ("setup.py", &input.setup_py),
    ] {
        if let Some(content) = content {
            let content = text(content);
            read(name, content.as_bytes());
            files.push((format!("{folder}{name}"), content));
        }
    }
    for (other, content) in &input.other {
        let content = text(content);
        read("setup.py", content.as_bytes());
        files.push((format!("{folder}{}", other.file()), content));
    }
    let metadata = text(&input.metadata);
    if let Ok(requirements) = plain_requirements(&metadata) {
        for requirement in requirements {
            assert!(
                !requirement.contains('\n') && !requirement.starts_with('-'),
                "{requirement}"
            );
        }
    }
    assert!(same_version(Ecosystem::Pypi, &metadata, &metadata));
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    let mut project = Project::new(&files)
        .publishing("x-1.2.3.dist-info/METADATA", &metadata)
        .publishing("x-1.2.3.dist-info/WHEEL", &text(&input.wheel));
    if input.subdirectory {
        project = project.at("p");
    }
    if let Some(stamp) = &input.stamp {
        project = project.stamped(stamp.as_ref().map(text));
    }
    project.plans(Ecosystem::Pypi);
});
