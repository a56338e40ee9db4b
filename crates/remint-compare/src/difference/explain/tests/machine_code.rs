//! Machine code: which sections and functions differ, and when nothing that runs does.

use super::*;

/// A WebAssembly module of sections.
fn wasm(sections: &[(u8, &[u8])]) -> Vec<u8> {
    let mut module = b"\0asm\x01\0\0\0".to_vec();
    for (id, content) in sections {
        module.push(*id);
        module.push(u8::try_from(content.len()).unwrap());
        module.extend_from_slice(content);
    }
    module
}

#[test]
fn sections_of_machine_code_are_named() {
    let said = |rebuilt: &[u8], published: &[u8]| {
        explained("a.wasm", rebuilt, published, &Known::default())
    };
    let custom = |name: &str, content: &str| {
        let mut section = vec![u8::try_from(name.len()).unwrap()];
        section.extend_from_slice(name.as_bytes());
        section.extend_from_slice(content.as_bytes());
        section
    };
    assert_eq!(
        said(
            &wasm(&[(0, &custom("x", "1")), (11, b"\0")]),
            &wasm(&[(0, &custom("x", "2")), (11, b"\0")])
        )
        .as_deref(),
        Some("sections that differ: `x`")
    );
    assert_eq!(
        said(
            &wasm(&[(0, &custom(".debug_info", "1"))]),
            &wasm(&[(0, &custom(".debug_info", "2"))])
        )
        .as_deref(),
        Some("no section with code or data differs, only build ids and sections for debuggers")
    );
    assert_eq!(
        said(
            &wasm(&[(0, &custom(".debug_info", "1"))]),
            &wasm(&[(0, &custom(".debug_info", "22"))])
        )
        .as_deref(),
        Some(
            "no section with code or data differs, only build ids and sections for debuggers (headers were not compared)"
        )
    );
    assert_eq!(
        said(
            &wasm(&[(0, &custom(".debug_info", "1"))]),
            &wasm(&[(0, &custom(".debug_info", "2")), (11, b"\0")])
        )
        .as_deref(),
        Some("sections that differ: `data` (published only), and sections for debuggers")
    );
    assert_eq!(said(b"\0asm\x01\0\0\0", b"\0asm\xff\0\0\0"), None);
    assert_eq!(said(b"\x7fELF\0\0\0\0", b"\x7fELF\0\0\0\x01"), None);
}

#[test]
fn functions_of_machine_code_are_named() {
    let elf = |code: [u8; 2], name: &[u8]| {
        use object::write::{Object, Symbol, SymbolSection};
        use object::{
            Architecture, BinaryFormat, Endianness, SymbolFlags, SymbolKind, SymbolScope,
        };
        let mut file = Object::new(BinaryFormat::Elf, Architecture::X86_64, Endianness::Little);
        let text = file.section_id(object::write::StandardSection::Text);
        for (at, (name, byte)) in [(name, code[0]), (&b"other"[..], code[1])]
            .into_iter()
            .enumerate()
        {
            let at = at as u64 * 16;
            file.append_section_data(text, &[byte; 16], 16);
            file.add_symbol(Symbol {
                name: name.to_vec(),
                value: at,
                size: 16,
                kind: SymbolKind::Text,
                scope: SymbolScope::Dynamic,
                weak: false,
                section: SymbolSection::Section(text),
                flags: SymbolFlags::None,
            });
        }
        file.write().unwrap()
    };
    let said = |one: &[u8], other: &[u8]| explained("a.node", one, other, &Known::default());
    assert_eq!(
        said(&elf([1, 1], b"login"), &elf([2, 1], b"login")).as_deref(),
        Some("sections that differ: `.text` (1 function: `login`)")
    );
    // Names are hostile text.
    let hidden = said(&elf([1, 1], b"a`\x1b[2J"), &elf([2, 1], b"a`\x1b[2J")).unwrap();
    assert_eq!(
        hidden,
        "sections that differ: `.text` (1 function: `a'\\u{1b}[2J`)"
    );
}

