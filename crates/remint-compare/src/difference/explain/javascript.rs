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

use super::{ChangedFile, Explanation};

/// Larger files are not parsed: a tree takes up to seventy times the room of its text. (Of bundles that people publish,
/// six to sixteen times.)
const LARGEST: usize = 3 << 20;
/// What one tree may take, so that there is room for the other.
const LARGEST_TREE: usize = 96 << 20;
/// The parser calls itself for everything that nests, and comparing does so too; this much is reserved, and used
/// by hostile files alone.
const STACK: usize = 512 << 20;
/// The most that one token of nesting costs, rounded up generously; a test holds unoptimised builds to it, which need
/// the most.
const COST: usize = 24 << 10;
/// Deeper files are not parsed.
const DEEPEST: usize = STACK / COST;

/// What parsing may cost over all files of a comparison, as [`nesting::cost`] counts, and the bytes of the texts.
/// Honest bundles of a megabyte cost about one million; hostile files make it seconds.
pub(crate) const EFFORT: u64 = 12_000_000;
/// So many bytes cost as much as one bracket.
const BYTES: u64 = 3;

/// Whether files of this extension are such code.
pub(super) fn speaks(extension: &str) -> bool {
    matches!(
        extension,
        "js" | "mjs" | "cjs" | "jsx" | "ts" | "mts" | "cts" | "tsx"
    )
}

pub(super) fn explain(file: &ChangedFile<'_>) -> Option<Explanation> {
    let goals = goals(&file.path.file_name().to_ascii_lowercase())?;
    let texts = [file.rebuilt, file.published].map(|content| {
        let text = std::str::from_utf8(content).ok()?;
        if text.len() > LARGEST {
            return None;
        }
        for goal in &goals {
            let cost = nesting::cost(text, *goal, DEEPEST)? + text.len() as u64 / BYTES;
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
            .spawn_scoped(scope, || compare(rebuilt, published, &goals, LARGEST_TREE))
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

fn compare(
    rebuilt: &str,
    published: &str,
    goals: &[SourceType],
    largest_tree: usize,
) -> Option<Explanation> {
    if hashbang(rebuilt) != hashbang(published) {
        return None;
    }
    let mut explanation: Option<Explanation> = None;
    // The longer one is the one to become too large.
    let (long, short) = if rebuilt.len() < published.len() {
        (published, rebuilt)
    } else {
        (rebuilt, published)
    };
    for goal in goals {
        let (one, other) = (Allocator::default(), Allocator::default());
        let long = parse(&one, long, *goal);
        if one.used_bytes() > largest_tree {
            return None;
        }
        match (long, parse(&other, short, *goal)) {
            (Some(long), Some(short)) => {
                if !long.content_eq(&short) {
                    return None;
                }
                let said = said(&long, &short);
                if explanation
                    .as_ref()
                    .is_none_or(|earlier| earlier.accounts_for_all)
                {
                    explanation = Some(said);
                }
            }
            // No such file on either side.
            (None, None) => {}
            (Some(_), None) | (None, Some(_)) => return None,
        }
    }
    explanation
}

/// What a kernel reads of the first line. A carriage return belongs to it, and to no line of JavaScript.
fn hashbang(text: &str) -> Option<&str> {
    text.starts_with("#!")
        .then(|| text.split('\n').next())
        .flatten()
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

fn said(one: &Program<'_>, other: &Program<'_>) -> Explanation {
    let comments = |program: &Program<'_>, link: bool| -> Vec<String> {
        program
            .comments
            .iter()
            .map(|comment| comment.span.source_text(program.source_text))
            .filter(|text| !link || text.contains("sourceMappingURL="))
            .map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect()
    };
    let words = if comments(one, false) == comments(other, false) {
        "formatted differently: the same syntax tree"
    } else if comments(one, true) == comments(other, true) {
        "only comments and formatting differ: the same syntax tree"
    } else {
        "only comments and formatting differ, `sourceMappingURL` among them: the same syntax tree"
    };
    if may_leave_functions_unnamed(one) || may_leave_functions_unnamed(other) {
        // These parentheses are no part of the tree.
        Explanation::pointer(format!(
            "{words}; a function that is assigned to a name in parentheses may have another name of its own"
        ))
    } else {
        Explanation::proof(words.to_owned())
    }
}

/// Whether something in parentheses may be assigned a function or a class without a name, as in `(x) = function () {}`:
/// such a function is not called `x`. What stands in strings counts as well.
fn may_leave_functions_unnamed(program: &Program<'_>) -> bool {
    let mut code = program.source_text.as_bytes().to_vec();
    for comment in &program.comments {
        let range = comment.span.start as usize..comment.span.end as usize;
        if let Some(comment) = code.get_mut(range) {
            comment.fill(b' ');
        }
    }
    let is_space = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0x0b || !byte.is_ascii();
    let skip = |text: &'_ [u8]| -> usize { text.iter().take_while(|byte| is_space(byte)).count() };
    let mut rest = code.as_slice();
    while let Some(at) = rest.iter().position(|byte| *byte == b')') {
        rest = rest.get(at + 1..).unwrap_or_default();
        let after = rest.get(skip(rest)..).unwrap_or_default();
        let operators: [&[u8]; 4] = [b"=", b"??=", b"||=", b"&&="];
        let Some(value) = operators
            .iter()
            .find_map(|operator| after.strip_prefix(*operator))
        else {
            continue;
        };
        let value = value.get(skip(value)..).unwrap_or_default();
        let word = value
            .iter()
            .take_while(|byte| {
                byte.is_ascii_alphanumeric() || b"_$\\{}".contains(byte) || !byte.is_ascii()
            })
            .count();
        let (word, after) = value.split_at(word);
        let is_arrow = after
            .get(skip(after)..)
            .is_some_and(|after| after.starts_with(b"=>"));
        if value.starts_with(b"(")
            || value.starts_with(b"@")
            || is_arrow
            || [&b"function"[..], b"class", b"async"]
                .iter()
                .any(|keyword| word.starts_with(keyword))
        {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests;
