//! A unified hunk laid out in two columns, with what changed inside of a line marked.

/// One row of the two columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) left: Option<Cell>,
    pub(super) right: Option<Cell>,
}

/// A line of one of the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cell {
    /// Its number, from 1; `None` for a remark about lines that are left out.
    pub(super) number: Option<usize>,
    /// Whether the other file lacks it.
    pub(super) changed: bool,
    /// The beginning that both lines have, what differs, and the end that both have.
    pub(super) text: [String; 3],
}

/// The rows of a hunk: what is in both files stands in one row, and what replaces each other as well.
pub(super) fn rows(head: &str, body: &str) -> Vec<Line> {
    let (mut left, mut right) = starts(head).unwrap_or((1, 1));
    let mut rows = Vec::new();
    let (mut removed, mut added) = (Vec::new(), Vec::new());
    for line in body.lines() {
        let mut characters = line.chars();
        match characters.next() {
            Some('-') => removed.push(characters.as_str()),
            Some('+') => added.push(characters.as_str()),
            Some(' ') => {
                pair(&mut rows, &mut removed, &mut added, (&mut left, &mut right));
                let cell = |number| Cell {
                    number: Some(number),
                    changed: false,
                    text: whole(characters.as_str()),
                };
                rows.push(Line {
                    left: Some(cell(left)),
                    right: Some(cell(right)),
                });
                left += 1;
                right += 1;
            }
            // A remark about what is left out.
            Some(_) | None => {
                pair(&mut rows, &mut removed, &mut added, (&mut left, &mut right));
                rows.push(Line {
                    left: Some(Cell {
                        number: None,
                        changed: false,
                        text: whole(line),
                    }),
                    right: None,
                });
            }
        }
    }
    pair(&mut rows, &mut removed, &mut added, (&mut left, &mut right));
    rows
}

/// Lays what was removed beside what was added in its place.
fn pair(
    rows: &mut Vec<Line>,
    removed: &mut Vec<&str>,
    added: &mut Vec<&str>,
    (left, right): (&mut usize, &mut usize),
) {
    for at in 0..removed.len().max(added.len()) {
        let (old, new) = (removed.get(at).copied(), added.get(at).copied());
        let (old_text, new_text) = match (old, new) {
            (Some(old), Some(new)) => inner_change(old, new),
            (old, new) => (
                whole(old.unwrap_or_default()),
                whole(new.unwrap_or_default()),
            ),
        };
        let cell = |line: Option<&str>, text, number: &mut usize| {
            line.map(|_| {
                *number += 1;
                Cell {
                    number: Some(*number - 1),
                    changed: true,
                    text,
                }
            })
        };
        rows.push(Line {
            left: cell(old, old_text, left),
            right: cell(new, new_text, right),
        });
    }
    removed.clear();
    added.clear();
}

/// The part in which two lines differ; lines that have little in common differ as a whole.
fn inner_change(old: &str, new: &str) -> ([String; 3], [String; 3]) {
    let (old_characters, new_characters): (Vec<char>, Vec<char>) =
        (old.chars().collect(), new.chars().collect());
    let shortest = old_characters.len().min(new_characters.len());
    let start = old_characters
        .iter()
        .zip(&new_characters)
        .take_while(|(one, other)| one == other)
        .count();
    let end = old_characters
        .iter()
        .rev()
        .zip(new_characters.iter().rev())
        .take(shortest - start)
        .take_while(|(one, other)| one == other)
        .count();
    if (start + end) * 3 < shortest {
        return (whole(old), whole(new));
    }
    let cut = |characters: &[char]| -> [String; 3] {
        let length = characters.len();
        let part = |range: std::ops::Range<usize>| {
            characters.get(range).unwrap_or_default().iter().collect()
        };
        [
            part(0..start),
            part(start..length - end),
            part(length - end..length),
        ]
    };
    (cut(&old_characters), cut(&new_characters))
}

fn whole(line: &str) -> [String; 3] {
    [line.to_owned(), String::new(), String::new()]
}

/// The first line numbers of a unified hunk's head, `@@ -3,4 +3,5 @@`.
fn starts(head: &str) -> Option<(usize, usize)> {
    let mut ranges = head.split(' ').filter_map(|word| {
        let range = word.strip_prefix(['-', '+'])?;
        range.split(',').next()?.parse().ok()
    });
    Some((ranges.next()?, ranges.next()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// `left|right`, each `number text[changed]text` or nothing.
    fn check(head: &str, body: &str, expect: &[&str]) {
        let show = |cell: &Option<Cell>| {
            cell.as_ref().map_or_else(String::new, |cell| {
                let number = cell
                    .number
                    .map_or_else(|| "-".to_owned(), |number| number.to_string());
                let [before, inner, after] = &cell.text;
                let inner = if inner.is_empty() {
                    String::new()
                } else {
                    format!("[{inner}]")
                };
                let sign = if cell.changed { "!" } else { "" };
                format!("{number}{sign} {before}{inner}{after}")
            })
        };
        let found: Vec<String> = rows(head, body)
            .iter()
            .map(|line| format!("{}|{}", show(&line.left), show(&line.right)))
            .collect();
        assert_eq!(found, expect);
    }

    #[test]
    fn replaced_lines_stand_side_by_side_with_the_change_marked() {
        check(
            "@@ -2,3 +2,4 @@",
            " a\n-const to = message.to;\n+const to = message.cc;\n+bcc();\n b",
            &[
                "2 a|2 a",
                "3! const to = message.[to];|3! const to = message.[cc];",
                "|4! bcc();",
                "4 b|5 b",
            ],
        );
    }

    #[test]
    fn what_only_one_file_has_stands_alone() {
        check("@@ -0,0 +1,2 @@", "+a\n+b", &["|1! a", "|2! b"]);
        check("@@ -1,1 +0,0 @@", "-a", &["1! a|"]);
    }

    #[test]
    fn lines_with_little_in_common_are_marked_as_a_whole() {
        check(
            "@@ -1,1 +1,1 @@",
            "-abcdefghi\n+zyxwvutsr",
            &["1! abcdefghi|1! zyxwvutsr"],
        );
    }

    #[test]
    fn a_remark_has_no_number() {
        check(
            "@@ -1,1 +1,1 @@",
            "-a\n… 3 more lines",
            &["1! a|", "- … 3 more lines|"],
        );
    }

    proptest! {
        #[test]
        fn every_line_is_there_once(head in any::<String>(), lines in proptest::collection::vec("[-+ ][^\r\n]{0,12}", 0..20)) {
            let rows = rows(&head, &lines.join("\n"));
            let text = |cell: &Cell| cell.text.concat();
            let left: Vec<String> = rows.iter().filter_map(|row| row.left.as_ref()).map(text).collect();
            let right: Vec<String> = rows.iter().filter_map(|row| row.right.as_ref()).map(text).collect();
            let of = |signs: [char; 2]| -> Vec<String> {
                lines.iter().filter(|line| line.starts_with(signs)).map(|line| line[1..].to_owned()).collect()
            };
            prop_assert_eq!(left, of(['-', ' ']));
            prop_assert_eq!(right, of(['+', ' ']));
        }
    }
}
