#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use remint_ecosystem::manifest_identity;
use remint_fuzz::{Project, Text};
use remint_model::Ecosystem;
use serde_json::json;

/// A manifest as it may be anywhere, or one whose values are strange.
#[derive(Debug, Arbitrary)]
enum Input {
    Bytes(Vec<u8>),
    Json(Text),
    Project {
        scripts: Vec<(Script, Text)>,
        version: Text,
        range: Text,
        manager: Text,
        files: Vec<Text>,
        workspaces: Vec<Text>,
        settings: Vec<(Setting, Text)>,
        folder: Option<Text>,
        stamp: Option<Text>,
        build_path: Text,
    },
}

#[derive(Debug, Clone, Copy, Arbitrary)]
enum Script {
    Build,
    Prepare,
    Prepack,
    PrepublishOnly,
    Install,
    Other,
}

#[derive(Debug, Clone, Copy, Arbitrary)]
enum Setting {
    Npmrc,
    Nvmrc,
    NodeVersion,
    ToolVersions,
    PnpmWorkspace,
    Yarnrc,
    YarnrcYml,
    Bunfig,
    Tsconfig,
    TsconfigBase,
    Npmignore,
}

impl Script {
    fn name(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Prepare => "prepare",
            Self::Prepack => "prepack",
            Self::PrepublishOnly => "prepublishOnly",
            Self::Install => "install",
            Self::Other => "x",
        }
    }
}

impl Setting {
    fn file(self) -> &'static str {
        match self {
            Self::Npmrc => ".npmrc",
            Self::Nvmrc => ".nvmrc",
            Self::NodeVersion => ".node-version",
            Self::ToolVersions => ".tool-versions",
            Self::PnpmWorkspace => "pnpm-workspace.yaml",
            Self::Yarnrc => ".yarnrc",
            Self::YarnrcYml => ".yarnrc.yml",
            Self::Bunfig => "bunfig.toml",
            Self::Tsconfig => "tsconfig.json",
            Self::TsconfigBase => "tsconfig.base.json",
            Self::Npmignore => ".npmignore",
        }
    }
}

const WORDS: &[&str] = &[
    "npm run ",
    "npm publish",
    "npm version ",
    "pnpm ",
    "-r ",
    "yarn ",
    "bun ",
    "tsc",
    " -p ",
    "tsconfig.json",
    "npx ",
    " && ",
    " || ",
    "; ",
    "\n",
    "cd ",
    "../",
    "./",
    "dist",
    "build",
    "x",
    "'",
    "\"",
    "$(",
    ")",
    "${",
    "}",
    "`",
    "--prefix ",
    "--workspace ",
    "--filter ",
    "-w ",
    "rm -rf ",
    "node -e ",
    "1.2.3",
    "^20",
    ">=18 <21",
    " || ",
    "npm@10.0.0",
    "pnpm@9.0.0+sha512.",
    "yarn@4.1.0",
    "*",
    "**",
    "!",
    "[",
    "]",
    "{",
    ",",
    ":",
    "#",
    "\"extends\":",
    "\"compilerOptions\":{",
    "\"outDir\":",
    "\"noEmit\":true",
    "packages:\n",
    "- ",
    "catalog:\n",
    "nodeLinker: ",
    "[install]\n",
    "registry=",
    "//x.invalid/:_authToken=",
    "workspace:",
    "catalog:",
    "file:",
    "\"name\":",
    "\"version\":",
    "\"repository\":",
    "\"url\":",
    "\"directory\":",
    "\"bin\":",
    "\"publishConfig\":",
    "\"dependencies\":{",
    "\"optionalDependencies\":{",
    "\"bundleDependencies\":",
    "true",
    "null",
    "\"0.0.0\"",
];

fn read(bytes: &[u8]) {
    let path = "package.json".parse().expect("a path");
    let _ = manifest_identity(Ecosystem::Npm, &path, bytes);
    let text = String::from_utf8_lossy(bytes);
    Project::new(&[("package.json", &text)])
        .publishing("package.json", &text)
        .plans(Ecosystem::Npm);
}

fuzz_target!(|input: Input| {
    match input {
        Input::Bytes(bytes) => read(&bytes),
        Input::Json(text) => read(text.spelled(WORDS).as_bytes()),
        Input::Project {
            scripts,
            version,
            range,
            manager,
            files,
            workspaces,
            settings,
            folder,
            stamp,
            build_path,
        } => {
            let spelled = |texts: &[Text]| -> Vec<String> {
                texts.iter().map(|text| text.spelled(WORDS)).collect()
            };
            let scripts: serde_json::Map<_, _> = scripts
                .iter()
                .map(|(script, text)| (script.name().to_owned(), text.spelled(WORDS).into()))
                .collect();
            let manifest = json!({
                "name": "x",
                "version": version.spelled(WORDS),
                "packageManager": manager.spelled(WORDS),
                "engines": {"node": range.spelled(WORDS)},
                "dependencies": {"a": range.spelled(WORDS), "y": "workspace:*"},
                "files": spelled(&files),
                "scripts": scripts,
                "workspaces": if folder.is_none() { spelled(&workspaces) } else { Vec::new() },
            })
            .to_string();
            let root = json!({"workspaces": spelled(&workspaces), "scripts": scripts}).to_string();
            let settings: Vec<(&str, String)> = settings
                .iter()
                .map(|(setting, text)| (setting.file(), text.spelled(WORDS)))
                .collect();
            let folder = folder.map(|folder| folder.spelled(WORDS));
            let place = folder.as_deref().map_or_else(
                || "package.json".to_owned(),
                |folder| format!("{folder}/package.json"),
            );
            let mut all: Vec<(&str, &str)> = vec![("package.json", &root), (&place, &manifest)];
            all.push((
                "p/y/package.json",
                r#"{"name":"y","version":"1.0.0","scripts":{"build":"tsc"}}"#,
            ));
            all.extend(settings.iter().map(|(file, text)| (*file, text.as_str())));
            let mut project = Project::new(&all)
                .publishing("dist/index.js", "made")
                .publishing("package.json", &manifest)
                .built_at(build_path.spelled(WORDS));
            if let Some(folder) = &folder {
                project = project.at(folder);
            }
            if let Some(stamp) = stamp {
                project = project.stamped(Some(stamp.spelled(WORDS)));
            }
            project.plans(Ecosystem::Npm);
        }
    }
});
