//! Disks without room: each says so, ends with the code of a machine that cannot, and leaves the caches whole.

use std::collections::BTreeMap;
use std::path::Path;

use remint_attest::layout::Index;
use remint_model::Sha256;

use crate::elsewhere::{finish, left_out, with_own_mounts};
use crate::machine::{SPEC, with_dependency};
use crate::person::Person;
use crate::world::{World, commit};

/// `$1` is the binary. Each run's code and words end up in `$RESULTS`.
const SCRIPT: &str = r#"
mount -t tmpfs -o size=64k,mode=777 none "$DISK"
run() {
    name=$1; shift
    code=0
    $AS_BEFORE "$REMINT" "$@" > "$RESULTS/$name.out" 2> "$RESULTS/$name.err" || code=$?
    echo $code > "$RESULTS/$name.code"
}
# Not with the options that the mount shows: it names an owner whom a user namespace does not know.
room() { mount --options-mode=ignore -t tmpfs -o "remount,size=$1" none "$DISK"; }
used() { df --output=used -k "$DISK" | tail -n 1 | tr -d ' '; }
REMINT=$1
export REMINT_CACHE_DIR="$DISK/cache"

run full-doctor doctor --offline
run full verify-build "$SPEC" --artifact "$FILE" --source "$PLAIN" --format json
room 3g
run roomy verify-build "$SPEC" --artifact "$FILE" --source "$PLAIN" --format json
# What a build may have, and a little more.
room $(($(used) + 560000))k
run filling verify-build "$SPEC" --artifact "$FILE" --source "$GREEDY" --format json
room 3g
run roomy-again verify-build "$SPEC" --artifact "$FILE" --source "$PLAIN" --format json --offline
run roomy-doctor doctor --offline

