//! Bundles on disk, in the layout that others look in.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use jiff::Timestamp;
use remint_attest::keyless::{Pending, PendingDirectory};
use remint_attest::layout::{self, Index, IndexEntry, LARGEST_INDEX, MOST_ENTRIES, SignerId};
use remint_attest::log::LogDirectory;
use remint_attest::{
    Bundle, Judged, LARGEST_BUNDLE, Signed, SigningKey, StatementKind, Unsigned, intoto,
    public_address, sign_with_key, statements,
};
use remint_judge::ResultEvidence;
use remint_model::{Artifact, FileName, Published, Sha256, Target};

use crate::exit::Exit;
use crate::report::{RunReport, TargetReport};

/// A directory of attestations.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    root: PathBuf,
}

/// What one run is about, where its files belong, and what its comparison refers to.
pub(crate) struct Run<'a> {
    pub(crate) target: &'a Target,
    pub(crate) file: &'a FileName,
    pub(crate) artifact: Sha256,
    pub(crate) signer: &'a SignerId,
    pub(crate) time: Timestamp,
    /// The JSON report.
    pub(crate) report: &'a str,
}

/// A link of in-toto, as it is written down.
pub(crate) struct LinkFile {
    /// What verifiers look for.
    name: String,
    text: String,
}

/// What was signed, and where it lies.
#[derive(Debug)]
pub(crate) struct Filed {
    pub(crate) bundles: Vec<(StatementKind, PathBuf)>,
    /// in-toto's link, where there is one.
    pub(crate) link: Option<PathBuf>,
}

impl Store {
    /// The directory at this path, whether or not it is there yet.
    pub(crate) const fn at(root: PathBuf) -> Self {
        Self { root }
    }

    /// The log of a signer.
    pub(crate) fn log(&self, signer: &SignerId) -> LogDirectory {
        LogDirectory::at(self.root.join(layout::log_folder(signer)))
    }

    /// Adds a run's bundles, its report, and their lines in the index, and its link, which is found by its name; returns
    /// where they lie.
    ///
    /// # Errors
    /// The disk is full, or somebody else's file is in the way. What was there is as it was.
    pub(crate) fn add(
        &self,
        run: &Run<'_>,
        signed: &[(StatementKind, Signed)],
        link: Option<&LinkFile>,
    ) -> anyhow::Result<Filed> {
        let artifact = self
            .root
            .join(layout::artifact_folder(run.target, run.file));
        let below = layout::signer_folder(&run.artifact, run.signer);
        let folder = artifact.join(&below);
        fs_err::create_dir_all(&folder)?;
        let name = free_name(&folder, run.time)?;
        put(&folder.join(layout::report_name(&name)), run.report)?;
        let mut bundles = Vec::new();
        let mut entries = Vec::new();
        for (kind, signed) in signed {
            let file = layout::bundle_name(&name, *kind);
            put(&folder.join(&file), &signed.text)?;
            entries.push(IndexEntry {
                path: format!("{below}/{file}"),
                artifact: run.artifact,
                kind: kind.name().to_owned(),
                signer: run.signer.as_str().to_owned(),
                sha256: signed.bundle.digest(),
            });
            bundles.push((*kind, folder.join(file)));
        }
        let link = link
            .map(|link| {
                // Verifiers look for this one name. The first to have it keeps it: a later run found the same.
                let first = folder.join(&link.name);
                let path = if first.exists() {
                    folder.join(format!("{name}.{}", link.name))
                } else {
                    first
                };
                put(&path, &link.text).map(|()| path)
            })
            .transpose()?;
        self.list(&artifact, entries)?;
        Ok(Filed { bundles, link })
    }

