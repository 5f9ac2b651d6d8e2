//! One right call of each function: what must be so before it, and its arguments.
//!
//! Owns: a second knowledge of every function of PKCS#11 3.2, from which the cases spoil one argument at a time.
//! Rule source: PKCS#11 3.2, 5.4 to 5.22.

use crate::messages;
use crate::target::{Done, Stop, Target};
use perilune_tests::ck::*;
use perilune_tests::raw::{call_words, entries, plain};
use perilune_tests::signatures::{COUNT_2_40, FUNCTIONS};
use perilune_tests::{Template, ck};
use std::ptr::{from_ref, null_mut};

/// What NULL means in the place of a pointer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Null {
    /// CKR_ARGUMENTS_BAD.
    Refused,
    /// A question for the size of the output.
    Size,
    /// The end of the operation, where there is one.
    Cancel,
    /// A parameter that this mechanism needs.
    Parameter,
    /// Something that the standard leaves open.
    Open,
}

/// One argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arg {
    Session,
    Slot,
    Object(CK_OBJECT_HANDLE),
    /// A number that is no length.
    Number(usize),
    /// How many bytes the pointer before it points to.
    Length(usize),
    /// How many attributes the pointer before it points to.
    Count(usize),
    Pointer(usize, Null),
    /// The pointer to the length of the output before it, in units of so many bytes.
    Room(usize, usize),
}

/// A call that is ready to be made.
pub struct Call<'t> {
    target: &'t Target,
    /// The function.
    pub name: &'static str,
    entry: usize,
    /// Its arguments.
    pub args: Vec<Arg>,
    /// What it returns when nothing is wrong.
    pub expected: &'static [CK_RV],
}

/// Return values of functions that are right not to do anything.
const OTHERS: [(&str, &[CK_RV]); 7] = [
    ("C_GetFunctionStatus", &[CKR_FUNCTION_NOT_PARALLEL]),
    ("C_CancelFunction", &[CKR_FUNCTION_NOT_PARALLEL]),
    ("C_WaitForSlotEvent", &[CKR_NO_EVENT, CKR_OK]),
    ("C_SeedRandom", &[CKR_OK, CKR_RANDOM_SEED_NOT_SUPPORTED]),
    ("C_AsyncComplete", &[CKR_SESSION_ASYNC_NOT_SUPPORTED, CKR_OPERATION_NOT_INITIALIZED]),
    ("C_AsyncGetID", &[CKR_SESSION_ASYNC_NOT_SUPPORTED, CKR_OPERATION_NOT_INITIALIZED]),
    ("C_AsyncJoin", &[CKR_SESSION_ASYNC_NOT_SUPPORTED, CKR_SAVED_STATE_INVALID]),
];

/// Functions whose refused call ends the operation.
pub const ENDING: [&str; 27] = [
    "C_Encrypt",
    "C_EncryptUpdate",
    "C_EncryptFinal",
    "C_Decrypt",
    "C_DecryptUpdate",
    "C_DecryptFinal",
    "C_Digest",
    "C_DigestUpdate",
    "C_DigestKey",
    "C_DigestFinal",
    "C_Sign",
    "C_SignUpdate",
    "C_SignFinal",
    "C_SignRecover",
    "C_Verify",
    "C_VerifyUpdate",
    "C_VerifyFinal",
    "C_VerifyRecover",
    "C_DigestEncryptUpdate",
    "C_DecryptDigestUpdate",
    "C_SignEncryptUpdate",
    "C_DecryptVerifyUpdate",
    "C_VerifySignature",
    "C_VerifySignatureUpdate",
    "C_VerifySignatureFinal",
    "C_EncryptMessageNext",
    "C_DecryptMessageNext",
];

/// The functions that cases call; the two that begin and end everything have cases of their own.
pub fn names() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.iter().map(|(name, _)| *name).filter(|name| !["C_Initialize", "C_Finalize"].contains(name))
}

