//! The signature that is put into a program of macOS (`mach-o/loader.h`, `cs_blobs.h`; `codesign_allocate` of Apple's
//! cctools). Go's linker puts one into programs for arm64 itself, which signing then replaces. Programs of 32 bits, of
//! which go makes none, and universal files are left out.

use std::mem::offset_of;

use object::LittleEndian;
use object::macho::{
    CSMAGIC_CODEDIRECTORY, CSMAGIC_EMBEDDED_SIGNATURE, LC_CODE_SIGNATURE, LinkeditDataCommand,
    MachHeader64, SEG_LINKEDIT, Section64, SegmentCommand64,
};
use object::read::macho::{LoadCommandData, MachHeader as _, Section as _, Segment as _};

/// A signature holds one or two digests for each page of 4096 bytes, which are less than a byte for so many.
const BYTES_PER_BYTE: usize = 64;
/// Beyond them, it has certificates, entitlements, and room that was reserved for these.
const LARGEST_REST: usize = 1 << 20;
/// What a signature consists of; there are kinds for no more.
const MOST_BLOBS: usize = 32;
/// Signatures begin at a multiple of so many bytes.
const ALIGNMENT: usize = 16;
/// Signers round the size in memory up to pages; those of Intel are smaller than those of ARM.
const PAGES: [u64; 2] = [0x1000, 0x4000];
const COMMAND: usize = size_of::<LinkeditDataCommand<LittleEndian>>();
const SUPER_BLOB: usize = 12;
const INDEX_ENTRY: usize = 8;
const BLOB_HEADER: usize = 8;

/// Whether `published` is `built` with another signature: nothing but the load command that says where the signature
/// lies, the size of the segment that it is in, and the signature at the end may differ.
pub(super) fn is_signed_copy(published: &[u8], built: &[u8]) -> bool {
    signed(published, built).unwrap_or(false)
}

fn signed(published: &[u8], built: &[u8]) -> Option<bool> {
    let (own, other) = (Program::read(published)?, Program::read(built)?);
    let Some(signature) = &own.signature else {
        return Some(false);
    };
    let end = match &other.signature {
        Some(replaced) => replaced.start,
        None => built.len(),
    };
    // Some signers put theirs behind the one that they replace, and clear that.
    let latest = built.len().checked_next_multiple_of(ALIGNMENT)?;
    let between = published.get(end..signature.start)?;
    let is_behind = signature.start <= latest && is_cleared(between);
    if !is_behind || !own.has_memory_as(&other) || !is_signature(published, signature.start)? {
        return Some(false);
    }
    Some(published != built && own.without_signature(end)? == other.without_signature(end)?)
}

/// The places in a program that signing changes.
struct Program<'d> {
    bytes: &'d [u8],
    /// Where the load commands end.
    commands_end: usize,
    /// Where the command of the last segment begins.
    segment: usize,
    size_in_file: u64,
    size_in_memory: u64,
    signature: Option<Place>,
}

struct Place {
    /// Of its load command.
    command: usize,
    /// Of the signature, which ends with the file.
    start: usize,
}

impl<'d> Program<'d> {
    /// `None` where it is no program, or where anything lies behind the last segment, or behind the signature in it.
    fn read(bytes: &'d [u8]) -> Option<Self> {
        let header = MachHeader64::<LittleEndian>::parse(bytes, 0).ok()?;
        let endian = header.endian().ok()?;
        let commands_end = size_of::<MachHeader64<LittleEndian>>()
            .checked_add(usize::try_from(header.sizeofcmds(endian)).ok()?)?;
        let mut segment = None;
        let mut signature = None;
        for command in header.load_commands(endian, bytes, 0).ok()? {
            let command = command.ok()?;
            let at = usize::try_from(command.offset()).ok()?;
            if command.cmd() == LC_CODE_SIGNATURE {
                let place = place(&command, bytes, at)?;
                if signature.replace(place).is_some() {
                    return None;
                }
            } else if let Some((own, sections)) = command.segment_64().ok()? {
                if is_last(own) {
                    let found = (at, own.fileoff(endian), own.filesize(endian));
                    let has_sections = own.nsects(endian) != 0;
                    if segment.replace((found, own.vmsize(endian))).is_some() || has_sections {
                        return None;
                    }
                }
                // Else a command would be written over what lies there.
                let first = first_content(own, own.sections(endian, sections).ok()?);
                if first.is_some_and(|first| first < commands_end) {
                    return None;
                }
            }
        }
        let ((segment, start, size_in_file), size_in_memory) = segment?;
        let end = usize::try_from(start.checked_add(size_in_file)?).ok()?;
        let starts_before = signature
            .as_ref()
            .is_none_or(|place| u64::try_from(place.start).is_ok_and(|place| start <= place));
        (end == bytes.len() && starts_before).then_some(Self {
            bytes,
            commands_end,
            segment,
            size_in_file,
            size_in_memory,
            signature,
        })
    }

