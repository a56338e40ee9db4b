use proptest::prelude::*;
use remint_model::Sha1;

use super::*;
use crate::oci::paths::above;

mod removal;

fn content(text: &str) -> Content {
    Content {
        size: text.len() as u64,
        sha256: Sha256::of(text.as_bytes()),
        blob: Sha1::from_bytes([0; 20]).to_string().parse().unwrap(),
        runs: false,
        text: None,
    }
}

/// Entries as texts: `path` is a file, `path/` a directory, `path -> target` a symbolic link, `path = target` a hard link,
/// `path !` a special file.
fn entry(line: &str) -> Entry<'_> {
    let (name, makes) = if let Some((name, target)) = line.split_once(" -> ") {
        (name, Makes::SymbolicLink(target.as_bytes()))
    } else if let Some((name, target)) = line.split_once(" = ") {
        (name, Makes::HardLink(target.as_bytes()))
    } else if let Some(name) = line.strip_suffix(" !") {
        (name, Makes::Special)
    } else if line.ends_with('/') {
        (line, Makes::Directory)
    } else {
        (line, Makes::File(content(line)))
    };
    Entry {
        name: name.as_bytes(),
        mode: 0o644,
        makes,
    }
}

fn apply(layers: &[&[&str]]) -> Filesystem {
    let mut filesystem = Filesystem::new(ImageLimits::default());
    for layer in layers {
        for line in *layer {
            filesystem.apply(entry(line)).unwrap();
        }
        filesystem.end_layer();
    }
    filesystem
}

/// What is there, with the layer that it is from, and the kinds of what was noted.
fn check(layers: &[&[&str]], expect: &[&str], noted: &[(AnomalyWeight, AnomalyKind)]) {
    let filesystem = apply(layers);
    let found: Vec<String> = filesystem
        .nodes()
        .map(|(path, node)| format!("{} {}", shown(path), node.layer))
        .collect();
    assert_eq!(found, expect, "{layers:?}");
    let anomalies: Vec<_> = filesystem
        .anomalies()
        .iter()
        .map(|found| (found.weight, found.kind))
        .collect();
    assert_eq!(anomalies, noted, "{:?}", filesystem.anomalies());
}

use AnomalyKind::{DuplicateEntry, FileDirectoryClash, LinkEntry, PathTraversal, SpecialFile};
use AnomalyWeight::{Ambiguous, Escapes, Odd};

#[test]
fn later_layers_add_and_replace() {
    check(
        &[&["etc/", "etc/a", "etc/b"], &["etc/", "etc/b", "etc/c"]],
        &["etc/a 0", "etc/b 1", "etc/c 1"],
        &[],
    );
    // A file for a directory, and a directory for a file.
    check(&[&["a/", "a/x", "a/y/z"], &["a"]], &["a 1"], &[]);
    check(&[&["a"], &["a/", "a/x"]], &["a/x 1"], &[]);
}

#[test]
fn hard_links_are_further_names_also_across_layers() {
    check(&[&["a", "b = a"]], &["a 0", "b 0"], &[]);
    check(&[&["a"], &["b = a"]], &["a 0", "b 1"], &[(Odd, LinkEntry)]);
    check(
        &[&["a"], &["b = missing"]],
        &["a 0", "b 1"],
        &[(Ambiguous, LinkEntry)],
    );
    check(
        &[&["a", "b = ../../etc/shadow"]],
        &["a 0", "b 0"],
        &[(Escapes, PathTraversal)],
    );
    let filesystem = apply(&[&["a"], &["b = a"]]);
    let sizes: Vec<_> = filesystem
        .nodes()
        .map(|(_, node)| node.kind.clone())
        .collect();
    assert_eq!(sizes[0], sizes[1]);
}

#[test]
fn links_are_never_followed() {
    check(&[&["a -> /etc"]], &["a 0"], &[]);
    check(
        &[&["a -> /etc"], &["a/passwd"]],
        &["a/passwd 1"],
        &[(Ambiguous, LinkEntry)],
    );
    check(
        &[&["a -> ../..", "a/x"]],
        &["a/x 0"],
        &[(Ambiguous, LinkEntry)],
    );
}

