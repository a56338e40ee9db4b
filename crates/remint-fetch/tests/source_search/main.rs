//! Finding the source of releases in small repositories made here, reached through a user's `insteadOf`.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::panic,
    reason = "fixtures are made with the git binary, and may give up loudly"
)]

mod fixture;
mod hostile;
mod layout;
mod overrides;
mod publisher;
mod tags;
mod versions;
