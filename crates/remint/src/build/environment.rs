//! The variables and generated files that a step finds inside the sandbox.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use remint_fetch::ProvidedTool;
use remint_model::{Assumption, AssumptionKind, BuildPlan, Step};
use remint_sandbox::{GeneratedFile, Isolation, PROXY_ADDRESS, base_environment};

use super::Conditions;
use crate::cli::{BuildNetwork, IsolationLevel};
use crate::settings::Settings;

/// Where the proxy's certificate authority lies inside.
const AUTHORITY: &str = "/etc/remint/authority.pem";

/// The isolation level that the settings ask for.
pub(crate) const fn isolation(settings: &Settings) -> Isolation {
    match settings.isolation {
        IsolationLevel::Namespaces => Isolation::Namespaces,
        IsolationLevel::Landlock => Isolation::Landlock,
    }
}

/// What a plan assumes, and what the isolation level adds to that: without namespaces a build sees this machine's
/// paths, and what reaches the proxy sees its port.
pub(super) fn assumptions(plan: &BuildPlan, settings: &Settings, tree: &Path) -> Vec<Assumption> {
    let mut all = plan.assumptions.clone();
    match settings.isolation {
        IsolationLevel::Namespaces => return all,
        IsolationLevel::Landlock => {}
    }
    // The path that was learnt cannot be made there.
    all.retain(|assumption| assumption.kind != AssumptionKind::BuildPath);
    let seen = |value: String| Assumption {
        kind: AssumptionKind::HostSurroundings,
        value,
        from: format!(
            "`{}` isolation hides neither paths nor ports",
            Isolation::Landlock
        ),
    };
    all.push(seen(tree.display().to_string()));
    match settings.build_network {
        BuildNetwork::None => {}
        BuildNetwork::Registries => all.push(seen("a free port for the proxy".to_owned())),
    }
    all
}

/// The whole environment of a step. A plan removes a variable by giving it an empty value.
pub(super) fn variables(
    plan: &BuildPlan,
    step: &Step,
    tools: &[ProvidedTool],
    commit_time: i64,
    reaches_proxy: bool,
    conditions: &Conditions,
) -> BTreeMap<OsString, OsString> {
    let mut all: BTreeMap<String, String> = base_environment()
        .into_iter()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    conditions.set_variables(&mut all);
    let mut path: Vec<&str> = tools
        .iter()
        .flat_map(|tool| tool.bin.iter().map(String::as_str))
        .collect();
    let system = all.get("PATH").cloned().unwrap_or_default();
    path.push(&system);
    all.insert("PATH".to_owned(), path.join(":"));
    all.insert("SOURCE_DATE_EPOCH".to_owned(), commit_time.to_string());
    // The tree belongs to the build's user, and yet git asks who owns it when it is laid over a snapshot.
    all.insert("GIT_CONFIG_COUNT".to_owned(), "1".to_owned());
    all.insert("GIT_CONFIG_KEY_0".to_owned(), "safe.directory".to_owned());
    all.insert("GIT_CONFIG_VALUE_0".to_owned(), "*".to_owned());
    if reaches_proxy {
        proxy(&mut all);
    }
    for (name, value) in plan.environment.iter().chain(&step.environment) {
        if value.is_empty() {
            all.remove(name);
        } else {
            all.insert(name.clone(), value.clone());
        }
    }
    conditions.amend_variables(&mut all);
    all.into_iter()
        .map(|(name, value)| (name.into(), value.into()))
        .collect()
}

/// Each client has its own names for a proxy and an authority.
fn proxy(all: &mut BTreeMap<String, String>) {
    let url = format!("http://{PROXY_ADDRESS}");
    for name in [
        "HTTPS_PROXY",
        "HTTP_PROXY",
        "https_proxy",
        "http_proxy",
        "npm_config_proxy",
        "npm_config_https_proxy",
        "YARN_HTTPS_PROXY",
        "YARN_HTTP_PROXY",
    ] {
        all.insert(name.to_owned(), url.clone());
    }
    for name in ["NO_PROXY", "no_proxy", "npm_config_noproxy"] {
        all.insert(name.to_owned(), "localhost,127.0.0.1,::1".to_owned());
    }
    for name in [
        "SSL_CERT_FILE",
        "NODE_EXTRA_CA_CERTS",
        "npm_config_cafile",
        "YARN_HTTPS_CA_FILE_PATH",
        "REQUESTS_CA_BUNDLE",
        "PIP_CERT",
        "CURL_CA_BUNDLE",
        "GIT_SSL_CAINFO",
        "CARGO_HTTP_CAINFO",
    ] {
        all.insert(name.to_owned(), AUTHORITY.to_owned());
    }
}

/// The files that go with [`variables`].
pub(super) fn files(authority: Option<&str>, conditions: &Conditions) -> Vec<GeneratedFile> {
    let mut files = conditions.files();
    files.extend(authority.map(|pem| GeneratedFile {
        inside: PathBuf::from(AUTHORITY),
        content: pem.as_bytes().to_vec(),
    }));
    files
}
