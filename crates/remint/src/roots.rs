//! Whose certificates count for signers that are known by identity.

use std::path::PathBuf;

use anyhow::Context as _;
use remint_attest::{Instance, TrustRoot};
use remint_fetch::trusted_root::embedded_is_old;

use crate::failure::Usage;
use crate::settings::Settings;
use crate::terminal;

/// The root that the user names, or what was fetched last, or the one that is part of this program.
///
/// # Errors
/// It cannot be used.
pub(crate) fn for_identities(
    named: Option<&PathBuf>,
    settings: &Settings,
) -> anyhow::Result<TrustRoot> {
    // What `remint trust update` fetched last.
    let updated = settings.trusted_root.as_ref();
    let path = named.or_else(|| updated.filter(|path| path.is_file()));
    match path {
        Some(path) => fs_err::read_to_string(path)
            .map_err(anyhow::Error::from)
            .and_then(|json| Ok(TrustRoot::parse(&json)?))
            .with_context(|| {
                Usage(format!(
                    "the trusted root `{}` cannot be used",
                    path.display()
                ))
            }),
        None => {
            if embedded_is_old(settings.now) {
                terminal::tell(
                    "the trusted root that is part of this program is old; `remint trust update` fetches a newer one",
                );
            }
            Ok(TrustRoot::embedded(Instance::PublicGood)?)
        }
    }
}
