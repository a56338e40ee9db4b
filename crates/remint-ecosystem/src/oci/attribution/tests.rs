use std::sync::Arc;

use proptest::prelude::*;
use remint_model::{ImageConfig, Sha1, Sha256};

use super::*;
use crate::mcpb::bundled::RegistryFile;
use crate::oci::filesystem::{Content, Entry, ImageLimits, Makes};

fn blob(text: &str) -> CommitId {
    let mut bytes = [0; 20];
    for (to, from) in bytes
        .iter_mut()
        .zip(Sha256::of(text.as_bytes()).to_string().bytes())
    {
        *to = from;
    }
    Sha1::from_bytes(bytes).to_string().parse().unwrap()
}

fn add(filesystem: &mut Filesystem, path: &str, text: &str) {
    add_with(filesystem, path, text, 0o644);
}

fn add_with(filesystem: &mut Filesystem, path: &str, text: &str, mode: u32) {
    let content = Content {
        size: text.len() as u64,
        sha256: Sha256::of(text.as_bytes()),
        blob: blob(text),
        runs: text.starts_with("#!"),
        text: filesystem
            .keeps(path.as_bytes(), text.len())
            .then(|| Arc::new(text.as_bytes().to_vec())),
    };
    filesystem
        .apply(Entry {
            name: path.as_bytes(),
            mode,
            makes: Makes::File(content),
        })
        .unwrap();
}

const MANIFEST: &str = r#"{"name": "left-pad", "version": "1.3.0"}"#;

/// A base layer, and one with a package, the server and something else.
fn image() -> Filesystem {
    let mut filesystem = Filesystem::new(ImageLimits::default());
    add(&mut filesystem, "bin/sh", "shell");
    filesystem.end_layer();
    add(
        &mut filesystem,
        "app/node_modules/left-pad/package.json",
        MANIFEST,
    );
    add(&mut filesystem, "app/node_modules/left-pad/index.js", "pad");
    add(&mut filesystem, "app/node_modules/.package-lock.json", "{}");
    add(&mut filesystem, "app/server.js", "serve");
    add(&mut filesystem, "app/run", "#!/bin/sh");
    filesystem
}

fn registry(index: &str) -> Answer {
    Answer::Files(vec![RegistryFile {
        integrity: None,
        contents: [("package.json", MANIFEST), ("index.js", index)]
            .map(|(path, text)| (path.parse().unwrap(), Sha256::of(text.as_bytes())))
            .into(),
        manifest: None,
    }])
}

fn registry_without_index() -> Answer {
    Answer::Files(vec![RegistryFile {
        contents: [("package.json", MANIFEST)]
            .map(|(path, text)| (path.parse().unwrap(), Sha256::of(text.as_bytes())))
            .into(),
        ..RegistryFile::default()
    }])
}

fn origins(answer: Answer, base: usize, source: &[&str]) -> Vec<(String, FileOrigin)> {
    let filesystem = image();
    let installed = Installed::of(&filesystem, base);
    let labels: Vec<String> = installed
        .packages()
        .iter()
        .map(BundledPackage::label)
        .collect();
    assert_eq!(labels, ["left-pad@1.3.0"]);
    let source = source.iter().map(|text| blob(text)).collect();
    installed
        .attribute(
            &filesystem,
            &[answer],
            BaseLayers::Vouched(base),
            Some(&source),
            &Started::default(),
        )
        .files
        .into_iter()
        .map(|file| {
            let name = file.path.rsplit('/').next().unwrap().to_owned();
            (name, file.origin)
        })
        .collect()
}

fn check(answer: Answer, base: usize, source: &[&str], expect: &[(&str, FileOrigin)]) {
    let found = origins(answer, base, source);
    let found: Vec<(&str, FileOrigin)> = found
        .iter()
        .map(|(name, origin)| (&**name, *origin))
        .collect();
    assert_eq!(found, expect);
}

use FileOrigin::{Base, Package, PackageDiffers, Record, Source, Unattributed as Nobody, Unknown};

