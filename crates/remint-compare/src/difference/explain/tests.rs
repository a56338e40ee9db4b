//! Honest pairs beside pairs that must not pass for them.

mod machine_code;

use proptest::prelude::*;

use super::*;
use crate::difference::hunks::{Patience, compare_text, is_text};
use crate::limits::Options;

fn explained(path: &str, rebuilt: &[u8], published: &[u8], known: &Known) -> Option<String> {
    judged(path, rebuilt, published, known).map(|explanation| explanation.words)
}

fn judged(path: &str, rebuilt: &[u8], published: &[u8], known: &Known) -> Option<Explanation> {
    let text = (is_text(rebuilt) && is_text(published)).then(|| {
        compare_text(
            rebuilt,
            published,
            &Options::default(),
            &mut Patience::default(),
        )
    });
    explain(&ChangedFile {
        path: &path.parse().unwrap(),
        rebuilt,
        published,
        executable: false,
        text: text.as_ref(),
        known,
        python: None,
        words: SideWords::default(),
        effort: &Cell::new(EFFORT),
        room: &Room::default(),
        renamed: &[],
    })
}

/// Whether it ranks behind what nothing explains.
fn accounts_for_all(path: &str, rebuilt: &[u8], published: &[u8]) -> bool {
    judged(path, rebuilt, published, &Known::default())
        .expect("something is known")
        .accounts_for_all
}

fn check(path: &str, rebuilt: &str, published: &str, expect: Option<&str>) {
    let known = Known {
        versions: vec!["1.2.4".to_owned()],
        commits: vec!["aaaaaaabbbbbbbbcccccccc0123456789abcdef0".to_owned()],
        build_paths: vec!["/build/pkg".to_owned()],
    };
    let found = explained(path, rebuilt.as_bytes(), published.as_bytes(), &known);
    assert_eq!(found.as_deref(), expect, "{rebuilt:?} {published:?}");
}

#[test]
fn what_cargo_notes_of_a_work_tree_is_told_and_nothing_beside_it() {
    let vcs = |git: &str, path: &str| {
        format!("{{\n  \"git\": {{{git}}},\n  \"path_in_vcs\": \"{path}\"\n}}")
    };
    let clean = vcs("\"sha1\": \"aa\"", "");
    let dirty = "\"sha1\": \"aa\", \"dirty\": true";
    let told = "published from a working tree with changes that were not committed, as cargo notes";
    check(".cargo_vcs_info.json", &clean, &vcs(dirty, ""), Some(told));
    check(".cargo_vcs_info.json", &clean, &vcs(dirty, "other"), None);
    check(".cargo_vcs_info.json", &vcs(dirty, ""), &clean, None);
}

const VERSION: Option<&str> =
    Some("only an embedded version differs: `1.2.4` published, `1.2.3` rebuilt");

#[test]
fn the_version_of_the_release_is_recognised() {
    check(
        "a.py",
        "v = '1.2.3'\nx\nlog('v1.2.3')\n",
        "v = '1.2.4'\nx\nlog('v1.2.4')\n",
        VERSION,
    );
    check(
        "a.py",
        "a='x@1.2.3';b='1.2.3'",
        "a='x@1.2.4';b='1.2.4'",
        VERSION,
    );
}

#[test]
fn a_version_accounts_for_a_difference_where_it_can_be_nothing_else() {
    let check = |path: &str, old: &str, new: &str, versions: &[&str], expect: bool| {
        let known = Known {
            versions: versions.iter().map(|&version| version.to_owned()).collect(),
            ..Known::default()
        };
        let found = judged(path, old.as_bytes(), new.as_bytes(), &known).unwrap();
        assert!(found.words.starts_with("only an embedded version differs"));
        assert_eq!(found.accounts_for_all, expect, "{path} {new} {versions:?}");
    };
    check("a.js", "v='1.2.3'", "v='1.2.4'", &["1.2.4"], true);
    check("a.js", "v='1.2.3'", "v='1.2.4'", &[], false);
    let (old, new) = ("connect('127.0.1')", "connect('10.6.66')");
    check("a.js", old, new, &[], false);
    let (old, new) = (
        r#"{"dependencies":{"x":"1.0.0"}}"#,
        r#"{"dependencies":{"x":"1.2.4"}}"#,
    );
    check("d/package.json", old, new, &["1.2.4"], false);
    check(
        "requirements-dev.txt",
        "x==1.0.0",
        "x==1.2.4",
        &["1.2.4"],
        false,
    );
}

