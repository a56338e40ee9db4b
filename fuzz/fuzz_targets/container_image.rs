#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use remint_compare::{LayerKind, Limits, layer};
use remint_ecosystem::mcpb::bundled::Answer;
use remint_ecosystem::oci::attribution::{BaseLayers, Installed};
use remint_ecosystem::oci::code::Started;
use remint_ecosystem::oci::documents::{Document, choose, configuration, document};
use remint_ecosystem::oci::filesystem::{Entry, Filesystem, ImageLimits, Makes};
use remint_model::ImagePlace;

#[derive(Debug, Arbitrary)]
enum Input {
    Reference(String),
    Document(Vec<u8>),
    Configuration(Vec<u8>, u8),
    /// Layers as they are served.
    Layers(Vec<Vec<u8>>),
    /// Layers as they come out of the tar.
    Entries(Vec<Vec<(Vec<u8>, Kind)>>),
}

#[derive(Debug, Arbitrary)]
enum Kind {
    File,
    Directory,
    Link(Vec<u8>),
    HardLink(Vec<u8>),
    Special,
}

fuzz_target!(|input: Input| match input {
    Input::Reference(text) => {
        if let Ok(place) = text.parse::<ImagePlace>() {
            let shown = place.to_string();
            let again = shown.strip_prefix("oci:").expect("the short form").parse();
            assert_eq!(again, Ok(place));
        }
    }
    Input::Document(bytes) => {
        if let Ok(Document::Index(listed)) = document(&bytes)
            && let Ok((chosen, _)) = choose(&listed, "linux/amd64")
        {
            assert!(listed.contains(chosen));
        }
    }
    Input::Configuration(bytes, layers) => {
        if let Ok(read) = configuration(&bytes, usize::from(layers)) {
            assert_eq!(read.diff_ids.len(), usize::from(layers));
            assert_eq!(read.created_by.len(), usize::from(layers));
        }
    }
    Input::Layers(layers) => {
        let limits = Limits {
            unpacked: 16 << 20,
            ..Limits::default()
        };
        let mut filesystem = Filesystem::new(ImageLimits::default());
        for bytes in layers {
            let _malformed = layer(bytes.as_slice(), &limits, &mut |entry, _| {
                let makes = match entry.kind {
                    LayerKind::File | LayerKind::Unreadable => Makes::Unreadable(entry.size),
                    LayerKind::Directory => Makes::Directory,
                    LayerKind::SymbolicLink => Makes::SymbolicLink(entry.link),
                    LayerKind::HardLink => Makes::HardLink(entry.link),
                    LayerKind::Special => Makes::Special,
                };
                let entry = Entry {
                    name: entry.name,
                    mode: entry.mode,
                    makes,
                };
                filesystem.apply(entry).map_err(std::io::Error::other)
            });
            filesystem.end_layer();
        }
        stays_inside(&filesystem);
    }
    Input::Entries(layers) => {
        let mut filesystem = Filesystem::new(ImageLimits::default());
        for layer in &layers {
            for (name, kind) in layer {
                let makes = match kind {
                    Kind::File => Makes::Unreadable(1),
                    Kind::Directory => Makes::Directory,
                    Kind::Link(target) => Makes::SymbolicLink(target),
                    Kind::HardLink(target) => Makes::HardLink(target),
                    Kind::Special => Makes::Special,
                };
                let entry = Entry {
                    name,
                    mode: 0o644,
                    makes,
                };
                if filesystem.apply(entry).is_err() {
                    return;
                }
            }
            filesystem.end_layer();
        }
        stays_inside(&filesystem);
        let installed = Installed::of(&filesystem, 1);
        let answers = vec![Answer::BeyondLimits; installed.packages().len()];
        let base = BaseLayers::Vouched(1);
        let found = installed.attribute(&filesystem, &answers, base, None, &Started::default());
        assert_eq!(found.files.len(), filesystem.nodes().count());
    }
});

fn stays_inside(filesystem: &Filesystem) {
    for (path, _) in filesystem.nodes() {
        assert!(
            path.split(|byte| *byte == b'/')
                .all(|part| !part.is_empty() && part != b"." && part != b"..")
        );
    }
}
