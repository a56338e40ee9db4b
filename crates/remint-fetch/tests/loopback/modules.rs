//! Files of modules: from the first proxy that has them, and only with the digest that was declared.

use std::io::Write as _;
use std::path::Path;

use remint_ecosystem::golang::h1;
use remint_fetch::{FetchError, ModuleFile, Registries, UserConfiguration};
use remint_model::{Ecosystem, PackageName, Sha256};

use crate::server::{Reply, Server, user};

const GO_MOD: &[u8] = b"module example.org/Dep\n";
const BELOW: &str = "example.org/!dep/@v/v1.0.0";

fn name() -> PackageName {
    PackageName::parse(Ecosystem::Golang, "example.org/Dep").unwrap()
}

/// A user whose go asks these, one after the other where one lacks something.
fn configured(place: &Path, servers: &[&Server]) -> UserConfiguration {
    let user = user(place, servers[0]);
    let proxies: Vec<String> = servers.iter().map(|server| server.url("")).collect();
    let directory = user.home.clone().unwrap().join(".config/go");
    fs_err::create_dir_all(&directory).unwrap();
    let settings = format!("GOPROXY={}\nGOSUMDB=off\n", proxies.join(","));
    fs_err::write(directory.join("env"), settings).unwrap();
    user
}

fn zip(names: &[&str]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for name in names {
        writer
            .start_file(*name, zip::write::SimpleFileOptions::default())
            .unwrap();
        writer.write_all(GO_MOD).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn digest(names: &[&str]) -> String {
    let files = names
        .iter()
        .map(|name| ((*name).to_owned(), Sha256::of(GO_MOD)));
    h1::of_files(files.collect()).unwrap()
}

#[tokio::test]
async fn a_module_is_taken_only_with_its_digest() {
    let place = tempfile::tempdir().unwrap();
    let (first, second) = (Server::start(), Server::start());
    let registries = Registries::new(&configured(place.path(), &[&first, &second])).unwrap();
    let names = [
        "example.org/Dep@v1.0.0/go.mod",
        "example.org/Dep@v1.0.0/x.go",
    ];
    second.set(&format!("{BELOW}.zip"), Reply::file(&zip(&names)));
    second.set(&format!("{BELOW}.mod"), Reply::file(GO_MOD));
    let fetch = |file, digest: String| {
        let registries = &registries;
        async move {
            registries
                .module_file(&name(), "v1.0.0", file, &digest, 1 << 20)
                .await
        }
    };
    let fetched = fetch(ModuleFile::Zip, digest(&names)).await.unwrap();
    assert_eq!(fetched.url, second.url(&format!("{BELOW}.zip")));
    assert_eq!(first.count(&format!("{BELOW}.zip")), 1);
    let go_mod = fetch(ModuleFile::GoMod, h1::of_go_mod(GO_MOD))
        .await
        .unwrap();
    assert_eq!(fs_err::read(go_mod.path).unwrap(), GO_MOD);
    for (file, digest) in [
        (ModuleFile::Zip, digest(&names[..1])),
        (ModuleFile::GoMod, h1::of_go_mod(b"")),
    ] {
        let error = fetch(file, digest).await.unwrap_err();
        assert!(matches!(error, FetchError::Malformed { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn what_is_laid_out_holds_the_entries_that_have_the_digest_and_nothing_else() {
    let names = [
        "example.org/Dep@v1.0.0/go.mod",
        "example.org/Dep@v1.0.0/x.go",
    ];
    // Behind the honest zip there is another, whose end only some readers take for one.
    let mut other = zip(&[names[0], "example.org/Dep@v1.0.0/evil.go"]);
    let end = other.len() - 22;
    other[end + 4] = 1;
    let both = [zip(&names), other].concat();
    for served in [zip(&names), both] {
        let place = tempfile::tempdir().unwrap();
        let server = Server::start();
        let registries = Registries::new(&configured(place.path(), &[&server])).unwrap();
        server.set(&format!("{BELOW}.zip"), Reply::file(&served));
        let laid_out = place.path().join("v1.0.0.zip");
        let fetched = registries
            .lay_out_module_file(
                &name(),
                "v1.0.0",
                ModuleFile::Zip,
                &digest(&names),
                1 << 20,
                &laid_out,
            )
            .await
            .unwrap();
        assert_eq!(fetched.path, laid_out);
        assert_eq!(fetched.size, served.len() as u64);
        let bytes = fs_err::read(&laid_out).unwrap();
        let ends = bytes.windows(4).filter(|bytes| bytes == b"PK\x05\x06");
        assert_eq!(ends.count(), 1);
        let reader = std::io::Cursor::new(bytes);
        let written = zip::ZipArchive::new(reader).unwrap();
        let found: Vec<_> = written.file_names().map(Result::unwrap).collect();
        assert_eq!(found, names);
    }
}

#[tokio::test]
async fn a_wrong_answer_is_not_kept() {
    let place = tempfile::tempdir().unwrap();
    let server = Server::start();
    let registries = Registries::new(&configured(place.path(), &[&server])).unwrap();
    let path = format!("{BELOW}.mod");
    let laid_out = place.path().join("v1.0.0.mod");
    let fetch = || {
        let (registries, laid_out) = (&registries, &laid_out);
        async move {
            let digest = h1::of_go_mod(GO_MOD);
            registries
                .lay_out_module_file(
                    &name(),
                    "v1.0.0",
                    ModuleFile::GoMod,
                    &digest,
                    1 << 20,
                    laid_out,
                )
                .await
        }
    };
    server.set(&path, Reply::file(b"module example.org/other\n"));
    assert!(fetch().await.is_err());
    assert!(!laid_out.exists());
    assert_eq!(server.count(&path), 2);
    server.set(&path, Reply::file(GO_MOD));
    fetch().await.unwrap();
    assert_eq!(fs_err::read(&laid_out).unwrap(), GO_MOD);
    let asked = server.count(&path);
    fetch().await.unwrap();
    assert_eq!(server.count(&path), asked);
}

#[tokio::test]
async fn a_zip_with_files_of_another_module_is_none() {
    for names in [
        &["example.org/Dep@v1.0.1/go.mod"][..],
        &["example.org/Dep@v1.0.0/go.mod", "../x"],
        &["example.org/Dep@v1.0.0x/go.mod"],
    ] {
        let place = tempfile::tempdir().unwrap();
        let server = Server::start();
        let registries = Registries::new(&configured(place.path(), &[&server])).unwrap();
        server.set(&format!("{BELOW}.zip"), Reply::file(&zip(names)));
        let error = registries
            .module_file(&name(), "v1.0.0", ModuleFile::Zip, &digest(names), 1 << 20)
            .await
            .unwrap_err();
        assert!(matches!(error, FetchError::Malformed { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn what_no_proxy_has_and_what_is_too_large_is_told() {
    let place = tempfile::tempdir().unwrap();
    let server = Server::start();
    let registries = Registries::new(&configured(place.path(), &[&server])).unwrap();
    let fetch = |limit| {
        let registries = &registries;
        async move {
            registries
                .module_file(
                    &name(),
                    "v1.0.0",
                    ModuleFile::GoMod,
                    &h1::of_go_mod(GO_MOD),
                    limit,
                )
                .await
                .unwrap_err()
        }
    };
    assert!(matches!(fetch(1 << 20).await, FetchError::NotFound(_)));
    server.set(&format!("{BELOW}.mod"), Reply::file(GO_MOD));
    assert!(matches!(
        fetch(4).await,
        FetchError::TooLarge { limit: 4, .. }
    ));
}
