//! What was last seen at an address, so that offline runs and immutable files need no request.

use remint_model::Sha256;
use serde::{Deserialize, Serialize};

use crate::cache::{Cache, name_of};
use crate::error::FetchError;

/// What an address answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Location {
    /// The address, with whatever else the answer depended on; kept to tell accidental twins apart.
    pub(crate) key: String,
    /// The answer.
    pub(crate) sha256: Sha256,
    /// Its media type.
    pub(crate) media_type: Option<String>,
    /// The validator to ask with next time.
    pub(crate) etag: Option<String>,
}

impl Cache {
    fn location_path(&self, key: &str) -> std::path::PathBuf {
        let name = name_of(key);
        let folder = name.get(..2).unwrap_or("00").to_owned();
        self.directory.join("locations").join(folder).join(name)
    }

    /// What was last seen there.
    pub(crate) fn location(&self, key: &str) -> Option<Location> {
        let bytes = fs_err::read(self.location_path(key)).ok()?;
        let location: Location = serde_json::from_slice(&bytes).ok()?;
        (location.key == key).then_some(location)
    }

    /// Notes what was seen.
    pub(crate) fn remember(&self, location: &Location) -> Result<(), FetchError> {
        let path = self.location_path(&location.key);
        if let Some(folder) = path.parent() {
            fs_err::create_dir_all(folder)?;
        }
        let file = self.temporary_file()?;
        let text = serde_json::to_vec(location).map_err(std::io::Error::from)?;
        fs_err::write(file.path(), text)?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    }
}
