//! Sets up what is worth stealing, and lets every attack try to get it.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd as _;
use std::os::unix::net::{UnixListener, UnixStream};

use remint_sandbox::{Ending, Network};

use crate::attacker::REPELLED;
use crate::attacks;
use crate::ground::{Ground, outcome};
use crate::harness::Case;

pub(crate) const CASES: &[Case] = &[
    ("no_attack_gains_anything", no_attack_gains_anything),
    (
        "the_attacker_refuses_to_attack_outside",
        the_attacker_refuses_to_attack_outside,
    ),
];

/// In the environment of the caller while the attacks run.
pub(crate) const SECRET: &str = "correct-horse-battery-staple";

fn no_attack_gains_anything() {
    let ground = Ground::new();
    let secret = ground.path("token");
    fs_err::write(&secret, SECRET).unwrap();

    let service = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = service.local_addr().unwrap().port().to_string();
    drop(TcpStream::connect(service.local_addr().unwrap()).unwrap());
    let abstract_name = format!("remint-test-{}", std::process::id());
    let abstract_address = {
        use std::os::linux::net::SocketAddrExt as _;
        std::os::unix::net::SocketAddr::from_abstract_name(&abstract_name).unwrap()
    };
    let _abstract_service = UnixListener::bind_addr(&abstract_address).unwrap();
    drop(UnixStream::connect_addr(&abstract_address).unwrap());
    let socket = ground.path("socket");
    let _socket_service = UnixListener::bind(&socket).unwrap();

    // A descriptor that every program started from here would inherit.
    let mut inheritable = fs_err::File::create(ground.path("open")).unwrap();
    inheritable.write_all(SECRET.as_bytes()).unwrap();
    // SAFETY: the descriptor is open, and the call changes only its flag.
    assert_eq!(
        unsafe { libc::fcntl(inheritable.as_raw_fd(), libc::F_SETFD, 0) },
        0
    );

    let outside = std::process::id().to_string();
    let secret = secret.display().to_string();
    let socket = socket.display().to_string();
    let mut gains = Vec::new();
    for (name, _) in attacks::ALL {
        let parameters: Vec<&str> = match *name {
            "read_what_is_the_caller_s" => vec![&secret],
            "find_the_caller_s_environment" => vec![SECRET],
            "see_or_signal_other_processes" => vec![&outside],
            "reach_the_host_s_services" => vec![&port, &abstract_name, &socket],
            _ => Vec::new(),
        };
        for network in [Network::None, Network::Proxy] {
            let mut command = ground.attack(&[&[*name], parameters.as_slice()].concat());
            command.network = network;
            let (finished, log) = outcome(&command);
            if finished.ending != Ending::Exited(0) || log.trim() != REPELLED {
                gains.push(format!("{name} ({network:?}): {} {log}", finished.ending));
            }
        }
    }
    assert!(gains.is_empty(), "{}", gains.join("\n"));
}

fn the_attacker_refuses_to_attack_outside() {
    let attack = std::process::Command::new(std::env::current_exe().unwrap())
        .args([crate::attacker::MARK, "learn_about_the_machine"])
        .output()
        .unwrap();
    assert!(!attack.status.success());
    let words = String::from_utf8_lossy(&attack.stderr);
    assert!(words.contains("will not do so outside"), "{words}");
}
