//! Real clients, each on a store of its own, each result proved outside the token.
//!
//! A client that is not on this machine is skipped with a note, where `make test` does not install it.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod daemons;
mod daemons_ssh;
mod gnutls;
mod java;
mod openssh;
mod openssl_engine;
mod osslsigncode;
mod pkcs11_tool;
mod pkcs11_tool_crypto;
mod readme;
mod tls;
