//! Layouts of one program beside programs that only look alike.

use std::cell::Cell;

use super::*;
use crate::archive::Room;
use crate::difference::hunks::TextDifference;
use crate::known::Known;

const SAME: Option<&str> = Some("formatted differently: the same syntax tree");
const COMMENTS: Option<&str> = Some("only comments and formatting differ: the same syntax tree");

fn said(path: &str, rebuilt: &str, published: &str) -> Option<String> {
    judged(path, rebuilt, published).map(|explanation| explanation.words)
}

fn judged(path: &str, rebuilt: &str, published: &str) -> Option<Explanation> {
    explain(&ChangedFile {
        executable: false,
        path: &path.parse().unwrap(),
        rebuilt: rebuilt.as_bytes(),
        published: published.as_bytes(),
        text: Some(&TextDifference::default()),
        known: &Known::default(),
        python: None,
        words: crate::limits::SideWords::default(),
        effort: &Cell::new(EFFORT),
        room: &Room::default(),
        renamed: &[],
    })
}

fn check(rebuilt: &str, published: &str, expect: Option<&str>) {
    for (one, other) in [(rebuilt, published), (published, rebuilt)] {
        assert_eq!(said("a.js", one, other).as_deref(), expect, "{one} {other}");
    }
}

#[test]
fn other_layouts_of_one_program_are_the_same() {
    check("const a = 'x';\nf( a )\n", "const a=\"x\";f(a);", SAME);
    check("a = (b + c) * (d);", "a=(b+c)*d", SAME);
    check("x = 0x10 + 1.0", "x=16+1", SAME);
    check("x = { a: 1, };", "x={a:1}", SAME);
    check("\\u0061bc()", "abc()", SAME);
    check("'use strict'; a()", "\"use strict\";\na();", SAME);
    check("x = '\\x41'", "x = 'A'", SAME);
    check("return_ = 1", "return_=1", SAME);
}

#[test]
fn other_programs_are_not() {
    for (one, other) in [
        ("a = 'x'", "a = 'y'"),
        ("a = /x/", "a = /y/"),
        ("a = /x/g", "a = /x/i"),
        ("a == b", "a === b"),
        ("function f() { return\nx }", "function f() { return x }"),
        ("a\n++b", "a++\nb"),
        ("a = `x y`", "a = `x  y`"),
        ("a = `x\ny`", "a = `x y`"),
        ("'use strict'; a()", "('use strict'); a()"),
        ("'use strict'; a()", "a()"),
        ("'use\\x20strict'; a()", "'use strict'; a()"),
        ("#!/usr/bin/env node\na()", "#!/usr/bin/env deno\na()"),
        ("#!/usr/bin/env node\na()", "a()"),
        ("\\u0061bc()", "\\u0062bc()"),
        ("a = b - -c", "a = b - c"),
        ("x = [,]", "x = []"),
        ("(a?.b).c", "a?.b.c"),
        ("x = 1n", "x = 1"),
        ("x = 9007199254740993n", "x = 9007199254740992n"),
        ("x = { a: b }", "x = { ['a']: b }"),
        ("let a = 1", "var a = 1"),
        ("f(a, b)", "f((a, b))"),
        // A comment to scripts, operators to modules.
        ("x = a<!--b\n", "x = a"),
        ("x(", "x("),
    ] {
        check(one, other, None);
    }
}

#[test]
fn parentheses_that_leave_a_function_without_a_name_are_no_mere_layout() {
    let check = |one: &str, other: &str, expect: bool| {
        for (one, other) in [(one, other), (other, one)] {
            let found = judged("a.js", one, other).unwrap().accounts_for_all;
            assert_eq!(found, expect, "{one} {other}");
        }
    };
    for value in [
        "function(){}",
        "class {}",
        "async()=>1",
        "(a)=>1",
        "a=>1",
        "\u{e9}=>1",
        "(function(){})",
        "/* */ a /* */ => 1",
    ] {
        check(&format!("x = {value}"), &format!("(x) = {value}"), false);
        check(
            &format!("x ??= {value}"),
            &format!("(x)/*)*/ ??= {value}"),
            false,
        );
        check(
            &format!("[x = {value}] = y"),
            &format!("[(x) // )\n= {value}] = y"),
            false,
        );
        check(&format!("x = {value}"), &format!("x={value};"), true);
    }
    check("x = 1", "(x) = 1", true);
    check("if (a) b = c => 1", "if(a)b=c=>1", true);
    check("f((a) => 1, b == c)", "f(a => 1,b==c)", true);
}

#[test]
fn the_first_line_of_a_program_is_the_kernels() {
    let (one, other) = ("#!/bin/x\nf()\n", "#!/bin/x\r\nf( )\r\n");
    assert_eq!(said("a.js", one, other), None);
    assert_eq!(said("a.js", one, &other.replace('\r', "")).as_deref(), SAME);
}

#[test]
fn bytes_cost_something_and_large_trees_are_given_up() {
    let explained = |text: &str, effort: u64| {
        explain(&ChangedFile {
            path: &"a.mjs".parse().unwrap(),
            rebuilt: text.as_bytes(),
            published: format!("{text} ").as_bytes(),
            executable: false,
            text: None,
            known: &Known::default(),
            python: None,
            words: crate::limits::SideWords::default(),
            effort: &Cell::new(effort),
            room: &Room::default(),
            renamed: &[],
        })
    };
    let flat = "a;".repeat(1_000);
    assert!(explained(&flat, 2_000).is_some());
    assert_eq!(explained(&flat, 1_000), None);
    // A tree of so many functions takes far more room than its text.
    let dense = "a=>a;".repeat(1_000);
    let compared = |longer: &str, most| compare(longer, &dense, &[SourceType::mjs()], most);
    let longer = format!("{dense} ");
    assert!(compared(&longer, LARGEST_TREE).is_some());
    assert_eq!(compared(&longer, 20 * dense.len()), None);
}