/// Where a function is in the module's lists.
///
/// # Errors
/// When the module has no such list, or nothing there.
pub fn entry(target: &Target, name: &str) -> Result<usize, Stop> {
    let index = FUNCTIONS.iter().position(|(known, _)| *known == name).expect("a function of the standard");
    let list = if index < COUNT_2_40 {
        from_ref(&target.raw.functions().version)
    } else {
        let list = target.raw.newest().ok_or_else(|| Stop::Absent("no interface of version 3.2".into()))?;
        from_ref(&list.version)
    };
    let count = if index < COUNT_2_40 { COUNT_2_40 } else { FUNCTIONS.len() };
    match entries(list, count)[index] {
        0 => Err(Stop::Absent("a NULL in the list".into())),
        entry => Ok(entry),
    }
}

impl<'t> Call<'t> {
    /// Brings the session into the state that the function needs, and makes its arguments.
    ///
    /// # Errors
    /// When the function is not there, or what it needs cannot be had.
    pub fn new(target: &'t Target, name: &'static str) -> Result<Self, Stop> {
        let entry = entry(target, name)?;
        let args = Arguments { target, list: Vec::new() };
        let args = match name {
            name if name.contains("Message") => messages::arguments(args, name)?,
            _ => arguments(args, name)?,
        };
        let expected = OTHERS.iter().find(|(other, _)| *other == name).map_or(&[CKR_OK][..], |(_, codes)| *codes);
        Ok(Self { target, name, entry, args: args.list, expected })
    }

    /// Calls the function.
    pub fn run(&self) -> CK_RV {
        let mut words = [0; 10];
        for (word, arg) in words.iter_mut().zip(&self.args) {
            *word = match *arg {
                Arg::Session => self.target.session() as usize,
                Arg::Slot => self.target.slot.get() as usize,
                Arg::Object(handle) => handle as usize,
                Arg::Number(word)
                | Arg::Length(word)
                | Arg::Count(word)
                | Arg::Pointer(word, _)
                | Arg::Room(word, _) => word,
            };
        }
        call_words(self.entry, words)
    }

    /// The same call with one argument replaced.
    pub fn with(&self, index: usize, word: usize) -> Self {
        let mut args = self.args.clone();
        args[index] = Arg::Number(word);
        Self { args, ..*self }
    }

    /// Sees that the right call works: what is spoilt afterwards is then the only reason to refuse.
    ///
    /// # Errors
    /// When it does not.
    pub fn control(&self) -> Done {
        let code = self.run();
        if self.expected.contains(&code) {
            return Ok(());
        }
        self.target.need(self.name, if code == CKR_OK { CKR_FUNCTION_FAILED } else { code })
    }
}

/// Arguments while they are written down.
pub struct Arguments<'t> {
    pub target: &'t Target,
    list: Vec<Arg>,
}

impl Arguments<'_> {
    pub fn arg(mut self, arg: Arg) -> Self {
        self.list.push(arg);
        self
    }

    pub fn session(self) -> Self {
        self.arg(Arg::Session)
    }

    pub fn object(self, handle: CK_OBJECT_HANDLE) -> Self {
        self.arg(Arg::Object(handle))
    }

    pub fn number(self, number: CK_ULONG) -> Self {
        self.arg(Arg::Number(number as usize))
    }

    pub fn pointer<T>(self, place: *mut T, null: Null) -> Self {
        self.arg(Arg::Pointer(place as usize, null))
    }

    /// Room for an answer of a fixed size.
    pub fn out(self, bytes: usize) -> Self {
        let place = self.target.room(bytes);
        self.pointer(place, Null::Refused)
    }

    /// Input bytes and their number.
    pub fn data(self, data: &[u8]) -> Self {
        let place = self.target.bytes(data);
        self.pointer(place, Null::Refused).arg(Arg::Length(data.len()))
    }

    /// Room for so many units of `each` bytes, and the pointer to their number.
    pub fn units(self, count: usize, each: usize) -> Self {
        let (place, length) = (self.target.room(count * each), self.target.value(count as CK_ULONG));
        self.pointer(place, Null::Size).arg(Arg::Room(length as usize, each))
    }

    /// Room for so many bytes, and the pointer to their number.
    pub fn output(self, bytes: usize) -> Self {
        self.units(bytes, 1)
    }

    /// A template and the number of its attributes.
    pub fn template(self, template: &Template) -> Self {
        let (list, count) = self.target.list(template);
        self.pointer(list, Null::Refused).arg(Arg::Count(count))
    }

    /// The mechanism of a function that begins an operation, where NULL ends one.
    pub fn begins(self, mechanism: *mut CK_MECHANISM) -> Self {
        self.pointer(mechanism, Null::Cancel)
    }

    /// The mechanism of any other function.
    pub fn mechanism(self, mechanism: *mut CK_MECHANISM) -> Self {
        self.pointer(mechanism, Null::Refused)
    }
}

