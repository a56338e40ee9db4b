//! What keeps a bundle from being verified although its own files are the source's.

use remint_model::{Bundle, Ecosystem, InconclusiveReason, Unattributed};

use crate::evidence::Evidence;

/// What of a bundle is not accounted for, the gravest first.
pub(crate) fn unaccounted(evidence: &Evidence) -> Option<(InconclusiveReason, String)> {
    let Some(bundle) = &evidence.bundle else {
        // A bundle whose files nobody looked at is not verified.
        return (evidence.target.ecosystem == Ecosystem::Mcpb).then(|| {
            let detail = "what the bundle holds was not looked at";
            (InconclusiveReason::Unsupported, detail.to_owned())
        });
    };
    unattributed(bundle).or_else(|| unpinned(bundle))
}

fn unattributed(bundle: &Bundle) -> Option<(InconclusiveReason, String)> {
    let first = |is: fn(Unattributed) -> bool| {
        let files = bundle.unattributed.iter();
        let mut files = files.filter(|file| is(file.reason));
        let first = files.next()?;
        Some((first, files.count() + 1))
    };
    let words = |path: &dyn std::fmt::Display, count: usize, detail: &str| match count {
        1 => format!("`{path}` is not accounted for: {detail}"),
        n => format!(
            "`{path}` and {} more files are not accounted for: {detail}",
            n - 1
        ),
    };
    type Kind = (fn(Unattributed) -> bool, InconclusiveReason);
    let kinds: [Kind; 3] = [
        (Unattributed::is_known, InconclusiveReason::NoSource),
        (
            |reason| reason == Unattributed::Unreachable,
            InconclusiveReason::Unavailable,
        ),
        (
            |reason| reason == Unattributed::BeyondLimits,
            InconclusiveReason::Unsupported,
        ),
    ];
    kinds.into_iter().find_map(|(is, reason)| {
        let (file, count) = first(is)?;
        Some((reason, words(&file.path, count, &file.detail)))
    })
}

fn unpinned(bundle: &Bundle) -> Option<(InconclusiveReason, String)> {
    if let Some(first) = bundle.lock_disagreements.first() {
        return Some((
            InconclusiveReason::NoSource,
            format!(
                "nothing of the source says that {} belongs into the bundle: {}, {}",
                first.package, first.lockfile, first.detail
            ),
        ));
    }
    let ecosystem = bundle.unlocked?;
    Some((
        InconclusiveReason::NoSource,
        format!(
            "the source has no lockfile that says which {ecosystem} packages belong into the bundle"
        ),
    ))
}
