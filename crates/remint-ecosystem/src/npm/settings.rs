//! Settings of package managers in the repository, filtered for the install: what only lays out `node_modules` or
//! resolves peers stays; registries, credentials, proxies, hooks and programs to run go.

use remint_model::{Edit, EntryPath};
use serde_json::Value;

use crate::npm::folder::Folder;
use crate::npm::manager::Manager;
use crate::npm::project::Project;
use crate::yaml;

/// Keys of `.npmrc` that may stay, in the spelling with dashes.
const NPMRC: [&str; 34] = [
    "auto-install-peers",
    "dedupe-injected-deps",
    "dedupe-peer-dependents",
    "embed-readme",
    "force",
    "global-style",
    "hoist",
    "hoist-pattern",
    "hoist-workspace-packages",
    "ignore-scripts",
    "ignore-workspace-root-check",
    "include",
    "include-workspace-root",
    "inject-workspace-packages",
    "install-links",
    "install-strategy",
    "legacy-bundling",
    "legacy-peer-deps",
    "link-workspace-packages",
    "lockfile",
    "node-linker",
    "omit",
    "optional",
    "pack-gzip-level",
    "package-import-method",
    "package-lock",
    "prefer-dedupe",
    "prefer-workspace-packages",
    "public-hoist-pattern",
    "resolution-mode",
    "resolve-peers-from-workspace-root",
    "shamefully-hoist",
    "shared-workspace-lockfile",
    "strict-peer-deps",
];

/// More of them, prefixes of a family.
const NPMRC_FAMILIES: [&str; 3] = ["save-", "strict-peer-dep", "hoist-"];

/// Top-level keys of `pnpm-workspace.yaml` that must go.
const PNPM_WORKSPACE: [&str; 37] = [
    "<<",
    "auditConfig",
    "ca",
    "cacheDir",
    "cafile",
    "cert",
    "configDependencies",
    "dlxCacheMaxAge",
    "executionEnv",
    "fetchRetries",
    "gitBranchLockfile",
    "gitShallowHosts",
    "globalPnpmfile",
    "httpProxy",
    "httpsProxy",
    "ignorePnpmfile",
    "key",
    "localAddress",
    "managePackageManagerVersions",
    "minimumReleaseAge",
    "namedRegistries",
    "noproxy",
    "nodeOptions",
    "npmPath",
    "pmOnFail",
    "pnpmfile",
    "proxy",
    "registries",
    "registry",
    "scriptShell",
    "stateDir",
    "storeDir",
    "strictSsl",
    "trustPolicy",
    "updateConfig",
    "useNodeVersion",
    "verifyDepsBeforeRun",
];

/// Top-level keys of `.yarnrc.yml` that may stay.
const YARNRC: [&str; 19] = [
    "catalog",
    "catalogs",
    "compressionLevel",
    "defaultProtocol",
    "defaultSemverRangePrefix",
    "enableTransparentWorkspaces",
    "nmHoistingLimits",
    "nmMode",
    "nmSelfReferences",
    "nodeLinker",
    "packageExtensions",
    "pnpEnableEsmLoader",
    "pnpEnableInlining",
    "pnpFallbackMode",
    "pnpIgnorePatterns",
    "pnpMode",
    "pnpShebang",
    "preferAggregateCacheInfo",
    "supportedArchitectures",
];

/// The edits that this manager's settings need.
pub(crate) fn edits(project: &Project<'_>, manager: Manager) -> Vec<Edit> {
    let mut folders = vec![&project.root];
    if project.is_member() {
        folders.push(&project.folder);
    }
    let mut edits = Vec::new();
    for folder in folders {
        edits.extend(edit(project, folder, ".npmrc", npmrc));
        match manager {
            Manager::Npm => {}
            Manager::Pnpm => edits.extend(edit(project, folder, "pnpm-workspace.yaml", |text| {
                yaml_without(text, |key| !PNPM_WORKSPACE.contains(&key))
            })),
            Manager::YarnClassic => edits.extend(edit(project, folder, ".yarnrc", yarnrc_classic)),
            Manager::YarnBerry => edits.extend(edit(project, folder, ".yarnrc.yml", |text| {
                yaml_without(text, |key| YARNRC.contains(&key))
            })),
            Manager::Bun => edits.extend(edit(project, folder, "bunfig.toml", bunfig)),
        }
    }
    edits
}

