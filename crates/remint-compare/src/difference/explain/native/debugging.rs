//! Which sections of an object file only debuggers have a use for: by their flags and by what a loader is told to take of the
//! file. A section can be called anything.

use std::ops::Range;

use object::read::elf::{FileHeader, ProgramHeader as _};
use object::{Object as _, ObjectSection as _, ObjectSegment as _, SectionFlags, SegmentFlags};

use super::is_named_for_debuggers;

/// A build id is a digest; longer ones hold something else.
const LONGEST_BUILD_ID: usize = 64;

/// Loaders map whole pages. On x86 they have one size, elsewhere they may be this large.
const LARGEST_PAGE: u64 = 64 << 10;
const X86_PAGE: u64 = 4 << 10;

/// What a loader takes of a file. It does not read section headers.
pub(super) struct Loaded {
    /// Into memory that is not executed, or as notes.
    data: Vec<Range<u64>>,
    /// To be executed, or to know what to load.
    program: Vec<Range<u64>>,
}

impl Loaded {
    pub(super) fn of(file: &object::File<'_>) -> Self {
        let mut loaded = Self {
            data: Vec::new(),
            program: Vec::new(),
        };
        if let object::File::Elf32(elf) = file {
            let headers = elf.elf_program_headers();
            let page = page_size(file);
            loaded.add_elf::<object::elf::FileHeader32<_>>(headers, elf.endian(), page);
        } else if let object::File::Elf64(elf) = file {
            let headers = elf.elf_program_headers();
            let page = page_size(file);
            loaded.add_elf::<object::elf::FileHeader64<_>>(headers, elf.endian(), page);
        } else if file.format() == object::BinaryFormat::MachO {
            for segment in file.segments() {
                let is_data = matches!(
                    segment.flags(),
                    SegmentFlags::MachO { initprot, .. }
                        if initprot.0 & object::macho::VM_PROT_EXECUTE.0 == 0
                );
                let (start, length) = segment.file_range();
                loaded.add(start, length, !is_data);
            }
        }
        // A PE loads its sections.
        loaded
    }

    fn add_elf<E: FileHeader>(
        &mut self,
        headers: &[E::ProgramHeader],
        endian: E::Endian,
        page: u64,
    ) {
        for header in headers {
            let kind = header.p_type(endian);
            let is_executed = header.p_flags(endian).0 & object::elf::PF_X.0 != 0;
            let is_data =
                kind == object::elf::PT_NOTE || (kind == object::elf::PT_LOAD && !is_executed);
            let mut start: u64 = header.p_offset(endian).into();
            let length: u64 = header.p_filesz(endian).into();
            let mut end = start.saturating_add(length);
            if kind == object::elf::PT_LOAD {
                start -= start % page;
                // Where memory without content follows that can be written, the rest of the page is filled with zeros.
                let is_written = header.p_flags(endian).0 & object::elf::PF_W.0 != 0;
                let in_memory: u64 = header.p_memsz(endian).into();
                if !(is_written && !is_executed && in_memory > length) {
                    end = end.checked_next_multiple_of(page).unwrap_or(u64::MAX);
                }
            }
            self.add(start, end - start, !is_data);
        }
    }

    fn add(&mut self, start: u64, length: u64, is_program: bool) {
        let range = start..start.saturating_add(length);
        if is_program {
            self.program.push(range);
        } else {
            self.data.push(range);
        }
    }
}

fn page_size(file: &object::File<'_>) -> u64 {
    let architecture = file.architecture();
    if matches!(
        architecture,
        object::Architecture::I386
            | object::Architecture::X86_64
            | object::Architecture::X86_64_X32
    ) {
        X86_PAGE
    } else {
        LARGEST_PAGE
    }
}

pub(super) fn is_for_debuggers(section: &object::Section<'_, '_>, loaded: &Loaded) -> bool {
    let Ok(name) = section.name_bytes() else {
        return false;
    };
    let taken = |ranges: &[Range<u64>]| {
        section.file_range().is_some_and(|(start, length)| {
            let end = start.saturating_add(length);
            ranges
                .iter()
                .any(|range| range.start < end && start < range.end)
        })
    };
    if taken(&loaded.program) {
        return false;
    }
    let flags = section.flags();
    if let SectionFlags::Elf { sh_flags, .. } = flags {
        use object::elf::{SHF_ALLOC, SHF_EXECINSTR, SHF_WRITE};
        let has = |flag: object::elf::SectionFlags| sh_flags.0 & flag.0 != 0;
        if name == b".note.gnu.build-id" {
            !has(SHF_EXECINSTR) && !has(SHF_WRITE) && section.data().is_ok_and(is_build_id)
        } else {
            is_named_for_debuggers(name)
                && !has(SHF_ALLOC)
                && !has(SHF_EXECINSTR)
                && !taken(&loaded.data)
        }
    } else if matches!(flags, SectionFlags::MachO { .. }) {
        is_named_for_debuggers(name) && matches!(section.segment_name_bytes(), Ok(Some(b"__DWARF")))
    } else if let SectionFlags::Coff { characteristics } = flags {
        use object::pe::{IMAGE_SCN_CNT_CODE, IMAGE_SCN_MEM_DISCARDABLE, IMAGE_SCN_MEM_EXECUTE};
        let has = |flag: object::pe::SectionFlags| characteristics.0 & flag.0 != 0;
        is_named_for_debuggers(name)
            && has(IMAGE_SCN_MEM_DISCARDABLE)
            && !has(IMAGE_SCN_CNT_CODE)
            && !has(IMAGE_SCN_MEM_EXECUTE)
    } else {
        false
    }
}

/// One note of GNU's that is a build id, and nothing else: lengths, the type 3 and the name, then the id.
fn is_build_id(note: &[u8]) -> bool {
    let Some((header, rest)) = note.split_first_chunk::<12>() else {
        return false;
    };
    let Some(id) = rest.strip_prefix(b"GNU\0") else {
        return false;
    };
    let id_length = id.len();
    let length = u32::try_from(id_length).unwrap_or(u32::MAX);
    let fits = |to_bytes: fn(u32) -> [u8; 4]| {
        let expect = [to_bytes(4), to_bytes(length), to_bytes(3)].concat();
        header.as_slice() == expect
    };
    id_length <= LONGEST_BUILD_ID && (fits(u32::to_le_bytes) || fits(u32::to_be_bytes))
}
