//! A few requests to the public registries, through whatever this machine is configured for.
#![expect(clippy::disallowed_methods, reason = "tests")]

use std::sync::Arc;

use remint_fetch::{Registries, ToolStore, UserConfiguration, platform};
use remint_model::{Ecosystem, PackageName, Tool, ToolOrigin, Version};

fn user(cache: &std::path::Path) -> UserConfiguration {
    UserConfiguration {
        home: std::env::var_os("HOME").map(Into::into),
        directory: cache.to_owned(),
        variables: std::env::vars().collect(),
        cache: cache.join("v1"),
        offline: false,
    }
}

#[tokio::test]
async fn a_release_is_found_and_its_file_downloaded() {
    let place = tempfile::tempdir().unwrap();
    let registries = Registries::new(&user(place.path())).unwrap();
    for (ecosystem, name, version, file) in [
        (
            Ecosystem::Npm,
            "@modelcontextprotocol/server-filesystem",
            "2025.8.21",
            "server-filesystem-2025.8.21.tgz",
        ),
        (
            Ecosystem::Pypi,
            "mcp-server-time",
            "2025.8.4",
            "mcp_server_time-2025.8.4-py3-none-any.whl",
        ),
    ] {
        let name = PackageName::parse(ecosystem, name).unwrap();
        let version: Version = version.parse().unwrap();
        let release = registries
            .release(ecosystem, &name, Some(&version))
            .await
            .unwrap();
        assert_eq!(release.version, version);
        let first = release.files.first().unwrap();
        assert_eq!(first.name.as_str(), file);
        let artifact = registries.download(first, place.path()).await.unwrap();
        assert!(first.integrity.is_some());
        assert_eq!(
            fs_err::metadata(&artifact.path).unwrap().len(),
            artifact.size
        );
    }
}

#[tokio::test]
async fn tools_are_provided_and_found_again_offline() {
    let place = tempfile::tempdir().unwrap();
    let tool = |name: &str, version: &str, origin: ToolOrigin| Tool {
        name: name.to_owned(),
        version: Some(version.to_owned()),
        as_of: None,
        origin,
        because: String::new(),
    };
    let npm = |name: &str, version: &str| {
        let package = name.to_owned();
        tool(name, version, ToolOrigin::Npm { package })
    };
    let wanted = [
        npm("npm", "10.8.1"),
        npm("pnpm", "^9.15.0"),
        tool(
            "uv",
            "0.9.7",
            ToolOrigin::Pypi {
                project: "uv".to_owned(),
            },
        ),
    ];
    let mut seen = Vec::new();
    for offline in [false, true] {
        let mut user = user(place.path());
        user.offline = offline;
        let store = ToolStore::new(Arc::new(Registries::new(&user).unwrap()));
        let mut provided = Vec::new();
        for tool in &wanted {
            let ready = store.provide(tool, platform()).await.unwrap();
            assert!(ready.host.join("bin").join(&ready.name).is_file());
            provided.push(ready);
        }
        seen.push(provided);
    }
    assert_eq!(seen.first(), seen.last());
}