#[test]
fn what_no_builder_writes_is_noted() {
    check(
        &[&["/etc/passwd"]],
        &["etc/passwd 0"],
        &[(Odd, PathTraversal)],
    );
    check(&[&["/", "./", "a"]], &["a 0"], &[]);
    check(&[&["x/../y"]], &["y 0"], &[(Ambiguous, PathTraversal)]);
    check(&[&["/../y"]], &["y 0"], &[(Ambiguous, PathTraversal)]);
    check(&[&["../y"]], &[], &[(Escapes, PathTraversal)]);
    check(&[&["a", "a"]], &["a 0"], &[(Ambiguous, DuplicateEntry)]);
    check(
        &[&["a", "a/b"]],
        &["a/b 0"],
        &[(Ambiguous, FileDirectoryClash)],
    );
    check(
        &[&["dev/sda !"]],
        &["dev/sda 0"],
        &[(Ambiguous, SpecialFile)],
    );
}

#[test]
fn more_than_the_limits_is_refused() {
    let limits = ImageLimits {
        entries: 3,
        names: 1000,
        texts: 1000,
        work: 1000,
    };
    let mut filesystem = Filesystem::new(limits);
    for name in ["a", "b", "c"] {
        filesystem.apply(entry(name)).unwrap();
    }
    assert_eq!(filesystem.apply(entry("d")), Err(BeyondLimits("entries")));
    let mut filesystem = Filesystem::new(ImageLimits {
        entries: 1_000_000,
        ..limits
    });
    let long = "n".repeat(999);
    filesystem.apply(entry(&long)).unwrap();
    assert_eq!(
        filesystem.apply(entry(&long)),
        Err(BeyondLimits("bytes of names"))
    );
    // Runtimes make what is deeper.
    let mut filesystem = Filesystem::new(ImageLimits::default());
    let deep = |depth: usize| format!("{}a", "d/".repeat(depth));
    filesystem.apply(entry(&deep(500))).unwrap();
    assert_eq!(
        filesystem.apply(entry(&deep(520))),
        Err(BeyondLimits("parts of one path"))
    );
    // Whiteouts that look at everything again and again.
    let mut filesystem = Filesystem::new(ImageLimits {
        entries: 1_000_000,
        names: 1 << 20,
        texts: 0,
        work: 10_000,
    });
    for number in 0..200 {
        filesystem.apply(entry(&format!("d/{number}"))).unwrap();
    }
    let refused = (0..1000).find_map(|_| filesystem.apply(entry(".wh.d")).err());
    assert_eq!(refused, Some(BeyondLimits("whiteouts and replacements")));
}

#[test]
fn what_links_lead_to_counts_as_names() {
    let long = "n".repeat(400);
    for (first, again) in [
        (format!("a -> {long}"), format!("b -> {long}")),
        (format!("a -> {long}"), "b = a".to_owned()),
        (format!("a = {long}"), format!("b = {long}")),
    ] {
        let mut filesystem = Filesystem::new(ImageLimits {
            names: 800,
            ..ImageLimits::default()
        });
        filesystem.apply(entry(&first)).unwrap();
        assert_eq!(
            filesystem.apply(entry(&again)),
            Err(BeyondLimits("bytes of names")),
            "{first}"
        );
    }
}

#[test]
fn contents_are_kept_while_there_is_room() {
    let mut filesystem = Filesystem::new(ImageLimits {
        texts: 10,
        ..ImageLimits::default()
    });
    let manifest = b"node_modules/a/package.json";
    assert!(!filesystem.keeps(b"a.js", 1));
    assert!(filesystem.keeps(manifest, 6));
    assert!(!filesystem.is_cut());
    assert!(!filesystem.keeps(manifest, 5));
    assert!(!filesystem.keeps(manifest, usize::MAX));
    assert!(filesystem.is_cut());
    assert!(filesystem.keeps(manifest, 4));
    // One that is too large is not left out in silence.
    let mut filesystem = Filesystem::new(ImageLimits::default());
    let record = b"six-1.16.0.dist-info/RECORD";
    assert!(filesystem.keeps(record, LARGEST_TEXT));
    assert!(!filesystem.is_cut());
    assert!(!filesystem.keeps(record, LARGEST_TEXT + 1));
    assert!(filesystem.is_cut());
}

