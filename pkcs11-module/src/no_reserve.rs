//! In the place of the reserve where the linker cannot put one behind the allocator.
//!
//! Owns: the two answers that the rest of the library asks for. What is not served then is the business of the system.

use hsm_core::{Reason, Result, memory};

/// Takes no region.
///
/// # Errors
/// None.
pub fn begin() -> Result<()> {
    Ok(())
}

/// Whether a call may begin.
///
/// # Errors
/// None: nobody says that memory is short.
pub fn enough() -> Result<()> {
    memory::enough().map_err(Reason::Crypto)
}
