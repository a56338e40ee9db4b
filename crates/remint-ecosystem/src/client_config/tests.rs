//! Configurations in, servers out.

use proptest::prelude::*;

use super::*;

/// Every server as `name: part; part`.
fn shown(servers: &[Server]) -> Vec<String> {
    servers
        .iter()
        .map(|server| {
            let parts: Vec<String> = server
                .parts
                .iter()
                .map(|part| match part {
                    Part::Release(wanted) => wanted.spec().to_string(),
                    Part::Image(wanted) => format!("oci:{}", wanted.image),
                    Part::Beyond(beyond) => format!("! {beyond}"),
                })
                .collect();
            format!("{}: {}", server.name, parts.join("; "))
        })
        .collect()
}

fn check(text: &str, expect: &[&str]) {
    assert_eq!(shown(&servers(text.as_bytes()).unwrap()), expect, "{text}");
}

/// One entry, whose one part is beyond judging for this reason.
fn refused(entry: &str, because: &str) {
    let text = format!(r#"{{"mcpServers": {{"name": {entry}}}}}"#);
    let found = shown(&servers(text.as_bytes()).unwrap());
    assert_eq!(found.len(), 1, "{entry}");
    assert!(
        found[0].starts_with("name: ! ") && found[0].contains(because),
        "{entry}: {found:?}"
    );
}

#[test]
fn claude_cursor_and_windsurf_are_read() {
    check(
        r#"{
          "theme": "dark",
          "mcpServers": {
            "files": {"command": "npx", "args": ["-y", "@modelcontextprotocol/server-filesystem@2026.7.10", "/home"]},
            "git": {"command": "uvx", "args": ["mcp-server-git==2026.7.10"], "env": {"TOKEN": "secret"}, "disabled": true},
            "far": {"serverUrl": "https://user:secret@mcp.example.invalid/sse?key=secret"},
            "near": {"type": "http", "url": "${URL}"}
          }
        }"#,
        &[
            "files: npm:@modelcontextprotocol/server-filesystem@2026.7.10",
            "git: pypi:mcp-server-git@2026.7.10",
            "far: ! it runs elsewhere, at `mcp.example.invalid`: nothing of it is published that could be rebuilt",
            "near: ! it runs elsewhere: nothing of it is published that could be rebuilt",
        ],
    );
}

#[test]
fn vs_code_is_read_with_comments_and_trailing_commas() {
    let servers = r#"{
        // What the team uses.
        "inputs": [{"type": "promptString", "id": "key"}],
        "servers": {
            "files": {"type": "stdio", "command": "npx", "args": ["name@1.2.3", /* ours */ "${workspaceFolder}"],},
        },
    }"#;
    check(servers, &["files: npm:name@1.2.3"]);
    check(
        &format!("\u{feff}{{\"editor.tabSize\": 4, \"mcp\": {servers}}}"),
        &["files: npm:name@1.2.3"],
    );
    check(
        r#"{"mcp.servers": {"a": {"command": "npx", "args": ["name@1.2.3"]}}}"#,
        &["a: npm:name@1.2.3"],
    );
    check(
        r#"{"other.mcpServers": {"a": {"command": "npx", "args": ["name@1.2.3"]}}}"#,
        &["a: npm:name@1.2.3"],
    );
}

#[test]
fn zed_is_read_in_both_forms_and_its_extensions_are_named() {
    check(
        r#"{"context_servers": {
            "new": {"source": "custom", "command": "uvx", "args": ["name==1.0"], "env": {}},
            "old": {"command": {"path": "npx", "args": ["name@1.2.3"], "env": {"npm_config_registry": "secret"}}},
            "extension": {"source": "extension", "settings": {}},
            "older extension": {"settings": {}}
        }}"#,
        &[
            "new: pypi:name@1.0",
            "old: ! `npm_config_registry` sends it to another registry, so what it starts may be another file than \
             remint would fetch",
            "extension: ! an extension of the client starts it: the configuration does not say with which command",
            "older extension: ! an extension of the client starts it: the configuration does not say with which command",
        ],
    );
}

