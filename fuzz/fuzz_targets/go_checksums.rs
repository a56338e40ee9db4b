#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use remint_attest::{ChecksumRecord, Inclusion};

const KEY: &str = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";

/// A tree head that the public database has signed.
const HEAD: &str = "go.sum database tree\n66332798\nczPocWFmMwQrSENohgEPvFiqA+2i/3lRZhHbxtma2UQ=\n\n\u{2014} sum.golang.org Az3grh19zTBOmg0dGOAELF5SP1N/QTSsuYwquERee13uccsbttgwVlS/0MhlHd7IEvb6fQVKmu7XFovf0PT1tKOnHQo=\n";

// Nothing that is made up is in the log.
fuzz_target!(|input: (u32, &[u8], &[u8])| {
    let (number, text, tile) = input;
    drop(ChecksumRecord::open(text, KEY));
    let signed = [
        format!("{number}\n").as_bytes(),
        text,
        b"\n\n",
        HEAD.as_bytes(),
    ]
    .concat();
    let Ok(record) = ChecksumRecord::open(&signed, KEY) else {
        return;
    };
    let mut tiles = BTreeMap::new();
    for _ in 0..ChecksumRecord::most_rounds() {
        match record.prove("example.org/x", "v1.0.0", &tiles) {
            Ok(Inclusion::Needs(paths)) => {
                for path in paths {
                    let width = path
                        .rsplit_once(".p/")
                        .and_then(|(_, width)| width.parse::<usize>().ok())
                        .unwrap_or(256);
                    let filled = tile.iter().copied().cycle().take(width * 32).collect();
                    tiles.insert(path, filled);
                }
            }
            Ok(Inclusion::Proven(_)) => panic!("nobody has logged it"),
            Err(_) => return,
        }
    }
});
