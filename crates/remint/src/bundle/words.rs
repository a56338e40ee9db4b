//! What is told of a bundle beside its findings.

use remint_ecosystem::mcpb::bundled::Attribution;
use remint_model::{Bundle, BundleSignature};

use crate::report::count_words;

/// What looking up the packages came to, in one line.
pub(super) fn attribution(found: &Attribution) -> String {
    let files: usize = found.packages.iter().map(|package| package.files).sum();
    format!(
        "{} of {} accounted for, {} not",
        count_words(files, "file"),
        count_words(found.packages.len(), "package"),
        found.unattributed.len()
    )
}

/// Who signed, what is inside, and what its packages leave out.
pub(crate) fn notes(bundle: &Bundle) -> Vec<String> {
    let files: usize = bundle.packages.iter().map(|package| package.files).sum();
    let mut notes = vec![signature(&bundle.signature)];
    if !bundle.packages.is_empty() {
        notes.push(format!(
            "{} of {} are the registry's, byte for byte; {} have to come from the source",
            count_words(files, "file"),
            count_words(bundle.packages.len(), "package"),
            count_words(bundle.own, "file")
        ));
    }
    let left_out: usize = bundle.packages.iter().map(|package| package.left_out).sum();
    if left_out > 0 {
        notes.push(format!(
            "{} of these packages are left out of the bundle",
            count_words(left_out, "file")
        ));
    }
    notes
}

fn signature(signature: &BundleSignature) -> String {
    match signature {
        BundleSignature::Absent => "the bundle is not signed".to_owned(),
        BundleSignature::Malformed(why) => {
            format!("what stands after the bundle's end is no signature: {why}")
        }
        BundleSignature::NotVerified(why) => {
            format!("the bundle is signed, and the signature could not be verified: {why}")
        }
        BundleSignature::Invalid(why) => format!("the bundle's signature does not hold: {why}"),
        BundleSignature::Valid(signer) => {
            let vouched = if signer.self_signed {
                "by a certificate that vouches for itself: anybody can make one in this name"
                    .to_owned()
            } else {
                format!(
                    "by a certificate of {} ({} of its chain inside); whether that is to be trusted was not asked",
                    signer.issuer,
                    count_words(signer.chain, "certificate")
                )
            };
            format!("signed as `{}`, {vouched}", signer.subject)
        }
    }
}
