//! What a disk may hold after a power cut: the changes of a log replayed, with those that nothing made durable kept, lost or torn.
//!
//! Owns: the model of a file system that promises what POSIX promises and nothing more. Does not know: the store. Called from the
//! scenario about power cuts.
//!
//! The model. A file's bytes and length are durable when the file was fsynced (or fdatasynced); until then each write since, and
//! the change of length, may reach the disk or not, one independent of the other, and a write may reach it in some of its
//! sectors only. A name in a folder (made, removed, renamed) is durable when the folder was fsynced; fsync of a new file does
//! not make its name durable. A rename is atomic. `sync_file_range` makes nothing durable.

use super::log::Change;
use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Result;
use std::ops::Range;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

/// What a disk writes whole or not at all, bytes.
const SECTOR_BYTES: usize = 512;

/// A tree of files below a folder: `None` is a folder. Names are from the folder on, and a folder stands before what is in it.
pub type Tree = BTreeMap<String, Option<Arc<Vec<u8>>>>;

/// The disk at some point of the log.
#[derive(Clone)]
pub struct Disk {
    objects: Vec<Object>,
    /// The object that a file's number means at present; numbers are used again.
    numbers: HashMap<u64, usize>,
    made: u64,
}

#[derive(Clone)]
enum Object {
    File(File),
    Folder(Folder),
}

#[derive(Clone, Default)]
struct File {
    durable: Arc<Vec<u8>>,
    present: Vec<u8>,
    pending: Vec<(u64, Write)>,
}

#[derive(Clone)]
enum Write {
    Bytes { offset: usize, data: Arc<Vec<u8>> },
    Zeros(Range<usize>),
    Cut(usize),
    Room(usize),
}

type Names = BTreeMap<String, usize>;

#[derive(Clone, Default)]
struct Folder {
    durable: Names,
    present: Names,
    pending: Vec<(u64, Naming)>,
}

/// Names that change together, and what they mean afterwards.
type Naming = Vec<(String, Option<usize>)>;

/// A change that is not durable.
#[derive(Debug, Clone)]
pub struct Pending {
    made: u64,
    object: usize,
    /// The sectors that a write touches; none for anything else.
    sectors: usize,
    /// What it is, for the report.
    pub text: String,
}

/// What becomes of one pending change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It reached the disk.
    Kept,
    /// It did not.
    Lost,
    /// Only the sectors did whose bit is set in numbers drawn from this seed. A change without sectors is lost.
    Torn(u64),
    /// Only this many sectors at its beginning did.
    Front(usize),
    /// All sectors did but this many at its beginning.
    Back(usize),
}

/// What becomes of the lengths of files that are not durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lengths {
    /// They follow from the writes that were kept.
    AsKept,
    /// They stayed as they were: what was written behind the end is not there.
    Old,
    /// They reached the disk; what was not written reads as zeros.
    New,
    /// They reached the disk; what was not written is whatever stood there before.
    NewOverGarbage,
}

impl Default for Disk {
    fn default() -> Self {
        Self { objects: vec![Object::Folder(Folder::default())], numbers: HashMap::new(), made: 0 }
    }
}

impl Disk {
    /// A disk with all of this on it, durable; `number` tells a file's number by its name.
    ///
    /// # Panics
    /// When a folder does not stand before what is in it.
    #[must_use]
    pub fn with(tree: &Tree, number: impl Fn(&str) -> u64) -> Self {
        let mut disk = Self::default();
        for (name, content) in tree {
            match content {
                None => disk.apply(&Change::MakeFolder { path: name.clone() }),
                Some(content) => {
                    disk.apply(&Change::Create { file: number(name), path: name.clone() });
                    let object =
                        Object::File(File { durable: content.clone(), present: content.to_vec(), pending: Vec::new() });
                    *disk.objects.last_mut().expect("the file") = object;
                }
            }
        }
        disk.apply(&Change::SyncAll);
        disk
    }

