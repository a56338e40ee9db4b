//! Whether a program differs from another only by a signature that was put into it when it was built. Who signed, and
//! whether the signature holds, is not looked at.

use remint_model::ProgramSignature;

mod authenticode;
mod code_signature;

/// The kind of signature by which alone `published` differs from `built`, if there is one.
#[must_use]
pub fn only_signed(published: &[u8], built: &[u8]) -> Option<ProgramSignature> {
    if authenticode::is_signed_copy(published, built) {
        Some(ProgramSignature::Authenticode)
    } else if code_signature::is_signed_copy(published, built) {
        Some(ProgramSignature::CodeSignature)
    } else {
        None
    }
}
