//! The virtual HSM: slots, tokens, roles, sessions, objects, mechanisms and the rules between them.
//!
//! Owns: the semantics of PKCS#11 and the HSM model. Does not know: raw pointers, files, the clock,
//! the random source (all handed in as [`Platform`]). [`Hsm`] is an ordinary value: tests run many
//! of them side by side; the one global lives in `pkcs11-module`.
#![forbid(unsafe_code)]

pub mod access;
mod api;
pub mod attributes;
mod built_in;
mod catalogue;
pub mod certificate;
pub mod config;
pub mod derivation;
mod events;
pub mod hsm;
mod index;
mod job;
pub mod key;
pub mod keys;
pub mod limits;
pub mod lock;
pub mod mechanisms;
pub mod message;
pub mod object;
mod operation;
pub mod platform;
pub mod policy;
pub mod post_quantum;
pub mod reason;
mod recent;
mod register;
pub mod role;
mod session;
pub mod slot;
pub mod stateful;
pub mod template;
mod together;
mod token;
pub mod types;
pub mod validation;

pub use api::backup::BackupToken;
pub use api::examine::{Examined, StoreFlaw, Wrong};
pub use api::migration::NewToken;
pub use api::state::StateKeys;
pub use config::Config;
pub use derivation::{
    DeriveParams, DeriveShape, Derived, HkdfParams, HkdfSalt, Ike1Params, IkeParams, IkeStreamParams, LunaKdfParams,
    PasswordParams, PrfField, PrfKdfParams, PrfNumber, Sources, TlsExtendedParams, TlsKdfParams, TlsKeyParams,
    TlsMasterParams, TlsPrfParams, TlsRandom, TreeParams,
};
pub use hsm::Hsm;
pub use hsm_crypto::{SecretBytes, forks as engine_forks, memory};
pub use job::{Done, JobKind, Work};
pub use message::{MessageParams, MessageReply, MessageShape};
pub use platform::{Clock, Platform};
pub use policy::Policy;
pub use reason::{Reason, Result};
pub use token_store::{BackedUp, Backup, BackupError, Damage, PartitionId, Place, RecordId};
pub use types::*;
