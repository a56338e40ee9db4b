//! The level without namespaces: what it still holds, and what it says it does not.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use remint_sandbox::{
    Access, Bind, Command, Ending, GeneratedFile, Isolation, Network, Owner, PROXY_ADDRESS,
    SandboxError, run,
};

use crate::attacker::{HOST_PATH, REPELLED};
use crate::escape::SECRET;
use crate::ground::{Ground, outcome, said};
use crate::harness::Case;

pub(crate) const CASES: &[Case] = &[
    ("in_place_what_cannot_be_had_is_refused", what_cannot_be_had),
    ("in_place_paths_are_the_host_s", paths),
    ("in_place_no_attack_gains_anything", attacks),
    ("in_place_only_the_proxy_can_be_reached", proxy),
    ("in_place_nothing_outlives_the_command", nothing_outlives),
    ("in_place_limits_hold", limits),
];

/// Nothing for root, who has namespaces.
fn in_place(ground: &Ground, mut command: Command) -> Option<Command> {
    command.isolation = Isolation::Landlock;
    matches!(ground.owner, Owner::Caller { .. }).then_some(command)
}

fn refusal(command: &Command) -> String {
    match run(command, &mut Vec::new(), &AtomicBool::new(false), |_| ()) {
        Err(SandboxError::Malformed { reason, .. }) => reason.to_owned(),
        other => panic!("{other:?}"),
    }
}

fn what_cannot_be_had() {
    let ground = Ground::new();
    let mut command = ground.shell("true");
    command.isolation = Isolation::Landlock;
    if matches!(ground.owner, Owner::Throwaway { .. }) {
        assert!(refusal(&command).contains("root has namespaces"));
        return;
    }
    assert_eq!(outcome(&command).0.isolation, Isolation::Landlock);
    let source = ground.tree("source", &[]);
    command
        .layers
        .push(ground.layer("state", "/build", &[&source]));
    assert_eq!(refusal(&command), "overlays need namespaces");
}

fn paths() {
    let ground = Ground::new();
    let script = "cd /build && echo x > made && cat /opt/tool/word /etc/remint/authority.pem > copied && \
        echo y > /tmp/file && echo z > $HOME/file && cat /tmp/file $HOME/file $AUTHORITY && \
        ! echo w 2> /dev/null > /opt/tool/new && pwd";
    let mut command = ground.shell(script);
    let build = ground.tree("build", &[]);
    for (host, inside, access) in [
        (build.clone(), "/build", Access::Writable),
        (
            ground.tree("tool", &[("word", "tool ")]),
            "/opt/tool",
            Access::ReadOnly,
        ),
    ] {
        command.binds.push(Bind {
            host,
            inside: inside.into(),
            access,
        });
    }
    command.files.push(GeneratedFile {
        inside: "/etc/remint/authority.pem".into(),
        content: b"certificate\n".to_vec(),
    });
    command
        .environment
        .insert("AUTHORITY".into(), "/etc/remint/authority.pem".into());
    let Some(command) = in_place(&ground, command) else {
        return;
    };
    let log = said(&command);
    assert_eq!(log, format!("y\nz\ncertificate\n{}\n", build.display()));
    assert_eq!(
        fs_err::read_to_string(build.join("copied")).unwrap(),
        "tool certificate\n"
    );
    let left = fs_err::read_dir(build.parent().unwrap()).unwrap().count();
    assert_eq!(left, 2, "temporary files are gone");
}

fn attacks() {
    let ground = Ground::new();
    let secret = ground.path("token");
    fs_err::write(&secret, SECRET).unwrap();
    let service = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = service.local_addr().unwrap().port().to_string();
    drop(TcpStream::connect(service.local_addr().unwrap()).unwrap());
    let abstract_name = format!("remint-test-in-place-{}", std::process::id());
    let abstract_address = {
        use std::os::linux::net::SocketAddrExt as _;
        std::os::unix::net::SocketAddr::from_abstract_name(&abstract_name).unwrap()
    };
    let _abstract_service = UnixListener::bind_addr(&abstract_address).unwrap();
    let socket = ground.path("socket");
    let _socket_service = UnixListener::bind(&socket).unwrap();
    drop(UnixStream::connect(&socket).unwrap());

    let outside = std::process::id().to_string();
    // Host paths, of which a command is told nothing, so that nothing in them may be translated.
    let secret = format!("{HOST_PATH}{}", secret.display());
    let socket = format!("{HOST_PATH}{}", socket.display());
    for (name, parameters) in [
        ("read_what_is_the_caller_s", vec!["in-place", &secret]),
        ("write_outside_of_the_build", vec![]),
        ("find_the_caller_s_environment", vec![SECRET]),
        ("see_or_signal_other_processes", vec!["in-place", &outside]),
        ("use_an_inherited_descriptor", vec![]),
        ("make_a_namespace", vec![]),
        ("enter_a_namespace", vec![]),
        ("make_a_device", vec![]),
        ("call_what_is_refused", vec![]),
        ("call_through_another_door", vec![]),
        ("type_into_the_terminal", vec![]),
        ("open_a_strange_socket", vec![]),
        (
            "reach_the_host_s_services",
            vec![&port, &abstract_name, &socket],
        ),
        ("lift_a_limit", vec![]),
    ] {
        for network in [Network::None, Network::Proxy] {
            let mut command = ground.attack(&[&[name], parameters.as_slice()].concat());
            command.network = network;
            let Some(command) = in_place(&ground, command) else {
                return;
            };
            let (finished, log) = outcome(&command);
            assert_eq!(
                finished.ending,
                Ending::Exited(0),
                "{name} ({network:?}): {log}"
            );
            assert_eq!(log.trim(), REPELLED, "{name} ({network:?})");
        }
    }
}

