//! Machine code inside published files: what it is, and whether anybody can say what it was made from.
//!
//! How it is recognised is the archive reader's matter, what it means the judge's.

use serde::Serialize;

use crate::digest::Sha256;
use crate::path::EntryPath;

/// How a file of machine code is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NativeFormat {
    /// Linux and most other Unix systems.
    Elf,
    /// macOS, for one processor.
    MachO,
    /// macOS, for several processors ("fat").
    MachOUniversal,
    /// Windows.
    Pe,
    /// WebAssembly, which runs anywhere and is read by few.
    Wasm,
    /// An archive of object files, for a linker.
    StaticLibrary,
    /// LLVM's own, for a linker.
    LlvmBitcode,
    /// It is named like machine code and is no text, but of no known format.
    Unknown,
}

impl NativeFormat {
    /// For people.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Elf => "ELF",
            Self::MachO => "Mach-O",
            Self::MachOUniversal => "universal Mach-O",
            Self::Pe => "PE",
            Self::Wasm => "WebAssembly",
            Self::StaticLibrary => "static library",
            Self::LlvmBitcode => "LLVM bitcode",
            Self::Unknown => "binary of an unknown format",
        }
    }
}

/// What the first bytes of a file say about its machine code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NativeCode {
    /// How it is written.
    pub format: NativeFormat,
    /// The processor it is for, where the header names one that is known.
    pub architecture: Option<&'static str>,
}

/// One file of machine code in a published artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NativeFile {
    /// Below the archive's top folder.
    pub path: EntryPath,
    /// How it is written.
    pub format: NativeFormat,
    /// The processor it is for, where the header names one that is known.
    pub architecture: Option<&'static str>,
    /// Bytes.
    pub size: u64,
    /// Of the content.
    pub sha256: Sha256,
    /// Where the source holds the very same bytes, if it does: in its tree or in a submodule.
    pub committed: Option<String>,
}
