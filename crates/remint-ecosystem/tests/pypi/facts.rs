//! Published metadata held against the source's manifest: honest projects agree, tampered ones do not.

use remint_model::{Dependency, DependencyKind, InstallHook};

use crate::project::Project;

/// What the published file promises beyond its source.
fn undeclared(project: &Project) -> (Vec<Dependency>, Vec<InstallHook>) {
    let (published, source) = (project.published_facts(), project.source_facts());
    (
        published
            .dependencies
            .difference(&source.dependencies)
            .cloned()
            .collect(),
        published.hooks.difference(&source.hooks).cloned().collect(),
    )
}

fn check(files: &[(&str, &str)], metadata: &str) {
    let metadata = format!("Metadata-Version: 2.4\nName: x\nVersion: 1.2.3\n{metadata}");
    let project = Project::new(files).with_entry("x-1.2.3.dist-info/METADATA", &metadata);
    assert_eq!(undeclared(&project), (Vec::new(), Vec::new()), "{files:?}");
    let planted = Project::new(files).with_entry(
        "x-1.2.3.dist-info/METADATA",
        &metadata.replace(
            "Version: 1.2.3\n",
            "Version: 1.2.3\nRequires-Dist: planted>=1\n",
        ),
    );
    let (dependencies, _) = undeclared(&planted);
    assert_eq!(
        dependencies,
        [Dependency {
            kind: DependencyKind::Runtime,
            name: "planted".to_owned(),
            requirement: ">=1".to_owned(),
        }]
    );
    let dynamic = project.source_facts().dynamic_dependencies;
    assert!(!dynamic, "{files:?}");
}

#[test]
fn what_backends_write_equals_what_the_source_says() {
    // hatchling
    check(
        &[(
            "pyproject.toml",
            "[project]\nname='x'\nversion='1.2.3'\ndependencies=['mcp>=1.0,<2','Requests']\n[project.optional-dependencies]\ndev_tools=['pytest>=8; python_version<\"3.13\"']\nall=['x[dev_tools]','rich']\n[dependency-groups]\nlint=['ruff']",
        )],
        "Requires-Dist: mcp<2,>=1.0\nRequires-Dist: requests\nProvides-Extra: all\nRequires-Dist: pytest>=8; (python_version < '3.13') and extra == 'all'\nRequires-Dist: rich; extra == 'all'\nProvides-Extra: dev-tools\nRequires-Dist: pytest>=8; (python_version < '3.13') and extra == 'dev-tools'\n",
    );
    // setuptools, from pyproject.toml and from setup.cfg
    check(
        &[
            (
                "pyproject.toml",
                "[project]\nname='x'\nversion='1.2.3'\ndynamic=['dependencies']\n[tool.setuptools.dynamic]\ndependencies={file=['requirements.txt']}",
            ),
            (
                "requirements.txt",
                "# runtime\nmcp>=1.0  # protocol\n\nrequests\n",
            ),
        ],
        "Requires-Dist: mcp>=1.0\nRequires-Dist: requests\nDynamic: requires-dist\n",
    );
    check(
        &[
            (
                "setup.cfg",
                "[metadata]\nname=x\nversion=1.2.3\n[options]\ninstall_requires=\n  mcp>=1.0\n[options.extras_require]\ndev=\n  pytest\n",
            ),
            ("setup.py", "from setuptools import setup\nsetup()\n"),
        ],
        "Requires-Dist: mcp>=1.0\nRequires-Dist: pytest; extra == \"dev\"\n",
    );
    check(
        &[(
            "setup.py",
            "from setuptools import setup\nREQUIRES = ['mcp>=1.0']\nsetup(name='x', version='1.2.3', install_requires=REQUIRES, extras_require={'dev': ['pytest']})",
        )],
        "Requires-Dist: mcp>=1.0\nRequires-Dist: pytest; extra == \"dev\"\n",
    );
    // hatchling with a metadata hook
    check(
        &[(
            "pyproject.toml",
            "[project]\nname='x'\ndynamic=['version','dependencies']\n[tool.hatch.metadata.hooks.uv-dynamic-versioning]\ndependencies=['mcp>=1.0']",
        )],
        "Requires-Dist: mcp>=1.0\n",
    );
    // poetry-core
    check(
        &[(
            "pyproject.toml",
            "[tool.poetry]\nname='x'\nversion='1.2.3'\n[tool.poetry.dependencies]\npython='^3.10'\nmcp='^1.2'\nrich={version='*',optional=true}\n[tool.poetry.extras]\ncli=['rich']\n[tool.poetry.group.dev.dependencies]\npytest='*'",
        )],
        "Requires-Dist: mcp (>=1.2,<2.0)\nRequires-Dist: rich ; extra == \"cli\"\n",
    );
    // flit's own table
    check(
        &[(
            "pyproject.toml",
            "[tool.flit.metadata]\nmodule='x'\nrequires=['mcp>=1']\n[tool.flit.metadata.requires-extra]\ntest=['pytest']",
        )],
        "Requires-Dist: mcp>=1\nRequires-Dist: pytest ; extra == \"test\"\n",
    );
}

