//! What one party rebuilt, everybody can check: statements about a judgement, signed, logged, and verified offline.
//!
//! Bytes and values come in, values go out: nothing here reads the clock, the environment or the network. Whom to
//! believe is the caller's business; there is no default signer.

mod bundle;
mod bundle_signature;
mod compose;
pub mod conformance;
mod digests;
mod directory_lock;
mod go_checksums;
pub mod intoto;
mod key;
pub mod keyless;
pub mod layout;
pub mod log;
pub mod predicate;
mod refusal;
pub mod registry_provenance;
mod roots;
mod sign;
mod statement;
pub mod trust;
mod verify;

pub use bundle::{Bundle, LARGEST_BUNDLE};
pub use bundle_signature::{BundleDigest, verify_bundle};
pub use compose::{Judged, StatementKind, Unsigned, public_address, statements};
pub use digests::ArtifactDigests;
pub use directory_lock::DirectoryLock;
pub use go_checksums::{ChecksumRecord, ChecksumsError, Inclusion, LoggedChecksums, whole_tile};
pub use key::{KeyError, KeyId, LARGEST_KEY, LogKey, PublicKey, SigningKey};
pub use refusal::{Refusal, RefusalReason};
pub use roots::{Instance, TrustRoot, TrustRootError, trusted_root_of};
pub use sign::{SignError, Signed, sign_with_key};
pub use statement::{PAYLOAD_TYPE, STATEMENT_TYPE, Statement, Subject};
pub use verify::{Claims, ExpectedSigner, TimeEvidence, Verified};
