//! Characters that a reader does not see, in lines that the published file has and its source has not.

use remint_model::{Axis, Class, Comparison, Difference, Finding, Severity};
use serde_json::json;

use super::Check;
use crate::evidence::{Evidence, ResultEvidence};

pub(super) const CHECK: Check = Check {
    ids: &["hidden-characters"],
    run: hidden_characters,
};

fn hidden_characters(evidence: &Evidence) -> Vec<Finding> {
    let ResultEvidence::Compared {
        comparison: Comparison::Different { differences, .. },
        ..
    } = &evidence.result
    else {
        return Vec::new();
    };
    let paths: Vec<_> = differences
        .iter()
        .filter(|difference| is_read(difference.class) && adds_hidden(difference))
        .map(|difference| difference.path.as_str())
        .collect();
    let Some(first) = paths.first() else {
        return Vec::new();
    };
    vec![Finding {
        id: "hidden-characters",
        axis: Axis::Content,
        severity: Severity::High,
        message: format!(
            "`{first}` has invisible or direction-changing characters that its source has not"
        ),
        evidence: json!({ "paths": paths }),
    }]
}

/// Whether code or a model reads files of this class.
const fn is_read(class: Class) -> bool {
    match class {
        Class::Startup
        | Class::InstallScript
        | Class::Executable
        | Class::Manifest
        | Class::DependencyList
        | Class::Data
        | Class::Types
        | Class::Documentation => true,
        Class::Native | Class::Sourcemap | Class::Metadata | Class::Licence => false,
    }
}

fn adds_hidden(difference: &Difference) -> bool {
    difference
        .hunks
        .iter()
        .flat_map(|hunk| hunk.lines())
        .filter_map(|line| line.strip_prefix('+'))
        .any(names_hidden_character)
}

/// Hunks show hidden characters escaped, as `\u{202e}`.
fn names_hidden_character(line: &str) -> bool {
    line.split("\\u{").skip(1).any(|rest| {
        rest.split_once('}')
            .and_then(|(digits, _)| u32::from_str_radix(digits, 16).ok())
            .is_some_and(is_hidden)
    })
}

/// Zero-width and bidirectional controls, tag characters, and the soft hyphen (Unicode "Default_Ignorable" and
/// "Bidi_Control", without the variation selectors and joiners that emoji use).
const fn is_hidden(character: u32) -> bool {
    matches!(
        character,
        0x00AD | 0x061C | 0x180E | 0x200B | 0x200E..=0x200F | 0x202A..=0x202E | 0x2060..=0x2064
            | 0x2066..=0x206F | 0xFEFF | 0xE0000..=0xE007F
    )
}
