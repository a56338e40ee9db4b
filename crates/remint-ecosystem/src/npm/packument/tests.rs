use proptest::prelude::*;

use super::*;

fn read(packument: &Value, version: Option<&str>) -> Result<Release, MetadataError> {
    let version = version.map(|version| version.parse().unwrap());
    release(packument.to_string().as_bytes(), version.as_ref())
}

fn document(version: &str, more: &Value) -> Value {
    let mut document = serde_json::json!({
        "name": "@s/x",
        "version": version,
        "dist": { "tarball": format!("https://registry.npmjs.org/@s/x/-/x-{version}.tgz") },
    });
    if let (Some(fields), Some(more)) = (document.as_object_mut(), more.as_object()) {
        fields.extend(more.clone());
    }
    document
}

fn packument(versions: &[&str]) -> Value {
    let documents: serde_json::Map<String, Value> = versions
        .iter()
        .map(|version| ((*version).to_owned(), document(version, &Value::Null)))
        .collect();
    serde_json::json!({ "name": "@s/x", "versions": documents })
}

#[test]
fn a_mirror_that_knows_the_tarball_alone_is_enough() {
    let release = read(&packument(&["1.0.0"]), None).unwrap();
    let file = release.files.first().unwrap();
    assert_eq!(file.name.as_str(), "x-1.0.0.tgz");
    assert_eq!(file.integrity, None);
    assert_eq!(release.published, None);
    assert_eq!(release.claims, Vec::new());
}

#[test]
fn provenance_that_the_releases_before_had_is_missed() {
    let with = |announced: &[&str]| {
        let mut packument = packument(&["1.0.0", "1.1.0", "1.2.0"]);
        for version in announced {
            packument["versions"][version]["dist"]["attestations"] = serde_json::json!({
                "url": format!("https://registry.npmjs.org/-/npm/v1/attestations/@s%2fx@{version}"),
                "provenance": { "predicateType": "https://slsa.dev/provenance/v1" },
            });
        }
        let release = read(&packument, Some("1.2.0")).unwrap();
        let file = release.files.first().unwrap();
        let before = file.provenance_before.as_ref().map(ToString::to_string);
        (file.provenance.is_some(), before)
    };
    assert_eq!(with(&[]), (false, None));
    assert_eq!(with(&["1.2.0"]), (true, None));
    assert_eq!(with(&["1.0.0", "1.1.0", "1.2.0"]), (true, None));
    assert_eq!(with(&["1.0.0", "1.1.0"]), (false, Some("1.1.0".to_owned())));
    assert_eq!(with(&["1.0.0"]), (false, Some("1.0.0".to_owned())));
}

#[test]
fn the_version_is_exact_or_a_tag_or_another_spelling() {
    let mut packument = packument(&["1.0.0", "2.0.0-rc.1", "1.1.0"]);
    let chosen = |packument: &Value, version: Option<&str>| {
        read(packument, version).map(|release| release.version.to_string())
    };
    assert_eq!(chosen(&packument, None).unwrap(), "1.1.0");
    assert_eq!(chosen(&packument, Some("v1.0.0")).unwrap(), "1.0.0");
    packument["dist-tags"] = serde_json::json!({ "latest": "1.0.0", "next": "2.0.0-rc.1" });
    assert_eq!(chosen(&packument, None).unwrap(), "1.0.0");
    assert_eq!(chosen(&packument, Some("next")).unwrap(), "2.0.0-rc.1");
    assert_eq!(
        chosen(&packument, Some("9.9.9")).unwrap_err(),
        MetadataError::NoSuchVersion {
            version: "9.9.9".to_owned(),
            newest: "1.0.0".to_owned(),
        }
    );
    // A tag that leads nowhere is not followed.
    packument["dist-tags"] = serde_json::json!({ "latest": "7.0.0" });
    assert_eq!(chosen(&packument, None).unwrap(), "1.1.0");
    assert_eq!(
        read(&serde_json::json!({ "versions": {} }), None).unwrap_err(),
        MetadataError::Missing("versions".to_owned())
    );
}

