//! What is known after a command has ended.

use std::time::Duration;

use crate::command::Isolation;

/// How a command ended, and what was seen of it. A command that fails is an answer, not an error.
#[derive(Debug, Clone)]
pub struct Finished {
    /// What ended it.
    pub ending: Ending,
    /// What it tried to reach beyond its own loopback and the proxy, each destination once.
    pub network_attempts: Vec<NetworkAttempt>,
    /// Attempts beyond those listed: too many destinations, or more packets than could be looked at.
    pub network_attempts_unlisted: u64,
    /// The end of its output.
    pub log_tail: Vec<u8>,
    /// Bytes that it wrote in all, kept or not.
    pub log_bytes: u64,
    /// Wall time.
    pub elapsed: Duration,
    /// The most memory in use at once, in bytes, as far as observed.
    pub peak_memory: u64,
    /// How it was confined.
    pub isolation: Isolation,
}

/// What ended a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It left with this code. 127: the program was not found; 126: it could not be executed; the log says why.
    Exited(i32),
    /// A signal that it caused itself ended it.
    Signalled(i32),
    /// It was still running at its deadline.
    DeadlinePassed,
    /// It used more memory than allowed.
    MemoryExceeded,
    /// It wrote more files than allowed.
    DiskExceeded,
    /// The machine's memory was nearly used up, by whomever, before the command had used what it was allowed.
    MemoryShort,
    /// The machine's disk was nearly full, through whomever, before the command had written what it was allowed.
    DiskShort,
    /// The caller did not want to wait any longer.
    Cancelled,
}

impl Ending {
    /// Whether the command ran to its end and says that all went well.
    #[must_use]
    pub fn is_success(self) -> bool {
        self == Self::Exited(0)
    }
}

impl std::fmt::Display for Ending {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exited(code) => write!(formatter, "exited with code {code}"),
            Self::Signalled(signal) => write!(formatter, "was ended by signal {signal}"),
            Self::DeadlinePassed => formatter.write_str("was still running at its deadline"),
            Self::MemoryExceeded => formatter.write_str("used too much memory"),
            Self::DiskExceeded => formatter.write_str("wrote too much"),
            Self::MemoryShort => formatter.write_str("ran while memory became short"),
            Self::DiskShort => formatter.write_str("ran while the disk became full"),
            Self::Cancelled => formatter.write_str("was cancelled"),
        }
    }
}

/// A destination outside that a command asked for, and did not get.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct NetworkAttempt {
    /// A host name, or `address:port`.
    pub destination: String,
    /// How it was asked for.
    pub protocol: Protocol,
    /// How often.
    pub count: u64,
}

/// The ways to ask for the network.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub enum Protocol {
    /// A name was looked up.
    Dns,
    /// A connection was opened.
    Tcp,
    /// A datagram was sent.
    Udp,
}

impl std::fmt::Display for Protocol {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Dns => "dns",
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        })
    }
}
