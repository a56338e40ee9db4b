//! Answers requests of Python installers.

use remint_model::{Ecosystem, Integrity, PackageName};
use serde_json::Value;
use url::Url;

use crate::error::FetchError;
use crate::proxy::Shared;
use crate::proxy::address::{PythonFile, canonical_project, canonical_python_file};
use crate::proxy::answer::{Answer, Wanted};
use crate::proxy::npm::accept;
use crate::proxy::rules::{Refusal, Rules};
use crate::registry::simple::{JSON, SimplePage};
use crate::registry::{FILE_LIMIT, FileRequest, Reuse, Stored};

/// The part of PyPI that keeps files.
const FILES: &str = "https://files.pythonhosted.org/";

/// A project's page.
pub(super) async fn project(shared: &Shared, name: &PackageName, accept: &str) -> Answer {
    let url = canonical_project(name);
    if let Err(refusal) = shared.rules.metadata(Ecosystem::Pypi, name) {
        return shared.refuse(&url, refusal, Wanted::Metadata);
    }
    let (page, digest, size) = match read_page(shared, name).await {
        Ok(page) => page,
        Err(error) => return shared.failed(&url, &error, Wanted::Metadata),
    };
    if let Err(refusal) = shared.pass_on(&url, digest, size) {
        return shared.refuse(&url, refusal, Wanted::Metadata);
    }
    let page = for_inside(&shared.rules, name, page);
    if accept.contains("simple.v1+json") || accept.contains("simple.latest+json") {
        match serde_json::to_vec(&page) {
            Ok(bytes) => Answer::Document {
                bytes,
                media_type: JSON,
            },
            Err(error) => Answer::Failed(error.to_string()),
        }
    } else {
        Answer::Document {
            bytes: html(&page).into_bytes(),
            media_type: "text/html; charset=utf-8",
        }
    }
}

async fn read_page(
    shared: &Shared,
    name: &PackageName,
) -> Result<(SimplePage, remint_model::Sha256, u64), FetchError> {
    let (url, document) = shared.registries.project_page(name, shared.tokens).await?;
    let page = SimplePage::read(&document.bytes, document.media_type.as_deref(), &url)?;
    Ok((page, document.sha256, document.bytes.len() as u64))
}

/// Without what is newer than the release or is the release itself, with addresses as PyPI has them.
fn for_inside(rules: &Rules, name: &PackageName, mut page: SimplePage) -> SimplePage {
    page.files.retain(|file| {
        file.version(name)
            .is_none_or(|version| !rules.withholds(Ecosystem::Pypi, name, version))
    });
    if let Some(moment) = rules.as_of() {
        let out = |uploaded: Option<i64>| uploaded.is_some_and(|time| time <= moment);
        // Where nothing was out in time, or nothing says when, the times are no information.
        if page.files.iter().any(|file| out(file.uploaded())) && page.times_are_plausible(name) {
            page.files.retain(|file| out(file.uploaded()));
        }
    }
    for file in &mut page.files {
        if let Ok(upstream) = file.url.parse::<Url>() {
            file.url = canonical_python_file(name, &file.filename, &upstream);
        }
    }
    let left: std::collections::BTreeSet<String> = page
        .files
        .iter()
        .filter_map(|file| file.version(name).map(str::to_owned))
        .collect();
    page.versions.retain(|version| left.contains(version));
    if page.name.is_empty() {
        page.name = name.to_string();
    }
    page
}