    /// Whether the last segment takes as much memory as signers make it take.
    fn has_memory_as(&self, built: &Self) -> bool {
        let wanted = self.size_in_file;
        let rounded = PAGES.map(|page| wanted.checked_next_multiple_of(page));
        let mut doubled = built.size_in_memory;
        while doubled < wanted && doubled > 0 {
            doubled = doubled.saturating_mul(2);
        }
        rounded.contains(&Some(self.size_in_memory))
            || [wanted, doubled].contains(&self.size_in_memory)
    }

    /// All up to this place, as if it had never been signed.
    fn without_signature(&self, end: usize) -> Option<Vec<u8>> {
        type Header = MachHeader64<LittleEndian>;
        type Segment = SegmentCommand64<LittleEndian>;
        let mut bytes = self.bytes.get(..end)?.to_vec();
        for field in [offset_of!(Segment, vmsize), offset_of!(Segment, filesize)] {
            let at = self.segment.checked_add(field)?;
            bytes.get_mut(at..at.checked_add(8)?)?.fill(0);
        }
        if let Some(place) = &self.signature {
            let commands = bytes.get_mut(place.command..self.commands_end)?;
            commands.copy_within(COMMAND.., 0);
            let last = commands.len().checked_sub(COMMAND)?;
            commands.get_mut(last..)?.fill(0);
            for (field, less) in [
                (offset_of!(Header, ncmds), 1),
                (offset_of!(Header, sizeofcmds), u32::try_from(COMMAND).ok()?),
            ] {
                let field = bytes.get_mut(field..)?.first_chunk_mut::<4>()?;
                *field = u32::from_le_bytes(*field).checked_sub(less)?.to_le_bytes();
            }
        }
        Some(bytes)
    }
}

/// Where the first bytes lie that the segment takes from the file; the one that begins with the file has the headers, too.
fn first_content(
    segment: &SegmentCommand64<LittleEndian>,
    sections: &[Section64<LittleEndian>],
) -> Option<usize> {
    let sections = sections
        .iter()
        .filter_map(|one| one.file_range(LittleEndian, one.offset(LittleEndian).into()));
    let own = Some(segment.file_range(LittleEndian)).filter(|(at, _)| *at > 0);
    sections
        .chain(own)
        .filter(|(_, size)| *size > 0)
        .map(|(at, _)| usize::try_from(at).unwrap_or(usize::MAX))
        .min()
}

/// What a command says of the signature; `None` where that is not the end of the file.
fn place(command: &LoadCommandData<'_, LittleEndian>, bytes: &[u8], at: usize) -> Option<Place> {
    let stated = command.data::<LinkeditDataCommand<LittleEndian>>().ok()?;
    let start = usize::try_from(stated.dataoff.get(LittleEndian)).ok()?;
    let size = usize::try_from(stated.datasize.get(LittleEndian)).ok()?;
    let is_whole = usize::try_from(command.cmdsize()).ok()? == COMMAND;
    let is_at_end = start.checked_add(size)? == bytes.len();
    (is_whole && is_at_end).then_some(Place { command: at, start })
}

fn is_last(segment: &SegmentCommand64<LittleEndian>) -> bool {
    segment.name() == SEG_LINKEDIT.as_bytes()
}

