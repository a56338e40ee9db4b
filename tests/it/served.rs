//! Releases that a registry serves: found, fetched and judged as a user's would be.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::registry::{Registry, Release};
use crate::world::{Answer, World, commit};

pub(crate) const NAME: &str = "@fixture/note-server";
const SPEC: &str = "npm:@fixture/note-server@1.0.0";
const REPOSITORY: &str = "https://git.example.invalid/fixture/note-server";

fn manifest(more: &str) -> String {
    format!(
        "{{\n  \"name\": \"{NAME}\",\n  \"version\": \"1.0.0\",\n  \"type\": \"module\",\n  \
         \"repository\": \"{REPOSITORY}\",\n  \"files\": [\"lib\"]{more}\n}}\n"
    )
}

/// A world whose git leads the public address to a repository with this manifest, and what that builds.
pub(crate) fn world(more: &str, tag: &str) -> (World, PathBuf) {
    let world = World::new();
    let repository = world.repository("npm/plain", &[("package.json", &manifest(more))], tag);
    let rewrite = format!(
        "[url \"file://{}\"]\n\tinsteadOf = {REPOSITORY}\n",
        repository.display()
    );
    fs_err::write(world.path().join(".gitconfig"), rewrite).unwrap();
    (world, repository)
}

pub(crate) fn build(world: &World, repository: &Path) -> Vec<u8> {
    let stand_in = crate::npm::stand_in(world, "fixture-note-server-1.0.0.tgz", NAME);
    fs_err::read(world.build(SPEC, repository, &stand_in)).unwrap()
}

pub(crate) fn verify(world: &World, release: &Release<'_>) -> Answer {
    let registry = Registry::serve(release);
    fs_err::write(world.path().join(".npmrc"), registry.npmrc("@fixture")).unwrap();
    world.verify(&[SPEC])
}

pub(crate) fn release(tarball: Vec<u8>) -> Release<'static> {
    Release {
        name: NAME,
        version: "1.0.0",
        tarball,
        repository: REPOSITORY,
        extra: json!({}),
        declared: None,
        attestations: None,
        announced: &[],
    }
}

#[test]
fn a_served_release_is_found_fetched_and_verified() {
    let (world, repository) = world("", "v1.0.0");
    let tarball = build(&world, &repository);
    let answer = verify(&world, &release(tarball.clone()));
    assert_eq!(answer.code, 0, "{answer:?}");
    assert_eq!(answer.outcome(), ("verified", "identical"), "{answer:?}");
    assert_eq!(answer.target()["source"]["found_by"], "tag");
    assert_eq!(answer.target()["source"]["repository"], REPOSITORY);
    assert_eq!(answer.target()["published"]["origin"], "registry");

    let mut other = tarball.clone();
    other.push(0);
    let answer = verify(
        &world,
        &Release {
            declared: Some(other),
            ..release(tarball.clone())
        },
    );
    assert_eq!(answer.code, 1, "{answer:?}");
    assert_eq!(
        answer.findings().get("integrity-mismatch"),
        Some(&"critical"),
        "{answer:?}"
    );

    let unknown = world.verify(&["npm:@fixture/note-server@9.9.9"]);
    assert_eq!(unknown.code, 3, "{unknown:?}");
    assert_eq!(unknown.target()["reason"], "not-found", "{unknown:?}");

    let answer = verify(
        &world,
        &Release {
            repository: "https://gone.example.invalid/fixture/note-server",
            ..release(tarball.clone())
        },
    );
    // The file's own manifest still names the repository; the registry's other claim is a finding.
    assert_eq!(
        answer.findings().get("repository-claims-disagree"),
        Some(&"medium"),
        "{answer:?}"
    );

    let answer = verify(
        &world,
        &Release {
            extra: json!({ "dependencies": { "left-pad": "^1.0.0" } }),
            ..release(tarball)
        },
    );
    assert_eq!(
        answer.findings().get("registry-manifest-disagrees"),
        Some(&"high"),
        "{answer:?}"
    );
    assert_eq!(answer.code, 1, "{answer:?}");
}

#[test]
fn a_git_head_that_no_branch_reaches_is_named() {
    let (world, path) = world("", "v1.0.0");
    let tarball = build(&world, &path);
    let repository = git2::Repository::open(&path).unwrap();
    let released = repository.head().unwrap().peel_to_commit().unwrap();
    fs_err::write(path.join("lib/extra.js"), "export {};\n").unwrap();
    let dangling = commit(&repository, "Only in a fork");
    repository
        .reset(released.as_object(), git2::ResetType::Hard, None)
        .unwrap();
    let answer = verify(
        &world,
        &Release {
            extra: json!({ "gitHead": dangling.to_string() }),
            ..release(tarball)
        },
    );
    assert_eq!(
        answer.findings().get("commit-unreachable"),
        Some(&"high"),
        "{answer:?}"
    );
    assert_eq!(answer.code, 1, "{answer:?}");
}

#[test]
fn a_build_that_fetches_its_own_result_is_named() {
    let own = r#",
  "devDependencies": { "@fixture/note-server": "1.0.0" },
  "scripts": { "prepack": "cp -r node_modules/@fixture/note-server/lib ." }"#;
    let (world, path) = world("", "v1.0.0");
    let tarball = build(&world, &path);
    let lock = json!({
        "name": NAME, "version": "1.0.0", "lockfileVersion": 3, "requires": true,
        "packages": {
            "": { "name": NAME, "version": "1.0.0", "devDependencies": { NAME: "1.0.0" } },
            "node_modules/@fixture/note-server": {
                "version": "1.0.0",
                "resolved": "https://registry.npmjs.org/@fixture/note-server/-/note-server-1.0.0.tgz",
                "dev": true,
            },
        },
    });
    fs_err::write(path.join("package.json"), manifest(own)).unwrap();
    fs_err::write(path.join("package-lock.json"), lock.to_string()).unwrap();
    let repository = git2::Repository::open(&path).unwrap();
    let changed = commit(&repository, "Take the published files");
    let object = repository.find_object(changed, None).unwrap();
    repository.tag_lightweight("v1.0.0", &object, true).unwrap();
    let answer = verify(&world, &release(tarball));
    assert_eq!(
        answer.findings().get("build-consumes-published"),
        Some(&"critical"),
        "{answer:?}"
    );
    assert_eq!(answer.code, 1, "{answer:?}");
}
