//! The content of a backup: partitions as they leave one store and enter another.
//!
//! Owns: what is taken out of a store and in which form, and the bytes of docs/format.md, "Content of a backup". Does
//! not know: the encryption around the content, files, which partitions somebody wants, what a description means.
//! Called from `hsm-core` (taking and putting back) and through it from `admin`, which hands in reader and writer.
//!
//! The content is as good as the device key for these partitions: public records lie open in it, and the
//! pin key takes the protection off short PINs. Whoever writes it encrypts it.

use crate::error::{Result, StoreError};
use crate::format::{self, ID_BYTES, Kind, ROLE_BYTES, Role, Seal, Sealed};
use crate::origin::{ORIGIN_BYTES, Origin};
use crate::store::{PartitionId, RecordContent, RecordId, RoleId, RoleState, Store, Visibility, short};
use crate::transaction::CONTENT_BYTES_MAX;
use crate::view::View;
use hsm_crypto::{SecretBytes, memory};
use std::io::{self, Read, Write};
use thiserror::Error;

/// What every content begins with.
const MAGIC: &[u8; 15] = b"perilune backup";
/// The version that this program writes, and the newest that it reads.
const VERSION: u16 = 1;
/// Longest description in a backup.
const META_BYTES_MAX: usize = 1 << 16;
/// Longest record in a backup: the content and what sealing adds.
const RECORD_BYTES_MAX: usize = CONTENT_BYTES_MAX + 256;

/// Partitions of one store at one generation.
pub struct Backup {
    /// The store they were taken from.
    pub store: [u8; ID_BYTES],
    /// The generation at which all of them were taken.
    pub generation: u64,
    /// When, in seconds since 1970-01-01 00:00 UTC; the caller's.
    pub made: u64,
    /// The partitions, oldest first.
    pub partitions: Vec<BackedUp>,
}

/// One partition in a backup.
pub struct BackedUp {
    /// The caller's descriptive bytes.
    pub meta: SecretBytes,
    pub(crate) origin: Origin,
    pub(crate) roles: Vec<(RoleId, Role)>,
    pub(crate) records: Vec<Record>,
}

/// A record in a backup: the content of a public one, the sealed value of a private one.
pub(crate) struct Record {
    pub id: RecordId,
    pub visibility: Visibility,
    pub bytes: SecretBytes,
}

/// Why a content cannot be read.
#[derive(Debug, Error)]
pub enum BackupError {
    /// The reader failed, which is also how an encryption reports that something was changed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A newer program made it.
    #[error("the backup has version {found}, and {known} is the newest that this program reads")]
    Version {
        /// Version found.
        found: u16,
        /// Newest version known.
        known: u16,
    },
    /// It is not what the format promises.
    #[error("this is not the content of a backup: {0}")]
    Damaged(&'static str),
}

impl Store {
    /// Takes a copy of the partitions that `choose` names, all of one state, for a backup; answers also what had to be left out because
    /// it is damaged. The store is held only while the values are copied; opening them comes after.
    ///
    /// # Errors
    /// `NoPartition`, the medium's errors, or what `choose` answers.
    pub fn export(
        &self,
        made: u64,
        mut choose: impl FnMut(&View<'_>) -> Result<Vec<PartitionId>>,
    ) -> Result<(Backup, Vec<String>)> {
        let (generation, raw) = self.view(|view| {
            let chosen = choose(view)?;
            let raw = chosen.into_iter().map(|id| Raw::of(view, id)).collect::<Result<Vec<_>>>()?;
            Ok((view.generation(), raw))
        })?;
        let mut left_out = Vec::new();
        let partitions =
            raw.into_iter().filter_map(|raw| raw.open(self, &mut left_out).transpose()).collect::<Result<_>>()?;
        Ok((Backup { store: self.keys.store_id, generation, made, partitions }, left_out))
    }
}

/// The values of a partition as they stand in the map.
struct Raw {
    id: PartitionId,
    /// `None` where it does not open.
    meta: Option<SecretBytes>,
    /// `None` where it does not open.
    origin: Option<Origin>,
    roles: Vec<(RoleId, Vec<u8>)>,
    records: Vec<(RecordId, Vec<u8>)>,
}

impl Raw {
    fn of(view: &View<'_>, id: PartitionId) -> Result<Self> {
        let entry = view.partition(id)?;
        let meta = (!entry.damaged).then_some(entry.meta);
        let (mut roles, mut records) = (Vec::new(), Vec::new());
        let role_prefix = format::role_prefix(id);
        view.reader.scan(&role_prefix, &mut |key, value| {
            if let Some(&[role]) = key.get(role_prefix.len()..) {
                roles.push((RoleId(role), value.to_vec()));
            }
            Ok(())
        })?;
        let record_prefix = format::record_prefix(id);
        view.reader.scan(&record_prefix, &mut |key, value| {
            if let Some(record) = format::id_after(record_prefix.len(), key) {
                memory::push(&mut records, (RecordId(record), memory::copied(value)?))?;
            }
            Ok(())
        })?;
        let origin = match view.origin(id) {
            Ok(origin) => Some(origin.unwrap_or_else(|| view.store.keys.birthplace(id))),
            Err(StoreError::Damaged { .. }) => None,
            Err(error) => return Err(error),
        };
        Ok(Self { id, meta, origin, roles, records })
    }

