use super::*;

#[test]
fn whiteouts_hide_lower_layers_only() {
    check(&[&["a", "b"], &[".wh.a"]], &["b 0"], &[]);
    check(&[&["d/a", "d/e/f"], &[".wh.d"]], &[], &[]);
    // In whichever order they stand.
    check(&[&["d/a"], &["d/b", ".wh.d"]], &["d/b 1"], &[]);
    check(&[&["a"], &[".wh.a", "a"]], &["a 1"], &[]);
    check(&[&["a"], &["a", ".wh.a"]], &["a 1"], &[]);
    check(&[&["a"], &[".wh.a"], &["a"]], &["a 2"], &[]);
    // What only begins alike stays.
    check(
        &[&["d/a", "d.b", "d0", "da"], &[".wh.d"]],
        &["d.b 0", "d0 0", "da 0"],
        &[],
    );
}

#[test]
fn opaque_directories_hide_what_is_below_them() {
    check(
        &[&["d/a", "d/e/f", "x"], &["d/", "d/.wh..wh..opq", "d/b"]],
        &["d/b 1", "x 0"],
        &[],
    );
    check(&[&["d/a"], &["d/b", "d/.wh..wh..opq"]], &["d/b 1"], &[]);
}

#[test]
fn the_root_is_never_opaque() {
    for mark in [".wh..wh..opq", "./.wh..wh..opq", "l/.wh..wh..opq"] {
        let link = if mark.starts_with('l') { "l -> ." } else { "l" };
        check(
            &[&["a", "d/b"], &[link, mark, "c"]],
            &["a 0", "c 1", "d/b 0", "l 1"],
            if mark.starts_with('l') {
                &[(Ambiguous, LinkEntry), (Ambiguous, SpecialFile)]
            } else {
                &[(Ambiguous, SpecialFile)]
            },
        );
    }
}

#[test]
fn a_directory_where_the_layer_hid_one_shows_what_is_below() {
    let lower: &[&str] = &["d/a", "d/e/f", "x"];
    for upper in [
        &[".wh.d", "d/"][..],
        &["d/.wh..wh..opq", "d", "d/"],
        &["d/e/.wh..wh..opq", ".wh.d", "d/.wh.a", "d/"],
    ] {
        let filesystem = apply(&[lower, upper]);
        let found: Vec<String> = filesystem.nodes().map(|(path, _)| shown(path)).collect();
        assert_eq!(found, lower, "{upper:?}");
        let noted = filesystem.anomalies().last().unwrap();
        assert_eq!(
            (noted.weight, noted.kind),
            (Ambiguous, FileDirectoryClash),
            "{upper:?}"
        );
    }
    // What the layer has there itself stays, and what it hides afterwards goes.
    check(
        &[lower, &[".wh.d", "d/e", "d/", "d/a"]],
        &["d/a 1", "d/e 1", "x 0"],
        &[(Ambiguous, FileDirectoryClash)],
    );
    check(
        &[lower, &[".wh.d", "d/", "d/.wh..wh..opq", "d/"]],
        &["x 0"],
        &[(Ambiguous, FileDirectoryClash)],
    );
    // As builders write it: a directory and its mark, a directory for a file, a whiteout and a later layer.
    check(
        &[lower, &["d/", "d/.wh..wh..opq", "d/", "d/b"]],
        &["d/b 1", "x 0"],
        &[],
    );
    check(
        &[&["d", "x"], &[".wh.d", "d/", "d/b"]],
        &["d/b 1", "x 0"],
        &[],
    );
    check(&[lower, &[".wh.d"], &["d/", "d/b"]], &["d/b 2", "x 0"], &[]);
}

#[test]
fn whiteouts_cannot_reach_further() {
    for hostile in [".wh...", "d/.wh...", ".wh..", ".wh."] {
        check(
            &[&["a", "d/b"], &[hostile]],
            &["a 0", "d/b 0"],
            &[(Escapes, PathTraversal)],
        );
    }
    check(
        &[&["a"], &["../.wh.a"]],
        &["a 0"],
        &[(Escapes, PathTraversal)],
    );
    check(
        &[&["a"], &[".wh..wh.plnk"]],
        &["a 0"],
        &[(Odd, SpecialFile)],
    );
}

#[test]
fn whiteouts_follow_the_links_of_their_layer_alone() {
    for link in ["d -> e", "d -> /e", "d -> ../../e", "d -> x/../e"] {
        for (mark, left) in [
            ("d/.wh.a", &["d 1", "e/b 0"][..]),
            ("d/.wh..wh..opq", &["d 1"]),
        ] {
            let noted = &[(Ambiguous, LinkEntry)];
            check(&[&["e/a", "e/b"], &[link, mark]], left, noted);
            // Where runtimes see no link, nothing goes.
            let all = &["d 0", "e/a 0", "e/b 0"];
            check(&[&["e/a", "e/b", link], &[mark]], all, noted);
        }
    }
    // One after the other, and in circles.
    check(
        &[&["e/f/a"], &["d -> c", "c -> e", "d/f/.wh.a"]],
        &["c 1", "d 1"],
        &[(Ambiguous, LinkEntry)],
    );
    check(
        &[&["e/f/a", "c -> e"], &["d -> c", "d/f/.wh.a"]],
        &["c 0", "d 1", "e/f/a 0"],
        &[(Ambiguous, LinkEntry)],
    );
    check(
        &[&["e"], &["d -> c", "c -> d", "d/.wh.e"]],
        &["c 1", "d 1", "e 0"],
        &[(Ambiguous, LinkEntry)],
    );
}
