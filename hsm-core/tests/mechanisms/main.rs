//! The mechanism table as a whole: published vectors for every row, every flag carried out once, misuse
//! made from the rows, the rules of wrapping and derivation, and the printed table.
//!
//! All of it runs over every engine of the build.

#![allow(clippy::panic, clippy::unwrap_used, reason = "helpers of tests may end the test")]

mod ciphers;
mod cross_check;
mod engines;
mod golden;
mod management;
mod misuse;
mod operability;
mod pairs;
mod rsa_large;
mod subtleties;
mod support;
mod vectors;
mod vectors_aes;
mod vectors_ciphers;
mod vectors_curves;
mod vectors_derive;
mod vectors_ec;
mod vectors_edwards;
mod vectors_encapsulation;
mod vectors_hash;
mod vectors_ike;
mod vectors_kdf;
mod vectors_macs;
mod vectors_modes;
mod vectors_pq;
mod vectors_protocols;
mod vectors_rsa;
mod vectors_sha3;
mod vectors_stateful;
mod vectors_stream;
mod vectors_trees;
mod vectors_wrap;