/// Whether what begins here is a signature of what lies before it, and nothing else: the parts that it lists, one behind
/// the other, and no byte between or behind them that is not zero. The library takes its parts to be aligned, which they
/// are not.
fn is_signature(program: &[u8], start: usize) -> Option<bool> {
    let blob = program.get(start..)?;
    let length = number(blob, 4)?;
    let count = number(blob, 8)?;
    let largest = LARGEST_REST.checked_add(start / BYTES_PER_BYTE)?;
    let is_one = number(blob, 0)? == usize::try_from(CSMAGIC_EMBEDDED_SIGNATURE).ok()?
        && blob.len() <= largest
        && length <= blob.len()
        && (1..=MOST_BLOBS).contains(&count);
    if !is_one {
        return Some(false);
    }
    let mut end = SUPER_BLOB.checked_add(count.checked_mul(INDEX_ENTRY)?)?;
    let mut has_directory = false;
    for entry in 0..count {
        let at = number(blob, SUPER_BLOB + entry * INDEX_ENTRY + 4)?;
        let between = blob.get(end..at)?;
        let part = blob.get(at..)?;
        let size = number(part, 4)?;
        end = at.checked_add(size)?;
        if size < BLOB_HEADER || end > length || !is_cleared(between) {
            return Some(false);
        }
        if number(part, 0)? == usize::try_from(CSMAGIC_CODEDIRECTORY).ok()? {
            // `codeLimit`: how far the digests go.
            if number(part, 32)? != start {
                return Some(false);
            }
            has_directory = true;
        }
    }
    Some(has_directory && is_cleared(blob.get(end..)?))
}

