//! The module in the process of a case, a token with its user logged in, and what was found.
//!
//! Owns: how findings are weighed, memory that the module is given, keys that many cases need. Does not know: what is right;
//! the cases do.

use crate::contestant::Contestant;
use crate::runner::Outcome;
use perilune_tests::ck::*;
use perilune_tests::hand::P256;
use perilune_tests::raw::{Answer, plain};
use perilune_tests::{Place, Raw, Template, ck};
use std::cell::{Cell, RefCell};
use std::io::Write as _;
use std::ptr::null_mut;

/// Why a case went no further.
#[derive(Debug)]
pub enum Stop {
    /// The module does not offer what the case is about.
    Absent(String),
    /// What must work before the hostile part begins does not.
    Control(String),
}

/// What a case returns; its findings are in the target.
pub type Done = Result<(), Stop>;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// Refused, with another word than the standard's.
    Differently,
    /// Accepted, or something is not as it must be afterwards.
    WrongEffect,
}

/// The module under test with a token.
pub struct Target {
    /// The module.
    pub raw: Raw,
    /// Its configuration and store.
    pub place: Place,
    /// Which module, and its PINs.
    pub contestant: Contestant,
    /// The case, and which of its processes this is: "" for the first.
    pub title: String,
    pub role: String,
    /// The slot of the token.
    pub slot: Cell<CK_SLOT_ID>,
    session: Cell<CK_SESSION_HANDLE>,
    /// Keeps the RSA pair, which is slow to make, while other sessions come and go.
    keeper: Cell<CK_SESSION_HANDLE>,
    /// Whether memory for the module lies at odd addresses.
    pub skewed: Cell<bool>,
    findings: RefCell<Vec<(Weight, String)>>,
    note: RefCell<String>,
    aes: Cell<Option<CK_OBJECT_HANDLE>>,
    ec: Cell<Option<(CK_OBJECT_HANDLE, CK_OBJECT_HANDLE)>>,
    rsa: Cell<Option<(CK_OBJECT_HANDLE, CK_OBJECT_HANDLE)>>,
}

/// Return values that say that something is not there at all.
const NOT_OFFERED: [CK_RV; 5] = [
    CKR_FUNCTION_NOT_SUPPORTED,
    CKR_MECHANISM_INVALID,
    CKR_ATTRIBUTE_TYPE_INVALID,
    CKR_CURVE_NOT_SUPPORTED,
    CKR_STATE_UNSAVEABLE,
];

impl Target {
    /// Initialises the module, makes the token if it is not there, and logs its user in.
    ///
    /// # Errors
    /// When that does not work.
    pub fn start(contestant: Contestant, place: Place) -> Result<Self, Stop> {
        let raw = Raw::load_path(contestant.library());
        let mut arguments = CK_C_INITIALIZE_ARGS { flags: CKF_OS_LOCKING_OK, ..Default::default() };
        let target = Self {
            raw,
            place,
            contestant,
            title: String::new(),
            role: String::new(),
            slot: Cell::new(0),
            session: Cell::new(0),
            keeper: Cell::new(0),
            skewed: Cell::new(false),
            findings: RefCell::default(),
            note: RefCell::default(),
            aes: Cell::new(None),
            ec: Cell::new(None),
            rsa: Cell::new(None),
        };
        let pointer = std::ptr::from_mut(&mut arguments).cast();
        target.need("C_Initialize", ck!(target.raw, C_Initialize, pointer))?;
        match target.raw.slot_of(&target.contestant.token) {
            Some(slot) => target.slot.set(slot),
            None => target.slot.set(target.make_token()?),
        }
        target.session.set(target.enter()?);
        Ok(target)
    }

    /// Takes note of the slot in which the token is now: a new beginning may show it in another.
    pub fn find_slot(&self) {
        if let Some(slot) = self.raw.slot_of(&self.contestant.token) {
            self.slot.set(slot);
        }
    }

    /// Makes the token with both PINs by the module's own functions.
    fn make_token(&self) -> Result<CK_SLOT_ID, Stop> {
        let free =
            |slot: &CK_SLOT_ID| self.raw.token_info(*slot).is_ok_and(|info| info.flags & CKF_TOKEN_INITIALIZED == 0);
        let slot = self.raw.slots(false).into_iter().find(free);
        let slot = slot.ok_or_else(|| Stop::Control("no free slot".into()))?;
        let (so_pin, label) = (&self.contestant.so_pin, &self.contestant.token);
        self.answer("C_InitToken", self.raw.init_token(slot, so_pin, label))?;
        let slot = self.raw.slot_of(label).ok_or_else(|| Stop::Control("the new token is not there".into()))?;
        self.give_pin(slot)?;
        Ok(slot)
    }

