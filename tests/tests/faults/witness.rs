//! The process that lives through a fault, and what it was promised.
//!
//! Owns: the list of what was acknowledged, the comparison of this process's view with that of a fresh process and
//! with the list, the look into the log. Does not know: faults. Every scenario of this program is built on it.

use perilune_tests::ck::*;
use perilune_tests::raw::{Answer, answer, plain};
use perilune_tests::{Place, Raw, TOKEN_LABEL, Template, USER_PIN, child, ck};
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::ptr::null_mut;

/// One process with one session that stays open from before the fault until after it.
pub struct Witness<'a> {
    pub place: &'a Place,
    pub raw: Raw,
    pub session: CK_SESSION_HANDLE,
    /// Objects of which the module said that they are there.
    acknowledged: BTreeSet<String>,
    /// Objects whose making or end was answered with an error: each is whole or absent, and nobody knows which.
    doubtful: BTreeSet<String>,
    public: CK_OBJECT_HANDLE,
    private: CK_OBJECT_HANDLE,
    names: u32,
    fresh: Fresh,
}

/// Where the view of a fresh process comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fresh {
    /// Another process.
    Started,
    /// A child of this one that initialises anew: a process under the disk's shim may not start programs.
    Forked,
}

/// How long a call may wait for another process in these scenarios.
pub const WAIT_MS: u64 = 700;

impl<'a> Witness<'a> {
    /// A token with a pair and some objects in it, the user logged in.
    pub fn start(place: &'a Place) -> Self {
        Self::start_with(place, Fresh::Started)
    }

    /// The same in a process under the disk's shim.
    pub fn start_under_shim(place: &'a Place) -> Self {
        Self::start_with(place, Fresh::Forked)
    }

    fn start_with(place: &'a Place, fresh: Fresh) -> Self {
        configure(place, WAIT_MS);
        let raw = Raw::start();
        let session = raw.user_session();
        let curve = [6, 8, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 3, 1, 7];
        let both = |label| Template::new().flag(CKA_TOKEN, true).text(CKA_LABEL, label);
        let public = both("public half").bytes(CKA_EC_PARAMS, &curve);
        let pair = raw.generate_pair(session, plain(CKM_EC_KEY_PAIR_GEN), public, both("private half"));
        let (public, private) = pair.expect("a pair");
        let acknowledged = ["public half", "private half"].map(str::to_owned).into();
        let (doubtful, names) = (BTreeSet::new(), 0);
        let mut witness = Self { place, raw, session, acknowledged, doubtful, public, private, names, fresh };
        for _ in 0..3 {
            assert_eq!(witness.write(), Ok(()));
        }
        witness
    }

    /// Writes one small object.
    pub fn write(&mut self) -> Answer<()> {
        self.write_of(100)
    }

    /// Writes one object with so many bytes in it.
    pub fn write_of(&mut self, bytes: usize) -> Answer<()> {
        self.names += 1;
        let label = format!("object {}", self.names);
        let written = self.raw.create(self.session, data(&label).bytes(CKA_VALUE, &vec![7; bytes]));
        self.note(written.is_ok(), label);
        written.map(drop)
    }

    /// Writes objects of so many bytes until one is refused, and returns that answer.
    #[track_caller]
    pub fn write_until_refused(&mut self, bytes: usize, most: usize) -> CK_RV {
        let refused = (0..most).find_map(|_| self.write_of(bytes).err());
        refused.unwrap_or_else(|| panic!("all {most} objects of {bytes} bytes were taken"))
    }

    /// Destroys the newest of the objects.
    pub fn destroy(&mut self) -> Answer<()> {
        let label = format!("object {}", self.numbers().max().expect("an object"));
        let found = find(&self.raw, self.session, Template::new().text(CKA_LABEL, &label))?;
        let destroyed = self.raw.destroy(self.session, found[0]);
        self.acknowledged.remove(&label);
        if destroyed.is_err() {
            self.doubtful.insert(label);
        }
        destroyed
    }

    /// Writes until there are objects enough to be destroyed in one round.
    #[track_caller]
    pub fn restock(&mut self) {
        loop {
            assert_eq!(self.write(), Ok(()), "{}", self.last_words());
            if self.numbers().count() > 3 {
                return;
            }
        }
    }

    /// All that the module said is there.
    pub fn promised(&self) -> Vec<String> {
        self.acknowledged.iter().cloned().collect()
    }

    /// Destroys what was left of calls that were answered with an error.
    pub fn tidies_up(&mut self) {
        for label in std::mem::take(&mut self.doubtful) {
            let found = find(&self.raw, self.session, Template::new().text(CKA_LABEL, &label)).expect("a search");
            assert!(found.len() < 2, "{label} is there twice");
            found.into_iter().for_each(|object| assert_eq!(self.raw.destroy(self.session, object), Ok(())));
        }
    }

