//! Where a partition was born, and what is bound to that for good.
//!
//! Owns: the origin of a restored partition, and the answer to "which store id, partition id and pin key belong into
//! the seals of private records and wraps". Does not know: the medium, who restores, PINs.
//! Called from `keys`, `login`, `view` and `backup`. Rule source: docs/format.md, "Origin".

use crate::format::ID_BYTES;
use crate::store::PartitionId;
use hsm_crypto::SecretBytes;
use hsm_crypto::aead::{KEY_BYTES, SealKey};

/// The birthplace of a partition that came from another store, or from an earlier life in this one.
#[derive(Clone)]
pub(crate) struct Origin {
    /// The store.
    pub store: [u8; ID_BYTES],
    /// The partition's number there.
    pub partition: PartitionId,
    /// The pin key of that store.
    pub pin: SealKey,
}

/// Length of an origin in bytes.
pub(crate) const ORIGIN_BYTES: usize = 2 * ID_BYTES + KEY_BYTES;

/// What names a birthplace, without its secret.
pub(crate) type OriginId = ([u8; ID_BYTES], PartitionId);

impl Origin {
    pub(crate) fn encode(&self) -> SecretBytes {
        let mut out = Vec::with_capacity(ORIGIN_BYTES);
        out.extend_from_slice(&self.store);
        out.extend_from_slice(&self.partition.0);
        out.extend_from_slice(self.pin.expose());
        SecretBytes::new(out)
    }

    /// Reads what `encode` made; `None` for any other length.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (store, rest) = bytes.split_first_chunk::<ID_BYTES>()?;
        let (partition, pin) = rest.split_first_chunk::<ID_BYTES>()?;
        // A key of any other length is the only error.
        let pin = SealKey::new(SecretBytes::copy_of(pin)).ok()?;
        Some(Self { store: *store, partition: PartitionId(*partition), pin })
    }

    pub(crate) fn id(&self) -> OriginId {
        (self.store, self.partition)
    }
}

/// The key of a partition's private records, and what they are bound to.
pub(crate) struct Private {
    pub key: SealKey,
    pub store: [u8; ID_BYTES],
    pub partition: PartitionId,
}