fn is_cleared(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let bytes = bytes.get(at..)?.first_chunk::<4>()?;
    usize::try_from(u32::from_be_bytes(*bytes)).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SEGMENT: usize = 32 + 72 + 80;
    const COMMANDS_END: usize = SEGMENT + 72;
    const CODE: usize = 0x140;
    const LAST_SEGMENT: usize = 0x180;
    /// Of Mach-O's commands.
    const SEGMENT_COMMAND: u32 = 0x19;
    const SIGNATURE_COMMAND: u32 = 0x1d;

    fn put(program: &mut [u8], at: usize, number: usize) {
        let number = u32::try_from(number).unwrap();
        program[at..at + 4].copy_from_slice(&number.to_le_bytes());
    }

    fn add(program: &mut [u8], at: usize, number: usize) {
        let before = u32::from_le_bytes(*program[at..].first_chunk().unwrap());
        put(program, at, usize::try_from(before).unwrap() + number);
    }

    /// A program with a section of code and a last segment of this size.
    fn program(size: usize) -> Vec<u8> {
        let mut program = vec![0; LAST_SEGMENT + size];
        program[LAST_SEGMENT..].fill(7);
        program[CODE..LAST_SEGMENT].fill(0xc3);
        program[..4].copy_from_slice(&[0xcf, 0xfa, 0xed, 0xfe]);
        put(&mut program, 16, 2);
        put(&mut program, 20, COMMANDS_END - 32);
        for (at, name, start, size) in [
            (32, &b"__TEXT"[..], 0, LAST_SEGMENT),
            (SEGMENT, b"__LINKEDIT", LAST_SEGMENT, size),
        ] {
            put(&mut program, at, SEGMENT_COMMAND.try_into().unwrap());
            program[at + 8..at + 8 + name.len()].copy_from_slice(name);
            for (field, value) in [(4, 72), (32, size), (40, start), (48, size)] {
                put(&mut program, at + field, value);
            }
        }
        put(&mut program, 32 + 4, 72 + 80);
        put(&mut program, 32 + 64, 1);
        let section = 32 + 72;
        for (field, value) in [(40, LAST_SEGMENT - CODE), (48, CODE)] {
            put(&mut program, section + field, value);
        }
        program
    }

    /// Parts of a signature, one of them behind the other.
    fn signature(parts: &[(u32, &[u8])]) -> Vec<u8> {
        let size = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap();
        let mut at = 12 + 8 * u32::try_from(parts.len()).unwrap();
        let (mut index, mut content) = (Vec::new(), Vec::new());
        for (magic, part) in parts {
            index.extend([0_u32.to_be_bytes(), at.to_be_bytes()].concat());
            content.extend([magic.to_be_bytes(), (8 + size(part)).to_be_bytes()].concat());
            content.extend(*part);
            at += 8 + size(part);
        }
        let head = [
            CSMAGIC_EMBEDDED_SIGNATURE,
            at,
            u32::try_from(parts.len()).unwrap(),
        ];
        [head.map(u32::to_be_bytes).concat(), index, content].concat()
    }

    /// A directory of what lies before `start`, and a part of 13 bytes.
    fn usual(start: usize) -> Vec<u8> {
        let mut directory = vec![1; 77];
        let start = u32::try_from(start).unwrap();
        directory[24..28].copy_from_slice(&start.to_be_bytes());
        signature(&[(CSMAGIC_CODEDIRECTORY, &directory), (0xfade_0b01, b"CMS")])
    }

    /// With a command that says where the signature lies, and that behind it.
    fn with(mut program: Vec<u8>, start: usize, signature: &[u8]) -> Vec<u8> {
        program.resize(start, 0);
        program.extend(signature);
        add(&mut program, 16, 1);
        add(&mut program, 20, 16);
        let numbers = [
            SIGNATURE_COMMAND.try_into().unwrap(),
            16,
            start,
            signature.len(),
        ];
        for (at, number) in (COMMANDS_END..).step_by(4).zip(numbers) {
            put(&mut program, at, number);
        }
        let size = program.len() - LAST_SEGMENT;
        put(&mut program, SEGMENT + 48, size);
        put(&mut program, SEGMENT + 32, size.next_multiple_of(0x4000));
        program
    }

    fn sign(program: Vec<u8>) -> Vec<u8> {
        let start = program.len().next_multiple_of(ALIGNMENT);
        with(program, start, &usual(start))
    }

    /// As go's linker does.
    fn linked(size: usize) -> Vec<u8> {
        let mut signed = sign(program(size));
        let size = signed.len() - LAST_SEGMENT;
        put(&mut signed, SEGMENT + 32, size);
        signed
    }

    #[test]
    fn a_signature_is_all_that_may_be_added_or_replaced() {
        for size in [32, 24] {
            let built = program(size);
            let signed = sign(program(size));
            assert!(is_signed_copy(&signed, &built));
            assert!(!is_signed_copy(&built, &built));
            assert!(!is_signed_copy(&built, &signed));
            assert!(!is_signed_copy(&signed, &signed));
        }
        let built = linked(32);
        let start = LAST_SEGMENT + 32;
        let larger = [usual(start), vec![0; 100]].concat();
        assert!(is_signed_copy(&sign(program(32)), &built));
        assert!(is_signed_copy(&with(program(32), start, &larger), &built));
        assert!(!is_signed_copy(&built, &built));
        // Who signs may take the signature that is there for a part of the segment, and clear it.
        let behind = built.len().next_multiple_of(ALIGNMENT);
        let cleared = with(program(32), behind, &usual(behind));
        assert!(is_signed_copy(&cleared, &built));
        let further = with(program(32), behind + 16, &usual(behind + 16));
        assert!(!is_signed_copy(&further, &built));
    }

    #[test]
    fn sizes_in_memory_are_those_that_signers_write() {
        let built = program(32);
        for (size, expect) in [
            (0x1000, true),
            (0x4000, true),
            (sign(program(32)).len() - LAST_SEGMENT, true),
            (256, true),
            (512, false),
            (32, false),
            (0x1001, false),
            (0x8000, false),
        ] {
            let mut signed = sign(program(32));
            put(&mut signed, SEGMENT + 32, size);
            assert_eq!(is_signed_copy(&signed, &built), expect, "{size}");
        }
    }

    #[test]
    fn whatever_else_was_changed_differs() {
        for built in [program(24), linked(24)] {
            let signed = sign(program(24));
            assert!(is_signed_copy(&signed, &built));
            let start = LAST_SEGMENT + 32;
            let edited = |edit: &dyn Fn(&mut Vec<u8>)| {
                let mut other = signed.clone();
                edit(&mut other);
                assert_ne!(other, signed);
                assert!(!is_signed_copy(&other, &built));
            };
            let blob_end = signed.len();
            for at in [
                8,                 // the processor
                32 + 24,           // a segment's address
                SEGMENT + 56,      // what the last segment may be used for
                SEGMENT + 64,      // its sections
                COMMANDS_END + 4,  // the size of the command
                COMMANDS_END + 8,  // where the signature lies
                COMMANDS_END + 16, // room for more commands
                CODE,
                LAST_SEGMENT,
                start - 1, // padding before the signature
                start,     // its magic number
            ] {
                edited(&|program| program[at] ^= 1);
            }
            // Bytes behind the signature, with and without the sizes for them.
            edited(&|program| program.push(0));
            edited(&|program| {
                program.push(1);
                add(program, SEGMENT + 48, 1);
                add(program, COMMANDS_END + 12, 1);
            });
            edited(&|program| program.truncate(blob_end - 1));
            // A second command, in place of room for commands.
            edited(&|program| {
                let command = program[COMMANDS_END..COMMANDS_END + 16].to_vec();
                program[COMMANDS_END + 16..COMMANDS_END + 32].copy_from_slice(&command);
                add(program, 16, 1);
                add(program, 20, 16);
            });
            // Another last segment.
            edited(&|program| program[32 + 8..32 + 24].copy_from_slice(b"__LINKEDIT\0\0\0\0\0\0"));
        }
    }

    #[test]
    fn a_command_is_not_written_over_code() {
        let crowded = |code: usize| {
            let mut built = program(32);
            put(&mut built, 32 + 72 + 48, code);
            built
        };
        for (code, expect) in [(COMMANDS_END + 16, true), (COMMANDS_END + 8, false)] {
            let built = crowded(code);
            assert_eq!(is_signed_copy(&sign(crowded(code)), &built), expect);
        }
    }

    #[test]
    fn what_is_no_signature_hides_no_data() {
        let built = program(32);
        let start = LAST_SEGMENT + 32;
        let check = |signature: &[u8], expect: bool| {
            let signed = with(program(32), start, signature);
            assert_eq!(is_signed_copy(&signed, &built), expect);
        };
        let whole = usual(start);
        check(&whole, true);
        check(b"", false);
        check(&whole[..whole.len() - 1], false);
        check(&signature(&[]), false);
        check(&signature(&[(0xfade_0b01, b"CMS")]), false);
        check(&usual(start - 16), false);
        check(&[&whole[..], b"data"].concat(), false);
        check(&[&whole[..], &[0; 20_000]].concat(), true);
        check(&[&whole[..], &vec![0; LARGEST_REST]].concat(), false);
        for (at, byte) in [
            (7, 255),
            (11, 1),
            (11, 3),
            (11, 255),
            (19, 0),
            (27, 60),
            (27, 255),
        ] {
            let mut other = whole.clone();
            other[at] = byte;
            check(&other, false);
        }
        let many: Vec<_> = (0..33).map(|_| (0xfade_0b01, &b""[..])).collect();
        check(&signature(&many), false);
        // Room between parts.
        let mut apart = whole.clone();
        let second = 12 + 16 + 8 + 77;
        apart[27] += 4;
        apart[7] += 4;
        for (between, expect) in [(*b"\0\0\0\0", true), (*b"data", false)] {
            let (before, after) = apart.split_at(second);
            check(&[before, &between, after].concat(), expect);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(any: Vec<u8>, at: prop::sample::Index, byte: u8) {
            prop_assert!(!is_signed_copy(&any, &any));
            let mut signed = sign(program(24));
            let at = at.index(signed.len());
            signed[at] = byte;
            for built in [program(24), linked(24)] {
                let _: bool = is_signed_copy(&signed, &built);
                prop_assert!(!is_signed_copy(&program(24), &signed));
            }
        }

        #[test]
        fn no_byte_before_the_signature_is_free(at in 0..LAST_SEGMENT + 32, byte: u8) {
            let signed = sign(program(24));
            let mut other = signed.clone();
            other[at] = byte;
            // One of several sizes.
            let is_memory = (SEGMENT + 32..SEGMENT + 40).contains(&at);
            prop_assume!(other != signed && !is_memory);
            for built in [program(24), linked(24)] {
                prop_assert!(!is_signed_copy(&other, &built));
            }
        }
    }
}
