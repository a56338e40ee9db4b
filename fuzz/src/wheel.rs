//! Wheels whose zip is in order, so that fuzzing gets to the files inside.

/// A zip of these files, stored without compression.
pub fn wheel(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = Vec::new();
    let mut directory = Vec::new();
    for (name, content) in files {
        let mut crc = flate2::Crc::new();
        crc.update(content);
        let size = length(content);
        let mut common = Vec::new();
        // Version 2.0, no flags, stored, 1980-01-01.
        for word in [20_u16, 0, 0, 0, 0x21] {
            common.extend_from_slice(&word.to_le_bytes());
        }
        for word in [crc.sum(), size, size] {
            common.extend_from_slice(&word.to_le_bytes());
        }
        common.extend_from_slice(&short(name.as_bytes()).to_le_bytes());
        common.extend_from_slice(&[0, 0]);
        let offset = length(&zip);
        zip.extend_from_slice(b"PK\x03\x04");
        zip.extend_from_slice(&common);
        zip.extend_from_slice(name.as_bytes());
        zip.extend_from_slice(content);
        directory.extend_from_slice(b"PK\x01\x02\x14\x03");
        directory.extend_from_slice(&common);
        directory.extend_from_slice(&[0; 6]);
        directory.extend_from_slice(&(0o100_644_u32 << 16).to_le_bytes());
        directory.extend_from_slice(&offset.to_le_bytes());
        directory.extend_from_slice(name.as_bytes());
    }
    let (start, size) = (length(&zip), length(&directory));
    let count = u16::try_from(files.len()).expect("a handful of files");
    zip.extend_from_slice(&directory);
    zip.extend_from_slice(b"PK\x05\x06\0\0\0\0");
    zip.extend_from_slice(&count.to_le_bytes());
    zip.extend_from_slice(&count.to_le_bytes());
    zip.extend_from_slice(&size.to_le_bytes());
    zip.extend_from_slice(&start.to_le_bytes());
    zip.extend_from_slice(&[0, 0]);
    zip
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).expect("fuzzing stays small")
}

fn short(bytes: &[u8]) -> u16 {
    u16::try_from(bytes.len()).expect("fuzzing stays small")
}