#[test]
fn each_file_has_its_origin() {
    check(
        registry("pad"),
        1,
        &["serve"],
        &[
            (".package-lock.json", Record),
            ("index.js", Package),
            ("package.json", Package),
            ("run", Nobody),
            ("server.js", Source),
            ("sh", Base),
        ],
    );
}

#[test]
fn nothing_is_guessed() {
    // Another content than the registry's.
    check(
        registry("else"),
        1,
        &[],
        &[
            (".package-lock.json", Record),
            ("index.js", PackageDiffers),
            ("package.json", Package),
            ("run", Nobody),
            ("server.js", Nobody),
            ("sh", Base),
        ],
    );
    // A registry that does not answer, and a base that nobody names.
    check(
        Answer::Unreachable("silent".to_owned()),
        0,
        &["serve"],
        &[
            (".package-lock.json", Record),
            ("index.js", Unknown),
            ("package.json", Unknown),
            ("run", Nobody),
            ("server.js", Source),
            ("sh", Nobody),
        ],
    );
}

#[test]
fn the_source_does_not_excuse_what_the_registry_contradicts() {
    for answer in [registry("else"), registry_without_index()] {
        let found = origins(answer, 1, &["pad", "serve"]);
        let index = found.iter().find(|(name, _)| name == "index.js").unwrap();
        assert_eq!(index.1, PackageDiffers);
    }
    // Where no registry says anything, the source does.
    let found = origins(Answer::Unreachable("silent".to_owned()), 1, &["pad"]);
    let index = found.iter().find(|(name, _)| name == "index.js").unwrap();
    assert_eq!(index.1, Source);
}

#[test]
fn no_code_is_a_record() {
    let site = "srv/site-packages";
    let dist_info = format!("{site}/left_pad-1.3.0.dist-info");
    let check = |name: &str, text: &str, mode: u32, started: bool, expect: FileOrigin| {
        let mut filesystem = Filesystem::new(ImageLimits::default());
        let metadata = "Metadata-Version: 2.1\nName: left-pad\nVersion: 1.3.0\n";
        add(&mut filesystem, &format!("{dist_info}/METADATA"), metadata);
        let path = if name.starts_with('.') {
            format!("srv/node_modules/{name}")
        } else {
            format!("{dist_info}/{name}")
        };
        add_with(&mut filesystem, &path, text, mode);
        let mut config = ImageConfig::default();
        if started {
            config.entrypoint = vec!["sh".to_owned(), format!("/{path}")];
        }
        let started = Started::of(&config, &filesystem);
        let installed = Installed::of(&filesystem, 0);
        let answers = vec![Answer::Unknown(String::new()); installed.packages().len()];
        let found = installed.attribute(
            &filesystem,
            &answers,
            BaseLayers::Vouched(0),
            None,
            &started,
        );
        let file = found.files.iter().find(|file| file.path == path).unwrap();
        assert_eq!(file.origin, expect, "{path} {text}");
        assert_eq!(file.detail.is_none(), expect == Record, "{path} {text}");
    };
    check("INSTALLER", "pip\n", 0o644, false, Record);
    check("RECORD", "left_pad.py,,\n", 0o644, false, Record);
    check("REQUESTED", "", 0o644, false, Record);
    check("direct_url.json", "{}", 0o644, false, Record);
    check(".package-lock.json", "{}", 0o644, false, Record);
    for name in [
        "INSTALLER",
        "RECORD",
        "direct_url.json",
        ".package-lock.json",
    ] {
        check(name, "#!/bin/sh\n", 0o644, false, Nobody);
        check(name, "evil", 0o755, false, Nobody);
        check(name, "evil", 0o644, true, Nobody);
    }
}

