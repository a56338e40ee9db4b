//! Makes archives byte by byte, so that no library's good manners stand between a test and the reader.

use std::io::{Cursor, Write as _};

use base64::Engine as _;
use flate2::write::GzEncoder;
use flate2::{Compression, Crc};
use remint_compare::{ArchiveError, Limits, survey};
use remint_model::{AnomalyKind, ArtifactFormat, Sha256, Survey};

/// One tar header and its content.
#[derive(Clone)]
pub(crate) struct TarEntry {
    pub(crate) header: [u8; 512],
    pub(crate) content: Vec<u8>,
    /// What pads the content to a block.
    pub(crate) padding: u8,
}

pub(crate) fn file(name: &str, content: &[u8]) -> TarEntry {
    TarEntry::new(b'0', name.as_bytes(), content)
}

pub(crate) fn directory(name: &str) -> TarEntry {
    TarEntry::new(b'5', name.as_bytes(), b"").mode(0o755)
}

pub(crate) fn link(kind: u8, name: &str, target: &str) -> TarEntry {
    TarEntry::new(kind, name.as_bytes(), b"").put(157, target.as_bytes())
}

pub(crate) fn pax(kind: u8, records: &[(&str, &[u8])]) -> TarEntry {
    let mut content = Vec::new();
    for (key, value) in records {
        let rest = key.len() + value.len() + 3;
        let mut length = rest;
        while length != rest + length.to_string().len() {
            length = rest + length.to_string().len();
        }
        write!(content, "{length} {key}=").unwrap();
        content.extend_from_slice(value);
        content.push(b'\n');
    }
    TarEntry::new(kind, b"PaxHeader/x", &content)
}

impl TarEntry {
    pub(crate) fn new(kind: u8, name: &[u8], content: &[u8]) -> Self {
        let mut entry = Self {
            header: [0; 512],
            content: content.to_vec(),
            padding: 0,
        };
        entry.header[257..265].copy_from_slice(b"ustar\x0000");
        entry.header[156] = kind;
        entry
            .put(0, name)
            .put(108, b"0000000\0")
            .put(116, b"0000000\0")
            .size(content.len() as u64)
            .put(136, b"00000000000\0")
            .mode(0o644)
    }

    /// Overwrites header bytes and mends the checksum.
    pub(crate) fn put(mut self, at: usize, bytes: &[u8]) -> Self {
        self.header[at..at + bytes.len()].copy_from_slice(bytes);
        self.header[148..156].fill(b' ');
        let sum: u32 = self.header.iter().map(|byte| u32::from(*byte)).sum();
        self.header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self
    }

    pub(crate) fn size(self, size: u64) -> Self {
        self.put(124, format!("{size:011o}\0").as_bytes())
    }

    pub(crate) fn mode(self, mode: u32) -> Self {
        self.put(100, format!("{mode:07o}\0").as_bytes())
    }

    pub(crate) fn mtime(self, mtime: u64) -> Self {
        self.put(136, format!("{mtime:011o}\0").as_bytes())
    }

    pub(crate) fn owner(self, user: u32, name: &str) -> Self {
        self.put(108, format!("{user:07o}\0").as_bytes())
            .put(265, name.as_bytes())
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.header.to_vec();
        bytes.extend_from_slice(&self.content);
        let end = bytes.len().next_multiple_of(512);
        bytes.resize(end, self.padding);
        bytes
    }
}

/// A tar with its two final blocks of zeros.
pub(crate) fn tar(entries: &[TarEntry]) -> Vec<u8> {
    let mut bytes: Vec<u8> = entries.iter().flat_map(TarEntry::bytes).collect();
    bytes.extend_from_slice(&[0; 1024]);
    bytes
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn tgz(entries: &[TarEntry]) -> Vec<u8> {
    gzip(&tar(entries))
}

/// One zip entry; what the local header says can be made to differ.
#[derive(Clone)]
pub(crate) struct ZipEntry {
    pub(crate) name: Vec<u8>,
    pub(crate) local_name: Vec<u8>,
    pub(crate) content: Vec<u8>,
    pub(crate) packed: Vec<u8>,
    pub(crate) method: u16,
    pub(crate) flags: u16,
    pub(crate) local_flags: u16,
    pub(crate) crc: u32,
    pub(crate) size: u32,
    pub(crate) local_size: u32,
    pub(crate) local_crc: u32,
    pub(crate) external: u32,
    pub(crate) extra: Vec<u8>,
    pub(crate) local_extra: Vec<u8>,
    pub(crate) time: u16,
    pub(crate) made_by: u16,
    /// Bytes between this entry and the next.
    pub(crate) after: Vec<u8>,
}

pub(crate) fn stored(name: &str, content: &[u8]) -> ZipEntry {
    let mut crc = Crc::new();
    crc.update(content);
    ZipEntry {
        name: name.as_bytes().to_vec(),
        local_name: name.as_bytes().to_vec(),
        content: content.to_vec(),
        packed: content.to_vec(),
        method: 0,
        flags: 0,
        local_flags: 0,
        crc: crc.sum(),
        local_crc: crc.sum(),
        size: u32::try_from(content.len()).unwrap(),
        local_size: u32::try_from(content.len()).unwrap(),
        external: 0o100_644 << 16,
        extra: Vec::new(),
        local_extra: Vec::new(),
        time: 0,
        made_by: 0x0314,
        after: Vec::new(),
    }
}

pub(crate) fn deflated(name: &str, content: &[u8]) -> ZipEntry {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), Compression::new(6));
    encoder.write_all(content).unwrap();
    ZipEntry {
        packed: encoder.finish().unwrap(),
        method: 8,
        ..stored(name, content)
    }
}