#[test]
fn other_numbers_are_no_version_of_the_release() {
    check("a.py", "need('1.2.3')", "need('1.2.5')", None);
    check("a.py", "v = '1.2.3'", "v = '1.2.4'; evil()", None);
    check("a.py", "v = '1.2.3'\n", "v = '1.2.4'\nevil()\n", None);
    check("a.py", "v = '1.2.3'\nx = 1\n", "v = '1.2.4'\nx = 2\n", None);
    check(
        "a.py",
        "a='1.2.3'\nb='1.3.0'\n",
        "a='1.2.4'\nb='1.2.4'\n",
        None,
    );
    let addresses = explained("a.py", b"h='10.0.0.1'", b"h='10.6.6.6'", &Known::default());
    assert_eq!(addresses, None);
}

#[test]
fn times_are_recognised_and_nothing_beside_them() {
    check(
        "a.py",
        "t='2026-11-26T10:00:00Z' # 1764151200",
        "t='2026-11-25T09:59:58.123Z' # 1764064798",
        Some(
            "only what reads as a time differs: `2026-11-25T09:59:58.123Z` published, `2026-11-26T10:00:00Z` rebuilt",
        ),
    );
    check(
        "a.py",
        "t='2026-11-26'\ngo(1)\n",
        "t='2026-11-25'\ngo(2)\n",
        None,
    );
    check("a.py", "t='2026-11-26'", "t='2026-13-26'", None);
    check("a.py", "port=1764151200", "port=9999999999", None);
}

#[test]
fn a_piece_of_an_address_is_neither_a_time_nor_a_version() {
    let check = |old: &str, new: &str, expect: bool| {
        let found = explained("a.py", old.as_bytes(), new.as_bytes(), &Known::default());
        assert_eq!(found.is_some(), expect, "{old} {new} {found:?}");
    };
    check(
        "f('http://1572395042/x')",
        "f('http://1600085855/x')",
        false,
    );
    check("f('x.1572395042.y')", "f('x.1600085855.y')", false);
    check("f('a@1572395042')", "f('a@1600085855')", false);
    check("f('b1572395042')", "f('b1600085855')", false);
    check(
        "f('http://h/?t=1572395042')",
        "f('http://h/?t=1600085855')",
        false,
    );
    check("f('http://10.1.77/x')", "f('http://93.184.55586/x')", false);
    check(
        "f('http://a.10.1.77/x')",
        "f('http://a.93.184.55586/x')",
        false,
    );
    check("f('//10.1.77')", "f('//93.184.55586')", false);
    check("f('root@10.1.77')", "f('root@93.184.55586')", false);
    check("f('http://h/x@1.2.3/y')", "f('http://h/x@1.2.4/y')", true);
    check("v='1.2.3'", "v='1.2.4'", true);
}

#[test]
fn what_can_be_forged_or_mean_something_else_accounts_for_nothing() {
    let check = |path: &str, old: &str, new: &str, expect: bool| {
        let found = accounts_for_all(path, old.as_bytes(), new.as_bytes());
        assert_eq!(found, expect, "{old} {new}");
    };
    check("a.py", "notify(1512345678)", "notify(1587654321)", false);
    check("a.py", "t=1512345678123", "t=1587654321123", false);
    check("a.py", "t='2026-11-26'", "t='2026-11-25'", true);
    check("a.md", "a b\n", "a  b\n", true);
    check("a.sh", "rm -rf /tmp/x/y\n", "rm -rf / tmp/x/y\n", false);
    check(
        "a.py",
        "if a:\n  b()\n  c()\n",
        "if a:\n  b()\nc()\n",
        false,
    );
    let module = |code: &str| format!("send(m);\n// node_modules/zod/lib/index.mjs\n{code}\n");
    check(
        "a.js",
        &module("var z=1;"),
        &module("var z=1;bcc(m);"),
        false,
    );
}

#[test]
fn the_commit_that_was_built_is_recognised_and_other_digests_are_not() {
    check(
        "a.py",
        "c='aaaaaaab'",
        "c='0123456a'",
        Some("only an embedded commit differs: `0123456a` published, `aaaaaaab` rebuilt"),
    );
    check("a.py", "sha1='bbbbbbbb'", "sha1='0123456a'", None);
    check("a.py", "c='aaaaaaab'", "c='0123456a'+x", None);
}

