//! Finding the source of releases in small repositories made here, reached through a user's `insteadOf`.

#![cfg(unix)]
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "fixtures are made with the git binary and give up loudly; a test names the one error that it wants"
)]

mod branches;
mod crates;
mod fixture;
mod hostile;
mod layout;
mod overrides;
mod publisher;
mod tags;
mod versions;