const HANDLE: usize = size_of::<CK_OBJECT_HANDLE>();
const BLOCK: [u8; 16] = [7; 16];

/// An AES key as C_UnwrapKey and C_DeriveKey make it.
pub fn aes_template() -> Template {
    let template = Template::new().number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, CKK_AES);
    template.flag(CKA_SENSITIVE, false).flag(CKA_EXTRACTABLE, true)
}

fn arguments<'t>(args: Arguments<'t>, name: &str) -> Result<Arguments<'t>, Stop> {
    match name {
        name if name.contains("Key") && !name.contains("Digest") => keys(args, name),
        name if name.contains("Object") || name.contains("Attribute") => objects(args, name),
        name if ["crypt", "Digest", "Sign", "Verify"].iter().any(|word| name.contains(word)) => operations(args, name),
        _ => general(args, name),
    }
}

/// Information, slots, sessions, PINs, random numbers.
fn general<'t>(args: Arguments<'t>, name: &str) -> Result<Arguments<'t>, Stop> {
    let target = args.target;
    let (so_pin, pin) = (target.contestant.so_pin.clone(), target.contestant.pin.clone());
    Ok(match name {
        "C_GetInfo" => args.out(size_of::<CK_INFO>()),
        "C_GetFunctionList" => args.out(size_of::<usize>()),
        "C_GetSlotList" => {
            let count = target.raw.slots(true).len();
            args.number(1).units(count, HANDLE)
        }
        "C_GetSlotInfo" => args.arg(Arg::Slot).out(size_of::<CK_SLOT_INFO>()),
        "C_GetTokenInfo" => args.arg(Arg::Slot).out(size_of::<CK_TOKEN_INFO>()),
        "C_GetMechanismList" => {
            let mut count = 0;
            target.need(name, ck!(target.raw, C_GetMechanismList, target.slot.get(), null_mut(), &mut count))?;
            args.arg(Arg::Slot).units(count as usize, HANDLE)
        }
        "C_GetMechanismInfo" => args.arg(Arg::Slot).number(CKM_AES_ECB).out(size_of::<CK_MECHANISM_INFO>()),
        "C_InitToken" => {
            target.need("C_CloseAllSessions", ck!(target.raw, C_CloseAllSessions, target.slot.get()))?;
            let mut label = [b' '; 32];
            label[..target.contestant.token.len()].copy_from_slice(target.contestant.token.as_bytes());
            let place = target.bytes(&label);
            args.arg(Arg::Slot).data(so_pin.as_bytes()).pointer(place, Null::Refused)
        }
        "C_InitPIN" => {
            target.become_officer()?;
            args.session().data(pin.as_bytes())
        }
        "C_SetPIN" => args.session().data(pin.as_bytes()).data(pin.as_bytes()),
        "C_OpenSession" => {
            let open = args.arg(Arg::Slot).number(CKF_SERIAL_SESSION | CKF_RW_SESSION);
            open.pointer(target.room(8), Null::Open).arg(Arg::Number(0)).out(HANDLE)
        }
        "C_CloseSession" | "C_Logout" | "C_GetFunctionStatus" | "C_CancelFunction" => args.session(),
        "C_CloseAllSessions" => args.arg(Arg::Slot),
        "C_GetSessionInfo" => args.session().out(size_of::<CK_SESSION_INFO>()),
        "C_GetOperationState" | "C_SetOperationState" => state(args, name)?,
        "C_Login" | "C_LoginUser" => {
            target.need("C_Logout", ck!(target.raw, C_Logout, target.session()))?;
            let login = args.session().number(CKU_USER).data(pin.as_bytes());
            if name == "C_Login" { login } else { login.pointer(target.room(0), Null::Open).number(0) }
        }
        "C_SeedRandom" | "C_GenerateRandom" => args.session().data(&BLOCK),
        "C_WaitForSlotEvent" => args.number(CKF_DONT_BLOCK).out(HANDLE).number(0),
        "C_GetInterfaceList" => args.units(4, size_of::<CK_INTERFACE>()),
        "C_GetInterface" => {
            let (name, version) = (target.bytes(b"PKCS 11\0"), target.value(CK_VERSION { major: 2, minor: 40 }));
            args.pointer(name, Null::Open).pointer(version, Null::Open).out(size_of::<usize>()).number(0)
        }
        "C_SessionCancel" => {
            let aes = target.aes()?;
            target.need(
                "C_EncryptInit",
                ck!(target.raw, C_EncryptInit, target.session(), target.plain(CKM_AES_ECB), aes),
            )?;
            args.session().number(CKF_ENCRYPT)
        }
        "C_GetSessionValidationFlags" => args.session().number(1).out(8),
        "C_AsyncComplete" => {
            let place = target.bytes(b"C_GenerateKey\0");
            args.session().pointer(place, Null::Refused).out(size_of::<CK_ASYNC_DATA>())
        }
        "C_AsyncGetID" => {
            let place = target.bytes(b"C_GenerateKey\0");
            args.session().pointer(place, Null::Refused).out(HANDLE)
        }
        "C_AsyncJoin" => {
            let place = target.bytes(b"C_GenerateKey\0");
            args.session().pointer(place, Null::Refused).number(1).data(&BLOCK)
        }
        _ => unreachable!("{name} has no right call"),
    })
}

