//! What a command can count on, and what its caller can.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::sync::atomic::AtomicBool;

use remint_sandbox::{
    Access, Bind, Ending, GeneratedFile, Isolation, Network, Owner, SandboxError, Surroundings,
    run, run_with_input,
};

use crate::ground::{Ground, outcome, said};
use crate::harness::Case;

pub(crate) const CASES: &[Case] = &[
    (
        "output_of_both_kinds_and_the_exit_code_are_reported",
        exit_code_and_output,
    ),
    (
        "a_missing_program_is_reported_as_shells_do",
        missing_program,
    ),
    ("a_signal_is_reported", signal),
    (
        "standard_input_is_there_and_empty_however_the_caller_was_started",
        input,
    ),
    ("standard_input_can_be_the_caller_s", given_input),
    ("only_the_given_environment_is_there", environment),
    (
        "writes_to_a_layer_land_in_its_upper_and_nowhere_else",
        overlay,
    ),
    ("an_upper_can_be_used_again", overlay_again),
    (
        "a_link_in_a_layer_does_not_lead_a_mount_astray",
        hostile_mount_point,
    ),
    ("binds_are_what_they_say", binds),
    ("generated_files_are_there_and_read_only", generated_files),
    ("the_proxy_and_nothing_else_is_reachable", proxy),
    ("node_and_npm_run", node),
    (
        "a_command_finds_the_surroundings_that_it_is_given",
        surroundings,
    ),
];

fn surroundings() {
    let ground = Ground::new();
    let script = "id -u; id -g; id -un; id -gn; hostname; umask; nproc; echo ~";
    let usual = said(&ground.shell(script));
    let lines: Vec<&str> = usual.lines().collect();
    assert_eq!(
        lines[..6],
        ["1000", "1000", "build", "build", "remint", "0022"]
    );

    let mut command = ground.shell(&script.replace('~', "~somebody"));
    command.surroundings = Surroundings {
        user: 4321,
        user_name: "somebody".to_owned(),
        home: "/home/somebody".to_owned(),
        host_name: "elsewhere".to_owned(),
        umask: 0o077,
        processors: Some(1),
    };
    assert_eq!(
        said(&command).lines().collect::<Vec<_>>(),
        [
            "4321",
            "4321",
            "somebody",
            "somebody",
            "elsewhere",
            "0077",
            "1",
            "/home/somebody"
        ]
    );
}

fn exit_code_and_output() {
    let ground = Ground::new();
    let (finished, log) = outcome(&ground.shell("echo one; echo two >&2; exit 7"));
    assert_eq!(finished.ending, Ending::Exited(7));
    assert_eq!(log, "one\ntwo\n");
    assert_eq!(finished.log_tail, b"one\ntwo\n");
    assert_eq!(finished.log_bytes, 8);
}

fn missing_program() {
    let ground = Ground::new();
    let mut command = ground.shell("");
    command.argv = vec!["no-such-program".into()];
    let (finished, log) = outcome(&command);
    assert_eq!(finished.ending, Ending::Exited(127));
    assert!(log.contains("no-such-program"), "{log}");
    command.argv = vec!["/etc/passwd".into()];
    assert_eq!(outcome(&command).0.ending, Ending::Exited(126));
}

fn signal() {
    let ground = Ground::new();
    assert_eq!(
        outcome(&ground.shell("kill -TERM $$")).0.ending,
        Ending::Signalled(15)
    );
}

fn input() {
    let ground = Ground::new();
    let script = "readlink /proc/$$/fd/0; cat; cat <<END\nhere\nEND";
    assert_eq!(said(&ground.shell(script)), "/dev/null\nhere\n");
}

