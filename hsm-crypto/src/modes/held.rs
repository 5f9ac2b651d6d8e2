//! Bytes of a message that wait for the rest of it.
//!
//! Owns: growing without leaving copies behind: memory that is given up has been wiped. Does not know: what waits.

use zeroize::{Zeroize, Zeroizing};

/// Bytes that wait; wiped on drop.
#[derive(Default)]
pub(crate) struct Held(Zeroizing<Vec<u8>>);

impl Held {
    /// Puts more bytes behind those that wait.
    pub(crate) fn extend(&mut self, data: &[u8]) {
        let needed = self.0.len() + data.len();
        if needed > self.0.capacity() {
            let mut larger = Vec::with_capacity(needed.max(2 * self.0.capacity()));
            larger.extend_from_slice(&self.0);
            self.0.zeroize();
            *self.0 = larger;
        }
        self.0.extend_from_slice(data);
    }

    /// Takes the first bytes away.
    pub(crate) fn drop_first(&mut self, bytes: usize) {
        let left = self.0.len() - bytes;
        self.0.copy_within(bytes.., 0);
        self.0[left..].zeroize();
        self.0.truncate(left);
    }

    /// The bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// How many bytes wait.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Wipes them.
    pub(crate) fn clear(&mut self) {
        self.0.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_in_comes_out_in_order() {
        let mut held = Held::default();
        for part in [&b"a"[..], b"", b"bcdefghijklmnop", b"q"] {
            held.extend(part);
        }
        held.drop_first(2);
        assert_eq!((held.bytes(), held.len()), (&b"cdefghijklmnopq"[..], 15));
        held.drop_first(15);
        held.extend(b"r");
        assert_eq!(held.bytes(), b"r");
        held.clear();
        assert_eq!(held.len(), 0);
    }
}