    /// Adds lines to the index in an artifact's folder. Whoever signs with another key may do so at the same time.
    fn list(&self, artifact: &Path, entries: Vec<IndexEntry>) -> anyhow::Result<()> {
        let lock = fs_err::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(self.root.join(".lock"))?;
        lock.file()
            .lock()
            .with_context(|| format!("cannot lock `{}`", self.root.display()))?;
        let path = artifact.join(layout::INDEX);
        let index = read_index(&path)?.with(entries);
        anyhow::ensure!(
            index.attestations.len() <= MOST_ENTRIES,
            "`{}` is full: nobody reads more than {MOST_ENTRIES} entries",
            path.display()
        );
        replace(&path, &index.to_text())
    }
}

impl Store {
    /// The directory.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Keeps statements that are not signed yet, with the report that they refer to.
    ///
    /// # Errors
    /// The disk is full, or somebody else's file is in the way.
    pub(crate) fn keep(&self, about: &About<'_>, unsigned: &[Unsigned]) -> anyhow::Result<Kept> {
        let artifact = self
            .root
            .join(layout::artifact_folder(about.target, &about.file.name));
        let folder = artifact
            .join(layout::digest_folder(&about.file.sha256))
            .join(layout::PENDING);
        let directory = PendingDirectory::at(folder.clone());
        // Whoever resumes meanwhile must not take a run for finished of which only a part is there.
        let _lock = directory.lock().context("cannot lock what is kept")?;
        let run = free_name(&folder, about.finished)?;
        put(&folder.join(layout::report_name(&run)), about.report)?;
        let mut names = Vec::new();
        for statement in unsigned {
            let name = format!("{run}.{}", statement.kind.name());
            let pending = Pending::new(statement.payload.clone())?;
            directory.write(&name, &pending)?;
            names.push(name);
        }
        Ok(Kept { directory, names })
    }

    /// Files a bundle of a statement that was kept, and keeps it no longer.
    ///
    /// # Errors
    /// The disk is full, or what lies there is no kept run.
    pub(crate) fn file(
        &self,
        directory: &PendingDirectory,
        name: &str,
        signed: &Signed,
    ) -> anyhow::Result<(StatementKind, PathBuf)> {
        let strange = || {
            format!(
                "`{}` is not where remint keeps what is not signed yet",
                directory.path(name).display()
            )
        };
        let (run, kind) = name.rsplit_once('.').with_context(strange)?;
        let kind = StatementKind::ALL
            .iter()
            .copied()
            .find(|known| known.name() == kind)
            .with_context(strange)?;
        let pending = directory.directory();
        let digest = pending.parent().with_context(strange)?;
        let artifact = digest.parent().with_context(strange)?;
        let report = pending.join(layout::report_name(run));
        let text = fs_err::read_to_string(&report)?;
        let published = published_digest(&text)
            .filter(|sha256| digest.ends_with(layout::digest_folder(sha256)))
            .with_context(strange)?;
        let (identity, issuer) = signed
            .bundle
            .claimed_identity()
            .context("the bundle has no certificate")?;
        let signer = SignerId::identity(&identity, &issuer);
        let below = layout::signer_folder(&published, &signer);
        let folder = artifact.join(&below);
        fs_err::create_dir_all(&folder)?;
        let beside = folder.join(layout::report_name(run));
        if !beside.exists() {
            put(&beside, &text)?;
        }
        let file = layout::bundle_name(run, kind);
        put_again(&folder.join(&file), signed)?;
        let entry = IndexEntry {
            path: format!("{below}/{file}"),
            artifact: published,
            kind: kind.name().to_owned(),
            signer: signer.as_str().to_owned(),
            sha256: signed.bundle.digest(),
        };
        self.list(artifact, vec![entry])?;
        directory.remove(name)?;
        let left = directory.names()?;
        if !left
            .iter()
            .any(|other| other.starts_with(&format!("{run}.")))
        {
            fs_err::remove_file(report)?;
        }
        Ok((kind, folder.join(file)))
    }
}

/// Statements that are kept until they are signed.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) directory: PendingDirectory,
    pub(crate) names: Vec<String>,
}

