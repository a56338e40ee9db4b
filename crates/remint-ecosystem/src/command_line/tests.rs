//! Command lines in, parts out.

use proptest::prelude::*;

use super::*;

fn shown(parts: &[Part]) -> Vec<String> {
    parts
        .iter()
        .map(|part| match part {
            Part::Release(wanted) => wanted.spec().to_string(),
            Part::Image(wanted) => format!("oci:{} ({})", wanted.image, wanted.runner),
            Part::Beyond(beyond) => format!("! {beyond}"),
        })
        .collect()
}

/// A line whose words have no spaces.
fn line(line: &str) -> Vec<String> {
    let words: Vec<&str> = line.split(' ').collect();
    let (command, arguments) = words.split_first().unwrap();
    shown(&read(command, arguments, &[]))
}

fn check(text: &str, expect: &[&str]) {
    assert_eq!(line(text), expect, "{text}");
}

fn refused(text: &str, because: &str) {
    let parts = line(text);
    assert_eq!(parts.len(), 1, "{text}: {parts:?}");
    assert!(
        parts[0].starts_with("! ") && parts[0].contains(because),
        "{text}: {parts:?}"
    );
}

#[test]
fn npx_and_its_kin_name_their_package_in_every_spelling() {
    for (text, expect) in [
        ("npx name", "npm:name"),
        ("npx -y name@1.2.3", "npm:name@1.2.3"),
        (
            "npx --yes @scope/name@1.2.3-beta.1 --port 3000",
            "npm:@scope/name@1.2.3-beta.1",
        ),
        ("npx -y @scope/name@latest /home/me", "npm:@scope/name"),
        ("npx name@v1.2.3", "npm:name@1.2.3"),
        ("npx name@=1.2.3", "npm:name@1.2.3"),
        ("npx -y -- name@1.2.3 -- -p other", "npm:name@1.2.3"),
        ("npx -p name@1.2.3 command", "npm:name@1.2.3"),
        ("npx --package=name@1.2.3 -- command", "npm:name@1.2.3"),
        ("npx --package name@1.2.3 -c command", "npm:name@1.2.3"),
        ("npx -pname@1.2.3 command", "npm:name@1.2.3"),
        ("npx --loglevel error -q name@1.2.3", "npm:name@1.2.3"),
        ("npx alias@npm:name@1.2.3", "npm:name@1.2.3"),
        ("npx.cmd -y name@1.2.3", "npm:name@1.2.3"),
        ("/usr/local/bin/npx name@1.2.3", "npm:name@1.2.3"),
        ("C:\\nodejs\\NPX.CMD name@1.2.3", "npm:name@1.2.3"),
        ("npm exec name@1.2.3", "npm:name@1.2.3"),
        (
            "npm --yes exec -- name@1.2.3 --registry x",
            "npm:name@1.2.3",
        ),
        ("npm x --package=name@1.2.3 -- command", "npm:name@1.2.3"),
        // npm reads options behind the package too.
        ("npm exec command --package=name@1.2.3", "npm:name@1.2.3"),
        ("pnpm dlx name@1.2.3", "npm:name@1.2.3"),
        ("pnpm --package=name@1.2.3 dlx command", "npm:name@1.2.3"),
        ("pnpx name@1.2.3", "npm:name@1.2.3"),
        ("yarn dlx -q -p name@1.2.3 command", "npm:name@1.2.3"),
        ("yarn dlx name@npm:1.2.3", "npm:name@1.2.3"),
        ("bunx --bun name@1.2.3", "npm:name@1.2.3"),
        ("bun x name@1.2.3", "npm:name@1.2.3"),
    ] {
        check(text, &[expect]);
    }
}

