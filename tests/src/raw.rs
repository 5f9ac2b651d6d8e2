//! The C interface as it is, with just enough comfort to write scenarios.
//!
//! Owns: loading the module and the calls that every scenario needs. Return values are `Result` with the
//! bare `CKR_*`, because they are what is tested. Does not know: what a right answer is.

use crate::attribute::Template;
use crate::ck::*;
use crate::place::{SO_PIN, TOKEN_LABEL, USER_PIN};
use std::ptr::{null_mut, slice_from_raw_parts_mut};

/// The answer of one call.
pub type Answer<T> = Result<T, CK_RV>;

/// The module, loaded.
pub struct Raw {
    library: Option<libloading::Library>,
    functions: &'static CK_FUNCTION_LIST,
}

/// Calls one function of the 2.40 list: `ck!(raw, C_GetInfo, &mut info)`.
#[macro_export]
macro_rules! ck {
    ($raw:expr, $function:ident $(, $argument:expr)* $(,)?) => {{
        let entry = $raw.functions().$function.expect(stringify!($function));
        #[allow(clippy::macro_metavars_in_unsafe, reason = "arguments are plain values and pointers of the scenario")]
        // SAFETY: the scenario passes what the C prototype asks for, or deliberately what it must survive.
        unsafe {
            entry($($argument),*)
        }
    }};
}

/// Calls one function of the 3.2 list: `ck3!(raw, C_VerifySignature, session, data, length)`.
#[macro_export]
macro_rules! ck3 {
    ($raw:expr, $function:ident $(, $argument:expr)* $(,)?) => {{
        let entry = $raw.functions_3_2().$function.expect(stringify!($function));
        #[allow(clippy::macro_metavars_in_unsafe, reason = "arguments are plain values and pointers of the scenario")]
        // SAFETY: the scenario passes what the C prototype asks for, or deliberately what it must survive.
        unsafe {
            entry($($argument),*)
        }
    }};
}

/// Turns a return value into a result.
pub fn answer(code: CK_RV) -> Answer<()> {
    if code == CKR_OK { Ok(()) } else { Err(code) }
}

impl Raw {
    /// Loads the module and fetches its 2.40 function list; initialises nothing.
    #[must_use]
    pub fn load() -> Self {
        Self::load_path(crate::module::path())
    }

    /// Loads the module from another path.
    #[must_use]
    pub fn load_path(path: &std::path::Path) -> Self {
        // SAFETY: the module has no initialiser that could do harm; it is what we test.
        let library = unsafe { libloading::Library::new(path) }.expect("the module loads");
        let functions = Self::function_list(&library);
        Self { library: Some(library), functions }
    }