/// The edit that filters one file; `None` where nothing has to go.
fn edit(
    project: &Project<'_>,
    folder: &Folder,
    name: &str,
    filter: impl Fn(&str) -> String,
) -> Option<Edit> {
    let path: EntryPath = folder.path(name).parse().ok()?;
    let before = project.tree.texts.get(&path)?;
    let text = String::from_utf8_lossy(before);
    let after = filter(&text);
    (after.as_bytes() != before.as_slice()).then(|| Edit {
        path,
        content: after.into_bytes(),
        because: "settings that name registries, credentials or programs are left out".to_owned(),
    })
}

/// Lines as the package managers tell them apart: a carriage return alone ends one as well.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().flat_map(|line| line.split('\r'))
}

fn npmrc(text: &str) -> String {
    lines(text)
        .filter(|line| npmrc_line(line))
        .fold(String::new(), |kept, line| kept + line + "\n")
}

fn npmrc_line(line: &str) -> bool {
    let line = line.trim();
    let (key, value) = line.split_once('=').unwrap_or((line, "true"));
    let (key, value) = (key.trim(), value.trim());
    if key.is_empty() || key.starts_with(['#', ';']) {
        return true;
    }
    // The public registry of JSR, from which packages come under one scope only.
    if key == "@jsr:registry" {
        return value.trim_end_matches('/') == "https://npm.jsr.io";
    }
    let key = key
        .trim_end_matches("[]")
        .replace('_', "-")
        .to_ascii_lowercase();
    !value.contains("${")
        && !value.contains("//")
        && (NPMRC.contains(&key.as_str())
            || NPMRC_FAMILIES.iter().any(|family| key.starts_with(family)))
}