    /// Gives the user a PIN, as the Security Officer.
    fn give_pin(&self, slot: CK_SLOT_ID) -> Done {
        let session = self.answer("C_OpenSession", self.raw.open(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION))?;
        self.answer("C_Login", self.raw.login(session, CKU_SO, &self.contestant.so_pin))?;
        let pin = &self.contestant.pin;
        self.need("C_InitPIN", ck!(self.raw, C_InitPIN, session, pin.as_ptr().cast_mut(), pin.len() as CK_ULONG))?;
        self.need("C_Logout", ck!(self.raw, C_Logout, session))?;
        self.need("C_CloseSession", ck!(self.raw, C_CloseSession, session))
    }

    /// A read-write session with the user logged in.
    pub fn session(&self) -> CK_SESSION_HANDLE {
        self.session.get()
    }

    /// A new one; on a token that was initialised anew its user gets a PIN first.
    pub fn enter(&self) -> Result<CK_SESSION_HANDLE, Stop> {
        let session = self.open()?;
        match self.raw.login(session, CKU_USER, &self.contestant.pin) {
            Ok(()) | Err(CKR_USER_ALREADY_LOGGED_IN) => Ok(session),
            Err(CKR_USER_ANOTHER_ALREADY_LOGGED_IN) => {
                self.need("C_Logout", ck!(self.raw, C_Logout, session))?;
                self.answer("C_Login", self.raw.login(session, CKU_USER, &self.contestant.pin)).map(|()| session)
            }
            Err(CKR_USER_PIN_NOT_INITIALIZED) => {
                self.need("C_CloseSession", ck!(self.raw, C_CloseSession, session))?;
                self.give_pin(self.slot.get())?;
                self.enter()
            }
            Err(code) => Err(Stop::Control(format!("C_Login: {}", word(code)))),
        }
    }

    /// A read-write session.
    pub fn open(&self) -> Result<CK_SESSION_HANDLE, Stop> {
        self.answer("C_OpenSession", self.raw.open(self.slot.get(), CKF_SERIAL_SESSION | CKF_RW_SESSION))
    }

    /// A session as if nothing had happened: the old one is closed, and with it its operations and keys.
    pub fn begin_again(&self) -> Done {
        let _it_may_be_closed_already = ck!(self.raw, C_CloseSession, self.session());
        self.session.set(self.enter()?);
        self.aes.set(None);
        self.ec.set(None);
        Ok(())
    }

    /// Leaves the user's role for the Security Officer's.
    pub fn become_officer(&self) -> Done {
        self.need("C_Logout", ck!(self.raw, C_Logout, self.session()))?;
        self.answer("C_Login", self.raw.login(self.session(), CKU_SO, &self.contestant.so_pin))
    }

    /// Leaves any role for the user's.
    pub fn become_user(&self) -> Done {
        let _whoever_it_was = ck!(self.raw, C_Logout, self.session());
        self.answer("C_Login", self.raw.login(self.session(), CKU_USER, &self.contestant.pin))
    }

    /// Runs the case in another process on the same token, in another role, to its end.
    ///
    /// # Errors
    /// When something is not ok there.
    pub fn elsewhere(&self, role: &str) -> Done {
        let mut command = crate::runner::command(&self.contestant, &self.place, &self.title);
        let output = command.args(["--role", role]).output().expect("this program starts");
        let (outcome, reason) = crate::runner::judge(output.status, &String::from_utf8_lossy(&output.stdout));
        if outcome > Outcome::NoControl {
            self.found(Weight::WrongEffect, format!("in another process: {}: {reason}", outcome.word()));
        }
        match outcome {
            Outcome::Absent => Err(Stop::Absent(reason)),
            Outcome::NoControl => Err(Stop::Control(format!("in another process: {reason}"))),
            _ => Ok(()),
        }
    }

