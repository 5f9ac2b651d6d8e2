//! A loaded module and its calls.
//!
//! Owns: the library, a copy of its function list, the one unsafe call. Does not know: whether a call makes sense; the
//! module under test judges that. Lengths that a module writes are not trusted: they never reach beyond the slice.

use crate::{Mechanism, Template};
use ffi_headers::*;
use std::path::{Path, PathBuf};
use std::ptr::null_mut;
use thiserror::Error;

/// Why a call failed: a `CKR_*`, printed with its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rv(pub CK_RV);

/// The answer of one call.
pub type Answer<T> = Result<T, Rv>;

impl std::fmt::Display for Rv {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&names::printable(names::return_value, self.0))
    }
}

/// Why a file is not a module that can be used.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The dynamic linker refused it.
    #[error("{path}: {cause}", path = path.display())]
    Library {
        /// The file.
        path: PathBuf,
        /// What the linker says.
        cause: libloading::Error,
    },
    /// It is a library without C_GetFunctionList, or gives no list.
    #[error("{path} is not a PKCS#11 module: {problem}", path = path.display())]
    NotAModule {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
}

/// What C_GetInfo tells of a library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Its description.
    pub description: String,
    /// Major and minor version.
    pub library: (u8, u8),
}

/// What C_GetTokenInfo tells of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenInfo {
    /// The label, without padding.
    pub label: String,
    /// `CKF_*`.
    pub flags: CK_FLAGS,
}

/// A loaded module. Several can be loaded at once; each has its own function list.
#[derive(Debug)]
pub struct Module {
    functions: CK_FUNCTION_LIST,
    // The functions are in it; it is never unloaded, because modules leave threads and exit handlers behind.
    _library: std::mem::ManuallyDrop<libloading::Library>,
}

/// Calls one function of the list and turns its return value into a result.
macro_rules! call {
    ($module:expr, $function:ident($($argument:expr),* $(,)?)) => {
        match $module.functions.$function {
            #[allow(clippy::macro_metavars_in_unsafe, reason = "arguments are values and pointers made by the methods here")]
            // SAFETY: the module promises functions with the prototypes of the standard. Every pointer passed here was made
            // by the calling method from a slice or value that it borrows until the call is over, with its length beside it.
            Some(entry) => answer(unsafe { entry($($argument),*) }),
            None => Err(Rv(CKR_FUNCTION_NOT_SUPPORTED)),
        }
    };
}

/// A call that fills `out` and says how much of it.
macro_rules! filling {
    ($module:expr, $out:expr, $function:ident($($argument:expr),* $(,)?)) => {{
        let mut length = $out.len() as CK_ULONG;
        call!($module, $function($($argument,)* $out.as_mut_ptr(), &raw mut length)).map(|()| $out.len().min(length as usize))
    }};
}

fn answer(code: CK_RV) -> Answer<()> {
    if code == CKR_OK { Ok(()) } else { Err(Rv(code)) }
}

fn pointer(data: &[u8]) -> *mut CK_BYTE {
    data.as_ptr().cast_mut()
}

fn length(data: &[u8]) -> CK_ULONG {
    data.len() as CK_ULONG
}

fn text(padded: &[u8]) -> String {
    String::from_utf8_lossy(padded).trim_end_matches([' ', '\0']).to_owned()
}

impl Module {
    /// Loads a module and fetches its function list; initialises nothing.
    ///
    /// # Errors
    /// When the file is not there, cannot be loaded, or is not a module.
    pub fn load(path: &Path) -> Result<Self, LoadError> {
        let not_a_module = |problem: String| LoadError::NotAModule { path: path.to_owned(), problem };
        // SAFETY: loading runs the library's initialisers. Whoever names a module asks for exactly that; nothing that this
        // process relies on afterwards is theirs.
        let library = unsafe { libloading::Library::new(path) }
            .map_err(|cause| LoadError::Library { path: path.to_owned(), cause })?;
        type GetList = unsafe extern "C" fn(*mut *mut CK_FUNCTION_LIST) -> CK_RV;
        // SAFETY: the symbol has this prototype in every version of the standard.
        let symbol = unsafe { library.get::<GetList>(b"C_GetFunctionList\0") };
        let get_list = *symbol.map_err(|error| not_a_module(error.to_string()))?;
        let mut list: *mut CK_FUNCTION_LIST = null_mut();
        // SAFETY: `list` outlives the call.
        answer(unsafe { get_list(&raw mut list) })
            .map_err(|rv| not_a_module(format!("C_GetFunctionList answers {rv}")))?;
        // SAFETY: the standard promises a list that lives as long as the library, which is never unloaded; null is refused.
        let list = unsafe { list.as_ref() }.ok_or_else(|| not_a_module("it gives no function list".to_owned()))?;
        Ok(Self { functions: *list, _library: std::mem::ManuallyDrop::new(library) })
    }

