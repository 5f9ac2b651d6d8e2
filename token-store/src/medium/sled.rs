//! The medium on the disk: a folder with a lock, a number, a journal and two of sled's maps.
//!
//! Owns: which files there are, how each is opened, checked and made. Does not know: the order of steps of a
//! commit (`shared`), what keys and values mean. Called from `hsm-platform` (to open it).
//! Rule source: docs/format.md, "Files in the folder".
//!
//! The engine is open only while a map is read that is not known in memory, or while the journal is folded; no
//! thread runs and no engine is open in between.

use crate::error::{Result, StoreError};
use crate::medium::Each;
use crate::medium::copy::Copied;
use crate::medium::engine::{self, Engine, Files, Settle};
use crate::medium::folder::{self, Access};
use crate::medium::generation::{GenerationFile, Writer};
use crate::medium::ground::{Announced, Ground, Map, Side, Turn, generation_of, is_bad};
use crate::medium::journal::{Changes, Header, Surface};
use crate::medium::lock::{Gate, Held, Lock};
use crate::medium::shared::{FOLD_BYTES, Shared};
use crate::medium::surface::{FileSurface, MemorySurface};
use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How long a call waits for other processes unless told otherwise.
pub const WAIT_MAX: Duration = Duration::from_secs(10);

/// A folder with a journal and a map, shared by processes.
pub type SledMedium = Shared<Disk>;

/// The files of a store.
pub struct Disk {
    folder: PathBuf,
    maps: [PathBuf; 2],
    journal: PathBuf,
    lock: Lock,
    generation: GenerationFile,
}

impl Shared<Disk> {
    /// Opens the folder, and makes it (and missing folders above it) with mode 0700 where there is none.
    ///
    /// Journal and map are opened later, for each view and transaction that needs them.
    ///
    /// # Errors
    /// `Unsafe` for a symbolic link, a foreign owner or too wide a mode; `ReadOnly` when there is no store yet and none can be
    /// made; `Io`.
    pub fn open(folder: &Path) -> Result<Self> {
        Self::open_with(folder, WAIT_MAX)
    }

    /// As [`SledMedium::open`], with a limit for how long a call waits while other processes use the store.
    ///
    /// # Errors
    /// As `open`.
    pub fn open_with(folder: &Path, wait_max: Duration) -> Result<Self> {
        Self::open_folding_at(folder, wait_max, FOLD_BYTES)
    }

    /// As [`SledMedium::open_with`], with another length at which the journal is folded into the map: tests want to see
    /// that happen often.
    ///
    /// # Errors
    /// As `open`.
    pub fn open_folding_at(folder: &Path, wait_max: Duration, fold_bytes: u64) -> Result<Self> {
        Ok(Self::on(Disk::open(folder, wait_max)?, fold_bytes))
    }
}

impl Disk {
    fn open(folder: &Path, wait_max: Duration) -> Result<Self> {
        // The host may change its current folder later. `absolute` only joins names, it does not ask the system.
        let folder = std::path::absolute(folder).map_err(|error| folder::io_error("name", folder, error))?;
        folder::open_or_create_private_folder(&folder)?;
        let disk = Self {
            lock: Lock::new(&folder, wait_max),
            generation: GenerationFile::new(&folder),
            maps: [folder.join("map"), folder.join("mirror")],
            journal: folder.join("journal"),
            folder,
        };
        if folder::is_writable(&disk.folder)? {
            disk.lock.create_files()?;
            disk.make_maps()?;
        } else if !disk.maps.iter().any(|map| is_there(map)) {
            return Err(StoreError::ReadOnly { path: disk.folder });
        }
        Ok(disk)
    }

    /// Makes the maps' folders that are missing: of a new store, of one of before there were two, or removed.
    fn make_maps(&self) -> Result<()> {
        for map in self.maps.iter().filter(|map| !is_there(map)) {
            match folder::open_or_create_private_folder(map) {
                // The other one can be read on a full disk.
                Err(StoreError::Full { .. }) if self.maps.iter().any(|map| is_there(map)) => {}
                made => drop(made?),
            }
        }
        Ok(())
    }
}

impl Ground for Disk {
    type Turn<'a> = DiskTurn<'a>;

    fn gate(&self) -> &Gate {
        self.lock.gate()
    }

    fn announced(&self) -> Result<Option<Announced>> {
        self.generation.read()
    }

    fn is_in_place(&self) -> Result<bool> {
        self.generation.is_in_place()
    }

