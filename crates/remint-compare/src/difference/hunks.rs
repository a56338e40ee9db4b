//! Unified text hunks from rebuilt (`-`) to published (`+`), bounded in every direction and safe to print.

use std::ops::Range;

use imara_diff::{Algorithm, Diff, InternedInput, Interner, Token};

use crate::limits::Options;
use crate::text::escape;

/// Lines around a change.
const CONTEXT: u32 = 3;
/// Characters shown of one line; of a longer one a window around the change.
const LINE: usize = 200;
/// Above this many lines, only the stretch from the first to the last difference is found.
const MOST_LINES: usize = 200_000;

/// How much finding the smallest difference may still cost. Repetitive texts cost their number of lines squared.
#[derive(Debug)]
pub(crate) struct Patience(u64);

impl Default for Patience {
    /// A few seconds.
    fn default() -> Self {
        Self(150_000 * 150_000)
    }
}

impl Patience {
    /// Whether texts of this many lines can still be compared.
    fn suffices(&mut self, lines: usize) -> bool {
        let cost = (lines as u64).saturating_pow(2);
        self.0
            .checked_sub(cost)
            .inspect(|left| self.0 = *left)
            .is_some()
    }
}

/// How two texts differ.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct TextDifference {
    pub(crate) hunks: Vec<String>,
    /// Lines only published, lines only rebuilt.
    pub(crate) lines: (usize, usize),
    /// Changed stretches as line numbers: rebuilt, published.
    pub(crate) stretches: Vec<(Range<usize>, Range<usize>)>,
}

/// Whether to show this content as text.
pub(crate) fn is_text(content: &[u8]) -> bool {
    let head = content.get(..8192).unwrap_or(content);
    // A few zero bytes do not make code unreadable, and must not hide it.
    let zeros = head.iter().filter(|byte| **byte == 0).count();
    zeros * 100 <= head.len()
}

/// The lines of a content, without their line feeds.
pub(crate) fn lines(content: &[u8]) -> Vec<&[u8]> {
    let mut lines: Vec<&[u8]> = content.split(|byte| *byte == b'\n').collect();
    if lines.last().is_some_and(|last| last.is_empty()) {
        lines.pop();
    }
    lines
}

/// Compares two texts line by line. An absent side is empty.
pub(crate) fn compare_text(
    rebuilt: &[u8],
    published: &[u8],
    options: &Options,
    patience: &mut Patience,
) -> TextDifference {
    if count_lines(rebuilt).max(count_lines(published)) > MOST_LINES {
        return compare_many_lines(rebuilt, published, options);
    }
    let (old, new) = (lines(rebuilt), lines(published));
    let Some(mut stretches) = stretches(&old, &new, patience) else {
        return compare_many_lines(rebuilt, published, options);
    };
    // Equal lines, so the only thing left is the final line feed.
    if stretches.is_empty() && rebuilt != published {
        let last = |lines: &[&[u8]]| lines.len().saturating_sub(1)..lines.len();
        stretches.push((last(&old), last(&new)));
    }
    let mut hunks = Vec::new();
    let groups = group(&stretches);
    for stretches in groups.iter().take(options.hunks) {
        hunks.push(hunk(&old, &new, stretches, options.hunk_lines));
    }
    if groups.len() > options.hunks {
        hunks.push(format!("… {} more hunks", groups.len() - options.hunks));
    }
    let count = |side: fn(&(Range<usize>, Range<usize>)) -> usize| stretches.iter().map(side).sum();
    TextDifference {
        hunks,
        lines: (count(|(_, new)| new.len()), count(|(old, _)| old.len())),
        stretches,
    }
}

fn count_lines(content: &[u8]) -> usize {
    content.iter().filter(|byte| **byte == b'\n').count()
}

