//! An interpreter in the sandbox that answers about one pair of texts after another.

use std::io::Write;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use remint_sandbox::{Access, Bind, Command, Isolation, Limits, Owner};

const SCRIPT: &str = include_str!("likeness.py");

/// For one pair of texts, and for the interpreter to start.
const DEADLINE: Duration = Duration::from_secs(5);
/// For all of them; one that is asked later starts anew.
const LIFETIME: Duration = Duration::from_secs(120);
/// What two of the largest texts may need at the worst.
const MEMORY: u64 = 512 << 20;
/// How often is looked whether waiting still makes sense.
const GLANCE: Duration = Duration::from_millis(50);
/// No answer is as long.
const LONGEST_LINE: usize = 80;

/// What an interpreter says of two texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Same,
    SameButDocumentation,
    Other,
    /// It cannot parse one of them.
    Unparsed,
}

/// An interpreter that waits for questions. It ends when this is dropped.
pub(super) struct Session {
    questions: UnixStream,
    answers: Receiver<Vec<u8>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Session {
    /// `None` where nothing can be started here.
    pub(super) fn start(interpreter: &Path, isolation: Isolation) -> Option<Self> {
        let command = command(interpreter, isolation)?;
        let (questions, theirs) = UnixStream::pair().ok()?;
        // What is said comes through the log; nothing comes back this way.
        questions.shutdown(Shutdown::Read).ok()?;
        let (sender, answers) = channel();
        let stop = Arc::new(AtomicBool::new(false));
        let thread = {
            let stop = Arc::clone(&stop);
            std::thread::Builder::new()
                .name("python".to_owned())
                .spawn(move || {
                    let mut lines = Lines {
                        sender,
                        begun: Vec::new(),
                    };
                    // However it ends, there are no more answers, and that is all that there is to know.
                    let _ended =
                        remint_sandbox::run_with_input(&command, theirs.into(), &mut lines, &stop);
                })
                .ok()?
        };
        Some(Self {
            questions,
            answers,
            stop,
            thread: Some(thread),
        })
    }

    /// Whether it can still be asked.
    pub(super) fn is_there(&self) -> bool {
        self.thread
            .as_ref()
            .is_some_and(|thread| !thread.is_finished())
    }

    /// `None` where there is no answer in the time that is left, and then there will be none to any other question.
    pub(super) fn ask(
        &mut self,
        rebuilt: &[u8],
        published: &[u8],
        left: Duration,
        cancel: &AtomicBool,
    ) -> Option<Answer> {
        let asked = Instant::now();
        let write_patience = DEADLINE.min(left).max(GLANCE);
        self.questions
            .set_write_timeout(Some(write_patience))
            .ok()?;
        for text in [rebuilt, published] {
            let length = (text.len() as u64).to_be_bytes();
            self.questions.write_all(&length).ok()?;
            self.questions.write_all(text).ok()?;
        }
        loop {
            match self.answers.recv_timeout(GLANCE) {
                Ok(line) => {
                    return match line.as_slice() {
                        b"same" => Some(Answer::Same),
                        b"documentation" => Some(Answer::SameButDocumentation),
                        b"other" => Some(Answer::Other),
                        b"unparsed" => Some(Answer::Unparsed),
                        _ => None,
                    };
                }
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => {
                    if cancel.load(Ordering::Relaxed) || asked.elapsed() > DEADLINE.min(left) {
                        return None;
                    }
                }
            }
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // An interpreter that waits ends by itself, one that works is ended.
        let _gone = self.questions.shutdown(Shutdown::Write);
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

fn command(interpreter: &Path, isolation: Isolation) -> Option<Command> {
    let words = [
        interpreter.to_str()?,
        "-I",
        "-S",
        "-B",
        "-Wignore",
        "-c",
        SCRIPT,
    ];
    let mut command = Command::new(words, Owner::of_this_process().ok()?);
    command.isolation = isolation;
    // `<prefix>/bin/python3` finds its library beside it, and nowhere else if it was moved.
    let prefix = interpreter.parent()?.parent()?;
    prefix.parent()?;
    if prefix != Path::new("/usr") {
        command.binds.push(Bind {
            host: prefix.to_owned(),
            inside: prefix.to_owned(),
            access: Access::ReadOnly,
        });
    }
    command.limits = Limits {
        deadline: LIFETIME,
        memory: MEMORY,
        disk: 1 << 20,
        scratch: 1 << 20,
        processes: 16,
        log: 1 << 20,
        ..Limits::default()
    };
    Some(command)
}

/// Passes on whole lines.
struct Lines {
    sender: Sender<Vec<u8>>,
    begun: Vec<u8>,
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        for byte in bytes {
            if *byte != b'\n' && self.begun.len() < LONGEST_LINE {
                self.begun.push(*byte);
                continue;
            }
            // Nobody may be left who waits for it.
            let _unheard = self.sender.send(std::mem::take(&mut self.begun));
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_waits_longer_for_an_answer_than_there_is_time() {
        // Texts are taken, and nothing is said.
        let (questions, theirs) = UnixStream::pair().unwrap();
        let (_silent, answers) = channel();
        let mut session = Session {
            questions,
            answers,
            stop: Arc::default(),
            thread: None,
        };
        let asked = Instant::now();
        let left = Duration::from_millis(10);
        let said = session.ask(b"a", b"b", left, &AtomicBool::new(false));
        assert_eq!(said, None);
        assert!(asked.elapsed() < DEADLINE);
        // Nor are they taken.
        let large = vec![b' '; 4 << 20];
        let said = session.ask(&large, b"b", left, &AtomicBool::new(false));
        assert_eq!(said, None);
        assert!(asked.elapsed() < DEADLINE);
        drop(theirs);
    }

    #[test]
    fn lines_are_passed_on_whole_and_no_line_grows_without_end() {
        let (sender, answers) = channel();
        let mut lines = Lines {
            sender,
            begun: Vec::new(),
        };
        for part in [&b"sa"[..], b"me\nother\nun", &[b'x'; 200]] {
            lines.write_all(part).unwrap();
        }
        drop(lines);
        let heard: Vec<Vec<u8>> = answers.iter().collect();
        assert_eq!(heard[..2], [b"same".to_vec(), b"other".to_vec()]);
        assert!(heard[2..].iter().all(|line| line.len() <= LONGEST_LINE));
    }
}
