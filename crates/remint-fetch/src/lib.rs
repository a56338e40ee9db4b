//! Everything that comes from elsewhere: registries, artifacts, tools, git sources, and the proxy through which
//! builds fetch. Whatever it brings is checked against the digest that was declared for it and bounded in size.

mod configuration;

pub use configuration::UserConfiguration;
