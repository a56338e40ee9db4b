//! Reads what `go build` writes into a program about itself, from ELF, Mach-O and PE files (`debug/buildinfo` of Go's
//! standard library; `cmd/link/internal/ld`, `buildinfo`).
//!
//! 1. The blob lies in a section of its own, or in the first section with data; it begins with a magic
//!    number at a multiple of 16 bytes.
//! 2. Behind a header of 32 bytes there are two strings, each with its length before it: the toolchain's version, and
//!    lines that begin with `path`, `mod`, `dep`, `=>` or `build`. Before Go 1.18 there were pointers instead: such
//!    programs are told apart and not read.
//! 3. The lines stand between two sentinels of 16 bytes.

use std::collections::BTreeSet;

use object::{Object as _, ObjectSection as _, SectionKind};
use remint_model::{Debugging, GoBuildInfo, GoDependency, GoModuleVersion};

mod build_id;
mod moments;
mod signature;

pub use signature::only_signed;

const MAGIC: &[u8] = b"\xff Go buildinf:";
const ALIGNMENT: usize = 16;
const HEADER: usize = 32;
const SENTINEL: usize = 16;
/// The flag that strings stand behind the header.
const INLINE: u8 = 2;
/// More sections are no honest program's.
const MOST_SECTIONS: usize = 10_000;
/// A version of a toolchain is shorter, with all experiments that it names.
const LONGEST_VERSION: usize = 512;
/// Programs with thousands of modules have less.
const LONGEST_LINES: usize = 4 << 20;
/// No program links more modules, or has more settings.
const MOST_DEPENDENCIES: usize = 20_000;
const MOST_SETTINGS: usize = 256;

/// Why a file says nothing about how it was built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoBuildInfo {
    /// It is none of the formats that programs have.
    #[error("it is no ELF, Mach-O or PE file that can be read")]
    Format,
    /// It is for several processors at once.
    #[error("it is a universal Mach-O file: each program in it has to be looked at for itself")]
    Universal,
    /// Nothing in it is what go writes.
    #[error("it has no build info, so it was not made by `go build`")]
    NotGo,
    /// It was made by an older toolchain.
    #[error("it was made by a Go before 1.18, which wrote its build info in another form")]
    Older,
    /// What go writes is damaged.
    #[error("its build info is damaged: {0}")]
    Damaged(&'static str),
}

/// What a program says about how it was built.
///
/// # Errors
/// It is no program of Go, or what it says cannot be read.
pub fn go_build_info(program: &[u8]) -> Result<GoBuildInfo, NoBuildInfo> {
    if matches!(program, [0xca, 0xfe, 0xba, 0xbe | 0xbf, ..]) {
        return Err(NoBuildInfo::Universal);
    }
    let file = object::File::parse(program).map_err(|_| NoBuildInfo::Format)?;
    let mut own = None;
    // As go does: the first section with data and no other. Sections can overlap, each as large as the file.
    let mut data = None;
    let mut debugging = Debugging {
        symbols: file.symbols().next().is_some(),
        dwarf: false,
    };
    for section in file.sections().take(MOST_SECTIONS) {
        let name = section.name_bytes().unwrap_or_default();
        let is_dwarf = [&b".debug_info"[..], b".zdebug_info"].contains(&name)
            || name.starts_with(b"__debug_info")
            || name.starts_with(b"__zdebug_info");
        debugging.dwarf |= is_dwarf;
        let Ok(content) = section.data() else {
            continue;
        };
        if matches!(name, b".go.buildinfo" | b"__go_buildinfo") {
            own = own.or(Some(content));
        } else if section.kind() == SectionKind::Data && !content.is_empty() {
            data = data.or(Some(content));
        }
    }
    let blob = own.or(data).and_then(find).ok_or(NoBuildInfo::NotGo)?;
    let mut info = decode(blob)?;
    info.debugging = debugging;
    info.build_id = build_id::of(program);
    info.moments = moments::of(program);
    Ok(info)
}

/// The blob and all that follows it in its section.
fn find(section: &[u8]) -> Option<&[u8]> {
    let mut rest = section;
    while rest.len() >= HEADER {
        if rest.starts_with(MAGIC) {
            return Some(rest);
        }
        rest = rest.get(ALIGNMENT..)?;
    }
    None
}

fn decode(blob: &[u8]) -> Result<GoBuildInfo, NoBuildInfo> {
    let flags = blob.get(MAGIC.len() + 1).copied().unwrap_or_default();
    if flags & INLINE == 0 {
        return Err(NoBuildInfo::Older);
    }
    let rest = blob.get(HEADER..).unwrap_or_default();
    let (version, rest) = string(rest, LONGEST_VERSION)?;
    let (lines, _) = string(rest, LONGEST_LINES)?;
    let version = text(version)?;
    if version.is_empty() {
        return Err(NoBuildInfo::NotGo);
    }
    let mut info = GoBuildInfo {
        go_version: version.to_owned(),
        ..GoBuildInfo::default()
    };
    // A program of the standard library, or one that was built without modules.
    if lines.is_empty() {
        return Ok(info);
    }
    let end = lines
        .len()
        .checked_sub(SENTINEL)
        .filter(|end| lines.get(end - 1) == Some(&b'\n'));
    let lines = end
        .and_then(|end| lines.get(SENTINEL..end))
        .ok_or(NoBuildInfo::Damaged("it does not end where it should"))?;
    read_lines(&mut info, lines)?;
    Ok(info)
}

