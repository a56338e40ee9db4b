//! Without namespaces a command cannot be shown `/build`: what it is told speaks of the host's paths instead.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::net::TcpListener;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use crate::command::{Access, Bind, Command, Network, PROXY_ADDRESS};
use crate::error::SandboxError;

/// A command whose paths are the host's, and the directory with its temporary files. Dropping removes them.
pub(crate) struct Translated {
    pub(crate) command: Command,
    /// Where the proxy is to listen: at a port that nobody else on the host has, and that is held from now on.
    pub(crate) listener: Option<TcpListener>,
    place: PathBuf,
}

impl Translated {
    /// Copies the command, its generated files written, and its words and variables translated.
    pub(crate) fn new(command: &Command) -> Result<Self, SandboxError> {
        let unwritten = |source| SandboxError::Setup {
            step: "make the command's temporary files".to_owned(),
            path: None,
            source,
        };
        let listener = match command.network {
            Network::None => None,
            Network::Proxy => Some(listen_somewhere().map_err(unheard)?),
        };
        let place = make_place(command).map_err(unwritten)?;
        let mut translated = Self {
            command: command.clone(),
            listener,
            place,
        };
        translated.translate().map_err(unwritten)?;
        Ok(translated)
    }

    fn translate(&mut self) -> io::Result<()> {
        let mut paths = Paths::default();
        if let Some(listener) = &self.listener {
            paths.proxy = Some(listener.local_addr()?.to_string().into_bytes());
        }
        let mut own = vec![(
            PathBuf::from("/tmp"),
            self.place.join("tmp"),
            Access::Writable,
        )];
        let home = Path::new("/home/build");
        if !self.command.binds.iter().any(|bind| bind.inside == home) {
            own.push((home.to_owned(), self.place.join("home"), Access::Writable));
        }
        for (_, host, _) in &own {
            fs_err::create_dir(host)?;
        }
        let files = self.place.join("files");
        fs_err::create_dir(&files)?;
        for (number, file) in self.command.files.iter().enumerate() {
            let directory = files.join(number.to_string());
            fs_err::create_dir(&directory)?;
            let host = directory.join(file.inside.file_name().unwrap_or_default());
            fs_err::write(&host, &file.content)?;
            own.push((file.inside.clone(), host, Access::ReadOnly));
        }
        self.command.files.clear();
        for (inside, host, access) in own {
            self.command.binds.push(Bind {
                host,
                inside,
                access,
            });
        }
        for bind in &mut self.command.binds {
            // Landlock's rules are about what a path leads to in the end.
            bind.host = fs_err::canonicalize(&bind.host)?;
            paths.add(&bind.inside, &bind.host);
            bind.inside.clone_from(&bind.host);
        }
        let translate = |text: &OsString| paths.translate(text);
        self.command.argv = self.command.argv.iter().map(translate).collect();
        let environment = self.command.environment.iter();
        self.command.environment = environment
            .map(|(name, value)| (name.clone(), translate(value)))
            .collect::<BTreeMap<_, _>>();
        self.command.directory = translate(&self.command.directory.clone().into()).into();
        Ok(())
    }
}

impl Drop for Translated {
    fn drop(&mut self) {
        // Beside the caller's own directories, which the caller clears away.
        let _left_to_the_caller = crate::remove_tree(&self.place);
    }
}

fn listen_somewhere() -> io::Result<TcpListener> {
    TcpListener::bind((*PROXY_ADDRESS.ip(), 0))
}

pub(crate) fn port_of(listener: &TcpListener) -> Result<u16, SandboxError> {
    let address = listener.local_addr().map_err(unheard)?;
    Ok(address.port())
}

fn unheard(source: io::Error) -> SandboxError {
    SandboxError::Setup {
        step: "listen for the proxy".to_owned(),
        path: None,
        source,
    }
}

/// Beside what the command writes to, so that whoever sweeps that after a crash sweeps this as well.
fn make_place(command: &Command) -> io::Result<PathBuf> {
    let writable = command
        .binds
        .iter()
        .find(|bind| bind.access == Access::Writable);
    let mut builder = tempfile::Builder::new();
    let builder = builder.prefix("scratch-");
    let place = match writable.and_then(|bind| bind.host.parent()) {
        Some(parent) => builder.tempdir_in(parent)?,
        None => builder.tempdir()?,
    };
    Ok(place.keep())
}

/// Paths inside, and what they are on the host; likewise the proxy's address.
#[derive(Debug, Default)]
struct Paths {
    pairs: Vec<(Vec<u8>, Vec<u8>)>,
    proxy: Option<Vec<u8>>,
}

impl Paths {
    fn add(&mut self, inside: &Path, host: &Path) {
        let bytes = |path: &Path| path.as_os_str().as_bytes().to_vec();
        self.pairs.push((bytes(inside), bytes(host)));
        // The longest that fits is meant.
        self.pairs
            .sort_by_key(|(inside, _)| std::cmp::Reverse(inside.len()));
    }

