//! The medium on the disk: a folder with a map that several processes share.
//!
//! Owns: the order of steps that keeps map, generation file and lock in agreement. Does not know: what
//! keys and values mean. Called from `hsm-platform` (to open it) and from the store above.
//! Rule source: docs/format.md, "Generation file".
//!
//! The engine is open for the length of one view or transaction; no thread runs and no handle is open in between.
//! A view of a generation that `image` holds does not open it at all.
//! A lease (keeping it open while nobody waits) would live in `hold_engine`: the engine there would stay in
//! a field, `fork_prepare` would close it, and `Lock` would tell from `queue` that somebody waits.

use crate::error::{Result, StoreError};
use crate::medium::copy::Copied;
use crate::medium::engine::{self, Engine, Files, Settle};
use crate::medium::folder;
use crate::medium::generation::{GenerationFile, Writer};
use crate::medium::image::Image;
use crate::medium::lock::{Held, Lock};
use crate::medium::{Batch, Each, Medium, Reader, after};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a call waits for other processes unless told otherwise.
pub const WAIT_MAX: Duration = Duration::from_secs(10);
/// The map's key of the generation; keys of the store never begin with a zero byte.
const GENERATION_KEY: &[u8] = &[0];

/// A folder with a map, shared by processes.
pub struct SledMedium {
    folder: PathBuf,
    map: PathBuf,
    lock: Lock,
    generation: GenerationFile,
    image: Image,
}

impl SledMedium {
    /// Opens the folder, and makes it (and missing folders above it) with mode 0700 where there is none.
    ///
    /// The map itself is opened later, for each view and transaction.
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
        // The host may change its current folder later. `absolute` only joins names, it does not ask the system.
        let folder = std::path::absolute(folder).map_err(|error| folder::io_error("name", folder, error))?;
        folder::open_or_create_private_folder(&folder)?;
        let map = folder.join("map");
        let medium = Self {
            lock: Lock::new(&folder, wait_max),
            generation: GenerationFile::new(&folder),
            image: Image::default(),
            map,
            folder,
        };
        if folder::is_writable(&medium.folder)? {
            medium.lock.create_files()?;
            folder::open_or_create_private_folder(&medium.map)?;
        } else if std::fs::symlink_metadata(&medium.map).is_err() {
            return Err(StoreError::ReadOnly { path: medium.folder });
        }
        Ok(medium)
    }

    /// Opens the engine under the lock, in the state that the last complete transaction left.
    fn hold_engine(&self) -> Result<Session<'_>> {
        let held = self.lock.hold()?;
        folder::check_private_folder(&self.folder)?;
        folder::check_private_folder(&self.map)?;
        let mut writer = self.generation.writer()?;
        let files = engine::tidy(&self.map)?;
        if !writer.clean {
            // Its last user died: what it wrote may be in the page cache only. See docs/format.md.
            engine::settle(&self.map, &files, Settle::Everything)?;
        }
        writer.set_clean(false)?;
        let engine = Engine::open(&self.map)?;
        let generation = generation_of(&engine)?.max(writer.number);
        if writer.number != generation {
            writer.set_number(generation)?;
        }
        let open = Open { engine, generation };
        Ok(Session { open, files, writer, map: &self.map, committed: false, _held: held })
    }

    /// Runs `work` on the copy in memory, unless there is none of the present state.
    fn view_image(&self, work: &mut dyn FnMut(&dyn Reader) -> Result<()>) -> Result<Option<Result<()>>> {
        // Inside the gate, as under the lock: a fork in between would leave the child a lock on the copy.
        let Some(_inside) = self.lock.gate().enter() else { return Ok(None) };
        // The number alone would not tell that the folder was replaced.
        if !self.generation.is_in_place()? {
            return Ok(None);
        }
        let Some(generation) = self.generation.read()? else { return Ok(None) };
        Ok(self.image.view(generation, work))
    }

    /// Runs `work` on a copy of the map: the engine cannot open a map without writing.
    fn view_copy(&self, work: &mut dyn FnMut(&dyn Reader) -> Result<()>) -> Result<()> {
        let (copied, number) = {
            let _held = self.lock.hold()?;
            // Read under the same lock: a number from later would pass this state off as a newer one.
            (Copied::of(&self.map)?, self.generation.read()?.unwrap_or(0))
        };
        let engine = Engine::open(copied.path())?;
        let generation = generation_of(&engine)?.max(number);
        let open = Open { engine, generation };
        let answer = self.image.take(&open).and_then(|()| work(&open));
        let closed = open.engine.close();
        answer.and(closed)
    }
}

