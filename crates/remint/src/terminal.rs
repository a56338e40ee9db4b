//! The only place that writes to standard output and standard error.

use std::io::Write as _;

use anyhow::Context as _;

/// Writes the answer to standard output. A reader that has gone away is no failure of ours; a full disk behind it is.
pub(crate) fn answer(text: &str) -> anyhow::Result<()> {
    let mut out = anstream::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot write the answer to standard output")
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Writes to standard error.
pub(crate) fn tell(text: &str) {
    let mut err = anstream::stderr().lock();
    if writeln!(err, "{text}").is_err() {
        // As above.
    }
}

/// Tells an error with its causes and what to do about it.
pub(crate) fn tell_error(error: &anyhow::Error, hint: Option<&str>) {
    let red = anstyle::AnsiColor::Red.on_default().bold();
    let mut text = format!("{red}error:{red:#} {error}");
    for cause in error.chain().skip(1) {
        text.extend(["\n  ", &cause.to_string()]);
    }
    if let Some(hint) = hint {
        text.extend(["\n  hint: ", hint]);
    }
    tell(&text);
}

/// The terminal's width, where standard output is one.
pub(crate) fn width() -> Option<usize> {
    terminal_size::terminal_size().map(|(width, _)| usize::from(width.0))
}
