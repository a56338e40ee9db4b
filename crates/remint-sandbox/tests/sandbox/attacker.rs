//! What runs inside. Each attack is harmless only there, so nothing is tried before the place is certain.

use std::process::ExitCode;

use crate::attacks;

pub(crate) const MARK: &str = "attack-from-inside";

/// Before a path that stands for what it says, in place.
pub(crate) const HOST_PATH: &str = "@";

/// What an attack says that came to nothing.
pub(crate) const REPELLED: &str = "repelled";

pub(crate) fn main(words: &[String]) -> ExitCode {
    refuse_unless_inside();
    let words: Vec<&str> = words
        .iter()
        .map(|word| word.strip_prefix(HOST_PATH).unwrap_or(word))
        .collect();
    match words.as_slice() {
        ["get", address] => get(address),
        ["ask", questions @ ..] => questions.iter().for_each(|question| ask(question)),
        ["take-memory", megabytes] => take_memory(megabytes),
        ["take-memory-together", processes, megabytes] => {
            for _ in 1..number(processes) {
                // SAFETY: this process has a single thread.
                if unsafe { libc::fork() } == 0 {
                    break;
                }
            }
            take_memory(megabytes);
        }
        ["fork", most] => fork(number(most)),
        [name, parameters @ ..] => {
            let attack = attacks::ALL.iter().find(|(known, _)| known == name);
            let (_, attack) = attack.unwrap_or_else(|| panic!("no such attack: {name}"));
            let gained = attack(parameters);
            if gained.is_empty() {
                println!("{REPELLED}");
            } else {
                println!("GAINED: {}", gained.join("; "));
            }
        }
        [] => panic!("attack what?"),
    }
    ExitCode::SUCCESS
}

/// Three independent signs each. In namespaces: the generated marker, the host name, and whom process 1 is. In place:
/// whose child this is, that it can gain no privileges, and that its system calls are filtered.
fn refuse_unless_inside() {
    let read = |path: &str| fs_err::read_to_string(path).unwrap_or_default();
    let is_helper = |process: u32| {
        read(&format!("/proc/{process}/cmdline")).starts_with("remint-sandbox-helper")
    };
    let in_namespaces = read("/etc/remint-inside").starts_with("this is a sandbox")
        && read("/proc/sys/kernel/hostname").trim() == "remint"
        && is_helper(1);
    let status = read("/proc/self/status");
    let in_place = is_helper(std::os::unix::process::parent_id())
        && status.contains("NoNewPrivs:\t1\n")
        && status.contains("Seccomp:\t2\n");
    assert!(
        in_namespaces || in_place,
        "this program attacks the machine it runs on, and will not do so outside of the sandbox"
    );
}

fn get(address: &str) {
    use std::io::{Read as _, Write as _};
    let mut connection = std::net::TcpStream::connect(address).unwrap();
    connection.write_all(b"hello").unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    print!("{answer}");
}

fn number(word: &str) -> usize {
    word.parse().unwrap()
}

fn take_memory(megabytes: &str) {
    let mut hoard = Vec::new();
    for _ in 0..number(megabytes) {
        hoard.push(vec![1_u8; 1 << 20]);
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    std::thread::sleep(std::time::Duration::from_millis(400));
    println!("took it all: {}", hoard.iter().map(Vec::len).sum::<usize>());
}

/// Says how many processes could be started at once.
fn fork(most: usize) {
    for forks in 0..most {
        // SAFETY: this process has a single thread.
        match unsafe { libc::fork() } {
            -1 => {
                println!("{forks}");
                return;
            }
            0 => loop {
                std::thread::sleep(std::time::Duration::from_secs(1000));
            },
            _ => {}
        }
    }
    panic!("nobody stopped it");
}

/// Asks for something of the network, and says shortly what came of it.
fn ask(question: &str) {
    use std::net::{TcpListener, TcpStream, ToSocketAddrs as _, UdpSocket};
    let words: (&str, &str) = question.split_once(':').unwrap_or((question, ""));
    let answer = match words {
        ("name", name) => match (name, 443).to_socket_addrs() {
            Ok(_) => "found".to_owned(),
            Err(_) => "refused".to_owned(),
        },
        ("tcp", address) => match TcpStream::connect(address) {
            Ok(_) => "connected".to_owned(),
            Err(_) => "refused".to_owned(),
        },
        ("udp", address) => {
            let any = if address.starts_with('[') {
                "[::]:0"
            } else {
                "0.0.0.0:0"
            };
            UdpSocket::bind(any)
                .unwrap()
                .send_to(b"hello", address)
                .unwrap();
            "sent".to_owned()
        }
        ("serve", _) => {
            for host in ["127.0.0.1", "::1"] {
                let server = TcpListener::bind((host, 0)).unwrap();
                TcpStream::connect(server.local_addr().unwrap()).unwrap();
                server.accept().unwrap();
                println!("served {host}");
            }
            return;
        }
        ("flood", _) => {
            let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
            for number in 0..3000_u16 {
                let [high, low] = number.to_be_bytes();
                let address = std::net::Ipv4Addr::new(198, 18, high, low);
                socket.send_to(b"x", (address, 9)).unwrap();
            }
            return;
        }
        ("wait", _) => {
            std::thread::sleep(std::time::Duration::from_secs(1000));
            return;
        }
        other => panic!("what is {other:?}?"),
    };
    println!("{answer}");
}
