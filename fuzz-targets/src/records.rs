//! What a store holds: values, roles, change lists, origins, the journal, the contents of objects.
//!
//! Owns: that what is read is written again as the same bytes, and that an HSM on a store whose records hold anything, under a
//! good seal, answers or refuses.

use crate::bytes::Bytes;
use ffi_headers::*;
use hsm_core::object::Object;
use hsm_core::platform::{Env, Platform};
use hsm_core::template::Template;
use hsm_core::{Config, Hsm, Mechanism, Params, Policy, SlotId};
use hsm_crypto::kdf::Argon2Cost;
use hsm_crypto::{SecretBytes, preferred};
use hsm_platform::{OsRandom, SystemClock};
use std::sync::Arc;
use token_store::medium::Memory;
use token_store::{DeviceKey, Store, Visibility, fuzzing};

/// What PINs cost here.
pub const CHEAP: Argon2Cost = Argon2Cost { memory_kib: 8, passes: 1, lanes: 1 };
/// The slot of the token.
const SLOT: SlotId = SlotId(0);

/// Reads the input as what its first byte says.
pub fn run(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    match bytes.byte() {
        0x00..0x60 => object(bytes.rest()),
        0x60..0x70 => {
            let _kinds = fuzzing::value(bytes.rest());
        }
        0x70..0x78 => same(fuzzing::role(bytes.take(96)), data),
        0x78..0x80 => same(fuzzing::origin(bytes.take(64)), data),
        0x80..0x90 => changes(bytes.rest()),
        0x90..0xa0 => {
            let _frames = fuzzing::journal(bytes.rest());
        }
        0xa0..0xc0 => {
            let mut contents = Vec::new();
            while !bytes.is_empty() {
                contents.push(bytes.long());
            }
            let _frames = fuzzing::framed(&contents);
        }
        0xc0..0xe0 => tampered(&mut bytes),
        _ => sealed(&mut bytes),
    }
}

/// What was read is written as the bytes that it was read from, which are the second byte of the input and on.
fn same(written: Option<Vec<u8>>, data: &[u8]) {
    if let Some(written) = written {
        assert_eq!(Some(&written[..]), data.get(1..=written.len()), "a value changes when it is written again");
    }
}

/// The list in the order of its set comes back; others at least once.
fn changes(bytes: &[u8]) {
    let Some(written) = fuzzing::changes(bytes) else { return };
    if written != [0] {
        assert_eq!(fuzzing::changes(&written), Some(written.clone()), "a change list changes when it is written again");
    }
}

/// Every object has one encoding, and its key is one or is refused.
fn object(content: &[u8]) {
    let Ok(object) = Object::decode(SecretBytes::copy_of(content)) else {
        assert!(Object::check(content).is_err(), "a content that is good makes no object");
        return;
    };
    let attributes = object.attributes();
    assert_eq!(Object::new(&attributes).content().expose(), content, "an object has two encodings");
    for (kind, _) in &attributes {
        assert!(object.value(*kind).is_some(), "attribute {kind:#x} is not found");
    }
    let _shown = format!("{object:?}");
    let slow = matches!(object.key_type(), Some(CKK_SLH_DSA | CKK_HSS | CKK_XMSS | CKK_XMSSMT));
    if object.is_key() && !slow {
        let _parsed =
            object.key(&Env { engine: preferred(), random: &OsRandom, policy: Policy::default(), one_time: None });
    }
}

/// A store in memory with a token, and the HSM on it.
pub struct Token {
    pub medium: Memory,
    pub platform: Platform,
}

impl Token {
    /// Makes it; the user's PIN is `1234`.
    pub fn new() -> Self {
        let medium = Memory::new();
        let device_key = DeviceKey::new(SecretBytes::new(vec![7; 32])).expect("a device key");
        let store = Store::open(Box::new(medium.clone()), &device_key, Arc::new(OsRandom), CHEAP).expect("a store");
        let platform = Platform {
            engine: preferred(),
            random: Arc::new(OsRandom),
            clock: Arc::new(SystemClock),
            store: Arc::new(store),
        };
        let token = Self { medium, platform };
        let (hsm, so, user) = (token.hsm(), SecretBytes::copy_of(b"so-pin"), SecretBytes::copy_of(b"1234"));
        hsm.init_token(SLOT, &so, b"records                         ").expect("a token");
        let session = hsm.open_session(SLOT, true).expect("a session");
        hsm.login(session, CKU_SO, &so).expect("a login");
        hsm.init_pin(session, &user).expect("a PIN");
        token
    }

    /// A process that uses it.
    pub fn hsm(&self) -> Hsm {
        Hsm::new(self.platform.clone(), Config::default()).expect("an HSM")
    }
}

impl Default for Token {
    fn default() -> Self {
        Self::new()
    }
}

/// A record with a good seal and any content.
fn sealed(bytes: &mut Bytes<'_>) {
    let token = Token::new();
    let store = &token.platform.store;
    let partition = store.view(|view| view.partitions()).expect("partitions")[0].id;
    let contents = [bytes.long(), bytes.rest()];
    for content in contents {
        let (id, content) = (store.new_record_id().expect("an id"), SecretBytes::copy_of(content));
        store
            .transact(|transaction| transaction.put_record(partition, id, Visibility::Public, None, &content))
            .expect("a record");
    }
    let hsm = token.hsm();
    let _examined = hsm.examine();
    look_at_all(&hsm);
}

/// A store of which one value was put in the place of another, or changed.
fn tampered(bytes: &mut Bytes<'_>) {
    let token = Token::new();
    let map: Vec<_> = token.medium.dump().into_iter().collect();
    let place = |bytes: &mut Bytes<'_>| usize::from(bytes.byte()) % map.len();
    for _ in 0..bytes.byte() % 4 {
        let (key, value) = &map[place(bytes)];
        let value = match bytes.byte() % 4 {
            0 => None,
            1 => Some(map[place(bytes)].1.clone()),
            2 => Some(bytes.counted().to_vec()),
            _ => {
                let mut value = value.clone();
                let at = usize::from(bytes.short()) % value.len().max(1);
                value.truncate(at);
                value.extend_from_slice(bytes.counted());
                Some(value)
            }
        };
        token.medium.tamper(key, value);
    }
    let Ok(hsm) = Hsm::new(token.platform.clone(), Config::default()) else { return };
    let _examined = hsm.examine();
    look_at_all(&hsm);
}

/// Asks every object of the token for everything, as the user where that works.
fn look_at_all(hsm: &Hsm) {
    let Ok(session) = hsm.open_session(SLOT, true) else { return };
    let _public_if_not = hsm.login(session, CKU_USER, &SecretBytes::copy_of(b"1234"));
    if hsm.find_init(session, &Template::default()).is_err() {
        return;
    }
    let found = hsm.find(session, 100).unwrap_or_default();
    for object in found {
        let kinds: Vec<u64> = crate::abi::stock::ATTRIBUTES.to_vec();
        let _answers = hsm.attributes(session, object, &kinds);
        let _size = hsm.object_size(session, object);
        for kind in [CKM_ECDSA, CKM_SHA256_HMAC, CKM_RSA_PKCS, CKM_EDDSA, CKM_ML_DSA] {
            let mechanism = Mechanism { kind, params: Params::None };
            if hsm.sign_init(session, &mechanism, object).is_ok() {
                let _signature = hsm.sign(session, &[1; 32], hsm_core::Room::Bytes(8192));
            }
        }
        let _copy = hsm.copy_object(session, object, &Template::default());
        let _gone = hsm.destroy_object(session, object);
    }
}