#[test]
fn comments_are_told_apart_from_layout() {
    check("/* a */ f()", "f()", COMMENTS);
    check("f() // a", "f() // b", COMMENTS);
    check("/* a\n   b */ f()", "/* a b */\nf();", SAME);
    check(
        "f()\n//# sourceMappingURL=a.js.map",
        "f()",
        Some(
            "only comments and formatting differ, `sourceMappingURL` among them: the same syntax tree",
        ),
    );
    check("f() /* */ + g()", "f() /*\n*/ - g()", None);
}

#[test]
fn typescript_is_read_as_such() {
    let same = |path: &str, one: &str, other: &str| {
        assert_eq!(said(path, one, other).as_deref(), SAME, "{path}");
    };
    same(
        "a.ts",
        "const a: Array<string> = [];",
        "const a:Array<string>=[]",
    );
    same(
        "a.d.ts",
        "export declare const a: string;\n",
        "export declare const a:string",
    );
    same("a.tsx", "const a = <b c='d'/>", "const a=<b c=\"d\"/>");
    assert_eq!(said("a.ts", "let a: string", "let a: number"), None);
    assert_eq!(said("a.tsx", "a = <b>c</b>", "a = <b>d</b>"), None);
    assert_eq!(said("a.py", "a = 1", "a=1"), None);
}

#[test]
fn nesting_ends_in_silence_and_not_in_a_crash() {
    let nest = |open: &str, close: &str, count: usize| {
        [open.repeat(count), "1".to_owned(), close.repeat(count)].concat()
    };
    for (open, close) in [
        ("(", ")"),
        ("[", "]"),
        ("{", "}"),
        ("!", ""),
        ("-+", ""),
        ("a=>", ""),
        ("a=", ""),
        ("if(1)", ""),
        ("new ", ""),
        ("`${", "}`"),
        ("1+", ""),
        ("1?2:", ""),
        ("a(", ")"),
        ("f(function(){", "})"),
        ("if(1);else ", ""),
        ("if(1){}else ", ""),
        ("{a:", "}"),
        ("x:", ""),
        ("\";\"+", ""),
        ("/;/+", ""),
        ("a\n.b", ""),
        ("a.b", ".c"),
        ("(a=", ")"),
        ("async(a=", ")"),
        ("1**", ""),
        ("do ", ";while(1)"),
        ("class{[", "]}"),
        ("a?.[", "]"),
        ("await ", ""),
        ("for(;;)", ""),
    ] {
        let (one, other) = (nest(open, close, 100_000), nest(open, close, 100_000) + " ");
        for path in ["a.js", "a.ts", "a.jsx", "a.tsx"] {
            drop(said(path, &one, &other));
        }
        // As deep as is allowed: it has to fit on the stack.
        let most = if "([{`<".contains(|bracket| open.contains(bracket)) {
            120
        } else {
            (DEEPEST / open.len()).min(5_000)
        };
        let (one, other) = (nest(open, close, most), nest(open, close, most) + " ");
        for path in ["a.js", "a.ts"] {
            drop(said(path, &one, &other));
        }
        // The same depth is seen in a long file.
        let long = [
            nest(open, close, 100_000).as_str(),
            "\n",
            &"f();\n".repeat(DEEPEST),
        ]
        .concat();
        assert_eq!(
            nesting::cost(&long, SourceType::mjs(), 90_000),
            None,
            "{open}"
        );
    }
    assert_eq!(
        said("a.js", &nest("(", ")", 100_000), &nest("(", ")", 100_001)),
        None
    );
}

#[test]
fn long_flat_files_are_compared() {
    let line = "var a = b, c = 'd;'; if (a) { c(/[/;]/, `${a};`) } else c = a / 2;";
    let one = line.repeat(4_000);
    assert!(one.len() > 2 * DEEPEST);
    assert_eq!(
        said("a.js", &one, &one.replace(" = ", "=")).as_deref(),
        SAME
    );
    let evil = one.clone() + "evil()";
    assert_eq!(said("a.js", &one, &evil), None);
    // More than is parsed, all on one line.
    let one = "f(1);".repeat(10 << 20);
    assert_eq!(said("a.js", &one, &(one.clone() + " ")), None);
}

/// The most that one level costs on the stack, without the bound on cost that other tests rest on.
#[test]
fn the_deepest_chains_fit_on_the_stack() {
    for open in [
        "!", "a=>", "a=", "new ", "1+", "1?2:", "x:", "await ", "1**", "-+", "a.b", "typeof ",
    ] {
        let deep = open.repeat(DEEPEST / open.len() - 1) + "1";
        assert!(nesting::cost(&deep, SourceType::mjs(), DEEPEST).is_some());
        drop(said("a.mjs", &deep, &(deep.clone() + " ")));
        drop(said("a.ts", &deep, &(deep.clone() + " ")));
    }
}

#[test]
fn parsing_ends_when_it_has_cost_enough() {
    let costly = |end: &str| ("(a=".repeat(120) + "1" + &")".repeat(120) + ";").repeat(200) + end;
    let (one, other) = (costly(""), costly(" "));
    let effort = Cell::new(100_000);
    let said = explain(&ChangedFile {
        path: &"a.mjs".parse().unwrap(),
        rebuilt: one.as_bytes(),
        published: other.as_bytes(),
        executable: false,
        text: None,
        known: &Known::default(),
        python: None,
        words: crate::limits::SideWords::default(),
        effort: &effort,
        room: &Room::default(),
        renamed: &[],
    });
    assert_eq!(said, None);
}
