//! What a survey keeps of an honest archive.

use remint_model::ArtifactFormat::{NpmTarball, Sdist, Wheel};

use crate::making::*;

#[test]
fn entries_come_with_the_ids_that_git_gives_them() {
    let survey = surveyed(
        NpmTarball,
        &tgz(&[
            file("package/b", b"hello\n").mtime(7),
            file("package/a", b"").mode(0o755).mtime(9),
        ]),
    )
    .unwrap();
    let entries: Vec<_> = survey
        .entries
        .iter()
        .map(|entry| (entry.path.as_str(), entry.mode, entry.blob.as_str()))
        .collect();
    assert_eq!(
        entries,
        [
            ("a", 0o755, "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"),
            ("b", 0o644, "ce013625030ba8dba906f756967f9e9ca394464a"),
        ]
    );
    assert_eq!(survey.newest_entry, Some(9));
}

#[test]
fn manifests_are_kept_and_nothing_else() {
    let kept = |format, bytes: &[u8]| {
        let texts = surveyed(format, bytes).unwrap().texts;
        texts
            .into_iter()
            .map(|(path, _)| path.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        kept(
            NpmTarball,
            &tgz(&[
                file("package/package.json", b"{}"),
                file("package/node_modules/x/package.json", b"{}"),
                file("package/index.js", b""),
            ])
        ),
        ["package.json"]
    );
    assert_eq!(
        kept(
            Sdist,
            &tgz(&[
                file("x-1/PKG-INFO", b"Name: x"),
                file("x-1/x.egg-info/PKG-INFO", b"Name: x"),
                file("x-1/setup.py", b""),
            ])
        ),
        ["PKG-INFO", "setup.py"]
    );
    assert_eq!(
        kept(
            Wheel,
            &wheel(vec![stored("x-1.dist-info/METADATA", b"Name: x")])
        ),
        ["x-1.dist-info/METADATA", RECORD]
    );
}

#[test]
fn a_manifest_that_is_too_large_to_be_one_is_not_kept() {
    let large = vec![b' '; (1 << 20) + 1];
    let survey = surveyed(NpmTarball, &tgz(&[file("package/package.json", &large)])).unwrap();
    assert_eq!(survey.texts, []);
    assert_eq!(survey.entries.len(), 1);
}

#[test]
fn the_gzip_header_is_a_fingerprint() {
    let mut bytes = tgz(&[file("package/package.json", b"{}")]);
    (bytes[8], bytes[9]) = (0, 19);
    let header = surveyed(NpmTarball, &bytes).unwrap().gzip.unwrap();
    assert_eq!(
        (header.extra_flags, header.os, header.named),
        (0, 19, false)
    );
}

#[test]
fn the_directory_of_the_build_is_read_from_source_maps() {
    let map = br#"{"version":3,"file":"/Users/m/p/dist/a.js","sources":["../a.ts"],"mappings":""}"#;
    let survey = surveyed(NpmTarball, &tgz(&[file("package/dist/a.js.map", map)])).unwrap();
    assert_eq!(survey.build_paths, ["/Users/m/p"]);
}
