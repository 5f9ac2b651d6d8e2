//! The keys that are derived from the device key, and what is sealed with them.
//!
//! Owns: one derived key per purpose, and which purpose seals which kind of value. Does not know: the
//! medium, transactions, what a record means.
//! Called from `store`, `login`, `view` and `transaction`. Rule source: docs/format.md, "Keys".

use crate::error::Result;
use crate::format::{self, ID_BYTES, Kind, Seal, Sealed};
use crate::store::{Change, PartitionId, PartitionKey, RecordContent, RecordId, RoleId, Visibility};
use hsm_crypto::aead::{KEY_BYTES, SealKey};
use hsm_crypto::kdf::hkdf_sha256;
use hsm_crypto::{Random, SecretBytes};
use std::collections::BTreeSet;

/// The keys of one store, all from the device key.
pub(crate) struct Keys {
    /// The store's number; every seal is bound to it.
    pub store_id: [u8; ID_BYTES],
    header: SealKey,
    partition: SealKey,
    role: SealKey,
    public: SealKey,
    changes: SealKey,
    pin: SealKey,
}

impl Keys {
    /// Derives the keys of the store `store_id`.
    pub(crate) fn derive(device: &SealKey, store_id: [u8; ID_BYTES]) -> Self {
        let key = |purpose: &str| device.derive(&[purpose.as_bytes(), &store_id].concat());
        Self {
            store_id,
            header: key("perilune/1/header"),
            partition: key("perilune/1/partition"),
            role: key("perilune/1/role"),
            public: key("perilune/1/public"),
            changes: key("perilune/1/changes"),
            pin: key("perilune/1/pin"),
        }
    }

    /// The key that seals the private records of a partition.
    pub(crate) fn private(&self, partition: PartitionId, key: &PartitionKey) -> SealKey {
        key.seal_key().derive(&[&b"perilune/1/private"[..], &self.store_id, &partition.0].concat())
    }

    /// The key that wraps a partition key for a role: from what Argon2id made of the PIN, mixed with the device key.
    pub(crate) fn wrap(&self, partition: PartitionId, role: RoleId, stretched: &SecretBytes) -> Result<SealKey> {
        let info = [&b"perilune/1/wrap"[..], &self.store_id, &format::role_key(partition, role)].concat();
        Ok(SealKey::new(hkdf_sha256(stretched.expose(), self.pin.expose(), &info, KEY_BYTES)?)?)
    }

    /// What the wrap of a partition key is bound to.
    pub(crate) fn wrap_associated(&self, partition: PartitionId, role: RoleId) -> Vec<u8> {
        let front = format::front(Kind::Wrap, Seal::Pin);
        format::associated(&front, &self.store_id, &format::role_key(partition, role))
    }

    pub(crate) fn seal_header(&self, random: &dyn Random) -> Result<Vec<u8>> {
        let place = (Kind::Header, Seal::Device, &self.store_id[..]);
        format::seal_value(place, &self.store_id, format::HEADER_KEY, &self.header, random, format::CHECK_VALUE)
    }

    /// Whether the header opens with this device key.
    pub(crate) fn header_opens(&self, header: &Sealed<'_>) -> bool {
        let content = header.open(&self.store_id, format::HEADER_KEY, &self.header);
        content.is_some_and(|content| content.expose() == format::CHECK_VALUE)
    }

    pub(crate) fn seal_partition(
        &self,
        id: PartitionId,
        ordinal: u64,
        meta: &SecretBytes,
        random: &dyn Random,
    ) -> Result<Vec<u8>> {
        let place = (Kind::Partition, Seal::Device, &ordinal.to_be_bytes()[..]);
        format::seal_value(place, &self.store_id, &format::partition_key(id), &self.partition, random, meta.expose())
    }

    pub(crate) fn open_partition(&self, id: PartitionId, value: &[u8]) -> Option<SecretBytes> {
        let sealed = Sealed::parse(Kind::Partition, value)?;
        sealed.open(&self.store_id, &format::partition_key(id), &self.partition)
    }

    pub(crate) fn seal_role(
        &self,
        partition: PartitionId,
        role: RoleId,
        content: &format::Role,
        random: &dyn Random,
    ) -> Result<Vec<u8>> {
        let map_key = format::role_key(partition, role);
        let place = (Kind::Role, Seal::Device, &[][..]);
        format::seal_value(place, &self.store_id, &map_key, &self.role, random, content.encode().expose())
    }

    pub(crate) fn open_role(&self, partition: PartitionId, role: RoleId, value: &[u8]) -> Option<format::Role> {
        let sealed = Sealed::parse(Kind::Role, value)?;
        let content = sealed.open(&self.store_id, &format::role_key(partition, role), &self.role)?;
        format::Role::decode(content.expose())
    }

    /// Seals a record; `private` is the key of [`Keys::private`] for a private one, and `None` makes it public.
    pub(crate) fn seal_record(
        &self,
        place: (PartitionId, RecordId),
        private: Option<&SealKey>,
        content: &SecretBytes,
        random: &dyn Random,
    ) -> Result<Vec<u8>> {
        let map_key = format::record_key(place.0, place.1);
        let (seal, key) = private.map_or((Seal::Device, &self.public), |key| (Seal::Partition, key));
        format::seal_value((Kind::Record, seal, &[]), &self.store_id, &map_key, key, random, content.expose())
    }

    /// Opens a record as far as `private` allows. A value that names no visibility counts as public: whatever it
    /// was, it is damaged, and everybody may know that.
    pub(crate) fn open_record(
        &self,
        map_key: &[u8],
        private: Option<&SealKey>,
        value: &[u8],
    ) -> (Visibility, RecordContent) {
        let Some(sealed) = Sealed::parse(Kind::Record, value) else {
            return (Visibility::Public, RecordContent::Damaged);
        };
        let (visibility, key) = match sealed.seal {
            Seal::Partition => (Visibility::Private, private),
            Seal::Device | Seal::Pin => (Visibility::Public, Some(&self.public)),
        };
        let Some(key) = key else { return (visibility, RecordContent::Closed) };
        let content = sealed.open(&self.store_id, map_key, key);
        (visibility, content.map_or(RecordContent::Damaged, RecordContent::Open))
    }

    pub(crate) fn seal_changes(&self, at: u64, changes: &BTreeSet<Change>, random: &dyn Random) -> Result<Vec<u8>> {
        let place = (Kind::Changes, Seal::Device, &[][..]);
        let content = format::encode_changes(changes);
        format::seal_value(place, &self.store_id, &format::changes_key(at), &self.changes, random, &content)
    }

    /// Adds the changes of one generation to `into`; `None` when the list is missing or unclear.
    pub(crate) fn open_changes(&self, at: u64, value: Option<&[u8]>, into: &mut BTreeSet<Change>) -> Option<()> {
        let sealed = Sealed::parse(Kind::Changes, value?)?;
        let content = sealed.open(&self.store_id, &format::changes_key(at), &self.changes)?;
        format::decode_changes(content.expose(), into)
    }
}