/// Everything between the equal beginning and the equal end, as one hunk.
fn compare_many_lines(rebuilt: &[u8], published: &[u8], options: &Options) -> TextDifference {
    let same = rebuilt
        .iter()
        .zip(published)
        .take_while(|(one, other)| one == other)
        .count();
    let start = rebuilt
        .get(..same)
        .and_then(|same| same.iter().rposition(|byte| *byte == b'\n'))
        .map_or(0, |line_feed| line_feed + 1);
    let (old, new) = (
        rebuilt.get(start..).unwrap_or_default(),
        published.get(start..).unwrap_or_default(),
    );
    let end = old
        .iter()
        .rev()
        .zip(new.iter().rev())
        .take_while(|(one, other)| one == other)
        .count();
    // An equal end counts from its first whole line on.
    let tail = old.get(old.len() - end..).unwrap_or_default();
    let end = tail
        .iter()
        .position(|byte| *byte == b'\n')
        .map_or(0, |line_feed| end - line_feed - 1);
    let (old, new) = (
        old.get(..old.len() - end).unwrap_or_default(),
        new.get(..new.len() - end).unwrap_or_default(),
    );
    let first = rebuilt.get(..start).map_or(0, count_lines);
    let cut = |content: &[u8]| -> usize {
        content
            .iter()
            .enumerate()
            .filter(|(_, byte)| **byte == b'\n')
            .nth(options.hunk_lines)
            .map_or(content.len(), |(at, _)| at + 1)
    };
    let (old_lines, new_lines) = (
        lines(old.get(..cut(old)).unwrap_or_default()),
        lines(new.get(..cut(new)).unwrap_or_default()),
    );
    let (old_count, new_count) = (lines_in(old), lines_in(new));
    let body = hunk(
        &old_lines,
        &new_lines,
        &[(0..old_lines.len(), 0..new_lines.len())],
        options.hunk_lines,
    );
    let shown = body.split_once('\n').map_or("", |(_, shown)| shown);
    let header = format!(
        "@@ -{},{old_count} +{},{new_count} @@",
        first + 1,
        first + 1
    );
    TextDifference {
        hunks: vec![format!("{header}\n{shown}")],
        lines: (new_count, old_count),
        stretches: Vec::new(),
    }
}

fn lines_in(content: &[u8]) -> usize {
    count_lines(content) + usize::from(!content.is_empty() && !content.ends_with(b"\n"))
}