#[test]
fn the_strongest_digest_counts_and_a_broken_one_is_no_absent_one() {
    let with = |dist: Value| {
        let mut packument = packument(&["1.0.0"]);
        let tarball = packument["versions"]["1.0.0"]["dist"]["tarball"].clone();
        packument["versions"]["1.0.0"]["dist"] = dist;
        packument["versions"]["1.0.0"]["dist"]["tarball"] = tarball;
        read(&packument, None).map(|release| release.files.first().unwrap().integrity.clone())
    };
    let sha512 = Integrity::Sha512(remint_model::Sha512::of(b"x"));
    let sha1 = Sha1::of(b"x");
    assert_eq!(
        with(serde_json::json!({ "integrity": sha512.to_string(), "shasum": sha1.to_string() })),
        Ok(Some(sha512))
    );
    assert_eq!(
        with(serde_json::json!({ "shasum": sha1.to_string() })),
        Ok(Some(Integrity::Sha1(sha1)))
    );
    for broken in [
        serde_json::json!({ "integrity": "sha512-xx" }),
        serde_json::json!({ "shasum": "xx" }),
    ] {
        assert!(matches!(with(broken), Err(MetadataError::Malformed { .. })));
    }
}

#[test]
fn a_release_without_a_reachable_file_is_refused() {
    let with = |dist: Value| {
        let mut packument = packument(&["1.0.0"]);
        packument["versions"]["1.0.0"]["dist"] = dist;
        read(&packument, None).unwrap_err()
    };
    assert_eq!(with(Value::Null), MetadataError::NoFile("1.0.0".to_owned()));
    assert_eq!(
        with(serde_json::json!({})),
        MetadataError::NoFile("1.0.0".to_owned())
    );
    for tarball in ["file:///etc/passwd", "x.tgz", ""] {
        assert!(matches!(
            with(serde_json::json!({ "tarball": tarball })),
            MetadataError::Malformed { .. }
        ));
    }
    let opaque = "https://npm.example.org/download/@s/x/1.0.0/0f1e";
    let mut hidden = packument(&["1.0.0"]);
    hidden["versions"]["1.0.0"]["dist"] = serde_json::json!({ "tarball": opaque });
    let release = read(&hidden, None).unwrap();
    assert_eq!(release.files.first().unwrap().name.as_str(), "x-1.0.0.tgz");
}

#[test]
fn earlier_releases_are_those_that_were_out_or_else_the_lower_ones() {
    let earlier = |packument: &Value, version: &str| -> Vec<String> {
        let release = read(packument, Some(version)).unwrap();
        release
            .earlier
            .iter()
            .map(|earlier| earlier.version.to_string())
            .collect()
    };
    let mut packument = packument(&["1.0.0", "2.0.0", "2.1.0-rc.1", "2.1.0", "1.9.0"]);
    assert_eq!(
        earlier(&packument, "2.1.0"),
        ["2.0.0", "1.9.0", "1.0.0", "2.1.0-rc.1"]
    );
    assert_eq!(
        earlier(&packument, "2.1.0-rc.1"),
        ["2.0.0", "1.9.0", "1.0.0"]
    );
    assert_eq!(earlier(&packument, "2.0.0"), ["1.9.0", "1.0.0"]);
    assert_eq!(
        earlier(&packument, "1.0.0"),
        ["2.1.0", "2.0.0", "1.9.0", "2.1.0-rc.1"],
        "nothing says that it was the first"
    );
    packument["time"] = serde_json::json!({
        "1.0.0": "2020-01-01T00:00:00.000Z",
        "2.0.0": "2020-01-02T00:00:00.000Z",
        "1.9.0": "2022-01-01T00:00:00.000Z",
    });
    assert_eq!(earlier(&packument, "2.0.0"), ["1.0.0"]);
    let release = read(&packument, Some("2.0.0")).unwrap();
    assert_eq!(release.earlier.first().unwrap().before, Some(24 * 3600));
}