impl Medium for SledMedium {
    fn generation(&self) -> Result<u64> {
        if let Some(number) = self.generation.read()? {
            return Ok(number);
        }
        // New, or torn by a power cut: the map knows, and opening it repairs the file.
        let mut number = 0;
        self.view(&mut |reader| {
            number = reader.generation();
            Ok(())
        })?;
        Ok(number)
    }

    fn view(&self, work: &mut dyn FnMut(&dyn Reader) -> Result<()>) -> Result<()> {
        if let Some(answer) = self.view_image(work)? {
            return answer;
        }
        if !self.is_writable()? {
            return self.view_copy(work);
        }
        let session = self.hold_engine()?;
        let answer = self.image.take(&session.open).and_then(|()| work(&session.open));
        let closed = session.close();
        answer.and(closed)
    }

    fn transact(&self, work: &mut dyn FnMut(&dyn Reader, &mut Batch) -> Result<()>) -> Result<u64> {
        if !self.is_writable()? {
            return Err(StoreError::ReadOnly { path: self.folder.clone() });
        }
        let mut session = self.hold_engine()?;
        let mut batch = Batch::default();
        let answer = work(&session.open, &mut batch);
        if answer.is_err() {
            let closed = session.close();
            return answer.and(closed).map(|()| 0);
        }
        let mut generation = session.open.generation;
        if batch.changes.is_empty() {
            session.close()?;
            return Ok(generation);
        }
        generation = after(generation)?;
        batch.changes.insert(GENERATION_KEY.to_vec(), Some(generation.to_be_bytes().to_vec()));
        // A copy that is made later, when the lock is free again, is of the new generation already.
        let changes = self.image.is_kept().then(|| batch.changes.clone());
        session.commit(batch, generation)?;
        session.close()?;
        // Where a fork is waiting, the copy stays behind and is taken anew at the next look.
        if let Some(changes) = changes
            && let Some(_inside) = self.lock.gate().enter()
        {
            self.image.follow(changes, generation);
        }
        Ok(generation)
    }

    fn is_writable(&self) -> Result<bool> {
        Ok(folder::is_writable(&self.folder)? && folder::is_writable(&self.map)?)
    }

    fn fork_prepare(&self) {
        self.lock.gate().close_for_fork();
    }

    fn fork_release(&self) {
        self.lock.gate().open_after_fork();
    }

    fn fork_child(&self) {
        self.lock.gate().reset_in_child();
    }
}

/// The engine, open under the lock. Dropped without `close` (after an error) it leaves the map marked as in use,
/// which is what the next user has to know.
struct Session<'a> {
    // Fields are dropped in this order: the engine is closed before the lock is given up.
    open: Open,
    files: Files,
    writer: Writer,
    map: &'a Path,
    committed: bool,
    _held: Held<'a>,
}

impl Session<'_> {
    /// Commits a batch, which says so too, as generation `generation`; durable after `close`.
    fn commit(&mut self, batch: Batch, generation: u64) -> Result<()> {
        // The number rises before the commit and not after it: should this process die in between, everybody looks
        // once too often; the other way round, they would miss a change.
        self.writer.set_number(generation)?;
        self.committed = true;
        self.open.engine.apply(batch, &self.files)
    }

    fn close(self) -> Result<()> {
        let Self { open, files, mut writer, map, committed, _held } = self;
        open.engine.close()?;
        // A view only leaves another snapshot, which is as good as the one before: its name may become durable later.
        engine::settle(map, &files, if committed { Settle::Names } else { Settle::Modes })?;
        writer.set_clean(true)
    }
}

/// What views and transactions read from.
struct Open {
    engine: Engine,
    generation: u64,
}

impl Reader for Open {
    fn generation(&self) -> u64 {
        self.generation
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.engine.get(key)
    }

    fn scan(&self, prefix: &[u8], each: &mut Each<'_>) -> Result<()> {
        self.engine.scan(prefix, each)
    }
}

/// The generation that the map holds; 0 for an empty one.
fn generation_of(engine: &Engine) -> Result<u64> {
    let Some(value) = engine.get(GENERATION_KEY)? else { return Ok(0) };
    // The engine has checksums of its own, so this is a program's mistake and no damage.
    let wrong = |_| StoreError::Damaged { what: "the generation in the map".to_owned() };
    value.as_slice().try_into().map(u64::from_be_bytes).map_err(wrong)
}
