//! What runs inside. Each attack is harmless only there, so nothing is tried before the place is certain.

use std::process::ExitCode;

pub(crate) const MARK: &str = "attack-from-inside";

pub(crate) fn main(words: &[String]) -> ExitCode {
    refuse_unless_inside();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["get", address] => get(address),
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
