//! One worker on a token that many share: what it does it notes in the ledger, what it sees it holds against it.
//!
//! Owns: the kinds of things, how each is made, changed, destroyed, looked at and used, and that handles stay what they
//! are within a process. Does not know: when which of these happens; that is the scenario's.

use crate::ck::*;
use crate::ledger::{GONE, HALF, Worker, sight};
use crate::raw::{Answer, answer, input, plain, sized, with};
use crate::{Dice, Ledger, Place, Raw, TOKEN_LABEL, Template, USER_PIN, ck, outside};
use std::collections::HashMap;
use std::ptr::null_mut;
use std::sync::Mutex;
use std::sync::atomic::Ordering::SeqCst;

/// The object identifier of P-256.
pub const P256: &[u8] = &[0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07];

/// What a thing is and how it comes about; all but a pair and `DATA` are AES keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub enum Kind {
    /// A data object by C_CreateObject.
    Data = 1,
    /// C_GenerateKey.
    Aes,
    /// A P-256 pair by C_GenerateKeyPair.
    Pair,
    /// C_CopyObject of a session key.
    Copied,
    /// C_UnwrapKey.
    Unwrapped,
    /// C_DeriveKey (ECDH).
    Derived,
}

impl Kind {
    /// Every way to make something.
    pub const ALL: [Self; 6] = [Self::Data, Self::Aes, Self::Pair, Self::Copied, Self::Unwrapped, Self::Derived];

    fn of(number: u64) -> Self {
        *Self::ALL.iter().find(|kind| **kind as u64 == number).unwrap_or_else(|| panic!("kind {number}"))
    }

    fn class(self) -> CK_OBJECT_CLASS {
        match self {
            Self::Data => CKO_DATA,
            Self::Pair => CKO_PRIVATE_KEY,
            Self::Aes | Self::Copied | Self::Unwrapped | Self::Derived => CKO_SECRET_KEY,
        }
    }

    /// The attribute in which the version of a thing stands.
    fn versioned(self) -> CK_ATTRIBUTE_TYPE {
        if self == Self::Data { CKA_VALUE } else { CKA_ID }
    }
}

/// What a process knows of handles; one for all of its workers.
#[derive(Default)]
pub struct Handles {
    by_thing: HashMap<(usize, CK_OBJECT_CLASS), CK_OBJECT_HANDLE>,
    by_handle: HashMap<CK_OBJECT_HANDLE, (usize, CK_OBJECT_CLASS)>,
}

/// A worker: a session of its own on the shared token.
pub struct Hand<'a> {
    /// The module.
    pub raw: &'a Raw,
    /// Its session, of which the user is logged in.
    pub session: CK_SESSION_HANDLE,
    ledger: &'static Ledger,
    number: usize,
    handles: &'a Mutex<Handles>,
    sources: Sources,
}

/// Session keys from which token keys are made.
struct Sources {
    aes: CK_OBJECT_HANDLE,
    wrapped: Vec<u8>,
    private: CK_OBJECT_HANDLE,
    point: Vec<u8>,
}

/// Logs this process in on the token of the test, if no other thread of it did.
pub fn open(raw: &Raw) -> CK_SESSION_HANDLE {
    let session = raw.session(raw.slot_of(TOKEN_LABEL).expect("the token"));
    match raw.login(session, CKU_USER, USER_PIN) {
        Ok(()) | Err(CKR_USER_ALREADY_LOGGED_IN) => session,
        other => panic!("login: {other:?}"),
    }
}

impl<'a> Hand<'a> {
    /// Opens a session for worker `number` and makes its session keys.
    pub fn new(raw: &'a Raw, ledger: &'static Ledger, number: usize, handles: &'a Mutex<Handles>) -> Self {
        let session = open(raw);
        let aes = raw.aes(session, 32);
        let mut kek = plain(CKM_AES_KEY_WRAP);
        let wrapped = sized(|out, room| ck!(raw, C_WrapKey, session, &mut kek, aes, aes, out, room)).expect("wrapped");
        let pair = raw.ec(session, CKM_EC_KEY_PAIR_GEN, P256, &Template::new().flag(CKA_DERIVE, true));
        let (public, private) = pair.expect("a pair of the session");
        let point = raw.attribute(session, public, CKA_EC_POINT).expect("its point");
        Self { raw, session, ledger, number, handles, sources: Sources { aes, wrapped, private, point } }
    }

