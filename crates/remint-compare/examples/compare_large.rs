//! Compares two archives of about 100 MB each and holds time and memory against merely decompressing and
//! hashing them: `cargo run --release -p remint-compare --example compare_large [tgz|whl]`.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a benchmark reads files and its own memory figure, and prints"
)]

use std::error::Error;
use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Read as _, Seek as _, Write as _};
use std::path::Path;
use std::time::Instant;

use remint_compare::{Options, compare};
use remint_model::ArtifactFormat;
use sha2::Digest as _;

/// Files in each archive, and bytes in each file before compression.
const FILES: u32 = 600;
const FILE_SIZE: usize = 512 * 1024;
/// Which file differs.
const CHANGED: u32 = 200;

fn main() -> Result<(), Box<dyn Error>> {
    let format = match std::env::args().nth(1).as_deref() {
        Some("whl") => ArtifactFormat::Wheel,
        Some(_) | None => ArtifactFormat::NpmTarball,
    };
    let directory = std::env::temp_dir().join("remint-compare-large");
    fs::create_dir_all(&directory)?;
    let ending = if format.is_zip() { "whl" } else { "tgz" };
    let paths = ["published", "rebuilt"].map(|name| directory.join(format!("{name}.{ending}")));
    for (path, changed) in paths.iter().zip([true, false]) {
        if !path.exists() {
            make(format, path, changed)?;
        }
        println!("{} {} MB", path.display(), fs::metadata(path)?.len() >> 20);
    }
    let before = peak_memory()?;

    let start = Instant::now();
    for path in &paths {
        let digest = decompress_and_hash(format, path)?;
        println!("  sha256 of the content {digest}");
    }
    let baseline = start.elapsed();
    println!(
        "decompress and hash  {:.2} s  peak {} MB",
        baseline.as_secs_f64(),
        peak_memory()? >> 10
    );

    let mut published = File::open(&paths[0])?;
    let mut rebuilt = File::open(&paths[1])?;
    let start = Instant::now();
    let compared = compare(format, &mut published, &mut rebuilt, &Options::default())?;
    let elapsed = start.elapsed();
    println!(
        "compare              {:.2} s  peak {} MB  ({} of {} files equal), {:.2} times as long",
        elapsed.as_secs_f64(),
        peak_memory()? >> 10,
        compared.entries.equal,
        compared.entries.published,
        elapsed.as_secs_f64() / baseline.as_secs_f64(),
    );
    println!("resident before anything was read: {} MB", before >> 10);
    Ok(())
}

/// Text that deflates about as well as JavaScript does, different for each file.
fn content(file: u32, changed: bool) -> Vec<u8> {
    let mut state = u64::from(file) + 1;
    let mut content = Vec::with_capacity(FILE_SIZE);
    while content.len() < FILE_SIZE {
        // An xorshift generator: repeatable, and enough for noise.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let line = format!(
            "const v{:x} = f({:x});\n",
            state >> 20,
            state & 0xffff_ffff_ffff
        );
        content.extend_from_slice(line.as_bytes());
    }
    content.truncate(FILE_SIZE);
    if changed && file == CHANGED {
        content.splice(1000..1000, *b"\nsteal();\n");
    }
    content
}

fn make(format: ArtifactFormat, path: &Path, changed: bool) -> Result<(), Box<dyn Error>> {
    let out = BufWriter::new(File::create(path)?);
    if format.is_zip() {
        let mut writer = zip::ZipWriter::new(out);
        for file in 0..FILES {
            writer.start_file(
                format!("x/{file}.js"),
                zip::write::SimpleFileOptions::default(),
            )?;
            writer.write_all(&content(file, changed))?;
        }
        writer.finish()?.flush()?;
    } else {
        let encoder = flate2::write::GzEncoder::new(out, flate2::Compression::new(6));
        let mut builder = tar::Builder::new(encoder);
        for file in 0..FILES {
            let content = content(file, changed);
            let mut header = tar::Header::new_ustar();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            builder.append_data(
                &mut header,
                format!("package/{file}.js"),
                content.as_slice(),
            )?;
        }
        builder.into_inner()?.finish()?.flush()?;
    }
    Ok(())
}

fn decompress_and_hash(format: ArtifactFormat, path: &Path) -> Result<String, Box<dyn Error>> {
    let mut hasher = sha2::Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    let mut take = |reader: &mut dyn std::io::Read| -> std::io::Result<()> {
        loop {
            match reader.read(&mut buffer)? {
                0 => return Ok(()),
                count => hasher.update(buffer.get(..count).unwrap_or_default()),
            }
        }
    };
    let mut file = BufReader::with_capacity(64 * 1024, File::open(path)?);
    if format.is_zip() {
        let mut archive = zip::ZipArchive::new(file)?;
        for index in 0..archive.len() {
            take(&mut archive.by_index(index)?)?;
        }
    } else {
        file.rewind()?;
        take(&mut flate2::bufread::GzDecoder::new(file))?;
    }
    Ok(hex(&hasher.finalize()))
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// `VmHWM` in KiB; 0 where the system does not tell.
fn peak_memory() -> Result<u64, Box<dyn Error>> {
    let mut status = String::new();
    if let Ok(mut file) = File::open("/proc/self/status") {
        file.read_to_string(&mut status)?;
    }
    Ok(status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .unwrap_or(0))
}