/// The state of a digest.
fn state<'t>(args: Arguments<'t>, name: &str) -> Result<Arguments<'t>, Stop> {
    let target = args.target;
    begin(target, "C_DigestInit", CKM_SHA256, None)?;
    target.need("C_DigestUpdate", ck!(target.raw, C_DigestUpdate, target.session(), target.bytes(&BLOCK), 16))?;
    let mut room = 0;
    target.need(name, ck!(target.raw, C_GetOperationState, target.session(), null_mut(), &mut room))?;
    if name == "C_GetOperationState" {
        return Ok(args.session().output(room as usize));
    }
    let mut state = vec![0; room as usize];
    target.need(name, ck!(target.raw, C_GetOperationState, target.session(), state.as_mut_ptr(), &mut room))?;
    Ok(args.session().data(&state[..room as usize]).number(0).number(0))
}

/// Objects, their attributes, searches.
fn objects<'t>(args: Arguments<'t>, name: &str) -> Result<Arguments<'t>, Stop> {
    let target = args.target;
    let label = Template::new().text(CKA_LABEL, "hostile");
    Ok(match name {
        "C_CreateObject" => args.session().template(&label.number(CKA_CLASS, CKO_DATA)).out(HANDLE),
        "C_CopyObject" => args.session().object(target.new_aes()?).template(&label).out(HANDLE),
        "C_DestroyObject" => args.session().object(target.new_aes()?),
        "C_GetObjectSize" => args.session().object(target.aes()?).out(8),
        "C_GetAttributeValue" => {
            let template = Template::new().number(CKA_KEY_TYPE, 0).bytes(CKA_VALUE, &[0; 32]);
            args.session().object(target.aes()?).template(&template)
        }
        "C_SetAttributeValue" => args.session().object(target.aes()?).template(&label),
        "C_FindObjectsInit" => args.session().template(&label),
        "C_FindObjects" | "C_FindObjectsFinal" => {
            target.aes()?;
            target.need("C_FindObjectsInit", ck!(target.raw, C_FindObjectsInit, target.session(), null_mut(), 0))?;
            match name {
                "C_FindObjects" => args.session().out(HANDLE).number(1).out(8),
                _ => args.session(),
            }
        }
        _ => unreachable!("{name} has no right call"),
    })
}