#[test]
fn only_sections_that_nobody_but_debuggers_uses_account_for_a_difference() {
    use object::write::Object;
    use object::{Architecture, BinaryFormat, Endianness, SectionKind};
    let object = |format, name: &[u8], kind, content: &[u8]| {
        let mut file = Object::new(format, Architecture::X86_64, Endianness::Little);
        let segment = if format == BinaryFormat::MachO {
            b"__DWARF".to_vec()
        } else {
            Vec::new()
        };
        let section = file.add_section(segment, name.to_vec(), kind);
        file.append_section_data(section, content, 1);
        file.write().unwrap()
    };
    let id = |byte| {
        [
            b"\x04\0\0\0\x04\0\0\0\x03\0\0\0GNU\0".as_slice(),
            &[byte; 4],
        ]
        .concat()
    };
    let check = |name: &[u8], kind, contents: [&[u8]; 2], expect: bool| {
        let [one, other] = contents.map(|content| object(BinaryFormat::Elf, name, kind, content));
        assert_eq!(accounts_for_all("a.node", &one, &other), expect);
    };
    check(b".debug_info", SectionKind::Debug, [b"a", b"b"], true);
    check(
        b".note.gnu.build-id",
        SectionKind::Note,
        [&id(1), &id(2)],
        true,
    );
    // More of it moves what comes after it.
    check(b".debug_info", SectionKind::Debug, [b"a", b"ab"], false);
    check(b".debug_frames", SectionKind::Text, [b"a", b"b"], false);
    check(b".debug_info", SectionKind::Data, [b"a", b"b"], false);
    check(
        b".gnu_debuglink",
        SectionKind::ReadOnlyData,
        [b"a", b"b"],
        false,
    );
    check(b".data", SectionKind::Other, [b"a", b"b"], false);
    check(
        b".note.gnu.build-id",
        SectionKind::Note,
        [b"evil1", b"evil2"],
        false,
    );
    check(
        b".note.gnu.build-id",
        SectionKind::Text,
        [&id(1), &id(2)],
        false,
    );
    let said = explained(
        "a.node",
        &object(BinaryFormat::Elf, b".debug_frames", SectionKind::Text, b"a"),
        &object(BinaryFormat::Elf, b".debug_frames", SectionKind::Text, b"b"),
        &Known::default(),
    );
    assert_eq!(
        said.as_deref(),
        Some("sections that differ: `.debug_frames`")
    );

    // The same bytes as program, whatever the section headers say.
    let pointed_at = |kind: u8, byte: u8| {
        let mut file = object(
            BinaryFormat::Elf,
            b".debug_info",
            SectionKind::Debug,
            &[byte; 8],
        );
        let at = file
            .windows(8)
            .position(|bytes| bytes == [byte; 8])
            .unwrap() as u64;
        let headers = file.len() as u64;
        file[32..40].copy_from_slice(&headers.to_le_bytes());
        file[54..58].copy_from_slice(&[56, 0, 1, 0]);
        file.extend([kind, 0, 0, 0, 5, 0, 0, 0]);
        for value in [at, 0, 0, 8, 8, 1] {
            file.extend(value.to_le_bytes());
        }
        file
    };
    // As notes, to be loaded and executed, as the interpreter.
    for kind in [4, 1, 3] {
        let (one, other) = (pointed_at(kind, 1), pointed_at(kind, 2));
        assert!(!accounts_for_all("a.node", &one, &other), "{kind}");
    }
    // Loaders map whole pages: what is to be loaded begins and ends before the section, or begins behind it.
    let beside = |flags: u8, start: u64, memory: u64, byte: u8| {
        let mut file = pointed_at(1, byte);
        let header = file.len() - 56;
        file[header + 4] = flags;
        for (at, value) in [(8, start), (32, 8), (40, memory)] {
            file[header + at..header + at + 8].copy_from_slice(&u64::to_le_bytes(value));
        }
        file
    };
    for (flags, start, memory, expect) in [
        (5, 0, 8, false),
        (4, 0, 8, false),
        (5, 4095, 8, false),
        (5, 4096, 8, true),
        // The rest of the page is zeroed.
        (6, 0, 9, true),
        (6, 0, 8, false),
        (4, 0, 9, false),
        (7, 0, 9, false),
    ] {
        let of = |byte| beside(flags, start, memory, byte);
        let found = accounts_for_all("a.node", &of(1), &of(2));
        assert_eq!(found, expect, "{flags} {start} {memory}");
    }
    let mach = |content: &[u8]| {
        object(
            BinaryFormat::MachO,
            b"__debug_info",
            SectionKind::Debug,
            content,
        )
    };
    // An object file of Mach-O is one segment, which may be executed.
    assert!(!accounts_for_all("a.node", &mach(b"a"), &mach(b"b")));
    let code = |byte| overlapping_elf(&[byte; 64], 1, 1);
    assert!(!accounts_for_all("a.node", &code(1), &code(2)));
}