impl ZipEntry {
    fn local(&self) -> Vec<u8> {
        let mut bytes = b"PK\x03\x04\x14\0".to_vec();
        bytes.extend(self.local_flags.to_le_bytes());
        bytes.extend(self.method.to_le_bytes());
        bytes.extend(self.time.to_le_bytes());
        bytes.extend(0x21_u16.to_le_bytes());
        bytes.extend(self.local_crc.to_le_bytes());
        bytes.extend(u32::try_from(self.packed.len()).unwrap().to_le_bytes());
        bytes.extend(self.local_size.to_le_bytes());
        bytes.extend(u16::try_from(self.local_name.len()).unwrap().to_le_bytes());
        bytes.extend(u16::try_from(self.local_extra.len()).unwrap().to_le_bytes());
        bytes.extend(&self.local_name);
        bytes.extend(&self.local_extra);
        bytes.extend(&self.packed);
        bytes.extend(&self.after);
        bytes
    }

    fn central(&self, at: usize) -> Vec<u8> {
        let mut bytes = b"PK\x01\x02".to_vec();
        bytes.extend(self.made_by.to_le_bytes());
        bytes.extend(20_u16.to_le_bytes());
        bytes.extend(self.flags.to_le_bytes());
        bytes.extend(self.method.to_le_bytes());
        bytes.extend(self.time.to_le_bytes());
        bytes.extend(0x21_u16.to_le_bytes());
        bytes.extend(self.crc.to_le_bytes());
        bytes.extend(u32::try_from(self.packed.len()).unwrap().to_le_bytes());
        bytes.extend(self.size.to_le_bytes());
        bytes.extend(u16::try_from(self.name.len()).unwrap().to_le_bytes());
        bytes.extend(u16::try_from(self.extra.len()).unwrap().to_le_bytes());
        bytes.extend([0; 6]);
        bytes.extend(self.external.to_le_bytes());
        bytes.extend(u32::try_from(at).unwrap().to_le_bytes());
        bytes.extend(&self.name);
        bytes.extend(&self.extra);
        bytes
    }
}

pub(crate) fn zip(entries: &[ZipEntry]) -> Vec<u8> {
    zip_with_comment(entries, b"")
}

pub(crate) fn zip_with_comment(entries: &[ZipEntry], comment: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut directory = Vec::new();
    for entry in entries {
        directory.extend(entry.central(bytes.len()));
        bytes.extend(entry.local());
    }
    let start = bytes.len();
    bytes.extend(&directory);
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    let count = u16::try_from(entries.len()).unwrap().to_le_bytes();
    bytes.extend(count);
    bytes.extend(count);
    bytes.extend(u32::try_from(directory.len()).unwrap().to_le_bytes());
    bytes.extend(u32::try_from(start).unwrap().to_le_bytes());
    bytes.extend(u16::try_from(comment.len()).unwrap().to_le_bytes());
    bytes.extend(comment);
    bytes
}

/// What `mcpb sign` writes after a bundle.
pub(crate) fn signature_block(signature: &[u8]) -> Vec<u8> {
    let length = u32::try_from(signature.len()).unwrap().to_le_bytes();
    [b"MCPB_SIG_V1", &length[..], signature, b"MCPB_SIG_END"].concat()
}

pub(crate) const RECORD: &str = "x-1.dist-info/RECORD";

/// The RECORD that tells the truth about these entries.
pub(crate) fn record(entries: &[ZipEntry]) -> String {
    let lines: String = entries
        .iter()
        .map(|entry| {
            let digest = Sha256::of(&entry.content);
            let digest = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(digest.as_bytes());
            let name = String::from_utf8(entry.name.clone()).unwrap();
            format!("{name},sha256={digest},{}\n", entry.content.len())
        })
        .collect();
    format!("{lines}{RECORD},,\n")
}

/// The entries of a wheel, with a true RECORD.
pub(crate) fn recorded(mut entries: Vec<ZipEntry>) -> Vec<ZipEntry> {
    let record = record(&entries);
    entries.push(deflated(RECORD, record.as_bytes()));
    entries
}

pub(crate) fn wheel(entries: Vec<ZipEntry>) -> Vec<u8> {
    zip(&recorded(entries))
}

pub(crate) fn surveyed(format: ArtifactFormat, bytes: &[u8]) -> Result<Survey, ArchiveError> {
    survey(format, &mut Cursor::new(bytes), &Limits::default())
}

/// The kinds of anomaly that a survey finds, each once.
pub(crate) fn kinds(format: ArtifactFormat, bytes: &[u8]) -> Vec<AnomalyKind> {
    let mut kinds: Vec<_> = surveyed(format, bytes)
        .unwrap()
        .anomalies
        .into_iter()
        .map(|anomaly| anomaly.kind)
        .collect();
    kinds.dedup();
    kinds
}
