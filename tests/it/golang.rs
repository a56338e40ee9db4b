//! Go modules through the binary: a proxy and a checksum database on the loopback interface, honest and not.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;

use base64::Engine as _;
use serde_json::json;
use sha2::Digest as _;
use signed_note::{Note, StandardSigner};
use tlog_tiles::{Checkpoint, Hash, HashReader, Tile, stored_hashes, tree_hash};

use crate::registry::Registry;
use crate::world::{Answer, World, commit};

const MODULE: &str = "github.com/acme/notes/server";
const REPOSITORY: &str = "https://github.com/acme/notes";
const VERSION: &str = "v1.0.0";
const TAG: &str = "server/v1.0.0";
const FIXTURE: &str = "golang/notes";
const DATABASE: &str = "sum.example";

/// A world whose git leads the public address to a repository with a tagged module.
struct Module {
    world: World,
    repository: PathBuf,
}

pub(crate) type Files = BTreeMap<String, Vec<u8>>;

impl Module {
    fn new() -> Self {
        let world = World::new();
        let repository = world.repository(FIXTURE, &[], TAG);
        let rewrite = format!(
            "[url \"file://{}\"]\n\tinsteadOf = {REPOSITORY}\n",
            repository.display()
        );
        fs_err::write(world.path().join(".gitconfig"), rewrite).unwrap();
        Self { world, repository }
    }

    /// The files of the module's zip, picked by hand.
    fn files(&self) -> Files {
        [
            ("LICENSE", "LICENSE"),
            ("go.mod", "server/go.mod"),
            ("go.sum", "server/go.sum"),
            ("internal/store/store.go", "server/internal/store/store.go"),
            ("main.go", "server/main.go"),
        ]
        .into_iter()
        .map(|(name, path)| {
            let content = fs_err::read(self.repository.join(path)).unwrap();
            (name.to_owned(), content)
        })
        .collect()
    }

    /// The commit that is checked out.
    fn head(&self) -> String {
        let repository = git2::Repository::open(&self.repository).unwrap();
        let head = repository.head().unwrap().peel_to_commit().unwrap();
        head.id().to_string()
    }

    /// Commits another content of the server's program, and moves the tag there if so asked.
    fn go_on(&self, moves: bool) {
        let main = self.repository.join("server/main.go");
        let text = fs_err::read_to_string(&main).unwrap();
        fs_err::write(&main, text.replace("store.Open()", "store.Open( )")).unwrap();
        let repository = git2::Repository::open(&self.repository).unwrap();
        let id = commit(&repository, "Go on");
        if moves {
            let object = repository.find_object(id, None).unwrap();
            repository.tag_lightweight(TAG, &object, true).unwrap();
        }
    }

    /// What remint says of the module when the proxy serves this.
    fn verify(&self, served: &Served) -> Answer {
        self.verify_version(&served.version, served)
    }

    fn verify_version(&self, version: &str, served: &Served) -> Answer {
        self.verify_path(MODULE, version, served)
    }

    fn verify_path(&self, path: &str, version: &str, served: &Served) -> Answer {
        let spec = format!("go:{path}@{version}");
        let registry = Registry::of_bytes(served.paths());
        let itself = Registry::of_bytes(served.itself.clone());
        let database = match &served.database {
            Some((key, _)) => format!("{key} {}", itself.url()),
            None => "off".to_owned(),
        };
        let settings = format!("GOPROXY={}\nGOSUMDB={database}\n", registry.url());
        let directory = self.world.path().join(".config/go");
        fs_err::create_dir_all(&directory).unwrap();
        fs_err::write(directory.join("env"), settings).unwrap();
        self.world.verify(&[&spec])
    }
}

/// What a proxy serves.
struct Served {
    version: String,
    top: String,
    files: Files,
    /// Of every entry of the zip.
    mode: u32,
    origin: Option<String>,
    /// The database's key, and its files as the proxy serves them.
    database: Option<(String, Files)>,
    /// The database's files where it is itself.
    itself: Files,
    /// Other files that the proxy serves, or serves instead.
    more: Files,
}

impl Served {
    fn new(files: Files) -> Self {
        Self {
            version: VERSION.to_owned(),
            top: format!("{MODULE}@{VERSION}"),
            files,
            mode: 0,
            origin: None,
            database: None,
            itself: Files::new(),
            more: Files::new(),
        }
    }

    /// With a checksum database that has seen these files.
    fn logged(mut self, files: &Files) -> Self {
        let top = format!("{MODULE}@{}", self.version);
        let record = format!(
            "{MODULE} {version} {}\n{MODULE} {version}/go.mod {}\n",
            digest(&top, files),
            digest_of_go_mod(files),
            version = self.version,
        );
        self.database = Some(database(&record, &self.version));
        self
    }

