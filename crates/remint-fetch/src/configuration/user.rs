//! What the user's environment says, handed in by the program: this crate reads no environment of its own.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// How the user's own clients reach registries and git hosts, and where remint keeps what it fetched.
#[derive(Clone)]
pub struct UserConfiguration {
    /// The user's home.
    pub home: Option<PathBuf>,
    /// The working directory: project settings are read there.
    pub directory: PathBuf,
    /// The whole environment.
    pub variables: BTreeMap<String, String>,
    /// The cache directory, its layout version included.
    pub cache: PathBuf,
    /// Whether to answer from caches alone.
    pub offline: bool,
}

impl fmt::Debug for UserConfiguration {
    /// Without the environment: it holds tokens and passphrases.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserConfiguration")
            .field("home", &self.home)
            .field("directory", &self.directory)
            .field("cache", &self.cache)
            .field("offline", &self.offline)
            .finish_non_exhaustive()
    }
}

impl UserConfiguration {
    /// A variable that is set and not empty.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// The first of several spellings that is set, as for `HTTPS_PROXY` and `https_proxy`.
    #[must_use]
    pub fn first_variable(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| self.variable(name))
    }

    /// A path as users write it: `~/` is the home, anything relative starts at the working directory.
    #[must_use]
    pub fn path(&self, text: &str) -> PathBuf {
        match (text.strip_prefix("~/"), &self.home) {
            (Some(rest), Some(home)) => home.join(rest),
            _ => self.directory.join(text),
        }
    }

    /// Where user settings lie: `$XDG_CONFIG_HOME`, or `~/.config`.
    #[must_use]
    pub fn settings_directory(&self) -> Option<PathBuf> {
        match self.variable("XDG_CONFIG_HOME") {
            Some(directory) => Some(PathBuf::from(directory)),
            None => self.home.as_ref().map(|home| home.join(".config")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_holds_no_variable() {
        let user = UserConfiguration {
            home: None,
            directory: PathBuf::new(),
            variables: BTreeMap::from([("REMINT_KEY_PASSWORD".to_owned(), "secret".to_owned())]),
            cache: PathBuf::new(),
            offline: false,
        };
        let shown = format!("{user:?}");
        assert!(!shown.contains("secret"), "{shown}");
    }
}
