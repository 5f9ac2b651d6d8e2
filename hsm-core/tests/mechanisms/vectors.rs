//! Every row has a runner that puts published vectors (or, where nothing can be published, the
//! definition) through the mechanism layer.

use crate::support::{engines, env};
use crate::{
    vectors_aes, vectors_ciphers, vectors_curves, vectors_derive, vectors_ec, vectors_hash, vectors_ike, vectors_kdf,
    vectors_macs, vectors_pq, vectors_protocols, vectors_rsa, vectors_sha3, vectors_stateful, vectors_stream,
    vectors_trees, vectors_wrap,
};
use hsm_core::mechanisms;
use hsm_core::platform::Env;

/// Runs the vectors of one mechanism and returns how many there were.
pub type Runner = fn(&Env<'_>) -> usize;

const FAMILIES: [&[(u64, Runner)]; 17] = [
    vectors_ciphers::RUNNERS,
    vectors_stream::RUNNERS,
    vectors_wrap::RUNNERS,
    vectors_rsa::RUNNERS,
    vectors_ec::RUNNERS,
    vectors_curves::RUNNERS,
    vectors_aes::RUNNERS,
    vectors_hash::RUNNERS,
    vectors_derive::RUNNERS,
    vectors_kdf::RUNNERS,
    vectors_ike::RUNNERS,
    vectors_sha3::RUNNERS,
    vectors_protocols::RUNNERS,
    vectors_trees::RUNNERS,
    vectors_macs::RUNNERS,
    vectors_pq::RUNNERS,
    vectors_stateful::RUNNERS,
];

/// Runs a family's vectors over every engine.
pub fn run(runners: &[(u64, Runner)]) {
    for engine in engines() {
        for (kind, runner) in runners {
            let name = mechanisms::find(*kind).map_or("no row", |row| row.name);
            let ran = runner(&env(engine));
            assert!(ran > 0, "{name} ran no vector");
        }
    }
}

#[test]
fn every_row_has_its_runner_and_every_runner_its_row() {
    let mut runners: Vec<u64> = FAMILIES.into_iter().flatten().map(|(kind, _)| *kind).collect();
    let mut rows: Vec<u64> = mechanisms::all().map(|row| row.kind).collect();
    runners.sort_unstable();
    rows.sort_unstable();
    assert_eq!(runners, rows);
}