/// The published file that a report is about.
fn published_digest(report: &str) -> Option<Sha256> {
    let report: serde_json::Value = serde_json::from_str(report).ok()?;
    report["targets"][0]["published"]["sha256"]
        .as_str()?
        .parse()
        .ok()
}

/// A name for a run's files that none has there yet.
fn free_name(folder: &Path, time: Timestamp) -> anyhow::Result<String> {
    let name = layout::run_name(time);
    (0..1000)
        .map(|more| match more {
            0 => name.clone(),
            more => format!("{name}-{more}"),
        })
        .find(|name| !folder.join(layout::report_name(name)).exists())
        .with_context(|| format!("`{}` has too many runs of {name}", folder.display()))
}

fn read_index(path: &Path) -> anyhow::Result<Index> {
    use std::io::Read as _;
    let file = match fs_err::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Index::default()),
        Err(error) => return Err(error.into()),
    };
    let mut text = Vec::new();
    file.take(LARGEST_INDEX + 1).read_to_end(&mut text)?;
    Index::parse(&text).with_context(|| format!("`{}` is in the way", path.display()))
}

/// Puts a new file there, whole or not at all.
fn put(path: &Path, text: &str) -> anyhow::Result<()> {
    let file = written(path, text)?;
    file.persist_noclobber(path)
        .map_err(|error| error.error)
        .with_context(|| format!("cannot write `{}`", path.display()))?;
    Ok(())
}

/// Puts a bundle there, also where a run that was ended before it could list it has put one of the same statement.
fn put_again(path: &Path, signed: &Signed) -> anyhow::Result<()> {
    use std::io::Read as _;
    let mut text = Vec::new();
    match fs_err::File::open(path) {
        Ok(file) => file
            .take(LARGEST_BUNDLE as u64 + 1)
            .read_to_end(&mut text)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return put(path, &signed.text),
        Err(error) => return Err(error.into()),
    };
    let same = Bundle::parse(&text).is_ok_and(|there| there.has_statement_of(&signed.bundle));
    anyhow::ensure!(
        same,
        "`{}` is there already, and of another statement",
        path.display()
    );
    replace(path, &signed.text)
}

/// Puts a file in the place of what is there.
fn replace(path: &Path, text: &str) -> anyhow::Result<()> {
    let file = written(path, text)?;
    file.persist(path)
        .map_err(|error| error.error)
        .with_context(|| format!("cannot write `{}`", path.display()))?;
    Ok(())
}

fn written(path: &Path, text: &str) -> anyhow::Result<tempfile::NamedTempFile> {
    let folder = path.parent().context("a file lies in a folder")?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".new-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // What any program's new file gets: the kernel takes off the user's mask.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let mut file = builder
        .tempfile_in(folder)
        .map_err(|error| io::Error::from(error.kind()))
        .with_context(|| format!("cannot write below `{}`", folder.display()))?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.as_file().sync_all())
        .with_context(|| format!("cannot write below `{}`", folder.display()))?;
    Ok(file)
}

/// The report about one target alone, as it is put beside its bundles.
pub(crate) fn report_of(target: &TargetReport, private: &Private, started: Timestamp) -> String {
    let report = RunReport {
        started,
        targets: vec![target.clone()],
        unjudged: Vec::new(),
        exit: Exit::of(target.judgement.outcome),
    };
    private.hide(&crate::report::json::v1::render(&report))
}

/// Places on this machine, which are nobody else's business and must not stand in what is signed and published.
#[derive(Debug, Clone, Default)]
pub(crate) struct Private(Vec<String>);

impl Private {
    /// The directory that was given as the source, where it was one.
    pub(crate) fn of(source: Option<&str>) -> Self {
        let mut places: Vec<String> = source
            .into_iter()
            .filter(|source| Path::new(source).is_dir())
            .flat_map(|source| {
                let whole = fs_err::canonicalize(source).ok();
                let absolute = std::path::absolute(source).ok();
                [whole, absolute]
            })
            .flatten()
            .filter_map(|path| path.to_str().map(str::to_owned))
            .collect();
        places.sort_by_key(|place| std::cmp::Reverse(place.len()));
        places.dedup();
        Self(places)
    }