/// An ELF file with this `.text` as so many sections, and with so many symbols, each of which is all of it.
fn overlapping_elf(text: &[u8], sections: u16, symbols: u32) -> Vec<u8> {
    let names = b"\0.text\0.symtab\0.strtab\0";
    let mut strings = vec![0];
    let mut table = vec![0; 24];
    for number in 0..symbols {
        table.extend((strings.len() as u32).to_le_bytes());
        table.extend([0x12, 0, 1, 0]);
        table.extend(0_u64.to_le_bytes());
        table.extend((text.len() as u64).to_le_bytes());
        strings.extend(format!("f{number}\0").bytes());
    }
    let contents = [text, &table, &strings, names];
    let mut body = Vec::new();
    let places = contents.map(|content| {
        body.extend_from_slice(content);
        (64 + body.len() - content.len(), content.len())
    });
    let section =
        |name: u32, kind: u32, flags: u64, (at, length): (usize, usize), link: u32, size: u64| {
            let mut header = Vec::new();
            header.extend(name.to_le_bytes());
            header.extend(kind.to_le_bytes());
            for value in [flags, 0, at as u64, length as u64] {
                header.extend(value.to_le_bytes());
            }
            header.extend(link.to_le_bytes());
            header.extend(1_u32.to_le_bytes());
            header.extend(1_u64.to_le_bytes());
            header.extend(size.to_le_bytes());
            header
        };
    let mut headers = vec![0; 64];
    for _ in 0..sections {
        headers.extend(section(1, 1, 6, places[0], 0, 0));
    }
    let strings_at = u32::from(sections) + 2;
    headers.extend(section(7, 2, 0, places[1], strings_at, 24));
    headers.extend(section(15, 3, 0, places[2], 0, 0));
    headers.extend(section(15, 3, 0, places[3], 0, 0));
    let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\x3e\0\x01\0\0\0".to_vec();
    for value in [0, 0, 64 + body.len() as u64] {
        file.extend(value.to_le_bytes());
    }
    file.extend(0_u32.to_le_bytes());
    for value in [64, 0, 0, 64, sections + 4, sections + 3] {
        file.extend(value.to_le_bytes());
    }
    [file, body, headers].concat()
}

#[test]
fn what_stands_for_far_more_bytes_than_the_file_has_is_not_compared() {
    let said = |sections, symbols| {
        let file = |byte| overlapping_elf(&[byte; 512], sections, symbols);
        explained("a.node", &file(1), &file(2), &Known::default())
    };
    assert_eq!(
        said(1, 2).as_deref(),
        Some("sections that differ: `.text` (2 functions: `f0`, `f1`)")
    );
    assert_eq!(
        said(1, 20).as_deref(),
        Some("sections that differ: `.text`")
    );
    assert_eq!(said(50, 1), None);
}
