//! A bundle that the real packer packs and signs.

use std::path::Path;

use assert_cmd::Command;
use serde_json::json;

use crate::bundles::{starts_itself, tag};
use crate::world::World;

/// With the real packer and the public registry; without that registry there is nothing to test.
#[test]
fn what_the_real_packer_packs_and_signs_is_verified() {
    let world = World::new();
    let run = |folder: &Path, program: &str, arguments: &[&str]| {
        let done = Command::new(program)
            .args(arguments)
            .current_dir(folder)
            .output();
        done.is_ok_and(|output| output.status.success())
    };
    let tool = world.path().join("tool");
    let folder = world.path().join("real");
    fs_err::create_dir_all(folder.join("server")).unwrap();
    fs_err::create_dir_all(&tool).unwrap();
    let quiet = ["--silent", "--no-audit", "--no-fund", "--ignore-scripts"];
    let install = [&["install"][..], &quiet, &["@anthropic-ai/mcpb@2.1.2"]].concat();
    if !run(&tool, "npm", &install) {
        return;
    }
    for (path, content) in [
        (
            "package.json",
            r#"{"name":"real","version":"1.0.0","dependencies":{"ms":"2.1.3"}}"#.to_owned(),
        ),
        (".gitignore", "node_modules/\n".to_owned()),
        ("server/index.js", "require('ms');\n".to_owned()),
        (
            "manifest.json",
            json!({
                "manifest_version": "0.3", "name": "real", "version": "1.0.0",
                "description": "A test", "author": {"name": "Tester"},
                "server": {"type": "node", "entry_point": "server/index.js", "mcp_config": starts_itself()},
            })
            .to_string(),
        ),
    ] {
        fs_err::write(folder.join(path), content).unwrap();
    }
    assert!(run(&folder, "npm", &[&["install"][..], &quiet].concat()));
    tag(&folder, "v1.0.0");
    let mcpb = tool.join("node_modules/.bin/mcpb");
    let mcpb = mcpb.to_str().unwrap();
    assert!(run(world.path(), mcpb, &["pack", "real", "real.mcpb"]));
    let verify = || world.verify(&["./real.mcpb", "--source", folder.to_str().unwrap()]);
    let answer = verify();
    assert_eq!(answer.outcome(), ("verified", "equivalent"), "{answer:#?}");
    assert_eq!(answer.target()["bundle"]["packages"][0]["name"], "ms");

    assert!(run(
        world.path(),
        mcpb,
        &["sign", "real.mcpb", "--self-signed"]
    ));
    let answer = verify();
    assert_eq!(answer.outcome(), ("verified", "equivalent"), "{answer:#?}");
    let signature = &answer.target()["bundle"]["signature"];
    assert_eq!(signature["state"], "valid", "{answer:#?}");
    assert_eq!(signature["signer"]["self_signed"], true);

    // The length of the block, counted into the comment of the zip after signing, as newer signers do.
    let path = world.path().join("real.mcpb");
    let signed = fs_err::read(&path).unwrap();
    let end = signed
        .windows(4)
        .rposition(|window| window == b"PK\x05\x06")
        .unwrap();
    let mut counted = signed.clone();
    let block = u16::try_from(signed.len() - end - 22).unwrap();
    counted[end + 20..end + 22].copy_from_slice(&block.to_le_bytes());
    fs_err::write(&path, counted).unwrap();
    let answer = verify();
    assert_eq!(
        answer.target()["bundle"]["signature"]["state"],
        "valid",
        "{answer:#?}"
    );

    // The time of the first entry, in both of its headers: nothing else would tell.
    let mut changed = signed;
    let central = changed
        .windows(4)
        .position(|window| window == b"PK\x01\x02")
        .unwrap();
    changed[10] ^= 1;
    changed[central + 12] ^= 1;
    fs_err::write(&path, changed).unwrap();
    let answer = verify();
    assert_eq!(
        answer.findings().get("bundle-signature-invalid"),
        Some(&"high"),
        "{answer:#?}"
    );
    assert_eq!(answer.code, 1);
}
