//! The workbench: an HSM in memory with PINs that are quick to try, and short ways to say things.

use hsm_core::template::Template;
use hsm_core::*;
use hsm_crypto::kdf::Argon2Cost;
use hsm_crypto::{CryptoError, Random, SecretBytes};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use token_store::medium::{Batch, Medium, Memory, Reader};
use token_store::{DeviceKey, Store};

pub use ffi_headers::*;

pub const SO_PIN: &str = "so-pin-1234";
pub const USER_PIN: &str = "user-pin-1234";
pub const LABEL: &[u8; 32] = b"bench                           ";
pub const SLOT: SlotId = SlotId(0);

pub struct OsRandom;

impl Random for OsRandom {
    fn fill(&self, out: &mut [u8]) -> hsm_crypto::Result<()> {
        getrandom::fill(out).map_err(|_| CryptoError::RandomFailed)
    }
}

struct Noon;

impl Clock for Noon {
    fn unix_seconds(&self) -> i64 {
        1_709_208_000
    }
}

/// A medium in memory that counts how often its content is looked at.
pub struct Counting(Memory, Arc<AtomicUsize>);

pub fn counting() -> (Counting, Arc<AtomicUsize>) {
    let reads = Arc::new(AtomicUsize::new(0));
    (Counting(Memory::new(), reads.clone()), reads)
}

impl Medium for Counting {
    fn generation(&self) -> token_store::Result<u64> {
        self.0.generation()
    }

    fn view(&self, work: &mut dyn FnMut(&dyn Reader) -> token_store::Result<()>) -> token_store::Result<()> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.view(work)
    }

    fn transact(
        &self,
        work: &mut dyn FnMut(&dyn Reader, &mut Batch) -> token_store::Result<()>,
    ) -> token_store::Result<u64> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.transact(work)
    }
}

/// A medium in memory that can be read and not written.
pub struct Frozen(pub Memory);

impl Medium for Frozen {
    fn generation(&self) -> token_store::Result<u64> {
        self.0.generation()
    }

    fn view(&self, work: &mut dyn FnMut(&dyn Reader) -> token_store::Result<()>) -> token_store::Result<()> {
        self.0.view(work)
    }

    fn transact(
        &self,
        _: &mut dyn FnMut(&dyn Reader, &mut Batch) -> token_store::Result<()>,
    ) -> token_store::Result<u64> {
        Err(token_store::StoreError::ReadOnly { path: "frozen".into() })
    }

    fn is_writable(&self) -> token_store::Result<bool> {
        Ok(false)
    }
}

/// Starts an HSM ("a process") on a medium in memory.
pub fn start(medium: &Memory, config: Config) -> Result<Hsm> {
    start_on(Box::new(medium.clone()), config)
}

/// Starts an HSM on any medium.
pub fn start_on(medium: Box<dyn Medium>, config: Config) -> Result<Hsm> {
    let cost = Argon2Cost { memory_kib: 8, passes: 1, lanes: 1 };
    let device_key = DeviceKey::new(SecretBytes::new(vec![7; 32])).unwrap();
    let store = Store::open(medium, &device_key, Arc::new(OsRandom), cost)?;
    let platform = Platform {
        engine: hsm_crypto::portable(),
        random: Arc::new(OsRandom),
        clock: Arc::new(Noon),
        store: Arc::new(store),
    };
    Hsm::new(platform, config)
}

/// An HSM as it is on first start.
pub fn fresh() -> (Hsm, Memory) {
    let medium = Memory::new();
    (start(&medium, Config::default()).unwrap(), medium)
}

/// An HSM whose slot 0 holds a token with both PINs set and nobody logged in.
pub fn ready() -> (Hsm, Memory) {
    let (hsm, medium) = fresh();
    hsm.init_token(SLOT, &pin(SO_PIN), LABEL).unwrap();
    let session = hsm.open_session(SLOT, true).unwrap();
    hsm.login(session, CKU_SO, &pin(SO_PIN)).unwrap();
    hsm.init_pin(session, &pin(USER_PIN)).unwrap();
    hsm.close_session(session).unwrap();
    (hsm, medium)
}

/// As `ready`, with a read-write session of the user.
pub fn logged_in() -> (Hsm, Memory, SessionHandle) {
    let (hsm, medium) = ready();
    let session = user_session(&hsm);
    (hsm, medium, session)
}

pub fn user_session(hsm: &Hsm) -> SessionHandle {
    let session = hsm.open_session(SLOT, true).unwrap();
    hsm.login(session, CKU_USER, &pin(USER_PIN)).unwrap();
    session
}

pub fn pin(text: &str) -> SecretBytes {
    SecretBytes::copy_of(text.as_bytes())
}

/// A data object.
pub fn data(label: &str, token: bool, private: bool) -> Template {
    Template::default()
        .with_number(CKA_CLASS, CKO_DATA)
        .with_flag(CKA_TOKEN, token)
        .with_flag(CKA_PRIVATE, private)
        .with(CKA_LABEL, label.as_bytes())
        .with(CKA_VALUE, b"value")
}

pub fn labelled(label: &str) -> Template {
    Template::default().with(CKA_LABEL, label.as_bytes())
}

/// A mechanism without parameter.
pub fn plain(kind: u64) -> Mechanism {
    Mechanism { kind, params: Params::None }
}

/// Everything a search finds.
pub fn found(hsm: &Hsm, session: SessionHandle, template: &Template) -> Vec<ObjectHandle> {
    hsm.find_init(session, template).unwrap();
    let found = hsm.find(session, 10_000).unwrap();
    hsm.find_final(session).unwrap();
    found
}

/// The flags of a token, of which only those in `mask`.
pub fn flags(hsm: &Hsm, mask: u64) -> u64 {
    hsm.token_info(SLOT).unwrap().flags & mask
}

/// The state of a session, a `CKS_*`.
pub fn state(hsm: &Hsm, session: SessionHandle) -> u64 {
    hsm.session_info(session).unwrap().state
}

/// The return value that the edge would give.
pub fn rv<T>(answer: Result<T>) -> u64 {
    answer.map_or_else(|reason| reason.rv(), |_| CKR_OK)
}

/// A return value by name, so that a failure can be read.
#[track_caller]
pub fn check<T>(answer: Result<T>, expected: u64) {
    match answer {
        Ok(_) => assert_eq!(CKR_OK, expected, "it was allowed"),
        Err(reason) => assert_eq!(reason.rv(), expected, "{reason}"),
    }
}