    /// Says where the case is, for the report of one that does not come back.
    pub fn at(&self, what: &str) {
        let mut out = std::io::stdout();
        writeln!(out, "at {what}").and_then(|()| out.flush()).expect("the report's file");
    }

    /// A step that must work before the hostile part makes sense.
    pub fn need(&self, what: &str, code: CK_RV) -> Done {
        match code {
            CKR_OK => Ok(()),
            code if NOT_OFFERED.contains(&code) => Err(Stop::Absent(format!("{what}: {}", word(code)))),
            code => Err(Stop::Control(format!("{what}: {}", word(code)))),
        }
    }

    /// A positive control: what is hostile afterwards differs from this in one thing.
    pub fn control(&self, what: &str, is_so: bool) -> Done {
        if is_so { Ok(()) } else { Err(Stop::Control(what.into())) }
    }

    /// As [`Self::need`], for a call that gives something.
    pub fn answer<T>(&self, what: &str, answer: Answer<T>) -> Result<T, Stop> {
        answer.or_else(|code| {
            self.need(what, code)?;
            Err(Stop::Control(what.into()))
        })
    }

    /// Notes something that is not as it must be.
    pub fn found(&self, weight: Weight, what: String) {
        self.findings.borrow_mut().push((weight, what));
    }

    /// A hostile call: its return value must be one of these.
    pub fn expect(&self, what: &str, code: CK_RV, allowed: &[CK_RV]) {
        if allowed.contains(&code) {
            return;
        }
        let weight = if code == CKR_OK || allowed == [CKR_OK] { Weight::WrongEffect } else { Weight::Differently };
        let shown = if code == CKR_OK { "accepted".to_owned() } else { word(code) };
        self.found(weight, format!("{what}: {shown}"));
    }

    /// A hostile call that must be refused, by any word that has a meaning for the caller.
    pub fn refused(&self, what: &str, code: CK_RV) {
        match code {
            code if is_refusal(code) => {}
            CKR_OK => self.found(Weight::WrongEffect, format!("{what}: accepted")),
            CKR_GENERAL_ERROR | CKR_FUNCTION_FAILED | CKR_DEVICE_ERROR => {
                self.found(Weight::Differently, format!("{what}: {}", word(code)));
            }
            code => self.found(Weight::WrongEffect, format!("{what}: {code:#x} is no return value")),
        }
    }

    /// Something that must be so.
    pub fn effect(&self, what: &str, is_so: bool) {
        if !is_so {
            self.found(Weight::WrongEffect, what.to_owned());
        }
    }

    /// Something worth telling of a case that is ok.
    pub fn note(&self, what: String) {
        self.note.replace(what);
    }

    /// What was noted.
    pub fn noted(&self) -> String {
        self.note.borrow().clone()
    }

    /// All that was found.
    pub fn findings(&self) -> Vec<(Weight, String)> {
        self.findings.borrow().clone()
    }

    /// Sees that the module still does its work, for what a case must never break.
    pub fn is_alive(&self) {
        let mut digest = [0; 32];
        let mut room = 32;
        // A new session: the case may have left an operation in its own, or closed it.
        let session = self.open().unwrap_or(0);
        let (mut sha, data) = (plain(CKM_SHA256), b"abc".as_ptr().cast_mut());
        let begun = ck!(self.raw, C_DigestInit, session, &mut sha);
        let done = ck!(self.raw, C_Digest, session, data, 3, digest.as_mut_ptr(), &mut room);
        let right = digest.starts_with(&[0xBA, 0x78, 0x16, 0xBF, 0x8F, 0x01, 0xCF, 0xEA]);
        self.effect("afterwards no digest is made any more", begun == CKR_OK && done == CKR_OK && right);
    }

    /// How many objects a session sees.
    pub fn objects(&self) -> usize {
        let session = self.open().unwrap_or_else(|_| self.session());
        let mut handles = vec![0; 1000];
        let mut count = 0;
        let begun = ck!(self.raw, C_FindObjectsInit, session, null_mut(), 0);
        let found = ck!(self.raw, C_FindObjects, session, handles.as_mut_ptr(), 1000, &mut count);
        let ended = ck!(self.raw, C_FindObjectsFinal, session);
        assert_eq!((begun, found, ended), (CKR_OK, CKR_OK, CKR_OK), "a search of everything");
        if session != self.session() {
            assert_eq!(ck!(self.raw, C_CloseSession, session), CKR_OK);
        }
        count as usize
    }
}

