//! The module in this process, with a token whose keys are known here and nowhere else.
//!
//! Owns: starting the module on a store in memory (of the operating system), the planted objects, putting everything back
//! after a program, C_Finalize now and then. Does not know: what a program does. One program runs at a time.

use super::stock::*;
use ffi_headers::*;
use hsm_core::object::{Object, Value};
use hsm_crypto::encoding::{PrivateForm, decode_pkcs8};
use std::path::Path;
use std::ptr::{null_mut, slice_from_raw_parts_mut};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use tempfile::TempDir;

// The module is linked in; its functions are found as a client finds them.
use perilune_pkcs11 as _;

unsafe extern "C" {
    fn C_GetInterface(
        name: *mut CK_UTF8CHAR,
        version: *mut CK_VERSION,
        found: *mut *mut CK_INTERFACE,
        flags: CK_FLAGS,
    ) -> CK_RV;
}

/// Calls a function of the 3.2 list.
macro_rules! ck {
    ($functions:expr, $function:ident $(, $argument:expr)* $(,)?) => {{
        let entry = $functions.$function.expect(stringify!($function));
        #[allow(clippy::macro_metavars_in_unsafe, reason = "arguments are values and pointers made by the caller")]
        // SAFETY: pointers lead to memory of the length that is told with them, or are null.
        unsafe {
            entry($($argument),*)
        }
    }};
}
pub(crate) use ck;

/// Programs between two C_Finalize.
const PROGRAMS_A_LIFE: u64 = 500;

/// How many objects are planted.
pub const PLANTED: usize = 15;

/// The module and its token.
pub struct World {
    folder: TempDir,
    pub functions: &'static CK_FUNCTION_LIST_3_2,
    /// The slot of the token; another one, without a token, is behind it.
    pub slot: CK_SLOT_ID,
    /// A read-write session of the user, which no program gets.
    base: CK_SESSION_HANDLE,
    /// The objects that are always there.
    pub planted: Vec<CK_OBJECT_HANDLE>,
    programs: u64,
    /// Whether the token is another one than it was: it is made anew.
    pub changed: bool,
}

static WORLD: LazyLock<Mutex<Option<World>>> = LazyLock::new(Mutex::default);

/// Runs a program in the world, which is made at the first one.
pub fn with(program: impl FnOnce(&mut World)) {
    let mut guard: MutexGuard<'_, Option<World>> = WORLD.lock().unwrap_or_else(PoisonError::into_inner);
    // After a program that failed nobody knows what is left: the next one gets another token.
    let mut world = guard.take().unwrap_or_else(World::new);
    world.age();
    world.ready();
    program(&mut world);
    world.tidy_up();
    *guard = Some(world);
}

impl World {
    fn new() -> Self {
        let shared = Path::new("/dev/shm");
        let folder = if shared.is_dir() { TempDir::with_prefix_in("perilune-fuzz-", shared) } else { TempDir::new() };
        let folder = folder.expect("a temporary folder");
        let store = folder.path().join("store");
        let text = format!(
            "store = {store:?}\n[pin]\nso_tries = 100\nuser_tries = 100\n[kdf]\nmemory_kib = 8\npasses = 1\n\
             [policy]\nlegacy = true\n[log]\nlevel = \"error\"\nfile = {:?}\n",
            std::env::temp_dir().join("perilune-fuzz.log"),
        );
        let configuration = folder.path().join("perilune.toml");
        std::fs::write(&configuration, text).expect("a configuration");
        // SAFETY: no other thread of these programs looks at the environment but through the standard library.
        unsafe { std::env::set_var("PERILUNE_CONF", &configuration) };
        let mut world =
            Self { folder, functions: functions(), slot: 0, base: 0, planted: Vec::new(), programs: 0, changed: false };
        let _not_running = ck!(world.functions, C_Finalize, null_mut());
        world.start();
        loud_panics();
        world.make_token();
        world
    }

    /// C_Initialize, without threads of the library: what a program does must be the same each time.
    fn start(&self) {
        let mut arguments =
            CK_C_INITIALIZE_ARGS { flags: CKF_LIBRARY_CANT_CREATE_OS_THREADS, ..CK_C_INITIALIZE_ARGS::default() };
        let arguments = std::ptr::from_mut(&mut arguments).cast();
        assert_eq!(ck!(self.functions, C_Initialize, arguments), CKR_OK, "C_Initialize");
    }

    fn finalize(&self) {
        assert_eq!(ck!(self.functions, C_Finalize, null_mut()), CKR_OK, "C_Finalize");
    }