    /// Replaces paths wherever they stand as such: not as the end of another path, nor the beginning of another name.
    fn translate(&self, text: &OsString) -> OsString {
        let text = text.as_bytes();
        let mut result = Vec::with_capacity(text.len());
        let mut rest = text;
        while let Some((first, after_first)) = rest.split_first() {
            let before = text
                .len()
                .checked_sub(rest.len() + 1)
                .and_then(|at| text.get(at));
            if let Some((proxy, after)) = self.proxy_at(rest, before) {
                result.extend(proxy);
                rest = after;
                continue;
            }
            let found = self.pairs.iter().find_map(|(inside, host)| {
                let after = rest.strip_prefix(inside.as_slice())?;
                let ends = after
                    .first()
                    .is_none_or(|next| *next == b'/' || !is_part_of_name(*next));
                ends.then_some((host, after))
            });
            let in_url = || {
                let done = text.len().checked_sub(rest.len());
                done.and_then(|at| text.get(..at))
                    .is_some_and(|done| done.ends_with(b"file://"))
            };
            match found {
                Some((host, after))
                    if before.is_none_or(|before| !is_part_of_path(*before)) || in_url() =>
                {
                    result.extend(host);
                    rest = after;
                }
                _ => {
                    result.push(*first);
                    rest = after_first;
                }
            }
        }
        OsString::from_vec(result)
    }

    /// The proxy's true address, if its usual one stands here, and what follows that.
    fn proxy_at<'text>(
        &self,
        text: &'text [u8],
        before: Option<&u8>,
    ) -> Option<(&[u8], &'text [u8])> {
        let proxy = self.proxy.as_ref()?;
        let after = text.strip_prefix(PROXY_ADDRESS.to_string().as_bytes())?;
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b".-_".contains(byte);
        let stands_alone = !before.is_some_and(is_part) && !after.first().is_some_and(is_part);
        stands_alone.then_some((proxy, after))
    }
}

fn is_part_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-.+@~".contains(&byte) || !byte.is_ascii()
}

fn is_part_of_path(byte: u8) -> bool {
    is_part_of_name(byte) || b"/}".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_translated_where_they_stand_as_such() {
        let mut paths = Paths::default();
        paths.add(Path::new("/build"), Path::new("/work/tree"));
        paths.add(Path::new("/build/modules"), Path::new("/store/modules"));
        paths.add(Path::new("/opt/node"), Path::new("/cache/node 22"));
        paths.add(Path::new("/home/build"), Path::new("/work/home"));
        for (given, expected) in [
            ("/build", "/work/tree"),
            ("/build/src/a.js", "/work/tree/src/a.js"),
            ("/build/modules/x", "/store/modules/x"),
            ("/opt/node/bin:/usr/bin", "/cache/node 22/bin:/usr/bin"),
            ("--prefix=/build", "--prefix=/work/tree"),
            (
                "cd '/build' && ls /build;",
                "cd '/work/tree' && ls /work/tree;",
            ),
            ("/home/build/.npm", "/work/home/.npm"),
            ("file:///build/x", "file:///work/tree/x"),
            // Other names and other paths.
            (
                "/builder /build-2 /build.old",
                "/builder /build-2 /build.old",
            ),
            (
                "dist/build ./build ${X}/build",
                "dist/build ./build ${X}/build",
            ),
            ("/srv/opt/node", "/srv/opt/node"),
            (
                "https:///build file:////build",
                "https:///build file:////build",
            ),
            ("", ""),
        ] {
            assert_eq!(paths.translate(&given.into()), expected, "{given}");
        }
    }

    #[test]
    fn the_proxy_s_address_is_translated_where_there_is_a_proxy() {
        let address = "http://127.0.0.1:4873";
        let mut paths = Paths::default();
        paths.add(Path::new("/build"), Path::new("/work/tree"));
        assert_eq!(paths.translate(&address.into()), address);
        paths.proxy = Some(b"127.0.0.1:40001".to_vec());
        for (given, expected) in [
            (address, "http://127.0.0.1:40001"),
            (
                "--proxy=127.0.0.1:4873,/build",
                "--proxy=127.0.0.1:40001,/work/tree",
            ),
            (
                "http://user@127.0.0.1:4873/path",
                "http://user@127.0.0.1:40001/path",
            ),
            // Another port, another host.
            ("127.0.0.1:48731", "127.0.0.1:48731"),
            ("127.0.0.1:487", "127.0.0.1:487"),
            ("1.127.0.0.1:4873", "1.127.0.0.1:4873"),
            ("localhost,127.0.0.1,::1", "localhost,127.0.0.1,::1"),
        ] {
            assert_eq!(paths.translate(&given.into()), expected, "{given}");
        }
    }
}