/// Memory for the module: it stays until the process ends, between unreadable pages.
impl Target {
    /// A copy of these bytes that ends at an unreadable page; one byte before it when addresses are to be odd.
    pub fn bytes(&self, data: &[u8]) -> *mut u8 {
        let mut copy = Vec::with_capacity(data.len() + usize::from(self.skewed.get()));
        copy.extend_from_slice(data);
        if self.skewed.get() {
            copy.push(0);
        }
        copy.leak().as_mut_ptr()
    }

    /// Zeroed room.
    pub fn room(&self, bytes: usize) -> *mut u8 {
        self.bytes(&vec![0; bytes])
    }

    /// A copy of a structure.
    pub fn value<T: Copy>(&self, value: T) -> *mut T {
        // SAFETY: the bytes of a plain C structure, padding included, which is zero or unimportant.
        let bytes = unsafe { std::slice::from_raw_parts((&raw const value).cast::<u8>(), size_of::<T>()) };
        self.bytes(bytes).cast()
    }

    /// A template: the list and each value apart.
    pub fn list(&self, template: &Template) -> (*mut CK_ATTRIBUTE, usize) {
        let mut template = template.clone();
        let list: Vec<_> = template.attributes().iter().map(|one| self.entry(one)).collect();
        // SAFETY: plain C structures.
        let bytes = unsafe { std::slice::from_raw_parts(list.as_ptr().cast::<u8>(), size_of_val(list.as_slice())) };
        (self.bytes(bytes).cast(), list.len())
    }

    fn entry(&self, one: &CK_ATTRIBUTE) -> CK_ATTRIBUTE {
        // SAFETY: the template's own value.
        let value = unsafe { std::slice::from_raw_parts(one.pValue.cast::<u8>(), one.ulValueLen as usize) };
        CK_ATTRIBUTE { pValue: self.bytes(value).cast(), ..*one }
    }

    /// A mechanism without parameter.
    pub fn plain(&self, kind: CK_MECHANISM_TYPE) -> *mut CK_MECHANISM {
        self.value(plain(kind))
    }

    /// A mechanism with bytes as parameter.
    pub fn mechanism(&self, kind: CK_MECHANISM_TYPE, parameter: &[u8]) -> *mut CK_MECHANISM {
        let length = parameter.len() as CK_ULONG;
        self.value(CK_MECHANISM { mechanism: kind, pParameter: self.bytes(parameter).cast(), ulParameterLen: length })
    }

    /// A mechanism with a structure as parameter.
    pub fn with<T: Copy>(&self, kind: CK_MECHANISM_TYPE, parameter: T) -> *mut CK_MECHANISM {
        let length = size_of::<T>() as CK_ULONG;
        self.value(CK_MECHANISM { mechanism: kind, pParameter: self.value(parameter).cast(), ulParameterLen: length })
    }
}

/// Reads what the module wrote.
pub fn read<T: Copy>(place: *const T) -> T {
    // SAFETY: the place was made by the target for a `T`.
    unsafe { place.read_unaligned() }
}

/// Bytes that the module wrote.
pub fn read_bytes(place: *const u8, bytes: usize) -> Vec<u8> {
    (0..bytes).map(|index| read(place.wrapping_add(index))).collect()
}

/// Keys that many cases need, made at the first use.
impl Target {
    /// An AES key of 32 bytes that may do everything and leave the token.
    pub fn aes(&self) -> Result<CK_OBJECT_HANDLE, Stop> {
        cached(&self.aes, || self.new_aes())
    }

    /// A new one.
    pub fn new_aes(&self) -> Result<CK_OBJECT_HANDLE, Stop> {
        let template = Template::new().number(CKA_VALUE_LEN, 32).flag(CKA_SENSITIVE, false).flag(CKA_EXTRACTABLE, true);
        let usages = [CKA_ENCRYPT, CKA_DECRYPT, CKA_SIGN, CKA_VERIFY, CKA_WRAP, CKA_UNWRAP, CKA_DERIVE];
        let template = usages.iter().fold(template, |template, usage| template.flag(*usage, true));
        self.generate(CKM_AES_KEY_GEN, &template)
    }