    /// Makes the token and plants its objects.
    fn make_token(&mut self) {
        let mut slots = [0; 8];
        let mut count = slots.len() as CK_ULONG;
        assert_eq!(ck!(self.functions, C_GetSlotList, CK_TRUE, slots.as_mut_ptr(), &mut count), CKR_OK);
        self.slot = slots[0];
        let (mut label, so, user) = ([b' '; 32], SO_PIN.as_ptr().cast_mut(), USER_PIN.as_ptr().cast_mut());
        let so_length = SO_PIN.len() as CK_ULONG;
        assert_eq!(ck!(self.functions, C_InitToken, self.slot, so, so_length, label.as_mut_ptr()), CKR_OK);
        let session = self.open(CKF_RW_SESSION);
        assert_eq!(ck!(self.functions, C_Login, session, CKU_SO, so, so_length), CKR_OK);
        assert_eq!(ck!(self.functions, C_InitPIN, session, user, USER_PIN.len() as CK_ULONG), CKR_OK);
        assert_eq!(ck!(self.functions, C_Logout, session), CKR_OK);
        self.base = session;
        self.login();
        self.plant();
    }

    /// Opens a session.
    pub fn open(&self, flags: CK_FLAGS) -> CK_SESSION_HANDLE {
        let mut session = 0;
        let flags = flags | CKF_SERIAL_SESSION;
        assert_eq!(ck!(self.functions, C_OpenSession, self.slot, flags, null_mut(), None, &mut session), CKR_OK);
        session
    }

    /// Closes the sessions of a program; those that it closed itself are gone.
    pub fn close(&self, sessions: &[CK_SESSION_HANDLE]) {
        for session in sessions {
            let code = ck!(self.functions, C_CloseSession, *session);
            assert!(matches!(code, CKR_OK | CKR_SESSION_HANDLE_INVALID), "C_CloseSession answers {code:#x}");
        }
    }

    fn login(&self) {
        let pin = USER_PIN.as_ptr().cast_mut();
        assert_eq!(ck!(self.functions, C_Login, self.base, CKU_USER, pin, USER_PIN.len() as CK_ULONG), CKR_OK);
    }

    /// Ends a life of the library that has seen enough programs, and begins the next one.
    fn age(&mut self) {
        self.programs += 1;
        if self.programs.is_multiple_of(PROGRAMS_A_LIFE) {
            self.finalize();
            self.start();
            self.base = 0;
            self.planted.clear();
        }
    }

    /// Sees to it that a session of the user is open.
    fn ready(&mut self) {
        let mut info = CK_SESSION_INFO::default();
        if ck!(self.functions, C_GetSessionInfo, self.base, &mut info) != CKR_OK {
            self.base = self.open(CKF_RW_SESSION);
            assert_eq!(ck!(self.functions, C_GetSessionInfo, self.base, &mut info), CKR_OK);
        }
        if info.state == CKS_RW_SO_FUNCTIONS {
            assert_eq!(ck!(self.functions, C_Logout, self.base), CKR_OK);
            info.state = CKS_RW_PUBLIC_SESSION;
        }
        if info.state == CKS_RW_PUBLIC_SESSION {
            self.login();
        }
        if self.planted.is_empty() {
            // Handles of a new life come in no order; a program counts on one.
            self.planted = (0..PLANTED).map(|place| self.planted_object(place)).collect();
        }
    }

    /// Takes away what a program left.
    fn tidy_up(&mut self) {
        // What it did to a session is its own business; nobody uses one again.
        let mut info = CK_TOKEN_INFO::default();
        let told = ck!(self.functions, C_GetTokenInfo, self.slot, &mut info);
        let locked = CKF_USER_PIN_FINAL_TRY | CKF_USER_PIN_LOCKED | CKF_SO_PIN_FINAL_TRY | CKF_SO_PIN_LOCKED;
        self.changed |= told != CKR_OK || info.flags & locked != 0;
        if !self.changed {
            self.ready();
            let left: Vec<_> =
                self.token_objects().into_iter().filter(|object| !self.planted.contains(object)).collect();
            let destroyed =
                left.into_iter().all(|object| ck!(self.functions, C_DestroyObject, self.base, object) == CKR_OK);
            self.changed = !destroyed;
        }
        if self.changed {
            self.finalize();
            std::fs::remove_dir_all(self.folder.path().join("store")).expect("the store's folder");
            self.start();
            self.make_token();
            self.changed = false;
        }
    }

    /// All objects of the token.
    fn token_objects(&self) -> Vec<CK_OBJECT_HANDLE> {
        self.found(CKA_TOKEN, &[CK_TRUE])
    }

    /// The planted object of that place in the list.
    fn planted_object(&self, place: usize) -> CK_OBJECT_HANDLE {
        let found = self.found(CKA_LABEL, &label(place));
        assert_eq!(found.len(), 1, "planted object {place}");
        found[0]
    }

