//! Moments that stand in a program as text. A release tool has the linker write the time of its run into a variable,
//! and nothing else tells which it was.

use std::collections::BTreeSet;

/// More are not told: one is looked for.
const MOST: usize = 16;
/// `2026-05-28T20:26:40Z`.
const LENGTH: usize = 20;

/// The moments, in order; each of the form of RFC 3339 with seconds and `Z`.
pub(super) fn of(program: &[u8]) -> Vec<String> {
    let mut found = BTreeSet::new();
    let mut from = 0;
    while let Some(at) = program
        .get(from..)
        .and_then(|rest| rest.iter().position(|byte| *byte == b'T'))
    {
        let here = from + at;
        from = here + 1;
        let moment = here
            .checked_sub(10)
            .and_then(|start| program.get(start..start + LENGTH));
        if let Some(moment) = moment.filter(|moment| is_moment(moment)) {
            found.insert(String::from_utf8_lossy(moment).into_owned());
            if found.len() >= MOST {
                break;
            }
        }
    }
    found.into_iter().collect()
}

fn is_moment(bytes: &[u8]) -> bool {
    bytes
        .iter()
        .zip(b"20dd-dd-ddTdd:dd:ddZ")
        .all(|(byte, form)| {
            if *form == b'd' {
                byte.is_ascii_digit()
            } else {
                byte == form
            }
        })
}