fn given_input() {
    let ground = Ground::new();
    for isolation in [Isolation::Namespaces, Isolation::Landlock] {
        let mut command = ground
            .shell("while read line; do echo \"<$line>\"; done; ls /proc/self/fd | tr '\\n' ' '");
        command.isolation = isolation;
        if isolation == Isolation::Landlock && matches!(ground.owner, Owner::Throwaway { .. }) {
            continue;
        }
        let (mut ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        let answers = std::thread::spawn(move || {
            let mut log = Vec::new();
            let never = AtomicBool::new(false);
            let finished = run_with_input(&command, theirs.into(), &mut log, &never).unwrap();
            assert!(finished.ending.is_success(), "{finished:?}");
            String::from_utf8(log).unwrap()
        });
        ours.write_all(b"one\ntwo\n").unwrap();
        ours.shutdown(std::net::Shutdown::Write).unwrap();
        // The last is the directory that is listed.
        assert_eq!(answers.join().unwrap(), "<one>\n<two>\n0 1 2 3 ");
    }
}

fn environment() {
    let ground = Ground::new();
    let mut command = ground.shell("");
    command.argv = vec!["env".into()];
    command.environment = [("PATH", "/usr/bin:/bin"), ("A", "b=c d")]
        .map(|(name, value)| (name.into(), value.into()))
        .into();
    assert_eq!(said(&command), "A=b=c d\nPATH=/usr/bin:/bin\n");
}

fn overlay() {
    let ground = Ground::new();
    let source = ground.tree(
        "source",
        &[("keep", "k"), ("change", "c"), ("dir/remove", "r")],
    );
    let modules = ground.tree("modules", &[("node_modules/m/index.js", "m")]);
    let mut command = ground.shell(
        "echo more >> change && rm dir/remove && mkdir new && echo n > new/file && \
         cat node_modules/m/index.js keep && echo x > node_modules/.cache && stat -c %u:%g keep change",
    );
    command
        .layers
        .push(ground.layer("state", "/build", &[&modules, &source]));
    command.directory = "/build".into();
    assert_eq!(said(&command), "mk1000:1000\n1000:1000\n");

    let read = |path: &str| fs_err::read_to_string(ground.path(path)).unwrap();
    assert_eq!(read("source/change"), "c");
    assert_eq!(read("source/dir/remove"), "r");
    assert_eq!(read("state/upper/change"), "cmore\n");
    assert_eq!(read("state/upper/new/file"), "n\n");
    assert!(!ground.path("source/new").exists());
    assert!(!ground.path("modules/node_modules/.cache").exists());
    let owner = fs_err::metadata(ground.path("state/upper/new/file")).unwrap();
    assert_eq!(
        (owner.uid(), owner.gid()),
        (ground.owner.uid(), ground.owner.gid())
    );
}

fn overlay_again() {
    let ground = Ground::new();
    let source = ground.tree("source", &[("a", "a")]);
    let mut command = ground.shell("echo 1 >> a; mkdir -m 0 closed 2> /dev/null; cat a");
    command
        .layers
        .push(ground.layer("state", "/home/runner/work", &[&source]));
    command.directory = "/home/runner/work".into();
    assert_eq!(said(&command), "a1\n");
    assert_eq!(said(&command), "a1\n1\n");
}

fn hostile_mount_point() {
    let ground = Ground::new();
    let source = ground.tree("source", &[]);
    std::os::unix::fs::symlink("/etc", source.join("node_modules")).unwrap();
    let mut command = ground.shell("true");
    command
        .layers
        .push(ground.layer("state", "/build", &[&source]));
    command.binds.push(Bind {
        host: source.clone(),
        inside: "/build/node_modules".into(),
        access: Access::ReadOnly,
    });
    match run(&command, &mut Vec::new(), &AtomicBool::new(false), |_| ()) {
        Err(SandboxError::Setup { step, path, .. }) => {
            assert_eq!(step, "make the directory");
            assert_eq!(path.unwrap(), std::path::Path::new("/build/node_modules"));
        }
        other => panic!("{other:?}"),
    }
}

fn binds() {
    let ground = Ground::new();
    let tool = ground.tree("tool", &[("bin/tool", "#!/bin/sh\necho tool\n")]);
    let program = tool.join("bin/tool");
    fs_err::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let out = ground.tree("out", &[]);
    let mut command = ground.shell(
        "/opt/tool/bin/tool && echo r > /out/result && /opt/single && \
         ! echo x 2> /dev/null > /opt/tool/x && ! echo x 2> /dev/null >> /opt/single && \
         ! chmod 777 /opt/single 2> /dev/null",
    );
    for (host, inside, access) in [
        (&tool, "/opt/tool", Access::ReadOnly),
        (&program, "/opt/single", Access::ReadOnly),
        (&out, "/out", Access::Writable),
    ] {
        command.binds.push(Bind {
            host: host.clone(),
            inside: inside.into(),
            access,
        });
    }
    assert_eq!(said(&command), "tool\ntool\n");
    assert_eq!(fs_err::read_to_string(out.join("result")).unwrap(), "r\n");
    assert!(!tool.join("x").exists());
}

fn generated_files() {
    let ground = Ground::new();
    let mut command = ground.shell(
        "cat /etc/ssl/remint-ca.pem; ! echo x 2> /dev/null >> /etc/ssl/remint-ca.pem && \
         ! rm /etc/passwd 2> /dev/null && ! mkdir /etc/new 2> /dev/null",
    );
    command.files.push(GeneratedFile {
        inside: "/etc/ssl/remint-ca.pem".into(),
        content: b"certificate\n".to_vec(),
    });
    assert_eq!(said(&command), "certificate\n");
}

fn proxy() {
    let ground = Ground::new();
    let mut command = ground.attack(&["get", "127.0.0.1:4873"]);
    command.network = Network::Proxy;
    let mut log = Vec::new();
    let mut server = None;
    let finished = run(&command, &mut log, &AtomicBool::new(false), |listener| {
        server = Some(std::thread::spawn(move || {
            let (mut connection, _) = listener.accept().unwrap();
            let mut question = [0; 5];
            connection.read_exact(&mut question).unwrap();
            connection.write_all(&question).unwrap();
            connection.write_all(b" yourself").unwrap();
        }));
    });
    let finished = finished.unwrap();
    server.unwrap().join().unwrap();
    assert_eq!(String::from_utf8(log).unwrap(), "hello yourself");
    assert_eq!(finished.ending, Ending::Exited(0));
    assert_eq!(finished.network_attempts, []);

    command.network = Network::None;
    let (finished, _) = outcome(&command);
    assert_eq!(
        finished.ending,
        Ending::Exited(101),
        "without a proxy, nobody listens"
    );
}

fn node() {
    let ground = Ground::new();
    if !std::path::Path::new("/usr/bin/npm").exists() {
        return;
    }
    let manifest = r#"{"name":"x","version":"1.0.0","scripts":{"build":"node -p 40+2 > out.txt"}}"#;
    let source = ground.tree("source", &[("package.json", manifest)]);
    let mut command = ground.shell("npm run build && npm pack --silent && cat out.txt");
    command
        .layers
        .push(ground.layer("state", "/build", &[&source]));
    command.directory = "/build".into();
    let log = said(&command);
    assert!(log.ends_with("x-1.0.0.tgz\n42\n"), "{log}");
    assert!(ground.path("state/upper/x-1.0.0.tgz").exists());
}