    /// The objects with an attribute.
    fn found(&self, kind: u64, value: &[u8]) -> Vec<CK_OBJECT_HANDLE> {
        let (mut value, mut found, mut count) = (value.to_vec(), [0; 256], 0);
        let mut attribute =
            CK_ATTRIBUTE { type_: kind, pValue: value.as_mut_ptr().cast(), ulValueLen: value.len() as CK_ULONG };
        assert_eq!(ck!(self.functions, C_FindObjectsInit, self.base, &mut attribute, 1), CKR_OK);
        assert_eq!(
            ck!(self.functions, C_FindObjects, self.base, found.as_mut_ptr(), found.len() as CK_ULONG, &mut count),
            CKR_OK
        );
        assert_eq!(ck!(self.functions, C_FindObjectsFinal, self.base), CKR_OK);
        found[..usize::try_from(count).unwrap_or(0)].to_vec()
    }

    fn plant(&mut self) {
        self.planted = plan().iter().map(|template| self.create(template)).collect();
    }

    fn create(&self, template: &[(u64, Vec<u8>)]) -> CK_OBJECT_HANDLE {
        let mut object = 0;
        let mut values: Vec<Vec<u8>> = template.iter().map(|(_, value)| value.clone()).collect();
        let attribute = |((kind, _), value): (&(u64, Vec<u8>), &mut Vec<u8>)| CK_ATTRIBUTE {
            type_: *kind,
            pValue: value.as_mut_ptr().cast(),
            ulValueLen: value.len() as CK_ULONG,
        };
        let mut list: Vec<CK_ATTRIBUTE> = template.iter().zip(&mut values).map(attribute).collect();
        let code =
            ck!(self.functions, C_CreateObject, self.base, list.as_mut_ptr(), list.len() as CK_ULONG, &mut object);
        assert_eq!(code, CKR_OK, "an object to plant: {template:x?}");
        object
    }
}

/// The objects that are planted.
fn plan() -> Vec<Vec<(u64, Vec<u8>)>> {
    let uses = [CKA_ENCRYPT, CKA_DECRYPT, CKA_WRAP, CKA_UNWRAP, CKA_SIGN, CKA_VERIFY, CKA_DERIVE];
    let secret = |kind, value: &[u8]| with_flags(&uses, &hidden(&[(CKA_VALUE, value.to_vec())], CKO_SECRET_KEY, kind));
    let open = |kind, value: &[u8]| {
        let mut template = secret(kind, value);
        template.retain(|(kind, _)| !matches!(*kind, CKA_SENSITIVE | CKA_EXTRACTABLE));
        template.extend([flag(CKA_SENSITIVE, false), flag(CKA_EXTRACTABLE, true)]);
        template
    };
    let private =
        |kind, parts: &[(u64, Vec<u8>)], more: &[u64]| with_flags(more, &hidden(parts, CKO_PRIVATE_KEY, kind));
    let RsaKey { public, private: rsa } = rsa_key();
    let ec = |curve: &[u8], value: &[u8]| vec![(CKA_EC_PARAMS, curve.to_vec()), (CKA_VALUE, value.to_vec())];
    let set = |number: u64| (CKA_PARAMETER_SET, number.to_ne_bytes().to_vec());
    let all = [
        secret(CKK_AES, &SECRET_AES),
        secret(CKK_GENERIC_SECRET, &SECRET_GENERIC),
        private(CKK_EC, &ec(CURVES[0], &SECRET_SCALAR), &[CKA_SIGN, CKA_DERIVE]),
        private(CKK_RSA, &rsa, &[CKA_SIGN, CKA_SIGN_RECOVER, CKA_DECRYPT, CKA_UNWRAP]),
        private(CKK_EC_EDWARDS, &ec(CURVES[6], &SECRET_SEED), &[CKA_SIGN]),
        private(CKK_ML_KEM, &[set(CKP_ML_KEM_768), (CKA_SEED, SECRET_KEM_SEED.to_vec())], &[CKA_DECAPSULATE]),
        open(CKK_AES, &[0x42; 16]),
        open(CKK_GENERIC_SECRET, &[0x43; 48]),
        open(CKK_SHA256_HMAC, &[0x44; 32]),
        open(CKK_CHACHA20, &[0x45; 32]),
        open(CKK_DES3, &[0x46; 24]),
        open(CKK_AES_XTS, &[[0x47; 16], [0x48; 16]].concat()),
        with_flags(&[CKA_VERIFY, CKA_VERIFY_RECOVER, CKA_ENCRYPT, CKA_WRAP], &fixed(&public, CKO_PUBLIC_KEY, CKK_RSA)),
        with_flags(
            &[CKA_VERIFY],
            &fixed(&[(CKA_EC_PARAMS, CURVES[0].to_vec()), (CKA_EC_POINT, POINT.to_vec())], CKO_PUBLIC_KEY, CKK_EC),
        ),
        vec![
            (CKA_CLASS, CKO_DATA.to_ne_bytes().to_vec()),
            (CKA_VALUE, b"open data".to_vec()),
            flag(CKA_TOKEN, true),
            flag(CKA_DESTROYABLE, false),
            flag(CKA_MODIFIABLE, false),
        ],
    ];
    assert_eq!(all.len(), PLANTED);
    let labelled = all.into_iter().enumerate().map(|(place, mut template)| {
        template.push((CKA_LABEL, label(place)));
        template
    });
    labelled.collect()
}