#[test]
fn uvx_and_its_kin_name_their_package_in_every_spelling() {
    for (text, expect) in [
        ("uvx name", "pypi:name"),
        (
            "uvx Some_Name==1.2.3 --repository /srv",
            "pypi:some-name@1.2.3",
        ),
        ("uvx name@1.2.3", "pypi:name@1.2.3"),
        ("uvx name@latest", "pypi:name"),
        ("uvx name[all]@1.2.3", "pypi:name@1.2.3"),
        ("uvx --from name[a,b]==1.2.3 command", "pypi:name@1.2.3"),
        ("uvx --from=name@1.2.3 command", "pypi:name@1.2.3"),
        ("uvx --python 3.12 name===1.2.3", "pypi:name@1.2.3"),
        ("uvx -p 3.12 -q name==1.2", "pypi:name@1.2"),
        ("uvx -p3.12 name==1.2", "pypi:name@1.2"),
        ("uv tool run name==1.2.3", "pypi:name@1.2.3"),
        ("uv -q tool run --isolated name==1.2.3", "pypi:name@1.2.3"),
        ("pipx run name==1.2.3", "pypi:name@1.2.3"),
        ("pipx run --spec name==1.2.3 command", "pypi:name@1.2.3"),
        ("uvx.exe name==1.2.3", "pypi:name@1.2.3"),
        ("uvx --with name==1.2.3 python -m name", "pypi:name@1.2.3"),
    ] {
        check(text, &[expect]);
    }
}

#[test]
fn every_package_of_a_command_counts() {
    check(
        "npx -y -p one@1.0.0 -p @two/two@2.0.0 -p one@1.0.0 command",
        &["npm:one@1.0.0", "npm:@two/two@2.0.0"],
    );
    check(
        "uvx --from one==1.0 --with two==2.0,three[x,y]==3.0 --with four command",
        &[
            "pypi:one@1.0",
            "pypi:two@2.0",
            "pypi:three@3.0",
            "pypi:four",
        ],
    );
    check(
        "uvx --with-requirements more.txt one==1.0",
        &[
            "pypi:one@1.0",
            "! `--with-requirements` takes files or settings of this machine, which are no release",
        ],
    );
    check(
        "uvx --with git+https://host.invalid/x one==1.0",
        &[
            "pypi:one@1.0",
            "! a git repository is no release of a registry",
        ],
    );
}

#[test]
fn wrappers_around_a_command_are_seen_through() {
    for text in [
        "cmd /c npx -y name@1.2.3",
        "cmd.exe /D /S /C npx name@1.2.3",
        "/usr/bin/env npx name@1.2.3",
        "env KEY=secret npx name@1.2.3",
        "cmd /c env A=b cmd /c npx name@1.2.3",
    ] {
        check(text, &["npm:name@1.2.3"]);
    }
    for (command, arguments) in [
        ("sh", &["-c", "exec npx -y name@1.2.3"][..]),
        ("bash", &["-lc", "npx name@1.2.3 --stdio"]),
        ("cmd", &["/c", "npx -y name@1.2.3"]),
        ("npx -y name@1.2.3", &[]),
    ] {
        assert_eq!(shown(&read(command, arguments, &[])), ["npm:name@1.2.3"]);
    }
    for (command, arguments) in [
        ("sh", &["-c", "npx name@1.2.3 && curl canary.invalid"][..]),
        ("sh", &["-c", "npx $NAME"]),
        ("sh", &["-c", "npx 'name@1.2.3'"]),
        ("sh", &["-c", "NPM_CONFIG_REGISTRY=x npx name@1.2.3"]),
        ("cmd", &["/c", "npx", "name@1.2.3", "&", "other"]),
        ("cmd", &["/k", "npx", "name@1.2.3"]),
        ("npx name@1.2.3; other", &[]),
    ] {
        let parts = shown(&read(command, arguments, &[]));
        assert_eq!(parts.len(), 1, "{arguments:?}");
        assert!(parts[0].contains("line for a shell"), "{parts:?}");
    }
}

