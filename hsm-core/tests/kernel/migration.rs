//! Tokens that come from elsewhere: whole or not at all, with history, PINs and serial number.

use crate::bench::*;
use hsm_core::attributes::migrate::{Migrated, Refusal, migrate};
use hsm_core::limits::MIGRATION_BATCH_BYTES;
use hsm_core::object::Object;
use hsm_core::platform::Env;
use hsm_core::template::Template;
use hsm_core::{Config, Hsm, NewToken, Reason, Result, SlotId};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use token_store::medium::{Batch, Medium, Memory, Reader};

const SERIAL: &[u8; 16] = b"0123456789abcdef";
const MOVED: &[u8; 32] = b"moved                           ";

fn moved(template: &Template) -> core::result::Result<Migrated, Refusal> {
    migrate(
        &Env {
            engine: hsm_crypto::portable(),
            random: &OsRandom,
            policy: hsm_core::policy::Policy::default(),
            one_time: None,
        },
        template,
    )
}

fn object(template: &Template) -> Object {
    let Migrated { object, without } = moved(template).unwrap();
    assert!(without.is_empty(), "{without:?}");
    object
}

fn aes() -> Template {
    Template::default()
        .with_number(CKA_CLASS, CKO_SECRET_KEY)
        .with_number(CKA_KEY_TYPE, CKK_AES)
        .with_flag(CKA_TOKEN, true)
        .with_flag(CKA_PRIVATE, true)
        .with(CKA_LABEL, b"aes")
        .with(CKA_VALUE, &[7; 32])
}

fn add(hsm: &Hsm, objects: &[Object]) -> Result<SlotId> {
    let (so_pin, user_pin) = (pin(SO_PIN), pin(USER_PIN));
    let user_pin = Some(&user_pin);
    hsm.add_token(&NewToken { label: *MOVED, serial: Some(*SERIAL), so_pin: &so_pin, user_pin, objects })
}

/// Labels of all objects that the user finds in a slot.
fn labels(hsm: &Hsm, slot: SlotId) -> Vec<String> {
    let session = hsm.open_session(slot, true).unwrap();
    hsm.login(session, CKU_USER, &pin(USER_PIN)).unwrap();
    let mut labels: Vec<String> = found(hsm, session, &Template::default())
        .into_iter()
        .map(|handle| match hsm.attributes(session, handle, &[CKA_LABEL]).unwrap().remove(0) {
            hsm_core::Answer::Bytes(bytes) => String::from_utf8_lossy(bytes.expose()).into_owned(),
            other => panic!("{other:?}"),
        })
        .collect();
    hsm.close_session(session).unwrap();
    labels.sort();
    labels
}

#[test]
fn a_key_that_comes_over_keeps_its_history() {
    let kept = aes()
        .with_flag(CKA_LOCAL, true)
        .with_number(CKA_KEY_GEN_MECHANISM, CKM_AES_KEY_GEN)
        .with_flag(CKA_SENSITIVE, true)
        .with_flag(CKA_ALWAYS_SENSITIVE, true)
        .with_flag(CKA_EXTRACTABLE, false)
        .with_flag(CKA_NEVER_EXTRACTABLE, true)
        .with_flag(CKA_TRUSTED, true);
    let key = object(&kept);
    for flag in [CKA_LOCAL, CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE, CKA_TRUSTED] {
        assert!(key.flag(flag), "{flag:#x}");
    }
    assert_eq!(key.number(CKA_KEY_GEN_MECHANISM), Some(CKM_AES_KEY_GEN));
}

#[test]
fn what_the_other_token_did_not_write_down_is_neither_claimed_nor_allowed() {
    let key = object(&aes());
    for flag in [CKA_LOCAL, CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE, CKA_EXTRACTABLE, CKA_ENCRYPT, CKA_DECRYPT] {
        assert!(!key.flag(flag), "{flag:#x}");
    }
    assert!(key.flag(CKA_SENSITIVE));
}

#[test]
fn a_mark_that_cannot_be_true_is_left_out_and_told() {
    let open = aes().with_flag(CKA_SENSITIVE, false).with_flag(CKA_ALWAYS_SENSITIVE, true);
    let Migrated { object, without } = moved(&open).unwrap();
    assert!(!object.flag(CKA_ALWAYS_SENSITIVE) && !object.flag(CKA_SENSITIVE));
    assert!(matches!(without[..], [(CKA_ALWAYS_SENSITIVE, Reason::TemplateInconsistent { .. })]), "{without:?}");
}