#[test]
fn the_directory_of_the_build_is_recognised_and_addresses_are_not() {
    check(
        "a.py",
        "f('/build/pkg/src/a')",
        "f('/home/x/pkg/src/a')",
        Some("only the build directory differs: `/home/x` published, `/build` rebuilt"),
    );
    check(
        "a.py",
        "f('/build/pkg/src/a')",
        "f('/home/x/pkg/src/a?evil')",
        None,
    );
    check("a.py", "fetch('/api/a')", "fetch('/evil/a')", None);
    check("a.py", "f('/srv/a')", "f('/home/x/a')", None);
    check("a.py", "f('/build/pkg/a')", "f('/home/../etc/a')", None);
}

#[test]
fn several_stamps_are_all_named() {
    check(
        "a.py",
        "v='1.2.3' t='2026-11-26'",
        "v='1.2.4' t='2026-11-25'",
        Some(
            "only what reads as a time and an embedded version differ: `2026-11-25` published, `2026-11-26` rebuilt; `1.2.4` published, `1.2.3` rebuilt",
        ),
    );
}

#[test]
fn line_ends_and_white_space_are_recognised_for_what_they_are() {
    check(
        "a.py",
        "a\nb\n",
        "a\r\nb\r\n",
        Some("only line ends differ: CRLF in the published file, LF in the rebuilt one"),
    );
    check("a.py", "ab\n", "a\r\nc\r\n", None);
    let shell = "only line ends differ: CRLF in the published file, LF in the rebuilt one, which can change what such \
                 a file means";
    for path in ["a.sh", "Makefile"] {
        check(path, "a\nb\n", "a\r\nb\r\n", Some(shell));
    }
    for path in ["a.js", "a.py"] {
        check(path, "#!/bin/x\na\n", "#!/bin/x\r\na\r\n", Some(shell));
        assert!(accounts_for_all(path, b"a\nb\n", b"a\r\nb\r\n"), "{path}");
    }
    check("a.md", "a b\n", "a  b\n", Some("only white space differs"));
    let indented = "only white space differs, which can change what such a file means";
    check(
        "a.py",
        "if x:\n  a\nb\n",
        "if x:\n  a\n  b\n",
        Some(indented),
    );
    check("a.yaml", "a:\n b: 1\n", "a:\nb: 1\n", Some(indented));
    // A carriage return alone ends no line.
    check("a.py", "ab\n", "a\rb\n", Some(indented));
}