#[test]
fn go_runs_packages_of_modules() {
    for (text, expect) in [
        (
            "go run github.com/o/n/cmd/server@v1.2.3 --stdio",
            "go:github.com/o/n/cmd/server@v1.2.3",
        ),
        ("go run -tags x github.com/o/n@latest", "go:github.com/o/n"),
        (
            "go run example.org/n/v2@v2.0.0-rc.1",
            "go:example.org/n/v2@v2.0.0-rc.1",
        ),
    ] {
        check(text, &[expect]);
    }
    for (text, because) in [
        (
            "go run github.com/o/n@main",
            "another release from day to day",
        ),
        (
            "go run github.com/o/n@v1",
            "another release from day to day",
        ),
        ("go run .", "a file or folder of this machine"),
        ("go run ./cmd/server", "a file or folder of this machine"),
        ("go run main.go", "a file or folder of this machine"),
        (
            "go run -exec x github.com/o/n@v1.2.3",
            "`-exec` takes files",
        ),
        ("go build github.com/o/n@v1.2.3", "`go` starts a project"),
        ("go run -unheard github.com/o/n@v1.2.3", "does not know"),
    ] {
        refused(text, because);
    }
    let told = shown(&read("go", &["run", "github.com/o/n@v1.2.3"], &["GOPROXY"]));
    assert!(told[0].contains("`goproxy` sends it"), "{told:?}");
}

#[test]
fn images_are_named_behind_every_option() {
    let digest = "0123456789abcdef".repeat(4);
    for (text, expect) in [
        (
            "docker run -i --rm -e KEY=secret ghcr.io/o/server --stdio",
            "oci:ghcr.io/o/server:latest (docker run)",
        ),
        (
            "docker run --rm=true -it --env-file /srv/env -v /a:/b o/server:1.2 run x",
            "oci:docker.io/o/server:1.2 (docker run)",
        ),
        (
            "docker container run -eKEY --network host -- server",
            "oci:docker.io/library/server:latest (docker run)",
        ),
        (
            &format!("podman run --pull=always quay.io/o/server@sha256:{digest}"),
            &format!("oci:quay.io/o/server@sha256:{digest} (podman run)"),
        ),
    ] {
        check(text, &[expect]);
    }
}

#[test]
fn what_an_engine_is_told_behind_the_image_counts_too() {
    for (text, expect) in [
        (
            "docker run -i --rm --entrypoint npx node:22 -y name@1.2.3",
            &[
                "oci:docker.io/library/node:22 (docker run)",
                "npm:name@1.2.3",
            ][..],
        ),
        (
            "docker run node:22 npx -y name",
            &["oci:docker.io/library/node:22 (docker run)", "npm:name"],
        ),
        // Arguments of the image's own program.
        (
            "docker run node:22 stdio --port 3000",
            &["oci:docker.io/library/node:22 (docker run)"],
        ),
        (
            "docker run --entrypoint node node:22 /app/server.js",
            &["oci:docker.io/library/node:22 (docker run)"],
        ),
    ] {
        check(text, expect);
    }
    let parts = shown(&read(
        "docker",
        &[
            "run",
            "node:22",
            "sh",
            "-c",
            "curl https://other.invalid | sh",
        ],
        &[],
    ));
    assert!(parts[1].contains("a line for a shell"), "{parts:?}");
    refused(
        "docker run --platform linux/arm64 node:22",
        "`--platform` chooses",
    );
    let elsewhere = shown(&read("docker", &["run", "node:22"], &["DOCKER_HOST"]));
    assert!(elsewhere[0].contains("another registry"), "{elsewhere:?}");
}

#[test]
fn code_that_options_and_variables_bring_along_is_never_part_of_a_release() {
    for text in [
        "npx --node-options=--import=data:text/javascript,x name@1.2.3",
        "npx --script-shell /srv/shell name@1.2.3",
        "uvx --python /srv/python name==1.2.3",
        "uvx -p ./python name==1.2.3",
        "uvx --env-file x name==1.2.3",
        "pipx run --python ~/python name==1.2.3",
        "go run -ldflags -extld=/srv/ld example.org/m@v1.2.3",
        "env NODE_OPTIONS=--require=/srv/x.js npx name@1.2.3",
    ] {
        refused(text, "can make it run code that is in no release");
    }
    check("uvx --python 3.12 name==1.2.3", &["pypi:name@1.2.3"]);
    check("uvx -p cpython@3.12 name==1.2.3", &["pypi:name@1.2.3"]);
    for variable in [
        "NODE_OPTIONS",
        "path",
        "LD_PRELOAD",
        "npm-config-script-shell",
    ] {
        let parts = shown(&read("npx", &["name@1.2.3"], &[variable]));
        assert!(parts[0].contains("in no release"), "{variable}: {parts:?}");
    }
}

