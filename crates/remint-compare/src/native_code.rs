//! Recognises machine code by the first bytes of a file. It reads headers only: what the code does, and code that is
//! compressed, encrypted or appended to something else, is not its matter.

use remint_model::{EntryPath, NativeCode, NativeFormat};

/// How many bytes of a file are looked at. A PE header lies behind a stub, within these for every known linker.
pub(crate) const BEGINNING: usize = 4096;

/// Major and minor version of the first Java classes, 45.3 of JDK 1.1; before it stands the count of processors.
const OLDEST_CLASS: u32 = 45;

/// Names that loaders take for machine code, in lower case.
const ENDINGS: [&str; 9] = [
    "node", "so", "dylib", "dll", "pyd", "exe", "obj", "jnilib", "wasm",
];

/// What machine code a file is, by its name and its first bytes; `None` where it is none.
#[must_use]
pub fn recognise(path: &EntryPath, beginning: &[u8]) -> Option<NativeCode> {
    // A Java class begins as a universal file does, and a loader of either goes by the name or by what follows.
    let is_class = beginning.starts_with(&[0xca, 0xfe, 0xba, 0xbe])
        && path.file_name().to_ascii_lowercase().ends_with(".class")
        && u32_at(beginning, 4).map(u32::swap_bytes) >= Some(OLDEST_CLASS);
    if is_class {
        return None;
    }
    by_magic(beginning).or_else(|| {
        let is_binary = beginning.contains(&0)
            || std::str::from_utf8(beginning).is_err_and(|error| error.error_len().is_some());
        (is_binary && is_named_so(path)).then_some(NativeCode {
            format: NativeFormat::Unknown,
            architecture: None,
        })
    })
}

fn by_magic(bytes: &[u8]) -> Option<NativeCode> {
    let code = |format, architecture| {
        Some(NativeCode {
            format,
            architecture,
        })
    };
    match bytes {
        [0x7f, b'E', b'L', b'F', _, order, ..] => {
            // `e_machine`, in the byte order that `e_ident[EI_DATA]` tells.
            let machine = match order {
                2 => u16_at(bytes, 18).map(u16::swap_bytes),
                _ => u16_at(bytes, 18),
            };
            code(NativeFormat::Elf, machine.and_then(elf_machine))
        }
        [0xce | 0xcf, 0xfa, 0xed, 0xfe, ..] => code(
            NativeFormat::MachO,
            u32_at(bytes, 4).and_then(mach_processor),
        ),
        [0xfe, 0xed, 0xfa, 0xce | 0xcf, ..] => code(
            NativeFormat::MachO,
            u32_at(bytes, 4)
                .map(u32::swap_bytes)
                .and_then(mach_processor),
        ),
        [0xca, 0xfe, 0xba, 0xbe | 0xbf, ..] => code(NativeFormat::MachOUniversal, None),
        [0, b'a', b's', b'm', ..] => code(NativeFormat::Wasm, None),
        [b'B', b'C', 0xc0, 0xde, ..] | [0xde, 0xc0, 0x17, 0x0b, ..] => {
            code(NativeFormat::LlvmBitcode, None)
        }
        [b'M', b'Z', ..] => portable_executable(bytes),
        _ if bytes.starts_with(b"!<arch>\n") || bytes.starts_with(b"!<thin>\n") => {
            code(NativeFormat::StaticLibrary, None)
        }
        _ => None,
    }
}

/// Two letters alone begin many a text: the header that they announce has to be there. With binary data after them they
/// may still be a program, whose header lies behind what is looked at, or a text with a zero in it.
fn portable_executable(bytes: &[u8]) -> Option<NativeCode> {
    let at = usize::try_from(u32_at(bytes, 0x3c)?).ok()?;
    let has_header = at
        .checked_add(4)
        .and_then(|end| bytes.get(at..end))
        .is_some_and(|magic| magic == b"PE\0\0");
    let machine = at.checked_add(4).and_then(|at| u16_at(bytes, at));
    (has_header || bytes.contains(&0)).then_some(NativeCode {
        format: if has_header {
            NativeFormat::Pe
        } else {
            NativeFormat::Unknown
        },
        architecture: machine.filter(|_| has_header).and_then(pe_machine),
    })
}

fn is_named_so(path: &EntryPath) -> bool {
    let name = path.file_name().to_ascii_lowercase();
    name.contains(".so.")
        || name
            .rsplit_once('.')
            .is_some_and(|(_, ending)| ENDINGS.contains(&ending))
}

/// Little-endian.
fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..at.checked_add(2)?)?;
    Some(u16::from_le_bytes(bytes.try_into().ok()?))
}

/// Little-endian.
fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