    /// C_Initialize for use by several threads.
    ///
    /// # Errors
    /// The module's.
    pub fn initialize(&self) -> Answer<()> {
        let mut arguments = CK_C_INITIALIZE_ARGS { flags: CKF_OS_LOCKING_OK, ..CK_C_INITIALIZE_ARGS::default() };
        call!(self, C_Initialize((&raw mut arguments).cast()))
    }

    /// C_Finalize.
    ///
    /// # Errors
    /// The module's.
    pub fn finalize(&self) -> Answer<()> {
        call!(self, C_Finalize(null_mut()))
    }

    /// C_GetInfo.
    ///
    /// # Errors
    /// The module's.
    pub fn version(&self) -> Answer<Version> {
        let mut info = CK_INFO::default();
        call!(self, C_GetInfo(&raw mut info))?;
        let library = (info.libraryVersion.major, info.libraryVersion.minor);
        Ok(Version { description: text(&info.libraryDescription), library })
    }

    /// The slots with a token.
    ///
    /// # Errors
    /// The module's.
    pub fn slots(&self) -> Answer<Vec<CK_SLOT_ID>> {
        let mut count = 0;
        call!(self, C_GetSlotList(CK_TRUE, null_mut(), &raw mut count))?;
        let mut slots = vec![0; count as usize];
        call!(self, C_GetSlotList(CK_TRUE, slots.as_mut_ptr(), &raw mut count))?;
        slots.truncate(count as usize);
        Ok(slots)
    }

    /// C_GetTokenInfo.
    ///
    /// # Errors
    /// The module's.
    pub fn token_info(&self, slot: CK_SLOT_ID) -> Answer<TokenInfo> {
        let mut info = CK_TOKEN_INFO::default();
        call!(self, C_GetTokenInfo(slot, &raw mut info))?;
        Ok(TokenInfo { label: text(&info.label), flags: info.flags })
    }

    /// The mechanisms of a token.
    ///
    /// # Errors
    /// The module's.
    pub fn mechanisms(&self, slot: CK_SLOT_ID) -> Answer<Vec<CK_MECHANISM_TYPE>> {
        let mut count = 0;
        call!(self, C_GetMechanismList(slot, null_mut(), &raw mut count))?;
        let mut list = vec![0; count as usize];
        call!(self, C_GetMechanismList(slot, list.as_mut_ptr(), &raw mut count))?;
        list.truncate(count as usize);
        Ok(list)
    }

    /// C_OpenSession.
    ///
    /// # Errors
    /// The module's.
    pub fn open_session(&self, slot: CK_SLOT_ID, read_write: bool) -> Answer<CK_SESSION_HANDLE> {
        let flags = if read_write { CKF_SERIAL_SESSION | CKF_RW_SESSION } else { CKF_SERIAL_SESSION };
        let mut session = 0;
        call!(self, C_OpenSession(slot, flags, null_mut(), None, &raw mut session))?;
        Ok(session)
    }

    /// C_CloseSession.
    ///
    /// # Errors
    /// The module's.
    pub fn close_session(&self, session: CK_SESSION_HANDLE) -> Answer<()> {
        call!(self, C_CloseSession(session))
    }

    /// C_Login as the user.
    ///
    /// # Errors
    /// The module's.
    pub fn login(&self, session: CK_SESSION_HANDLE, pin: &[u8]) -> Answer<()> {
        call!(self, C_Login(session, CKU_USER, pointer(pin), length(pin)))
    }

