//! Platforms as container runtimes compare them (containerd, `platforms.Normalize`): several spellings mean one.

/// `system/processor` or `system/processor/variant`.
pub(super) fn normalised(system: &str, processor: &str, variant: Option<&str>) -> String {
    let system = system.to_ascii_lowercase();
    let system = match &*system {
        // Runtimes take that of their own machine.
        "" => "linux",
        "macos" => "darwin",
        system => system,
    };
    let processor = processor.to_ascii_lowercase();
    let variant = variant.unwrap_or_default().to_ascii_lowercase();
    let (processor, variant) = match (&*processor, &*variant) {
        ("i386", _) => ("386", ""),
        ("amd64" | "x86_64" | "x86-64", "v1") => ("amd64", ""),
        ("amd64" | "x86_64" | "x86-64", variant) => ("amd64", variant),
        ("arm64" | "aarch64", "8" | "v8" | "v8.0") => ("arm64", ""),
        ("arm64" | "aarch64", "9" | "9.0" | "v9.0") => ("arm64", "v9"),
        ("arm64" | "aarch64", variant) => ("arm64", variant),
        ("armhf", _) | ("arm", "" | "7") => ("arm", "v7"),
        ("armel", _) | ("arm", "6") => ("arm", "v6"),
        ("arm", "5") => ("arm", "v5"),
        ("arm", "8") => ("arm", "v8"),
        (processor, variant) => (processor, variant),
    };
    match variant {
        "" => format!("{system}/{processor}"),
        variant => format!("{system}/{processor}/{variant}"),
    }
}

/// Whether a normalised platform is one that somebody wants. Without a variant all of them are meant.
#[must_use]
pub fn is_for(stated: &str, wanted: &str) -> bool {
    let mut parts = wanted.splitn(3, '/');
    let (system, processor) = (parts.next(), parts.next().unwrap_or_default());
    let variant = parts.next();
    let whole = normalised(system.unwrap_or_default(), processor, variant);
    let wanted = match whole.rsplit_once('/') {
        Some((all, _)) if variant.is_none() && processor.eq_ignore_ascii_case("arm") => all,
        Some(_) | None => &*whole,
    };
    stated
        .strip_prefix(wanted)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_platform_are_one() {
        let check = |(system, processor, variant): (&str, &str, &str), expect: &str| {
            let variant = Some(variant).filter(|variant| !variant.is_empty());
            assert_eq!(normalised(system, processor, variant), expect);
        };
        for processor in ["amd64", "x86_64", "x86-64", "X86_64"] {
            check(("linux", processor, ""), "linux/amd64");
            check(("Linux", processor, "V1"), "linux/amd64");
        }
        check(("linux", "amd64", "v3"), "linux/amd64/v3");
        check(("", "aarch64", "8"), "linux/arm64");
        check(("linux", "arm64", "v8"), "linux/arm64");
        check(("linux", "arm", ""), "linux/arm/v7");
        check(("linux", "armel", ""), "linux/arm/v6");
        check(("linux", "i386", "x"), "linux/386");
        check(("macos", "arm64", ""), "darwin/arm64");
        check(("linux", "s390x", ""), "linux/s390x");
        check(("unknown", "unknown", ""), "unknown/unknown");
    }

    #[test]
    fn variants_stand_for_their_platform() {
        for (stated, wanted, expect) in [
            ("linux/amd64", "linux/amd64", true),
            ("linux/amd64", "linux/x86_64", true),
            ("linux/amd64/v3", "linux/amd64", true),
            ("linux/amd64", "linux/amd64/v3", false),
            ("linux/arm64", "linux/arm64/v8", true),
            ("linux/arm/v7", "linux/arm", true),
            ("linux/arm/v6", "linux/arm", true),
            ("linux/arm/v6", "linux/arm/v7", false),
            ("linux/arm64", "linux/arm", false),
            ("windows/amd64", "linux/amd64", false),
        ] {
            assert_eq!(is_for(stated, wanted), expect, "{stated} {wanted}");
        }
    }
}