#[test]
fn values_that_cannot_be_kept_are_left_out_and_told() {
    let odd = aes().with(CKA_START_DATE, b"yesterday").with(CKA_CHECK_VALUE, b"???").with(0x8000_0001, b"vendor");
    let Migrated { object, without } = moved(&odd).unwrap();
    assert_eq!(object.bytes(CKA_START_DATE), Some(&b""[..]));
    assert_eq!(object.bytes(CKA_CHECK_VALUE).map(<[u8]>::len), Some(3), "the right one");
    let told: Vec<u64> = without.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(told.len(), 3);
    for kind in [CKA_START_DATE, CKA_CHECK_VALUE, 0x8000_0001] {
        assert!(told.contains(&kind), "{kind:#x} in {told:?}");
    }
}

/// A key without its restriction would be another key.
#[test]
fn an_object_is_refused_rather_than_freed_of_a_restriction() {
    let mut inner = Template::default();
    inner.push(CKA_APPLICATION, b"not of a key");
    let mut key = aes();
    let value = hsm_core::template::Given::Template(inner);
    key.entries.push(hsm_core::template::Entry { kind: CKA_WRAP_TEMPLATE, value });
    assert!(matches!(moved(&key), Err(Refusal::Unsupported(Reason::AttributeUnknown(CKA_APPLICATION)))));
    let kept = aes().with(CKA_ALLOWED_MECHANISMS, b"odd");
    assert!(matches!(moved(&kept), Err(Refusal::Unsupported(Reason::AttributeValue { .. }))));
}

#[test]
fn objects_that_the_token_has_not_are_told_from_keys_that_are_none() {
    let of = |class, key_type| {
        Template::default().with_number(CKA_CLASS, class).with_number(CKA_KEY_TYPE, key_type).with_flag(CKA_TOKEN, true)
    };
    let p192 = b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x01";
    let unsupported = [
        of(CKO_SECRET_KEY, CKK_DES3).with(CKA_VALUE, &[1; 24]),
        of(CKO_PUBLIC_KEY, CKK_DSA).with(CKA_VALUE, &[1; 128]),
        of(CKO_PUBLIC_KEY, CKK_EC).with(CKA_EC_PARAMS, p192).with(CKA_EC_POINT, &[4; 49]),
        of(CKO_PUBLIC_KEY, CKK_RSA).with(CKA_MODULUS, &[0xC1; 64]).with(CKA_PUBLIC_EXPONENT, &[1, 0, 1]),
        Template::default().with_number(CKA_CLASS, CKO_CERTIFICATE).with(CKA_VALUE, b"no certificate"),
        Template::default(),
    ];
    for template in unsupported {
        let answer = moved(&template);
        assert!(matches!(answer, Err(Refusal::Unsupported(_))), "{template:?}: {answer:?}");
    }
    let p256 = b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
    let faulty = [
        of(CKO_DOMAIN_PARAMETERS, CKK_DSA),
        of(CKO_SECRET_KEY, CKK_AES).with(CKA_VALUE, &[1; 17]),
        of(CKO_SECRET_KEY, CKK_AES),
        of(CKO_PRIVATE_KEY, CKK_EC).with(CKA_EC_PARAMS, p256).with(CKA_VALUE, &[0xff; 32]),
        of(CKO_PUBLIC_KEY, CKK_EC).with(CKA_EC_PARAMS, p256).with(CKA_EC_POINT, &[4; 65]),
        of(CKO_PRIVATE_KEY, CKK_RSA).with(CKA_MODULUS, &[0xC1; 256]).with(CKA_PRIVATE_EXPONENT, &[5; 256]),
    ];
    for template in faulty {
        let answer = moved(&template);
        assert!(matches!(answer, Err(Refusal::Faulty(_))), "{template:?}: {answer:?}");
    }
}

#[test]
fn a_token_comes_over_with_label_serial_pins_and_objects() {
    let (hsm, medium) = fresh();
    let slot = add(&hsm, &[object(&aes()), object(&data("note", true, false))]).unwrap();
    for hsm in [&hsm, &start(&medium, Config::default()).unwrap()] {
        let info = hsm.token_info(slot).unwrap();
        assert_eq!((&info.label, &info.serial), (MOVED, SERIAL));
        assert_eq!(labels(hsm, slot), ["aes", "note"]);
        let session = hsm.open_session(slot, true).unwrap();
        check(hsm.login(session, CKU_USER, &pin(SO_PIN)), CKR_PIN_INCORRECT);
        hsm.login(session, CKU_SO, &pin(SO_PIN)).unwrap();
        hsm.init_pin(session, &pin(USER_PIN)).unwrap();
        hsm.close_session(session).unwrap();
        assert_eq!(labels(hsm, slot), ["aes", "note"], "the SO's PIN opens the same key");
    }
    assert_eq!(hsm.slots(true).unwrap().len(), 2, "the spare slot is still there");
}

#[test]
fn a_serial_number_is_given_once() {
    let (hsm, medium) = fresh();
    let slot = add(&hsm, &[]).unwrap();
    let commits = medium.commits();
    assert!(matches!(add(&hsm, &[object(&aes())]), Err(Reason::TokenPresent { slot: taken, .. }) if taken == slot.0));
    assert_eq!(medium.commits(), commits);
    assert_eq!(hsm.slot_of_serial(SERIAL).unwrap(), Some(slot));
}