    /// The numbers of the objects that are there.
    fn numbers(&self) -> impl Iterator<Item = u32> {
        self.acknowledged.iter().filter_map(|label| label.strip_prefix("object ")?.parse().ok())
    }

    /// Takes over what another process was told.
    pub fn note(&mut self, acknowledged: bool, label: String) {
        let list = if acknowledged { &mut self.acknowledged } else { &mut self.doubtful };
        list.insert(label);
    }

    /// Forgets what it was promised: somebody put an older state of the store back.
    pub fn forget(&mut self, label: &str) {
        assert!(self.acknowledged.remove(label), "{label}");
    }

    /// The name of the object that was written last.
    pub fn last(&self) -> String {
        format!("object {}", self.names)
    }

    /// Expects that writing fails with this answer, and that the log says why in all of these words.
    #[track_caller]
    pub fn refuses(&mut self, code: CK_RV, words: &[&str]) {
        self.refuses_of(100, code, words);
    }

    /// As `refuses`, with an object of so many bytes.
    #[track_caller]
    pub fn refuses_of(&mut self, bytes: usize, code: CK_RV, words: &[&str]) {
        let begin = self.log().len();
        assert_eq!(self.write_of(bytes), Err(code));
        self.log_says(begin, words);
    }

    /// Expects one line of the log after `begin` with all of these words.
    #[track_caller]
    pub fn log_says(&mut self, begin: usize, words: &[&str]) {
        let log = self.log();
        let said = log[begin..].lines().any(|line| line.contains("ERROR") && words.iter().all(|w| line.contains(w)));
        assert!(said, "no line with {words:?} in {}", &log[begin..]);
    }

    /// The log so far.
    pub fn log(&self) -> String {
        String::from_utf8(std::fs::read(self.place.file("log")).unwrap_or_default()).expect("text")
    }

    /// The end of the log.
    pub fn last_words(&self) -> String {
        let log = self.log();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(4)..].join("\n")
    }

    /// All labels that this process sees now.
    pub fn labels(&self) -> Answer<Vec<String>> {
        labels(&self.raw, self.session)
    }

    /// Expects that this process still sees all that was acknowledged, without asking any other.
    #[track_caller]
    pub fn sees_everything(&self) {
        self.compare(self.labels().expect("a search"));
        self.signs();
    }

    /// Expects that this process and a fresh one see the same, and all that was acknowledged.
    #[track_caller]
    pub fn agrees(&self) {
        let fresh = match self.fresh {
            Fresh::Started => fresh_labels(self.place),
            Fresh::Forked => self.forked_labels(),
        };
        let mine = self.labels().expect("a search");
        assert_eq!(mine, fresh, "this process and a fresh one");
        self.compare(mine);
        self.signs();
    }

    /// Expects that all is well again: the same session reads, writes and destroys, and others see it.
    #[track_caller]
    pub fn recovers(&mut self) {
        self.agrees();
        assert_eq!(self.write(), Ok(()));
        assert_eq!(self.destroy(), Ok(()));
        self.agrees();
    }

    #[track_caller]
    fn forked_labels(&self) -> Vec<String> {
        let code = child::forked(|| {
            let seen = join_with(&self.raw).and_then(|session| labels(&self.raw, session));
            match seen {
                Ok(labels) => std::fs::write(self.place.file("fresh"), labels.join("\n")).map_or(2, |()| 0),
                Err(code) => panic!("a fresh process: {code:#x}"),
            }
        });
        assert_eq!(code, 0, "{}", self.last_words());
        let text = String::from_utf8(self.place.read("fresh")).expect("text");
        text.lines().map(str::to_owned).collect()
    }

    /// Expects a signature with the handles that were given before the fault.
    #[track_caller]
    pub fn signs(&self) {
        let signature = self.raw.sign(self.session, plain(CKM_ECDSA), self.private, &[5; 32]).expect("a signature");
        let verified = self.raw.verify(self.session, plain(CKM_ECDSA), self.public, &[5; 32], &signature);
        assert_eq!(verified, Ok(()));
    }

    #[track_caller]
    fn compare(&self, found: Vec<String>) {
        let count = found.len();
        let found: BTreeSet<String> = found.into_iter().collect();
        assert_eq!(found.len(), count, "an object is there twice: {found:?}");
        let lost: Vec<_> = self.acknowledged.difference(&found).collect();
        assert!(lost.is_empty(), "acknowledged and not there: {lost:?}");
        let known: BTreeSet<String> = self.acknowledged.union(&self.doubtful).cloned().collect();
        let foreign: Vec<_> = found.difference(&known).collect();
        assert!(foreign.is_empty(), "there and never written: {foreign:?}");
    }
}

