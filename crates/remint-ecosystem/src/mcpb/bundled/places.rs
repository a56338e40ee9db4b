//! Which packages of a bundle a file could belong to, told from where it lies.

use std::collections::BTreeMap;

use remint_model::{Ecosystem, EntryPath};

use super::Bundled;

/// What a file is to the packages of a bundle.
pub(super) enum Place {
    /// No dependency's.
    Own,
    /// A package manager's note of what it did.
    Record,
    /// One of these packages', the likeliest first; with its path in the package.
    Packages(Vec<(usize, EntryPath)>),
    /// A dependency's, and nobody's.
    Nobody(String),
}

/// The packages by the places that they claim.
pub(super) struct Index<'b> {
    bundled: &'b Bundled,
    folders: BTreeMap<&'b str, usize>,
    /// By the folder that they are installed to, and the path in it.
    recorded: BTreeMap<(&'b str, &'b str), Vec<usize>>,
}

impl<'b> Index<'b> {
    pub(super) fn of(bundled: &'b Bundled) -> Self {
        let mut index = Self {
            bundled,
            folders: BTreeMap::new(),
            recorded: BTreeMap::new(),
        };
        for (at, package) in bundled.packages.iter().enumerate() {
            if package.ecosystem == Ecosystem::Npm {
                index.folders.insert(package.folder.as_str(), at);
            }
            for inside in &package.recorded {
                let places = index.recorded.entry((package.folder.as_str(), inside));
                places.or_default().push(at);
            }
        }
        index
    }

    pub(super) fn place(&self, path: &EntryPath) -> Place {
        match innermost(path.as_str()) {
            Some((before, rest)) => self.in_node_modules(path, before, rest),
            None => self.in_site(path),
        }
    }

    fn in_node_modules(&self, path: &EntryPath, before: &str, rest: &str) -> Place {
        if rest == ".package-lock.json" {
            return Place::Record;
        }
        let candidates: Vec<(usize, EntryPath)> = splits(path.as_str())
            .filter_map(|(before, rest)| package_folder(before, rest))
            .filter_map(|folder| {
                let at = self.folders.get(folder.as_str())?;
                let inside = path.as_str().get(folder.len() + 1..)?.parse().ok()?;
                Some((*at, inside))
            })
            .collect();
        if !candidates.is_empty() {
            return Place::Packages(candidates);
        }
        let why = package_folder(before, rest)
            .and_then(|folder| self.bundled.misnamed.get(folder.as_str()));
        Place::Nobody(why.cloned().unwrap_or_else(|| {
            "it lies in node_modules, and in no folder with a package.json".to_owned()
        }))
    }

    fn in_site(&self, path: &EntryPath) -> Place {
        let mut folder = path.parent();
        while let Some(site) = folder {
            folder = site.parent();
            let (Some(tops), Some(inside)) = (self.bundled.sites.get(&site), path.below(&site))
            else {
                continue;
            };
            if is_installers(&inside) {
                return Place::Record;
            }
            if let Some(claiming) = self.recorded.get(&(site.as_str(), inside.as_str())) {
                let packages = claiming.iter().map(|at| (*at, inside.clone()));
                return Place::Packages(packages.collect());
            }
            let top = inside.as_str().split('/').next().unwrap_or_default();
            if tops.contains(top) || site.file_name() == "site-packages" {
                return Place::Nobody(
                    "it lies among installed packages, and no RECORD lists it".to_owned(),
                );
            }
        }
        Place::Own
    }
}

/// The path before and after the last `node_modules/`.
pub(super) fn innermost(path: &str) -> Option<(&str, &str)> {
    splits(path).next()
}

/// Every way to read a path as one below a `node_modules`, the innermost first.
fn splits(path: &str) -> impl Iterator<Item = (&str, &str)> {
    path.rmatch_indices("node_modules/")
        .filter(|(at, _)| *at == 0 || path.as_bytes().get(at - 1) == Some(&b'/'))
        .filter_map(|(at, found)| {
            let before = path.get(..at)?.trim_end_matches('/');
            Some((before, path.get(at + found.len()..)?))
        })
}

pub(super) fn is_package_name(text: &str) -> bool {
    match text.strip_prefix('@') {
        Some(scoped) => scoped.split_once('/').is_some_and(|(scope, name)| {
            !scope.is_empty() && !name.is_empty() && !name.contains('/')
        }),
        None => !text.is_empty() && !text.contains('/'),
    }
}

/// The package folder that a path below a `node_modules` lies in.
fn package_folder(before: &str, rest: &str) -> Option<String> {
    let parts = if rest.starts_with('@') { 2 } else { 1 };
    let end = rest.match_indices('/').nth(parts - 1).map(|(at, _)| at)?;
    let name = rest.get(..end)?;
    Some(match before {
        "" => format!("node_modules/{name}"),
        before => format!("{before}/node_modules/{name}"),
    })
}

/// `node_modules/.bin/name`
pub(super) fn is_command(path: &EntryPath) -> bool {
    path.parent()
        .is_some_and(|folder| folder.as_str().ends_with("node_modules/.bin"))
}

/// What pip and uv write beside a package when they install it.
fn is_installers(inside: &EntryPath) -> bool {
    inside.parent().is_some_and(|folder| {
        folder.as_str().ends_with(".dist-info")
            && !folder.as_str().contains('/')
            && matches!(
                inside.file_name(),
                "RECORD" | "INSTALLER" | "REQUESTED" | "direct_url.json" | "uv_cache.json"
            )
    })
}
