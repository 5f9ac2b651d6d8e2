//! Tokens that SoftHSM2 keeps in files: found, read and opened, never changed.
//!
//! Owns: SoftHSM2's configuration, folders, file format and PIN wrapping, as far as reading needs them. Does
//! not know: how Perilune stores anything; it hands on templates. Called from `commands::migrate`.
//!
//! What these modules rely on was read off the files that SoftHSM2 2.0 to 2.6.1 write. A token is a folder. It has
//! `token.object` with label, serial number and the token's key, wrapped once under each PIN; a file `UUID.object`
//! for each object; a `.lock` beside each; and `generation`, which changes when an object comes or goes. In private
//! objects every byte string but the dates is encrypted under the token's key.

pub mod folder;
pub mod object;
pub mod pins;
pub mod place;
pub mod report;
pub mod token;
