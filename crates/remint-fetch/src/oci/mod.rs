//! Registries of the OCI distribution specification: images, and files that refer to others by their digest.

mod images;
mod reach;
mod referrers;
mod registry;

pub use images::ImageRepository;
pub(crate) use referrers::Referrers;