/// Keys that are made, wrapped, unwrapped, derived.
fn keys<'t>(args: Arguments<'t>, name: &str) -> Result<Arguments<'t>, Stop> {
    let target = args.target;
    let aes = aes_template();
    Ok(match name {
        "C_GenerateKey" => {
            let template = Template::new().number(CKA_VALUE_LEN, 32);
            args.session().mechanism(target.plain(CKM_AES_KEY_GEN)).template(&template).out(HANDLE)
        }
        "C_GenerateKeyPair" => {
            let public = Template::new().bytes(CKA_EC_PARAMS, perilune_tests::hand::P256);
            let private = Template::new().flag(CKA_SIGN, true);
            let pair = args.session().mechanism(target.plain(CKM_EC_KEY_PAIR_GEN));
            pair.template(&public).template(&private).out(HANDLE).out(HANDLE)
        }
        "C_WrapKey" => {
            let (wrapping, key) = (target.aes()?, target.new_aes()?);
            args.session().mechanism(target.plain(CKM_AES_KEY_WRAP)).object(wrapping).object(key).output(40)
        }
        "C_UnwrapKey" => {
            let (wrapping, key) = (target.aes()?, target.new_aes()?);
            let wrapped = wrap(target, wrapping, key)?;
            let unwrap = args.session().mechanism(target.plain(CKM_AES_KEY_WRAP)).object(wrapping);
            unwrap.data(&wrapped).template(&aes).out(HANDLE)
        }
        "C_DeriveKey" => {
            let (public, private) = target.ec()?;
            let point = target.answer("CKA_EC_POINT", target.raw.attribute(target.session(), public, CKA_EC_POINT))?;
            let parameter = CK_ECDH1_DERIVE_PARAMS {
                kdf: CKD_NULL,
                ulSharedDataLen: 0,
                pSharedData: null_mut(),
                ulPublicDataLen: point.len() as CK_ULONG,
                pPublicData: target.bytes(&point),
            };
            let derive = args.session().mechanism(target.with(CKM_ECDH1_DERIVE, parameter)).object(private);
            derive.template(&aes.number(CKA_VALUE_LEN, 32)).out(HANDLE)
        }
        "C_EncapsulateKey" | "C_DecapsulateKey" => encapsulation(args, name)?,
        "C_WrapKeyAuthenticated" | "C_UnwrapKeyAuthenticated" => messages::wrapping(args, name)?,
        _ => unreachable!("{name} has no right call"),
    })
}

fn encapsulation<'t>(args: Arguments<'t>, name: &str) -> Result<Arguments<'t>, Stop> {
    let target = args.target;
    let public = Template::new().number(CKA_PARAMETER_SET, CKP_ML_KEM_512).flag(CKA_ENCAPSULATE, true);
    let private = Template::new().flag(CKA_DECAPSULATE, true);
    let (public, private) = target.pair(CKM_ML_KEM_KEY_PAIR_GEN, public, private)?;
    let aes = aes_template();
    let mechanism = target.plain(CKM_ML_KEM);
    if name == "C_EncapsulateKey" {
        return Ok(args.session().mechanism(mechanism).object(public).template(&aes).output(768).out(HANDLE));
    }
    let encapsulate = Call::new(target, "C_EncapsulateKey")?.with(2, public as usize);
    encapsulate.control()?;
    let Some(Arg::Pointer(cipher, _)) = encapsulate.args.get(5).copied() else { unreachable!("the ciphertext") };
    let cipher = crate::target::read_bytes(cipher as *const u8, 768);
    Ok(args.session().mechanism(mechanism).object(private).template(&aes).data(&cipher).out(HANDLE))
}

/// A key wrapped with CKM_AES_KEY_WRAP.
pub fn wrap(target: &Target, wrapping: CK_OBJECT_HANDLE, key: CK_OBJECT_HANDLE) -> Result<Vec<u8>, Stop> {
    let (mut out, mut room) = (vec![0; 512], 512);
    let mechanism = target.plain(CKM_AES_KEY_WRAP);
    let code = ck!(target.raw, C_WrapKey, target.session(), mechanism, wrapping, key, out.as_mut_ptr(), &mut room);
    target.need("C_WrapKey", code)?;
    out.truncate(room as usize);
    Ok(out)
}