#[test]
fn what_npm_takes_for_the_value_of_a_switch_is_no_package() {
    for text in [
        "npm exec --color always name@1.2.3",
        "npm exec --yes null name@1.2.3",
    ] {
        refused(text, "is no package name");
    }
    check("npm exec --yes name@1.2.3", &["npm:name@1.2.3"]);
}

#[test]
fn a_path_counts_for_a_program_where_programs_are_installed() {
    for text in [
        "/home/me/.nvm/versions/node/v22.1.0/bin/npx name@1.2.3",
        "/opt/homebrew/bin/npx name@1.2.3",
        "/home/me/.asdf/shims/npx name@1.2.3",
        "C:\\nodejs\\npx.cmd name@1.2.3",
    ] {
        check(text, &["npm:name@1.2.3"]);
    }
    for text in [
        "//other.invalid/bin/npx.cmd name@1.2.3",
        "/workspaces/repository/npx name@1.2.3",
        "./bin/npx name@1.2.3",
        "C:\\repository\\npx.cmd name@1.2.3",
    ] {
        refused(text, "a file of this machine");
    }
}

#[test]
fn what_is_no_release_is_named_as_what_it_is() {
    for (text, because) in [
        ("docker compose up", "`docker` is not told to `run`"),
        ("docker exec box run image", "`docker` is not told to `run`"),
        ("podman", "`podman` is not told to `run`"),
        ("docker run --unheard-of image", "remint does not know"),
        ("docker run -i", "is given no package"),
        ("docker run -i --", "is given no package"),
        ("podman run image@sha256:0", "is no package name"),
        ("docker run UPPER/case", "is no package name"),
        ("node /srv/server.js", "`node` is a program of this machine"),
        ("python -m mcp_server_git", "a Python module"),
        ("python3.12 -m mcp_server_git", "a Python module"),
        ("python /srv/server.py", "`python` is a program"),
        ("uvx python -m name", "a Python module"),
        ("uv run server.py", "`uv` starts a project"),
        ("uv --directory /srv run server", "`uv` starts a project"),
        ("npm start", "`npm` starts a project"),
        ("npm run serve", "`npm` starts a project"),
        ("bun server.ts", "`bun` starts a project"),
        ("my-server --stdio", "`my-server` is a program"),
        ("./npx name@1.2.3", "a file of this machine"),
        ("bin\\npx name@1.2.3", "a file of this machine"),
        (
            "${workspaceFolder}/npx name@1.2.3",
            "a file of this machine",
        ),
        ("npx github:owner/name", "a git repository"),
        ("npx owner/name", "a git repository"),
        ("npx git+ssh://git@host.invalid/x.git", "a git repository"),
        (
            "npx name@git+https://token@host.invalid/x",
            "a git repository",
        ),
        (
            "npx https://host.invalid/name.tgz?key=secret",
            "a file at an address",
        ),
        ("npx ./name", "a file or folder"),
        ("npx name@file:../x", "a file or folder"),
        ("npx name-1.0.0.tgz", "a file or folder"),
        (
            "uvx --from git+https://host.invalid/x command",
            "a git repository",
        ),
        ("uvx --from ./name command", "a file or folder"),
        (
            "uvx --from name-1.0-py3-none-any.whl command",
            "a file or folder",
        ),
        (
            "pipx run https://host.invalid/server.py",
            "a file at an address",
        ),
        ("npx -y", "is given no package"),
        ("uvx", "is given no package"),
        ("npx ${input:package}", "no package name"),
        ("npx --yes true", "no package name"),
        ("npx -c name", "line for a shell"),
        ("pnpm -c dlx name", "line for a shell"),
        (" ", "names no command"),
    ] {
        refused(text, because);
    }
}