    /// Applies a change.
    ///
    /// # Panics
    /// For a change that the model does not know, or that does not fit what was there.
    pub fn apply(&mut self, change: &Change) {
        self.made += 1;
        match change {
            Change::Create { file, path } => {
                self.objects.push(Object::File(File::default()));
                self.numbers.insert(*file, self.objects.len() - 1);
                self.name(path, Some(self.objects.len() - 1));
            }
            Change::MakeFolder { path } if path.is_empty() => {}
            Change::MakeFolder { path } => {
                self.objects.push(Object::Folder(Folder::default()));
                self.name(path, Some(self.objects.len() - 1));
            }
            Change::Write { file, offset, data, .. } => {
                let offset = usize::try_from(*offset).expect("an offset");
                self.write(*file, Write::Bytes { offset, data: Arc::new(data.clone()) });
            }
            Change::Truncate { file, length } => {
                self.write(*file, Write::Cut(usize::try_from(*length).expect("a length")))
            }
            Change::Allocate { file, length } => {
                self.write(*file, Write::Room(usize::try_from(*length).expect("a length")))
            }
            Change::Punch { file, offset, length } => {
                let (from, to) = (usize::try_from(*offset), usize::try_from(offset + length));
                self.write(*file, Write::Zeros(from.expect("an offset")..to.expect("a length")));
            }
            Change::Rename { from, to } => {
                let object = self.find(from).expect("what is renamed is there");
                let ((folder, from), (other, to)) = (split(from), split(to));
                assert_eq!(folder, other, "the model knows renames inside a folder");
                self.rename(folder, vec![(from.to_owned(), None), (to.to_owned(), Some(object))]);
            }
            Change::Link { from, to } => {
                let object = self.find(from).expect("what gets another name is there");
                self.name(to, Some(object));
            }
            Change::Unlink { path } | Change::RemoveFolder { path } => self.name(path, None),
            Change::Sync { file, path } => {
                let object = self.find(path).filter(|&object| matches!(self.objects[object], Object::Folder(_)));
                let object = object.or_else(|| self.numbers.get(file).copied()).expect("what is synced is there");
                self.objects[object].settle();
            }
            Change::SyncAll => self.objects.iter_mut().for_each(Object::settle),
            Change::Mark(_) => {}
            Change::Exchange { .. } | Change::Unseen { .. } => panic!("not in the model: {change:?}"),
        }
    }

    /// What is there without a power cut.
    #[must_use]
    pub fn present(&self) -> Tree {
        let content = |object: &Object| match object {
            Object::File(file) => Content::File(file.present.clone().into()),
            Object::Folder(folder) => Content::Folder(folder.present.clone()),
        };
        tree(&self.objects.iter().map(content).collect::<Vec<_>>())
    }

    /// The changes that a power cut would put in doubt, in the order in which they were made.
    #[must_use]
    pub fn pending(&self) -> Vec<Pending> {
        let mut names = vec![String::from("(no name)"); self.objects.len()];
        self.names_below(0, "", &mut names);
        let mut all = Vec::new();
        for (object, state) in self.objects.iter().enumerate() {
            let name = &names[object];
            match state {
                Object::File(file) => all.extend(file.pending.iter().map(|(made, write)| {
                    let text = format!("{name}: {}", write.text());
                    Pending { made: *made, object, sectors: write.sectors(), text }
                })),
                Object::Folder(folder) => all.extend(folder.pending.iter().map(|(made, naming)| {
                    let parts: Vec<_> = naming
                        .iter()
                        .map(|(name, to)| format!("{}{name}", if to.is_some() { '+' } else { '-' }))
                        .collect();
                    Pending { made: *made, object, sectors: 0, text: format!("{name}/: {}", parts.join(" ")) }
                })),
            }
        }
        all.sort_by_key(|pending| pending.made);
        all
    }

    /// What is there after a power cut, with these fates of [`Disk::pending`].
    #[must_use]
    pub fn cut(&self, pending: &[Pending], fates: &[Fate], lengths: Lengths) -> Tree {
        assert_eq!(pending.len(), fates.len());
        let mut of = vec![Vec::new(); self.objects.len()];
        for (change, fate) in pending.iter().zip(fates) {
            of[change.object].push(*fate);
        }
        let after = |(object, fates): (&Object, &Vec<Fate>)| match object {
            Object::File(file) => Content::File(file.after(fates, lengths)),
            Object::Folder(folder) => Content::Folder(folder.after(fates)),
        };
        tree(&self.objects.iter().zip(&of).map(after).collect::<Vec<_>>())
    }

