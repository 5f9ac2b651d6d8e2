//! Fills a token with P-256 key pairs, thousands in each transaction: large stores to measure on and to test with.
//!
//!     PERILUNE_CONF=... fill PAIRS SO_PIN USER_PIN
//!
//! Owns: what such a pair looks like, and which token gets it: the one in the first slot, which is initialised here where it is not yet.
//! Each pair is what C_GenerateKeyPair makes with CKA_TOKEN, a label (`pair-00000000` and on) and an id (the same number,
//! eight bytes, big-endian). Calling it again adds pairs with the numbers after the last.
//! Does not know: sessions and handles; the records go straight to the store, as another process would write them.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "a program for the command line")]

use ffi_headers::*;
use hsm_core::attributes::Actor;
use hsm_core::object::Object;
use hsm_core::platform::Env;
use hsm_core::role::Role;
use hsm_core::template::Template;
use hsm_core::{Hsm, Mechanism, Params, SecretBytes, SlotId, keys, slot};
use hsm_platform::{DeviceKeyPlace, OsRandom, Settings};
use std::error::Error;
use std::time::Instant;
use token_store::medium::SledMedium;
use token_store::{DeviceKey, PartitionId, PartitionKey, Store, Visibility};

/// Pairs in one transaction: about 2 MiB of records.
const PAIRS_AT_ONCE: u64 = 2_500;
/// The curve P-256 as CKA_EC_PARAMS names it.
const P256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const LABEL: &[u8; 32] = b"filled                          ";

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [pairs, so_pin, user_pin] = &words[..] else { return Err("usage: fill PAIRS SO_PIN USER_PIN".into()) };
    let begin = Instant::now();
    let first = fill(&Settings::load()?, pairs.parse()?, &secret(so_pin), &secret(user_pin))?;
    println!("{pairs} pairs after {first} in {:.1} s", begin.elapsed().as_secs_f64());
    Ok(())
}

/// Adds pairs to the token in the first slot; answers how many there were before.
pub fn fill(
    settings: &Settings,
    pairs: u64,
    so_pin: &SecretBytes,
    user_pin: &SecretBytes,
) -> Result<u64, Box<dyn Error>> {
    let slot = prepare(&hsm_platform::start(settings)?, so_pin, user_pin)?;
    let filling = Filling::begin(settings, slot, user_pin)?;
    let first = filling.pairs_present()?;
    let mut next = first;
    while next < first + pairs {
        let end = (next + PAIRS_AT_ONCE).min(first + pairs);
        filling.add(next..end)?;
        next = end;
    }
    Ok(first)
}

/// The first slot, whose token is initialised if it was not.
fn prepare(hsm: &Hsm, so_pin: &SecretBytes, user_pin: &SecretBytes) -> Result<SlotId, Box<dyn Error>> {
    let slot = *hsm.slots(false)?.first().ok_or("the HSM has no slot")?;
    if hsm.token_info(slot)?.flags & CKF_TOKEN_INITIALIZED == 0 {
        hsm.init_token(slot, so_pin, LABEL)?;
        let session = hsm.open_session(slot, true)?;
        hsm.login(session, CKU_SO, so_pin)?;
        hsm.init_pin(session, user_pin)?;
        hsm.close_session(session)?;
    }
    Ok(slot)
}

/// A token that is being filled.
struct Filling {
    store: Store,
    partition: PartitionId,
    key: PartitionKey,
}

impl Filling {
    fn begin(settings: &Settings, slot: SlotId, user_pin: &SecretBytes) -> Result<Self, Box<dyn Error>> {
        let DeviceKeyPlace::File(file) = &settings.device_key else {
            return Err("a device key behind a descriptor can be read only once; name a file".into());
        };
        let device_key = DeviceKey::load(file)?.ok_or("there is no device key")?;
        let medium = Box::new(SledMedium::open_with(&settings.store, settings.lock_wait)?);
        let store = Store::open(medium, &device_key, std::sync::Arc::new(OsRandom), settings.kdf)?;
        let of_slot = |entry: &token_store::PartitionEntry| {
            slot::Description::of(entry).is_ok_and(|description| description.slot == slot)
        };
        let entry = store.view(|view| view.partitions())?.into_iter().find(of_slot).ok_or("the slot is gone")?;
        let key = store.login(entry.id, Role::CryptoOfficer.row().store_id, user_pin)?;
        Ok(Self { store, partition: entry.id, key })
    }

    fn pairs_present(&self) -> token_store::Result<u64> {
        Ok(self.store.view(|view| view.records(self.partition, None))?.len() as u64 / 2)
    }

    /// Adds the pairs with these numbers in one transaction.
    fn add(&self, numbers: std::ops::Range<u64>) -> Result<(), Box<dyn Error>> {
        let mut records = Vec::new();
        for number in numbers {
            let (public, private) = pair(number)?;
            records.push((self.store.new_record_id()?, Visibility::Public, public));
            records.push((self.store.new_record_id()?, Visibility::Private, private));
        }
        self.store.transact(|tx| {
            for (record, visibility, object) in &records {
                tx.put_record(self.partition, *record, *visibility, Some(&self.key), object.content())?;
            }
            Ok(())
        })?;
        Ok(())
    }
}

/// What C_GenerateKeyPair makes of the templates that an application would give.
fn pair(number: u64) -> hsm_core::Result<(Object, Object)> {
    let env = Env {
        engine: hsm_crypto::preferred(),
        random: &OsRandom,
        policy: hsm_core::policy::Policy::default(),
        one_time: None,
    };
    let user = Actor { security_officer: false, user: true };
    let mechanism = Mechanism { kind: CKM_EC_KEY_PAIR_GEN, params: Params::None };
    let both = Template::default()
        .with_flag(CKA_TOKEN, true)
        .with(CKA_LABEL, format!("pair-{number:08}").as_bytes())
        .with(CKA_ID, &number.to_be_bytes());
    let public = both.clone().with(CKA_EC_PARAMS, P256).with_flag(CKA_VERIFY, true);
    let private = both.with_flag(CKA_SIGN, true).with_flag(CKA_SENSITIVE, true);
    keys::generate_key_pair(&env, user, &mechanism, &public, &private)
}

fn secret(text: &str) -> SecretBytes {
    SecretBytes::copy_of(text.as_bytes())
}