#[test]
fn a_version_that_is_not_exact_is_named_and_not_guessed() {
    for (text, asked) in [
        ("npx name@^1.2.3", "`^1.2.3` of `npm:name`"),
        ("npx name@1", "`1` of `npm:name`"),
        ("npx name@1.2", "`1.2` of `npm:name`"),
        ("npx name@next", "`next` of `npm:name`"),
        ("npx name@npm:name@^1", "`^1` of `npm:name`"),
        ("uvx name>=1.0", "`>=1.0` of `pypi:name`"),
        ("uvx name==1.*", "`==1.*` of `pypi:name`"),
        ("uvx name>=1,<2", "`>=1,<2` of `pypi:name`"),
        ("uvx name~=1.2", "`~=1.2` of `pypi:name`"),
    ] {
        refused(text, asked);
    }
    refused("npx --tag next name", "`--tag` chooses the version");
    refused("npx --before 2020-01-01 name", "`--before` chooses");
    refused("uvx --resolution lowest name", "`--resolution` chooses");
    check("npx --tag next name@1.2.3", &["npm:name@1.2.3"]);
}

#[test]
fn other_registries_are_never_taken_for_the_user_s_own() {
    for text in [
        "npx --registry https://other.invalid name@1.2.3",
        "npx --registry=https://other.invalid name@1.2.3",
        "npx --userconfig /tmp/npmrc name@1.2.3",
        "npm exec name@1.2.3 --registry https://other.invalid",
        "uvx --index-url https://user:secret@other.invalid name==1.2.3",
        "uvx --index=https://other.invalid name==1.2.3",
        "uvx -f https://other.invalid name==1.2.3",
        "uv --config-file x tool run --default-index y name==1.2.3",
        "pipx run --pip-args=--index-url=https://other.invalid name==1.2.3",
        "npx --no-strict-ssl name@1.2.3",
        "npx --cafile=/tmp/ca.pem name@1.2.3",
        "uvx --allow-insecure-host pypi.org name==1.2.3",
    ] {
        refused(text, "another registry");
    }
    // Behind the package they are the server's own.
    check("npx name@1.2.3 --registry x", &["npm:name@1.2.3"]);
    refused(
        "npx --@scope:registry=https://other.invalid @scope/name@1.2.3",
        "which remint does not know",
    );

    let with = |command: &str, package: &str, variable: &str| {
        shown(&read(command, &[package], &[variable]))
    };
    for variable in [
        "npm_config_registry",
        "NPM_CONFIG_REGISTRY",
        "npm_config_@scope:registry",
        "npm-config-tag",
        "npm_config_strict_ssl",
        "NODE_TLS_REJECT_UNAUTHORIZED",
    ] {
        let parts = with("npx", "name@1.2.3", variable);
        assert!(
            parts[0].contains("another registry"),
            "{variable}: {parts:?}"
        );
    }
    for variable in ["UV_INDEX_URL", "uv_default_index", "PIP_EXTRA_INDEX_URL"] {
        let parts = with("uvx", "name==1.2.3", variable);
        assert!(
            parts[0].contains("another registry"),
            "{variable}: {parts:?}"
        );
        assert_eq!(with("npx", "name@1.2.3", variable), ["npm:name@1.2.3"]);
    }
    for variable in [
        "API_KEY",
        "npm_config_yes",
        "NPM_CONFIG_LOGLEVEL",
        "MY_PATH",
    ] {
        assert_eq!(with("npx", "name@1.2.3", variable), ["npm:name@1.2.3"]);
    }
    let wrapped = read("env", &["UV_INDEX_URL=secret", "uvx", "name==1.2.3"], &[]);
    assert!(shown(&wrapped)[0].contains("`uv_index_url`"), "{wrapped:?}");
}