/// A string behind its length (`binary.Uvarint`), and what follows.
fn string(bytes: &[u8], longest: usize) -> Result<(&[u8], &[u8]), NoBuildInfo> {
    let cut = NoBuildInfo::Damaged("a string is longer than what is there");
    let mut length = 0_usize;
    let mut shift = 0;
    let mut rest = bytes;
    loop {
        let (byte, after) = rest.split_first().ok_or_else(|| cut.clone())?;
        rest = after;
        length |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
        shift += 7;
        if shift > 28 {
            return Err(NoBuildInfo::Damaged("a string has no length"));
        }
    }
    if length > longest {
        return Err(NoBuildInfo::Damaged("a string is longer than any of go's"));
    }
    if length > rest.len() {
        return Err(cut);
    }
    Ok(rest.split_at(length))
}

/// UTF-8 without control characters: it is shown to people.
fn text(bytes: &[u8]) -> Result<&str, NoBuildInfo> {
    std::str::from_utf8(bytes)
        .ok()
        .filter(|text| !text.chars().any(|c| c.is_control() && c != '\t'))
        .ok_or(NoBuildInfo::Damaged("it holds what is no text"))
}

/// Reads the lines (`ParseBuildInfo` of `runtime/debug`). What is not known is damage, because a build that left it out
/// would not be the one that is told of.
fn read_lines(info: &mut GoBuildInfo, lines: &[u8]) -> Result<(), NoBuildInfo> {
    let damaged = |reason| Err(NoBuildInfo::Damaged(reason));
    let mut keys = BTreeSet::new();
    for line in lines.split(|byte| *byte == b'\n') {
        let line = text(line)?;
        if line.is_empty() {
            continue;
        }
        let (word, rest) = line.split_once('\t').unwrap_or((line, ""));
        match word {
            "path" => rest.clone_into(&mut info.package),
            "mod" => info.main = Some(module(rest)?),
            "dep" => {
                if info.dependencies.len() >= MOST_DEPENDENCIES {
                    return damaged("it names more modules than any program has");
                }
                info.dependencies.push(GoDependency {
                    required: module(rest)?,
                    replaced_by: None,
                });
            }
            "=>" => match info.dependencies.last_mut() {
                Some(last) => last.replaced_by = Some(module(rest)?),
                None => return damaged("something stands in for no module"),
            },
            "build" => {
                let Some((key, value)) = setting(rest) else {
                    return damaged("a setting cannot be read");
                };
                if keys.len() >= MOST_SETTINGS || !keys.insert(key.clone()) {
                    return damaged("a setting occurs twice, or there are too many");
                }
                info.settings.push((key, value));
            }
            _ => return damaged("a line begins with a word that is not known"),
        }
    }
    Ok(())
}

fn module(rest: &str) -> Result<GoModuleVersion, NoBuildInfo> {
    let mut parts = rest.split('\t');
    let (Some(path), version, sum, None) = (
        parts.next().filter(|path| !path.is_empty()),
        parts.next().unwrap_or_default(),
        parts.next().filter(|sum| !sum.is_empty()),
        parts.next(),
    ) else {
        return Err(NoBuildInfo::Damaged("a module cannot be read"));
    };
    Ok(GoModuleVersion {
        path: path.to_owned(),
        version: version.to_owned(),
        sum: sum.map(str::to_owned),
    })
}

/// `key=value`; either may be quoted as in Go.
fn setting(rest: &str) -> Option<(String, String)> {
    let (key, value) = match rest.strip_prefix(['"', '`']) {
        Some(_) => {
            let (key, after) = quoted(rest)?;
            (key, after.strip_prefix('=')?)
        }
        None => {
            let (key, value) = rest.split_once('=')?;
            (key.to_owned(), value)
        }
    };
    let value = match value.strip_prefix(['"', '`']) {
        Some(_) => {
            let (value, after) = quoted(value)?;
            after.is_empty().then_some(value)?
        }
        None => value.to_owned(),
    };
    (!key.is_empty()).then_some((key, value))
}

/// A string in Go's quotes, and what follows. Of the escapes only those that settings need are known.
fn quoted(text: &str) -> Option<(String, &str)> {
    if let Some(raw) = text.strip_prefix('`') {
        let (value, after) = raw.split_once('`')?;
        return Some((value.to_owned(), after));
    }
    let mut value = String::new();
    let mut characters = text.strip_prefix('"')?.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return Some((value, text.get(at + 2..)?)),
            '\\' => match characters.next()?.1 {
                c @ ('"' | '\\') => value.push(c),
                't' => value.push('\t'),
                // A line break would pass for the end of a line wherever it is shown.
                _ => return None,
            },
            c => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests;
