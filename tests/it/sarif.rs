//! `--format sarif` through the binary. What the log holds in detail is tested beside the code that writes it.

use std::path::Path;

use serde_json::Value;

use crate::tamper;
use crate::world::World;

const SPEC: &str = "npm:note-server@1.0.0";

/// Exit code and log.
fn sarif(world: &World, arguments: &[&str]) -> (i32, Value) {
    let mut all = vec!["verify-build", "--format", "sarif"];
    all.extend(arguments);
    let output = world.remint(&all);
    let log = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code().unwrap(), log)
}

fn results(log: &Value) -> Vec<(&str, &str, &str)> {
    log["runs"][0]["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|result| {
            let place = &result["locations"][0]["physicalLocation"]["artifactLocation"];
            (
                result["ruleId"].as_str().unwrap(),
                result["level"].as_str().unwrap(),
                place["uri"].as_str().unwrap(),
            )
        })
        .collect()
}

#[test]
fn an_honest_release_has_no_results_and_a_tampered_one_has_them_where_it_was_tampered_with() {
    let world = World::new();
    let repository = world.repository("npm/plain", &[], "v1.0.0");
    let stand_in = crate::npm::stand_in(&world, "note-server-1.0.0.tgz", "note-server");
    let honest = world.build(SPEC, &repository, &stand_in);
    let verify = |file: &Path| {
        let (file, source) = (file.to_str().unwrap(), repository.to_str().unwrap());
        sarif(&world, &[SPEC, "--artifact", file, "--source", source])
    };

    let (code, log) = verify(&honest);
    assert_eq!((code, results(&log)), (0, Vec::new()), "{log}");
    assert_eq!(log["version"], "2.1.0");
    let artifact = &log["runs"][0]["artifacts"][0];
    assert_eq!(artifact["properties"]["outcome"], "verified");

    let tampered = tamper::tarball(&honest, &world.path().join("tampered"), |entries| {
        let line = "      notes.push(";
        let more = format!("      fetch(\"https://canary.invalid/\");\n{line}");
        tamper::replace(entries, "package/lib/answer.js", line, &more);
        let files = "\"files\"";
        let dependency =
            format!("\"dependencies\": {{ \"plain-crypto-js\": \"4.2.1\" }},\n  {files}");
        tamper::replace(entries, "package/package.json", files, &dependency);
    });
    let (code, log) = verify(&tampered);
    assert_eq!(code, 1, "{log}");
    assert_eq!(
        results(&log),
        [
            ("undeclared-dependency", "error", "note-server-1.0.0.tgz"),
            (
                "difference/executable",
                "error",
                "note-server-1.0.0.tgz/lib/answer.js"
            ),
            (
                "difference/manifest",
                "error",
                "note-server-1.0.0.tgz/package.json"
            ),
        ],
        "{log}"
    );
    let line = &log["runs"][0]["results"][1]["locations"][0]["physicalLocation"]["region"];
    let published = fs_err::read_to_string(repository.join("lib/answer.js")).unwrap();
    let pushed = published
        .lines()
        .position(|line| line.starts_with("      notes.push("));
    // Lines are counted from one, and the new line took the place of the one that it was put before.
    assert_eq!(line["startLine"], pushed.unwrap() + 1, "{log}");
    assert_eq!(log["runs"][0]["invocations"][0]["exitCode"], 1);
}

#[test]
fn what_could_not_be_found_out_is_a_result() {
    let world = World::new();
    let (code, log) = sarif(&world, &["npm:@fixture/never-fetched@1.0.0", "--offline"]);
    assert_eq!(code, 3, "{log}");
    assert_eq!(
        results(&log),
        [(
            "outcome/inconclusive/unavailable",
            "warning",
            "npm%3A%40fixture%2Fnever-fetched%401.0.0"
        )],
        "{log}"
    );
}