#[test]
fn an_unknown_option_is_named_without_its_value() {
    for (text, shown) in [
        ("npx --api-key=secret name@1.2.3", "`--api-key`"),
        ("npx --token secret name@1.2.3", "`--token`"),
        ("uvx -ksecret name==1.2.3", "`-k`"),
        ("uvx -qv name==1.2.3", "`-q`"),
        ("npx --secret/value name@1.2.3", "an option"),
        ("npx --package", "`--package`"),
        ("env -S npx", "`-S`"),
        ("npx -é name", "an option"),
    ] {
        refused(text, shown);
        assert!(!line(text)[0].contains("secret"), "{text}");
    }
}

#[test]
fn very_long_command_lines_are_refused() {
    let many = vec!["-y"; MOST_ARGUMENTS + 1];
    assert_eq!(read("npx", &many, &[]), [Part::Beyond(Beyond::TooMuch)]);
    let packages: Vec<String> = (0..=MOST_PACKAGES)
        .map(|at| format!("-pname{at}"))
        .collect();
    let packages: Vec<&str> = packages.iter().map(String::as_str).collect();
    assert_eq!(read("npx", &packages, &[]), [Part::Beyond(Beyond::TooMuch)]);
    let name = "n".repeat(300);
    assert_eq!(
        read("npx", &[&name], &[]),
        [Part::Beyond(Beyond::NotAName("npx"))]
    );
}

/// Words that steer the parser, and words that do not.
fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "npx",
            "npm",
            "exec",
            "uvx",
            "uv",
            "tool",
            "run",
            "pipx",
            "pnpm",
            "dlx",
            "env",
            "cmd",
            "/c",
            "sh",
            "-c",
            "-y",
            "-p",
            "--package",
            "--from",
            "--with",
            "--",
            "-",
            "--=",
            "@",
            "a@",
            "@a/b@1.0.0",
            "name@1.2.3",
            "name==1.0",
            "A=b",
            "python",
            "-m",
        ])
        .prop_map(str::to_owned),
        "[-@a-z0-9=.:/\\[\\],<>~^ ]{0,12}",
        any::<String>(),
    ]
}

proptest! {
    #[test]
    fn any_words_lead_to_at_least_one_part(
        command in word(),
        arguments in prop::collection::vec(word(), 0..8),
        variables in prop::collection::vec(word(), 0..3),
    ) {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let variables: Vec<&str> = variables.iter().map(String::as_str).collect();
        let parts = read(&command, &arguments, &variables);
        prop_assert!(!parts.is_empty());
        for part in parts {
            if let Part::Release(wanted) = part {
                // What is judged later reads as the same spec again.
                let spec = wanted.spec();
                prop_assert_eq!(spec.to_string().parse::<Spec>().unwrap(), spec);
            }
        }
    }

    #[test]
    fn what_stands_behind_the_package_is_never_kept(
        runner in prop::sample::select(vec!["npx", "uvx", "bunx", "pnpx"]),
        behind in prop::collection::vec(word(), 0..6),
        secret in "s3cr3t[a-z0-9]{8}",
    ) {
        let mut arguments = vec!["name"];
        arguments.extend(behind.iter().map(String::as_str));
        arguments.push(&secret);
        let parts = read(runner, &arguments, &[]);
        prop_assert_eq!(parts.len(), 1);
        let shown = format!("{parts:?}");
        prop_assert!(shown.contains("name"));
        prop_assert!(!shown.contains("s3cr3t"), "{}", shown);
    }

    #[test]
    fn a_switch_before_the_package_changes_nothing(
        runner in prop::sample::select(vec![&NPX, &NPM_EXEC, &PNPM_DLX, &YARN_DLX, &BUNX, &UVX, &PIPX_RUN]),
        at in any::<prop::sample::Index>(),
    ) {
        let harmless: Vec<_> = runner
            .options
            .known
            .iter()
            .filter(|option| option.effect == Effect::Nothing)
            .collect();
        let option = harmless[at.index(harmless.len())];
        let mut arguments = vec![option.name()];
        if option.takes == options::Takes::Value {
            arguments.push("value");
        }
        arguments.push("name");
        prop_assert_eq!(run(runner, &arguments), run(runner, &["name"]));
    }
}
