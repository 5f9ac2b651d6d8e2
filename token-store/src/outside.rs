//! Content that is kept outside of the store by somebody who must not read or change it, and comes back.
//!
//! Owns: its form (nonce, ciphertext, tag) and what it is bound to. Does not know: what it is, who keeps it.
//! Called from above. Rule source: docs/format.md, "Keys"; SP 800-38D, 8.2.2 (random nonces).

use crate::error::Result;
use crate::store::{PartitionId, PartitionKey, Store};
use hsm_crypto::SecretBytes;
use hsm_crypto::aead::NONCE_BYTES;

impl Store {
    /// Seals content for a partition, so that it can be opened by any process with this store, and for that partition and
    /// `bound` alone. With the partition's key it takes that key to open it, which is to say a login.
    ///
    /// # Errors
    /// `Crypto` when there is no randomness.
    pub fn seal_for_partition(
        &self,
        (partition, key): (PartitionId, Option<&PartitionKey>),
        bound: &[u8],
        content: &SecretBytes,
    ) -> Result<Vec<u8>> {
        let mut nonce = [0; NONCE_BYTES];
        self.random.fill(&mut nonce)?;
        let associated = self.associated(partition, bound);
        let sealed = match key {
            Some(key) => self.keys.outside_private(partition, key).seal(&nonce, &associated, content.expose())?,
            None => self.keys.outside.seal(&nonce, &associated, content.expose())?,
        };
        Ok([&nonce[..], &sealed].concat())
    }

    /// Opens what `seal_for_partition` made, without the partition's key or with it; `None` for anything else.
    #[must_use]
    pub fn open_for_partition(
        &self,
        (partition, key): (PartitionId, Option<&PartitionKey>),
        bound: &[u8],
        sealed: &[u8],
    ) -> Option<SecretBytes> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>()?;
        let associated = self.associated(partition, bound);
        // One answer for everything that differs.
        let public = self.keys.outside.open(nonce, &associated, sealed).ok();
        public.or_else(|| self.keys.outside_private(partition, key?).open(nonce, &associated, sealed).ok())
    }

    fn associated(&self, partition: PartitionId, bound: &[u8]) -> Vec<u8> {
        [&self.keys.store_id[..], &partition.0, bound].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DeviceKey;
    use crate::medium::Memory;
    use hsm_crypto::kdf::Argon2Cost;
    use hsm_crypto::{CryptoError, Random};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU8, Ordering};

    /// Bytes that differ from call to call.
    struct Counting(AtomicU8);

    impl Random for Counting {
        fn fill(&self, out: &mut [u8]) -> core::result::Result<(), CryptoError> {
            out.fill(self.0.fetch_add(1, Ordering::Relaxed));
            Ok(())
        }
    }

    fn open(medium: &Memory, key: u8) -> Store {
        let cost = Argon2Cost { memory_kib: 8, passes: 1, lanes: 1 };
        let random = Arc::new(Counting(AtomicU8::new(key)));
        let key = DeviceKey::new(SecretBytes::new(vec![key; 32])).unwrap();
        Store::open(Box::new(medium.clone()), &key, random, cost).unwrap()
    }

    #[test]
    fn content_comes_back_to_the_same_partition_of_the_same_store_and_to_no_other() {
        let medium = Memory::new();
        let (one, other) = (PartitionId([1; 16]), PartitionId([2; 16]));
        let store = open(&medium, 7);
        let content = SecretBytes::copy_of(b"content");
        let sealed = store.seal_for_partition((one, None), b"bound", &content).unwrap();
        assert!(!sealed.windows(7).any(|part| part == b"content"));
        assert_ne!(
            store.seal_for_partition((one, None), b"bound", &content).unwrap(),
            sealed,
            "each has a nonce of its own"
        );

        let elsewhere = open(&medium, 7);
        assert_eq!(elsewhere.open_for_partition((one, None), b"bound", &sealed).unwrap().expose(), b"content");
        assert!(elsewhere.open_for_partition((other, None), b"bound", &sealed).is_none());
        assert!(elsewhere.open_for_partition((one, None), b"", &sealed).is_none());
        assert!(open(&Memory::new(), 8).open_for_partition((one, None), b"bound", &sealed).is_none(), "another store");
        for at in 0..sealed.len() {
            let mut bad = sealed.clone();
            bad[at] ^= 1;
            assert!(store.open_for_partition((one, None), b"bound", &bad).is_none(), "byte {at}");
            assert!(store.open_for_partition((one, None), b"bound", &sealed[..at]).is_none(), "{at} bytes");
        }
    }

    #[test]
    fn content_that_was_sealed_with_a_partitions_key_takes_that_key() {
        let store = open(&Memory::new(), 7);
        let one = PartitionId([1; 16]);
        let key = |byte| PartitionKey::new(SecretBytes::new(vec![byte; 32]), None).unwrap();
        let content = SecretBytes::copy_of(b"content");
        let sealed = store.seal_for_partition((one, Some(&key(1))), b"bound", &content).unwrap();
        assert_eq!(store.open_for_partition((one, Some(&key(1))), b"bound", &sealed).unwrap().expose(), b"content");
        for (partition, with) in [(one, None), (one, Some(key(2))), (PartitionId([2; 16]), Some(key(1)))] {
            assert!(store.open_for_partition((partition, with.as_ref()), b"bound", &sealed).is_none());
        }
        // Who has the key opens also what was sealed without it.
        let sealed = store.seal_for_partition((one, None), b"bound", &content).unwrap();
        assert!(store.open_for_partition((one, Some(&key(1))), b"bound", &sealed).is_some());
    }
}