#[test]
fn dependencies_left_to_code_are_called_dynamic() {
    for files in [
        &[("setup.py", "setup(name='x', install_requires=read())")][..],
        &[(
            "pyproject.toml",
            "[project]\nname='x'\nversion='1'\ndynamic=['dependencies']\n[tool.hatch.metadata.hooks.custom]",
        )],
        &[(
            "pyproject.toml",
            "[project]\nname='x'\nversion='1'\ndynamic=['dependencies']\n[tool.setuptools.dynamic]\ndependencies={file='../outside.txt'}",
        )],
        &[(
            "pyproject.toml",
            "[tool.poetry]\nname='x'\nversion='1'\n[tool.poetry.dependencies]\ny={path='../y'}",
        )],
    ] {
        assert!(
            Project::new(files).source_facts().dynamic_dependencies,
            "{files:?}"
        );
    }
}

#[test]
fn start_up_files_that_the_source_has_not_are_hooks() {
    let manifest = ("pyproject.toml", "[project]\nname='x'\nversion='1.2.3'");
    let metadata = "Name: x\nVersion: 1.2.3\n";
    let hooks = |files: &[(&str, &str)], entry: &str| {
        let project = Project::new(files)
            .with_entry("x-1.2.3.dist-info/METADATA", metadata)
            .with_entry(entry, "import os\n");
        undeclared(&project).1.len()
    };
    for entry in [
        "x.pth",
        "x.PTH",
        "sitecustomize.py",
        "sitecustomize.cpython-312-x86_64-linux-gnu.so",
        "usercustomize/__init__.py",
        "x-1.2.3.data/purelib/x.pth",
        "x-1.2.3.data/data/lib/python3.12/site-packages/x.pth",
    ] {
        assert_eq!(hooks(&[manifest], entry), 1, "{entry}");
    }
    for entry in [
        "x/__init__.py",
        "x/data/x.pth",
        "x/sitecustomize.py",
        "x-1.2.3.data/scripts/x.pth",
    ] {
        assert_eq!(hooks(&[manifest], entry), 0, "{entry}");
    }
    assert_eq!(hooks(&[manifest, ("src/x.pth", "import os\n")], "x.pth"), 0);
}

#[test]
fn a_source_archive_runs_its_backend() {
    let manifest = "[project]\nname='x'\nversion='1.2.3'\n[build-system]\nrequires=['setuptools']\nbuild-backend='setuptools.build_meta'\n";
    let hooks = |published: &str, entry: &str| {
        let project = Project::new(&[("pyproject.toml", manifest)])
            .with_entry("PKG-INFO", "Name: x\nVersion: 1.2.3\n")
            .with_entry("pyproject.toml", published)
            .with_entry(entry, "");
        undeclared(&project)
            .1
            .into_iter()
            .map(|hook| format!("{}: {}", hook.name, hook.command))
            .collect::<Vec<_>>()
    };
    assert_eq!(hooks(manifest, "x.py"), Vec::<String>::new());
    assert_eq!(hooks(manifest, "setup.py"), ["setup.py: setup.py"]);
    assert_eq!(
        hooks(
            &manifest.replace("['setuptools']", "['setuptools', 'evil']"),
            "x.py"
        ),
        ["build-requires: evil *"]
    );
    assert_eq!(
        hooks(&format!("{manifest}backend-path=['.']\n"), "x.py"),
        ["build-backend: setuptools.build_meta in ."]
    );
}

#[test]
fn published_metadata_that_cannot_be_read_is_no_empty_promise() {
    use remint_ecosystem::MetadataError;
    use remint_model::Ecosystem;

    let facts =
        |project: &Project| remint_ecosystem::published_facts(Ecosystem::Pypi, &project.survey);
    assert!(matches!(
        facts(&Project::new(&[])),
        Err(MetadataError::Missing(_))
    ));
    let broken = Project::new(&[]).with_entry("x-1.2.3.dist-info/METADATA", "no metadata");
    assert!(matches!(
        facts(&broken),
        Err(MetadataError::Malformed { .. })
    ));
}