    fn function_list(library: &libloading::Library) -> &'static CK_FUNCTION_LIST {
        // SAFETY: the symbol has this prototype in every version of the standard.
        let symbol =
            unsafe { library.get::<unsafe extern "C" fn(*mut *mut CK_FUNCTION_LIST) -> CK_RV>(b"C_GetFunctionList\0") };
        let mut list = null_mut();
        // SAFETY: `list` outlives the call.
        let code = unsafe { symbol.expect("C_GetFunctionList is exported")(&mut list) };
        assert_eq!(code, CKR_OK);
        // SAFETY: the standard promises a list that lives as long as the module is loaded.
        unsafe { list.as_ref() }.expect("a list")
    }

    /// The 2.40 function list.
    #[must_use]
    pub fn functions(&self) -> &'static CK_FUNCTION_LIST {
        self.functions
    }

    /// The 3.2 function list.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn functions_3_2(&self) -> &'static CK_FUNCTION_LIST_3_2 {
        self.newest().expect("an interface of version 3.2")
    }

    /// The 3.2 function list, where the module has one.
    #[must_use]
    pub fn newest(&self) -> Option<&'static CK_FUNCTION_LIST_3_2> {
        type One = unsafe extern "C" fn(*mut CK_UTF8CHAR, *mut CK_VERSION, *mut *mut CK_INTERFACE, CK_FLAGS) -> CK_RV;
        // SAFETY: the symbol has this prototype.
        let one = unsafe { self.library().get::<One>(b"C_GetInterface\0") }.ok()?;
        let (mut version, mut found) = (CK_VERSION { major: 3, minor: 2 }, null_mut());
        // SAFETY: the name is a C string, and the pointers outlive the call.
        let code = unsafe { one(c"PKCS 11".as_ptr().cast_mut().cast(), &mut version, &mut found, 0) };
        if code != CKR_OK {
            return None;
        }
        // SAFETY: after CKR_OK it points to an interface that lives as long as the module.
        let list = unsafe { (*found).pFunctionList }.cast::<CK_FUNCTION_LIST_3_2>();
        // SAFETY: the interface of that version has that list.
        unsafe { list.as_ref() }
    }

    /// The library, for symbols beside the list.
    ///
    /// # Panics
    /// After `forget`.
    #[must_use]
    pub fn library(&self) -> &libloading::Library {
        self.library.as_ref().expect("loaded")
    }

    /// Loads and initialises with NULL, as OpenSSH and Python do.
    #[must_use]
    pub fn start() -> Self {
        let raw = Self::load();
        assert_eq!(ck!(raw, C_Initialize, null_mut()), CKR_OK);
        raw
    }

    /// Ends the use of the module; it stays loaded.
    pub fn finalize(&self) {
        assert_eq!(ck!(self, C_Finalize, null_mut()), CKR_OK);
    }

    /// The slots, with or without token.
    pub fn slots(&self, with_token: bool) -> Vec<CK_SLOT_ID> {
        let mut count = 0;
        assert_eq!(ck!(self, C_GetSlotList, CK_BBOOL::from(with_token), null_mut(), &mut count), CKR_OK);
        let mut slots = vec![0; count as usize];
        assert_eq!(ck!(self, C_GetSlotList, CK_BBOOL::from(with_token), slots.as_mut_ptr(), &mut count), CKR_OK);
        slots.truncate(count as usize);
        slots
    }

    /// What C_GetTokenInfo tells of a slot.
    pub fn token_info(&self, slot: CK_SLOT_ID) -> Answer<CK_TOKEN_INFO> {
        let mut info = CK_TOKEN_INFO::default();
        answer(ck!(self, C_GetTokenInfo, slot, &mut info))?;
        Ok(info)
    }

    /// The slot of the token with this label.
    pub fn slot_of(&self, label: &str) -> Option<CK_SLOT_ID> {
        self.slots(true).into_iter().find(|&slot| {
            self.token_info(slot).is_ok_and(|info| String::from_utf8_lossy(&info.label).trim_end() == label)
        })
    }

    /// Makes the token `TOKEN_LABEL` with both PINs in the first free slot, and returns its slot.
    pub fn new_token(&self) -> CK_SLOT_ID {
        self.new_token_named(TOKEN_LABEL)
    }

    /// Makes a token with both PINs in the first free slot, and returns its slot.
    pub fn new_token_named(&self, name: &str) -> CK_SLOT_ID {
        let free = self
            .slots(true)
            .into_iter()
            .find(|&slot| self.token_info(slot).is_ok_and(|info| info.flags & CKF_TOKEN_INITIALIZED == 0));
        assert_eq!(self.init_token(free.expect("a free slot"), SO_PIN, name), Ok(()));
        let slot = self.slot_of(name).expect("the new token");
        let session = self.session(slot);
        assert_eq!(self.login(session, CKU_SO, SO_PIN), Ok(()));
        let pin = USER_PIN.as_ptr().cast_mut();
        assert_eq!(ck!(self, C_InitPIN, session, pin, USER_PIN.len() as CK_ULONG), CKR_OK);
        assert_eq!(ck!(self, C_Logout, session), CKR_OK);
        assert_eq!(ck!(self, C_CloseSession, session), CKR_OK);
        slot
    }

    /// C_InitToken.
    pub fn init_token(&self, slot: CK_SLOT_ID, pin: &str, name: &str) -> Answer<()> {
        let mut label = [b' '; 32];
        label[..name.len()].copy_from_slice(name.as_bytes());
        answer(ck!(self, C_InitToken, slot, pin.as_ptr().cast_mut(), pin.len() as CK_ULONG, label.as_mut_ptr()))
    }

    /// A new token and a read-write session of its user.
    pub fn user_session(&self) -> CK_SESSION_HANDLE {
        let slot = self.new_token();
        let session = self.session(slot);
        assert_eq!(self.login(session, CKU_USER, USER_PIN), Ok(()));
        session
    }

    /// Opens a read-write session.
    pub fn session(&self, slot: CK_SLOT_ID) -> CK_SESSION_HANDLE {
        self.open(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION).expect("a session")
    }

    /// C_OpenSession.
    pub fn open(&self, slot: CK_SLOT_ID, flags: CK_FLAGS) -> Answer<CK_SESSION_HANDLE> {
        let mut session = 0;
        answer(ck!(self, C_OpenSession, slot, flags, null_mut(), None, &mut session))?;
        Ok(session)
    }

    /// C_Login.
    pub fn login(&self, session: CK_SESSION_HANDLE, user: CK_USER_TYPE, pin: &str) -> Answer<()> {
        answer(ck!(self, C_Login, session, user, pin.as_ptr().cast_mut(), pin.len() as CK_ULONG))
    }

    /// C_CreateObject.
    pub fn create(&self, session: CK_SESSION_HANDLE, mut template: Template) -> Answer<CK_OBJECT_HANDLE> {
        let mut list = template.attributes();
        let mut object = 0;
        answer(ck!(self, C_CreateObject, session, list.as_mut_ptr(), list.len() as CK_ULONG, &mut object))?;
        Ok(object)
    }

    /// C_CopyObject; an empty template is passed as NULL with count 0, as NSS does.
    pub fn copy(
        &self,
        session: CK_SESSION_HANDLE,
        object: CK_OBJECT_HANDLE,
        mut template: Template,
    ) -> Answer<CK_OBJECT_HANDLE> {
        let mut list = template.attributes();
        let pointer = if list.is_empty() { null_mut() } else { list.as_mut_ptr() };
        let mut copy = 0;
        answer(ck!(self, C_CopyObject, session, object, pointer, list.len() as CK_ULONG, &mut copy))?;
        Ok(copy)
    }

    /// C_DestroyObject.
    pub fn destroy(&self, session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE) -> Answer<()> {
        answer(ck!(self, C_DestroyObject, session, object))
    }

    /// C_SetAttributeValue.
    pub fn set(&self, session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE, mut template: Template) -> Answer<()> {
        let mut list = template.attributes();
        answer(ck!(self, C_SetAttributeValue, session, object, list.as_mut_ptr(), list.len() as CK_ULONG))
    }

    /// The value of one attribute, its length asked first.
    pub fn attribute(
        &self,
        session: CK_SESSION_HANDLE,
        object: CK_OBJECT_HANDLE,
        kind: CK_ATTRIBUTE_TYPE,
    ) -> Answer<Vec<u8>> {
        let mut one = CK_ATTRIBUTE { type_: kind, pValue: null_mut(), ulValueLen: 0 };
        answer(ck!(self, C_GetAttributeValue, session, object, &mut one, 1))?;
        let mut value = vec![0; one.ulValueLen as usize];
        one.pValue = value.as_mut_ptr().cast();
        answer(ck!(self, C_GetAttributeValue, session, object, &mut one, 1))?;
        value.truncate(one.ulValueLen as usize);
        Ok(value)
    }

    /// A `CK_BBOOL` attribute.
    pub fn flag(&self, session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE, kind: CK_ATTRIBUTE_TYPE) -> bool {
        self.attribute(session, object, kind).expect("a flag") == [CK_TRUE]
    }

    /// A whole search, `at_once` handles for each C_FindObjects.
    pub fn find(&self, session: CK_SESSION_HANDLE, mut template: Template, at_once: usize) -> Vec<CK_OBJECT_HANDLE> {
        let mut list = template.attributes();
        let pointer = if list.is_empty() { null_mut() } else { list.as_mut_ptr() };
        assert_eq!(ck!(self, C_FindObjectsInit, session, pointer, list.len() as CK_ULONG), CKR_OK);
        let mut found = Vec::new();
        loop {
            let mut handles = vec![0; at_once];
            let mut count = 0;
            let code = ck!(self, C_FindObjects, session, handles.as_mut_ptr(), at_once as CK_ULONG, &mut count);
            assert_eq!(code, CKR_OK);
            if count == 0 {
                break;
            }
            found.extend(&handles[..count as usize]);
        }
        assert_eq!(ck!(self, C_FindObjectsFinal, session), CKR_OK);
        found
    }

    /// C_GenerateKey.
    pub fn generate(
        &self,
        session: CK_SESSION_HANDLE,
        mut mechanism: CK_MECHANISM,
        mut template: Template,
    ) -> Answer<CK_OBJECT_HANDLE> {
        let mut list = template.attributes();
        let mut key = 0;
        answer(ck!(self, C_GenerateKey, session, &mut mechanism, list.as_mut_ptr(), list.len() as CK_ULONG, &mut key))?;
        Ok(key)
    }

    /// C_GenerateKeyPair: public and private key.
    pub fn generate_pair(
        &self,
        session: CK_SESSION_HANDLE,
        mut mechanism: CK_MECHANISM,
        mut public: Template,
        mut private: Template,
    ) -> Answer<(CK_OBJECT_HANDLE, CK_OBJECT_HANDLE)> {
        let (mut public, mut private) = (public.attributes(), private.attributes());
        let (mut one, mut other) = (0, 0);
        answer(ck!(
            self,
            C_GenerateKeyPair,
            session,
            &mut mechanism,
            public.as_mut_ptr(),
            public.len() as CK_ULONG,
            private.as_mut_ptr(),
            private.len() as CK_ULONG,
            &mut one,
            &mut other,
        ))?;
        Ok((one, other))
    }

    /// An AES session key that may leave the token, for comparison outside.
    pub fn aes(&self, session: CK_SESSION_HANDLE, bytes: CK_ULONG) -> CK_OBJECT_HANDLE {
        let template = Template::new()
            .number(CKA_VALUE_LEN, bytes)
            .flag(CKA_ENCRYPT, true)
            .flag(CKA_DECRYPT, true)
            .flag(CKA_WRAP, true)
            .flag(CKA_UNWRAP, true)
            .flag(CKA_SENSITIVE, false)
            .flag(CKA_EXTRACTABLE, true);
        self.generate(session, plain(CKM_AES_KEY_GEN), template).expect("an AES key")
    }

    /// An RSA-2048 pair of session keys that may sign, decrypt and unwrap.
    pub fn rsa(&self, session: CK_SESSION_HANDLE) -> (CK_OBJECT_HANDLE, CK_OBJECT_HANDLE) {
        let public = Template::new()
            .number(CKA_MODULUS_BITS, 2048)
            .bytes(CKA_PUBLIC_EXPONENT, &[1, 0, 1])
            .flag(CKA_VERIFY, true)
            .flag(CKA_ENCRYPT, true)
            .flag(CKA_WRAP, true);
        let private = Template::new().flag(CKA_SIGN, true).flag(CKA_DECRYPT, true).flag(CKA_UNWRAP, true);
        self.generate_pair(session, plain(CKM_RSA_PKCS_KEY_PAIR_GEN), public, private).expect("an RSA pair")
    }

    /// A pair on a named curve, `CKA_EC_PARAMS` as given; `more` goes to both templates.
    pub fn ec(
        &self,
        session: CK_SESSION_HANDLE,
        mechanism: CK_MECHANISM_TYPE,
        parameters: &[u8],
        more: &Template,
    ) -> Answer<(CK_OBJECT_HANDLE, CK_OBJECT_HANDLE)> {
        let public = Template::new().bytes(CKA_EC_PARAMS, parameters).and(more);
        self.generate_pair(session, plain(mechanism), public, Template::new().and(more))
    }

    /// C_SignInit and C_Sign, the size asked first.
    pub fn sign(
        &self,
        session: CK_SESSION_HANDLE,
        mut mechanism: CK_MECHANISM,
        key: CK_OBJECT_HANDLE,
        data: &[u8],
    ) -> Answer<Vec<u8>> {
        answer(ck!(self, C_SignInit, session, &mut mechanism, key))?;
        let (input, length) = input(data);
        sized(|out, room| ck!(self, C_Sign, session, input, length, out, room))
    }

    /// C_VerifyInit and C_Verify.
    pub fn verify(
        &self,
        session: CK_SESSION_HANDLE,
        mut mechanism: CK_MECHANISM,
        key: CK_OBJECT_HANDLE,
        data: &[u8],
        signature: &[u8],
    ) -> Answer<()> {
        answer(ck!(self, C_VerifyInit, session, &mut mechanism, key))?;
        let ((input, length), (proof, proof_length)) = (input(data), input(signature));
        answer(ck!(self, C_Verify, session, input, length, proof, proof_length))
    }

    /// C_EncryptInit and C_Encrypt, the size asked first.
    pub fn encrypt(
        &self,
        session: CK_SESSION_HANDLE,
        mut mechanism: CK_MECHANISM,
        key: CK_OBJECT_HANDLE,
        data: &[u8],
    ) -> Answer<Vec<u8>> {
        answer(ck!(self, C_EncryptInit, session, &mut mechanism, key))?;
        let (input, length) = input(data);
        sized(|out, room| ck!(self, C_Encrypt, session, input, length, out, room))
    }

    /// C_DecryptInit and C_Decrypt, the size asked first.
    pub fn decrypt(
        &self,
        session: CK_SESSION_HANDLE,
        mut mechanism: CK_MECHANISM,
        key: CK_OBJECT_HANDLE,
        data: &[u8],
    ) -> Answer<Vec<u8>> {
        answer(ck!(self, C_DecryptInit, session, &mut mechanism, key))?;
        let (input, length) = input(data);
        sized(|out, room| ck!(self, C_Decrypt, session, input, length, out, room))
    }

    /// Leaves the module loaded for ever, as a host does that never unloads.
    pub fn forget(mut self) {
        if let Some(library) = self.library.take() {
            std::mem::forget(library);
        }
    }
}

