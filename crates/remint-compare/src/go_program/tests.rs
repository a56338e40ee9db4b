use object::write::Object;
use object::{Architecture, BinaryFormat, Endianness};
use proptest::prelude::*;

use super::*;

const LINES: &str = "path\texample.org/x/cmd/server\n\
    mod\texample.org/x\tv1.0.0\t\n\
    dep\texample.org/a\tv1.2.3\th1:I/5z698sn9Ka8TeJc9MKroUUfqBBauWjQqLJ2OPfmY0=\n\
    dep\texample.org/b\tv0.1.0\n\
    =>\t../b\t(devel)\t\n\
    build\t-trimpath=true\n\
    build\t-ldflags=\"-X \\\"main.v=1 2\\\"\"\n\
    build\tvcs.modified=false\n";

fn framed(lines: &str) -> Vec<u8> {
    [&[7; SENTINEL][..], lines.as_bytes(), &[9; SENTINEL]].concat()
}

fn blob(version: &str, lines: &[u8]) -> Vec<u8> {
    let mut blob = MAGIC.to_vec();
    blob.extend([8, INLINE]);
    blob.resize(HEADER, 0);
    for text in [version.as_bytes(), lines] {
        let mut left = text.len();
        while left >= 0x80 {
            blob.push(0x80 | u8::try_from(left & 0x7f).unwrap());
            left >>= 7;
        }
        blob.push(u8::try_from(left).unwrap());
        blob.extend(text);
    }
    blob
}

fn program(format: BinaryFormat, section: &[u8], content: &[u8]) -> Vec<u8> {
    let mut object = Object::new(format, Architecture::X86_64, Endianness::Little);
    let segment = if format == BinaryFormat::MachO {
        b"__DATA".to_vec()
    } else {
        Vec::new()
    };
    let id = object.add_section(segment, section.to_vec(), SectionKind::Data);
    object.append_section_data(id, content, 16);
    object.write().unwrap()
}

#[test]
fn what_a_program_says_of_itself_is_read_from_every_format() {
    let content = blob("go1.26.8", &framed(LINES));
    let beside = [&[0; 32][..], &content].concat();
    for (format, section, content) in [
        (BinaryFormat::Elf, &b".go.buildinfo"[..], &content),
        (BinaryFormat::MachO, b"__go_buildinfo", &content),
        (BinaryFormat::Coff, b".data", &beside),
    ] {
        let info = go_build_info(&program(format, section, content)).unwrap();
        assert_eq!(info.go_version, "go1.26.8");
        assert_eq!(info.package, "example.org/x/cmd/server");
        let main = info.main.as_ref().unwrap();
        assert_eq!(
            (&*main.path, &*main.version, &main.sum),
            ("example.org/x", "v1.0.0", &None)
        );
        let [first, second] = info.dependencies.as_slice() else {
            panic!("two dependencies");
        };
        assert!(first.required.sum.is_some() && first.replaced_by.is_none());
        assert_eq!(second.replaced_by.as_ref().unwrap().path, "../b");
        assert_eq!(info.setting("-trimpath"), Some("true"));
        assert_eq!(info.setting("-ldflags"), Some("-X \"main.v=1 2\""));
        assert_eq!(info.setting("GOOS"), None);
    }
}

#[test]
fn the_blob_stands_at_a_multiple_of_sixteen_bytes() {
    let content = blob("go1.26.8", &framed(LINES));
    let moved = [&[0; 8][..], &content].concat();
    let found = go_build_info(&program(BinaryFormat::Elf, b".data", &moved));
    assert_eq!(found, Err(NoBuildInfo::NotGo));
}

#[test]
fn only_the_first_section_with_data_is_searched() {
    let content = blob("go1.26.8", &framed(LINES));
    let check = |sections: &[(&[u8], &[u8])], expect: bool| {
        let mut object = Object::new(BinaryFormat::Elf, Architecture::X86_64, Endianness::Little);
        for (name, content) in sections {
            let id = object.add_section(Vec::new(), name.to_vec(), SectionKind::Data);
            object.append_section_data(id, content, 16);
        }
        let found = go_build_info(&object.write().unwrap());
        assert_eq!(found.is_ok(), expect, "{found:?}");
    };
    let other = [0; 64];
    check(&[(b".data", &content), (b".more", &other)], true);
    check(&[(b".data", &other), (b".more", &content)], false);
    check(&[(b".data", &other), (b".go.buildinfo", &content)], true);
    check(&[(b".go.buildinfo", &other), (b".data", &content)], false);
}

