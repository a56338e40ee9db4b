//! Tars with valid checksums around arbitrary fields, so that fuzzing gets past the first header.

use std::io::Write as _;

use arbitrary::Arbitrary;

/// One header and its content.
#[derive(Debug, Clone, Arbitrary)]
pub struct Entry {
    kind: Kind,
    name: Name,
    prefix: Option<Vec<u8>>,
    link: Vec<u8>,
    mode: u16,
    mtime: u32,
    gnu: bool,
    content: Vec<u8>,
    /// A size that is not the content's.
    size: Option<u32>,
    padding: u8,
    /// Bytes written over the header before its checksum is made.
    patch: Option<(u16, u8)>,
}

#[derive(Debug, Clone, Arbitrary)]
enum Kind {
    File,
    Directory,
    Link,
    HardLink,
    Pax(Vec<(Key, Vec<u8>)>),
    GlobalPax(Vec<(Key, Vec<u8>)>),
    LongName,
    LongLink,
    Other(u8),
}

#[derive(Debug, Clone, Arbitrary)]
enum Key {
    Path,
    LinkPath,
    Size,
    Mtime,
    Uid,
    Other(Vec<u8>),
}

#[derive(Debug, Clone, Arbitrary)]
enum Name {
    Manifest,
    Index,
    Map,
    Metadata,
    Below(Vec<u8>),
    Raw(Vec<u8>),
}

impl Entry {
    fn write(&self, tar: &mut Vec<u8>) {
        let (kind, content) = match &self.kind {
            Kind::File => (b'0', self.content.clone()),
            Kind::Directory => (b'5', Vec::new()),
            Kind::Link => (b'2', Vec::new()),
            Kind::HardLink => (b'1', Vec::new()),
            Kind::Pax(records) => (b'x', pax(records)),
            Kind::GlobalPax(records) => (b'g', pax(records)),
            Kind::LongName => (b'L', self.content.clone()),
            Kind::LongLink => (b'K', self.content.clone()),
            Kind::Other(kind) => (*kind, self.content.clone()),
        };
        let name: Vec<u8> = match &self.name {
            Name::Manifest => b"package/package.json".to_vec(),
            Name::Index => b"package/index.js".to_vec(),
            Name::Map => b"package/dist/index.js.map".to_vec(),
            Name::Metadata => b"package/PKG-INFO".to_vec(),
            Name::Below(rest) => [b"package/", rest.as_slice()].concat(),
            Name::Raw(name) => name.clone(),
        };
        let mut header = [0_u8; 512];
        put(&mut header[..100], &name);
        put(
            &mut header[100..108],
            format!("{:07o}", self.mode).as_bytes(),
        );
        put(&mut header[108..116], b"0000000");
        put(&mut header[116..124], b"0000000");
        let size = self.size.map_or(content.len() as u64, u64::from);
        put(&mut header[124..136], format!("{size:011o}").as_bytes());
        put(
            &mut header[136..148],
            format!("{:011o}", self.mtime).as_bytes(),
        );
        header[156] = kind;
        put(&mut header[157..257], &self.link);
        put(
            &mut header[257..265],
            if self.gnu {
                b"ustar  \0"
            } else {
                b"ustar\x0000"
            },
        );
        if let Some(prefix) = &self.prefix {
            put(&mut header[345..500], prefix);
        }
        if let Some((at, byte)) = self.patch {
            header[usize::from(at) % 512] = byte;
        }
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        put(&mut header[148..156], format!("{sum:06o}\0 ").as_bytes());
        tar.extend_from_slice(&header);
        tar.extend_from_slice(&content);
        tar.resize(tar.len().next_multiple_of(512), self.padding);
    }
}

fn put(field: &mut [u8], bytes: &[u8]) {
    for (to, from) in field.iter_mut().zip(bytes) {
        *to = *from;
    }
}

fn pax(records: &[(Key, Vec<u8>)]) -> Vec<u8> {
    let mut content = Vec::new();
    for (key, value) in records {
        let key: &[u8] = match key {
            Key::Path => b"path",
            Key::LinkPath => b"linkpath",
            Key::Size => b"size",
            Key::Mtime => b"mtime",
            Key::Uid => b"uid",
            Key::Other(key) => key,
        };
        let rest = key.len() + value.len() + 3;
        let mut length = rest;
        while length != rest + length.to_string().len() {
            length = rest + length.to_string().len();
        }
        content.extend_from_slice(length.to_string().as_bytes());
        content.push(b' ');
        content.extend_from_slice(key);
        content.push(b'=');
        content.extend_from_slice(value);
        content.push(b'\n');
    }
    content
}

/// The gzipped tar of these entries, with whatever follows them.
pub fn tgz(entries: &[Entry], after: &[u8]) -> Vec<u8> {
    let mut tar = Vec::new();
    for entry in entries {
        entry.write(&mut tar);
    }
    tar.extend_from_slice(&[0; 1024]);
    tar.extend_from_slice(after);
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(1));
    encoder.write_all(&tar).expect("writing to memory");
    encoder.finish().expect("writing to memory")
}
