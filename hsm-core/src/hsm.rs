//! The HSM as a value, and its functions in the order of the standard.

use crate::config::Config;
use crate::platform::Platform;
use crate::reason::Result;
use crate::template::Template;
use crate::types::*;
use hsm_crypto::SecretBytes;

/// A virtual HSM with its slots and sessions. All functions take `&self` and may be called from any thread.
pub struct Hsm {
    #[allow(dead_code, reason = "contract skeleton")]
    platform: Platform,
    #[allow(dead_code, reason = "contract skeleton")]
    config: Config,
}

macro_rules! contract { ($($name:ident ( $($arg:ident : $ty:ty),* ) -> $ret:ty;)*) => { $(
    #[allow(missing_docs, clippy::missing_errors_doc, unused_variables, reason = "contract skeleton")]
    pub fn $name(&self, $($arg: $ty),*) -> $ret { todo!("contract skeleton") }
)* } }

impl Hsm {
    /// Starts the HSM on a platform: reads slots and public objects, makes the first slot.
    ///
    /// # Errors
    /// The store's.
    pub fn new(platform: Platform, config: Config) -> Result<Self> {
        Ok(Self { platform, config })
    }

    contract! {
        info() -> Info;
        slots(token_present: bool) -> Result<Vec<SlotId>>;
        slot_info(slot: SlotId) -> Result<SlotInfo>;
        token_info(slot: SlotId) -> Result<TokenInfo>;
        mechanism_list(slot: SlotId) -> Result<Vec<u64>>;
        mechanism_info(slot: SlotId, kind: u64) -> Result<MechanismInfo>;
        init_token(slot: SlotId, so_pin: &SecretBytes, label: &[u8; 32]) -> Result<()>;
        init_pin(session: SessionHandle, pin: &SecretBytes) -> Result<()>;
        set_pin(session: SessionHandle, old: &SecretBytes, new: &SecretBytes) -> Result<()>;
        open_session(slot: SlotId, read_write: bool) -> Result<SessionHandle>;
        close_session(session: SessionHandle) -> Result<()>;
        close_all_sessions(slot: SlotId) -> Result<()>;
        session_info(session: SessionHandle) -> Result<SessionInfo>;
        login(session: SessionHandle, user_type: u64, pin: &SecretBytes) -> Result<()>;
        logout(session: SessionHandle) -> Result<()>;
        create_object(session: SessionHandle, template: &Template) -> Result<ObjectHandle>;
        copy_object(session: SessionHandle, object: ObjectHandle, template: &Template) -> Result<ObjectHandle>;
        destroy_object(session: SessionHandle, object: ObjectHandle) -> Result<()>;
        object_size(session: SessionHandle, object: ObjectHandle) -> Result<usize>;
        attributes(session: SessionHandle, object: ObjectHandle, kinds: &[u64]) -> Result<Vec<Answer>>;
        set_attributes(session: SessionHandle, object: ObjectHandle, template: &Template) -> Result<()>;
        find_init(session: SessionHandle, template: &Template) -> Result<()>;
        find(session: SessionHandle, most: usize) -> Result<Vec<ObjectHandle>>;
        find_final(session: SessionHandle) -> Result<()>;
        encrypt_init(session: SessionHandle, mechanism: &Mechanism, key: ObjectHandle) -> Result<()>;
        encrypt(session: SessionHandle, data: &[u8], room: Room) -> Result<Reply>;
        encrypt_update(session: SessionHandle, data: &[u8], room: Room) -> Result<Reply>;
        encrypt_final(session: SessionHandle, room: Room) -> Result<Reply>;
        decrypt_init(session: SessionHandle, mechanism: &Mechanism, key: ObjectHandle) -> Result<()>;
        decrypt(session: SessionHandle, data: &[u8], room: Room) -> Result<Reply>;
        decrypt_update(session: SessionHandle, data: &[u8], room: Room) -> Result<Reply>;
        decrypt_final(session: SessionHandle, room: Room) -> Result<Reply>;
        digest_init(session: SessionHandle, mechanism: &Mechanism) -> Result<()>;
        digest(session: SessionHandle, data: &[u8], room: Room) -> Result<Reply>;
        digest_update(session: SessionHandle, data: &[u8]) -> Result<()>;
        digest_key(session: SessionHandle, key: ObjectHandle) -> Result<()>;
        digest_final(session: SessionHandle, room: Room) -> Result<Reply>;
        sign_init(session: SessionHandle, mechanism: &Mechanism, key: ObjectHandle) -> Result<()>;
        sign(session: SessionHandle, data: &[u8], room: Room) -> Result<Reply>;
        sign_update(session: SessionHandle, data: &[u8]) -> Result<()>;
        sign_final(session: SessionHandle, room: Room) -> Result<Reply>;
        verify_init(session: SessionHandle, mechanism: &Mechanism, key: ObjectHandle) -> Result<()>;
        verify(session: SessionHandle, data: &[u8], signature: &[u8]) -> Result<()>;
        verify_update(session: SessionHandle, data: &[u8]) -> Result<()>;
        verify_final(session: SessionHandle, signature: &[u8]) -> Result<()>;
        generate_key(session: SessionHandle, mechanism: &Mechanism, template: &Template) -> Result<ObjectHandle>;
        generate_key_pair(session: SessionHandle, mechanism: &Mechanism, public: &Template, private: &Template) -> Result<(ObjectHandle, ObjectHandle)>;
        wrap_key(session: SessionHandle, mechanism: &Mechanism, wrapping: ObjectHandle, key: ObjectHandle, room: Room) -> Result<Reply>;
        unwrap_key(session: SessionHandle, mechanism: &Mechanism, unwrapping: ObjectHandle, wrapped: &[u8], template: &Template) -> Result<ObjectHandle>;
        derive_key(session: SessionHandle, mechanism: &Mechanism, base: ObjectHandle, template: &Template) -> Result<ObjectHandle>;
        seed_random(session: SessionHandle, seed: &[u8]) -> Result<()>;
        random(session: SessionHandle, bytes: usize) -> Result<Vec<u8>>;
        cancel(session: SessionHandle, operation: OperationKind) -> ();
        mark_faulted(session: SessionHandle) -> ();
    }
}
