#![no_main]

use libfuzzer_sys::fuzz_target;
use remint_ecosystem::golang::{Discovered, GoMod, Pseudo, discovered, locate, packing, tags};
use remint_ecosystem::{manifest_identity, same_version};
use remint_model::{CommitId, Ecosystem, EntryPath, PackageName, SourceTree, TreeEntry};

// What proxies, hosts and `go.mod` files say, and the files that go would pack.
fuzz_target!(|input: (&[u8], Vec<(&str, u8)>, &str)| {
    let (bytes, files, text) = input;
    if let Ok(info) = locate::info(bytes) {
        let name = PackageName::parse(Ecosystem::Golang, "github.com/o/n").expect("a path");
        drop(locate::release(&name, info, String::new(), Vec::new()));
    }
    let versions = locate::versions(bytes);
    assert_eq!(locate::latest(&versions).is_none(), versions.is_empty());
    let _read = GoMod::parse(bytes);
    let _pseudo = Pseudo::parse(text);
    if let Some(tag) = tags(text, None) {
        assert!(same_version(Ecosystem::Golang, &tag, text));
    }
    if let Discovered::Repository(claim) = discovered(bytes, text)
        && let Some(folder) = &claim.directory
    {
        assert!(!folder.as_str().split('/').any(|part| part == ".."));
    }
    if let Ok(name) = PackageName::parse(Ecosystem::Golang, text) {
        assert!(locate::list_path(&name).split('/').all(|part| part != ".."));
    }
    let mut tree = SourceTree::default();
    for (path, mode) in &files {
        let Ok(path) = path.parse::<EntryPath>() else {
            continue;
        };
        let _identity = manifest_identity(Ecosystem::Golang, &path, bytes);
        let modes = [0o100_644, 0o100_755, 0o120_000, 0o160_000];
        tree.texts.insert(path.clone(), bytes.to_vec());
        tree.entries.insert(
            path,
            TreeEntry {
                mode: modes[usize::from(*mode) % modes.len()],
                blob: CommitId::of_blob(bytes),
            },
        );
    }
    let folder = text.parse::<EntryPath>().ok();
    for packed in packing::file_set(&tree, folder.as_ref()).unwrap_or_default() {
        assert!(tree.entries.contains_key(&packed.source));
    }
});