fn html(page: &SimplePage) -> String {
    let mut lines = vec!["<!DOCTYPE html><html><body>".to_owned()];
    for file in &page.files {
        let digest = file
            .hashes
            .get("sha256")
            .map(|digest| format!("#sha256={digest}"))
            .unwrap_or_default();
        let mut attributes = Vec::new();
        let mut add = |name: &str, value: &str| {
            attributes.push(format!(" {name}=\"{}\"", escape(value)));
        };
        if let Some(range) = &file.requires_python {
            add("data-requires-python", range);
        }
        if file.is_yanked() {
            let reason = file.yanked.as_ref().and_then(Value::as_str);
            add("data-yanked", reason.unwrap_or_default());
        }
        match &file.core_metadata {
            Some(Value::Bool(true)) => add("data-core-metadata", "true"),
            Some(Value::Object(hashes)) => {
                if let Some(digest) = hashes.get("sha256").and_then(Value::as_str) {
                    add("data-core-metadata", &format!("sha256={digest}"));
                }
            }
            Some(
                Value::Bool(false)
                | Value::Null
                | Value::Number(_)
                | Value::String(_)
                | Value::Array(_),
            )
            | None => {}
        }
        let attributes = attributes.concat();
        let (url, name) = (escape(&file.url), escape(&file.filename));
        let digest = escape(&digest);
        lines.push(format!(
            "<a href=\"{url}{digest}\"{attributes}>{name}</a><br>"
        ));
    }
    lines.push("</body></html>\n".to_owned());
    lines.join("\n")
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// A project's file, or the metadata beside it.
pub(super) async fn file(shared: &Shared, file: &PythonFile, asked: &Url) -> Answer {
    let wanted = if file.metadata {
        Wanted::Metadata
    } else {
        Wanted::File
    };
    let named = file.path.as_deref().map_or_else(
        || format!("{FILES}packages/by-name/{}/{}", file.project, file.name),
        |path| format!("{FILES}{path}"),
    );
    let ending = if file.metadata { ".metadata" } else { "" };
    let url = format!("{named}{ending}");
    let digests = match shared.rules.python_file(file, asked) {
        Ok(digests) => digests,
        Err(refusal) => return shared.refuse(&url, refusal, wanted),
    };
    if digests
        .iter()
        .any(|digest| shared.rules.demands_published(digest))
    {
        return shared.refuse(&url, Refusal::PublishedFile, wanted);
    }
    let stored = match fetch(shared, file, &digests).await {
        Ok(stored) => stored,
        Err(FetchError::NotFound(_) | FetchError::Integrity { .. })
            if shared.rules.is_foreign(asked) =>
        {
            let url = crate::configuration::credentials::shown(asked);
            return shared.refuse(&url, Refusal::NotARegistry, wanted);
        }
        Err(error) => return shared.failed(&url, &error, wanted),
    };
    if let Err(refusal) = accept(&shared.rules, &stored, &digests) {
        return shared.refuse(&url, refusal, wanted);
    }
    if let Err(refusal) = shared.pass_on(&url, stored.digests.sha256, stored.digests.size) {
        return shared.refuse(&url, refusal, wanted);
    }
    Answer::File {
        path: stored.path,
        size: stored.digests.size,
        media_type: "application/octet-stream",
    }
}

/// Where PyPI keeps it, when PyPI is what the user has; else, and when it is not there, where the index says.
async fn fetch(
    shared: &Shared,
    file: &PythonFile,
    digests: &[Integrity],
) -> Result<Stored, FetchError> {
    let public = shared
        .registries
        .indexes
        .simple
        .first()
        .is_some_and(|index| index.host_str() == Some("pypi.org"));
    if public
        && let Some(path) = &file.path
        && let Ok(url) = format!("{FILES}{path}").parse()
    {
        match get(shared, url, file.metadata, digests).await {
            Err(FetchError::NotFound(_)) => {}
            other => return other,
        }
    }
    let (page, _, _) = read_page(shared, &file.project).await?;
    let absent = || FetchError::NotFound(file.name.clone());
    let listed = page.file(&file.name).ok_or_else(absent)?;
    let url: Url = listed
        .url
        .parse()
        .map_err(|error| FetchError::malformed(&listed.url, "file URL", &error))?;
    get(shared, url, file.metadata, digests).await
}

async fn get(
    shared: &Shared,
    mut url: Url,
    metadata: bool,
    digests: &[Integrity],
) -> Result<Stored, FetchError> {
    let integrity = match digests {
        [only] => Some(only),
        _ => None,
    };
    if metadata {
        let path = format!("{}.metadata", url.path());
        url.set_path(&path);
    }
    shared
        .registries
        .file(FileRequest {
            client: &shared.registries.python,
            url: &url,
            integrity,
            limit: if metadata { 16 << 20 } else { FILE_LIMIT },
            tokens: shared.tokens,
            reuse: Reuse::Always,
            budget: Some(&shared.budget),
        })
        .await
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::registry::simple::SimpleFile;

    proptest! {
        #[test]
        fn a_page_is_read_back_as_it_is_shown(
            files in prop::collection::vec(
                ("([a-z\"'<>&;]|&amp;|é|-1\\.0\\.whl){1,6}", prop::option::of("([<>=0-9\"'&; ]|&lt;){1,6}"), prop::option::of("[a-z\"<&]{0,4}")),
                0..4,
            ),
        ) {
            let page = SimplePage {
                meta: std::collections::BTreeMap::new(),
                name: "x".to_owned(),
                files: files
                    .iter()
                    .map(|(name, range, yanked)| SimpleFile {
                        filename: name.clone(),
                        url: "https://index.example/a?b&c".to_owned(),
                        requires_python: range.clone(),
                        yanked: yanked.clone().map(Value::String),
                        ..SimpleFile::default()
                    })
                    .collect(),
                versions: Vec::new(),
            };
            let url = "https://index.example/simple/x/".parse().unwrap();
            let read = SimplePage::read(html(&page).as_bytes(), Some("text/html"), &url).unwrap();
            let shape = |page: &SimplePage| -> Vec<_> {
                page.files
                    .iter()
                    .map(|file| (file.filename.clone(), file.url.clone(), file.requires_python.clone(), file.yanked.clone()))
                    .collect()
            };
            prop_assert_eq!(shape(&read), shape(&page));
        }
    }
}
