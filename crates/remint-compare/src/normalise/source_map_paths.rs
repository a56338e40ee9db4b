//! Where a package was built, as its source maps tell debuggers: the absolute directory before the paths in
//! `file`, `sourceRoot` and `sources`. Mappings, names and embedded sources stay, as do relative paths.

use super::{ALL_FORMATS, File, Normaliser, Subject};
use crate::source_map::SourceMap;

pub(super) const NORMALISER: Normaliser = Normaliser {
    id: "source-map-paths",
    version: 1,
    hides: "the absolute directory in front of the paths that a source map names",
    formats: ALL_FORMATS,
    subject: Subject::Content(normalise),
};

/// Stands for the directory; no longer absolute, so that a canonical form is its own canonical form.
const PLACEHOLDER: &str = "<build directory>";

fn normalise(file: &File<'_>) -> Option<Vec<u8>> {
    let own_place = file.path.as_str().strip_suffix(".map")?;
    let map = SourceMap::parse(file.content)?;
    let directory = built_in(&map, own_place)?;
    map.with_paths(&|path| {
        let (scheme, rest) = split_scheme(path);
        match rest.strip_prefix(&directory) {
            Some(below) if below.is_empty() || below.starts_with('/') => {
                format!("{scheme}{PLACEHOLDER}{below}")
            }
            Some(_) | None => path.to_owned(),
        }
    })
}

/// The directory that all absolute paths of a map lie in. A path that ends in the map's own place tells where
/// the package lay, which is the better answer.
fn built_in(map: &SourceMap<'_>, own_place: &str) -> Option<String> {
    let absolute: Vec<&str> = map
        .paths()
        .map(|path| split_scheme(path).1)
        .filter(|path| path.starts_with('/') && path.len() > 1)
        .collect();
    let of_package = absolute.iter().find_map(|path| {
        path.strip_suffix(own_place)?
            .strip_suffix('/')
            .filter(|root| !root.is_empty())
    });
    if let Some(root) = of_package {
        return Some(root.to_owned());
    }
    let (first, others) = absolute.split_first()?;
    let mut common = first.rsplit_once('/')?.0;
    for path in others {
        while !common.is_empty()
            && !path
                .strip_prefix(common)
                .is_some_and(|rest| rest.starts_with('/'))
        {
            common = common.rsplit_once('/')?.0;
        }
    }
    (!common.is_empty()).then(|| common.to_owned())
}

fn split_scheme(path: &str) -> (&str, &str) {
    match path.strip_prefix("file://") {
        Some(rest) => ("file://", rest),
        None => ("", path),
    }
}
