//! `libperilune_pkcs11.so`: the C face of the HSM.
//!
//! Owns: the table of all functions of PKCS#11 2.40, 3.0 and 3.2 with everything derived from it
//! (symbols, function lists, log names, `docs/functions.md`), the guard around each call, the
//! reading of callers' memory and the writing of answers, the life of the one instance a process has.
//! Does not know: what a session, an object or a mechanism means; that is `hsm-core`.
//! Called from: any PKCS#11 client through the exported symbols; `xtask` reads the table.
//!
//! Raw pointers live in this crate only, and are read and written in `memory` only.
#![deny(unsafe_code, reason = "pointers are the business of the few modules that allow it")]

mod attributes;
mod calls;
mod decode;
mod derivation;
mod entries;
mod fork;
mod functions;
mod guard;
mod info;
mod interface;
mod jobs;
mod lifecycle;
mod log;
mod mechanism;
mod memory;
mod message;
mod output;
mod panics;
#[cfg_attr(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))), path = "no_reserve.rs")]
mod reserve;
mod table;
mod template;
mod wrapping;

pub use functions::{FUNCTIONS, Function, Row, Scope, Since, Status, functions_document};
