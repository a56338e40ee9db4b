//! Why two builds of one source differ, found out by trying: one condition at a time is changed, until one makes a
//! file come out otherwise that the first build had made.

use std::collections::BTreeMap;

use remint_model::{BuildOutcome, Difference, EntryPath};
use serde::{Serialize, Serializer};

use super::conditions::{self, Condition, Variation, shows};
use super::telltales::{self, Place};
use super::{Examination, Held, hold};
use crate::pipeline::Rebuild;

/// How many files of the source are searched for a cause, and how many bytes of them.
const SEARCHED: (usize, u64) = (4000, 32 << 20);

/// What makes a file come out otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// This condition.
    Condition(Condition),
    /// None that is known: it differs also from one build to the next under the same conditions.
    Chance,
}

impl Cause {
    /// What to do about it.
    pub(crate) const fn fix(self) -> &'static str {
        match self {
            Self::Condition(Condition::Clock) => {
                "use SOURCE_DATE_EPOCH, which npm, tsc and esbuild leave to your script"
            }
            Self::Condition(Condition::BuildPath) => {
                "write paths relative to the package's folder, or none"
            }
            Self::Condition(Condition::DirectoryOrder) => {
                "sort what a directory lists before it is used"
            }
            Self::Condition(Condition::User) => {
                "leave the user's name, number and home directory out of what is published"
            }
            Self::Condition(Condition::HostName) => {
                "leave the host's name out of what is published"
            }
            Self::Condition(Condition::Locale) => {
                "name the language where text is formatted, and sort by code points"
            }
            Self::Condition(Condition::TimeZone) => "format times in UTC",
            Self::Condition(Condition::Processors) => {
                "let the number of processors decide how fast, not what is written"
            }
            Self::Condition(Condition::Umask) => {
                "set the modes of generated files, and write none of them down"
            }
            Self::Chance => {
                "derive it from the content, such as a digest, and put results that come in any order in one order"
            }
        }
    }
}

impl Serialize for Cause {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Condition(condition) => condition.serialize(serializer),
            Self::Chance => serializer.serialize_str("chance"),
        }
    }
}

/// A difference between two builds, as far as its cause was found.
#[derive(Debug, Clone)]
pub(crate) struct Diagnosed {
    /// What differs; `-` is the first build, `+` the other one.
    pub(crate) difference: Difference,
    /// Why, where trying found it out.
    pub(crate) cause: Option<Cause>,
    /// Whether what differs shows the condition itself.
    pub(crate) shown: bool,
    /// Where that may come from.
    pub(crate) places: Vec<Place>,
}

impl Diagnosed {
    /// The cause for people.
    pub(crate) fn words(&self) -> String {
        let what = match self.cause {
            None => return "the cause was not found".to_owned(),
            Some(Cause::Chance) => {
                return "comes out otherwise every time, under the same conditions".to_owned();
            }
            Some(Cause::Condition(condition)) => match condition {
                Condition::Clock => "the time of the build",
                Condition::BuildPath => "the directory of the build",
                Condition::DirectoryOrder => "the order in which directories list files",
                Condition::User => "the user who builds",
                Condition::HostName => "the name of the host",
                Condition::Locale => "the language of the machine",
                Condition::TimeZone => "the time zone",
                Condition::Processors => "the number of processors",
                Condition::Umask => "the umask",
            },
        };
        if self.shown {
            format!("embeds {what}")
        } else {
            format!("depends on {what}")
        }
    }
}

/// The lines of the first build, and those of the other.
fn sides(difference: &Difference) -> (String, String) {
    let mut sides = (String::new(), String::new());
    for line in difference.hunks.iter().flat_map(|hunk| hunk.lines()) {
        let side = match line.chars().next() {
            Some('-') => &mut sides.0,
            Some('+') => &mut sides.1,
            Some(_) | None => continue,
        };
        side.push_str(line.get(1..).unwrap_or_default());
        side.push('\n');
    }
    sides
}

