//! Asks a Python interpreter of this machine whether two texts have the same syntax tree. The interpreter only parses,
//! and does so in a sandbox: the texts are hostile, and parsers are programs like others.
//!
//! An answer only ever explains a difference. So whatever keeps the interpreter from answering (there is none, no
//! sandbox can be had, a text is too large or takes too long) is no error: the difference stays unexplained.

mod session;

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use remint_compare::{PythonLikeness, PythonSyntax};
use remint_sandbox::Isolation;

use crate::build::isolation;
use crate::settings::Settings;
use session::{Answer, Session};

/// The largest text that is parsed, in bytes. Of modules that people install, about one in 2,500 is larger, and that one
/// holds tables. Two texts of this size may take half a gibibyte once they are trees.
const LARGEST: usize = 512 << 10;
/// For all pairs of one comparison.
const PATIENCE: Duration = Duration::from_secs(10);

/// Finding the newest interpreter starts every one of this machine, so it is only asked for where the first one on the
/// path does not understand what is written there.
pub(crate) fn syntax(
    settings: &Settings,
    cancel: Arc<AtomicBool>,
    newest: impl Fn() -> Option<PathBuf> + Send + Sync + 'static,
) -> PythonSyntax {
    let user = settings.user.clone();
    let first = move || remint_fetch::first_interpreter(&user);
    let other = {
        let first = first.clone();
        move || newest().filter(|newest| first().as_ref() != Some(newest))
    };
    let parsers = Arc::new(Mutex::new(Parsers {
        first: Parser::Unknown(Box::new(first)),
        newest: Parser::Unknown(Box::new(other)),
        isolation: isolation(settings),
        cancel,
        left: PATIENCE,
    }));
    let early = Arc::clone(&parsers);
    PythonSyntax::new(move |rebuilt, published| {
        if !is_worth_parsing(rebuilt, published) {
            return None;
        }
        let mut parsers = parsers.lock().unwrap_or_else(PoisonError::into_inner);
        match parsers.ask(rebuilt, published)? {
            Answer::Same => Some(PythonLikeness::SameTree),
            Answer::SameButDocumentation => Some(PythonLikeness::SameButDocumentation),
            Answer::Other | Answer::Unparsed => None,
        }
    })
    .prepared_by(move || {
        let mut parsers = early.lock().unwrap_or_else(PoisonError::into_inner);
        let isolation = parsers.isolation;
        // Whether there is one is asked again with the first question.
        let _started = parsers.first.session(isolation).is_some();
    })
}

fn is_worth_parsing(rebuilt: &[u8], published: &[u8]) -> bool {
    rebuilt.len().max(published.len()) <= LARGEST
}

struct Parsers {
    first: Parser,
    newest: Parser,
    isolation: Isolation,
    cancel: Arc<AtomicBool>,
    /// What may still be spent.
    left: Duration,
}

impl Parsers {
    fn ask(&mut self, rebuilt: &[u8], published: &[u8]) -> Option<Answer> {
        let started = Instant::now();
        let mut said = None;
        for parser in [&mut self.first, &mut self.newest] {
            if !matches!(said, None | Some(Answer::Unparsed)) || started.elapsed() >= self.left {
                break;
            }
            if let Some(session) = parser.session(self.isolation) {
                let left = self.left.saturating_sub(started.elapsed());
                said = session.ask(rebuilt, published, left, &self.cancel);
                if said.is_none() {
                    parser.forget_session();
                }
            }
        }
        self.left = self.left.saturating_sub(started.elapsed());
        said
    }
}

/// One interpreter.
enum Parser {
    /// Nobody has looked for it yet.
    Unknown(Box<dyn Fn() -> Option<PathBuf> + Send + Sync>),
    Known(PathBuf, Option<Session>),
    /// There is none, or it cannot be started.
    Missing,
}

impl Parser {
    /// An interpreter that can be asked.
    fn session(&mut self, isolation: Isolation) -> Option<&mut Session> {
        if let Self::Unknown(find) = self {
            *self = find().map_or(Self::Missing, |path| Self::Known(path, None));
        }
        if let Self::Known(path, session) = self
            && !session.as_ref().is_some_and(Session::is_there)
        {
            *session = Session::start(path, isolation);
            if session.is_none() {
                *self = Self::Missing;
            }
        }
        match self {
            Self::Known(_, session) => session.as_mut(),
            Self::Unknown(_) | Self::Missing => None,
        }
    }

    fn forget_session(&mut self) {
        if let Self::Known(_, session) = self {
            *session = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_become_very_large_trees_are_not_parsed() {
        let text = "a,".repeat(LARGEST / 2);
        assert!(is_worth_parsing(text.as_bytes(), b"a"));
        let longer = text + "a";
        assert!(!is_worth_parsing(longer.as_bytes(), b"a"));
        assert!(!is_worth_parsing(b"a", longer.as_bytes()));
    }
}
