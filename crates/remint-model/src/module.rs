//! What is known about the digests of a Go module beside its files.

/// The digests of a module version, computed from what was fetched, and what the checksum database has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleChecksums {
    /// `h1:` over the files of the zip.
    pub zip: String,
    /// `h1:` over its `go.mod`, where it has one.
    pub go_mod: Option<String>,
    /// `h1:` over the files that go packs from the source, where that was found.
    pub source: Option<String>,
    /// What the database says.
    pub database: DatabaseAnswer,
}

/// What a checksum database says of a module version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseAnswer {
    /// The same, in a record that is proven to be in its log.
    Same {
        /// The database.
        name: String,
    },
    /// Something else, proven as well.
    Other {
        /// The database.
        name: String,
        /// What it has for the zip.
        zip: String,
        /// What it has for the `go.mod`.
        go_mod: String,
    },
    /// Nothing that could be had: it does not know the version, or does not answer.
    Unavailable {
        /// The database.
        name: String,
        /// Why.
        reason: String,
    },
    /// Something that it cannot have signed.
    Untrusted {
        /// The database.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// It was not asked, because the user configured so.
    NotAsked(String),
}