#[test]
fn a_base_that_nobody_vouches_for_excuses_no_start_and_no_rights_of_others() {
    let mut filesystem = Filesystem::new(ImageLimits::default());
    add(&mut filesystem, "bin/sh", "shell");
    add(&mut filesystem, "entry", "start");
    add_with(&mut filesystem, "su", "su", 0o4755);
    add_with(&mut filesystem, "wall", "wall", 0o2755);
    filesystem.end_layer();
    add(&mut filesystem, "etc/tiny", "");
    let config = ImageConfig {
        entrypoint: vec!["/entry".to_owned()],
        ..ImageConfig::default()
    };
    let started = Started::of(&config, &filesystem);
    let check = |base: BaseLayers<'_>, source: &[&str], expect: [FileOrigin; 5]| {
        let installed = Installed::of(&filesystem, 1);
        let source = source.iter().map(|text| blob(text)).collect();
        let found = installed.attribute::<Answer>(&filesystem, &[], base, Some(&source), &started);
        let origins: Vec<FileOrigin> = found.files.iter().map(|file| file.origin).collect();
        assert_eq!(origins, expect);
        for file in found.files.iter().filter(|file| file.layer == 0) {
            let why = file.detail.as_deref().unwrap_or_default();
            assert_eq!(
                why.contains("`some/base`"),
                file.origin == Nobody,
                "{file:?}"
            );
        }
    };
    check(
        BaseLayers::Vouched(1),
        &[],
        [Base, Base, Nobody, Base, Base],
    );
    let unvouched = BaseLayers::Unvouched(1, "some/base");
    check(unvouched, &[], [Base, Nobody, Nobody, Nobody, Nobody]);
    // The source still does.
    check(
        unvouched,
        &["start"],
        [Base, Source, Nobody, Nobody, Nobody],
    );
}

#[test]
fn a_command_that_is_a_copy_is_of_its_package() {
    let mut filesystem = image();
    let path = "app/node_modules/.bin/pad";
    add_with(&mut filesystem, path, "pad", 0o755);
    let other = "app/node_modules/.bin/other";
    add_with(&mut filesystem, other, "evil", 0o755);
    let installed = Installed::of(&filesystem, 1);
    let answers = [registry("pad")];
    let found = installed.attribute(
        &filesystem,
        &answers,
        BaseLayers::Vouched(1),
        None,
        &Started::default(),
    );
    let origin = |path: &str| {
        let file = found.files.iter().find(|file| file.path == path).unwrap();
        (file.origin, file.package.as_deref())
    };
    assert_eq!(origin(path), (Package, Some("left-pad@1.3.0")));
    assert_eq!(origin(other).0, Nobody);
}

#[test]
fn what_there_was_no_room_for_is_not_accounted_for() {
    let mut filesystem = Filesystem::new(ImageLimits {
        texts: 10,
        ..ImageLimits::default()
    });
    let folder = "app/node_modules/left-pad";
    add(&mut filesystem, &format!("{folder}/package.json"), MANIFEST);
    add(&mut filesystem, &format!("{folder}/index.js"), "pad");
    let installed = Installed::of(&filesystem, 0);
    assert!(installed.packages().is_empty());
    let found = installed.attribute::<Answer>(
        &filesystem,
        &[],
        BaseLayers::Vouched(0),
        None,
        &Started::default(),
    );
    for file in found.files {
        assert_eq!(file.origin, Nobody, "{}", file.path);
        let detail = file.detail.unwrap();
        assert!(detail.contains("more is installed"), "{detail}");
    }
}

proptest! {
    #[test]
    fn any_files_are_attributed(
        files in prop::collection::vec(
            ("(app/|node_modules/|x/|site-packages/|x-1\\.dist-info/){0,3}(package.json|METADATA|RECORD|a.py)", "[ -~\\n]{0,40}"),
            0..8,
        ),
        base in 0..3_usize,
    ) {
        let mut filesystem = Filesystem::new(ImageLimits::default());
        for (path, text) in &files {
            add(&mut filesystem, path, text);
        }
        let installed = Installed::of(&filesystem, base);
        let answers = vec![Answer::BeyondLimits; installed.packages().len()];
        let found = installed.attribute(&filesystem, &answers, BaseLayers::Vouched(base), None, &Started::default());
        prop_assert_eq!(found.files.len(), filesystem.nodes().count());
        let origin = |origin| found.files.iter().any(|file| file.origin == origin);
        prop_assert!(!origin(Package) && !origin(Source));
    }
}
