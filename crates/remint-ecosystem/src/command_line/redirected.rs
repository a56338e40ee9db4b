//! Environment variables that send a runner to another registry, or let it choose another version. Their names
//! say enough; their values are secrets and are not looked at.

use remint_model::Ecosystem;

/// Everything below `npm_config_` is a setting of npm; these have no part in which file is fetched.
const NPM_HARMLESS: &[&str] = &[
    "audit",
    "cache",
    "color",
    "engine_strict",
    "fetch_retries",
    "fetch_timeout",
    "force",
    "fund",
    "https_proxy",
    "ignore_scripts",
    "legacy_peer_deps",
    "loglevel",
    "noproxy",
    "offline",
    "prefer_offline",
    "prefer_online",
    "progress",
    "proxy",
    "update_notifier",
    "yes",
];

/// Whose certificates count, for programs of any kind.
const CERTIFICATES: &[&str] = &[
    "curl_ca_bundle",
    "node_extra_ca_certs",
    "node_tls_reject_unauthorized",
    "requests_ca_bundle",
    "ssl_cert_dir",
    "ssl_cert_file",
    "uv_insecure_host",
];

/// In lower case, with `_` between the words.
const NPM: &[&str] = &[
    "bun_config_registry",
    "yarn_npm_registry_server",
    "yarn_npm_scopes",
    "yarn_rc_filename",
    "yarn_registry",
];

const PYPI: &[&str] = &[
    "pip_config_file",
    "pip_constraint",
    "pip_extra_index_url",
    "pip_find_links",
    "pip_index_url",
    "pip_no_index",
    "pip_pre",
    "uv_config_file",
    "uv_constraint",
    "uv_default_index",
    "uv_exclude_newer",
    "uv_extra_index_url",
    "uv_find_links",
    "uv_index",
    "uv_index_strategy",
    "uv_index_url",
    "uv_no_config",
    "uv_no_index",
    "uv_override",
    "uv_prerelease",
    "uv_resolution",
];

const GO: &[&str] = &[
    "goenv",
    "goflags",
    "goinsecure",
    "gonoproxy",
    "gonosumdb",
    "goprivate",
    "goproxy",
    "gosumdb",
    "gowork",
];

/// The first of these variables that redirects a runner of this ecosystem, as it is usually spelt.
pub(super) fn by(variables: &[&str], ecosystem: Ecosystem) -> Option<&'static str> {
    variables.iter().find_map(|variable| {
        let name = variable.trim().to_ascii_lowercase().replace('-', "_");
        if let Some(known) = CERTIFICATES.iter().find(|known| **known == name) {
            return Some(*known);
        }
        match ecosystem {
            Ecosystem::Npm => match name.strip_prefix("npm_config_") {
                Some("registry") => Some("npm_config_registry"),
                Some(setting) if NPM_HARMLESS.contains(&setting) => None,
                Some(_) => Some("npm_config_…"),
                None => NPM.iter().find(|known| **known == name).copied(),
            },
            Ecosystem::Pypi => PYPI.iter().find(|known| **known == name).copied(),
            Ecosystem::Golang => GO.iter().find(|known| **known == name).copied(),
            Ecosystem::Cargo | Ecosystem::Mcpb => None,
        }
    })
}