/// Asks the size with NULL, then calls again with exactly that much room.
pub fn sized(mut call: impl FnMut(*mut CK_BYTE, *mut CK_ULONG) -> CK_RV) -> Answer<Vec<u8>> {
    let mut room = 0;
    answer(call(null_mut(), &mut room))?;
    let mut out = vec![0; room as usize];
    // An empty vector's pointer is not NULL, so that the second call is never taken for a question.
    answer(call(out.as_mut_ptr(), &mut room))?;
    out.truncate(room as usize);
    Ok(out)
}

/// A slice as the interface takes it.
#[must_use]
pub fn input(data: &[u8]) -> (*mut CK_BYTE, CK_ULONG) {
    (data.as_ptr().cast_mut(), data.len() as CK_ULONG)
}

/// A mechanism without parameter.
#[must_use]
pub fn plain(kind: CK_MECHANISM_TYPE) -> CK_MECHANISM {
    CK_MECHANISM { mechanism: kind, pParameter: null_mut(), ulParameterLen: 0 }
}

/// A mechanism with a structure as parameter; the structure must outlive its use.
#[must_use]
pub fn with<T>(kind: CK_MECHANISM_TYPE, parameter: &mut T) -> CK_MECHANISM {
    let length = size_of::<T>() as CK_ULONG;
    CK_MECHANISM { mechanism: kind, pParameter: std::ptr::from_mut(parameter).cast(), ulParameterLen: length }
}

