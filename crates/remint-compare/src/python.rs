//! How comparing learns whether two Python texts are one program. Python's grammar changes with each version, and
//! nothing parses it as surely as an interpreter; this crate runs none, so whoever compares brings the answer along.

use std::sync::Arc;

/// What two Python texts have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PythonLikeness {
    /// The same syntax tree: what differs is formatting or comments.
    SameTree,
    /// The same syntax tree but for documentation strings, which a program can read.
    SameButDocumentation,
}

/// Answers for the rebuilt and the published text; `None` where they have neither in common, where one is no Python,
/// and where it could not be found out.
#[derive(Clone)]
pub struct PythonSyntax {
    answer: Arc<Answer>,
    prepare: Arc<Prepare>,
}

type Answer = dyn Fn(&[u8], &[u8]) -> Option<PythonLikeness> + Send + Sync;
type Prepare = dyn Fn() + Send + Sync;

impl PythonSyntax {
    /// With this answer for each pair of texts. It is asked from one thread, about few files.
    pub fn new(
        answer: impl Fn(&[u8], &[u8]) -> Option<PythonLikeness> + Send + Sync + 'static,
    ) -> Self {
        Self {
            answer: Arc::new(answer),
            prepare: Arc::new(|| {}),
        }
    }

    /// With what is to be done as soon as a question may follow. It is done while other things go on, and changes no answer.
    #[must_use]
    pub fn prepared_by(self, prepare: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            prepare: Arc::new(prepare),
            ..self
        }
    }

    pub(crate) fn prepare(&self) {
        (self.prepare)();
    }

    pub(crate) fn likeness(&self, rebuilt: &[u8], published: &[u8]) -> Option<PythonLikeness> {
        (self.answer)(rebuilt, published)
    }
}

impl std::fmt::Debug for PythonSyntax {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("PythonSyntax")
    }
}