    fn paths(&self) -> Files {
        let below = format!("{MODULE}/@v");
        let mut info = json!({ "Version": self.version, "Time": "2026-05-28T20:26:40Z" });
        if let Some(origin) = &self.origin {
            info["Origin"] = json!({
                "VCS": "git",
                "URL": REPOSITORY,
                "Subdir": "server",
                "Hash": origin,
                "Ref": format!("refs/tags/{TAG}"),
            });
        }
        let mut paths = Files::from([
            (
                format!("{below}/list"),
                format!("{}\n", self.version).into_bytes(),
            ),
            (
                format!("{below}/{}.info", self.version),
                info.to_string().into_bytes(),
            ),
            (
                format!("{below}/{}.zip", self.version),
                zip(&self.top, &self.files, self.mode),
            ),
        ]);
        if let Some((_, files)) = &self.database {
            for (path, content) in files {
                paths.insert(format!("sumdb/{DATABASE}/{path}"), content.clone());
            }
        }
        paths.extend(self.more.clone());
        paths
    }
}

/// A zip as no other library here writes it: without compression.
pub(crate) fn zip(top: &str, files: &Files, mode: u32) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Stored)
        .unix_permissions(mode);
    for (name, content) in files {
        writer.start_file(format!("{top}/{name}"), options).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// `Hash1` of golang.org/x/mod/sumdb/dirhash, once more.
pub(crate) fn digest(top: &str, files: &Files) -> String {
    let lines: Vec<(String, &[u8])> = files
        .iter()
        .map(|(name, content)| (format!("{top}/{name}"), content.as_slice()))
        .collect();
    digest_of(&lines)
}

pub(crate) fn digest_of_go_mod(files: &Files) -> String {
    digest_of(&[("go.mod".to_owned(), files["go.mod"].as_slice())])
}

fn digest_of(files: &[(String, &[u8])]) -> String {
    let mut all = sha2::Sha256::new();
    for (name, content) in files {
        let hexadecimal: String = sha2::Sha256::digest(content)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        all.update(format!("{hexadecimal}  {name}\n"));
    }
    let engine = base64::engine::general_purpose::STANDARD;
    format!("h1:{}", engine.encode(all.finalize()))
}

struct Log(Vec<Hash>);

impl HashReader for Log {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog_tiles::Error> {
        let hash = |at: &u64| self.0[usize::try_from(*at).unwrap()];
        Ok(indexes.iter().map(hash).collect())
    }
}

/// A database with some other records and then this one: its key, and what it serves.
fn database(record: &str, version: &str) -> (String, Files) {
    const OTHERS: u64 = 300;
    let mut log = Log(Vec::new());
    for number in 0..=OTHERS {
        let text = if number == OTHERS {
            record.to_owned()
        } else {
            format!("example.org/x v1.0.{number} h1:\n")
        };
        let hashes = stored_hashes(number, text.as_bytes(), &log).unwrap();
        log.0.extend(hashes);
    }
    let size = OTHERS + 1;
    let root = tree_hash(size, &log).unwrap();
    let head = Checkpoint::new("go.sum database tree", size, root, "").unwrap();

    let secret = ed25519_dalek::SigningKey::from_bytes(&[9; 32]);
    let key = signed_note::new_ed25519_verifier_key(DATABASE, &secret.verifying_key());
    let id = key.split('+').nth(1).unwrap().to_owned();
    let engine = base64::engine::general_purpose::STANDARD;
    let private = engine.encode([&[1][..], &[9; 32]].concat());
    let signer = StandardSigner::new(&format!("PRIVATE+KEY+{DATABASE}+{id}+{private}")).unwrap();
    let mut note = Note::new(&head.to_bytes(), &[]).unwrap();
    note.add_sigs(&[&signer]).unwrap();

    let mut files = Files::from([("supported".to_owned(), Vec::new())]);
    let note = String::from_utf8(note.to_bytes()).unwrap();
    files.insert(
        format!("lookup/{MODULE}@{version}"),
        format!("{OTHERS}\n{record}\n{note}").into_bytes(),
    );
    for tile in Tile::new_tiles(8, 0, size) {
        files.insert(tile.path(), tile.read_data(&log).unwrap());
    }
    (key, files)
}

#[test]
fn a_served_module_is_what_go_packs_from_its_tag() {
    let module = Module::new();
    let files = module.files();
    let mut served = Served::new(files.clone()).logged(&files);
    served.origin = Some(module.head());
    let answer = module.verify(&served);
    assert_eq!(answer.code, 0, "{answer:?}");
    assert_eq!(answer.outcome(), ("verified", "equivalent"), "{answer:?}");
    assert!(answer.findings().is_empty(), "{answer:?}");
    let target = answer.target();
    assert_eq!(
        target["target"],
        "pkg:golang/github.com/acme/notes/server@v1.0.0"
    );
    assert_eq!(target["basis"], "source-tree");
    assert_eq!(target["erasures"][0]["normaliser"], "zip-metadata");
    assert_eq!(target["erasures"].as_array().unwrap().len(), 1);
    assert_eq!(target["source"]["ref"], TAG);
    assert_eq!(target["source"]["subdirectory"], "server");
    let checksums = &target["checksums"];
    let expected = digest(&format!("{MODULE}@{VERSION}"), &files);
    assert_eq!(checksums["zip"], expected.as_str());
    assert_eq!(checksums["source"], expected.as_str());
    assert_eq!(checksums["go_mod"], digest_of_go_mod(&files).as_str());
    assert_eq!(checksums["database"]["answer"], "same");
    assert_eq!(checksums["database"]["name"], DATABASE);
}

#[test]
fn a_tampered_module_fails_for_what_was_done_to_it() {
    let module = Module::new();
    let honest = module.files();
    let check = |change: &dyn Fn(&mut Files), expect: &[(&str, &str, &str)]| {
        let mut files = honest.clone();
        change(&mut files);
        let answer = module.verify(&Served::new(files).logged(&honest));
        assert_eq!(answer.code, 1, "{answer:?}");
        assert_eq!(answer.outcome(), ("failed", "different"), "{answer:?}");
        assert_eq!(answer.differences(), expect);
        assert_eq!(answer.findings()["integrity-mismatch"], "critical");
        assert_eq!(answer.target()["checksums"]["database"]["answer"], "other");
        answer
    };
    let more = |files: &mut Files, name: &str, text: &str| {
        files
            .entry(name.to_owned())
            .or_default()
            .extend_from_slice(text.as_bytes());
    };
    check(
        &|files| more(files, "internal/store/store.go", "func init() {}\n"),
        &[("internal/store/store.go", "changed", "executable")],
    );
    check(
        &|files| more(files, "internal/store/extra.go", "package store\n"),
        &[("internal/store/extra.go", "added", "executable")],
    );
    check(
        &|files| more(files, "vendor/example.org/dep/dep.go", "package dep\n"),
        &[("vendor/example.org/dep/dep.go", "added", "executable")],
    );
    check(
        &|files| drop(files.remove("LICENSE")),
        &[("LICENSE", "removed", "licence")],
    );
    let dependency = check(
        &|files| more(files, "go.mod", "\nrequire example.org/evil v0.1.0\n"),
        &[("go.mod", "changed", "manifest")],
    );
    assert_eq!(dependency.findings()["undeclared-dependency"], "high");
}

#[test]
fn a_zip_of_another_module_is_no_module_of_this_name() {
    let module = Module::new();
    let mut served = Served::new(module.files());
    served.top = format!("{MODULE}@v1.0.1");
    let answer = module.verify(&served);
    assert_eq!(answer.outcome().0, "failed", "{answer:?}");
    assert_eq!(answer.findings()["identity-mismatch"], "high", "{answer:?}");
}

#[test]
fn a_database_counts_only_with_its_signature_and_a_proof() {
    let module = Module::new();
    let files = module.files();
    let check = |served: Served, code: i32, finding: (&str, &str), answered: &str| {
        let answer = module.verify(&served);
        assert_eq!(answer.code, code, "{answer:?}");
        assert_eq!(answer.target()["content"], "equivalent", "{answer:?}");
        assert_eq!(
            answer.findings().get(finding.0),
            Some(&finding.1),
            "{answer:?}"
        );
        let database = &answer.target()["checksums"]["database"];
        assert_eq!(database["answer"], answered);
    };
    let logged = || Served::new(files.clone()).logged(&files);
    let spoilt = |path: &str, spoil: &dyn Fn(&mut Vec<u8>)| {
        let mut served = logged();
        let (_, files) = served.database.as_mut().unwrap();
        spoil(files.get_mut(path).unwrap());
        served
    };
    let lookup = format!("lookup/{MODULE}@{VERSION}");
    let invalid = ("checksum-database-invalid", "high");
    // Its last line is the signature.
    let signature = |answer: &mut Vec<u8>| {
        let at = answer.len() - 20;
        answer[at] = if answer[at] == b'A' { b'B' } else { b'A' };
    };
    check(spoilt(&lookup, &signature), 1, invalid, "untrusted");
    let tile = |tile: &mut Vec<u8>| tile[0] ^= 1;
    check(spoilt("tile/8/0/001.p/45", &tile), 1, invalid, "untrusted");

    let mut unknown = logged();
    unknown.database.as_mut().unwrap().1.remove(&lookup);
    let unconfirmed = ("checksum-unconfirmed", "medium");
    check(unknown, 3, unconfirmed, "unavailable");
    let exempt = ("checksum-unconfirmed", "low");
    check(Served::new(files.clone()), 0, exempt, "not-asked");
}

#[test]
fn a_proxy_cannot_keep_the_database_from_being_heard() {
    let module = Module::new();
    let files = module.files();
    let lookup = format!("lookup/{MODULE}@{VERSION}");
    let mut served = Served::new(files.clone()).logged(&files);
    served.itself = served.database.as_ref().unwrap().1.clone();
    let proxied = &mut served.database.as_mut().unwrap().1;
    proxied.remove(&lookup);
    // Neither has kept a partial tile that the log has outgrown.
    let partial = "tile/8/0/001.p/45";
    let tile = proxied.remove(partial).unwrap();
    served.itself.remove(partial);
    served.itself.insert(
        "tile/8/0/001".to_owned(),
        [tile, vec![7; 211 * 32]].concat(),
    );
    let answer = module.verify(&served);
    assert_eq!(answer.outcome(), ("verified", "equivalent"), "{answer:?}");
    assert!(answer.findings().is_empty(), "{answer:?}");

    let mut evil = files.clone();
    evil.insert("evil.go".to_owned(), b"package main\n".to_vec());
    let mut other = Served::new(files.clone()).logged(&evil);
    other.itself = other.database.as_ref().unwrap().1.clone();
    other.database.as_mut().unwrap().1.remove(&lookup);
    let answer = module.verify(&other);
    assert_eq!(answer.findings()["integrity-mismatch"], "critical");
}

#[test]
fn a_proxy_alone_cannot_say_which_commit_a_version_is() {
    let module = Module::new();
    let files = module.files();
    let mut served = Served::new(files.clone()).logged(&files);
    // Nobody tagged this one.
    served.version = "v1.0.9".to_owned();
    served.top = format!("{MODULE}@v1.0.9");
    served.origin = Some(module.head());
    let answer = module.verify(&served);
    assert_eq!(answer.code, 3, "{answer:?}");
    assert_eq!(answer.outcome(), ("inconclusive", "equivalent"));
    assert_eq!(answer.target()["reason"], "unavailable");
    assert_eq!(answer.findings()["checksum-unconfirmed"], "medium");
}

#[test]
fn the_latest_is_what_go_takes_for_it() {
    let module = Module::new();
    let files = module.files();
    let mut served = Served::new(files.clone());
    served.more = Files::from([
        (
            format!("{MODULE}/@v/list"),
            format!("{VERSION}\nv4.1.2+incompatible\n").into_bytes(),
        ),
        (
            format!("{MODULE}/@v/{VERSION}.mod"),
            files["go.mod"].clone(),
        ),
    ]);
    let answer = module.verify_version("latest", &served);
    let target = answer.target()["target"].as_str().unwrap();
    assert!(target.ends_with("@v1.0.0"), "{answer:?}");
    assert_eq!(answer.outcome(), ("verified", "equivalent"), "{answer:?}");
}

#[test]
fn a_proxy_need_not_list_versions() {
    let module = Module::new();
    let mut served = Served::new(module.files());
    // Longer than any list that is read.
    let list = (format!("{MODULE}/@v/list"), vec![b'v'; 9 << 20]);
    served.more = Files::from([list]);
    let answer = module.verify(&served);
    assert_eq!(answer.outcome(), ("verified", "equivalent"), "{answer:?}");
}

#[test]
fn a_package_stands_for_its_module() {
    let module = Module::new();
    let served = Served::new(module.files());
    let answer = module.verify_path(&format!("{MODULE}/cmd/notes"), VERSION, &served);
    assert_eq!(answer.outcome(), ("verified", "equivalent"), "{answer:?}");
    let target = answer.target()["target"].as_str().unwrap();
    assert!(target.ends_with("/notes/server@v1.0.0"), "{target}");
    let answer = module.verify_path("github.com/acme/other/cmd", VERSION, &served);
    assert_eq!(answer.target()["reason"], "not-found", "{answer:?}");
    let detail = answer.target()["detail"].to_string();
    assert!(detail.contains("github.com/acme/other/cmd"), "{answer:?}");
}

#[test]
fn modes_of_a_zip_are_nothing_to_go() {
    let module = Module::new();
    let mut served = Served::new(module.files());
    served.mode = 0o755;
    let answer = module.verify(&served);
    assert_eq!(answer.outcome(), ("verified", "equivalent"), "{answer:?}");
    let erased = answer.target()["erasures"].as_array().unwrap();
    assert!(
        erased.iter().any(|one| one["normaliser"] == "module-modes"),
        "{answer:?}"
    );
}

#[test]
fn a_moved_tag_is_seen() {
    let module = Module::new();
    let files = module.files();
    let before = module.head();
    module.go_on(true);

    // Nobody says which commit the module was made from.
    let silent = module.verify(&Served::new(files.clone()).logged(&files));
    assert_eq!(silent.outcome(), ("failed", "different"), "{silent:?}");
    assert_eq!(silent.differences(), [("main.go", "changed", "executable")]);

    let mut served = Served::new(files.clone()).logged(&files);
    served.origin = Some(before.clone());
    let told = module.verify(&served);
    assert_eq!(told.outcome(), ("verified", "equivalent"), "{told:?}");
    assert_eq!(told.findings()["source-hints-disagree"], "medium");
    assert_eq!(told.target()["source"]["commit"], before.as_str());
    assert_eq!(told.target()["source"]["found_by"], "origin");
}

#[test]
fn a_pseudo_version_names_its_commit() {
    let module = Module::new();
    let commit = module.head();
    module.go_on(false);
    let files: Files = {
        let mut files = module.files();
        let main = String::from_utf8(files["main.go"].clone()).unwrap();
        let main = main.replace("store.Open( )", "store.Open()");
        files.insert("main.go".to_owned(), main.into_bytes());
        files
    };
    let serve = |time: &str| {
        let version = format!("v0.0.0-{time}-{}", commit.get(..12).unwrap());
        let mut served = Served::new(files.clone());
        served.top = format!("{MODULE}@{version}");
        served.version = version;
        served
    };
    // What the fixture's commits are dated: 1780000000.
    let answer = module.verify(&serve("20260528202640"));
    assert_eq!(answer.outcome(), ("verified", "equivalent"), "{answer:?}");
    assert_eq!(answer.target()["source"]["commit"], commit.as_str());

    let answer = module.verify(&serve("20260528202641"));
    assert_eq!(answer.target()["outcome"], "inconclusive", "{answer:?}");
    assert_eq!(answer.target()["reason"], "no-source");
}

#[test]
fn a_module_that_nobody_serves_is_not_found() {
    let module = Module::new();
    let mut served = Served::new(module.files());
    served.version = "v1.0.1".to_owned();
    let registry = Registry::of_bytes(served.paths());
    let directory = module.world.path().join(".config/go");
    fs_err::create_dir_all(&directory).unwrap();
    let ask = |proxies: &str, spec: &str| {
        let settings = format!("GOPROXY={proxies}\nGOSUMDB=off\n");
        fs_err::write(directory.join("env"), settings).unwrap();
        let answer = module.world.verify(&[spec]);
        assert_eq!(answer.code, 3, "{answer:?}");
        answer.target()["reason"].as_str().unwrap().to_owned()
    };
    let spec = format!("go:{MODULE}@{VERSION}");
    let url = registry.url();
    assert_eq!(ask(url, &spec), "not-found");
    assert_eq!(ask(&format!("{url},direct"), &spec), "not-found");
    assert_eq!(ask(&format!("{url},{url}nothing,off"), &spec), "not-found");
    assert_eq!(ask("off", &spec), "unavailable");
    assert_eq!(ask("direct", &spec), "unavailable");
    assert_eq!(ask(url, &format!("go:{MODULE}@v2.0.0")), "not-found");
}

#[test]
fn a_zip_that_somebody_holds_is_told_by_its_folder() {
    let module = Module::new();
    let file = module.world.path().join("server.zip");
    fs_err::write(
        &file,
        zip(&format!("{MODULE}@{VERSION}"), &module.files(), 0),
    )
    .unwrap();
    let directory = module.world.path().join(".config/go");
    fs_err::create_dir_all(&directory).unwrap();
    fs_err::write(directory.join("env"), "GOPROXY=off\nGOSUMDB=off\n").unwrap();
    let answer = module.world.verify(&[file.to_str().unwrap()]);
    assert_eq!(answer.outcome(), ("verified", "equivalent"), "{answer:?}");
    assert_eq!(
        answer.target()["target"],
        "pkg:golang/github.com/acme/notes/server@v1.0.0"
    );
    assert_eq!(answer.target()["source"]["ref"], TAG);
}
