//! The page that a server shows when go asks it where a module lives (`?go-get=1`; Go modules reference, "Finding a
//! repository for a module path"): its `go-import` meta tags, and nothing else of it.

use remint_model::EntryPath;

use crate::html::tag;
use crate::release::RepositoryClaim;

/// What is read of a page: the tags stand in its head, and reading on past what is never closed costs its square.
const LARGEST: usize = 64 << 10;
/// Pages of whole organisations list some hundreds of packages.
const MOST_IMPORTS: usize = 4096;

/// What a page says about a module path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Discovered {
    /// A git repository, with the module's folder in it.
    Repository(Box<RepositoryClaim>),
    /// A version control system other than git, or a proxy of its own; which, for people.
    Other(String),
    /// Nothing for this path, or two things at once.
    Nothing,
}

/// Reads a page that was asked for `path`.
#[must_use]
pub fn discovered(page: &[u8], path: &str) -> Discovered {
    let text = String::from_utf8_lossy(page.get(..LARGEST).unwrap_or(page));
    let mut matching: Vec<Import> = Vec::new();
    for import in imports(&text) {
        if is_below(path, &import.prefix) {
            matching.push(import);
        }
    }
    // An entry of kind `mod` names a proxy and stands before what it is made from.
    matching.retain(|import| import.kind != "mod");
    match matching.as_slice() {
        [] => Discovered::Nothing,
        [import] if import.kind == "git" => Discovered::Repository(Box::new(RepositoryClaim {
            raw: import.root.clone(),
            url: import.root.parse(),
            directory: folder(path, import),
            field: "go-import".to_owned(),
        })),
        [import] => Discovered::Other(import.kind.chars().take(20).collect()),
        _ => Discovered::Nothing,
    }
}

/// One `go-import` tag.
struct Import {
    prefix: String,
    kind: String,
    root: String,
    subdirectory: Option<String>,
}

fn imports(text: &str) -> Vec<Import> {
    let mut imports = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        rest = rest.get(at..).unwrap_or_default();
        if let Some(comment) = rest.strip_prefix("<!--") {
            rest = comment.split_once("-->").map_or("", |(_, after)| after);
            continue;
        }
        if rest
            .get(..6)
            .is_some_and(|start| start.eq_ignore_ascii_case("</head"))
        {
            break;
        }
        let Some((found, after)) = tag(rest) else {
            rest = rest.get(1..).unwrap_or_default();
            continue;
        };
        rest = after;
        match found.name.as_str() {
            "body" => break,
            "meta" if found.attribute("name") == Some("go-import") => {
                let content = found.attribute("content").unwrap_or_default();
                let fields: Vec<&str> = content.split_whitespace().collect();
                if let [prefix, kind, root] | [prefix, kind, root, _] = fields.as_slice()
                    && imports.len() < MOST_IMPORTS
                {
                    imports.push(Import {
                        prefix: (*prefix).to_owned(),
                        kind: (*kind).to_owned(),
                        root: (*root).to_owned(),
                        subdirectory: fields.get(3).map(|&folder| folder.to_owned()),
                    });
                }
            }
            _ => {}
        }
    }
    imports
}

/// Whether `path` is `prefix` or lies below it.
fn is_below(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Where the module lies in the repository, its major version suffix aside.
fn folder(path: &str, import: &Import) -> Option<EntryPath> {
    let prefix = super::module::Split::of(path).prefix;
    let below = prefix
        .strip_prefix(import.prefix.as_str())
        .unwrap_or_default();
    let whole = match &import.subdirectory {
        Some(subdirectory) => format!("{subdirectory}{below}"),
        None => below.trim_start_matches('/').to_owned(),
    };
    whole.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn page(tags: &str) -> String {
        format!("<!DOCTYPE html><html><HEAD><!-- <meta --> {tags}</HEAD><body></body></html>")
    }

    fn check(tags: &str, path: &str, expect: Option<(&str, Option<&str>)>) {
        let found = match discovered(page(tags).as_bytes(), path) {
            Discovered::Repository(claim) => Some((
                claim.url.unwrap().to_string(),
                claim.directory.map(|folder| folder.to_string()),
            )),
            Discovered::Other(_) | Discovered::Nothing => None,
        };
        let found = found
            .as_ref()
            .map(|(url, folder)| (url.as_str(), folder.as_deref()));
        assert_eq!(found, expect, "{tags}");
    }

    #[test]
    fn the_tag_for_the_path_counts() {
        let own =
            r#"<meta name="go-import" content="example.org/x git https://git.example.org/x.git">"#;
        let url = "https://git.example.org/x";
        check(own, "example.org/x", Some((url, None)));
        check(own, "example.org/x/v2", Some((url, None)));
        check(own, "example.org/x/sub/v3", Some((url, Some("sub"))));
        check(own, "example.org/xy", None);
        check(own, "example.org", None);
        check(
            r#"<meta name=go-import content='example.org/x git https://git.example.org/x deep/er'>"#,
            "example.org/x/sub",
            Some((url, Some("deep/er/sub"))),
        );
        check(
            &format!(
                r#"<meta name="go-import" content="example.org/x mod https://p.example.org">{own}"#
            ),
            "example.org/x",
            Some((url, None)),
        );
    }

    #[test]
    fn what_is_not_sure_is_nothing() {
        let one = r#"<meta name="go-import" content="example.org/x git https://a.example.org/x">"#;
        let other = r#"<meta name="go-import" content="example.org git https://b.example.org/x">"#;
        check(&format!("{one}{other}"), "example.org/x", None);
        check(&format!("</head>{one}"), "example.org/x", None);
        check(&format!("<body>{one}"), "example.org/x", None);
        check(&format!("<!-- {one} -->"), "example.org/x", None);
        check(
            &one.replace("go-import", "go-source"),
            "example.org/x",
            None,
        );
        assert_eq!(
            discovered(
                page(&one.replace(" git ", " hg ")).as_bytes(),
                "example.org/x"
            ),
            Discovered::Other("hg".to_owned())
        );
        let hostile = one.replace("https://a.example.org/x", "ext::sh");
        let Discovered::Repository(claim) = discovered(page(&hostile).as_bytes(), "example.org/x")
        else {
            panic!("it is a claim all the same");
        };
        assert!(claim.url.is_err());
    }

    proptest! {
        #[test]
        fn no_page_panics(any: Vec<u8>, shaped in "(<meta|<!--|-->| name=|\"|'|go-import| content=|example.org/x| git|/|>|<body| \\.\\./a|&#x|;|</head>){0,30}") {
            for page in [any, shaped.into_bytes()] {
                if let Discovered::Repository(claim) = discovered(&page, "example.org/x/y") {
                    let climbs = |folder: &EntryPath| folder.as_str().split('/').any(|part| part == "..");
                    prop_assert!(!claim.directory.as_ref().is_some_and(climbs));
                }
            }
        }
    }
}