    fn was_in_place_lately(&self) -> Result<bool> {
        self.generation.was_in_place_lately()
    }

    fn replaced(&self) -> u64 {
        self.generation.replaced()
    }

    fn is_writable(&self) -> Result<bool> {
        for place in self.maps.iter().filter(|map| is_there(map)).chain([&self.folder]) {
            if !folder::is_writable(place)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn place(&self) -> &Path {
        &self.folder
    }

    fn turn(&self) -> Result<DiskTurn<'_>> {
        let held = self.lock.hold()?;
        folder::check_private_folder(&self.folder)?;
        let writable = self.is_writable()?;
        for map in &self.maps {
            if is_there(map) {
                folder::check_private_folder(map)?;
            }
        }
        if writable {
            self.make_maps()?;
        }
        let access = if writable {
            Announcement::Writer(self.generation.writer()?)
        } else {
            self.generation.follow_name()?;
            Announcement::ReadOnly(self.generation.read()?.map_or(0, |announced| announced.number))
        };
        Ok(DiskTurn { disk: self, announced: access, surface: OnceCell::new(), _held: held })
    }
}

/// The files while this process holds the lock.
pub struct DiskTurn<'a> {
    disk: &'a Disk,
    announced: Announcement,
    surface: OnceCell<Arc<dyn Surface>>,
    _held: Held<'a>,
}

impl Drop for DiskTurn<'_> {
    fn drop(&mut self) {
        if let Some(surface) = self.surface.get().filter(|_| self.is_writable()) {
            surface.rest();
        }
    }
}

/// The generation file, as far as this process may use it.
enum Announcement {
    Writer(Writer),
    ReadOnly(u64),
}

impl DiskTurn<'_> {
    /// Opens the journal, and makes it where there never was one.
    fn open_journal(&self) -> Result<Arc<dyn Surface>> {
        let path = &self.disk.journal;
        let access = if self.is_writable() { Access::ReadWrite } else { Access::Read };
        if let Some(file) = folder::open_private_file(path, access)? {
            let surface = FileSurface::new(file, path)?;
            if surface.length()? > 0 {
                return Ok(Arc::new(surface));
            }
        } else if self.base()? < self.number() {
            return Err(StoreError::Damaged {
                what: format!(
                    "{} (it is missing, and the last changes were in it: put it back, or go on without them with an \
                     empty file of that name; the store otherwise)",
                    path.display()
                ),
            });
        }
        // A store of before there were journals, a new one, or one whose owner gives the journal up: see docs/format.md.
        if !self.is_writable() {
            let surface = MemorySurface::default();
            Header::create(&surface, self.base()?)?;
            return Ok(Arc::new(surface));
        }
        self.make_journal()
    }

    /// Makes the journal under another name first: nobody ever finds half of one.
    fn make_journal(&self) -> Result<Arc<dyn Surface>> {
        let (path, draft) = (&self.disk.journal, self.disk.folder.join("journal.new"));
        match std::fs::remove_file(&draft) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(folder::io_error("remove", &draft, error)),
        }
        let surface = FileSurface::new(folder::create_private_file(&draft)?, path)?;
        Header::create(&surface, self.base()?)?;
        std::fs::rename(&draft, path).map_err(|error| folder::io_error("rename", &draft, error))?;
        folder::sync_folder(&self.disk.folder)?;
        Ok(Arc::new(surface))
    }

    /// The generation of the maps: the newer one's, which may be the only one that opens.
    fn base(&self) -> Result<u64> {
        let map = self.generation_of(Side::Map);
        if map.as_ref().is_err_and(StoreError::is_shortage) {
            // The engine may have been interrupted in the middle of a change, and the other one must not be, too.
            return map;
        }
        let mirror = self.generation_of(Side::Mirror);
        match (map, mirror) {
            (Ok(map), Ok(mirror)) => Ok(map.max(mirror)),
            // An empty one beside one that cannot be read was never filled.
            (Ok(one), Err(error)) | (Err(error), Ok(one)) if one > 0 && is_bad(&error) => Ok(one),
            (Err(error), _) | (_, Err(error)) => Err(error),
        }
    }

    fn generation_of(&self, side: Side) -> Result<u64> {
        let map = self.map(side)?;
        let generation = generation_of(&*map)?;
        map.close()?;
        Ok(generation)
    }

    fn path(&self, side: Side) -> &Path {
        &self.disk.maps[side as usize]
    }
}