#[test]
fn a_release_below_all_others_is_held_against_those_published_before_it() {
    let earlier = |times: &[(&str, &str)], version: &str| -> Vec<String> {
        let versions: Vec<&str> = times.iter().map(|(version, _)| *version).collect();
        let mut packument = packument(&versions);
        packument["time"] = times
            .iter()
            .map(|(version, time)| ((*version).to_owned(), Value::from(*time)))
            .collect::<serde_json::Map<_, _>>()
            .into();
        let release = read(&packument, Some(version)).unwrap();
        release
            .earlier
            .iter()
            .map(|earlier| earlier.version.to_string())
            .collect()
    };
    let lower = [
        ("1.0.0", "2025-01-01T00:00:00Z"),
        ("1.1.0", "2025-02-01T00:00:00Z"),
        ("0.9.0", "2025-03-01T00:00:00Z"),
    ];
    assert_eq!(earlier(&lower, "0.9.0"), ["1.1.0", "1.0.0"]);
    assert_eq!(earlier(&lower, "1.1.0"), ["1.0.0"]);
    assert_eq!(earlier(&lower, "1.0.0"), [""; 0], "it was the first");
    let backport = [
        ("1.4.4", "2025-01-01T00:00:00Z"),
        ("2.0.0", "2025-02-01T00:00:00Z"),
        ("1.4.5", "2025-03-01T00:00:00Z"),
    ];
    assert_eq!(earlier(&backport, "1.4.5"), ["2.0.0", "1.4.4"]);
    assert_eq!(earlier(&backport, "2.0.0"), ["1.4.4"]);
    // Four at once make the times look like a mirror's, which must not put the others out of sight.
    let burst = [
        ("1.0.0", "2025-01-01T00:00:00Z"),
        ("0.9.0", "2025-03-01T00:00:00Z"),
        ("0.9.1", "2025-03-01T00:00:01Z"),
        ("0.9.2", "2025-03-01T00:00:02Z"),
        ("0.9.3", "2025-03-01T00:00:03Z"),
    ];
    assert_eq!(
        earlier(&burst, "0.9.3"),
        ["1.0.0", "0.9.2", "0.9.1", "0.9.0"]
    );
}

#[test]
fn many_new_releases_do_not_hide_the_old_ones() {
    let texts: Vec<String> = (0..100).map(|patch| format!("1.0.{patch}")).collect();
    let versions: Vec<&str> = texts.iter().map(String::as_str).collect();
    let mut packument = packument(&versions);
    packument["time"] = texts
        .iter()
        .enumerate()
        .map(|(patch, version)| {
            let day = if patch < 3 { "2025-01" } else { "2026-01" };
            let time = format!("{day}-01T{:02}:{:02}:00.000Z", patch / 60, patch % 60);
            (version.clone(), Value::from(time))
        })
        .collect::<serde_json::Map<_, _>>()
        .into();
    let release = read(&packument, Some("1.0.99")).unwrap();
    let seen: Vec<&str> = release
        .earlier
        .iter()
        .map(|earlier| earlier.version.as_str())
        .collect();
    assert_eq!(seen.len(), NEAREST + 3);
    assert_eq!(seen.last(), Some(&"1.0.0"));
}

#[test]
fn times_of_a_mirror_say_when_a_version_was_out_at_the_latest() {
    let times = |times: &[(&str, &str)]| {
        let versions: Vec<&str> = times.iter().map(|(version, _)| *version).collect();
        let mut packument = packument(&versions);
        packument["time"] = times
            .iter()
            .map(|(version, time)| ((*version).to_owned(), Value::from(*time)))
            .collect::<serde_json::Map<_, _>>()
            .into();
        let out = out_by(packument.to_string().as_bytes());
        let day = |seconds: &i64| {
            let time = jiff::Timestamp::from_second(*seconds).unwrap();
            time.to_string().chars().take(10).collect::<String>()
        };
        versions
            .iter()
            .map(|version| out.get(*version).map(day).unwrap_or_default())
            .collect::<Vec<_>>()
    };
    // A registry's own: as they are.
    let honest = times(&[
        ("1.0.0", "2020-01-01T00:00:00.000Z"),
        ("1.1.0", "2020-02-01T00:00:00.000Z"),
        ("1.0.1", "2020-03-01T00:00:00.000Z"),
    ]);
    assert_eq!(honest, ["2020-01-01", "2020-02-01", "2020-03-01"]);
    // A mirror's: no patch is younger than the next one of its line.
    let backwards = times(&[
        ("1.0.0", "2026-03-29T22:22:12.134000+00:00"),
        ("1.0.1", "2025-12-04T21:56:54.366000+00:00"),
        ("1.0.2", "2026-01-05T00:00:00Z"),
        ("1.1.0", "2025-11-01T00:00:00Z"),
    ]);
    assert_eq!(
        backwards,
        ["2025-12-04", "2025-12-04", "2026-01-05", "2025-11-01"]
    );
    // Preliminary versions say nothing of others, and nothing is said of them.
    let preliminary = times(&[
        ("1.0.0", "2026-03-29T00:00:00Z"),
        ("1.0.1-rc.1", "2025-01-01T00:00:00Z"),
        ("1.0.1", "2026-02-01T00:00:00Z"),
    ]);
    assert_eq!(preliminary, ["2026-02-01", "2025-01-01", "2026-02-01"]);
    let burst = times(&[
        ("1.0.0", "2026-09-07T00:35:01Z"),
        ("2.0.0", "2026-09-07T00:35:06Z"),
        ("3.0.0", "2026-09-07T00:35:18Z"),
        ("3.0.1", "2025-09-07T00:35:20Z"),
    ]);
    assert_eq!(
        burst,
        ["2026-09-07", "2026-09-07", "2025-09-07", "2025-09-07"]
    );
}

