//! What runs inside. Each attack is harmless only there, so nothing is tried before the place is certain.

use std::process::ExitCode;

pub(crate) const MARK: &str = "attack-from-inside";

pub(crate) fn main(words: &[String]) -> ExitCode {
    refuse_unless_inside();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["get", address] => get(address),
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
        other => panic!("no such attack: {other:?}"),
    }
    ExitCode::SUCCESS
}

/// Three independent signs: the generated marker, the host name, and that few processes exist besides process 1.
fn refuse_unless_inside() {
    let read = |path: &str| fs_err::read_to_string(path).unwrap_or_default();
    let marker = read("/etc/remint-inside");
    let host_name = read("/proc/sys/kernel/hostname");
    let process_1 = read("/proc/1/cmdline");
    assert!(
        marker.starts_with("this is a sandbox")
            && host_name.trim() == "remint"
            && process_1.starts_with("remint-sandbox-helper"),
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