    /// Opens what the device key opens; `None` for a partition of which nothing could be used without what is damaged.
    fn open(self, store: &Store, left_out: &mut Vec<String>) -> Result<Option<BackedUp>> {
        let of = format!("of partition {}", short(&self.id.0));
        let (Some(meta), Some(origin)) = (self.meta, self.origin) else {
            left_out.push(format!("all {of}, whose description or origin does not open"));
            return Ok(None);
        };
        let mut roles = Vec::with_capacity(self.roles.len());
        for (role, value) in self.roles {
            match store.keys.open_role(self.id, role, &value) {
                Some(content) => roles.push((role, content)),
                None => left_out.push(format!("role {} {of} does not open", role.0)),
            }
        }
        let mut records = Vec::with_capacity(self.records.len());
        for (id, value) in self.records {
            let (visibility, content) = store.keys.open_record((self.id, id), None, &value)?;
            let bytes = match content {
                RecordContent::Open(content) => content,
                RecordContent::Closed => SecretBytes::new(value),
                RecordContent::Damaged => {
                    left_out.push(format!("record {} {of} does not open", short(&id.0)));
                    continue;
                }
            };
            records.push(Record { id, visibility, bytes });
        }
        Ok(Some(BackedUp { meta, origin, roles, records }))
    }
}

impl BackedUp {
    /// The state of each role that has a PIN.
    #[must_use]
    pub fn roles(&self) -> Vec<(RoleId, RoleState)> {
        let state = |role: &Role| RoleState { failed: role.failed, failed_max: role.failed_max };
        self.roles.iter().map(|(id, role)| (*id, state(role))).collect()
    }

    /// The contents of the public records.
    pub fn public_records(&self) -> impl Iterator<Item = (RecordId, &SecretBytes)> {
        let public = self.records.iter().filter(|record| record.visibility == Visibility::Public);
        public.map(|record| (record.id, &record.bytes))
    }

    /// How many private records there are.
    #[must_use]
    pub fn private_records(&self) -> usize {
        self.records.iter().filter(|record| record.visibility == Visibility::Private).count()
    }
}

impl Backup {
    /// Writes the content.
    ///
    /// # Errors
    /// `InvalidInput` when there is more than the format has room for; the writer's.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(MAGIC)?;
        out.write_all(&VERSION.to_be_bytes())?;
        out.write_all(&self.store)?;
        out.write_all(&self.generation.to_be_bytes())?;
        out.write_all(&self.made.to_be_bytes())?;
        out.write_all(&count::<u16>(self.partitions.len())?.to_be_bytes())?;
        for partition in &self.partitions {
            partition.write(out)?;
        }
        Ok(())
    }

    /// Reads a content to its end, and checks its form.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub fn read(input: &mut impl Read) -> core::result::Result<Self, BackupError> {
        let mut input = Input(input);
        if input.bytes()? != *MAGIC {
            return Err(BackupError::Damaged("it does not begin like one"));
        }
        let found = u16::from_be_bytes(input.bytes()?);
        if found != VERSION {
            return Err(BackupError::Version { found, known: VERSION });
        }
        let store = input.bytes()?;
        let generation = u64::from_be_bytes(input.bytes()?);
        let made = u64::from_be_bytes(input.bytes()?);
        let partitions = u16::from_be_bytes(input.bytes()?);
        let partitions = (0..partitions).map(|_| BackedUp::read(&mut input));
        let partitions = partitions.collect::<core::result::Result<_, _>>()?;
        input.end()?;
        Ok(Self { store, generation, made, partitions })
    }
}