#[test]
fn a_pin_that_no_token_takes_is_refused_before_anything_is_written() {
    let (hsm, medium) = fresh();
    let commits = medium.commits();
    let (short, good) = (pin("123"), pin(USER_PIN));
    for (so_pin, user_pin) in [(&short, &good), (&good, &short)] {
        let new = NewToken { label: *MOVED, serial: None, so_pin, user_pin: Some(user_pin), objects: &[] };
        check(hsm.add_token(&new), CKR_PIN_LEN_RANGE);
    }
    assert_eq!(medium.commits(), commits);
}

/// A medium that refuses every commit but the first so many.
struct Fills(Memory, Arc<AtomicUsize>);

impl Medium for Fills {
    fn generation(&self) -> token_store::Result<u64> {
        self.0.generation()
    }

    fn view(&self, work: &mut dyn FnMut(&dyn Reader) -> token_store::Result<()>) -> token_store::Result<()> {
        self.0.view(work)
    }

    fn transact(
        &self,
        work: &mut dyn FnMut(&dyn Reader, &mut Batch) -> token_store::Result<()>,
    ) -> token_store::Result<u64> {
        let left = self.1.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        match left {
            Ok(_) => self.0.transact(work),
            Err(_) => Err(token_store::StoreError::Full { path: "full".into() }),
        }
    }
}

/// Objects that take several transactions.
fn many() -> Vec<Object> {
    let value = vec![7; 1 << 20];
    let one = |number: usize| {
        let template = Template::default().with_number(CKA_CLASS, CKO_DATA).with_flag(CKA_TOKEN, true);
        let private = number.is_multiple_of(2);
        object(&template.with_flag(CKA_PRIVATE, private).with(CKA_LABEL, b"big").with(CKA_VALUE, &value))
    };
    (0..2 * MIGRATION_BATCH_BYTES / value.len() + 1).map(one).collect()
}

#[test]
fn a_token_of_several_transactions_is_there_after_the_last_one_only() {
    let objects = many();
    let (hsm, medium) = fresh();
    let before = medium.commits();
    add(&hsm, &objects).unwrap();
    let needed = medium.commits() - before;
    assert!(needed >= 3, "{needed}");

    for allowed in 0..needed {
        let (hsm, medium) = fresh();
        let left = Arc::new(AtomicUsize::new(usize::MAX));
        let faulty = start_on(Box::new(Fills(medium.clone(), left.clone())), Config::default()).unwrap();
        left.store(allowed as usize, Ordering::SeqCst);
        check(add(&faulty, &objects), CKR_DEVICE_MEMORY);
        drop(faulty);
        for hsm in [&hsm, &start(&medium, Config::default()).unwrap()] {
            for slot in hsm.slots(true).unwrap() {
                assert_eq!(hsm.token_info(slot).unwrap().flags & CKF_TOKEN_INITIALIZED, 0, "{allowed}: {slot:?}");
                check(hsm.open_session(slot, true), CKR_TOKEN_NOT_RECOGNIZED);
            }
        }
        let again = start(&medium, Config::default()).unwrap();
        let slot = add(&again, &objects).unwrap();
        assert_eq!(labels(&again, slot).len(), objects.len(), "{allowed}: no object of the first attempt is left");
        let free = |slot: &SlotId| again.token_info(*slot).unwrap().flags & CKF_TOKEN_INITIALIZED == 0;
        let slots = again.slots(true).unwrap();
        assert_eq!((slots.len(), slots.iter().filter(|slot| free(slot)).count()), (2, 1), "{allowed}: {slots:?}");
    }
}

/// While a large token comes over, somebody else initialises the slot that it was to be in.
#[test]
fn a_slot_that_somebody_took_meanwhile_is_left_to_them() {
    let objects = many();
    let (hsm, medium) = fresh();
    let left = Arc::new(AtomicUsize::new(usize::MAX));
    let faulty = start_on(Box::new(Fills(medium.clone(), left.clone())), Config::default()).unwrap();
    left.store(1, Ordering::SeqCst);
    check(add(&faulty, &objects), CKR_DEVICE_MEMORY);
    let slot = hsm.slot_of_serial(SERIAL).unwrap().unwrap();
    hsm.init_token(slot, &pin(SO_PIN), LABEL).unwrap();
    assert!(matches!(add(&hsm, &objects), Err(Reason::TokenPresent { slot: taken, .. }) if taken == slot.0));
    assert_eq!(&hsm.token_info(slot).unwrap().label, LABEL);
    let session = hsm.open_session(slot, true).unwrap();
    assert_eq!(found(&hsm, session, &Template::default()).len(), 0);
}