/// Begins an operation in the target's session.
pub fn begin(target: &Target, init: &str, kind: CK_MECHANISM_TYPE, key: Option<CK_OBJECT_HANDLE>) -> Done {
    target.need(init, begin_with(target, init, target.plain(kind), key.unwrap_or(0))?)
}

/// Calls a function that begins an operation.
pub fn begin_with(
    target: &Target,
    init: &str,
    mechanism: *mut CK_MECHANISM,
    key: CK_OBJECT_HANDLE,
) -> Result<CK_RV, Stop> {
    let words = [target.session() as usize, mechanism as usize, key as usize, 0, 0, 0, 0, 0, 0, 0];
    Ok(call_words(entry(target, init)?, words))
}

/// Operations: ciphers, digests, signatures.
fn operations<'t>(args: Arguments<'t>, name: &str) -> Result<Arguments<'t>, Stop> {
    let target = args.target;
    Ok(match name {
        "C_EncryptInit" | "C_DecryptInit" => args.session().begins(target.plain(CKM_AES_ECB)).object(target.aes()?),
        "C_Encrypt" | "C_EncryptUpdate" | "C_Decrypt" | "C_DecryptUpdate" => {
            let init = if name.contains("Enc") { "C_EncryptInit" } else { "C_DecryptInit" };
            begin(target, init, CKM_AES_ECB, Some(target.aes()?))?;
            args.session().data(&BLOCK).output(16)
        }
        "C_EncryptFinal" | "C_DecryptFinal" => padded(args, name)?,
        "C_DigestInit" => args.session().begins(target.plain(CKM_SHA256)),
        "C_Digest" | "C_DigestUpdate" | "C_DigestKey" | "C_DigestFinal" => {
            let key = if name == "C_DigestKey" { target.secret(&BLOCK)? } else { 0 };
            begin(target, "C_DigestInit", CKM_SHA256, None)?;
            match name {
                "C_Digest" => args.session().data(&BLOCK).output(32),
                "C_DigestUpdate" => args.session().data(&BLOCK),
                "C_DigestKey" => args.session().object(key),
                _ => args.session().output(32),
            }
        }
        name if name.contains("Recover") => recovery(args, name)?,
        name if name.ends_with("EncryptUpdate") || name.starts_with("C_Decrypt") => both(args, name)?,
        name if name.contains("VerifySignature") => signature_first(args, name)?,
        _ => signatures(args, name)?,
    })
}

/// The last block of a padded message, which C_DecryptFinal holds back.
fn padded<'t>(args: Arguments<'t>, name: &str) -> Result<Arguments<'t>, Stop> {
    let target = args.target;
    let (aes, session) = (target.aes()?, target.session());
    let mechanism = || target.mechanism(CKM_AES_CBC_PAD, &BLOCK);
    if name == "C_EncryptFinal" {
        target.need("C_EncryptInit", ck!(target.raw, C_EncryptInit, session, mechanism(), aes))?;
        let (out, room) = (target.room(16), target.value(16 as CK_ULONG));
        target
            .need("C_EncryptUpdate", ck!(target.raw, C_EncryptUpdate, session, target.bytes(b"abc"), 3, out, room))?;
    } else {
        // SAFETY: the mechanism was just made.
        let sealed = target.raw.encrypt(session, unsafe { mechanism().read_unaligned() }, aes, b"abc");
        let sealed = target.answer("C_Encrypt", sealed)?;
        target.need("C_DecryptInit", ck!(target.raw, C_DecryptInit, session, mechanism(), aes))?;
        let (out, room) = (target.room(16), target.value(16 as CK_ULONG));
        let data = target.bytes(&sealed);
        target.need("C_DecryptUpdate", ck!(target.raw, C_DecryptUpdate, session, data, 16, out, room))?;
    }
    Ok(args.session().output(16))
}