cd "$DISK/cache/v1"
for file in content/*/*; do
    echo "$(sha256sum < "$file" | cut -c -64) $(basename "$file")"
done > "$RESULTS/content"
ls work temporary > "$RESULTS/left"
"#;

struct Results(BTreeMap<String, String>);

impl Results {
    fn read(directory: &Path) -> Self {
        let entries = fs_err::read_dir(directory).unwrap().map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs_err::read_to_string(path).unwrap())
        });
        Self(entries.collect())
    }

    /// The code with which a run ended, what it answered, and what it said besides.
    fn of(&self, run: &str) -> (i32, &str, &str) {
        let part = |ending| &*self.0[&format!("{run}.{ending}")];
        (
            part("code").trim().parse().unwrap(),
            part("out"),
            part("err"),
        )
    }
}

#[test]
fn a_full_disk_is_told_as_such_and_the_caches_stay_whole() {
    let world = World::new();
    let (plain, stand_in) = with_dependency(&world);
    let file = world.build(SPEC, &plain, &stand_in);
    let greedy = world.path().join("greedy");
    fs_err::create_dir(&greedy).unwrap();
    for name in ["README.md", "package.json"] {
        fs_err::copy(plain.join(name), greedy.join(name)).unwrap();
    }
    let manifest = r#"{
      "name": "note-server", "version": "1.0.0", "files": ["README.md"],
      "scripts": { "prepack": "head -c 150000000 /dev/zero > big && sleep 20" }
    }"#;
    fs_err::write(greedy.join("package.json"), manifest).unwrap();
    let repository = git2::Repository::init(&greedy).unwrap();
    let released = commit(&repository, "Fill the disk");
    let released = repository.find_object(released, None).unwrap();
    repository
        .tag_lightweight("v1.0.0", &released, false)
        .unwrap();

    let program = Person::Myself.program();
    let Some(mut command) = with_own_mounts(SCRIPT, &program) else {
        return left_out("full disks", "no mount namespace is to be had here");
    };
    let (disk, results) = (world.path().join("disk"), world.path().join("results"));
    for directory in [&disk, &results] {
        fs_err::create_dir(directory).unwrap();
    }
    command
        .env("HOME", world.path())
        .env("DISK", &disk)
        .env("RESULTS", &results)
        .env("SPEC", SPEC)
        .env("FILE", &file)
        .env("PLAIN", &plain)
        .env("GREEDY", &greedy)
        .env_remove("XDG_CONFIG_HOME")
        .current_dir(world.path());
    let output = finish(command);
    assert!(output.status.success(), "{output:?}");
    let results = Results::read(&results);

    for run in ["full", "filling"] {
        let (code, answer, said) = results.of(run);
        assert_eq!(code, 4, "{run}: {answer} {said}");
        assert!(said.contains("the disk is full: "), "{run}: {said}");
        assert!(said.contains("remint cache prune"), "{run}: {said}");
        let report: serde_json::Value = serde_json::from_str(answer).unwrap();
        let nothing = serde_json::json!([]);
        assert_eq!(report["targets"], nothing, "{run}: nothing is known");
    }
    let (code, checks, _) = results.of("full-doctor");
    assert_eq!(code, 4, "{checks}");
    assert!(
        checks.contains("✘ cache           the disk is full"),
        "{checks}"
    );
    let (code, checks, _) = results.of("roomy-doctor");
    assert_eq!(code, 0, "{checks}");
    for run in ["roomy", "roomy-again"] {
        let (code, answer, said) = results.of(run);
        assert_eq!(code, 0, "{run}: {answer} {said}");
        assert!(answer.contains("\"content\": \"identical\""), "{answer}");
    }
    let content = &results.0["content"];
    assert!(content.lines().count() > 2, "{content}");
    for line in content.lines() {
        let (digest, name) = line.split_once(' ').unwrap();
        assert_eq!(digest, name, "damaged content");
    }
    let left = &results.0["left"];
    assert!(!left.contains("run-"), "{left}");
}

/// `$1` is the binary. Each round leaves a little more room than the one before.
const SIGNING: &str = r#"
mount -t tmpfs -o size=1m,mode=777 none "$DISK"
run() {
    name=$1; shift
    code=0
    "$REMINT" "$@" > "$RESULTS/$name.out" 2> "$RESULTS/$name.err" || code=$?
    echo $code > "$RESULTS/$name.code"
}
room() { mount --options-mode=ignore -t tmpfs -o "remount,size=$1" none "$DISK"; }
used() { df --output=used -k "$DISK" | tail -n 1 | tr -d ' '; }
attest() {
    run "$1" attest "$SPEC" --artifact "$FILE" --source "$PLAIN" --key me.key --output "$DISK/out"
    run "$1-log" log verify "$DISK"/out/log/* --log-key me.log.pub
    find "$DISK" -name '.new-*' > "$RESULTS/$1.left"
    mkdir -p "$RESULTS/$1.shelf"
    cp -r "$DISK"/out/npm "$RESULTS/$1.shelf/"
}
REMINT=$1
"$REMINT" key generate --output me > /dev/null
attest first
for more in 4 12 20 28 36; do
    room $(($(used) + more))k
    attest "full-$more"
done
room 4m
attest last
"#;

#[test]
fn a_full_disk_leaves_log_and_attestations_whole() {
    let world = World::new();
    let (plain, stand_in) = with_dependency(&world);
    let file = world.build(SPEC, &plain, &stand_in);
    let program = Person::Myself.program();
    let Some(mut command) = with_own_mounts(SIGNING, &program) else {
        return left_out("full disks", "no mount namespace is to be had here");
    };
    let (disk, results) = (world.path().join("disk"), world.path().join("results"));
    for directory in [&disk, &results] {
        fs_err::create_dir(directory).unwrap();
    }
    command
        .env("HOME", world.path())
        .env("REMINT_CACHE_DIR", world.cache())
        .env("REMINT_KEY_PASSWORD", "a passphrase")
        .env("DISK", &disk)
        .env("RESULTS", &results)
        .env("SPEC", SPEC)
        .env("FILE", &file)
        .env("PLAIN", &plain)
        .env_remove("XDG_CONFIG_HOME")
        .current_dir(world.path());
    let output = finish(command);
    assert!(output.status.success(), "{output:?}");
    let read = |name: &str| fs_err::read_to_string(results.join(name)).unwrap();
    let mut full = 0;
    for run in [
        "first", "full-4", "full-12", "full-20", "full-28", "full-36", "last",
    ] {
        let code = read(&format!("{run}.code"));
        if run.starts_with("full") && code.trim() == "4" {
            full += 1;
            // The verdict is told all the same.
            assert!(read(&format!("{run}.out")).contains("verified"), "{run}");
        } else {
            assert_eq!(code.trim(), "0", "{run}: {}", read(&format!("{run}.err")));
        }
        assert_eq!(
            read(&format!("{run}-log.code")).trim(),
            "0",
            "{run}: {}",
            read(&format!("{run}-log.err"))
        );
        assert_eq!(read(&format!("{run}.left")), "", "{run}");
        let shelf = results.join(format!("{run}.shelf"));
        let index = crate::attest::files(&shelf)
            .into_iter()
            .find(|path| path.ends_with("index.json"))
            .unwrap();
        let listed = Index::parse(&fs_err::read(&index).unwrap()).unwrap();
        assert!(listed.attestations.len() >= 3, "{run}");
        for entry in listed.attestations {
            let bundle = fs_err::read(index.with_file_name(&entry.path)).unwrap();
            assert_eq!(Sha256::of(&bundle), entry.sha256, "{run}");
        }
    }
    assert!(full > 0, "no disk was full");
}

/// An answer that did not arrive must not look like one that did.
#[test]
fn an_answer_that_cannot_be_written_is_no_success() {
    let full = fs_err::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let mut command = Person::Myself.command();
    command.arg("explain").stdout(full.into_parts().0);
    let output = command
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let output = output.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("cannot write the answer"), "{said}");
}