impl Turn for DiskTurn<'_> {
    fn number(&self) -> u64 {
        match &self.announced {
            Announcement::Writer(writer) => writer.number(),
            Announcement::ReadOnly(number) => *number,
        }
    }

    fn is_under_way(&self) -> bool {
        matches!(&self.announced, Announcement::Writer(writer) if writer.is_under_way())
    }

    fn begin(&self) -> Result<()> {
        match &self.announced {
            Announcement::Writer(writer) => writer.set_under_way(),
            Announcement::ReadOnly(_) => Err(StoreError::ReadOnly { path: self.disk.folder.clone() }),
        }
    }

    fn announce(&self, number: u64) -> Result<()> {
        match &self.announced {
            Announcement::Writer(writer) => writer.set_number(number),
            Announcement::ReadOnly(_) => Err(StoreError::ReadOnly { path: self.disk.folder.clone() }),
        }
    }

    fn is_writable(&self) -> bool {
        matches!(self.announced, Announcement::Writer(_))
    }

    fn journal(&self) -> Result<Arc<dyn Surface>> {
        if let Some(surface) = self.surface.get() {
            return Ok(surface.clone());
        }
        let surface = self.open_journal()?;
        Ok(self.surface.get_or_init(|| surface).clone())
    }

    fn map(&self, side: Side) -> Result<Box<dyn Map + '_>> {
        let path = self.path(side);
        Ok(Box::new(if self.is_writable() { OpenMap::open(path)? } else { OpenMap::open_copy(path)? }))
    }

    fn spared(&self, side: Side) -> Result<Box<dyn Map + '_>> {
        let path = self.path(side);
        // The copy of nothing is nothing.
        let is_empty = self.is_writable() && engine::tidy(path)?.is_empty();
        Ok(Box::new(if is_empty { OpenMap::open(path)? } else { OpenMap::open_copy(path)? }))
    }

    fn remake(&self, side: Side) -> Result<()> {
        let (from, to) = (self.path(side.other()), self.path(side));
        engine::remove(to)?;
        engine::copy(from, to)?;
        engine::settle(to, &Files::new(), Settle::Everything)
    }
}

/// Whether there is anything of this name.
fn is_there(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok()
}

/// An open map.
struct OpenMap<'a> {
    // Dropped first: the engine is closed before the files of a copy are removed. `None` while there is nothing in the
    // map: the engine would have to write to be opened, and the disk may be full.
    engine: Option<Engine>,
    place: Place<'a>,
}

/// Where the engine is open.
enum Place<'a> {
    /// In the store.
    Store { folder: &'a Path, files: Files, applied: bool },
    /// In a copy that is removed with this: the engine cannot open a map without writing.
    Copy { _files: Copied },
}

impl<'a> OpenMap<'a> {
    fn open(folder: &'a Path) -> Result<Self> {
        let files = engine::tidy(folder)?;
        let engine = if files.is_empty() { None } else { Some(Engine::open(folder)?) };
        Ok(Self { engine, place: Place::Store { folder, files, applied: false } })
    }

    fn open_copy(folder: &Path) -> Result<Self> {
        let copy = Copied::of(folder)?;
        Ok(Self { engine: Some(Engine::open(copy.path())?), place: Place::Copy { _files: copy } })
    }
}

impl Map for OpenMap<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.engine.as_ref().map_or(Ok(None), |engine| engine.get(key))
    }

    fn scan(&self, prefix: &[u8], each: &mut Each<'_>) -> Result<()> {
        self.engine.as_ref().map_or(Ok(()), |engine| engine.scan(prefix, each))
    }

    fn is_small(&self) -> bool {
        self.engine.as_ref().is_none_or(Engine::is_small)
    }

    fn apply(&mut self, changes: Changes) -> Result<()> {
        let Place::Store { folder, applied, .. } = &mut self.place else {
            return Err(StoreError::Engine("a copy of the map is not written".to_owned()));
        };
        *applied = true;
        if self.engine.is_none() {
            self.engine = Some(Engine::open(folder)?);
        }
        self.engine.as_ref().map_or(Ok(()), |engine| engine.apply(changes))
    }

    fn close(self: Box<Self>) -> Result<()> {
        let Self { engine, place } = *self;
        let Some(engine) = engine else { return Ok(()) };
        engine.close()?;
        let Place::Store { folder, files, applied } = place else { return Ok(()) };
        // One that only read leaves another snapshot, which is as good as the one before: its name may become durable later.
        engine::settle(folder, &files, if applied { Settle::Names } else { Settle::Modes })
    }
}