    /// C_GenerateKey.
    pub fn generate(&self, kind: CK_MECHANISM_TYPE, template: &Template) -> Result<CK_OBJECT_HANDLE, Stop> {
        self.answer("C_GenerateKey", self.raw.generate(self.session(), plain(kind), template.clone()))
    }

    /// An HMAC key with this value.
    pub fn secret(&self, value: &[u8]) -> Result<CK_OBJECT_HANDLE, Stop> {
        let template = Template::new()
            .number(CKA_CLASS, CKO_SECRET_KEY)
            .number(CKA_KEY_TYPE, CKK_GENERIC_SECRET)
            .bytes(CKA_VALUE, value)
            .flag(CKA_SENSITIVE, false)
            .flag(CKA_EXTRACTABLE, true);
        let usages = [CKA_SIGN, CKA_VERIFY, CKA_DERIVE].iter();
        let template = usages.fold(template, |template, usage| template.flag(*usage, true));
        self.answer("C_CreateObject", self.raw.create(self.session(), template))
    }

    /// A P-256 pair that signs and derives: public and private key.
    pub fn ec(&self) -> Result<(CK_OBJECT_HANDLE, CK_OBJECT_HANDLE), Stop> {
        cached(&self.ec, || {
            let public = Template::new().bytes(CKA_EC_PARAMS, P256).flag(CKA_VERIFY, true);
            let private = Template::new().flag(CKA_SIGN, true).flag(CKA_DERIVE, true);
            self.pair(CKM_EC_KEY_PAIR_GEN, public, private)
        })
    }

    /// An RSA-2048 pair for everything, the same as before as long as it is there.
    pub fn rsa(&self) -> Result<(CK_OBJECT_HANDLE, CK_OBJECT_HANDLE), Stop> {
        let is_there = |key| self.raw.attribute(self.session(), key, CKA_MODULUS).is_ok();
        if let Some(pair) = self.rsa.get().filter(|pair| is_there(pair.0) && is_there(pair.1)) {
            return Ok(pair);
        }
        let public = Template::new().number(CKA_MODULUS_BITS, 2048).bytes(CKA_PUBLIC_EXPONENT, &[1, 0, 1]);
        let public = public.flag(CKA_VERIFY, true).flag(CKA_ENCRYPT, true).flag(CKA_WRAP, true);
        let private = Template::new().flag(CKA_SIGN, true).flag(CKA_DECRYPT, true).flag(CKA_UNWRAP, true);
        if ck!(self.raw, C_GetSessionInfo, self.keeper.get(), &mut CK_SESSION_INFO::default()) != CKR_OK {
            self.keeper.set(self.open()?);
        }
        let pair = self.raw.generate_pair(self.keeper.get(), plain(CKM_RSA_PKCS_KEY_PAIR_GEN), public, private);
        let pair = self.answer("C_GenerateKeyPair", pair)?;
        self.rsa.set(Some(pair));
        Ok(pair)
    }

    /// C_GenerateKeyPair.
    pub fn pair(
        &self,
        kind: CK_MECHANISM_TYPE,
        public: Template,
        private: Template,
    ) -> Result<(CK_OBJECT_HANDLE, CK_OBJECT_HANDLE), Stop> {
        self.answer("C_GenerateKeyPair", self.raw.generate_pair(self.session(), plain(kind), public, private))
    }
}

fn cached<T: Copy>(cell: &Cell<Option<T>>, make: impl FnOnce() -> Result<T, Stop>) -> Result<T, Stop> {
    if let Some(value) = cell.get() {
        return Ok(value);
    }
    let value = make()?;
    cell.set(Some(value));
    Ok(value)
}

/// A return value by its name.
pub fn word(code: CK_RV) -> String {
    ffi_headers::names::printable(ffi_headers::names::return_value, code)
}

/// Whether it refuses by a word that has a meaning for the caller.
pub fn is_refusal(code: CK_RV) -> bool {
    ![CKR_OK, CKR_GENERAL_ERROR, CKR_FUNCTION_FAILED, CKR_DEVICE_ERROR].contains(&code) && is_known(code)
}

/// Whether the standard knows it, or a vendor may have given it to his own mechanism; an internal number below zero is neither.
fn is_known(code: CK_RV) -> bool {
    ffi_headers::names::return_value(code).is_some()
        || (CKR_VENDOR_DEFINED..CKR_VENDOR_DEFINED + (1 << 28)).contains(&code)
}