fn proxy() {
    let ground = Ground::new();
    let usual = PROXY_ADDRESS.to_string();
    // Somebody on the host may well have the usual port; if it is taken already, so be it.
    let _squatter = TcpListener::bind(PROXY_ADDRESS);
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let elsewhere = format!("tcp:{}", other.local_addr().unwrap());
    let ask = ground.attack(&["ask", &format!("tcp:{usual}"), &elsewhere]);
    let Some(mut command) = in_place(&ground, ask) else {
        return;
    };
    command.network = Network::Proxy;
    // Each has a port of its own, for as long as somebody listens there.
    let (mut ports, mut proxies) = (Vec::new(), Vec::new());
    for _ in 0..2 {
        let mut log = Vec::new();
        run(&command, &mut log, &AtomicBool::new(false), |socket| {
            ports.push(socket.local_addr().unwrap().port());
            proxies.push(socket);
        })
        .unwrap();
        assert_eq!(String::from_utf8(log).unwrap(), "connected\nrefused\n");
    }
    assert_ne!(ports[0], ports[1]);
    assert!(!ports.contains(&PROXY_ADDRESS.port()), "{ports:?}");

    let still_there = format!("tcp:127.0.0.1:{}", ports[0]);
    for network in [Network::None, Network::Proxy] {
        let mut command = in_place(&ground, ground.attack(&["ask", &still_there])).unwrap();
        command.network = network;
        assert_eq!(outcome(&command).1, "refused\n", "another one's proxy");
    }
    drop(other);
}

fn nothing_outlives() {
    let ground = Ground::new();
    let script = "sleep 98761 & setsid sh -c 'trap \"\" TERM HUP; sleep 98761' & \
        (setsid sleep 98761 &) ; echo done";
    let Some(mut command) = in_place(&ground, ground.shell(script)) else {
        return;
    };
    let started = Instant::now();
    assert_eq!(said(&command), "done\n");
    command.argv = ["sh", "-c", "setsid sleep 98761 & exec sleep 98761"]
        .map(Into::into)
        .into();
    command.limits.deadline = Duration::from_millis(300);
    assert_eq!(outcome(&command).0.ending, Ending::DeadlinePassed);
    assert!(
        started.elapsed() < Duration::from_secs(5),
        "{:?}",
        started.elapsed()
    );
    for process in fs_err::read_dir("/proc").unwrap().filter_map(Result::ok) {
        let words = fs_err::read(process.path().join("cmdline")).unwrap_or_default();
        assert!(
            !words.windows(5).any(|word| word == b"98761"),
            "{:?}",
            process.path()
        );
    }
    std::io::stdout().flush().unwrap();
}

fn limits() {
    let ground = Ground::new();
    let Some(mut command) = in_place(
        &ground,
        ground.attack(&["take-memory-together", "5", "100"]),
    ) else {
        return;
    };
    command.limits.memory = 200 << 20;
    command.limits.deadline = Duration::from_secs(30);
    assert_eq!(outcome(&command).0.ending, Ending::MemoryExceeded);

    let mut command = in_place(&ground, ground.attack(&["fork", "100000"])).unwrap();
    command.limits.processes = 64;
    let forks: u64 = said(&command).trim().parse().unwrap();
    assert!((8..=64).contains(&forks), "{forks}");

    let script =
        "cd /tmp; i=0; while :; do head -c 10000000 /dev/zero > $i; i=$((i+1)); sleep 0.02; done";
    let mut command = in_place(&ground, ground.shell(script)).unwrap();
    command.limits.disk = 50 << 20;
    command.limits.deadline = Duration::from_secs(60);
    assert_eq!(outcome(&command).0.ending, Ending::DiskExceeded);
}