#[test]
fn hints_and_withdrawal_are_read_where_they_have_the_right_shape() {
    let commit = "0123456789abcdef0123456789abcdef01234567";
    let mut packument = packument(&["1.0.0"]);
    packument["versions"]["1.0.0"] = document(
        "1.0.0",
        &serde_json::json!({
            "gitHead": commit,
            "_nodeVersion": "22.1.0",
            "_npmVersion": "10.8.1",
            "deprecated": "use y",
        }),
    );
    let release = read(&packument, None).unwrap();
    assert_eq!(release.git_head, Some(commit.parse().unwrap()));
    assert_eq!(release.tools.node.as_deref(), Some("22.1.0"));
    assert_eq!(release.withdrawn.as_deref(), Some("use y"));
    packument["versions"]["1.0.0"] = document(
        "1.0.0",
        &serde_json::json!({ "gitHead": "--upload-pack=x", "_nodeVersion": 22, "deprecated": "" }),
    );
    let release = read(&packument, None).unwrap();
    assert_eq!(release.git_head, None);
    assert_eq!(release.tools, ToolHints::default());
    assert_eq!(release.withdrawn, None);
}

#[test]
fn no_bytes_make_it_panic() {
    for bytes in [
        &b""[..],
        b"[]",
        b"{\"versions\":[]}",
        b"{\"versions\":{\"1.0.0\":7}}",
        b"{\"versions\":{\"1.0.0\":{}},\"time\":7,\"dist-tags\":[]}",
        b"{\"versions\":{}} trailing",
        b"\xff\xfe",
    ] {
        assert!(release(bytes, None).is_err());
    }
}

proptest! {
    #[test]
    fn no_document_panics_and_a_release_is_one_of_its_versions(
        bytes: Vec<u8>,
        text in "([{}\\[\\]:,\"]|\"versions\"|\"dist-tags\"|\"time\"|\"dist\"|\"tarball\"|\"1\\.0\\.0\"|1|null){0,30}",
        versions in prop::collection::btree_map("[0-2]\\.[0-2]\\.[0-2](-b\\.[0-9])?|\\PC{0,4}", "(https?://x\\.example/|file:|/-/|[a-z%]{1,3}|\\.tgz){0,4}", 0..5),
        latest in "[0-2]\\.[0-2]\\.[0-2]",
        times in prop::collection::btree_map("created|[0-2]\\.[0-2]\\.[0-2]", "20[0-9]{2}-0[1-9]-[0-9]{2}T00:00:00Z|\\PC{0,4}", 0..5),
    ) {
        for document in [bytes, text.into_bytes()] {
            drop(release(&document, None));
            drop(out_by(&document));
        }
        let documents: serde_json::Map<_, _> = versions
            .iter()
            .map(|(version, tarball)| (version.clone(), serde_json::json!({"dist": {"tarball": tarball}})))
            .collect();
        let document = serde_json::json!({
            "name": "x", "versions": documents, "dist-tags": {"latest": latest}, "time": times,
        });
        let document = document.to_string().into_bytes();
        prop_assert!(out_by(&document).keys().all(|version| versions.contains_key(version)));
        if let Ok(release) = release(&document, None) {
            prop_assert!(versions.contains_key(release.version.as_str()));
            prop_assert!(release.earlier.iter().all(|earlier| earlier.version != release.version));
            for file in release.files {
                prop_assert!(file.url.starts_with("https:") || file.url.starts_with("http:"));
            }
        }
    }
}
