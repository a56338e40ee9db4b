//! JavaScript and TypeScript that were only laid out differently: both texts have the same syntax tree, as oxc
//! reads them. White space, quotes, the spelling of numbers and escapes, parentheses and trailing commas are no
//! part of the tree; strings, templates, regular expressions, directives and the hashbang are.
//!
//! Code can read its own text, and comments can hold what tools obey: the words say what differs, not that it is
//! harmless.

mod nesting;

use oxc_allocator::Allocator;
use oxc_ast::ast::Program;
use oxc_parser::{ParseOptions, Parser};
use oxc_span::{ContentEq as _, SourceType};

use super::ChangedFile;

/// Larger files are not parsed: a tree takes many times the room of its text.
const LARGEST: usize = 8 << 20;
/// The parser calls itself for everything that nests, and comparing does so too; this much is reserved, and used
/// by hostile files alone.
const STACK: usize = 512 << 20;
/// The most that one token of nesting costs, rounded up generously; a test holds unoptimised builds to it, which need
/// the most.
const COST: usize = 24 << 10;
/// Deeper files are not parsed.
const DEEPEST: usize = STACK / COST;

/// What parsing may cost over all files of a comparison, as [`nesting::cost`] counts. Honest bundles of a megabyte
/// cost about one million; hostile files make it seconds.
pub(crate) const EFFORT: u64 = 10_000_000;

/// Whether files of this extension are such code.
pub(super) fn speaks(extension: &str) -> bool {
    matches!(
        extension,
        "js" | "mjs" | "cjs" | "jsx" | "ts" | "mts" | "cts" | "tsx"
    )
}

pub(super) fn explain(file: &ChangedFile<'_>) -> Option<String> {
    let goals = goals(&file.path.file_name().to_ascii_lowercase())?;
    let texts = [file.rebuilt, file.published].map(|content| {
        let text = std::str::from_utf8(content).ok()?;
        if text.len() > LARGEST {
            return None;
        }
        for goal in &goals {
            let cost = nesting::cost(text, *goal, DEEPEST)?;
            file.effort.set(file.effort.get().checked_sub(cost)?);
        }
        Some(text)
    });
    let [Some(rebuilt), Some(published)] = texts else {
        return None;
    };
    // A panic in the parser ends this thread, and there is no explanation.
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .stack_size(STACK)
            .spawn_scoped(scope, || compare(rebuilt, published, &goals))
            .ok()?
            .join()
            .ok()?
    })
}

/// As what a file of this name may be read. Of a plain `.js` its package decides, which is not asked here: both
/// ways count.
fn goals(name: &str) -> Option<Vec<SourceType>> {
    let (stem, extension) = name.rsplit_once('.')?;
    Some(match extension {
        "js" => vec![SourceType::mjs(), SourceType::cjs()],
        "mjs" => vec![SourceType::mjs()],
        "cjs" => vec![SourceType::cjs()],
        "jsx" => vec![SourceType::mjs().with_jsx(true)],
        "ts" | "mts" | "cts" if stem.ends_with(".d") => vec![SourceType::d_ts()],
        "ts" | "mts" => vec![SourceType::ts()],
        "cts" => vec![SourceType::ts().with_commonjs(true)],
        "tsx" => vec![SourceType::tsx()],
        _ => return None,
    })
}

fn compare(rebuilt: &str, published: &str, goals: &[SourceType]) -> Option<String> {
    let mut words = None;
    for goal in goals {
        let (one, other) = (Allocator::default(), Allocator::default());
        match (parse(&one, rebuilt, *goal), parse(&other, published, *goal)) {
            (Some(rebuilt), Some(published)) => {
                if !rebuilt.content_eq(&published) {
                    return None;
                }
                words = Some(said(&rebuilt, &published));
            }
            // No such file on either side.
            (None, None) => {}
            (Some(_), None) | (None, Some(_)) => return None,
        }
    }
    words
}

/// The tree, if the text is free of syntax errors.
fn parse<'t>(allocator: &'t Allocator, text: &'t str, goal: SourceType) -> Option<Program<'t>> {
    let parsed = Parser::new(allocator, text, goal)
        .with_options(ParseOptions {
            preserve_parens: false,
            ..ParseOptions::default()
        })
        .parse();
    (!parsed.panicked && parsed.diagnostics.is_empty()).then_some(parsed.program)
}

fn said(rebuilt: &Program<'_>, published: &Program<'_>) -> String {
    let comments = |program: &Program<'_>, link: bool| -> Vec<String> {
        program
            .comments
            .iter()
            .map(|comment| comment.span.source_text(program.source_text))
            .filter(|text| !link || text.contains("sourceMappingURL="))
            .map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect()
    };
    if comments(rebuilt, false) == comments(published, false) {
        "formatted differently: the same syntax tree".to_owned()
    } else if comments(rebuilt, true) == comments(published, true) {
        "only comments and formatting differ: the same syntax tree".to_owned()
    } else {
        "only comments and formatting differ, `sourceMappingURL` among them: the same syntax tree"
            .to_owned()
    }
}

#[cfg(test)]
mod tests;
