//! Whom to believe: the trust policy, and what it makes of attestations.
//!
//! A policy is TOML of the format `remint.trust/v1`; a key that is not known is refused. An empty policy trusts nobody.

mod decide;
mod edit;
mod policy;
mod scope;

pub use decide::{Authentic, Decision, Saying, Verdict, decide};
pub use edit::{EditError, NewRebuilder, NewSigner, add, empty};
pub use policy::{
    AcceptedErasure, Isolation, Policy, PolicyError, Rebuilder, Revocation, RootSource, Signer,
};
pub use scope::{Scope, ScopeError};