/// A YAML file without those top-level entries whose key is not wanted. Works on lines, so that all else keeps
/// its form; anything before the first key, such as comments, stays.
fn yaml_without(text: &str, wanted: impl Fn(&str) -> bool) -> String {
    let mut kept = String::new();
    let mut keep = true;
    for line in lines(text) {
        let top = line
            .chars()
            .next()
            .is_some_and(|first| !first.is_whitespace() && !"#-]}".contains(first));
        if top {
            let key = line.split(':').next().unwrap_or(line);
            keep = wanted(key.trim().trim_matches(['"', '\'']));
        }
        if keep {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    // YAML has more ways to write a key than one at the start of a line: quotes with escapes, tags, flow mappings.
    match yaml::parse(&kept) {
        Ok(Value::Object(entries)) if entries.keys().all(|key| wanted(key)) => kept,
        Ok(Value::Null) => kept,
        Ok(
            Value::Object(_)
            | Value::Array(_)
            | Value::String(_)
            | Value::Number(_)
            | Value::Bool(_),
        )
        | Err(_) => String::new(),
    }
}

/// yarn 1: only flags that change the layout.
fn yarnrc_classic(text: &str) -> String {
    lines(text)
        .filter(|line| {
            let key = line.split_whitespace().next().unwrap_or("");
            key.is_empty()
                || key.starts_with('#')
                || ["--install.", "workspaces-", "save-prefix", "ignore-engines"]
                    .iter()
                    .any(|family| key.starts_with(family))
        })
        .fold(String::new(), |kept, line| kept + line + "\n")
}

/// bun: the whole `[install]` section but for its layout; what bun does when it builds stays.
fn bunfig(text: &str) -> String {
    const LAYOUT: [&str; 7] = [
        "optional",
        "dev",
        "peer",
        "exact",
        "linker",
        "saveTextLockfile",
        "linkWorkspacePackages",
    ];
    let Ok(mut settings) = text.parse::<toml::Table>() else {
        return String::new();
    };
    let Some(toml::Value::Table(install)) = settings.get_mut("install") else {
        return text.to_owned();
    };
    let before = install.len();
    install.retain(|key, _| LAYOUT.contains(&key));
    if install.len() == before {
        return text.to_owned();
    }
    toml::to_string(&settings).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::npm::testing::{pin, tree};

    fn check(file: &str, manager: Manager, before: &str, after: Option<&str>) {
        let tree = tree(&[("package.json", "{}"), (file, before)]);
        let project = Project::find(&tree, &pin(None)).unwrap();
        let edits = edits(&project, manager);
        let found = edits
            .first()
            .map(|edit| String::from_utf8(edit.content.clone()).unwrap());
        assert_eq!(found.as_deref(), after, "{before}");
    }

    #[test]
    fn npmrc_keeps_the_layout_and_loses_what_reaches_out() {
        check(
            ".npmrc",
            Manager::Npm,
            "# c\nlegacy-peer-deps=true\nregistry=https://evil.example/\n//evil.example/:_authToken=${TOKEN}\n\
             script-shell=./x\nnode-options=--require ./x\nhoist-pattern[]=*eslint*\nonload_script=./x\n\
             @s:registry=https://evil.example\ngit=./git\nSHAMEFULLY_HOIST=true\nignore-scripts = true\n\
             @jsr:registry=https://npm.jsr.io\nomit=//x\n",
            Some(
                "# c\nlegacy-peer-deps=true\nhoist-pattern[]=*eslint*\nSHAMEFULLY_HOIST=true\n\
                 ignore-scripts = true\n@jsr:registry=https://npm.jsr.io\n",
            ),
        );
        check(".npmrc", Manager::Npm, "save-exact=true\n", None);
    }

    #[test]
    fn settings_in_yaml_lose_whole_entries() {
        check(
            "pnpm-workspace.yaml",
            Manager::Pnpm,
            "packages:\n- a\n  # c\npnpmfile: ./x.cjs\nregistries:\n  default: https://evil.example\n\ncatalog:\n  x: 1\n",
            Some("packages:\n- a\n  # c\ncatalog:\n  x: 1\n"),
        );
        check(
            ".yarnrc.yml",
            Manager::YarnBerry,
            "yarnPath: .yarn/x.cjs\nnodeLinker: node-modules\nplugins:\n  - path: ./p.cjs\n\"npmRegistryServer\": \"https://evil.example\"\n",
            Some("nodeLinker: node-modules\n"),
        );
        check(
            ".yarnrc.yml",
            Manager::YarnBerry,
            "{yarnPath: x}\n",
            Some(""),
        );
        check(
            "pnpm-workspace.yaml",
            Manager::Pnpm,
            "packages: [a]\n",
            None,
        );
    }

    #[test]
    fn other_settings_lose_what_reaches_out() {
        check(
            ".yarnrc",
            Manager::YarnClassic,
            "yarn-path ./x.js\nregistry \"https://evil.example\"\n--install.ignore-engines true\n",
            Some("--install.ignore-engines true\n"),
        );
        check(
            "bunfig.toml",
            Manager::Bun,
            "preload = [\"./p.ts\"]\n[install]\nexact = true\nregistry = \"https://evil.example\"\n",
            Some("preload = [\"./p.ts\"]\n\n[install]\nexact = true\n"),
        );
        check("bunfig.toml", Manager::Bun, "not toml [", Some(""));
    }

    #[test]
    fn no_spelling_of_a_key_gets_through() {
        for text in [
            "packages: []\rpnpmfile: ./x.cjs\n",
            "\"pnpm\\u0066ile\": ./x.cjs\n",
            "packages: []\n? pnpmfile\n: ./x.cjs\n",
            "packages: []\n!!str pnpmfile: ./x.cjs\n",
            "packages: []\n&a pnpmfile: ./x.cjs\n",
            "--- {pnpmfile: ./x.cjs}\n",
            "<<: {pnpmfile: ./x.cjs}\n",
        ] {
            let kept = yaml_without(text, |key| !PNPM_WORKSPACE.contains(&key));
            let kept = yaml::parse(&kept).unwrap_or_default();
            assert_eq!(kept.get("pnpmfile"), None, "{text}");
        }
        assert_eq!(npmrc("# a\rregistry=https://evil.example\r\n"), "# a\n");
        assert_eq!(yarnrc_classic("# a\ryarn-path ./x.js\n"), "# a\n");
    }

    proptest! {
        #[test]
        fn what_is_kept_is_kept_again_and_holds_wanted_keys_only(
            text in "([\"'a-z?!&*:{}\\[\\],# =/$-]|\r|\n|pnpmfile|packages|registry|omit|nodeLinker|: ){0,60}",
        ) {
            for filter in [npmrc, yarnrc_classic, bunfig] {
                let kept = filter(&text);
                prop_assert_eq!(filter(&kept), kept.clone());
            }
            for line in npmrc(&text).split(['\r', '\n']) {
                prop_assert!(npmrc_line(line), "{}", line);
            }
            let wanted = |key: &str| !PNPM_WORKSPACE.contains(&key);
            let kept = yaml_without(&text, wanted);
            let parsed = yaml::parse(&kept).unwrap_or_default();
            prop_assert!(parsed.as_object().into_iter().flatten().all(|(key, _)| wanted(key)));
            prop_assert_eq!(yaml_without(&kept, wanted), kept);
        }
    }
}