    fn write(&mut self, number: u64, write: Write) {
        let made = self.made;
        let object = *self.numbers.get(&number).expect("what is written was made");
        let Object::File(file) = &mut self.objects[object] else { panic!("a folder is written") };
        write.onto(&mut file.present, Fate::Kept);
        file.pending.push((made, write));
    }

    fn name(&mut self, path: &str, object: Option<usize>) {
        let (folder, name) = split(path);
        self.rename(folder, vec![(name.to_owned(), object)]);
    }

    fn rename(&mut self, folder: &str, naming: Naming) {
        let made = self.made;
        let object = self.find(folder).expect("the folder is there");
        let Object::Folder(folder) = &mut self.objects[object] else { panic!("a name below a file") };
        apply(&mut folder.present, &naming);
        folder.pending.push((made, naming));
    }

    fn find(&self, path: &str) -> Option<usize> {
        path.split('/').filter(|part| !part.is_empty()).try_fold(0, |object, part| match &self.objects[object] {
            Object::Folder(folder) => folder.present.get(part).copied(),
            Object::File(_) => None,
        })
    }

    fn names_below(&self, object: usize, name: &str, names: &mut [String]) {
        names[object] = name.to_owned();
        if let Object::Folder(folder) = &self.objects[object] {
            for (part, below) in &folder.present {
                self.names_below(*below, &joined(name, part), names);
            }
        }
    }
}

impl Object {
    fn settle(&mut self) {
        match self {
            Object::File(file) => {
                if !file.pending.is_empty() {
                    file.durable = Arc::new(file.present.clone());
                    file.pending.clear();
                }
            }
            Object::Folder(folder) => {
                folder.durable = folder.present.clone();
                folder.pending.clear();
            }
        }
    }
}

impl File {
    fn after(&self, fates: &[Fate], lengths: Lengths) -> Arc<Vec<u8>> {
        if self.pending.is_empty() {
            return self.durable.clone();
        }
        let mut content = self.durable.to_vec();
        let new = self.present.len();
        if lengths == Lengths::NewOverGarbage && new > content.len() {
            let mut random = Random(content.len() as u64 + 1);
            content.resize_with(new, || random.next() as u8);
        }
        for ((_, write), fate) in self.pending.iter().zip(fates) {
            write.onto(&mut content, *fate);
        }
        match lengths {
            Lengths::AsKept => {}
            Lengths::Old => content.resize(self.durable.len(), 0),
            Lengths::New | Lengths::NewOverGarbage => content.resize(new, 0),
        }
        Arc::new(content)
    }
}

impl Folder {
    fn after(&self, fates: &[Fate]) -> Names {
        let mut names = self.durable.clone();
        for ((_, naming), fate) in self.pending.iter().zip(fates) {
            if *fate == Fate::Kept {
                apply(&mut names, naming);
            }
        }
        names
    }
}

fn apply(names: &mut Names, naming: &Naming) {
    for (name, object) in naming {
        match object {
            Some(object) => names.insert(name.clone(), *object),
            None => names.remove(name),
        };
    }
}

impl Write {
    fn onto(&self, content: &mut Vec<u8>, fate: Fate) {
        if fate == Fate::Lost {
            return;
        }
        match self {
            Self::Bytes { offset, data } => {
                for (number, part) in parts(*offset, data.len()).enumerate() {
                    if fate.keeps(number, self.sectors()) {
                        let end = offset + part.end;
                        content.resize(content.len().max(end), 0);
                        content[offset + part.start..end].copy_from_slice(&data[part]);
                    }
                }
            }
            _ if fate != Fate::Kept => {}
            Self::Zeros(range) => {
                let end = range.end.min(content.len());
                content[range.start.min(end)..end].fill(0);
            }
            Self::Cut(length) => content.resize(*length, 0),
            Self::Room(length) => content.resize(content.len().max(*length), 0),
        }
    }

