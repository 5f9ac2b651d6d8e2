//! The keys that are derived from the device key, and what is sealed with them.
//!
//! Owns: one derived key per purpose, and which purpose seals which kind of value. Does not know: the
//! medium, transactions, what a record means.
//! Called from `store`, `login`, `view` and `transaction`. Rule source: docs/format.md, "Keys".

use crate::error::Result;
use crate::format::{self, ID_BYTES, Kind, Seal, Sealed, VERSION};
use crate::origin::{Origin, Private};
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
    origin: SealKey,
    /// Seals what is kept elsewhere and comes back.
    pub outside: SealKey,
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
            origin: key("perilune/1/origin"),
            outside: key("perilune/1/outside"),
        }
    }

    /// The birthplace of a partition of this store that has no origin: what a backup of it hands on.
    pub(crate) fn birthplace(&self, partition: PartitionId) -> Origin {
        Origin { store: self.store_id, partition, pin: self.pin.clone() }
    }

    /// The key that seals the private records of a partition.
    pub(crate) fn private(&self, partition: PartitionId, key: &PartitionKey) -> Private {
        let (store, partition, _) = self.bound(partition, key.origin());
        let key = key.derived([&b"perilune/1/private"[..], store, &partition.0].concat());
        Private { key, store: *store, partition }
    }

    /// The key that seals, for a partition, what is kept elsewhere and takes a login to open. It is bound to the partition and store
    /// of this place alone: what was sealed in the place of a backup's origin is not opened here.
    pub(crate) fn outside_private(&self, partition: PartitionId, key: &PartitionKey) -> SealKey {
        key.seal_key().derive(&[&b"perilune/1/outside-private"[..], &self.store_id, &partition.0].concat())
    }

    /// The key that wraps a partition key for a role: from what Argon2id made of the PIN, mixed with the device key.
    pub(crate) fn wrap(
        &self,
        place: (PartitionId, RoleId),
        origin: Option<&Origin>,
        stretched: &SecretBytes,
    ) -> Result<SealKey> {
        let (store, partition, pin) = self.bound(place.0, origin);
        let info = [&b"perilune/1/wrap"[..], store, &format::role_key(partition, place.1)].concat();
        Ok(SealKey::new(hkdf_sha256(stretched.expose(), pin.expose(), &info, KEY_BYTES)?)?)
    }

    /// What the wrap of a partition key is bound to.
    pub(crate) fn wrap_associated(&self, place: (PartitionId, RoleId), origin: Option<&Origin>) -> Vec<u8> {
        let (store, partition, _) = self.bound(place.0, origin);
        let front = format::front(VERSION, Kind::Wrap, Seal::Pin);
        format::associated(&front, store, &format::role_key(partition, place.1))
    }

    /// The store, the partition and the pin key that what needs a PIN is bound to.
    fn bound<'a>(
        &'a self,
        partition: PartitionId,
        origin: Option<&'a Origin>,
    ) -> (&'a [u8; ID_BYTES], PartitionId, &'a SealKey) {
        match origin {
            Some(origin) => (&origin.store, origin.partition, &origin.pin),
            None => (&self.store_id, partition, &self.pin),
        }
    }

    pub(crate) fn seal_origin(&self, id: PartitionId, origin: &Origin, random: &dyn Random) -> Result<Vec<u8>> {
        let place = (VERSION, Kind::Origin, Seal::Device, &[][..]);
        let map_key = format::origin_key(id);
        format::seal_value(place, &self.store_id, &map_key, &self.origin, random, origin.encode().expose())
    }

    pub(crate) fn open_origin(&self, id: PartitionId, value: &[u8]) -> Option<Origin> {
        let sealed = Sealed::parse(Kind::Origin, value)?;
        Origin::decode(sealed.open(&self.store_id, &format::origin_key(id), &self.origin)?.expose())
    }

    pub(crate) fn seal_header(&self, version: u16, random: &dyn Random) -> Result<Vec<u8>> {
        let place = (version, Kind::Header, Seal::Device, &self.store_id[..]);
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
        let place = (VERSION, Kind::Partition, Seal::Device, &ordinal.to_be_bytes()[..]);
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
        let place = (VERSION, Kind::Role, Seal::Device, &[][..]);
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
        private: Option<&Private>,
        content: &SecretBytes,
        random: &dyn Random,
    ) -> Result<Vec<u8>> {
        let (seal, store, partition, key) = match private {
            Some(private) => (Seal::Partition, &private.store, private.partition, &private.key),
            None => (Seal::Device, &self.store_id, place.0, &self.public),
        };
        let map_key = format::record_key(partition, place.1);
        format::seal_value((VERSION, Kind::Record, seal, &[]), store, &map_key, key, random, content.expose())
    }

    /// Opens a record as far as `private` allows. A value that names no visibility counts as public: whatever it
    /// was, it is damaged, and everybody may know that.
    ///
    /// # Errors
    /// `Crypto(OutOfMemory)`.
    pub(crate) fn open_record(
        &self,
        place: (PartitionId, RecordId),
        private: Option<&Private>,
        value: &[u8],
    ) -> Result<(Visibility, RecordContent)> {
        let Some(sealed) = Sealed::parse(Kind::Record, value) else {
            return Ok((Visibility::Public, RecordContent::Damaged));
        };
        let (visibility, content) = match (sealed.seal, private) {
            (Seal::Partition, None) => return Ok((Visibility::Private, RecordContent::Closed)),
            (Seal::Partition, Some(private)) => {
                let map_key = format::record_key(private.partition, place.1);
                (Visibility::Private, sealed.try_open(&private.store, &map_key, &private.key)?)
            }
            (Seal::Device | Seal::Pin, _) => {
                let map_key = format::record_key(place.0, place.1);
                (Visibility::Public, sealed.try_open(&self.store_id, &map_key, &self.public)?)
            }
        };
        Ok((visibility, content.map_or(RecordContent::Damaged, RecordContent::Open)))
    }

    pub(crate) fn seal_changes(&self, at: u64, changes: &BTreeSet<Change>, random: &dyn Random) -> Result<Vec<u8>> {
        let place = (VERSION, Kind::Changes, Seal::Device, &[][..]);
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
