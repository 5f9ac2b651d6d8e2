//! Calls over the C interface.
//!
//! Owns: the world in which programs run, the memory and the arguments of their calls, and what every call must keep.

pub mod answers;
pub mod arguments;
pub mod functions;
pub mod keys;
pub mod memory;
pub mod parameters;
pub mod stock;
pub mod world;