    /// C_Login as Security Officer.
    ///
    /// # Errors
    /// The module's.
    pub fn login_so(&self, session: CK_SESSION_HANDLE, pin: &[u8]) -> Answer<()> {
        call!(self, C_Login(session, CKU_SO, pointer(pin), length(pin)))
    }

    /// C_InitToken with a label, of which at most 32 bytes count.
    ///
    /// # Errors
    /// The module's.
    pub fn init_token(&self, slot: CK_SLOT_ID, so_pin: &[u8], label: &str) -> Answer<()> {
        let mut padded = [b' '; 32];
        for (place, byte) in padded.iter_mut().zip(label.bytes()) {
            *place = byte;
        }
        call!(self, C_InitToken(slot, pointer(so_pin), length(so_pin), padded.as_mut_ptr()))
    }

    /// C_InitPIN.
    ///
    /// # Errors
    /// The module's.
    pub fn init_pin(&self, session: CK_SESSION_HANDLE, pin: &[u8]) -> Answer<()> {
        call!(self, C_InitPIN(session, pointer(pin), length(pin)))
    }

    /// C_Logout.
    ///
    /// # Errors
    /// The module's.
    pub fn logout(&self, session: CK_SESSION_HANDLE) -> Answer<()> {
        call!(self, C_Logout(session))
    }

    /// C_CreateObject.
    ///
    /// # Errors
    /// The module's.
    pub fn create(&self, session: CK_SESSION_HANDLE, template: &Template) -> Answer<CK_OBJECT_HANDLE> {
        let mut object = 0;
        template.with(|list, count| call!(self, C_CreateObject(session, list, count, &raw mut object)))?;
        Ok(object)
    }

    /// C_DestroyObject.
    ///
    /// # Errors
    /// The module's.
    pub fn destroy(&self, session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE) -> Answer<()> {
        call!(self, C_DestroyObject(session, object))
    }

    /// C_GenerateKey.
    ///
    /// # Errors
    /// The module's.
    pub fn generate(&self, session: CK_SESSION_HANDLE, how: &Mechanism, what: &Template) -> Answer<CK_OBJECT_HANDLE> {
        let mut key = 0;
        how.with(|how| what.with(|list, count| call!(self, C_GenerateKey(session, how, list, count, &raw mut key))))?;
        Ok(key)
    }

    /// C_GenerateKeyPair: public and private key.
    ///
    /// # Errors
    /// The module's.
    pub fn generate_pair(
        &self,
        session: CK_SESSION_HANDLE,
        how: &Mechanism,
        public: &Template,
        private: &Template,
    ) -> Answer<(CK_OBJECT_HANDLE, CK_OBJECT_HANDLE)> {
        let (mut one, mut other) = (0, 0);
        how.with(|how| {
            public.with(|list, count| {
                private.with(|more, number| {
                    call!(
                        self,
                        C_GenerateKeyPair(session, how, list, count, more, number, &raw mut one, &raw mut other)
                    )
                })
            })
        })?;
        Ok((one, other))
    }

    /// A whole search with room for as many handles as `found` has at once; calls `take` with each handful.
    ///
    /// # Errors
    /// The module's; the search is ended in any case.
    pub fn find(
        &self,
        session: CK_SESSION_HANDLE,
        template: &Template,
        found: &mut [CK_OBJECT_HANDLE],
        mut take: impl FnMut(&[CK_OBJECT_HANDLE]),
    ) -> Answer<()> {
        template.with(|list, count| call!(self, C_FindObjectsInit(session, list, count)))?;
        let room = found.len() as CK_ULONG;
        let outcome = loop {
            let mut count = 0;
            if let Err(rv) = call!(self, C_FindObjects(session, found.as_mut_ptr(), room, &raw mut count)) {
                break Err(rv);
            }
            let some = found.len().min(count as usize);
            take(&found[..some]);
            // Fewer than there is room for are the last ones; every client may stop then.
            if count < room {
                break Ok(());
            }
        };
        let ended = call!(self, C_FindObjectsFinal(session));
        outcome.and(ended)
    }