#[test]
fn the_same_json_value_is_recognised() {
    let same = Some("formatted differently: the same JSON value");
    check(
        "a.json",
        r#"{"a":[1,"x"]}"#,
        "{\n \"a\": [1, \"\\u0078\"]\n}\n",
        same,
    );
    check(
        "a.json",
        r#"{"a":1,"b":{"c":2,"d":3}}"#,
        r#"{"b":{"d":3,"c":2},"a":1}"#,
        Some("the same JSON value, with keys in another order"),
    );
    let exports = [
        br#"{"exports":{"node":"a","default":"b"}}"#,
        br#"{"exports":{"default":"b","node":"a"}}"#,
    ];
    assert!(accounts_for_all("a.json", exports[0], exports[1]));
    assert!(!accounts_for_all("x/package.json", exports[0], exports[1]));
    check("a.json", r#"{"a":1}"#, r#"{"a":1.0}"#, None);
    check(
        "a.json",
        r#"{"a":9007199254740993}"#,
        r#"{"a":9007199254740992}"#,
        None,
    );
    check("a.json", r#"{"a":1,"a":2}"#, r#"{"a":2,"a":1}"#, None);
    check("a.json", r#"{"a":1,"b":2}"#, r#"{"a":1,"b":2,"b":2}"#, None);
    check("a.json", "[1,2]", "[2,1]", None);
    check("a.json", r#"{"a":"x"}"#, r#"{"a":"y"}"#, None);
    let many = |space: &str| format!("[{space}{}1]", "[1],".repeat(400_000));
    assert!(!json::same_value(&many(""), &many(" ")));
    let long = |space: &str| format!("[{space}\"{}\"]", ",\\\"[".repeat(400_000));
    assert!(json::same_value(&long(""), &long(" ")));
    let deep = |inner: &str| "[".repeat(100_000) + inner + &"]".repeat(100_000);
    check("a.json", &deep("1"), &deep("2"), None);
}

#[test]
fn source_maps_that_differ_in_paths_or_embedded_sources_alone_are_recognised() {
    let map = |more: &str, mappings: &str| {
        format!(r#"{{"version":3,{more},"names":[],"mappings":"{mappings}"}}"#)
    };
    let plain = map(r#""sources":["../src/a.ts"]"#, "AAAA");
    check(
        "a.js.map",
        &plain,
        &map(r#""sources":["src/a.ts"]"#, "AAAA"),
        Some("the source map has the same mappings; the named paths differ"),
    );
    check(
        "a.js.map",
        &plain,
        &map(
            r#""sources":["../src/a.ts"],"sourcesContent":["x"]"#,
            "AAAA",
        ),
        Some("the source map has the same mappings; the published one alone embeds the sources"),
    );
    check(
        "a.js.map",
        &plain,
        &map(r#""sources":["src/a.ts"]"#, "AACA"),
        None,
    );
    check(
        "a.js.map",
        &plain,
        &map(r#""sources":["src/a.ts","b.ts"]"#, "AAAA"),
        None,
    );
    check(
        "a.js.map",
        &plain,
        &map(r#""x_evil":1,"sources":["../src/a.ts"]"#, "AAAA"),
        None,
    );
}

#[test]
fn a_bundled_dependency_is_named_where_every_difference_is_in_it() {
    let bundle = |version: &str, zod: &str, own: &str| {
        format!(
            "import x from 'y';\n// node_modules/.pnpm/zod@{version}/node_modules/zod/lib/index.mjs\n{zod}\n// src/index.ts\n{own}\n"
        )
    };
    check(
        "a.js",
        &bundle("3.22.4", "var a=1;", "go();"),
        &bundle("3.22.5", "var a=2;", "go();"),
        Some(
            "every difference is below a comment that marks a bundled dependency: `zod` (`3.22.5` published, `3.22.4` rebuilt)",
        ),
    );
    check(
        "a.js",
        &bundle("3.22.4", "var a=1;", "go();"),
        &bundle("3.22.4", "var a=2;", "go();"),
        Some("every difference is below a comment that marks a bundled dependency: `zod`"),
    );
    check(
        "a.js",
        &bundle("3.22.4", "var a=1;", "go();"),
        &bundle("3.22.5", "var a=2;", "evil();"),
        None,
    );
    check(
        "a.js",
        "var a=1;\n// src/a.ts\nb();\n",
        "var a=2;\n// src/a.ts\nb();\n",
        None,
    );
    check(
        "a.js",
        "// src/node_modules.ts\na();\n",
        "// src/node_modules.ts\nb();\n",
        None,
    );
}

#[test]
fn files_under_hashed_names_are_paired_where_nothing_else_differs() {
    let lone = |path, content: &'static str| Lone {
        path,
        content: content.as_bytes(),
    };
    let old = [
        lone("dist/chunk-AAAAAAA1.js", "import './chunk-BBBBBBB2.js'"),
        lone("dist/chunk-BBBBBBB2.js", "b()"),
        lone("dist/index-Ab12cd34.js", "same()"),
    ];
    let new = [
        lone("dist/chunk-CCCCCCC3.js", "import './chunk-DDDDDDD4.js'"),
        lone("dist/chunk-DDDDDDD4.js", "b()"),
        lone("dist/index-Zz12cd34.js", "same()"),
    ];
    let pairs = pair_up(&old, &new);
    let found: Vec<_> = pairs
        .iter()
        .map(|pair| {
            (
                pair.rebuilt.as_str(),
                pair.published.as_str(),
                pair.same_bytes,
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            ("dist/chunk-BBBBBBB2.js", "dist/chunk-DDDDDDD4.js", true),
            ("dist/chunk-AAAAAAA1.js", "dist/chunk-CCCCCCC3.js", false),
            ("dist/index-Ab12cd34.js", "dist/index-Zz12cd34.js", true),
        ]
        .into_iter()
        .collect::<Vec<_>>()
    );
    // What imports a chunk that has no counterpart has none itself.
    let new = [new[0], lone("dist/chunk-DDDDDDD4.js", "evil()")];
    assert_eq!(pair_up(&old, &new), []);
    assert_eq!(
        pairs[1].explanations(SideWords::default()).0,
        "the same, once hashed names of files are replaced, as `dist/chunk-AAAAAAA1.js` in the rebuilt file"
    );
    let importer = |rebuilt: &str, published: &str| {
        renamed::explain(&ChangedFile {
            path: &"dist/index.js".parse().unwrap(),
            rebuilt: rebuilt.as_bytes(),
            published: published.as_bytes(),
            executable: false,
            text: None,
            known: &Known::default(),
            python: None,
            words: SideWords::default(),
            effort: &Cell::new(0),
            room: &Room::default(),
            renamed: &pairs,
        })
    };
    let said = importer(
        "import './chunk-AAAAAAA1.js';",
        "import './chunk-CCCCCCC3.js';",
    );
    assert!(said.is_some_and(|said| said.contains("`chunk-CCCCCCC3.js` published")));
    assert_eq!(
        importer(
            "import './chunk-AAAAAAA1.js';",
            "import './chunk-DDDDDDD4.js';"
        ),
        None
    );
    assert_eq!(
        importer(
            "import './chunk-AAAAAAA1.js';",
            "import './chunk-CCCCCCC3.js';x()"
        ),
        None
    );
}

#[test]
fn many_pairs_cost_a_file_with_many_words_no_more_than_one() {
    let name = |side: &str, number: usize| format!("n{number:03}-{side}00000A.js");
    let pairs: Vec<Renamed> = (0..500)
        .map(|number| Renamed {
            rebuilt_name: name("AA", number),
            published_name: name("BB", number),
            rebuilt: name("AA", number),
            published: name("BB", number),
            same_bytes: true,
        })
        .collect();
    let content = |side: &str| {
        let words: Vec<String> = (0..30_000).map(|word| format!("{word:x}")).collect();
        format!("{} {}", name(side, 499), words.join(" ")).into_bytes()
    };
    let found = renamed::explain(&ChangedFile {
        path: &"a.vue".parse().unwrap(),
        rebuilt: &content("AA"),
        published: &content("BB"),
        executable: false,
        text: None,
        known: &Known::default(),
        python: None,
        words: SideWords::default(),
        effort: &Cell::new(0),
        room: &Room::default(),
        renamed: &pairs,
    });
    assert_eq!(
        found.as_deref(),
        Some(
            "only the hashed names of files differ whose contents are the same otherwise: `n499-BB00000A.js` published, \
             `n499-AA00000A.js` rebuilt"
        )
    );
}

const PATHS: &[&str] = &[
    "a.js", "a.ts", "a.tsx", "a.d.ts", "a.cjs", "a.json", "a.js.map", "a.py", "a.wasm", "a.node",
    "a.zip",
];

const PIECES: &str = "(function|=>|\\{|\\}|\\(|\\)|\\[|\\]|;|,|/|\\*|`|\\$\\{|'|\"|\\\\|<|>|else|if|return|=|!|\
     1\\.2\\.3|1\\.2\\.4|2026-11-2[56]|/home/x|/build/y|v|\\.|-|\\+|// node_modules/a/b\\.js|// src/b\\.js|\n|\r\n| |\
     \"version\":3|\"mappings\":\"\"|\"sources\":|:|null|1|é|\u{2028}){0,30}";

proptest! {
    #[test]
    fn no_bytes_make_it_panic_and_equal_ones_are_never_explained(
        bytes: (Vec<u8>, Vec<u8>),
        (before, one, other, after) in (PIECES, PIECES, PIECES, PIECES),
        machine in (0..6_usize, prop::collection::vec(any::<u8>(), 0..200), any::<(u8, u8)>()),
        known in any::<bool>(),
    ) {
        let known = if known {
            Known { versions: vec!["1.2.4".into()], commits: vec!["a".repeat(40)], build_paths: vec!["/build/y".into()] }
        } else {
            Known::default()
        };
        let text = |middle: &str| format!("{before}{middle}{after}").into_bytes();
        let (magic, mut body, (at, value)) = machine;
        let head: &[u8] = [&b"\x7fELF\x02\x01\x01\0"[..], b"\0asm\x01\0\0\0", b"\xcf\xfa\xed\xfe", b"MZ\0\0", b"PK\x03\x04", b"\x1f\x8b\x08\0"][magic];
        body.splice(0..0, head.iter().copied());
        let mut changed = body.clone();
        let place = usize::from(at) % changed.len();
        changed[place] = value;
        for path in PATHS {
            for (one, other) in [
                (&bytes.0, &bytes.1),
                (&text(&one), &text(&other)),
                (&body, &changed),
            ] {
                drop(explained(path, one, other, &known));
                prop_assert_eq!(explained(path, one, one, &known), None);
            }
        }
    }
}
