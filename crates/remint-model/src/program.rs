//! What `go build` writes into every program: how it was made, as `go version -m` shows it (`BuildInfo` of
//! `runtime/debug`). All of it is a claim of the program's about itself.

/// What a program of Go says about how it was built.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GoBuildInfo {
    /// The toolchain: `go1.26.8`.
    pub go_version: String,
    /// The import path of the main package.
    pub package: String,
    /// The module that the main package is in; `None` where it was built outside of any.
    pub main: Option<GoModuleVersion>,
    /// The modules that were linked in.
    pub dependencies: Vec<GoDependency>,
    /// The settings of the build, in the order of the file: flags (`-trimpath`), variables (`GOOS`) and what version
    /// control said (`vcs.revision`).
    pub settings: Vec<(String, String)>,
    /// The four hashes by which go tells whether something has to be built again, where the linker was not told to
    /// write others: inputs of the link, inputs of the main package, the compiled main package, the program.
    pub build_id: Option<String>,
    /// What is left of the names for debuggers.
    pub debugging: Debugging,
    /// The moments that occur as text (RFC 3339, UTC), as the linker's `-X` writes them; hostile text.
    pub moments: Vec<String>,
}

impl GoBuildInfo {
    /// A setting of the build.
    #[must_use]
    pub fn setting(&self, key: &str) -> Option<&str> {
        self.settings
            .iter()
            .find(|(known, _)| known == key)
            .map(|(_, value)| value.as_str())
    }

    /// Whether another program was compiled from the same inputs to the same main package, and linked from other
    /// inputs or with other flags, as far as the two build ids say.
    ///
    /// A build id is not bound to what it stands in: it can say why honest programs differ, and nothing more.
    #[must_use]
    pub fn says_it_was_linked_otherwise(&self, other: &Self) -> bool {
        let (Some(own), Some(other)) = (self.hashes(), other.hashes()) else {
            // A program without one was linked with a flag that says so.
            return self.build_id.is_none();
        };
        own.0 != other.0 && own.1 == other.1 && own.2 == other.2
    }

    /// Whether another program was compiled from the same inputs and linked from the same with the same flags, as far as
    /// the two build ids say: then nothing honest is left that could make them differ.
    #[must_use]
    pub fn says_it_was_built_alike(&self, other: &Self) -> bool {
        self.hashes().is_some_and(|own| Some(own) == other.hashes())
    }

    /// The inputs of the link, those of the main package, and the compiled main package.
    fn hashes(&self) -> Option<(&str, &str, &str)> {
        let mut parts = self.build_id.as_deref()?.split('/');
        let found = (parts.next()?, parts.next()?, parts.next()?);
        (parts.next().is_some() && parts.next().is_none()).then_some(found)
    }
}

/// A module in a certain version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoModuleVersion {
    /// Its path.
    pub path: String,
    /// Its version; `(devel)` where it was built from a work tree that tells none.
    pub version: String,
    /// Its `h1:` digest, where it came from a module zip.
    pub sum: Option<String>,
}

/// A module that was linked in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoDependency {
    /// The module as it is required.
    pub required: GoModuleVersion,
    /// What stood in for it; a path without a version is a folder.
    pub replaced_by: Option<GoModuleVersion>,
}

/// What a program has for debuggers; the linker's flags `-s` and `-w` leave it out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Debugging {
    /// A symbol table.
    pub symbols: bool,
    /// DWARF sections.
    pub dwarf: bool,
}

/// A signature that a program can be given when it was built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProgramSignature {
    /// Of programs of Windows.
    Authenticode,
    /// Of programs of macOS, of a developer's or of nobody's.
    CodeSignature,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_id_tells_other_flags_of_the_linker_from_other_code() {
        let of = |id: Option<&str>| GoBuildInfo {
            build_id: id.map(str::to_owned),
            ..GoBuildInfo::default()
        };
        let own = of(Some("link/main/compiled/program"));
        let check = |id: Option<&str>, expect: bool| {
            assert_eq!(of(id).says_it_was_linked_otherwise(&own), expect, "{id:?}");
            let alike = id.is_some_and(|id| id.starts_with("link/main/compiled/"));
            assert_eq!(of(id).says_it_was_built_alike(&own), alike, "{id:?}");
        };
        check(Some("flags/main/compiled/other"), true);
        check(Some("link/main/compiled/other"), false);
        check(Some("flags/main/else/other"), false);
        check(Some("flags/else/compiled/other"), false);
        check(None, true);
        check(Some("x"), false);
        check(Some("a/b/c/d/e"), false);
    }
}