#[test]
fn what_starts_on_another_platform_counts_too() {
    check(
        r#"{"mcpServers": {
            "same": {
                "command": "npx", "args": ["-y", "name@1.2.3"],
                "windows": {"command": "cmd", "args": ["/c", "npx", "-y", "name@1.2.3", "{\"quoted\": 1}"]}
            },
            "other": {
                "command": "npx", "args": ["name@1.2.3"],
                "linux": {"args": ["other@1.0.0"]}, "osx": {"env": {"npm_config_registry": "x"}}, "windows": null
            }
        }}"#,
        &[
            "same: npm:name@1.2.3",
            "other: npm:name@1.2.3; npm:other@1.0.0; ! `npm_config_registry` sends it to another registry, so what it \
             starts may be another file than remint would fetch",
        ],
    );
    check(
        r#"{"servers": {"a": {"command": "npx", "args": ["one@1.0.0"], "linux": {"args": ["two@2.0.0"]}}}}"#,
        &["a: npm:one@1.0.0; npm:two@2.0.0"],
    );
}

#[test]
fn several_lists_and_equal_names_all_count() {
    check(
        r#"{
          "mcpServers": {
            "a": {"command": "npx", "args": ["one@1.0.0"]},
            "a": {"command": "npx", "args": ["two@2.0.0"]}
          },
          "projects": {"/srv": {"mcpServers": {"b": {"command": ["uvx", "three==3.0"]}}}, "/other": {}},
          "mcpServers": {"c": {"command": "npx", "args": null, "env": null}}
        }"#,
        &[
            "a: npm:one@1.0.0",
            "a: npm:two@2.0.0",
            "b: pypi:three@3.0",
            "c: ! `npx` is given no package",
        ],
    );
}