/// A MAC with HMAC: every module has that.
fn signatures<'t>(args: Arguments<'t>, name: &str) -> Result<Arguments<'t>, Stop> {
    let target = args.target;
    let key = target.secret(&[9; 32])?;
    let mac = target.raw.sign(target.session(), plain(CKM_SHA256_HMAC), key, &BLOCK);
    let mac = target.answer("C_Sign", mac)?;
    if name.ends_with("Init") {
        return Ok(args.session().begins(target.plain(CKM_SHA256_HMAC)).object(key));
    }
    let verifies = name.contains("Verify");
    begin(target, if verifies { "C_VerifyInit" } else { "C_SignInit" }, CKM_SHA256_HMAC, Some(key))?;
    if name.ends_with("Final") {
        let update = if verifies { "C_VerifyUpdate" } else { "C_SignUpdate" };
        let words = [target.session() as usize, target.bytes(&BLOCK) as usize, 16, 0, 0, 0, 0, 0, 0, 0];
        target.need(update, call_words(entry(target, update)?, words))?;
    }
    Ok(match name {
        "C_Sign" => args.session().data(&BLOCK).output(32),
        "C_SignUpdate" | "C_VerifyUpdate" => args.session().data(&BLOCK),
        "C_SignFinal" => args.session().output(32),
        "C_Verify" => args.session().data(&BLOCK).data(&mac),
        "C_VerifyFinal" => args.session().data(&mac),
        _ => unreachable!("{name} has no right call"),
    })
}

fn recovery<'t>(args: Arguments<'t>, name: &str) -> Result<Arguments<'t>, Stop> {
    let target = args.target;
    let (public, private) = target.rsa()?;
    let key = if name.contains("Verify") { public } else { private };
    if name.ends_with("Init") {
        return Ok(args.session().begins(target.plain(CKM_RSA_PKCS)).object(key));
    }
    if name == "C_SignRecover" {
        begin(target, "C_SignRecoverInit", CKM_RSA_PKCS, Some(key))?;
        return Ok(args.session().data(&BLOCK).output(256));
    }
    let signature = target.answer("C_Sign", target.raw.sign(target.session(), plain(CKM_RSA_PKCS), private, &BLOCK))?;
    begin(target, "C_VerifyRecoverInit", CKM_RSA_PKCS, Some(key))?;
    Ok(args.session().data(&signature).output(16))
}

/// Two operations at once.
fn both<'t>(args: Arguments<'t>, name: &str) -> Result<Arguments<'t>, Stop> {
    let target = args.target;
    let (aes, key) = (target.aes()?, target.secret(&[9; 32])?);
    let cipher = if name.contains("Encrypt") { "C_EncryptInit" } else { "C_DecryptInit" };
    begin(target, cipher, CKM_AES_ECB, Some(aes))?;
    let second = match name {
        name if name.contains("Digest") => begin(target, "C_DigestInit", CKM_SHA256, None),
        name if name.contains("Sign") => begin(target, "C_SignInit", CKM_SHA256_HMAC, Some(key)),
        _ => begin(target, "C_VerifyInit", CKM_SHA256_HMAC, Some(key)),
    };
    second.map_err(|_| Stop::Absent("no second operation beside a cipher".into()))?;
    Ok(args.session().data(&BLOCK).output(16))
}

/// Verification of a signature that is given before its data.
fn signature_first<'t>(args: Arguments<'t>, name: &str) -> Result<Arguments<'t>, Stop> {
    let target = args.target;
    let (public, private) = target.ec()?;
    let signature = target.raw.sign(target.session(), plain(CKM_ECDSA_SHA256), private, &BLOCK);
    let signature = target.answer("C_Sign", signature)?;
    if name == "C_VerifySignatureInit" {
        return Ok(args.session().begins(target.plain(CKM_ECDSA_SHA256)).object(public).data(&signature));
    }
    let init = Call::new(target, "C_VerifySignatureInit")?;
    init.control()?;
    match name {
        "C_VerifySignature" | "C_VerifySignatureUpdate" => Ok(args.session().data(&BLOCK)),
        _ => {
            let words = [target.session() as usize, target.bytes(&BLOCK) as usize, 16, 0, 0, 0, 0, 0, 0, 0];
            target.need("C_VerifySignatureUpdate", call_words(entry(target, "C_VerifySignatureUpdate")?, words))?;
            Ok(args.session())
        }
    }
}