    /// Its record in the ledger.
    #[must_use]
    pub fn worker(&self) -> &'static Worker {
        self.ledger.worker(self.number)
    }

    /// Makes a thing of this kind on the token; the answer is its number, `None` when the ledger is full.
    pub fn make(&self, kind: Kind) -> Option<usize> {
        let number = self.ledger.begin(self.number, kind as u64)?;
        let entry = self.ledger.entry(number);
        entry.begin(1);
        let made = self.worker().timed(|| self.make_on_token(kind, number));
        let handle = made.unwrap_or_else(|code| panic!("{} was not made: {code:#x}", name(number)));
        entry.acknowledge(1);
        self.ledger.alive.fetch_add(1, SeqCst);
        self.note_handle(number, kind.class(), handle);
        if !matches!(kind, Kind::Data | Kind::Pair) {
            let proof = self.ciphertext(handle).expect("the new key encrypts");
            entry.proof.store(proof, SeqCst);
        }
        entry.release();
        self.wrote();
        Some(number)
    }

    fn make_on_token(&self, kind: Kind, number: usize) -> Answer<CK_OBJECT_HANDLE> {
        let (raw, session) = (self.raw, self.session);
        let common = Template::new()
            .flag(CKA_TOKEN, true)
            .flag(CKA_PRIVATE, true)
            .text(CKA_LABEL, &name(number))
            .bytes(kind.versioned(), &1u64.to_be_bytes());
        let usage = Template::new().flag(CKA_ENCRYPT, true).flag(CKA_DECRYPT, true);
        let key = Template::new().number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, CKK_AES).and(&usage);
        match kind {
            Kind::Data => raw.create(session, common.number(CKA_CLASS, CKO_DATA)),
            Kind::Aes => raw.generate(session, plain(CKM_AES_KEY_GEN), common.and(&usage).number(CKA_VALUE_LEN, 32)),
            Kind::Pair => {
                let public = Template::new().bytes(CKA_EC_PARAMS, P256).flag(CKA_VERIFY, true);
                let shared = Template::new().flag(CKA_TOKEN, true).text(CKA_LABEL, &name(number));
                let private = common.flag(CKA_SIGN, true);
                let mechanism = plain(CKM_EC_KEY_PAIR_GEN);
                let (public, private) = raw.generate_pair(session, mechanism, public.and(&shared), private)?;
                self.note_handle(number, CKO_PUBLIC_KEY, public);
                Ok(private)
            }
            Kind::Copied => raw.copy(session, self.sources.aes, common),
            Kind::Unwrapped => self.unwrap(common.and(&key)),
            Kind::Derived => self.derive(common.and(&key).number(CKA_VALUE_LEN, 32)),
        }
    }

    fn unwrap(&self, mut template: Template) -> Answer<CK_OBJECT_HANDLE> {
        let mut list = template.attributes();
        let (mut kek, mut key) = (plain(CKM_AES_KEY_WRAP), 0);
        let (wrapped, length) = input(&self.sources.wrapped);
        let (entries, count) = (list.as_mut_ptr(), list.len() as CK_ULONG);
        let (session, with_key) = (self.session, self.sources.aes);
        answer(ck!(self.raw, C_UnwrapKey, session, &mut kek, with_key, wrapped, length, entries, count, &mut key))?;
        Ok(key)
    }

    fn derive(&self, mut template: Template) -> Answer<CK_OBJECT_HANDLE> {
        let mut list = template.attributes();
        let (point, length) = input(&self.sources.point);
        let mut parameter = CK_ECDH1_DERIVE_PARAMS {
            kdf: CKD_NULL,
            ulSharedDataLen: 0,
            pSharedData: null_mut(),
            ulPublicDataLen: length,
            pPublicData: point,
        };
        let (mut ecdh, mut key) = (with(CKM_ECDH1_DERIVE, &mut parameter), 0);
        let (entries, count) = (list.as_mut_ptr(), list.len() as CK_ULONG);
        answer(ck!(self.raw, C_DeriveKey, self.session, &mut ecdh, self.sources.private, entries, count, &mut key))?;
        Ok(key)
    }

    /// Gives a thing its next version; `false` when it is not there or another worker is at it.
    pub fn change(&self, number: usize) -> bool {
        let entry = self.ledger.entry(number);
        if !entry.claim(self.number) {
            return false;
        }
        let (kind, version) = (Kind::of(entry.kind.load(SeqCst)), entry.acked().saturating_add(1));
        let possible = (2..HALF).contains(&version);
        if possible {
            let handle = self.own(number, kind.class());
            entry.begin(version);
            let template = Template::new().bytes(kind.versioned(), &version.to_be_bytes());
            let set = self.worker().timed(|| self.raw.set(self.session, handle, template));
            assert_eq!(set, Ok(()), "{} was not changed", name(number));
            entry.acknowledge(version);
            self.wrote();
        }
        entry.release();
        possible
    }

    /// Destroys a thing, a pair half by half; `false` when it is not there or another worker is at it.
    pub fn destroy(&self, number: usize) -> bool {
        let entry = self.ledger.entry(number);
        if !entry.claim(self.number) {
            return false;
        }
        let possible = entry.is_alive();
        if possible {
            let kind = Kind::of(entry.kind.load(SeqCst));
            let mut steps = vec![(kind.class(), GONE)];
            if kind == Kind::Pair {
                steps = vec![(CKO_PRIVATE_KEY, HALF), (CKO_PUBLIC_KEY, GONE)];
            }
            for (class, version) in steps.into_iter().filter(|(_, version)| entry.acked() < *version) {
                let handle = self.own(number, class);
                entry.begin(version);
                let destroyed = self.worker().timed(|| self.raw.destroy(self.session, handle));
                assert_eq!(destroyed, Ok(()), "{} was not destroyed", name(number));
                entry.acknowledge(version);
                self.wrote();
            }
            self.ledger.alive.fetch_sub(1, SeqCst);
        }
        entry.release();
        possible
    }

    /// The handle of something that only this worker may change now, and which is therefore there.
    fn own(&self, number: usize, class: CK_OBJECT_CLASS) -> CK_OBJECT_HANDLE {
        self.look_for(number, class).unwrap_or_else(|| panic!("{} (class {class}) is lost", name(number)))
    }

    /// Searches a thing by its label: whole or absent, once at most, and as old as the ledger allows.
    /// An entry without kind is none (yet).
    pub fn look(&self, number: usize) {
        let entry = self.ledger.entry(number);
        if entry.kind.load(SeqCst) == 0 {
            return;
        }
        let window = entry.observe();
        let found = self.worker().timed(|| self.raw.find(self.session, labelled(number), 10));
        let pair = entry.kind.load(SeqCst) == Kind::Pair as u64;
        let shown = || format!("a search for {} found {found:?}", name(number));
        match found.len() {
            0 => window.saw(&sight::NOTHING, shown),
            1 if pair => window.saw(&sight::PUBLIC_HALF_ONLY, shown),
            1 => window.saw(&sight::WHOLE, shown),
            2 if pair => window.saw(&sight::WHOLE, shown),
            _ => panic!("{} is there {} times", name(number), found.len()),
        }
    }

    /// The handle of one object of a thing, found by label and class, if it is there.
    pub fn look_for(&self, number: usize, class: CK_OBJECT_CLASS) -> Option<CK_OBJECT_HANDLE> {
        let window = self.ledger.entry(number).observe();
        let template = labelled(number).number(CKA_CLASS, class);
        let found = self.worker().timed(|| self.raw.find(self.session, template, 10));
        let shown = || format!("a search for {} with class {class} found {found:?}", name(number));
        match (found.len(), class) {
            (0, CKO_PRIVATE_KEY) => window.saw(&sight::NO_PRIVATE_HALF, shown),
            (0, _) => window.saw(&sight::NOTHING, shown),
            (1, CKO_PUBLIC_KEY) => window.saw(&sight::PUBLIC_HALF, shown),
            (1, _) => window.saw(&sight::WHOLE, shown),
            (count, _) => panic!("{} is there {count} times with class {class}", name(number)),
        }
        let handle = *found.first()?;
        self.note_handle(number, class, handle);
        Some(handle)
    }

    /// Reads the version of a thing through a handle that was given at any time before.
    pub fn read(&self, number: usize, class: CK_OBJECT_CLASS, handle: CK_OBJECT_HANDLE) -> Option<u64> {
        let entry = self.ledger.entry(number);
        let kind = Kind::of(entry.kind.load(SeqCst));
        let public = class == CKO_PUBLIC_KEY;
        let attribute = if public { CKA_LABEL } else { kind.versioned() };
        let window = entry.observe();
        let value = self.worker().timed(|| self.raw.attribute(self.session, handle, attribute));
        let shown = || format!("handle {handle} of {} read {value:?}", name(number));
        match &value {
            Ok(bytes) if public => {
                assert_eq!(bytes, name(number).as_bytes(), "handle {handle} belongs to something else");
                window.saw(&sight::PUBLIC_HALF, shown);
            }
            Ok(bytes) => {
                let version = u64::from_be_bytes(bytes.as_slice().try_into().expect("a version"));
                window.saw(&sight::version(version), shown);
                return Some(version);
            }
            Err(CKR_OBJECT_HANDLE_INVALID) if class == CKO_PRIVATE_KEY => window.saw(&sight::NO_PRIVATE_HALF, shown),
            Err(CKR_OBJECT_HANDLE_INVALID) => window.saw(&sight::NOTHING, shown),
            Err(code) => panic!("{} cannot be read: {code:#x}", name(number)),
        }
        None
    }

    /// Reads through a handle that this process once got, whatever became of the object.
    pub fn read_remembered(&self, dice: &mut Dice) {
        let remembered = {
            let handles = self.handles.lock().expect("no panic");
            let place = dice.below(handles.by_handle.len().max(1) as u64) as usize;
            handles.by_handle.iter().nth(place).map(|(handle, thing)| (*handle, *thing))
        };
        if let Some((handle, (number, class))) = remembered {
            self.read(number, class, handle);
        }
    }

    /// Uses a thing, whoever made it: an AES key gives the ciphertext that it gave its maker, a private key signs and
    /// its public half verifies, now and then also outside the token.
    pub fn use_it(&self, number: usize, outside: Option<&Place>) {
        let entry = self.ledger.entry(number);
        let kind = Kind::of(entry.kind.load(SeqCst));
        let Some(handle) = self.look_for(number, kind.class()) else { return };
        self.read(number, kind.class(), handle);
        match kind {
            Kind::Data => {}
            Kind::Pair => self.sign(number, handle, outside),
            Kind::Aes | Kind::Copied | Kind::Unwrapped | Kind::Derived => {
                let window = entry.observe();
                let shown = || format!("use of {}", name(number));
                let proof = entry.proof.load(SeqCst);
                match self.worker().timed(|| self.ciphertext(handle)) {
                    Ok(other) => {
                        assert!(proof == 0 || proof == other, "{} is another key here", name(number));
                        window.saw(&sight::WHOLE, shown);
                    }
                    Err(CKR_KEY_HANDLE_INVALID) => window.saw(&sight::NOTHING, shown),
                    Err(code) => panic!("{} does not encrypt: {code:#x}", name(number)),
                }
            }
        }
    }

    fn ciphertext(&self, key: CK_OBJECT_HANDLE) -> Answer<u64> {
        let block = self.raw.encrypt(self.session, plain(CKM_AES_ECB), key, &[7; 16])?;
        // The lowest bit is set so that no key has the proof 0.
        Ok(u64::from_be_bytes(block[..8].try_into().expect("eight bytes")) | 1)
    }

    fn sign(&self, number: usize, private: CK_OBJECT_HANDLE, outside: Option<&Place>) {
        let Some(public) = self.look_for(number, CKO_PUBLIC_KEY) else { return };
        let digest = [number as u8; 32];
        let window = self.ledger.entry(number).observe();
        let shown = || format!("a signature with {}", name(number));
        let signed = self.worker().timed(|| self.raw.sign(self.session, plain(CKM_ECDSA), private, &digest));
        let signature = match signed {
            Ok(signature) => signature,
            Err(CKR_KEY_HANDLE_INVALID) => return window.saw(&sight::NO_PRIVATE_HALF, shown),
            Err(code) => panic!("{} does not sign: {code:#x}", name(number)),
        };
        window.saw(&sight::WHOLE, shown);
        let window = self.ledger.entry(number).observe();
        match self.raw.verify(self.session, plain(CKM_ECDSA), public, &digest, &signature) {
            Ok(()) => window.saw(&sight::PUBLIC_HALF, shown),
            Err(CKR_KEY_HANDLE_INVALID) => return window.saw(&sight::NOTHING, shown),
            Err(code) => panic!("{} does not verify: {code:#x}", name(number)),
        }
        if let Some(place) = outside
            && let Ok(key) = self.raw.attribute(self.session, public, CKA_PUBLIC_KEY_INFO)
        {
            verify_outside(place, &format!("{number}-{}", self.number), &key, &digest, &signature);
        }
    }

    /// What has become of a thing whose owner was killed: looks at it, settles its entry and returns the version.
    pub fn settle(&self, number: usize) -> u64 {
        let entry = self.ledger.entry(number);
        if entry.kind.load(SeqCst) == 0 {
            // Killed before it said what it would make.
            entry.settle(GONE);
            return GONE;
        }
        let kind = Kind::of(entry.kind.load(SeqCst));
        let was_alive = entry.is_alive();
        self.look(number);
        let version = match self.look_for(number, kind.class()) {
            Some(handle) => self.read(number, kind.class(), handle).expect("nobody else changes it"),
            None if kind == Kind::Pair && self.look_for(number, CKO_PUBLIC_KEY).is_some() => HALF,
            None if entry.begun() == 1 => {
                // Never made: what was begun is over, and the name is not used again.
                entry.settle(GONE);
                return GONE;
            }
            None => GONE,
        };
        entry.settle(version);
        match (was_alive, entry.is_alive()) {
            (false, true) => self.ledger.alive.fetch_add(1, SeqCst),
            (true, false) => self.ledger.alive.fetch_sub(1, SeqCst),
            _ => 0,
        };
        version
    }

    /// Holds the whole token against the ledger while nobody changes it: each thing whole and once, nothing else, each
    /// CKA_UNIQUE_ID once. Returns how many objects there are.
    pub fn check_all(&self) -> usize {
        let mut objects = 0;
        for number in 0..self.ledger.used() {
            self.look(number);
            let entry = self.ledger.entry(number);
            if entry.kind.load(SeqCst) == 0 {
                continue;
            }
            let pair = entry.kind.load(SeqCst) == Kind::Pair as u64;
            objects += match entry.acked() {
                version if (1..HALF).contains(&version) => 1 + usize::from(pair),
                HALF => 1,
                _ => 0,
            };
        }
        let found = self.raw.find(self.session, Template::new().flag(CKA_TOKEN, true), 1000);
        assert_eq!(found.len(), objects, "objects on the token, and those that the ledger knows");
        let unique = |handle: &CK_OBJECT_HANDLE| self.raw.attribute(self.session, *handle, CKA_UNIQUE_ID);
        let mut names: Vec<_> = found.iter().map(|handle| unique(handle).expect("a unique ID")).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), objects, "each unique ID stands once");
        objects
    }

    /// Holds a handle against what this process was told before: one object one handle, one handle one object.
    fn note_handle(&self, number: usize, class: CK_OBJECT_CLASS, handle: CK_OBJECT_HANDLE) {
        let mut handles = self.handles.lock().expect("no panic");
        let before = *handles.by_thing.entry((number, class)).or_insert(handle);
        let owner = *handles.by_handle.entry(handle).or_insert((number, class));
        // Compared outside the lock: a failure must not poison it and hide what the other threads find.
        drop(handles);
        assert_eq!(before, handle, "{} (class {class}) has another handle now", name(number));
        assert_eq!(owner, (number, class), "handle {handle} was given to two objects");
    }

    fn wrote(&self) {
        self.worker().writes.fetch_add(1, SeqCst);
    }
}

/// The label of a thing.
#[must_use]
pub fn name(number: usize) -> String {
    format!("thing-{number}")
}

fn labelled(number: usize) -> Template {
    Template::new().text(CKA_LABEL, &name(number))
}

/// Verifies an ECDSA signature of a digest with OpenSSL alone.
fn verify_outside(place: &Place, tag: &str, key: &[u8], digest: &[u8], signature: &[u8]) {
    let file = |what: &str| format!("outside-{tag}-{what}");
    place.write(&file("key"), key);
    place.write(&file("digest"), digest);
    place.write(&file("signature"), outside::ecdsa_to_der(signature));
    outside::openssl(
        place,
        &[
            "pkeyutl",
            "-verify",
            "-pubin",
            "-keyform",
            "DER",
            "-inkey",
            &file("key"),
            "-in",
            &file("digest"),
            "-sigfile",
            &file("signature"),
        ],
    );
}
