//! Who made a running computation or a key: asked by the documents, so that they need no list of their own.
//!
//! Owns: the answer, which is the name of the Rust type behind a trait object. Does not know: engines. What it names is for people: the
//! path says which room of this crate, and which crates.

/// Tells the type that does the work.
pub trait MadeBy {
    /// Path of the type, with its parameters.
    fn made_by(&self) -> &'static str;
}

impl<T> MadeBy for T {
    fn made_by(&self) -> &'static str {
        core::any::type_name::<T>()
    }
}