/// The changed stretches; `None` when finding them would take too long.
fn stretches(old: &[&[u8]], new: &[&[u8]], patience: &mut Patience) -> Option<Vec<Stretch>> {
    let start = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let (old, new) = (old.get(start..)?, new.get(start..)?);
    let same_end = old
        .iter()
        .rev()
        .zip(new.iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    let old = old.get(..old.len() - same_end)?;
    let new = new.get(..new.len() - same_end)?;
    if old.is_empty() || new.is_empty() {
        return Some(if old.len() == new.len() {
            Vec::new()
        } else {
            vec![(start..start + old.len(), start..start + new.len())]
        });
    }
    if !patience.suffices(old.len().max(new.len())) {
        return None;
    }
    let mut input: InternedInput<&[u8]> = InternedInput {
        before: Vec::with_capacity(old.len()),
        after: Vec::with_capacity(new.len()),
        interner: Interner::new(old.len() + new.len()),
    };
    input.update_before(old.iter().copied());
    input.update_after(new.iter().copied());
    let mut diff = Diff::compute(Algorithm::Histogram, &input);
    diff.postprocess_with_heuristic(
        &input,
        imara_diff::IndentHeuristic::new(|token: Token| {
            imara_diff::IndentLevel::for_ascii_line(input.interner[token].iter().copied(), 8)
        }),
    );
    let range = |range: Range<u32>| start + range.start as usize..start + range.end as usize;
    Some(
        diff.hunks()
            .map(|hunk| (range(hunk.before), range(hunk.after)))
            .collect(),
    )
}

type Stretch = (Range<usize>, Range<usize>);

/// Stretches whose context would touch belong into one hunk.
fn group(stretches: &[Stretch]) -> Vec<Vec<Stretch>> {
    let mut groups: Vec<Vec<Stretch>> = Vec::new();
    for stretch in stretches {
        match groups.last_mut() {
            Some(group)
                if group.last().is_some_and(|last| {
                    stretch.0.start.saturating_sub(last.0.end) <= 2 * CONTEXT as usize
                }) =>
            {
                group.push(stretch.clone());
            }
            Some(_) | None => groups.push(vec![stretch.clone()]),
        }
    }
    groups
}

fn hunk(old: &[&[u8]], new: &[&[u8]], stretches: &[Stretch], most: usize) -> String {
    let (Some(first), Some(last)) = (stretches.first(), stretches.last()) else {
        return String::new();
    };
    let context = CONTEXT as usize;
    let before = context.min(first.0.start);
    let after = context.min(old.len().saturating_sub(last.0.end));
    let old_range = first.0.start - before..last.0.end + after;
    let new_range = first.1.start - before..last.1.end + after;
    let mut lines = vec![format!(
        "@@ -{} +{} @@",
        position(&old_range),
        position(&new_range)
    )];
    let mut left_out = 0;
    let mut push = |sign: char, line: &[u8], other: Option<&[u8]>| {
        if lines.len() > most {
            left_out += 1;
        } else {
            lines.push(format!("{sign}{}", shown(line, other)));
        }
    };
    let mut at = old_range.start;
    for (removed, added) in stretches {
        for line in old.get(at..removed.start).unwrap_or_default() {
            push(' ', line, None);
        }
        let removed_lines = old.get(removed.clone()).unwrap_or_default();
        let added_lines = new.get(added.clone()).unwrap_or_default();
        // Room is shared, so that what was published is seen however much was removed.
        let half = (most / 2).max(1);
        let shown_removed = if removed_lines.len() + added_lines.len() > most {
            half.max(most.saturating_sub(added_lines.len()))
        } else {
            removed_lines.len()
        };
        for (number, line) in removed_lines.iter().take(shown_removed).enumerate() {
            push('-', line, added_lines.get(number).copied());
        }
        if removed_lines.len() > shown_removed {
            push(
                '-',
                format!("… {} more lines", removed_lines.len() - shown_removed).as_bytes(),
                None,
            );
        }
        for (number, line) in added_lines.iter().enumerate() {
            push('+', line, removed_lines.get(number).copied());
        }
        at = removed.end;
    }
    for line in old.get(at..old_range.end).unwrap_or_default() {
        push(' ', line, None);
    }
    if left_out > 0 {
        lines.push(format!("… {left_out} more lines"));
    }
    lines.join("\n")
}

fn position(range: &Range<usize>) -> String {
    let start = if range.is_empty() {
        range.start
    } else {
        range.start + 1
    };
    format!("{start},{}", range.len())
}

/// A line, or of a long one the part in which it differs from its counterpart.
fn shown(line: &[u8], counterpart: Option<&[u8]>) -> String {
    if line.len() <= LINE {
        return escape(line, LINE);
    }
    let common = counterpart.map_or(0, |other| {
        line.iter().zip(other).take_while(|(a, b)| a == b).count()
    });
    let start = common.saturating_sub(LINE / 4);
    let end = start.saturating_add(LINE).min(line.len());
    let start = start.min(end.saturating_sub(LINE));
    let window = escape(line.get(start..end).unwrap_or_default(), LINE * 8);
    let before = if start > 0 {
        format!("…{start} bytes… ")
    } else {
        String::new()
    };
    let after = if end < line.len() {
        format!(" …{} bytes…", line.len() - end)
    } else {
        String::new()
    };
    format!("{before}{window}{after}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compared(rebuilt: &[u8], published: &[u8]) -> TextDifference {
        compare_text(
            rebuilt,
            published,
            &Options::default(),
            &mut Patience::default(),
        )
    }

    fn check(rebuilt: &str, published: &str, expect: &[&str]) {
        let found = compared(rebuilt.as_bytes(), published.as_bytes());
        assert_eq!(found.hunks, expect);
    }

    #[test]
    fn a_changed_line_is_shown_with_its_surroundings() {
        check(
            "1\n2\n3\n4\n5\n6\n7\n8\n9\n",
            "1\n2\n3\n4\nfive\n6\n7\n8\n9\n",
            &["@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8"],
        );
    }

    #[test]
    fn an_added_file_is_all_plus() {
        check("", "a\nb\n", &["@@ -0,0 +1,2 @@\n+a\n+b"]);
    }

    #[test]
    fn far_changes_make_separate_hunks() {
        let old: Vec<String> = (0..50).map(|n| n.to_string()).collect();
        let mut new = old.clone();
        new[3] = "x".into();
        new[40] = "y".into();
        let found = compared(old.join("\n").as_bytes(), new.join("\n").as_bytes());
        assert_eq!(found.hunks.len(), 2);
        assert_eq!(found.lines, (2, 2));
    }

    #[test]
    fn hidden_characters_are_spelled_out() {
        check("a\n", "a\u{202e}\n", &["@@ -1,1 +1,1 @@\n-a\n+a\\u{202e}"]);
        check("a\n", "a\r\n", &["@@ -1,1 +1,1 @@\n-a\n+a\\u{d}"]);
    }

    #[test]
    fn a_minified_line_is_shown_around_its_change() {
        let old = format!("{}const a=1;{}", "x".repeat(5000), "y".repeat(5000));
        let new = old.replace("a=1", "a=2");
        let found = compared(old.as_bytes(), new.as_bytes());
        let [hunk] = found.hunks.as_slice() else {
            panic!("{found:?}");
        };
        assert!(hunk.contains("const a=2;") && hunk.len() < 1000, "{hunk}");
    }

    #[test]
    fn bounds_hold() {
        let old = "a\n".repeat(5000);
        let new: String = (0..5000).map(|n| format!("{n}\n")).collect();
        let options = Options::default();
        let found = compared(old.as_bytes(), new.as_bytes());
        assert!(found.hunks.len() <= options.hunks + 1);
        assert!(
            found
                .hunks
                .iter()
                .all(|hunk| hunk.lines().count() <= options.hunk_lines + 2)
        );
        assert!(found.hunks[0].contains("+0"), "{:?}", found.hunks);
    }

    #[test]
    fn very_many_lines_are_compared_from_both_ends() {
        let old = "\n".repeat(MOST_LINES) + "a\nb\n" + &"\n".repeat(100);
        let new = "\n".repeat(MOST_LINES) + "a\nc\n" + &"\n".repeat(100);
        let found = compared(old.as_bytes(), new.as_bytes());
        assert_eq!(found.hunks, ["@@ -200002,1 +200002,1 @@\n-b\n+c"]);
        assert_eq!(found.lines, (1, 1));
        let found = compared(b"", old.as_bytes());
        assert_eq!(found.lines, (MOST_LINES + 102, 0));
        assert!(found.hunks[0].lines().count() <= Options::default().hunk_lines + 2);
    }

    #[test]
    fn texts_that_would_take_too_long_are_compared_from_both_ends() {
        let repetitive = |first: &str| format!("{first}\n{}x\n", "a\nb\n".repeat(1000));
        let (old, new) = (repetitive("1"), repetitive("2") + "y\n");
        let mut patience = Patience(100);
        let found = compare_text(
            old.as_bytes(),
            new.as_bytes(),
            &Options::default(),
            &mut patience,
        );
        assert_eq!(found.stretches, []);
        assert_eq!(found.lines, (2003, 2002));
        assert!(found.hunks[0].contains("\n+2\n"), "{:?}", found.hunks);
    }

    #[test]
    fn a_few_zero_bytes_do_not_hide_code() {
        assert!(is_text(
            format!("// \0\n{}", "code()\n".repeat(50)).as_bytes()
        ));
        assert!(!is_text(b"\x7fELF\x02\x01\0\0\0\0"));
    }

    #[test]
    fn a_missing_final_line_feed_is_a_difference() {
        let found = compared(b"a\nb\n", b"a\nb");
        assert_eq!(found.lines, (1, 1));
    }
}
