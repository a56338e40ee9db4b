//! What `docker login` wrote down: credentials of container registries (`config.json`, field `auths`). Credential helpers
//! are programs of others, and none is run.

use std::collections::BTreeMap;
use std::io::Read as _;

use base64::Engine as _;
use serde::Deserialize;

use super::UserConfiguration;
use super::credentials::Credential;
use crate::error::FetchError;

/// The largest settings file, in bytes.
const LARGEST: u64 = 1 << 20;
/// What `docker` calls docker.io.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    auths: BTreeMap<String, Auth>,
}

#[derive(Deserialize, Default)]
struct Auth {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
}

/// The user's credential for a registry, where the settings hold one themselves.
///
/// # Errors
/// The settings cannot be read.
pub(crate) fn credential(
    user: &UserConfiguration,
    registry: &str,
) -> Result<Option<Credential>, FetchError> {
    let directory = match user.variable("DOCKER_CONFIG") {
        Some(directory) => user.path(directory),
        None => match &user.home {
            Some(home) => home.join(".docker"),
            None => return Ok(None),
        },
    };
    let path = directory.join("config.json");
    let unusable = |reason: String| FetchError::Configuration {
        origin: path.display().to_string(),
        reason,
    };
    let mut content = Vec::new();
    match fs_err::File::open(&path).and_then(|file| file.take(LARGEST).read_to_end(&mut content)) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unusable(error.to_string())),
    }
    read(&content, registry).map_err(unusable)
}

/// A fault is told without the file's content, which holds secrets.
fn read(content: &[u8], registry: &str) -> Result<Option<Credential>, String> {
    let config: Config = serde_json::from_slice(content).map_err(|error| {
        format!(
            "it cannot be parsed (line {}, column {})",
            error.line(),
            error.column()
        )
    })?;
    let wanted = |named: &str| {
        if registry == "docker.io" {
            return named == DOCKER_HUB || named == "docker.io" || named == "index.docker.io";
        }
        let bare = named
            .strip_prefix("https://")
            .or_else(|| named.strip_prefix("http://"))
            .unwrap_or(named);
        let host = bare.split('/').next();
        host == Some(registry)
    };
    let Some((_, auth)) = config.auths.iter().find(|(named, _)| wanted(named)) else {
        return Ok(None);
    };
    if let (Some(name), Some(password)) = (&auth.username, &auth.password) {
        return Ok(Some(Credential::basic(name, password)));
    }
    let Some(encoded) = auth.auth.as_deref().filter(|encoded| !encoded.is_empty()) else {
        // The secret is with a helper.
        return Ok(None);
    };
    let decoded = base64::engine::general_purpose::STANDARD
        .decode(encoded.trim())
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .filter(|text| text.contains(':'))
        .ok_or_else(|| format!("its credential for `{registry}` is no user and password"))?;
    let (name, password) = decoded.split_once(':').unwrap_or((&decoded, ""));
    Ok(Some(Credential::basic(
        name,
        password.trim_end_matches('\0'),
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_registry_gets_its_own_credential_only() {
        let config = r#"{"auths": {
            "ghcr.io": {"auth": "bWU6c2VjcmV0"},
            "https://index.docker.io/v1/": {"username": "me", "password": "hub"},
            "localhost:5000": {}
        }, "credsStore": "desktop"}"#;
        let check = |registry: &str, expect: Option<Credential>| {
            assert_eq!(read(config.as_bytes(), registry), Ok(expect), "{registry}");
        };
        check("ghcr.io", Some(Credential::basic("me", "secret")));
        check("docker.io", Some(Credential::basic("me", "hub")));
        check("localhost:5000", None);
        check("ghcr.io.example.com", None);
        check("example.com", None);
        let error = read(br#"{"auths": {"ghcr.io": {"auth": "secret!"}}}"#, "ghcr.io").unwrap_err();
        assert!(!error.contains("secret!"), "{error}");
        assert!(read(b"{", "ghcr.io").is_err());
    }
}
