//! The kinds of token that builds embed, each with what it may look like.

use std::ops::Range;

use crate::known::Known;

/// One kind.
pub(super) struct Kind {
    pub(super) name: &'static str,
    /// What it is called in an explanation.
    pub(super) words: &'static str,
    /// Bytes that such a token is made of.
    belongs: fn(u8) -> bool,
    /// Longer ones are something else.
    longest: usize,
    /// Whether the token there is, or may be, a part of an address that programs reach others by.
    pub(super) stands_in_an_address: fn(&[u8], &Range<usize>, &Known) -> bool,
    /// Cuts what both tokens have in common and is no part of the value; how many bytes at the end that were.
    pub(super) narrow: Narrow,
    /// Whether the first (rebuilt) and the second (published) are such values.
    pub(super) accepts: fn(&[u8], &[u8], &Known) -> bool,
    /// Whether one file can hold one such pair only.
    pub(super) always_the_same: bool,
}

/// The two values within two tokens, and how many bytes of both come after them.
type Narrow = for<'t> fn(&'t [u8], &'t [u8]) -> (&'t [u8], &'t [u8], usize);

/// Most specific first.
pub(super) const KINDS: &[Kind] = &[
    Kind {
        name: "time",
        words: "what reads as a time",
        belongs: |byte| byte.is_ascii_digit() || b"-:.TZ+".contains(&byte),
        longest: 40,
        stands_in_an_address: is_next_to_address_signs,
        narrow: |old, new| (old, new, 0),
        accepts: |old, new, _| is_time(old) && is_time(new) && old != new,
        always_the_same: false,
    },
    Kind {
        name: "commit",
        words: "an embedded commit",
        belongs: |byte| byte.is_ascii_alphanumeric() || byte == b'_',
        longest: 40,
        stands_in_an_address: |_, _, _| false,
        narrow: |old, new| (old, new, 0),
        accepts: |old, new, known| {
            is_commit(old) && is_commit(new) && old.len() == new.len() && {
                // Any digest looks like a commit: one of the two has to be the one that was built.
                known.commits.iter().any(|commit| {
                    commit.as_bytes().starts_with(old) || commit.as_bytes().starts_with(new)
                })
            }
        },
        always_the_same: true,
    },
    Kind {
        name: "version",
        words: "an embedded version",
        belongs: |byte| byte.is_ascii_alphanumeric() || b".+-_!".contains(&byte),
        longest: 64,
        stands_in_an_address: is_in_a_host,
        narrow: |old, new| match (old.strip_prefix(b"v"), new.strip_prefix(b"v")) {
            (Some(old), Some(new)) => (old, new, 0),
            _ => (old, new, 0),
        },
        accepts: |old, new, known| {
            is_version(old)
                && is_version(new)
                && (known.versions.is_empty()
                    || known
                        .versions
                        .iter()
                        .any(|version| version.as_bytes() == new))
        },
        always_the_same: true,
    },
    Kind {
        name: "directory",
        words: "the build directory",
        belongs: |byte| byte.is_ascii_alphanumeric() || b"/._-+@~ ".contains(&byte) || byte >= 0x80,
        longest: 1024,
        stands_in_an_address: |_, _, _| false,
        narrow: without_common_end,
        accepts: |old, new, known| {
            is_directory(old)
                && is_directory(new)
                && is_home(new)
                && if known.build_paths.is_empty() {
                    is_home(old)
                } else {
                    known.build_paths.iter().any(|path| {
                        let path = path.as_bytes();
                        // What both have in common at the end may be part of the build path's own name.
                        is_below(path, old) || is_below(old, path)
                    })
                }
        },
        always_the_same: true,
    },
];

impl Kind {
    /// The token around `at`, from `start` at the earliest; `None` where there is none, or one that is too long.
    pub(super) fn token_at(&self, text: &[u8], start: usize, at: usize) -> Option<Range<usize>> {
        let window = at.saturating_sub(self.longest + 1).max(start)..at;
        let before = text
            .get(window.clone())?
            .iter()
            .rev()
            .take_while(|byte| (self.belongs)(**byte))
            .count();
        let after = text
            .get(at..)?
            .iter()
            .take(self.longest + 1)
            .take_while(|byte| (self.belongs)(**byte))
            .count();
        let length = before + after;
        // A token that began before `start` was taken for something else already.
        let torn = window.start == start
            && before == window.len()
            && start > 0
            && text
                .get(start - 1)
                .is_some_and(|byte| (self.belongs)(*byte));
        (length > 0 && length <= self.longest && !torn).then_some(at - before..at + after)
    }
}

