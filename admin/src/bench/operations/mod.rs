//! The list of operations.
//!
//! Owns: their order and families, choosing some of them, what an operation is. Each family is a file; each operation a row
//! there: what it is called, how its keys are made, the call itself, and the check of its result. Results are checked with
//! the portable engine, which no module under test uses, or against the inputs. Does not know: how it is measured.

mod aes;
mod digests;
mod ec;
mod keys;
mod objects;
mod rsa;
mod sessions;
mod wrapping;

pub use sessions::start_once;

use super::desk::{Calling, Desk, Trouble};
use super::measure::{Call, Hand};
use pkcs11_client::{Answer, Module};
use std::sync::Arc;

/// An operation that is measured.
pub struct Operation {
    /// What it belongs to.
    pub family: &'static str,
    /// What it is called.
    pub name: String,
    /// How many bytes it works on, where that is what makes it long.
    pub bytes: usize,
    /// It is about one thread by its nature.
    pub alone: bool,
    /// It is part of a quick run.
    pub quick: bool,
    prepare: Box<Prepare>,
}

type Prepare = dyn Fn(&mut Desk) -> Result<Prepared, Trouble>;

/// An operation that a module is ready for, proved once.
pub struct Prepared {
    /// Room for its output in bytes.
    pub room: usize,
    /// The operation.
    pub call: Call,
}

impl Prepared {
    fn new(room: usize, call: impl Fn(&Module, u64, &mut Hand) -> Answer<()> + Send + Sync + 'static) -> Self {
        Self { room, call: Arc::new(call) }
    }

    /// Does the operation once and hands its output to the check.
    fn proved(
        self,
        desk: &Desk,
        what: &str,
        check: impl FnOnce(&[u8]) -> Result<bool, Trouble>,
    ) -> Result<Self, Trouble> {
        let mut hand = Hand::new(self.room);
        (self.call)(&desk.module, desk.session, &mut hand).calling(what)?;
        let right = check(hand.output());
        for &object in &hand.made {
            desk.module.destroy(desk.session, object).calling("C_DestroyObject")?;
        }
        if right? { Ok(self) } else { Err(Trouble::Failed(format!("{what}: the result is wrong"))) }
    }
}

impl Operation {
    fn new(
        family: &'static str,
        name: impl Into<String>,
        prepare: impl Fn(&mut Desk) -> Result<Prepared, Trouble> + 'static,
    ) -> Self {
        Self { family, name: name.into(), bytes: 0, alone: false, quick: false, prepare: Box::new(prepare) }
    }

    fn of_bytes(mut self, bytes: usize) -> Self {
        self.bytes = bytes;
        self
    }

    fn alone(mut self) -> Self {
        self.alone = true;
        self
    }

    fn quick_if(mut self, quick: bool) -> Self {
        self.quick = quick;
        self
    }

    /// Makes a module ready: keys, objects, and one proof that the result is right.
    ///
    /// # Errors
    /// Why it takes no part.
    pub fn prepare(&self, desk: &mut Desk) -> Result<Prepared, Trouble> {
        desk.go_on()?;
        (self.prepare)(desk)
    }

    /// Whether a pattern is the name itself, whatever its case.
    pub fn is(&self, pattern: &str) -> bool {
        self.name.to_lowercase() == pattern.to_lowercase()
    }

    /// Whether all words of a pattern are in family and name, whatever their case.
    pub fn fits(&self, pattern: &str) -> bool {
        let text = format!("{} {}", self.family, self.name).to_lowercase();
        pattern.to_lowercase().split_whitespace().all(|word| text.contains(word))
    }
}

/// The operations that any of the patterns chooses: the one with exactly that name, or else all that fit; all without a pattern.
pub fn chosen(patterns: &[String]) -> Vec<Operation> {
    let mut list = all();
    if patterns.is_empty() {
        return list;
    }
    let exact: Vec<bool> = patterns.iter().map(|pattern| list.iter().any(|one| one.is(pattern))).collect();
    list.retain(|one| {
        patterns.iter().zip(&exact).any(|(pattern, exact)| if *exact { one.is(pattern) } else { one.fits(pattern) })
    });
    list
}

/// All operations, those of a family together.
fn all() -> Vec<Operation> {
    let mut list = Vec::new();
    list.extend(rsa::operations());
    list.extend(ec::operations());
    list.extend(aes::operations());
    list.extend(digests::operations());
    list.extend(sessions::operations());
    list.extend(keys::operations());
    list.extend(objects::operations());
    list.extend(wrapping::operations());
    list
}

/// A size as it is written.
fn size(bytes: usize) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{} KiB", bytes / 1024),
        _ => format!("{} MiB", bytes / 1_048_576),
    }
}

/// A failure of the engine that checks; it has nothing to do with the module.
fn unchecked(error: hsm_crypto::CryptoError) -> Trouble {
    Trouble::Failed(format!("the result cannot be checked: {error}"))
}

/// Bytes that are not all alike.
fn message(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|index| (index * 7 + index / 251) as u8).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_operation_has_a_name_of_its_own_and_families_stay_together() {
        let list = all();
        let names: HashSet<_> = list.iter().map(|one| (one.family, &one.name)).collect();
        assert_eq!(names.len(), list.len());
        let mut families: Vec<_> = list.iter().map(|one| one.family).collect();
        families.dedup();
        assert_eq!(families.len(), families.iter().collect::<HashSet<_>>().len(), "{families:?}");
        assert!(list.iter().any(|one| one.quick));
    }

    #[test]
    fn a_pattern_chooses_by_its_words_or_by_the_whole_name() {
        let names = |patterns: &[&str]| {
            let patterns: Vec<String> = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
            chosen(&patterns).into_iter().map(|one| one.name).collect::<Vec<_>>()
        };
        assert!(names(&["rsa-2048 SIGN"]).len() == 4);
        assert_eq!(names(&["find by id among 10"]), ["Find by id among 10"]);
        assert_eq!(names(&["start-up", "login"]), ["Start-up (load and C_Initialize)", "Login"]);
        assert_eq!(names(&["no such thing"]), Vec::<String>::new());
        assert_eq!(names(&[]).len(), all().len());
    }
}
