//! Pages of indexes, in both forms, honest and hostile.

use proptest::prelude::*;
use remint_ecosystem::pypi::locate::{IndexAnswer, release};
use remint_ecosystem::{Interpreter, MetadataError, Release};
use remint_model::{Ecosystem, Integrity, PackageName, Sha256, Version};

use crate::project::LINUX;

const JSON: &str = "application/vnd.pypi.simple.v1+json";
const HTML: &str = "text/html; charset=utf-8";
const URL: &str = "https://index.example.org/simple/my-server/";

fn read(
    content: &[u8],
    content_type: &str,
    version: Option<&str>,
) -> Result<Release, MetadataError> {
    let version: Option<Version> = version.map(|version| version.parse().unwrap());
    release(
        &PackageName::parse(Ecosystem::Pypi, "my-server").unwrap(),
        &IndexAnswer {
            content,
            content_type,
            url: URL,
        },
        None,
        version.as_ref(),
        LINUX,
        &[Interpreter {
            version: "3.12.1".to_owned(),
            path: "/python".into(),
        }],
    )
}

fn json(files: &str) -> String {
    format!(r#"{{"meta":{{"api-version":"1.1"}},"name":"my-server","files":[{files}]}}"#)
}

fn file(name: &str, more: &str) -> String {
    format!(
        r#"{{"filename":"{name}","url":"https://files.example.org/{name}","hashes":{{}}{more}}}"#
    )
}

fn names(release: &Release) -> Vec<&str> {
    release
        .files
        .iter()
        .map(|file| file.name.as_str())
        .collect()
}

#[test]
fn provenance_is_missed_for_files_of_the_kind_that_had_it() {
    let address = "https://index.example.org/integrity/x/provenance";
    let stated = format!(r#","provenance":"{address}""#);
    let page = json(
        &[
            file("my_server-1.0.tar.gz", &stated),
            file("my_server-1.0-py3-none-any.whl", ""),
            file("my_server-1.1.tar.gz", r#","provenance":null"#),
            file("my_server-1.1-py3-none-any.whl", r#","provenance":7"#),
        ]
        .join(","),
    );
    let check = |release: &Release, expect: &[(&str, Option<&str>, Option<&str>)]| {
        let found: Vec<_> = release
            .files
            .iter()
            .map(|file| {
                let before = file.provenance_before.as_ref().map(Version::as_str);
                (file.name.as_str(), file.provenance.as_deref(), before)
            })
            .collect();
        assert_eq!(found, expect);
    };
    check(
        &read(page.as_bytes(), JSON, Some("1.0")).unwrap(),
        &[
            ("my_server-1.0-py3-none-any.whl", None, None),
            ("my_server-1.0.tar.gz", Some(address), None),
        ],
    );
    check(
        &read(page.as_bytes(), JSON, None).unwrap(),
        &[
            ("my_server-1.1-py3-none-any.whl", None, None),
            ("my_server-1.1.tar.gz", None, Some("1.0")),
        ],
    );
    let page = format!(
        "<a href='my_server-1.0.tar.gz' data-provenance='{address}'>my_server-1.0.tar.gz</a>\
         <a href='my_server-1.1.tar.gz'>my_server-1.1.tar.gz</a>"
    );
    check(
        &read(page.as_bytes(), HTML, None).unwrap(),
        &[("my_server-1.1.tar.gz", None, Some("1.0"))],
    );
}

#[test]
fn new_releases_do_not_hide_the_one_that_shows_an_old_repository() {
    let earlier = |days: &[&str]| -> Vec<String> {
        let files: Vec<String> = days
            .iter()
            .enumerate()
            .map(|(minor, day)| {
                let time = if day.is_empty() {
                    String::new()
                } else {
                    format!(r#","upload-time":"{day}T00:00:00Z""#)
                };
                file(&format!("my_server-1.{minor}.tar.gz"), &time)
            })
            .collect();
        let page = json(&files.join(","));
        let release = read(page.as_bytes(), JSON, None).unwrap();
        release
            .earlier
            .iter()
            .map(|earlier| earlier.version.to_string())
            .collect()
    };
    assert_eq!(earlier(&["2025-01-01"]), [""; 0]);
    assert_eq!(earlier(&["2025-01-01", "2025-01-02"]), ["1.0"]);
    assert_eq!(earlier(&["", "", "", "", "", "", ""]), ["1.5", "1.1"]);
    let mut days = vec!["2025-06-01"; 20];
    assert_eq!(earlier(&days), ["1.18", "1.0"]);
    days[2] = "2025-05-02";
    assert_eq!(earlier(&days), ["1.18", "1.2"]);
}

#[test]
fn a_release_below_all_others_is_held_against_those_uploaded_before_it() {
    let earlier = |uploads: &[(&str, &str)], version: &str| -> Vec<String> {
        let files: Vec<String> = uploads
            .iter()
            .map(|(version, day)| {
                let time = if day.is_empty() {
                    String::new()
                } else {
                    format!(r#","upload-time":"{day}T00:00:00Z""#)
                };
                file(&format!("my_server-{version}.tar.gz"), &time)
            })
            .collect();
        let page = json(&files.join(","));
        let release = read(page.as_bytes(), JSON, Some(version)).unwrap();
        release
            .earlier
            .iter()
            .map(|earlier| earlier.version.to_string())
            .collect()
    };
    let lower = [
        ("1.0", "2025-01-01"),
        ("1.1", "2025-02-01"),
        ("0.9", "2025-03-01"),
    ];
    assert_eq!(earlier(&lower, "0.9"), ["1.1", "1.0"]);
    assert_eq!(earlier(&lower, "1.1"), ["1.0"]);
    assert_eq!(earlier(&lower, "1.0"), [""; 0]);
    let backport = [
        ("1.4.4", "2025-01-01"),
        ("2.0", "2025-02-01"),
        ("1.4.5", "2025-03-01"),
    ];
    assert_eq!(earlier(&backport, "1.4.5"), ["2.0", "1.4.4"]);
    assert_eq!(earlier(&backport, "2.0"), ["1.4.4"]);
    let timeless = [("1.0", ""), ("1.1", ""), ("0.9", "")];
    assert_eq!(earlier(&timeless, "1.1"), ["1.0", "0.9"]);
    assert_eq!(earlier(&timeless, "0.9"), ["1.1", "1.0"]);
}

#[test]
fn both_forms_of_a_page_tell_one_release() {
    let digest = Sha256::of(b"x");
    let page = json(&[
        file("my_server-1.0.tar.gz", &format!(r#","size":10,"upload-time":"2025-06-01T00:00:00.5Z","hashes-are":"{digest}""#)),
        format!(r#"{{"filename":"my_server-1.0-py3-none-any.whl","url":"../../x/my_server-1.0-py3-none-any.whl","hashes":{{"md5":"0","sha256":"{digest}"}},"yanked":false,"upload-time":"2025-06-01T00:00:01Z"}}"#),
        file("my_server-0.9.tar.gz", ""),
        file("other-1.0.tar.gz", ""),
    ].join(","));
    let release = read(page.as_bytes(), JSON, None).unwrap();
    assert_eq!(release.version.as_str(), "1.0");
    assert_eq!(
        names(&release),
        ["my_server-1.0-py3-none-any.whl", "my_server-1.0.tar.gz"]
    );
    assert_eq!(release.published, Some(1_748_736_000));
    assert_eq!(release.earlier.first().unwrap().version.as_str(), "0.9");
    let wheel = release.files.first().unwrap();
    assert_eq!(
        wheel.url,
        "https://index.example.org/x/my_server-1.0-py3-none-any.whl"
    );
    assert_eq!(wheel.integrity, Some(Integrity::Sha256(digest)));

    let page = format!(
        "<!DOCTYPE html><html><head><base href='https://files.example.org/a/'></head><body><!-- <a href=x>x</a> -->\n\
         <a href=\"my_server-1.0.tar.gz#sha256={digest}\" data-requires-python=\"&gt;=3.10\">my_server-1.0.tar.gz</a><br/>\n\
         <A HREF='my_server-1.0-py3-none-any.whl#sha256={digest}' data-yanked=''>my_server-1.0-py3-none-any.whl</A></body>"
    );
    let release = read(page.as_bytes(), HTML, Some("1.0.0")).unwrap();
    assert_eq!(
        names(&release),
        ["my_server-1.0-py3-none-any.whl", "my_server-1.0.tar.gz"]
    );
    assert_eq!(release.withdrawn, None);
    let sdist = release.files.last().unwrap();
    assert_eq!(
        sdist.url,
        "https://files.example.org/a/my_server-1.0.tar.gz"
    );
    assert_eq!(sdist.integrity, Some(Integrity::Sha256(digest)));
}

#[test]
fn the_latest_is_stable_and_not_withdrawn() {
    let check = |files: &[(&str, &str)], expect: &str| {
        let files: Vec<String> = files.iter().map(|(name, more)| file(name, more)).collect();
        let release = read(json(&files.join(",")).as_bytes(), JSON, None).unwrap();
        assert_eq!(release.version.as_str(), expect);
    };
    check(
        &[
            ("my_server-1.9.tar.gz", ""),
            ("my_server-1.10.tar.gz", ""),
            ("my_server-2.0rc1.tar.gz", ""),
        ],
        "1.10",
    );
    check(
        &[
            ("my_server-1.0.tar.gz", ""),
            ("my_server-1.1.tar.gz", r#","yanked":"broken""#),
        ],
        "1.0",
    );
    check(
        &[
            ("my_server-1.0a1.tar.gz", ""),
            ("my_server-1.0a2.tar.gz", ""),
        ],
        "1.0a2",
    );
}

#[test]
fn a_withdrawn_version_is_found_by_its_number_and_says_why() {
    let page = json(&file("my_server-1.1.tar.gz", r#","yanked":"broken""#));
    assert_eq!(
        read(page.as_bytes(), JSON, Some("1.1"))
            .unwrap()
            .withdrawn
            .as_deref(),
        Some("broken")
    );
}

#[test]
fn absence_and_malformation_are_told_apart() {
    let page = json(&file("my_server-1.1.tar.gz", ""));
    assert!(matches!(
        read(page.as_bytes(), JSON, Some("9.9")),
        Err(MetadataError::NoSuchVersion { newest, .. }) if newest == "1.1"
    ));
    assert!(matches!(
        read(json("").as_bytes(), JSON, None),
        Err(MetadataError::NoFile(_))
    ));
    let listed = json("").replace("\"files\"", "\"versions\":[\"1.0\"],\"files\"");
    assert!(matches!(
        read(listed.as_bytes(), JSON, Some("1.0")),
        Err(MetadataError::NoFile(_))
    ));
    for (content, content_type) in [
        ("", JSON),
        ("{}", JSON),
        ("<html>", JSON),
        (r#"{"meta":{"api-version":"2.0"},"files":[]}"#, JSON),
        ("{}", "application/octet-stream"),
        ("", ""),
    ] {
        assert!(
            matches!(
                read(content.as_bytes(), content_type, None),
                Err(MetadataError::Malformed { .. })
            ),
            "{content} as {content_type}"
        );
    }
    assert!(matches!(
        read(b"\xff", HTML, None),
        Err(MetadataError::Malformed { .. })
    ));
}

#[test]
fn files_from_elsewhere_than_the_web_and_broken_hashes_are_refused() {
    for (url, hashes) in [
        ("file:///etc/passwd", "{}"),
        ("ftp://example.org/x", "{}"),
        ("https://example.org/x", r#"{"sha256":"short"}"#),
        (
            "https://example.org/x",
            r#"{"sha512":"short","sha256":"short"}"#,
        ),
    ] {
        let page = json(&format!(
            r#"{{"filename":"my_server-1.0.tar.gz","url":"{url}","hashes":{hashes}}}"#
        ));
        assert!(
            matches!(
                read(page.as_bytes(), JSON, Some("1.0")),
                Err(MetadataError::Malformed { .. })
            ),
            "{url} {hashes}"
        );
    }
}

proptest! {
    #[test]
    fn no_page_panics(
        content: Vec<u8>,
        shaped in "(<[a/!-]{1,3}( [a-z-]{0,4}=?[\"']?[^>]{0,9}[\"']?)*>?|&#?x?[0-9a-f]{0,9};|[a-z.0-9-]{0,20}){0,20}",
    ) {
        for content in [content, shaped.into_bytes()] {
            for content_type in [JSON, HTML] {
                let _release = read(&content, content_type, Some("1.0"));
            }
        }
    }
}