/// Finds the causes by building again, with one condition changed at a time.
///
/// # Errors
/// This machine could not build.
pub(super) async fn diagnose(
    examination: &Examination<'_>,
    rebuild: &Rebuild,
    varied: &[Variation],
    differences: Vec<Difference>,
) -> anyhow::Result<Vec<Diagnosed>> {
    let now = examination.builder.settings.now;
    let texts: Vec<(String, String)> = differences.iter().map(sides).collect();
    let shows_in = |condition, at: usize| {
        texts
            .get(at)
            .is_some_and(|(first, second)| shows(condition, first, second, now))
    };
    let mut causes: Vec<Option<Cause>> = vec![None; differences.len()];
    if examination.quick {
        for (at, cause) in causes.iter_mut().enumerate() {
            *cause = varied
                .iter()
                .map(|variation| variation.condition)
                .find(|condition| shows_in(*condition, at))
                .map(Cause::Condition);
        }
    } else {
        let mut suspects: Vec<&Variation> = varied.iter().collect();
        suspects.sort_by_key(|suspect| {
            !(0..differences.len()).any(|at| shows_in(suspect.condition, at))
        });
        for suspect in suspects {
            if causes.iter().all(Option::is_some) {
                break;
            }
            let name = suspect.condition.words();
            let Some(held) = again(examination, rebuild, Some(suspect), name).await? else {
                continue;
            };
            for (cause, difference) in causes.iter_mut().zip(&differences) {
                if cause.is_none() && held.differs_in(&difference.path) {
                    *cause = Some(Cause::Condition(suspect.condition));
                }
            }
        }
        let unsure = |at: usize, cause: Option<Cause>| match cause {
            Some(Cause::Condition(condition)) => !shows_in(condition, at),
            Some(Cause::Chance) | None => true,
        };
        // What differs without any change would have differed with each.
        if causes
            .iter()
            .enumerate()
            .any(|(at, cause)| unsure(at, *cause))
            && let Some(held) = again(examination, rebuild, None, "nothing").await?
        {
            for (at, cause) in causes.iter_mut().enumerate() {
                let differs = differences
                    .get(at)
                    .is_some_and(|difference| held.differs_in(&difference.path));
                if differs && unsure(at, *cause) {
                    *cause = Some(Cause::Chance);
                }
            }
        }
    }
    let files = if causes.iter().any(Option::is_some) {
        committed(rebuild)
    } else {
        BTreeMap::new()
    };
    Ok(differences
        .into_iter()
        .zip(causes)
        .enumerate()
        .map(|(at, (difference, cause))| Diagnosed {
            places: cause.map_or_else(Vec::new, |cause| {
                let files = files.iter().map(|(path, text)| (path, text.as_str()));
                telltales::places(cause, &difference.path, files)
            }),
            shown: match cause {
                Some(Cause::Condition(condition)) => shows_in(condition, at),
                Some(Cause::Chance) | None => false,
            },
            difference,
            cause,
        })
        .collect())
}

/// The condition alone that makes a build fail, if one does.
///
/// # Errors
/// This machine could not build.
pub(super) async fn why_it_fails(
    examination: &Examination<'_>,
    rebuild: &Rebuild,
    varied: &[Variation],
) -> anyhow::Result<Option<Condition>> {
    if examination.quick {
        return Ok(None);
    }
    for suspect in varied {
        let name = suspect.condition.words();
        let built = build(examination, rebuild, Some(suspect), name).await?;
        if matches!(built, BuildOutcome::Failed(_)) {
            return Ok(Some(suspect.condition));
        }
    }
    Ok(None)
}

/// What one more build differs in from the first; `None` where it made nothing.
async fn again(
    examination: &Examination<'_>,
    rebuild: &Rebuild,
    suspect: Option<&Variation>,
    name: &str,
) -> anyhow::Result<Option<Held>> {
    let stage = examination
        .progress
        .begin("diagnose", &format!("one more build, changed: {name}"));
    let executed = examination
        .execute(
            &rebuild.plan,
            rebuild,
            conditions::conditions(suspect),
            &stage,
        )
        .await?;
    let held = match &executed.outcome {
        BuildOutcome::Built(other) => hold(other, &rebuild.artifact).await?.ok(),
        BuildOutcome::Failed(_) => None,
    };
    stage.end(&match &held {
        Some(held) if held.differences.is_empty() => format!("{name}: no difference"),
        Some(held) => format!("{name}: {} differ", held.differences.len()),
        None => format!("{name}: made nothing"),
    });
    Ok(held)
}

async fn build(
    examination: &Examination<'_>,
    rebuild: &Rebuild,
    suspect: Option<&Variation>,
    name: &str,
) -> anyhow::Result<BuildOutcome> {
    let stage = examination
        .progress
        .begin("diagnose", &format!("one more build, changed: {name}"));
    let executed = examination
        .execute(
            &rebuild.plan,
            rebuild,
            conditions::conditions(suspect),
            &stage,
        )
        .await?;
    stage.end(name);
    Ok(executed.outcome)
}

/// The code of the source as it was committed, as far as the build left it so.
fn committed(rebuild: &Rebuild) -> BTreeMap<EntryPath, String> {
    let mut room = SEARCHED.1;
    let mut files = BTreeMap::new();
    let code = rebuild
        .found
        .tree
        .entries
        .iter()
        .filter(|(path, _)| telltales::is_code(path));
    for (path, entry) in code.take(SEARCHED.0) {
        let Some(content) = rebuild.workspace.read_committed(path, telltales::LARGEST) else {
            continue;
        };
        let Some(left) = room.checked_sub(content.len() as u64) else {
            break;
        };
        room = left;
        if remint_model::CommitId::of_blob(&content) == entry.blob
            && let Ok(text) = String::from_utf8(content)
        {
            files.insert(path.clone(), text);
        }
    }
    files
}

impl Held {
    fn differs_in(&self, path: &EntryPath) -> bool {
        self.differences
            .iter()
            .any(|difference| difference.path == *path)
    }
}
