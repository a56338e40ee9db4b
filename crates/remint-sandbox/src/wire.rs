//! What the caller's process and its helper say to each other: orders through a memory file, reports through a
//! socket that keeps messages apart. Both ends are this program; nothing that runs inside can reach either.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::command::{Access, Command, Isolation, Limits, Network, Surroundings};
use crate::finished::NetworkAttempt;
use crate::owner::Owner;

/// Argument zero of a process that is to become the helper.
pub(crate) const HELPER_NAME: &str = "remint-sandbox-helper";

/// More than any report; a longer one would be cut off, and then does not parse.
pub(crate) const REPORT_SIZE: usize = 8 << 10;

/// A [`Command`] as the helper gets it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Orders {
    pub(crate) caller: i32,
    pub(crate) argv: Vec<OsString>,
    pub(crate) directory: OsString,
    pub(crate) environment: Vec<(OsString, OsString)>,
    pub(crate) layers: Vec<LayerOrder>,
    pub(crate) binds: Vec<BindOrder>,
    pub(crate) files: Vec<FileOrder>,
    pub(crate) network: Network,
    /// Where the proxy is to be reached, if it is.
    pub(crate) proxy_port: u16,
    pub(crate) limits: Limits,
    pub(crate) owner: Owner,
    pub(crate) isolation: Isolation,
    pub(crate) surroundings: Surroundings,
    /// Whether a descriptor follows on the socket, for the command to read from.
    pub(crate) reads_input: bool,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct LayerOrder {
    pub(crate) inside: OsString,
    pub(crate) lowers: Vec<OsString>,
    /// The directory that holds the next two.
    pub(crate) state: OsString,
    pub(crate) upper: OsString,
    pub(crate) work: OsString,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct BindOrder {
    pub(crate) host: OsString,
    pub(crate) inside: OsString,
    pub(crate) access: Access,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct FileOrder {
    pub(crate) inside: OsString,
    size: u64,
    /// Follows the JSON text, so that it need not be escaped.
    #[serde(skip)]
    pub(crate) content: Vec<u8>,
}

/// What the helper tells.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Report {
    /// Everything is in place; the command starts. Comes with the listening socket, if there is one.
    Started,
    /// A destination was asked for, so often until now.
    Attempt(NetworkAttempt),
    /// Attempts that are in no other report, until now.
    Unlisted(u64),
    /// The command left with this code.
    Exited(i32),
    /// A signal ended the command.
    Signalled(i32),
    /// All processes together used too much memory.
    MemoryExceeded,
    /// Files, with or without a name, used too much disk.
    DiskExceeded,
    /// The machine has hardly any memory left.
    MemoryShort,
    /// The machine has hardly any room left where the command writes.
    DiskShort,
    /// The most memory seen in use, in bytes.
    PeakMemory(u64),
    /// The sandbox could not be made.
    Failed {
        step: String,
        path: Option<OsString>,
        errno: i32,
    },
}

impl Orders {
    pub(crate) fn new(command: &Command, proxy_port: u16, caller: i32) -> Self {
        let text = |path: &PathBuf| path.clone().into_os_string();
        let name = |path: &Path| path.file_name().unwrap_or_default().to_owned();
        Self {
            caller,
            argv: command.argv.clone(),
            directory: text(&command.directory),
            environment: command.environment.clone().into_iter().collect(),
            layers: command
                .layers
                .iter()
                .map(|layer| LayerOrder {
                    inside: text(&layer.inside),
                    lowers: layer.lowers.iter().map(text).collect(),
                    state: layer
                        .upper
                        .parent()
                        .unwrap_or(&layer.upper)
                        .as_os_str()
                        .to_owned(),
                    upper: name(&layer.upper),
                    work: name(&layer.work),
                })
                .collect(),
            binds: command
                .binds
                .iter()
                .map(|bind| BindOrder {
                    host: text(&bind.host),
                    inside: text(&bind.inside),
                    access: bind.access,
                })
                .collect(),
            files: command
                .files
                .iter()
                .map(|file| FileOrder {
                    inside: text(&file.inside),
                    size: file.content.len() as u64,
                    content: file.content.clone(),
                })
                .collect(),
            network: command.network,
            proxy_port,
            limits: command.limits,
            owner: command.owner,
            isolation: command.isolation,
            surroundings: command.surroundings.clone(),
            reads_input: false,
        }
    }

    pub(crate) fn write(&self, sink: &mut impl Write) -> io::Result<()> {
        let json = serde_json::to_vec(self)?;
        sink.write_all(&(json.len() as u64).to_le_bytes())?;
        sink.write_all(&json)?;
        self.files
            .iter()
            .try_for_each(|file| sink.write_all(&file.content))
    }

    pub(crate) fn read(source: &mut impl Read) -> io::Result<Self> {
        let mut length = [0; 8];
        source.read_exact(&mut length)?;
        let mut json = Vec::new();
        source
            .by_ref()
            .take(u64::from_le_bytes(length))
            .read_to_end(&mut json)?;
        let mut orders: Self = serde_json::from_slice(&json)?;
        for file in &mut orders.files {
            source
                .by_ref()
                .take(file.size)
                .read_to_end(&mut file.content)?;
            if file.content.len() as u64 != file.size {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(orders)
    }
}

impl Report {
    pub(crate) fn failed(step: &str, path: Option<&Path>, error: &io::Error) -> Self {
        Self::Failed {
            step: step.to_owned(),
            path: path.map(|path| {
                // A report must fit its message whatever a caller's path looks like.
                let bytes = path.as_os_str().as_encoded_bytes();
                OsString::from_vec(bytes.get(..1024).unwrap_or(bytes).to_vec())
            }),
            errno: error.raw_os_error().unwrap_or(0),
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    pub(crate) fn decode(message: &[u8]) -> Option<Self> {
        serde_json::from_slice(message).ok()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt as _;

    use proptest::prelude::*;

    use super::*;
    use crate::command::{Bind, GeneratedFile, Layer};

    #[test]
    fn orders_survive_the_way_byte_for_byte() {
        let odd = PathBuf::from(std::ffi::OsStr::from_bytes(b"/od\xffd \"name\""));
        let mut command = Command::new(["true", "a b"], Owner::for_test());
        command.binds.push(Bind {
            host: odd.clone(),
            inside: odd.clone(),
            access: Access::Writable,
        });
        command.layers.push(Layer {
            inside: "/build".into(),
            lowers: vec!["/a".into(), odd.clone()],
            upper: "/state/upper".into(),
            work: "/state/work".into(),
        });
        for content in [&b"first\n"[..], &[0, 255, 7], &[]] {
            command.files.push(GeneratedFile {
                inside: odd.clone(),
                content: content.to_vec(),
            });
        }
        let mut wire = Vec::new();
        Orders::new(&command, 4873, 7).write(&mut wire).unwrap();
        let read = Orders::read(&mut wire.as_slice()).unwrap();
        assert_eq!(read.argv, command.argv);
        assert_eq!(read.binds[0].host, odd);
        assert_eq!(read.layers[0].state, "/state");
        assert_eq!(read.layers[0].upper, "upper");
        let contents: Vec<_> = read.files.iter().map(|file| file.content.clone()).collect();
        assert_eq!(contents, [b"first\n".to_vec(), vec![0, 255, 7], vec![]]);

        wire.pop();
        Orders::read(&mut wire.as_slice()).unwrap_err();
    }

    proptest! {
        #[test]
        fn no_bytes_panic_and_orders_are_read_as_written(
            bytes: Vec<u8>,
            length in any::<u64>(),
            argv in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..6), 1..4),
            contents in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..6), 0..3),
        ) {
            drop(Report::decode(&bytes));
            drop(Orders::read(&mut bytes.as_slice()));
            let claimed = [&length.to_le_bytes(), bytes.as_slice()].concat();
            drop(Orders::read(&mut claimed.as_slice()));

            let argv: Vec<OsString> = argv.into_iter().map(OsString::from_vec).collect();
            let mut command = Command::new(argv.clone(), Owner::for_test());
            command.files = contents
                .iter()
                .map(|content| GeneratedFile { inside: "/x".into(), content: content.clone() })
                .collect();
            let mut wire = Vec::new();
            Orders::new(&command, 1, 2).write(&mut wire)?;
            let read = Orders::read(&mut wire.as_slice())?;
            prop_assert_eq!(read.argv, argv);
            let found: Vec<Vec<u8>> = read.files.into_iter().map(|file| file.content).collect();
            prop_assert_eq!(found, contents);
        }
    }
}
