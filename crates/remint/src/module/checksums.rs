//! Asks the checksum database about a module: `remint-fetch` gets what it says, `remint-attest` says whether that can be
//! believed.

use std::collections::BTreeMap;

use remint_attest::{ChecksumRecord, ChecksumsError, Inclusion, LoggedChecksums};
use remint_ecosystem::golang::{escaped_path, escaped_version, h1};
use remint_fetch::{ChecksumDatabase, FetchError, Registries};
use remint_model::{DatabaseAnswer, ModuleChecksums, PackageName, Survey, Target};

use crate::build::{Builder, chain};
use crate::progress::Progress;
use crate::resolve::Case;

/// The digests of a module zip, with the database's word on them, and what asking took; `None` where the zip has no
/// folder `module@version`, so that it has no digest.
///
/// # Errors
/// This machine could not do its part.
pub(crate) async fn checksums(
    case: &Case,
    survey: &Survey,
    builder: &Builder,
    progress: &Progress,
) -> anyhow::Result<Option<(ModuleChecksums, f64)>> {
    let Some(zip) = h1::of_survey(survey) else {
        return Ok(None);
    };
    let go_mod = survey.text("go.mod").map(h1::of_go_mod);
    let stage = progress.begin("checksums", "asking the checksum database");
    let asked = ask(&case.target, &builder.registries).await;
    let database = match asked {
        Ok(Answer::NotAsked(why)) => DatabaseAnswer::NotAsked(why),
        Ok(Answer::Logged(name, logged)) => {
            let same = logged.zip == zip && go_mod.as_ref().is_none_or(|own| *own == logged.go_mod);
            if same {
                DatabaseAnswer::Same { name }
            } else {
                DatabaseAnswer::Other {
                    name,
                    zip: logged.zip,
                    go_mod: logged.go_mod,
                }
            }
        }
        Ok(Answer::Untrusted(name, error)) => DatabaseAnswer::Untrusted {
            name,
            reason: error.to_string(),
        },
        Ok(Answer::Unavailable(name, error)) if error.is_machine_fault() => {
            return Err(anyhow::Error::from(error).context(name));
        }
        Ok(Answer::Unavailable(name, error)) => DatabaseAnswer::Unavailable {
            name,
            reason: chain(&error),
        },
        Err(error) if error.is_machine_fault() => return Err(error.into()),
        Err(error) => DatabaseAnswer::Unavailable {
            name: "the checksum database".to_owned(),
            reason: chain(&error),
        },
    };
    let found = ModuleChecksums {
        zip,
        go_mod,
        source: None,
        database,
    };
    let seconds = stage.end(&words(&found));
    Ok(Some((found, seconds)))
}

/// The digest of a module zip that is proven to be in the checksum database's log; the inner error says why there is
/// none.
///
/// # Errors
/// The database does not answer, or does not know this version.
pub(crate) async fn logged_digest(
    module: &PackageName,
    version: &str,
    registries: &Registries,
) -> Result<Result<String, String>, FetchError> {
    let database = match registries.checksum_database(module).await? {
        Ok(database) => database,
        Err(why) => return Ok(Err(format!("no checksum database vouches for it: {why}"))),
    };
    match prove(module.as_str(), version, &database, registries).await {
        Ok(logged) => Ok(Ok(logged.zip)),
        Err(Failure::Fetch(error)) => Err(error),
        Err(Failure::Checksums(error)) => Ok(Err(format!("{}: {error}", database.name))),
    }
}

enum Answer {
    NotAsked(String),
    Logged(String, LoggedChecksums),
    Untrusted(String, ChecksumsError),
    Unavailable(String, FetchError),
}

async fn ask(target: &Target, registries: &Registries) -> Result<Answer, FetchError> {
    let database = match registries.checksum_database(&target.name).await? {
        Ok(database) => database,
        Err(why) => return Ok(Answer::NotAsked(why)),
    };
    let name = database.name.clone();
    let (module, version) = (target.name.as_str(), target.version.as_str());
    Ok(match prove(module, version, &database, registries).await {
        Ok(logged) => Answer::Logged(name, logged),
        Err(Failure::Fetch(error)) => Answer::Unavailable(name, error),
        Err(Failure::Checksums(error)) => Answer::Untrusted(name, error),
    })
}

enum Failure {
    Fetch(FetchError),
    Checksums(ChecksumsError),
}

impl From<FetchError> for Failure {
    fn from(error: FetchError) -> Self {
        Self::Fetch(error)
    }
}

impl From<ChecksumsError> for Failure {
    fn from(error: ChecksumsError) -> Self {
        Self::Checksums(error)
    }
}

/// Looks the module up and fetches tiles until its record is proven.
async fn prove(
    module: &str,
    version: &str,
    database: &ChecksumDatabase,
    registries: &Registries,
) -> Result<LoggedChecksums, Failure> {
    let path = format!(
        "lookup/{}@{}",
        escaped_path(module),
        escaped_version(version)
    );
    let answer = registries.checksums(database, &path).await?;
    let record = ChecksumRecord::open(&answer, &database.key)?;
    let mut tiles = BTreeMap::new();
    for _ in 0..ChecksumRecord::most_rounds() {
        match record.prove(module, version, &tiles)? {
            Inclusion::Proven(logged) => return Ok(logged),
            Inclusion::Needs(paths) => {
                let fetched = paths.iter().map(|path| tile(path, database, registries));
                let fetched = futures_util::future::try_join_all(fetched).await?;
                tiles.extend(paths.iter().cloned().zip(fetched));
            }
        }
    }
    Err(Failure::Checksums(ChecksumsError::NotIncluded(
        "its proof has no end".to_owned(),
    )))
}

async fn tile(
    path: &str,
    database: &ChecksumDatabase,
    registries: &Registries,
) -> Result<Vec<u8>, FetchError> {
    let partial = registries.checksums(database, path).await;
    match (partial, remint_attest::whole_tile(path)) {
        (Err(FetchError::NotFound(_)), Some((whole, length))) => {
            let mut tile = registries.checksums(database, whole).await?;
            tile.truncate(length);
            Ok(tile)
        }
        (partial, _) => partial,
    }
}

fn words(checksums: &ModuleChecksums) -> String {
    match &checksums.database {
        DatabaseAnswer::Same { name } => format!("{name} has logged the same digest"),
        DatabaseAnswer::Other { name, .. } => format!("{name} has logged another digest"),
        DatabaseAnswer::Unavailable { name, .. } => format!("{name} could not confirm the digest"),
        DatabaseAnswer::Untrusted { name, .. } => format!("{name} did not sign what is served"),
        DatabaseAnswer::NotAsked(why) => format!("not asked: {why}"),
    }
}

/// What was compared, for people.
pub(crate) fn notes(checksums: &ModuleChecksums) -> Vec<String> {
    let zip = &checksums.zip;
    let logged = match &checksums.database {
        DatabaseAnswer::Same { name } => format!(", and {name} has logged the same"),
        // A finding says more.
        DatabaseAnswer::Other { .. }
        | DatabaseAnswer::Unavailable { .. }
        | DatabaseAnswer::Untrusted { .. }
        | DatabaseAnswer::NotAsked(_) => String::new(),
    };
    vec![match &checksums.source {
        Some(source) if source == zip => {
            format!("the module and what go packs from its source have one digest, {zip}{logged}")
        }
        Some(source) => {
            format!(
                "the module has the digest {zip}{logged}; what go packs from its source has {source}"
            )
        }
        None => format!("the module has the digest {zip}{logged}"),
    }]
}
