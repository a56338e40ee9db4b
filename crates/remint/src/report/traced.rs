//! How much of the published code was traced to its source, in words.

use remint_compare::Traced;

/// How much of the published code its source accounts for: rounded down, so that only all of it is 100 %.
pub(super) fn words(traced: Traced) -> Option<String> {
    let Traced {
        executable_bytes,
        traced_bytes,
    } = traced;
    if executable_bytes == 0 {
        return None;
    }
    let share = if traced_bytes == executable_bytes {
        "100 %".to_owned()
    } else {
        let tenths = u128::from(traced_bytes) * 1000 / u128::from(executable_bytes);
        match (tenths, traced_bytes) {
            (0, 0) => "0 %".to_owned(),
            (0, _) => "less than 0.1 %".to_owned(),
            (tenths, _) => format!("{}.{} %", tenths / 10, tenths % 10),
        }
    };
    Some(format!(
        "{share} of the published code, by bytes, is what the source builds"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(traced_bytes: u64, executable_bytes: u64, expect: Option<&str>) {
        let words = words(Traced {
            executable_bytes,
            traced_bytes,
        });
        let share = words.as_deref().and_then(|words| {
            words.strip_suffix(" of the published code, by bytes, is what the source builds")
        });
        assert_eq!(share, expect);
    }

    #[test]
    fn less_than_all_is_never_shown_as_all_and_more_than_nothing_never_as_nothing() {
        check(0, 0, None);
        check(0, 7, Some("0 %"));
        check(1, u64::MAX, Some("less than 0.1 %"));
        check(973, 1000, Some("97.3 %"));
        check(2, 3, Some("66.6 %"));
        check(u64::MAX - 1, u64::MAX, Some("99.9 %"));
        check(u64::MAX, u64::MAX, Some("100 %"));
    }
}