    pub(crate) fn hide(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, place| {
            text.replace(&**place, &public_address(place))
        })
    }
}

/// What there is to sign about a target; `None` where nothing was fetched that it could be about.
fn unsigned(
    report: &TargetReport,
    private: &Private,
    text: &str,
    started: Timestamp,
    finished: Timestamp,
) -> Option<ToSign> {
    let evidence = report.evidence.as_ref();
    let mut judgement = report.judgement.clone();
    judgement.detail = judgement.detail.map(|detail| private.hide(&detail));
    let judged = Judged {
        target: report.target.as_ref()?,
        published: report.published.as_ref()?,
        rebuilt: report.rebuilt.as_ref(),
        source: evidence.and_then(|evidence| evidence.source.as_ref()),
        plan: report.plan.as_ref(),
        build: evidence.and_then(|evidence| evidence.build.as_ref()),
        failure: report.failure.as_ref(),
        comparison: match evidence.map(|evidence| &evidence.result) {
            Some(ResultEvidence::Compared { comparison, .. }) => Some(comparison),
            Some(ResultEvidence::NotCompared { .. }) | None => None,
        },
        judgement: &judgement,
        report: Sha256::of(text.as_bytes()),
        started,
        finished,
    };
    Some(ToSign {
        statements: statements(&judged),
        link: intoto::link(&judged),
    })
}

/// What there is to sign.
struct ToSign {
    statements: Vec<Unsigned>,
    /// The payload of in-toto's link, where there can be one.
    link: Option<Vec<u8>>,
}

/// Signs a target's statements and files them, or keeps them until they can be; `None` where there is no file that they
/// could be about.
///
/// # Errors
/// The log or the store cannot be written, or contradicts itself.
pub(crate) fn sign(
    shelf: &Shelf<'_>,
    report: &TargetReport,
    private: &Private,
    started: Timestamp,
    finished: Timestamp,
) -> anyhow::Result<Option<Shelved>> {
    let text = report_of(report, private, started);
    let (Some(unsigned), Some(target), Some(file)) = (
        unsigned(report, private, &text, started, finished),
        &report.target,
        &report.published,
    ) else {
        return Ok(None);
    };
    let about = About {
        target,
        file,
        finished,
        report: &text,
        link: unsigned.link.as_deref(),
    };
    shelf.put(&about, &unsigned.statements).map(Some)
}

/// Where bundles go, and what signs them.
#[derive(Debug)]
pub(crate) struct Shelf<'a> {
    pub(crate) store: &'a Store,
    pub(crate) with: &'a With,
}

/// What signs.
#[derive(Debug)]
pub(crate) enum With {
    /// A key, and the log of that key.
    Key(Box<SigningKey>, LogDirectory),
    /// Services, which take their time: statements are kept until then.
    Services,
}

/// What became of statements.
#[derive(Debug)]
pub(crate) enum Shelved {
    /// They are signed and lie here.
    Signed(Filed),
    /// They are kept.
    Kept(Kept),
}

impl Shelf<'_> {
    /// Signs statements and files the bundles, or keeps them.
    ///
    /// # Errors
    /// The log or the store cannot be written, or contradicts itself.
    pub(crate) fn put(&self, about: &About<'_>, unsigned: &[Unsigned]) -> anyhow::Result<Shelved> {
        match self.with {
            With::Key(key, log) => {
                sign_and_file(self.store, key, log, about, unsigned).map(Shelved::Signed)
            }
            With::Services => self.store.keep(about, unsigned).map(Shelved::Kept),
        }
    }
}