/// ELF's `e_machine` (System V gABI, chapter 4).
const fn elf_machine(machine: u16) -> Option<&'static str> {
    Some(match machine {
        3 => "x86",
        8 => "mips",
        20 => "powerpc",
        21 => "powerpc64",
        22 => "s390x",
        40 => "arm",
        62 => "x86-64",
        183 => "aarch64",
        243 => "riscv",
        247 => "bpf",
        258 => "loongarch",
        _ => return None,
    })
}

/// `cputype` of `mach/machine.h`.
const fn mach_processor(processor: u32) -> Option<&'static str> {
    Some(match processor {
        7 => "x86",
        0x0100_0007 => "x86-64",
        12 => "arm",
        0x0100_000c => "aarch64",
        _ => return None,
    })
}

/// `Machine` of the COFF file header (PE format, "Machine Types").
const fn pe_machine(machine: u16) -> Option<&'static str> {
    Some(match machine {
        0x014c => "x86",
        0x8664 => "x86-64",
        0x01c0 | 0x01c4 => "arm",
        0xaa64 => "aarch64",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(name: &str, bytes: &[u8], expect: Option<(NativeFormat, Option<&'static str>)>) {
        let found = recognise(&name.parse().unwrap(), bytes);
        let found = found.map(|code| (code.format, code.architecture));
        assert_eq!(found, expect, "{name} {bytes:x?}");
    }

    fn elf(order: u8, machine: [u8; 2]) -> Vec<u8> {
        let mut bytes = b"\x7fELF\x02".to_vec();
        bytes.push(order);
        bytes.resize(18, 0);
        bytes.extend(machine);
        bytes
    }

    fn portable(at: u8, header: &[u8]) -> Vec<u8> {
        let mut bytes = b"MZ".to_vec();
        bytes.resize(0x3c, 0);
        bytes.extend([at, 0, 0, 0]);
        bytes.resize(at.into(), 0);
        bytes.extend(header);
        bytes
    }

    #[test]
    fn machine_code_is_known_by_its_bytes_whatever_its_name() {
        use NativeFormat::*;
        check("data.txt", &elf(1, [62, 0]), Some((Elf, Some("x86-64"))));
        check("x", &elf(2, [0, 22]), Some((Elf, Some("s390x"))));
        check("x", &elf(1, [0xff, 0xff]), Some((Elf, None)));
        check("x", b"\x7fELF\x02\x01", Some((Elf, None)));
        check(
            "x",
            b"\xcf\xfa\xed\xfe\x0c\0\0\x01",
            Some((MachO, Some("aarch64"))),
        );
        check(
            "x",
            b"\xfe\xed\xfa\xce\0\0\0\x07",
            Some((MachO, Some("x86"))),
        );
        check(
            "x",
            b"\xca\xfe\xba\xbe\0\0\0\x02",
            Some((MachOUniversal, None)),
        );
        check(
            "x",
            &portable(0x80, b"PE\0\0\x64\x86"),
            Some((Pe, Some("x86-64"))),
        );
        check("x", &portable(0x80, b"NE"), Some((Unknown, None)));
        check(
            "lib/addon.bin",
            b"\xca\xfe\xba\xbe\0\0\0\x2d",
            Some((MachOUniversal, None)),
        );
        check("x.dll", b"MZ\x80\xff\x01", Some((Unknown, None)));
        check("x.js", b"\0asm\x01\0\0\0", Some((Wasm, None)));
        check("x", b"!<arch>\nx", Some((StaticLibrary, None)));
        check("x", b"BC\xc0\xde", Some((LlvmBitcode, None)));
        check("x.node", b"\0\x01garbage", Some((Unknown, None)));
        check("libx.so.1.2", b"a\0b", Some((Unknown, None)));
    }

    #[test]
    fn text_and_other_binaries_are_none() {
        for (name, bytes) in [
            ("x.node", &b"// a script of that name\n"[..]),
            ("x.so", b""),
            (
                "notes.txt",
                b"MZ is how a DOS program begins, and this is longer than a header of one.\n",
            ),
            ("MZ", b"MZ"),
            ("Main.class", b"\xca\xfe\xba\xbe\0\0\0\x34"),
            ("x.png", b"\x89PNG\r\n\x1a\n\0\0\0\x0d"),
            ("x", b"\x7fEL"),
            ("x", b""),
        ] {
            check(name, bytes, None);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic_and_text_is_never_machine_code(
            tail in proptest::collection::vec(any::<u8>(), 0..200),
            head in proptest::sample::select(vec![
                &b""[..], b"MZ", b"\x7fELF\x02\x01", b"\xca\xfe\xba\xbe", b"\xcf\xfa\xed\xfe", b"\0asm",
            ]),
            text in "[ -~\n]{0,200}",
        ) {
            let path: EntryPath = "lib/x.node".parse().unwrap();
            let _code = recognise(&path, &[head, &tail].concat());
            if !text.starts_with("!<arch>\n") && !text.starts_with("!<thin>\n") {
                prop_assert_eq!(recognise(&path, text.as_bytes()), None);
            }
        }
    }
}
