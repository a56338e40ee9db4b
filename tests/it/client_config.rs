//! `--config` through the binary. What every entry means is tested beside the code that reads it.

use serde_json::{Value, json};

use crate::registry::Registry;
use crate::served::{NAME, build, release, world};
use crate::world::{Answer, World};

const SECRET: &str = "s3cr3t-5f1c";

/// Writes a configuration and verifies it; whatever is told may not hold the secret.
fn verify(world: &World, config: &Value, more: &[&str]) -> Answer {
    let path = world.path().join("mcp.json");
    fs_err::write(path, config.to_string()).unwrap();
    let answer = world.verify(&[&["--config", "mcp.json"], more].concat());
    assert!(!answer.report.to_string().contains(SECRET), "{answer:?}");
    assert!(!answer.stderr.contains(SECRET), "{answer:?}");
    answer
}

/// Target, outcome and reason of every target.
fn targets(answer: &Answer) -> Vec<(&str, &str, &str)> {
    answer.report["targets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|target| {
            (
                target["target"].as_str().unwrap(),
                target["outcome"].as_str().unwrap(),
                target["reason"].as_str().unwrap_or_default(),
            )
        })
        .collect()
}

#[test]
fn every_server_is_a_target_and_the_worst_outcome_decides() {
    let (world, repository) = world("", "v1.0.0");
    let tarball = build(&world, &repository);
    let registry = Registry::serve(&release(tarball));
    fs_err::write(world.path().join(".npmrc"), registry.npmrc("@fixture")).unwrap();
    let pinned = format!("{NAME}@1.0.0");
    let notes = json!({
        "command": "npx",
        "args": ["-y", pinned, format!("--token={SECRET}")],
        "env": {"API_KEY": SECRET},
    });
    let purl = "pkg:npm/%40fixture/note-server@1.0.0";

    let alone = json!({"mcpServers": {"notes": notes, "notes again": notes}});
    let answer = verify(&world, &alone, &[]);
    assert_eq!(answer.code, 0, "{answer:?}");
    assert_eq!(targets(&answer), [(purl, "verified", "")]);
    assert_eq!(
        answer.target()["notes"],
        json!([
            "the server `notes` of `mcp.json` starts it with `npx`",
            "the server `notes again` of `mcp.json` starts it with `npx`",
        ])
    );

    let several = json!({"servers": {
        "far": {"type": "http", "url": format!("https://mcp.example.invalid/?key={SECRET}")},
        "notes": notes,
        "box": {"command": "docker", "args": ["run", "-e", format!("KEY={SECRET}"), "127.0.0.1:9/image"]},
        "odd": {"command": "npx", "args": [format!("--unknown={SECRET}"), pinned]},
        "elsewhere": {"command": "npx", "args": [pinned], "env": {"npm_config_registry": SECRET}},
        "broken": {"args": []},
        "gone": {"command": "npx", "args": [format!("{NAME}@9.9.9")]},
    }});
    let answer = verify(&world, &several, &[]);
    assert_eq!(answer.code, 3, "{answer:?}");
    assert_eq!(
        targets(&answer),
        [
            ("server:far", "inconclusive", "unsupported"),
            (purl, "verified", ""),
            (
                "oci:127.0.0.1:9/image:latest",
                "inconclusive",
                "unavailable"
            ),
            ("server:odd", "inconclusive", "unsupported"),
            ("server:elsewhere", "inconclusive", "unsupported"),
            ("server:broken", "inconclusive", "malformed"),
            (
                "npm:@fixture/note-server@9.9.9",
                "inconclusive",
                "not-found"
            ),
        ]
    );

    let mut declared = fs_err::read(repository.join("package.json")).unwrap();
    declared.push(0);
    let wrong = Registry::serve(&crate::registry::Release {
        declared: Some(declared),
        ..release(b"another file".to_vec())
    });
    fs_err::write(world.path().join(".npmrc"), wrong.npmrc("@fixture")).unwrap();
    let answer = verify(&world, &several, &[]);
    assert_eq!(answer.code, 1, "{answer:?}");
    assert_eq!(targets(&answer)[1].1, "failed", "{answer:?}");
    assert_eq!(targets(&answer).len(), 7);
}

#[test]
fn a_server_without_an_exact_version_is_told_so() {
    let world = World::new();
    let config = json!({"mcpServers": {
        "any": {"command": "uvx", "args": ["remint-fixture-never-fetched"]},
        "range": {"command": "uvx", "args": ["remint-fixture-never-fetched>=1"]},
    }});
    let answer = verify(&world, &config, &["--offline"]);
    assert_eq!(answer.code, 3, "{answer:?}");
    assert_eq!(
        targets(&answer),
        [
            (
                "pypi:remint-fixture-never-fetched",
                "inconclusive",
                "unavailable"
            ),
            ("server:range", "inconclusive", "unsupported"),
        ]
    );
    let notes = answer.target()["notes"].to_string();
    assert!(notes.contains("without an exact version"), "{notes}");
}

#[test]
fn what_is_no_configuration_is_wrong_usage_with_place_and_reason() {
    let world = World::new();
    let broken = format!("{{\n  \"mcpServers\": {{\n    \"a\": {SECRET}\n  }}\n}}\n");
    for (name, content, expected) in [
        (
            "empty.json",
            "{}",
            "names no MCP server: expected entries under `mcpServers`",
        ),
        ("none.json", r#"{"mcpServers": {}}"#, "names no MCP server"),
        ("list.json", r#"{"servers": []}"#, "`servers` is no object"),
        ("broken.json", &broken, "line 3, column 10"),
    ] {
        fs_err::write(world.path().join(name), content).unwrap();
        let output = world.remint(&["verify-build", "--config", name]);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{name}: {stderr}");
        assert_eq!(output.stdout, b"", "{name}");
        assert!(
            stderr.contains(name) && stderr.contains(expected),
            "{name}: {stderr}"
        );
        assert!(!stderr.contains(SECRET), "{name}: {stderr}");
    }
    for (arguments, expected) in [
        (&["--config", "nosuch.json"][..], "nosuch.json"),
        (&["--config", "."], "cannot take servers from `.`"),
        (&["--config", "empty.json", "--ref", "v1"], "--ref"),
        (
            &["--config", "empty.json", "--source", "."],
            "`--source` belongs to one server",
        ),
        (
            &["--config", "empty.json", "--artifact", "x.tgz"],
            "--artifact",
        ),
    ] {
        let output = world.remint(&[&["verify-build"], arguments].concat());
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
        assert!(stderr.contains(expected), "{arguments:?}: {stderr}");
    }
}
