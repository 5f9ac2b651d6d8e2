//! Bytes of a message that wait for the rest of it.
//!
//! Owns: growing without leaving copies behind: memory that is given up has been wiped. Does not know: what waits.

use crate::error::Result;
use crate::secret::SecretBytes;
use zeroize::Zeroize;

/// Bytes that wait; wiped on drop.
#[derive(Default)]
pub(crate) struct Held {
    room: SecretBytes,
    len: usize,
}

impl Held {
    /// Puts more bytes behind those that wait: a block or two of them in all.
    pub(crate) fn extend(&mut self, data: &[u8]) {
        let needed = self.len + data.len();
        if needed > self.room.len() {
            self.grow(SecretBytes::zeroed(self.wanted(needed)));
        }
        self.put(data);
    }

    /// As [`extend`](Self::extend), for as many as the caller has.
    ///
    /// # Errors
    /// `OutOfMemory`; those that wait are as they were.
    pub(crate) fn try_extend(&mut self, data: &[u8]) -> Result<()> {
        let needed = self.len + data.len();
        if needed > self.room.len() {
            self.grow(SecretBytes::try_zeroed(self.wanted(needed))?);
        }
        self.put(data);
        Ok(())
    }

    /// How much room to ask for when so many bytes are to fit.
    fn wanted(&self, needed: usize) -> usize {
        needed.max(2 * self.room.len())
    }

    /// Moves to larger memory.
    fn grow(&mut self, mut larger: SecretBytes) {
        larger.expose_mut()[..self.len].copy_from_slice(self.bytes());
        self.room = larger;
    }

    /// Puts bytes where there is room for them.
    fn put(&mut self, data: &[u8]) {
        let end = self.len + data.len();
        self.room.expose_mut()[self.len..end].copy_from_slice(data);
        self.len = end;
    }

    /// Takes the first bytes away.
    pub(crate) fn drop_first(&mut self, bytes: usize) {
        let left = self.len - bytes;
        let held = &mut self.room.expose_mut()[..self.len];
        held.copy_within(bytes.., 0);
        held[left..].zeroize();
        self.len = left;
    }

    /// The bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.room.expose()[..self.len]
    }

    /// How many bytes wait.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Wipes them.
    pub(crate) fn clear(&mut self) {
        self.drop_first(self.len);
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