/// What statements are about.
pub(crate) struct About<'a> {
    pub(crate) target: &'a Target,
    pub(crate) file: &'a Artifact<Published>,
    pub(crate) finished: Timestamp,
    /// The JSON report that they refer to.
    pub(crate) report: &'a str,
    /// The payload of in-toto's link, which only a key signs.
    pub(crate) link: Option<&'a [u8]>,
}

fn sign_and_file(
    store: &Store,
    key: &SigningKey,
    log: &LogDirectory,
    about: &About<'_>,
    unsigned: &[Unsigned],
) -> anyhow::Result<Filed> {
    let _lock = log.lock().context("cannot lock the log")?;
    let payloads: Vec<Vec<u8>> = unsigned
        .iter()
        .map(|one| one.payload.clone())
        .chain(about.link.map(<[u8]>::to_vec))
        .collect();
    let mut signed = sign_with_key(key, &payloads, log)?.into_iter();
    let kinds = unsigned.iter().map(|one| one.kind);
    let bundles: Vec<(StatementKind, Signed)> = kinds.zip(signed.by_ref()).collect();
    let link = signed
        .next()
        .map(|link| {
            anyhow::Ok(LinkFile {
                name: intoto::link_name(key.public()),
                text: intoto::link_file(key.public(), &link)?,
            })
        })
        .transpose()?;
    let run = Run {
        target: about.target,
        file: &about.file.name,
        artifact: about.file.sha256,
        signer: &SignerId::key(&key.public().id()),
        time: about.finished,
        report: about.report,
    };
    store.add(&run, &bundles, link.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: &str = "2026-11-20T12:00:00Z";

    fn target() -> Target {
        let Ok(remint_model::Spec::Release {
            ecosystem,
            name,
            version: Some(version),
            file,
        }) = "npm:server@1.0.0".parse()
        else {
            unreachable!("it is a release")
        };
        Target {
            ecosystem,
            name,
            version,
            file,
        }
    }

    #[test]
    fn two_who_sign_at_once_are_both_listed() {
        const RUNS: usize = 12;
        let root = tempfile::tempdir().unwrap();
        let store = Store::at(root.path().join("shelf"));
        let file: FileName = "server-1.0.0.tgz".parse().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    let key = SigningKey::generate().unwrap();
                    let signer = SignerId::key(&key.public().id());
                    let log = store.log(&signer);
                    let signed = sign_with_key(&key, &[b"{}".to_vec()], &log).unwrap();
                    for _ in 0..RUNS {
                        let run = Run {
                            target: &target(),
                            file: &file,
                            artifact: Sha256::of(b"a"),
                            signer: &signer,
                            time: TIME.parse().unwrap(),
                            report: "{}",
                        };
                        let signed = [(StatementKind::Summary, signed[0].clone())];
                        store.add(&run, &signed, None).unwrap();
                    }
                });
            }
        });
        let folder = layout::artifact_folder(&target(), &file);
        let index = store.root().join(folder).join(layout::INDEX);
        assert_eq!(read_index(&index).unwrap().attestations.len(), 2 * RUNS);
    }

    #[test]
    fn a_bundle_that_was_put_and_not_listed_is_put_again_and_no_other() {
        let root = tempfile::tempdir().unwrap();
        let key = SigningKey::generate().unwrap();
        let log = LogDirectory::at(root.path().join("log"));
        let sign = |payload: &[u8]| {
            sign_with_key(&key, &[payload.to_vec()], &log)
                .unwrap()
                .remove(0)
        };
        let path = root.path().join("a.summary.sigstore.json");
        let (first, again, other) = (sign(b"{}"), sign(b"{}"), sign(b"{ }"));
        put_again(&path, &first).unwrap();
        put_again(&path, &again).unwrap();
        assert_eq!(fs_err::read_to_string(&path).unwrap(), again.text);
        put_again(&path, &other).unwrap_err();
        assert_eq!(fs_err::read_to_string(&path).unwrap(), again.text);
    }
}