#[test]
fn entries_that_cannot_be_understood_are_servers_that_cannot_be_judged() {
    for (entry, because) in [
        ("null", "it is no object"),
        ("[]", "it is no object"),
        ("{}", "it names no command"),
        (r#"{"command": ""}"#, "it names no command"),
        (r#"{"command": []}"#, "it names no command"),
        (r#"{"command": 7}"#, "is no text"),
        (r#"{"command": {"args": []}}"#, "it names no command"),
        (r#"{"command": "npx", "args": "name"}"#, "`args` is no list"),
        (
            r#"{"command": "npx", "args": ["name@1.2.3", 3000]}"#,
            "is no text",
        ),
        (
            r#"{"command": "npx", "args": ["a"], "args": ["b"]}"#,
            "stands there twice",
        ),
        (
            r#"{"command": "npx", "args": ["a"], "env": []}"#,
            "environment is no object",
        ),
        (
            r#"{"command": "npx", "url": "https://x.invalid"}"#,
            "a command and an address",
        ),
        (r#"{"url": 7}"#, "it runs elsewhere:"),
        (r#"{"url": "file:///etc/passwd"}"#, "it runs elsewhere:"),
    ] {
        refused(entry, because);
    }
}

#[test]
fn what_is_no_configuration_is_refused_for_its_reason() {
    let error = |text: &str| servers(text.as_bytes()).unwrap_err();
    for text in [
        "{}",
        r#"{"mcpServers": {}}"#,
        r#"{"servers": {}, "mcp": {}, "projects": {"/srv": {}}}"#,
        r#"{"mcp": 1, "projects": []}"#,
    ] {
        assert_eq!(error(text), ConfigError::NoServers, "{text}");
    }
    for text in ["", "[]", "\"npx\"", "null", "// nothing"] {
        assert_eq!(error(text), ConfigError::NotAnObject, "{text}");
    }
    assert_eq!(
        error(r#"{"mcpServers": []}"#),
        ConfigError::NotServers("mcpServers")
    );
    assert_eq!(servers(b"{\"\xff\": 1}"), Err(ConfigError::NotText));
    assert_eq!(
        servers(&vec![b' '; LARGEST + 1]),
        Err(ConfigError::TooLarge)
    );
    let many: Vec<String> = (0..=MOST_SERVERS)
        .map(|at| format!("\"{at}\": {{}}"))
        .collect();
    assert_eq!(
        error(&format!(r#"{{"servers": {{{}}}}}"#, many.join(","))),
        ConfigError::TooMany
    );
    for (text, line) in [
        ("{\"mcpServers\": {\n  \"a\": secret\n}}", 2),
        ("{'mcpServers': {}}", 1),
        ("{mcpServers: {}}", 1),
        ("{\"a\": 1 \"b\": 2}", 1),
        ("{} {}", 1),
        ("{\"a\": \"secret", 1),
    ] {
        let error = error(text);
        assert!(
            matches!(error, ConfigError::Syntax { line: found, .. } if found == line),
            "{text}: {error:?}"
        );
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    let deep = format!("{{\"a\": {}", "[".repeat(100_000));
    assert!(matches!(error(&deep), ConfigError::Syntax { .. }));
}

#[test]
fn names_are_fit_for_a_terminal() {
    let name = |name: &str| {
        let text = serde_json::json!({"mcpServers": {name: {}}}).to_string();
        servers(text.as_bytes()).unwrap().remove(0).name
    };
    assert_eq!(name("git"), "git");
    assert_eq!(name("\u{1b}[31mred\u{202e}"), "\u{fffd}[31mred\u{fffd}");
    assert_eq!(name(" "), "(no name)");
    assert_eq!(name(&"é".repeat(100)).chars().count(), LONGEST_NAME + 1);
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        prop::sample::select(vec![
            "npx",
            "uvx",
            "name@1.2.3",
            "-y",
            "https://x.invalid/s3cr3t"
        ])
        .prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 64, 6, |inner| {
        let key = prop_oneof![
            prop::sample::select(vec![
                "mcpServers",
                "servers",
                "mcp",
                "projects",
                "context_servers",
                "command",
                "args",
                "env",
                "url",
                "path",
                "settings",
                "source",
            ])
            .prop_map(str::to_owned),
            "[a-z]{1,4}",
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::vec((key, inner), 0..6)
                .prop_map(|entries| serde_json::Value::Object(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_json_is_servers_with_parts_or_an_error(value in json()) {
        if let Ok(servers) = servers(value.to_string().as_bytes()) {
            prop_assert!(!servers.is_empty());
            for server in servers {
                prop_assert!(!server.parts.is_empty());
            }
        }
    }

    #[test]
    fn any_bytes_are_servers_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(servers(&bytes).is_err());
    }

    #[test]
    fn secrets_are_never_kept(
        secret in "s3cr3t[a-zA-Z0-9]{0,12}",
        command in prop::sample::select(vec!["npx", "uvx", "docker", "node", "uv", "npm"]),
        switch in prop::sample::select(vec!["-y", "--unknown", "--registry", "--index-url", "--from", "-e"]),
    ) {
        let config = serde_json::json!({"mcpServers": {
            "local": {
                "command": command,
                "args": [format!("{switch}={secret}"), "name@1.0.0", format!("--key={secret}"), secret],
                "env": {"API_KEY": secret, "UV_INDEX_URL": format!("https://{secret}@x.invalid")},
            },
            "glued": {"command": "npx", "args": [format!("-k{secret}"), "name"]},
            "git": {"command": "uvx", "args": ["--from", format!("git+https://{secret}@x.invalid/y"), "y"]},
            "remote": {
                "url": format!("https://user:{secret}@x.invalid/{secret}?key={secret}#{secret}"),
                "headers": {"Authorization": secret},
            },
        }});
        let servers = servers(config.to_string().as_bytes()).unwrap();
        prop_assert_eq!(servers.len(), 4);
        let mut kept = format!("{servers:?}");
        kept.extend(shown(&servers));
        // A package may be called anything, but it is taken from the package's place only.
        if switch != "--from" {
            prop_assert!(!kept.contains("s3cr3t"), "{}", kept);
        }
    }
}
