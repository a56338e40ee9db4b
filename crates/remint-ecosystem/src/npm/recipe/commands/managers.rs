//! What a command of a package manager is to a rebuild.

use super::{Kind, is_check, of_words};
use crate::npm::manager::Manager;
use crate::npm::recipe::Publisher;

pub(super) fn npm(rest: &[&str]) -> Kind {
    let global = rest
        .iter()
        .any(|word| matches!(*word, "-g" | "--global" | "--location=global"));
    let words = after_options(rest);
    let Some((verb, rest)) = words.split_first() else {
        return Kind::Nothing;
    };
    match *verb {
        "i" | "install" | "add" | "ci" | "clean-install" | "install-clean" | "update" | "up" => {
            let named = after_options(rest).first().copied();
            match (global, named) {
                (true, Some(package)) => tool(package),
                (true, None) => Kind::Nothing,
                (false, _) => Kind::Install(Manager::Npm),
            }
        }
        "run" | "run-script" | "rum" | "urn" => script(rest),
        "publish" if is_dry(rest) => Kind::Nothing,
        "publish" | "pack" => Kind::Publish(Publisher::Manager(Manager::Npm)),
        "version" => Kind::Stamp,
        "exec" | "x" => of_words(&after_options(rest)),
        "pkg" if rest.first() == Some(&"set") => {
            if rest.iter().any(|word| word.starts_with("version=")) {
                Kind::Stamp
            } else {
                Kind::Other
            }
        }
        "pkg" if rest.first() == Some(&"delete") => Kind::Other,
        "test" | "t" | "tst" => Kind::Script("test".to_owned()),
        "start" | "stop" | "restart" => Kind::Script((*verb).to_owned()),
        "audit" if rest.contains(&"fix") => Kind::Other,
        "edit" | "explore" | "init" | "create" | "innit" | "set-script" | "shrinkwrap"
        | "uninstall" | "remove" | "rm" | "un" | "unlink" => Kind::Other,
        "pkg" if rest.first() != Some(&"get") => Kind::Other,
        _ => Kind::Nothing,
    }
}

pub(super) fn other_manager(name: &str, rest: &[&str]) -> Kind {
    let manager = match name {
        "pnpm" => Manager::Pnpm,
        "bun" => Manager::Bun,
        _ => Manager::YarnClassic,
    };
    let global = rest.iter().any(|word| matches!(*word, "-g" | "--global"));
    let words = after_options(rest);
    let Some((verb, rest)) = words.split_first() else {
        // `yarn` alone installs.
        return if name == "yarn" {
            Kind::Install(manager)
        } else {
            Kind::Nothing
        };
    };
    match *verb {
        "global" => Kind::Nothing,
        "i" | "install" | "add" | "ci" if global => after_options(rest)
            .first()
            .map_or(Kind::Nothing, |package| tool(package)),
        "i" | "install" | "add" | "ci" => Kind::Install(manager),
        "run" | "run-script" => script(rest),
        "publish" if is_dry(rest) => Kind::Nothing,
        "publish" | "pack" => Kind::Publish(Publisher::Manager(manager)),
        "pm" if rest.first() == Some(&"pack") => Kind::Publish(Publisher::Manager(manager)),
        "npm" if rest.first() == Some(&"publish") => {
            Kind::Publish(Publisher::Manager(Manager::YarnBerry))
        }
        "version" | "bump" => Kind::Stamp,
        "set" if rest.first() == Some(&"version") => tool(&format!(
            "yarn@{}",
            rest.get(1).copied().unwrap_or("latest")
        )),
        "exec" | "dlx" | "x" => of_words(&after_options(rest)),
        // `bun file.ts` and `bun build …` run what is named, not a script of that name.
        "build" if name == "bun" => Kind::Other,
        verb if name == "bun" && verb.contains(['.', '/']) => Kind::Other,
        "audit" | "config" | "store" | "why" | "list" | "ls" | "info" | "login" | "cache"
        | "env" | "outdated" | "prune" | "rebuild" | "approve-builds" | "npm" => Kind::Nothing,
        "workspaces" | "workspace" => in_workspaces(rest),
        "changeset" | "lerna" | "semantic-release" | "release-it" | "np" | "nx" => of_words(&words),
        "node" | "tsc" | "tsup" | "vite" | "turbo" | "rollup" | "esbuild" => Kind::Other,
        verb => Kind::Script(verb.to_owned()),
    }
}

/// What Yarn runs in other folders than this one.
fn in_workspaces(rest: &[&str]) -> Kind {
    let words: Vec<&str> = rest
        .iter()
        .skip(1)
        .filter(|word| !word.starts_with('-') && **word != "run")
        .copied()
        .collect();
    match rest.first() {
        None | Some(&("list" | "info" | "focus")) => Kind::Nothing,
        Some(_) => match other_manager("yarn", &words) {
            Kind::Script(name) if is_check(&name) => Kind::Nothing,
            Kind::Nothing => Kind::Nothing,
            Kind::Publish(by) => Kind::Publish(by),
            Kind::Install(by) => Kind::Install(by),
            Kind::Directory(_) | Kind::Tool(..) | Kind::Script(_) | Kind::Stamp | Kind::Other => {
                Kind::Other
            }
        },
    }
}

pub(super) fn corepack(rest: &[&str]) -> Kind {
    match rest.first() {
        Some(&("prepare" | "use" | "install")) => after_options(rest.get(1..).unwrap_or_default())
            .first()
            .map_or(Kind::Nothing, |package| tool(package)),
        _ => Kind::Nothing,
    }
}

/// A tool installed for everybody; only package managers matter.
fn tool(package: &str) -> Kind {
    let (name, version) = package.split_once('@').unwrap_or((package, "latest"));
    match name {
        "npm" | "pnpm" | "yarn" | "bun" => Kind::Tool(
            name.to_owned(),
            version.trim_matches(['"', '\'']).to_owned(),
        ),
        _ => Kind::Nothing,
    }
}

fn script(rest: &[&str]) -> Kind {
    after_options(rest)
        .first()
        .map_or(Kind::Nothing, |name| Kind::Script((*name).to_owned()))
}

fn is_dry(rest: &[&str]) -> bool {
    rest.contains(&"--dry-run")
}

/// The words from the first one on that is neither an option nor an option's value.
pub(super) fn after_options<'a>(words: &[&'a str]) -> Vec<&'a str> {
    const WITH_VALUE: [&str; 13] = [
        "-w",
        "--workspace",
        "--filter",
        "-F",
        "--prefix",
        "-C",
        "--dir",
        "--cwd",
        "-p",
        "--package",
        "--registry",
        "--userconfig",
        "--loglevel",
    ];
    let mut at = 0;
    while let Some(word) = words.get(at).filter(|word| word.starts_with('-')) {
        at += if WITH_VALUE.contains(word) { 2 } else { 1 };
    }
    words.get(at..).unwrap_or_default().to_vec()
}
