//! The report for issues and pull requests.

use remint_judge::ResultEvidence;
use remint_model::{Comparison, Outcome};

use super::foreign::harmless;
use super::human::push;
use super::{RunReport, TargetReport, outcome_word};

pub(super) fn render(report: &RunReport) -> String {
    let mut text = String::from("| target | outcome | content | source |\n|---|---|---|---|\n");
    for target in &report.targets {
        let pin = target
            .evidence
            .as_ref()
            .and_then(|evidence| evidence.source.as_ref());
        let source = pin.map_or_else(
            || "—".to_owned(),
            |pin| format!("{} at `{}`", escape(&pin.repository), pin.commit.short()),
        );
        push(
            &mut text,
            format_args!(
                "| {} | **{}** | {} | {source} |\n",
                code(&target.label),
                outcome_word(target.judgement.outcome),
                serde_json::to_value(target.judgement.content)
                    .ok()
                    .and_then(|value| value.as_str().map(str::to_owned))
                    .unwrap_or_default(),
            ),
        );
    }
    for words in &report.unjudged {
        push(
            &mut text,
            format_args!("\n**not judged**: {}\n", escape(words)),
        );
    }
    for target in &report.targets {
        if target.judgement.outcome != Outcome::Verified || !target.judgement.findings.is_empty() {
            details(&mut text, target);
        }
    }
    text
}

fn details(text: &mut String, target: &TargetReport) {
    push(text, format_args!("\n### {}\n\n", code(&target.label)));
    if let Some(detail) = &target.judgement.detail {
        push(text, format_args!("{}\n\n", escape(detail)));
    }
    for note in &target.notes {
        push(text, format_args!("{}\n\n", escape(note)));
    }
    for finding in &target.judgement.findings {
        push(
            text,
            format_args!("- `{}`: {}\n", finding.id, escape(&finding.message)),
        );
    }
    if let Some(ResultEvidence::Compared {
        comparison: Comparison::Different { differences, .. },
        ..
    }) = target.evidence.as_ref().map(|evidence| &evidence.result)
    {
        for difference in differences.iter().take(50) {
            push(
                text,
                format_args!(
                    "- {} {}\n",
                    difference.class.word(),
                    code(difference.path.as_str())
                ),
            );
            if !difference.hunks.is_empty() {
                // A fence longer than any run of backticks inside cannot be closed by the content.
                let body = difference.hunks.join("\n");
                let fence = "`".repeat(longest_run(&body).max(2) + 1);
                push(text, format_args!("\n{fence}diff\n{body}\n{fence}\n\n"));
            }
        }
    }
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

/// A code span that its content cannot leave (CommonMark 0.31, section 6.1), also as a cell of a table.
fn code(text: &str) -> String {
    let text = harmless(text).replace('|', "\\|");
    let fence = "`".repeat(longest_run(&text) + 1);
    if fence.len() == 1 {
        format!("`{text}`")
    } else {
        format!("{fence} {text} {fence}")
    }
}

/// Text from strangers must not become markup.
fn escape(text: &str) -> String {
    let text = harmless(text);
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(
            c,
            '\\' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '#' | '@' | '`' | '~'
        ) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_cannot_leave_its_code_span() {
        assert_eq!(code("lib/a.js"), "`lib/a.js`");
        assert_eq!(code("lib/a`|<img>.js"), "`` lib/a`\\|<img>.js ``");
        assert_eq!(code("a\nb"), "`a b`");
        assert_eq!(escape("`x` <b>"), "\\`x\\` \\<b\\>");
    }
}