impl BackedUp {
    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(self.origin.encode().expose())?;
        out.write_all(&count::<u32>(self.meta.len())?.to_be_bytes())?;
        out.write_all(self.meta.expose())?;
        out.write_all(&count::<u16>(self.roles.len())?.to_be_bytes())?;
        for (id, role) in &self.roles {
            out.write_all(&[id.0])?;
            out.write_all(role.encode().expose())?;
        }
        out.write_all(&count::<u32>(self.records.len())?.to_be_bytes())?;
        for record in &self.records {
            out.write_all(&record.id.0)?;
            out.write_all(&[match record.visibility {
                Visibility::Public => 0,
                Visibility::Private => 1,
            }])?;
            out.write_all(&count::<u32>(record.bytes.len())?.to_be_bytes())?;
            out.write_all(record.bytes.expose())?;
        }
        Ok(())
    }

    fn read(input: &mut Input<'_, impl Read>) -> core::result::Result<Self, BackupError> {
        let origin = input.secret(ORIGIN_BYTES)?;
        let origin = Origin::decode(origin.expose()).ok_or(BackupError::Damaged("an origin has another length"))?;
        let meta = input.counted(META_BYTES_MAX)?;
        let roles = u16::from_be_bytes(input.bytes()?);
        let roles: Vec<(RoleId, Role)> = (0..roles).map(|_| input.role()).collect::<core::result::Result<_, _>>()?;
        if !roles.windows(2).all(|pair| pair[0].0 < pair[1].0) {
            return Err(BackupError::Damaged("the roles are not in order"));
        }
        // The number is believed record by record only, so that it reserves no memory by itself.
        let mut records: Vec<Record> = Vec::new();
        for _ in 0..u32::from_be_bytes(input.bytes()?) {
            let record = input.record()?;
            if records.last().is_some_and(|last| last.id >= record.id) {
                return Err(BackupError::Damaged("the records are not in order"));
            }
            records.push(record);
        }
        Ok(Self { meta, origin, roles, records })
    }
}

/// Reads the parts of a content.
struct Input<'a, R>(&'a mut R);

impl<R: Read> Input<'_, R> {
    fn bytes<const N: usize>(&mut self) -> core::result::Result<[u8; N], BackupError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn secret(&mut self, len: usize) -> core::result::Result<SecretBytes, BackupError> {
        let mut bytes = SecretBytes::zeroed(len);
        self.fill(bytes.expose_mut())?;
        Ok(bytes)
    }

    fn counted(&mut self, most: usize) -> core::result::Result<SecretBytes, BackupError> {
        match usize::try_from(u32::from_be_bytes(self.bytes()?)) {
            Ok(len) if len <= most => self.secret(len),
            Ok(_) | Err(_) => Err(BackupError::Damaged("a part is longer than the format allows")),
        }
    }

    fn role(&mut self) -> core::result::Result<(RoleId, Role), BackupError> {
        let [id] = self.bytes()?;
        let role = Role::decode(self.secret(ROLE_BYTES)?.expose());
        Ok((RoleId(id), role.ok_or(BackupError::Damaged("a role has another length"))?))
    }

    fn record(&mut self) -> core::result::Result<Record, BackupError> {
        let id = RecordId(self.bytes()?);
        let [visibility] = self.bytes()?;
        let bytes = self.counted(RECORD_BYTES_MAX)?;
        let sealed = |seal| Sealed::parse(Kind::Record, bytes.expose()).is_some_and(|sealed| sealed.seal == seal);
        let visibility = match visibility {
            0 if bytes.len() <= CONTENT_BYTES_MAX => Visibility::Public,
            1 if sealed(Seal::Partition) => Visibility::Private,
            _ => return Err(BackupError::Damaged("a record is neither public nor private")),
        };
        Ok(Record { id, visibility, bytes })
    }

    fn end(&mut self) -> core::result::Result<(), BackupError> {
        let mut more = [0];
        loop {
            match self.0.read(&mut more) {
                Ok(0) => return Ok(()),
                Ok(_) => return Err(BackupError::Damaged("something follows its end")),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn fill(&mut self, bytes: &mut [u8]) -> core::result::Result<(), BackupError> {
        self.0.read_exact(bytes).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => BackupError::Damaged("it ends too early"),
            _ => BackupError::Io(error),
        })
    }
}

/// A count in the width that the format gives it.
fn count<T: TryFrom<usize>>(count: usize) -> io::Result<T> {
    // Whatever the type answers, the meaning is the same.
    T::try_from(count).map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "more than a backup has room for"))
}