/// The configuration of these scenarios: failures go to the file `log`.
pub fn configure(place: &Place, wait_ms: u64) {
    place.configure(&format!("[lock]\nwait_ms = {wait_ms}\n[log]\nlevel = \"error\"\nfile = \"log\"\n"));
}

/// A private data object.
pub fn data(label: &str) -> Template {
    Template::new().number(CKA_CLASS, CKO_DATA).flag(CKA_TOKEN, true).flag(CKA_PRIVATE, true).text(CKA_LABEL, label)
}

/// A search that may fail.
pub fn find(raw: &Raw, session: CK_SESSION_HANDLE, mut template: Template) -> Answer<Vec<CK_OBJECT_HANDLE>> {
    let mut list = template.attributes();
    answer(ck!(raw, C_FindObjectsInit, session, list.as_mut_ptr(), list.len() as CK_ULONG))?;
    let mut found = vec![0; 10_000];
    let mut count = 0;
    let code = ck!(raw, C_FindObjects, session, found.as_mut_ptr(), found.len() as CK_ULONG, &mut count);
    answer(ck!(raw, C_FindObjectsFinal, session))?;
    answer(code)?;
    found.truncate(count as usize);
    Ok(found)
}

/// The labels of all objects, in order.
pub fn labels(raw: &Raw, session: CK_SESSION_HANDLE) -> Answer<Vec<String>> {
    let objects = find(raw, session, Template::new())?;
    let labels = objects.into_iter().map(|object| raw.attribute(session, object, CKA_LABEL));
    let mut labels = labels
        .map(|label| label.map(|label| String::from_utf8(label).expect("text")))
        .collect::<Answer<Vec<String>>>()?;
    labels.sort();
    Ok(labels)
}

/// A session of the user in a process that did not make the token.
pub fn join() -> Answer<(Raw, CK_SESSION_HANDLE)> {
    let raw = Raw::load();
    let session = join_with(&raw)?;
    Ok((raw, session))
}

/// The same with the module loaded already.
pub fn join_with(raw: &Raw) -> Answer<CK_SESSION_HANDLE> {
    answer(ck!(raw, C_Initialize, null_mut()))?;
    let mut slots = [0; 8];
    let mut count = slots.len() as CK_ULONG;
    answer(ck!(raw, C_GetSlotList, CK_TRUE, slots.as_mut_ptr(), &mut count))?;
    for slot in &slots[..count as usize] {
        if String::from_utf8_lossy(&raw.token_info(*slot)?.label).trim_end() == TOKEN_LABEL {
            let session = raw.open(*slot, CKF_SERIAL_SESSION | CKF_RW_SESSION)?;
            raw.login(session, CKU_USER, USER_PIN)?;
            return Ok(session);
        }
    }
    panic!("the token is not there")
}

/// What a process sees that begins now.
#[track_caller]
pub fn fresh_labels(place: &Place) -> Vec<String> {
    let report = child::role(place, "lister", "").finish();
    let log = std::fs::read_to_string(place.file("log")).unwrap_or_default();
    assert!(
        report.success(),
        "a fresh process: {}\n{}",
        report.text,
        log.lines().rev().take(3).collect::<Vec<_>>().join("\n")
    );
    let said = report.text;
    said.lines().filter_map(|line| Some(line.split_once("HAS ")?.1.to_owned())).collect()
}

/// Moves a file or folder.
pub fn rename(from: &Path, to: &Path) {
    std::fs::rename(from, to).unwrap_or_else(|error| panic!("{} to {}: {error}", from.display(), to.display()));
}

/// Sets a mode.
pub fn chmod(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("a mode");
}

/// The parts of the other processes.
pub fn play(place: &Place, role: &str) {
    match role {
        "lister" => {
            let (raw, session) = join().expect("a session");
            for label in labels(&raw, session).expect("a search") {
                println!("\nHAS {label}");
            }
        }
        // Says which code it got for being begun.
        "opener" => match join() {
            Ok(_) => println!("\nOPENED"),
            Err(code) => println!("\nREFUSED {code:#x}"),
        },
        // Writes until the file `enough` is there, and notes each object before and after.
        "writer" => {
            let (raw, session) = join().expect("a session");
            let mut number = 0;
            while !place.file("enough").exists() {
                let label = format!("{} {number}", child::word());
                println!("\nTRIED {label}");
                if raw.create(session, data(&label)).is_ok() {
                    println!("\nWRITTEN {label}");
                }
                number += 1;
            }
        }
        // Makes a store with a token of the same name.
        "maker" => {
            let raw = Raw::start();
            let session = raw.user_session();
            raw.create(session, data("theirs")).expect("an object");
        }
        // Adds one object.
        "adder" => {
            let (raw, session) = join().expect("a session");
            raw.create(session, data(&child::word())).expect("an object");
        }
        other => panic!("nobody plays {other}"),
    }
}