/// A mechanism with bytes as parameter; they must outlive its use.
#[must_use]
pub fn with_bytes(kind: CK_MECHANISM_TYPE, parameter: &mut [u8]) -> CK_MECHANISM {
    CK_MECHANISM {
        mechanism: kind,
        pParameter: parameter.as_mut_ptr().cast(),
        ulParameterLen: parameter.len() as CK_ULONG,
    }
}

/// The entries of a function list behind its version, as addresses.
///
/// # Panics
/// When there is no list.
#[must_use]
pub fn entries(list: *const CK_VERSION, count: usize) -> Vec<usize> {
    assert!(!list.is_null());
    let first = list.cast::<u8>().wrapping_add(size_of::<usize>()).cast::<usize>().cast_mut();
    // SAFETY: every list is a version, padding to a pointer, and then `count` pointers (pkcs11.h).
    unsafe { &*slice_from_raw_parts_mut(first, count) }.to_vec()
}

/// Calls a function by its address with up to ten machine words.
///
/// Each word is a pointer or a `CK_ULONG`, which travel alike on every platform that we build for; words
/// that the function does not take are not looked at.
#[must_use]
pub fn call_words(entry: usize, words: [usize; 10]) -> CK_RV {
    type Entry = unsafe extern "C" fn(usize, usize, usize, usize, usize, usize, usize, usize, usize, usize) -> CK_RV;
    // SAFETY: `entry` comes from a function list; all of its arguments are machine words.
    let function = unsafe { std::mem::transmute::<usize, Entry>(entry) };
    let [a, b, c, d, e, f, g, h, i, j] = words;
    // SAFETY: the scenario passes what the function must survive.
    unsafe { function(a, b, c, d, e, f, g, h, i, j) }
}
