//! Programs of calls over the C interface, each with its own memory.
//!
//! Owns: how a program runs: two sessions of a user who is logged in, and calls until its bytes are used up.

use crate::abi::arguments::{Arguments, contains};
use crate::abi::functions;
use crate::abi::stock::{FIND_BYTES, SECRETS};
use crate::abi::world;
use ffi_headers::CKF_RW_SESSION;

/// Most calls of one program.
const CALLS: usize = 64;

/// Runs a program.
pub fn run(data: &[u8]) {
    world::with(|world| {
        // Whoever knows a secret may have it back.
        let clean = !SECRETS.iter().any(|secret| contains(data, &secret[..FIND_BYTES]));
        let sessions = vec![world.open(CKF_RW_SESSION), world.open(0)];
        let mut arguments = Arguments::new(data, sessions, world.planted.clone());
        for _ in 0..CALLS {
            if arguments.program.is_empty() {
                break;
            }
            let number = arguments.program.byte();
            functions::call(&mut arguments, world, number, clean);
        }
        world.close(&arguments.sessions);
    });
}
