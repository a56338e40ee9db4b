//! What the caller knows about a release, and the archives themselves do not prove. Explanations name it.

/// Values that a difference may turn out to be made of. Empty where nothing is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// The release's version, in every spelling that may be embedded.
    pub versions: Vec<String>,
    /// The commit that was rebuilt, in full.
    pub commits: Vec<String>,
    /// The directories in which it was rebuilt.
    pub build_paths: Vec<String>,
}