/// Whether a number or a date is a piece of something longer: of a path, a host, a port, a word.
fn is_next_to_address_signs(text: &[u8], token: &Range<usize>, _: &Known) -> bool {
    let joins =
        |byte: u8| b"/:.@%&=?#~_-".contains(&byte) || byte.is_ascii_alphanumeric() || byte >= 0x80;
    let before = before(text, token);
    // `t=1764151200`, `at: 1764151200` and `Built 2026-11-26.` are no addresses.
    let joined_before = before
        .last()
        .is_some_and(|byte| joins(*byte) && *byte != b'=')
        || before.last() == Some(&b'=') && is_in_an_address(before);
    let after = text.get(token.end..).unwrap_or_default();
    let joined_after = match after {
        [b'.', next, ..] => !next.is_ascii_whitespace(),
        [next, ..] => joins(*next),
        [] => false,
    };
    joined_before || joined_after || is_in_an_address(before)
}

/// `//10.1.77/` and `user@10.1.77`: readers take two and three numbers for an address, too. `x@1.2.3` is how a package is
/// written, which is believed where it is this release's version.
fn is_in_a_host(text: &[u8], token: &Range<usize>, known: &Known) -> bool {
    let before = before(text, token);
    let Some(scheme) = before.windows(2).rposition(|two| two == b"//") else {
        return before.ends_with(b"@") && known.versions.is_empty();
    };
    // From there on, up to a slash, a question mark or a number sign, it is the host.
    let host = before.get(scheme + 2..).unwrap_or_default();
    !host.iter().any(|byte| b"/?#".contains(byte))
}

/// Whether the word that ends here has a scheme in it.
fn is_in_an_address(before: &[u8]) -> bool {
    before.windows(2).any(|two| two == b"//")
}

/// The word that the token is a part of, as far as it stands before it.
fn before<'t>(text: &'t [u8], token: &Range<usize>) -> &'t [u8] {
    const LONGEST: usize = 256;
    let start = token.start.saturating_sub(LONGEST);
    let all = text.get(start..token.start).unwrap_or_default();
    let length = all
        .iter()
        .rev()
        .take_while(|byte| !byte.is_ascii_whitespace() && !b"\"'`<>(){}[],;|\\".contains(byte))
        .count();
    all.get(all.len() - length..).unwrap_or_default()
}

/// `1.2.3`, with pre-release and build parts: what no other text is by chance. Four numbers are an address.
fn is_version(token: &[u8]) -> bool {
    let Ok(token) = std::str::from_utf8(token) else {
        return false;
    };
    let release = token.split(['-', '+']).next().unwrap_or_default();
    let mut numbers = release.split('.');
    let number = |part: Option<&str>| {
        part.is_some_and(|part| {
            !part.is_empty() && part.len() <= 10 && part.bytes().all(|byte| byte.is_ascii_digit())
        })
    };
    if !(number(numbers.next()) && number(numbers.next())) {
        return false;
    }
    // PEP 440 writes `1.2.3rc1` and `1.2.3.post1`.
    let third = numbers.next().unwrap_or_default();
    let digits = third.bytes().take_while(u8::is_ascii_digit).count();
    let suffix = |text: &str| {
        ["a", "b", "rc", "post", "dev"].iter().any(|word| {
            text.strip_prefix(word).is_some_and(|rest| {
                !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit())
            })
        })
    };
    let third_fits = digits > 0
        && third
            .get(digits..)
            .is_some_and(|rest| rest.is_empty() || suffix(rest));
    third_fits
        && numbers.all(suffix)
        && token
            .bytes()
            .last()
            .is_some_and(|b| b.is_ascii_alphanumeric())
}

/// At least the seven digits that git shortens to, and a digit among them, so that it is no word.
fn is_commit(token: &[u8]) -> bool {
    (7..=40).contains(&token.len())
        && token
            .iter()
            .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte))
}

fn digits(token: &[u8]) -> Option<u64> {
    let plain = !token.is_empty() && token.len() <= 19 && token.iter().all(u8::is_ascii_digit);
    plain
        .then(|| std::str::from_utf8(token).ok()?.parse().ok())
        .flatten()
}

/// Seconds or milliseconds, which may as well be an account, a port and a host, or a price.
pub(super) fn is_mere_number(token: &[u8]) -> bool {
    token.iter().all(u8::is_ascii_digit)
}