    /// C_GetAttributeValue of one attribute into `out`; how many bytes it has.
    ///
    /// # Errors
    /// The module's.
    pub fn attribute(
        &self,
        session: CK_SESSION_HANDLE,
        object: CK_OBJECT_HANDLE,
        kind: CK_ATTRIBUTE_TYPE,
        out: &mut [u8],
    ) -> Answer<usize> {
        let mut one = CK_ATTRIBUTE { type_: kind, pValue: out.as_mut_ptr().cast(), ulValueLen: out.len() as CK_ULONG };
        call!(self, C_GetAttributeValue(session, object, &raw mut one, 1))?;
        Ok(out.len().min(one.ulValueLen as usize))
    }

    /// C_GetAttributeValue of several attributes, of each at most `out.len()` divided by their number bytes.
    ///
    /// # Errors
    /// The module's.
    pub fn attributes<const N: usize>(
        &self,
        session: CK_SESSION_HANDLE,
        object: CK_OBJECT_HANDLE,
        kinds: &[CK_ATTRIBUTE_TYPE; N],
        out: &mut [u8],
    ) -> Answer<()> {
        let mut list = [CK_ATTRIBUTE { type_: 0, pValue: null_mut(), ulValueLen: 0 }; N];
        let share = (out.len() / N).max(1);
        for ((place, kind), part) in list.iter_mut().zip(kinds).zip(out.chunks_exact_mut(share)) {
            *place =
                CK_ATTRIBUTE { type_: *kind, pValue: part.as_mut_ptr().cast(), ulValueLen: part.len() as CK_ULONG };
        }
        call!(self, C_GetAttributeValue(session, object, list.as_mut_ptr(), N as CK_ULONG))
    }

    /// C_GenerateRandom.
    ///
    /// # Errors
    /// The module's.
    pub fn random(&self, session: CK_SESSION_HANDLE, out: &mut [u8]) -> Answer<()> {
        call!(self, C_GenerateRandom(session, out.as_mut_ptr(), out.len() as CK_ULONG))
    }

    /// C_WrapKey.
    ///
    /// # Errors
    /// The module's.
    pub fn wrap(
        &self,
        session: CK_SESSION_HANDLE,
        how: &Mechanism,
        with: CK_OBJECT_HANDLE,
        key: CK_OBJECT_HANDLE,
        out: &mut [u8],
    ) -> Answer<usize> {
        how.with(|how| filling!(self, out, C_WrapKey(session, how, with, key)))
    }

    /// C_UnwrapKey.
    ///
    /// # Errors
    /// The module's.
    pub fn unwrap(
        &self,
        session: CK_SESSION_HANDLE,
        how: &Mechanism,
        with: CK_OBJECT_HANDLE,
        wrapped: &[u8],
        what: &Template,
    ) -> Answer<CK_OBJECT_HANDLE> {
        let mut key = 0;
        let (start, bytes) = (pointer(wrapped), length(wrapped));
        how.with(|how| {
            what.with(|list, count| {
                call!(self, C_UnwrapKey(session, how, with, start, bytes, list, count, &raw mut key))
            })
        })?;
        Ok(key)
    }

    /// C_DeriveKey.
    ///
    /// # Errors
    /// The module's.
    pub fn derive(
        &self,
        session: CK_SESSION_HANDLE,
        how: &Mechanism,
        base: CK_OBJECT_HANDLE,
        what: &Template,
    ) -> Answer<CK_OBJECT_HANDLE> {
        let mut key = 0;
        how.with(|how| {
            what.with(|list, count| call!(self, C_DeriveKey(session, how, base, list, count, &raw mut key)))
        })?;
        Ok(key)
    }

    /// C_VerifyInit and C_Verify.
    ///
    /// # Errors
    /// The module's.
    pub fn verify(
        &self,
        session: CK_SESSION_HANDLE,
        how: &Mechanism,
        key: CK_OBJECT_HANDLE,
        data: &[u8],
        signature: &[u8],
    ) -> Answer<()> {
        how.with(|how| call!(self, C_VerifyInit(session, how, key)))?;
        call!(self, C_Verify(session, pointer(data), length(data), pointer(signature), length(signature)))
    }