/// Entries with modes, in one layer each.
fn modes(layers: &[(&str, u32)]) -> Vec<(String, u32)> {
    let mut filesystem = Filesystem::new(ImageLimits::default());
    for (line, mode) in layers {
        let entry = Entry {
            mode: *mode,
            ..entry(line)
        };
        filesystem.apply(entry).unwrap();
        filesystem.end_layer();
    }
    let nodes = filesystem.nodes();
    nodes.map(|(path, node)| (shown(path), node.mode)).collect()
}

#[test]
fn the_mode_of_a_hard_link_is_that_of_all_names() {
    let expect = ["a", "b", "c"].map(|name| (name.to_owned(), 0o4755));
    let found = modes(&[("a", 0o644), ("b = a", 0o644), ("c = b", 0o4755)]);
    assert_eq!(found, expect);
    // What had the bits keeps them, and another file is another file.
    let found = modes(&[("a", 0o4755), ("b = a", 0o755), ("d", 0o644)]);
    assert_eq!(found[0].1, 0o4755);
    assert_eq!(found[1].1, 0o4755);
    assert_eq!(found[2].1, 0o644);
}

#[test]
fn as_many_links_are_followed_as_linux_follows() {
    let chain = |count: usize| -> Vec<String> {
        let links = (0..count).map(|number| format!("l{number} -> l{}", number + 1));
        links.chain([format!("l{count}/x")]).collect()
    };
    for (count, expect) in [(40, true), (41, false)] {
        let lines = chain(count);
        let filesystem = apply(&[&lines.iter().map(String::as_str).collect::<Vec<_>>()]);
        let found = filesystem.follow(b"l0/x", &mut 0);
        assert_eq!(found.is_some(), expect, "{count}");
    }
    // What Linux makes no link of leads nowhere, and every part of the others is counted.
    for (length, expect) in [(4096, true), (4097, false)] {
        let line = format!("l -> {}", "/".repeat(length));
        let mut work = 0;
        let found = apply(&[&[&line]]).follow(b"l/x", &mut work);
        assert_eq!(found.is_some(), expect, "{length}");
        assert_eq!(work > 4096, expect, "{length}");
    }
}

#[test]
fn many_long_links_are_refused() {
    let slashes = "/".repeat(4080);
    let mut lines: Vec<String> = (0..39)
        .map(|number| format!("l{number} -> l{}{slashes}", number + 1))
        .collect();
    lines.extend((0..1000).map(|number| format!("h{number} = l0/x")));
    let mut filesystem = Filesystem::new(ImageLimits::default());
    let refused = lines
        .iter()
        .find_map(|line| filesystem.apply(entry(line)).err());
    assert_eq!(refused, Some(BeyondLimits("whiteouts and replacements")));
}

#[test]
fn hard_links_follow_the_links_above_their_targets() {
    check(
        &[&["e/a", "d -> e", "b = d/a"]],
        &["b 0", "d 0", "e/a 0"],
        &[(Ambiguous, LinkEntry)],
    );
    // The last part is what is linked, also where it is a link.
    check(&[&["a", "d -> a", "b = d"]], &["a 0", "b 0", "d 0"], &[]);
}

#[test]
fn a_hard_link_to_what_is_not_there_leaves_nothing_of_what_was() {
    for (target, anomaly) in [
        ("missing", LinkEntry),
        ("../../out", PathTraversal),
        ("b", LinkEntry),
        ("b/c", LinkEntry),
        ("loop/a", LinkEntry),
    ] {
        let line = format!("b = {target}");
        let filesystem = apply(&[&["b", "loop -> loop"], &[&line]]);
        let (_, node) = filesystem.nodes().find(|(path, _)| *path == b"b").unwrap();
        assert_eq!(node.layer, 1, "{target}");
        assert_eq!(node.kind, NodeKind::Unreadable(0), "{target}");
        assert_eq!(filesystem.anomalies()[0].kind, anomaly, "{target}");
    }
    let filesystem = apply(&[&["b/c"], &["b = b/c"]]);
    let nodes: Vec<_> = filesystem.nodes().map(|(path, _)| shown(path)).collect();
    assert_eq!(nodes, ["b"]);
}

