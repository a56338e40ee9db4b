//! A source map that says the same of the same code, but for the paths of its sources or for the sources that it
//! carries along. Absolute build directories are erased elsewhere; this is about what is left.

use super::ChangedFile;
use super::json::same_value;
use crate::source_map::SourceMap;

pub(super) fn explain(file: &ChangedFile<'_>) -> Option<String> {
    if file.extension() != "map" {
        return None;
    }
    let (rebuilt, published) = (
        SourceMap::parse(file.rebuilt)?,
        SourceMap::parse(file.published)?,
    );
    if rebuilt.paths().count() != published.paths().count() {
        return None;
    }
    let mut paths = false;
    let mut sources = None;
    for name in published.names().chain(rebuilt.names()) {
        let (old, new) = (rebuilt.member(name), published.member(name));
        if matches!((old, new), (Some(old), Some(new)) if same_value(old, new)) {
            continue;
        }
        match (name, old, new) {
            ("file" | "sourceRoot" | "sources", _, _) => paths = true,
            ("sourcesContent", Some(_), Some(_)) => {
                sources = Some("the embedded sources differ".to_owned());
            }
            ("sourcesContent", None, _) => {
                sources = Some(format!(
                    "the {} one alone embeds the sources",
                    file.words.published
                ));
            }
            ("sourcesContent", _, None) => {
                sources = Some(format!(
                    "the {} one alone embeds the sources",
                    file.words.rebuilt
                ));
            }
            _ => return None,
        }
    }
    let paths = paths.then(|| "the named paths differ".to_owned());
    let said = match (paths, sources) {
        (Some(paths), Some(sources)) => format!("{paths}, and {sources}"),
        (Some(said), None) | (None, Some(said)) => said,
        (None, None) => return Some("formatted differently: the same source map".to_owned()),
    };
    Some(format!("the source map has the same mappings; {said}"))
}