    /// C_DigestInit and C_Digest.
    ///
    /// # Errors
    /// The module's.
    pub fn digest(&self, session: CK_SESSION_HANDLE, how: &Mechanism, data: &[u8], out: &mut [u8]) -> Answer<usize> {
        how.with(|how| call!(self, C_DigestInit(session, how)))?;
        filling!(self, out, C_Digest(session, pointer(data), length(data)))
    }

    /// C_DigestInit, C_DigestUpdate for each `part` bytes, C_DigestFinal.
    ///
    /// # Errors
    /// The module's.
    pub fn digest_in_parts(
        &self,
        session: CK_SESSION_HANDLE,
        how: &Mechanism,
        data: &[u8],
        part: usize,
        out: &mut [u8],
    ) -> Answer<usize> {
        how.with(|how| call!(self, C_DigestInit(session, how)))?;
        for one in data.chunks(part) {
            call!(self, C_DigestUpdate(session, pointer(one), length(one)))?;
        }
        filling!(self, out, C_DigestFinal(session))
    }

    /// C_SignInit and C_Sign.
    ///
    /// # Errors
    /// The module's.
    pub fn sign(
        &self,
        session: CK_SESSION_HANDLE,
        how: &Mechanism,
        key: CK_OBJECT_HANDLE,
        data: &[u8],
        out: &mut [u8],
    ) -> Answer<usize> {
        how.with(|how| call!(self, C_SignInit(session, how, key)))?;
        filling!(self, out, C_Sign(session, pointer(data), length(data)))
    }

    /// C_SignInit, C_SignUpdate for each `part` bytes, C_SignFinal.
    ///
    /// # Errors
    /// The module's.
    pub fn sign_in_parts(
        &self,
        session: CK_SESSION_HANDLE,
        how: &Mechanism,
        key: CK_OBJECT_HANDLE,
        (data, part): (&[u8], usize),
        out: &mut [u8],
    ) -> Answer<usize> {
        how.with(|how| call!(self, C_SignInit(session, how, key)))?;
        for one in data.chunks(part) {
            call!(self, C_SignUpdate(session, pointer(one), length(one)))?;
        }
        filling!(self, out, C_SignFinal(session))
    }

    /// C_EncryptInit and C_Encrypt.
    ///
    /// # Errors
    /// The module's.
    pub fn encrypt(
        &self,
        session: CK_SESSION_HANDLE,
        how: &Mechanism,
        key: CK_OBJECT_HANDLE,
        data: &[u8],
        out: &mut [u8],
    ) -> Answer<usize> {
        how.with(|how| call!(self, C_EncryptInit(session, how, key)))?;
        filling!(self, out, C_Encrypt(session, pointer(data), length(data)))
    }

    /// C_EncryptInit, C_EncryptUpdate for each `part` bytes, C_EncryptFinal.
    ///
    /// # Errors
    /// The module's.
    pub fn encrypt_in_parts(
        &self,
        session: CK_SESSION_HANDLE,
        how: &Mechanism,
        key: CK_OBJECT_HANDLE,
        (data, part): (&[u8], usize),
        out: &mut [u8],
    ) -> Answer<usize> {
        how.with(|how| call!(self, C_EncryptInit(session, how, key)))?;
        let mut written = 0;
        for one in data.chunks(part) {
            let room = &mut out[written..];
            written += filling!(self, room, C_EncryptUpdate(session, pointer(one), length(one)))?;
        }
        let room = &mut out[written..];
        Ok(written + filling!(self, room, C_EncryptFinal(session))?)
    }

    /// C_DecryptInit and C_Decrypt.
    ///
    /// # Errors
    /// The module's.
    pub fn decrypt(
        &self,
        session: CK_SESSION_HANDLE,
        how: &Mechanism,
        key: CK_OBJECT_HANDLE,
        data: &[u8],
        out: &mut [u8],
    ) -> Answer<usize> {
        how.with(|how| call!(self, C_DecryptInit(session, how, key)))?;
        filling!(self, out, C_Decrypt(session, pointer(data), length(data)))
    }
}