/// A date, a time of day, both as ISO 8601 has them, or seconds or milliseconds since 1970 of the years 2010 to 2039.
fn is_time(token: &[u8]) -> bool {
    match token.len() {
        10 if token.iter().all(u8::is_ascii_digit) => {
            digits(token).is_some_and(|seconds| (1_262_304_000..2_208_988_800).contains(&seconds))
        }
        13 if token.iter().all(u8::is_ascii_digit) => digits(token)
            .is_some_and(|millis| (1_262_304_000_000..2_208_988_800_000).contains(&millis)),
        _ => match token.get(10) {
            None => is_date(token) || is_clock(token),
            Some(b'T') => {
                token.get(..10).is_some_and(is_date) && token.get(11..).is_some_and(is_clock)
            }
            Some(_) => is_clock(token),
        },
    }
}

/// `2026-11-26`.
fn is_date(token: &[u8]) -> bool {
    let [y @ .., b'-', m1, m2, b'-', d1, d2] = token else {
        return false;
    };
    let in_range = |range: Range<u64>, token: &[u8]| {
        digits(token).is_some_and(|number| range.contains(&number))
    };
    y.len() == 4
        && in_range(1990..2100, y)
        && in_range(1..13, &[*m1, *m2])
        && in_range(1..32, &[*d1, *d2])
}

/// `12:37:16`, with a fraction and a zone.
fn is_clock(token: &[u8]) -> bool {
    let [h1, h2, b':', m1, m2, b':', s1, s2, rest @ ..] = token else {
        return false;
    };
    let below = |most: u64, token: &[u8]| digits(token).is_some_and(|number| number < most);
    let rest = match rest {
        [b'.', fraction @ ..] => {
            let count = fraction
                .iter()
                .take_while(|byte| byte.is_ascii_digit())
                .count();
            if count == 0 {
                return false;
            }
            fraction.get(count..).unwrap_or_default()
        }
        rest => rest,
    };
    let zone = match rest {
        [] | [b'Z'] => true,
        [b'+' | b'-', h1, h2, b':', m1, m2] => below(24, &[*h1, *h2]) && below(60, &[*m1, *m2]),
        _ => false,
    };
    zone && below(24, &[*h1, *h2]) && below(60, &[*m1, *m2]) && below(61, &[*s1, *s2])
}

/// Cuts the path that both lead to, in whole parts: `/build/src/a.js` and `/home/x/src/a.js` share `/src/a.js`.
fn without_common_end<'t>(old: &'t [u8], new: &'t [u8]) -> (&'t [u8], &'t [u8], usize) {
    // What stands before the first slash is no part of an absolute path.
    let absolute = |token: &'t [u8]| {
        let start = token
            .iter()
            .position(|byte| *byte == b'/')
            .unwrap_or(token.len());
        token.get(start..).unwrap_or_default()
    };
    if old.iter().position(|byte| *byte == b'/') != new.iter().position(|byte| *byte == b'/') {
        return (&[], &[], 0);
    }
    let (old, new) = (absolute(old), absolute(new));
    let common = old
        .iter()
        .rev()
        .zip(new.iter().rev())
        .take_while(|(one, other)| one == other)
        .count();
    let end = old.get(old.len() - common..).unwrap_or_default();
    let cut = end
        .iter()
        .position(|byte| *byte == b'/')
        .map_or(0, |slash| end.len() - slash);
    (
        old.get(..old.len() - cut).unwrap_or_default(),
        new.get(..new.len() - cut).unwrap_or_default(),
        cut,
    )
}

fn is_directory(token: &[u8]) -> bool {
    token.len() > 1
        && token.starts_with(b"/")
        && !token.starts_with(b"//")
        && !token.windows(3).any(|part| part == b"/..")
}

fn is_below(path: &[u8], directory: &[u8]) -> bool {
    path.strip_prefix(directory)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

/// Where people and build services keep their checkouts. `/api` of an address is not there.
fn is_home(token: &[u8]) -> bool {
    const HOMES: &[&[u8]] = &[
        b"/home",
        b"/Users",
        b"/root",
        b"/build",
        b"/builds",
        b"/tmp",
        b"/var/folders",
        b"/private",
        b"/workspace",
        b"/workspaces",
        b"/github",
        b"/opt",
        b"/mnt",
        b"/src",
        b"/app",
        b"/usr/src",
        b"/runner",
        b"/data",
        b"/work",
    ];
    HOMES.iter().any(|home| is_below(token, home))
}
