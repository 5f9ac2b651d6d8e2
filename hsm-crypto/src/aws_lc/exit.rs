//! The end of the process, as AWS-LC sees it.
//!
//! AWS-LC has an ELF destructor that locks the state of its random generator for ever when the library's destructors run at
//! exit (a rule of FIPS 140). Whoever asks for randomness after that, such as a signature from the destructor of a library
//! that was loaded later, is stopped or kills the process. Hosts do call that late, so this file notes the moment, and
//! what would draw from that generator then goes to the portable engine and the caller's random source.
//!
//! Owns: that one fact. Called from every function of this engine that needs randomness: RSA's private operations (blinding),
//! paddings, key generation, ECDSA's nonces. A thread that is inside AWS-LC's generator at that very moment stays there.

use std::sync::atomic::{AtomicBool, Ordering};

/// Whether AWS-LC's random generator must not be asked any more.
pub(super) fn generator_is_closed() -> bool {
    CLOSED.load(Ordering::Acquire)
}

static CLOSED: AtomicBool = AtomicBool::new(false);

extern "C" fn note_exit() {
    CLOSED.store(true, Ordering::Release);
}

// The linker puts this pointer beside AWS-LC's own; the destructors of one library run in one go, so no call comes
// between the two. The function allocates nothing, locks nothing and calls nothing.
#[cfg(target_os = "linux")]
#[used]
#[unsafe(link_section = ".fini_array")]
static NOTE_EXIT: extern "C" fn() = note_exit;