/// The planted objects as contents of records, for the corpora: numbers and flags by their types, all else bytes.
#[must_use]
pub fn planted_contents() -> Vec<Vec<u8>> {
    let value = |kind: u64, bytes: &Vec<u8>| match (bytes.len(), <[u8; 8]>::try_from(&bytes[..])) {
        (1, _) => Value::Flag(bytes[0] != 0),
        (8, Ok(number)) if kind != CKA_LABEL => Value::Number(u64::from_ne_bytes(number)),
        _ => Value::Bytes(bytes.clone().into()),
    };
    let content = |template: Vec<(u64, Vec<u8>)>| {
        let attributes = template.iter().map(|(kind, bytes)| (*kind, value(*kind, bytes))).collect();
        Object::new(&attributes).content().expose().to_vec()
    };
    plan().into_iter().map(content).collect()
}

/// The label of a planted object.
fn label(place: usize) -> Vec<u8> {
    format!("planted {place}").into_bytes()
}

fn flag(kind: u64, value: bool) -> (u64, Vec<u8>) {
    (kind, vec![u8::from(value)])
}

/// A key that stays what and where it is.
fn fixed(parts: &[(u64, Vec<u8>)], class: u64, key_type: u64) -> Vec<(u64, Vec<u8>)> {
    let mut template = parts.to_vec();
    template.push((CKA_CLASS, class.to_ne_bytes().to_vec()));
    template.push((CKA_KEY_TYPE, key_type.to_ne_bytes().to_vec()));
    template.extend([flag(CKA_TOKEN, true), flag(CKA_DESTROYABLE, false), flag(CKA_MODIFIABLE, false)]);
    template
}

/// A key that never leaves the token.
fn hidden(parts: &[(u64, Vec<u8>)], class: u64, key_type: u64) -> Vec<(u64, Vec<u8>)> {
    let mut template = fixed(parts, class, key_type);
    template.extend([flag(CKA_PRIVATE, true), flag(CKA_SENSITIVE, true), flag(CKA_EXTRACTABLE, false)]);
    template
}

fn with_flags(flags: &[u64], template: &[(u64, Vec<u8>)]) -> Vec<(u64, Vec<u8>)> {
    template.iter().cloned().chain(flags.iter().map(|kind| flag(*kind, true))).collect()
}

/// The attributes of the RSA key.
struct RsaKey {
    public: Vec<(u64, Vec<u8>)>,
    private: Vec<(u64, Vec<u8>)>,
}

fn rsa_key() -> RsaKey {
    let Ok(PrivateForm::Rsa(parts)) = decode_pkcs8(SECRET_RSA) else { panic!("the RSA key of the stock is one") };
    let public = vec![(CKA_MODULUS, parts.modulus.clone()), (CKA_PUBLIC_EXPONENT, parts.public_exponent.clone())];
    let mut private = public.clone();
    let secrets = [
        (CKA_PRIVATE_EXPONENT, &parts.private_exponent),
        (CKA_PRIME_1, &parts.prime_1),
        (CKA_PRIME_2, &parts.prime_2),
        (CKA_EXPONENT_1, &parts.exponent_1),
        (CKA_EXPONENT_2, &parts.exponent_2),
        (CKA_COEFFICIENT, &parts.coefficient),
    ];
    private.extend(secrets.map(|(kind, value)| (kind, value.expose().to_vec())));
    RsaKey { public, private }
}

fn functions() -> &'static CK_FUNCTION_LIST_3_2 {
    let (mut version, mut found) = (CK_VERSION { major: 3, minor: 2 }, null_mut());
    // SAFETY: the name is a C string, and the pointers outlive the call.
    let code = unsafe { C_GetInterface(c"PKCS 11".as_ptr().cast_mut().cast(), &mut version, &mut found, 0) };
    assert_eq!(code, CKR_OK);
    let found = slice_from_raw_parts_mut(found, 1);
    // SAFETY: after CKR_OK it points to an interface that lives as long as the module.
    let list = unsafe { (&*found)[0].pFunctionList }.cast::<CK_FUNCTION_LIST_3_2>();
    // SAFETY: the interface of that version has that list.
    unsafe { list.as_ref() }.expect("a list")
}

/// Lets panics be heard again: the module keeps its own off the standard error of its host, and here it is the same library.
fn loud_panics() {
    let quiet = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        eprintln!("{info}");
        quiet(info);
    }));
}