#[test]
fn what_cannot_be_read_is_told() {
    let read = |content: &[u8]| go_build_info(&program(BinaryFormat::Elf, b".data", content));
    let whole = blob("go1.26.8", &framed(LINES));
    assert_eq!(
        read(b"nothing of the kind, and more than 32 bytes"),
        Err(NoBuildInfo::NotGo)
    );
    let mut older = whole.clone();
    older[15] = 0;
    assert_eq!(read(&older), Err(NoBuildInfo::Older));
    assert!(matches!(
        read(&whole[..whole.len() - 1]),
        Err(NoBuildInfo::Damaged(_))
    ));
    assert_eq!(go_build_info(b"#!/bin/sh\n"), Err(NoBuildInfo::Format));
    assert_eq!(
        go_build_info(b"\xca\xfe\xba\xbe\0\0\0\x02"),
        Err(NoBuildInfo::Universal)
    );
    for lines in [
        "=>\texample.org/x\tv1.0.0\t\n",
        "something\telse\n",
        "build\tno setting\n",
        "build\ta=1\nbuild\ta=2\n",
        "mod\t\tv1.0.0\n",
        "path\tx\u{1b}[31m\n",
        "build\t-tags=\"x\\n\"\n",
    ] {
        let content = blob("go1.26.8", &framed(lines));
        assert!(
            matches!(read(&content), Err(NoBuildInfo::Damaged(_))),
            "{lines}"
        );
    }
    let unframed = blob("go1.26.8", b"path\tx\n");
    assert!(matches!(read(&unframed), Err(NoBuildInfo::Damaged(_))));
    assert_eq!(read(&blob("go1.26.8", b"")).unwrap().package, "");
}

#[test]
fn build_ids_are_found_in_notes_and_before_the_code() {
    let note = |id: &[u8]| {
        let mut program = b"\x7fELF\x02\x01".to_vec();
        program.resize(64, 0);
        program.extend(NOTE_START);
        program.extend(u32::try_from(id.len()).unwrap().to_le_bytes());
        program.extend(b"\x04\0\0\0Go\0\0");
        program.extend(id);
        program
    };
    const NOTE_START: [u8; 4] = [4, 0, 0, 0];
    assert_eq!(build_id::of(&note(b"a/b/c/d")).as_deref(), Some("a/b/c/d"));
    assert_eq!(build_id::of(&note(b"")), None);
    assert_eq!(build_id::of(&note(b"a b")), None);
    let marked = b"MZ\xff Go build ID: \"a/b/c/d\"\n \xff";
    assert_eq!(build_id::of(marked).as_deref(), Some("a/b/c/d"));
    assert_eq!(build_id::of(b"MZ\xff Go build ID: \"a/b"), None);
}

#[test]
fn moments_are_found_by_their_form() {
    let text = b"T2026-05-28T20:26:40Z 2006-01-02T15:04:05Z07:00 2026-05-28T20:26:40+00 2026-05-2T";
    assert_eq!(
        moments::of(text),
        ["2006-01-02T15:04:05Z", "2026-05-28T20:26:40Z"]
    );
}

proptest! {
    #[test]
    fn no_bytes_panic(
        any: Vec<u8>,
        head in prop::sample::select(vec![&b"\x7fELF\x02\x01\x01"[..], b"MZ", b"\xcf\xfa\xed\xfe", b""]),
        at: prop::sample::Index,
        byte: u8,
        lines in "(path|mod|dep|=>|build|\t|\n|=|\"|`|\\\\|v1.0.0|example.org/x|é){0,30}",
    ) {
        drop(go_build_info(&[head, &any].concat()));
        let content = blob("go1.26.8", &framed(&lines));
        drop(go_build_info(&program(BinaryFormat::Elf, b".go.buildinfo", &content)));
        let mut whole = program(BinaryFormat::Elf, b".go.buildinfo", &blob("go1.26.8", &framed(LINES)));
        let at = at.index(whole.len());
        whole[at] = byte;
        drop(go_build_info(&whole));
        drop(decode(&any));
    }
}
