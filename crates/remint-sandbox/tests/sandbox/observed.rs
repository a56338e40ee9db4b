//! What a command asks of the network is refused, and seen from outside.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use remint_sandbox::{Command, Ending, Finished, Network, run};

use crate::ground::{Ground, outcome};
use crate::harness::Case;

pub(crate) const CASES: &[Case] = &[
    (
        "what_is_asked_for_is_seen_also_when_the_error_is_swallowed",
        everything_is_seen,
    ),
    (
        "what_is_asked_for_before_a_command_is_stopped_is_seen",
        seen_when_stopped,
    ),
    (
        "a_command_s_own_services_are_its_own_business",
        own_services,
    ),
    (
        "with_a_proxy_everything_else_is_still_seen",
        seen_beside_the_proxy,
    ),
    (
        "many_destinations_are_counted_but_not_all_listed",
        many_destinations,
    ),
];

fn seen(finished: &Finished) -> Vec<String> {
    let mut seen: Vec<String> = finished
        .network_attempts
        .iter()
        .map(|attempt| {
            format!(
                "{} {} {}",
                attempt.protocol, attempt.destination, attempt.count
            )
        })
        .collect();
    seen.sort();
    seen
}

fn asking(ground: &Ground, questions: &[&str]) -> Command {
    ground.attack(&[&["ask"], questions].concat())
}

fn everything_is_seen() {
    let ground = Ground::new();
    let command = asking(
        &ground,
        &[
            "name:telemetry.example.com",
            "tcp:8.8.8.8:443",
            "tcp:8.8.8.8:443",
            "tcp:[2001:db8::1]:8443",
            "tcp:169.254.169.254:80",
            "udp:203.0.113.9:9999",
            "udp:[2001:db8::2]:53",
        ],
    );
    let (finished, log) = outcome(&command);
    assert_eq!(finished.ending, Ending::Exited(0));
    assert_eq!(
        log,
        "refused\n".repeat(5) + "sent\nsent\n",
        "all at once, without waiting"
    );
    let seen = seen(&finished);
    let (names, addresses) = seen.split_at(1);
    assert!(
        names
            .iter()
            .all(|name| name.starts_with("dns telemetry.example.com ")),
        "{names:?}"
    );
    assert_eq!(
        addresses,
        [
            "tcp 169.254.169.254:80 1",
            "tcp 8.8.8.8:443 2",
            "tcp [2001:db8::1]:8443 1",
            "udp 203.0.113.9:9999 1",
            "udp [2001:db8::2]:53 1"
        ]
    );
    assert_eq!(finished.network_attempts_unlisted, 0);
    assert!(
        finished.elapsed < Duration::from_secs(2),
        "{:?}",
        finished.elapsed
    );
}

fn seen_when_stopped() {
    let ground = Ground::new();
    let mut command = asking(&ground, &["tcp:8.8.8.8:443", "wait"]);
    command.limits.deadline = Duration::from_millis(500);
    let (finished, _) = outcome(&command);
    assert_eq!(finished.ending, Ending::DeadlinePassed);
    assert_eq!(seen(&finished), ["tcp 8.8.8.8:443 1"]);
}

fn own_services() {
    let ground = Ground::new();
    let (finished, log) = outcome(&asking(&ground, &["serve", "name:localhost"]));
    assert_eq!(finished.ending, Ending::Exited(0), "{log}");
    assert_eq!(log, "served 127.0.0.1\nserved ::1\nfound\n");
    assert_eq!(finished.network_attempts, []);
}

fn seen_beside_the_proxy() {
    let ground = Ground::new();
    let mut command = asking(&ground, &["tcp:127.0.0.1:4873", "tcp:192.0.2.1:4873"]);
    command.network = Network::Proxy;
    let (mut log, mut proxy) = (Vec::new(), None);
    let finished = run(&command, &mut log, &AtomicBool::new(false), |socket| {
        proxy = Some(socket);
    });
    let finished = finished.unwrap();
    assert!(proxy.is_some());
    assert_eq!(String::from_utf8(log).unwrap(), "connected\nrefused\n");
    assert_eq!(seen(&finished), ["tcp 192.0.2.1:4873 1"]);
}

fn many_destinations() {
    let ground = Ground::new();
    let (finished, _) = outcome(&asking(
        &ground,
        &["tcp:8.8.8.8:443", "flood", "tcp:8.8.8.8:443"],
    ));
    assert_eq!(finished.ending, Ending::Exited(0));
    assert_eq!(finished.network_attempts.len(), 512);
    let first = finished.network_attempts.first().unwrap();
    assert_eq!(
        (first.destination.as_str(), first.count),
        ("8.8.8.8:443", 2)
    );
    let listed: u64 = finished
        .network_attempts
        .iter()
        .map(|attempt| attempt.count)
        .sum();
    assert_eq!(listed + finished.network_attempts_unlisted, 3002);
}