#[test]
fn anomalies_are_bounded() {
    let lines: Vec<String> = (0..500).map(|number| format!("../{number}")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    assert_eq!(apply(&[&lines]).anomalies().len(), LISTED + 1);
}

/// The slow and plain way: each layer's whiteouts on what was there before, then its own entries.
fn plainly(layers: &[Vec<String>]) -> BTreeMap<String, usize> {
    let mut files: BTreeMap<String, usize> = BTreeMap::new();
    let is_below = |path: &str, directory: &str| {
        path.strip_prefix(directory)
            .is_some_and(|rest| rest.starts_with('/'))
    };
    for (layer, lines) in layers.iter().enumerate() {
        for line in lines {
            let (directory, name) = line.rsplit_once('/').unwrap_or(("", line));
            if name == ".wh..wh..opq" {
                files.retain(|path, _| directory.is_empty() || !is_below(path, directory));
            } else if let Some(hidden) = name.strip_prefix(".wh.") {
                let hidden = match directory {
                    "" => hidden.to_owned(),
                    directory => format!("{directory}/{hidden}"),
                };
                files.retain(|path, _| *path != hidden && !is_below(path, &hidden));
            }
        }
        for line in lines.iter().filter(|line| !line.contains(".wh.")) {
            files.retain(|path, _| !is_below(path, line) && !is_below(line, path));
            files.insert(line.clone(), layer);
        }
    }
    files
}

proptest! {
    #[test]
    fn layers_make_what_the_plain_way_makes(
        layers in prop::collection::vec(
            prop::collection::vec("[ab](/[ab]){0,2}|([ab]/){0,2}\\.wh\\.[ab]|([ab]/){1,2}\\.wh\\.\\.wh\\.\\.opq", 0..5),
            1..4,
        ),
    ) {
        // A whiteout below what the same layer makes a file is no directory's.
        let is_plain = |lines: &Vec<String>| lines.iter().all(|one| {
            let parent = one.rsplit_once('/').map_or("", |(parent, _)| parent);
            lines.iter().filter(|other| !other.contains(".wh.")).all(|other| {
                *other != parent && !parent.starts_with(&format!("{other}/"))
            })
        });
        prop_assume!(layers.iter().all(is_plain));
        // Of a whiteout's own directory, a file below is replaced by it only where an entry says so.
        let lines: Vec<Vec<&str>> = layers.iter().map(|layer| layer.iter().map(String::as_str).collect()).collect();
        let lines: Vec<&[&str]> = lines.iter().map(Vec::as_slice).collect();
        let found: BTreeMap<String, usize> = apply(&lines)
            .nodes()
            .map(|(path, node)| (shown(path), node.layer))
            .collect();
        prop_assert_eq!(found, plainly(&layers));
    }

    #[test]
    fn no_entry_leaves_or_breaks_the_file_system(
        layers in prop::collection::vec(
            prop::collection::vec("(\\.\\.|\\.wh\\.|\\.wh\\.\\.wh\\.\\.opq|[ab]|/|\\x00){0,6}( -> | = | !)?[ab/.]{0,4}", 0..8),
            1..4,
        ),
    ) {
        let lines: Vec<Vec<&str>> = layers.iter().map(|layer| layer.iter().map(String::as_str).collect()).collect();
        let lines: Vec<&[&str]> = lines.iter().map(Vec::as_slice).collect();
        let filesystem = apply(&lines);
        let paths: Vec<&[u8]> = filesystem.nodes().map(|(path, _)| path).collect();
        for path in &paths {
            prop_assert_eq!(clean(path), Ok((path.to_vec(), None)));
            prop_assert!(!path.is_empty());
            // Nothing lies below what is no directory.
            prop_assert!(above(path).all(|parent| !paths.contains(&parent)));
        }
    }
}
