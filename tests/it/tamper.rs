//! Changes released archives the way attackers do.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

/// One entry of a tarball, as written.
pub(crate) struct Entry {
    pub(crate) path: String,
    pub(crate) mode: u32,
    pub(crate) content: Vec<u8>,
}

/// Rewrites a gzipped tar; returns the new file, which keeps its name.
pub(crate) fn tarball(
    release: &Path,
    into: &Path,
    change: impl FnOnce(&mut Vec<Entry>),
) -> PathBuf {
    let mut tar = Vec::new();
    flate2::read::GzDecoder::new(fs_err::File::open(release).unwrap())
        .read_to_end(&mut tar)
        .unwrap();
    let mut entries: Vec<Entry> = tar::Archive::new(tar.as_slice())
        .entries()
        .unwrap()
        .map(|entry| {
            let mut entry = entry.unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            Entry {
                path: entry.path().unwrap().to_str().unwrap().to_owned(),
                mode: entry.header().mode().unwrap(),
                content,
            }
        })
        .collect();
    change(&mut entries);
    let mut builder = tar::Builder::new(Vec::new());
    for entry in &entries {
        let mut header = tar::Header::new_ustar();
        header.set_size(entry.content.len() as u64);
        header.set_mode(entry.mode);
        header.set_mtime(499_162_500);
        header.set_path(&entry.path).unwrap();
        header.set_cksum();
        builder.append(&header, entry.content.as_slice()).unwrap();
    }
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&builder.into_inner().unwrap()).unwrap();
    write(release, into, &encoder.finish().unwrap())
}

/// Rewrites a zip.
pub(crate) fn wheel(release: &Path, into: &Path, change: impl FnOnce(&mut Vec<Entry>)) -> PathBuf {
    let mut archive = zip::ZipArchive::new(fs_err::File::open(release).unwrap()).unwrap();
    let mut entries: Vec<Entry> = (0..archive.len())
        .map(|at| {
            let mut file = archive.by_index(at).unwrap();
            let mut content = Vec::new();
            file.read_to_end(&mut content).unwrap();
            Entry {
                path: file.name().unwrap().into_owned(),
                mode: file.unix_mode().unwrap_or(0o644),
                content,
            }
        })
        .collect();
    change(&mut entries);
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for entry in &entries {
        let options = zip::write::SimpleFileOptions::default().unix_permissions(entry.mode);
        writer.start_file(&entry.path, options).unwrap();
        writer.write_all(&entry.content).unwrap();
    }
    write(release, into, writer.finish().unwrap().get_ref())
}

/// The entry with this path.
pub(crate) fn entry<'a>(entries: &'a mut [Entry], path: &str) -> &'a mut Entry {
    entries
        .iter_mut()
        .find(|entry| entry.path == path)
        .unwrap_or_else(|| panic!("no entry {path}"))
}

/// Replaces text in an entry; the text must be there.
pub(crate) fn replace(entries: &mut [Entry], path: &str, from: &str, to: &str) {
    let entry = entry(entries, path);
    let text = String::from_utf8(entry.content.clone()).unwrap();
    assert!(text.contains(from), "{path} does not contain {from}");
    entry.content = text.replacen(from, to, 1).into_bytes();
}

/// A new regular file.
pub(crate) fn add(entries: &mut Vec<Entry>, path: &str, content: &str) {
    entries.push(Entry {
        path: path.to_owned(),
        mode: 0o644,
        content: content.as_bytes().to_vec(),
    });
}

fn write(release: &Path, into: &Path, content: &[u8]) -> PathBuf {
    fs_err::create_dir_all(into).unwrap();
    let path = into.join(release.file_name().unwrap());
    fs_err::write(&path, content).unwrap();
    path
}