    fn sectors(&self) -> usize {
        match self {
            Self::Bytes { offset, data } => parts(*offset, data.len()).count(),
            _ => 0,
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Bytes { offset, data } => format!("{} bytes at {offset}", data.len()),
            Self::Zeros(range) => format!("zeros at {range:?}"),
            Self::Cut(length) => format!("cut to {length}"),
            Self::Room(length) => format!("room up to {length}"),
        }
    }
}

impl Fate {
    /// Whether sector `number` of a write of `all` sectors reached the disk.
    fn keeps(self, number: usize, all: usize) -> bool {
        match self {
            Self::Kept => true,
            Self::Lost => false,
            // A write inside one sector is whole or absent.
            Self::Torn(seed) => all > 1 && Random(seed ^ (number as u64) << 32).next() & 1 == 0,
            Self::Front(count) => all > 1 && number < count,
            Self::Back(count) => all > 1 && number >= count,
        }
    }
}

/// The sectors of a write at `offset`, as ranges of its data.
fn parts(offset: usize, length: usize) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at;
        at = (at + SECTOR_BYTES - (offset + at) % SECTOR_BYTES).min(length);
        (start < length).then_some(start..at)
    })
}

impl Pending {
    /// How many sectors it writes; 0 for what is no write, which is never torn.
    #[must_use]
    pub fn sectors(&self) -> usize {
        self.sectors
    }
}

enum Content {
    File(Arc<Vec<u8>>),
    Folder(Names),
}

fn tree(objects: &[Content]) -> Tree {
    fn walk(objects: &[Content], object: usize, name: &str, tree: &mut Tree) {
        match &objects[object] {
            Content::File(content) => drop(tree.insert(name.to_owned(), Some(content.clone()))),
            Content::Folder(names) => {
                if !name.is_empty() {
                    tree.insert(name.to_owned(), None);
                }
                for (part, below) in names {
                    walk(objects, *below, &joined(name, part), tree);
                }
            }
        }
    }
    let mut tree = Tree::new();
    walk(objects, 0, "", &mut tree);
    tree
}

fn joined(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// A number that two trees share only when they are the same.
#[must_use]
pub fn digest(tree: &Tree) -> u64 {
    let mix = |sum: u64, word: u64| (sum.rotate_left(23) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut hasher = DefaultHasher::new();
    for (name, content) in tree {
        name.hash(&mut hasher);
        // The general hasher is too slow for the bytes of thousands of images.
        let content = content.as_deref().map(|content| {
            let (words, rest) = content.as_chunks::<8>();
            (content.len(), words.iter().fold(1, |sum, word| mix(sum, u64::from_le_bytes(*word))), rest)
        });
        content.hash(&mut hasher);
    }
    hasher.finish()
}

/// Writes a tree into an empty folder, private to its owner.
///
/// # Errors
/// The system's.
pub fn lay_out(tree: &Tree, folder: &Path) -> Result<()> {
    for (name, content) in tree {
        let path = folder.join(name);
        match content {
            None => std::fs::DirBuilder::new().mode(0o700).create(path)?,
            Some(content) => {
                let file = std::fs::File::options().write(true).create_new(true).mode(0o600).open(path)?;
                std::io::Write::write_all(&mut &file, content)?;
            }
        }
    }
    Ok(())
}

/// Reads the tree that is in a folder.
///
/// # Errors
/// The system's.
pub fn read(folder: &Path) -> Result<Tree> {
    let mut tree = Tree::new();
    let mut folders = vec![String::new()];
    while let Some(name) = folders.pop() {
        for entry in std::fs::read_dir(folder.join(&name))? {
            let entry = entry?;
            let below = joined(&name, entry.file_name().to_str().expect("names are UTF-8"));
            if entry.file_type()?.is_dir() {
                tree.insert(below.clone(), None);
                folders.push(below);
            } else {
                tree.insert(below, Some(Arc::new(std::fs::read(entry.path())?)));
            }
        }
    }
    Ok(tree)
}

/// Numbers that follow from a seed (SplitMix64).
#[derive(Debug, Clone)]
pub struct Random(pub u64);

impl Random {
    /// The next number.
    #[expect(clippy::should_implement_trait, reason = "it never ends")]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }
}
