//! `remint explain`: the pages of `docs/checks/`, in the program.

use crate::cli::Explain;
use crate::exit::Exit;
use crate::terminal;

macro_rules! page {
    ($id:literal) => {
        (
            $id,
            include_str!(concat!("../../../../docs/checks/", $id, ".md")),
        )
    };
}

/// Every id that a report can show, with its page.
pub(crate) const PAGES: &[(&str, &str)] = &[
    page!("another-release"),
    page!("artifact-differs"),
    page!("artifact-mismatch"),
    page!("attestation-stale"),
    page!("attested-failed"),
    page!("backend-version"),
    page!("bin-modes"),
    page!("build-consumes-published"),
    page!("build-fails"),
    page!("build-needs-network"),
    page!("build-order"),
    page!("build-path"),
    page!("build-settings"),
    page!("builds-differ"),
    page!("bundle-malformed"),
    page!("bundle-runs-remote-code"),
    page!("bundle-signature"),
    page!("bundle-signature-invalid"),
    page!("bundle-signature-unverified"),
    page!("bundle-unsupported"),
    page!("bundled-file-unattributed"),
    page!("bundled-package-unlocked"),
    page!("cargo-manifest-encoding"),
    page!("case-twins"),
    page!("certificate-expired"),
    page!("certificate-invalid"),
    page!("checkpoint-invalid"),
    page!("checksum-database-invalid"),
    page!("checksum-unconfirmed"),
    page!("claims-disagree"),
    page!("clock-disagrees"),
    page!("commit-off-main"),
    page!("commit-unreachable"),
    page!("core-metadata-line-ends"),
    page!("dependency-digest-mismatch"),
    page!("directory-entries"),
    page!("duplicate-entry"),
    page!("entry-order"),
    page!("erasure-not-accepted"),
    page!("file-directory-clash"),
    page!("foreign-top-folder"),
    page!("gap-bytes"),
    page!("gzip-encoding"),
    page!("header-disagreement"),
    page!("hidden-characters"),
    page!("host-surroundings"),
    page!("identity-mismatch"),
    page!("image-base-mismatch"),
    page!("image-file-unattributed"),
    page!("image-layer-anomaly"),
    page!("image-runs-as-root"),
    page!("image-runs-remote-code"),
    page!("image-secret-in-environment"),
    page!("image-setuid-file"),
    page!("inclusion-invalid"),
    page!("inclusion-missing"),
    page!("integrity-mismatch"),
    page!("integrity-not-declared"),
    page!("integrity-weak"),
    page!("isolation-too-weak"),
    page!("issuer-mismatch"),
    page!("key-mismatch"),
    page!("link-entry"),
    page!("linker-flags"),
    page!("log-entry-mismatch"),
    page!("log-unknown"),
    page!("malformed"),
    page!("mode-bits"),
    page!("module-modes"),
    page!("name-stamp"),
    page!("name-stamped"),
    page!("native-companions"),
    page!("native-toolchain"),
    page!("no-source"),
    page!("not-built"),
    page!("not-found"),
    page!("opaque-native-code"),
    page!("out-of-scope"),
    page!("owners"),
    page!("path-traversal"),
    page!("predicate-unexpected"),
    page!("prefix-bytes"),
    page!("previous-repository-silent"),
    page!("provenance-dropped"),
    page!("provenance-invalid"),
    page!("provenance-source-disagrees"),
    page!("provenance-unavailable"),
    page!("provenance-unreadable"),
    page!("published-manifest-unreadable"),
    page!("record-mismatch"),
    page!("registry-manifest-disagrees"),
    page!("release-steps"),
    page!("repository-changed"),
    page!("repository-claims-disagree"),
    page!("resolved-as-of"),
    page!("sbom-identity"),
    page!("sdist-only"),
    page!("seeded-from-published"),
    page!("seeded-lockfile"),
    page!("setuptools-sdist-metadata"),
    page!("signature-invalid"),
    page!("signer-expired"),
    page!("signer-mismatch"),
    page!("signer-revoked"),
    page!("signer-unknown"),
    page!("source-hints-disagree"),
    page!("source-manifest-unreadable"),
    page!("source-map-paths"),
    page!("special-file"),
    page!("special-mode-bits"),
    page!("statement-malformed"),
    page!("substitute-dependency"),
    page!("substitute-interpreter"),
    page!("suffix-bytes"),
    page!("tar-header-encoding"),
    page!("threshold-not-met"),
    page!("time-unproven"),
    page!("timestamp-invalid"),
    page!("timestamp-missing"),
    page!("timestamps"),
    page!("toolchain-guess"),
    page!("top-folder"),
    page!("trailing-gzip-member"),
    page!("trust-root-invalid"),
    page!("unavailable"),
    page!("uncommitted-file"),
    page!("undeclared-dependency"),
    page!("undeclared-install-hook"),
    page!("unexpected-network-access"),
    page!("unreadable-entry"),
    page!("unsupported"),
    page!("version-stamp"),
    page!("version-stamped"),
    page!("wheel-generator"),
    page!("wheel-record"),
    page!("windows-line-ends"),
    page!("workflow-step"),
    page!("zip-metadata"),
];

/// Prints the page of an id, or the list of ids.
pub(crate) fn run(arguments: &Explain) -> anyhow::Result<Exit> {
    let Some(wanted) = &arguments.id else {
        terminal::answer(&list())?;
        return Ok(Exit::Verified);
    };
    match PAGES.iter().find(|(id, _)| id == wanted) {
        Some((_, page)) => {
            terminal::answer(page)?;
            Ok(Exit::Verified)
        }
        None => {
            let near = PAGES
                .iter()
                .map(|(id, _)| (strsim::jaro_winkler(id, wanted), *id))
                .filter(|(likeness, _)| *likeness > 0.8)
                .max_by(|one, other| one.0.total_cmp(&other.0))
                .map(|(_, id)| format!("did you mean `{id}`?"));
            let hint = near.unwrap_or_else(|| "`remint explain` lists every id".to_owned());
            terminal::tell_error(&anyhow::anyhow!("there is no id `{wanted}`"), Some(&hint));
            Ok(Exit::Usage)
        }
    }
}

fn list() -> String {
    let mut text = String::new();
    for (id, page) in PAGES {
        let about = page.lines().nth(2).unwrap_or_default();
        text.extend([format!("{id:<30} {about}\n")]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::PAGES;

    #[test]
    fn every_finding_has_a_page() {
        for check in remint_judge::checks::ALL {
            for id in check.ids {
                assert!(
                    PAGES.iter().any(|(known, _)| known == id),
                    "no page for {id}"
                );
            }
        }
        for id in remint_judge::IMAGE_FINDINGS {
            assert!(
                PAGES.iter().any(|(known, _)| known == id),
                "no page for {id}"
            );
        }
    }

    #[test]
    fn every_refusal_has_a_page() {
        let refusals = remint_attest::RefusalReason::ALL.iter();
        let ids = refusals.map(|reason| reason.id());
        for id in ids.chain([crate::report::attestation::ATTESTED_FAILED]) {
            assert!(
                PAGES.iter().any(|(known, _)| *known == id),
                "no page for {id}"
            );
        }
    }

    #[test]
    fn every_erasure_has_a_page() {
        for normaliser in remint_compare::normalise::ALL {
            let id = normaliser.id;
            assert!(
                PAGES.iter().any(|(known, _)| *known == id),
                "no page for {id}"
            );
        }
    }
}
