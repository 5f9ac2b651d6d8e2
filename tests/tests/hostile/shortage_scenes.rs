//! Calls with much data and calls that write the store, for the sweep over allocations that fail.
//!
//! Owns: what the right calls of `calls` leave out because theirs are small and in the session alone. Called from `shortage`.

use crate::cases::Cases;
use crate::shortage::{ITEM, Step, points};
use crate::target::{Done, Stop, Target, read};
use perilune_tests::ck::*;
use perilune_tests::hand::P256;
use perilune_tests::raw::{input, plain, with};
use perilune_tests::{Template, ck};
use std::cell::{Cell, RefCell};
use std::ptr::null_mut;
use std::rc::Rc;

/// More than the reserve serves in one piece.
const LARGE: usize = 3 << 20;
/// The longest value of an attribute.
const VALUE: usize = 1 << 20;
/// What every object is called that these scenes put into the token.
const LABEL: &str = "short of memory";

type Scene = for<'t> fn(&'t Target) -> Result<Step<'t>, Stop>;

const SCENES: [(&str, Scene); 18] = [
    ("a ciphertext of GCM in parts", gcm_in_parts),
    ("associated data", associated_data),
    ("input and output that overlap", overlapping),
    ("data of a Finished message", finished),
    ("a message in one part that overlaps", message),
    ("random bytes", random),
    ("data to derive from", derive),
    ("wrapped bytes that are no key", unwrap),
    ("large values of a session object", session_values),
    ("large values of a token object", token_values),
    ("a copy of large values", copy),
    ("a large value read", get),
    ("a large value set in the token", set),
    ("a search for a large value", search),
    ("a pair in the token", pair),
    ("an object of the token destroyed", destroy),
    ("the first look at the token", first_look),
    ("a wrong PIN", wrong_pin),
];

/// A case for each scene.
pub fn cases(cases: &mut Cases) {
    for (name, scene) in SCENES {
        cases.add(ITEM, name, move |target| -> Done {
            points(target, name, &|target| {
                empty_token(target)?;
                scene(target)
            })
        });
    }
}

/// Destroys what an earlier step has left in the token.
fn empty_token(target: &Target) -> Done {
    for object in target.raw.find(target.session(), Template::new().text(CKA_LABEL, LABEL), 100) {
        target.answer("C_DestroyObject", target.raw.destroy(target.session(), object))?;
    }
    Ok(())
}

fn step<'t>(run: impl Fn() -> CK_RV + 't) -> Step<'t> {
    Step { run: Box::new(run), expected: &[CKR_OK], is_untouched: Box::new(|| true) }
}

/// A step that makes an object, whose handle nobody may have got when it is refused.
fn makes<'t>(run: impl Fn(*mut CK_OBJECT_HANDLE) -> CK_RV + 't) -> Step<'t> {
    let handle = Rc::new(Cell::new(0));
    let seen = handle.clone();
    let run = move || {
        let mut made = 0;
        let code = run(&mut made);
        handle.set(made);
        code
    };
    Step { is_untouched: Box::new(move || seen.get() == 0), ..step(run) }
}

fn gcm(aad: &mut [u8]) -> CK_GCM_PARAMS {
    // The value lies beside nothing that changes; it is read during the call only.
    static IV: [u8; 12] = [3; 12];
    CK_GCM_PARAMS {
        pIv: IV.as_ptr().cast_mut(),
        ulIvLen: 12,
        ulIvBits: 96,
        pAAD: aad.as_mut_ptr(),
        ulAADLen: aad.len() as CK_ULONG,
        ulTagBits: 128,
    }
}

fn gcm_in_parts(target: &Target) -> Result<Step<'_>, Stop> {
    let (session, key) = (target.session(), target.aes()?);
    let mut params = gcm(&mut []);
    target.need("C_DecryptInit", ck!(target.raw, C_DecryptInit, session, &mut with(CKM_AES_GCM, &mut params), key))?;
    let data = vec![7; LARGE];
    let part = move || {
        let ((data, length), mut none) = (input(&data), 0);
        ck!(target.raw, C_DecryptUpdate, session, data, length, target.room(16), &mut none)
    };
    target.need("C_DecryptUpdate", part())?;
    Ok(step(part))
}

fn associated_data(target: &Target) -> Result<Step<'_>, Stop> {
    let (session, key, aad) = (target.session(), target.aes()?, RefCell::new(vec![7; LARGE]));
    Ok(step(move || {
        let mut params = gcm(&mut aad.borrow_mut());
        ck!(target.raw, C_EncryptInit, session, &mut with(CKM_AES_GCM, &mut params), key)
    }))
}

fn overlapping(target: &Target) -> Result<Step<'_>, Stop> {
    let (session, key, buffer) = (target.session(), target.aes()?, RefCell::new(vec![7_u8; LARGE + 8]));
    target.need("C_EncryptInit", ck!(target.raw, C_EncryptInit, session, target.plain(CKM_AES_ECB), key))?;
    let buffer = Rc::new(buffer);
    let seen = buffer.clone();
    let run = move || {
        let mut buffer = buffer.borrow_mut();
        let (input, mut room) = (buffer.as_mut_ptr(), LARGE as CK_ULONG);
        ck!(target.raw, C_Encrypt, session, input, LARGE as CK_ULONG, input.wrapping_add(8), &mut room)
    };
    Ok(Step { is_untouched: Box::new(move || seen.borrow().iter().all(|byte| *byte == 7)), ..step(run) })
}

fn finished(target: &Target) -> Result<Step<'_>, Stop> {
    let (session, key, data) = (target.session(), target.secret(&[5; 48])?, vec![7; LARGE]);
    let mut params = CK_TLS_MAC_PARAMS { prfHashMechanism: CKM_SHA256, ulMacLength: 12, ulServerOrClient: 1 };
    target.need("C_SignInit", ck!(target.raw, C_SignInit, session, &mut with(CKM_TLS_MAC, &mut params), key))?;
    Ok(step(move || {
        let (data, length) = input(&data);
        ck!(target.raw, C_SignUpdate, session, data, length)
    }))
}

fn message(target: &Target) -> Result<Step<'_>, Stop> {
    let (session, key, buffer) = (target.session(), target.aes()?, RefCell::new(vec![7_u8; LARGE + 8]));
    let newest = target.raw.newest().ok_or_else(|| Stop::Absent("no interface of version 3.2".into()))?;
    let begin = newest.C_MessageEncryptInit.expect("the function");
    // SAFETY: a session, a mechanism and a key.
    target.need("C_MessageEncryptInit", unsafe { begin(session, target.plain(CKM_AES_GCM), key) })?;
    let encrypt = newest.C_EncryptMessage.expect("the function");
    let params = CK_GCM_MESSAGE_PARAMS {
        pIv: target.bytes(&[3; 12]),
        ulIvLen: 12,
        ulIvFixedBits: 0,
        ivGenerator: CKG_NO_GENERATE,
        pTag: target.room(16),
        ulTagBits: 128,
    };
    let place = target.value(params);
    Ok(step(move || {
        let mut buffer = buffer.borrow_mut();
        let (data, mut room) = (buffer.as_mut_ptr(), LARGE as CK_ULONG);
        let (params, bytes) = (place.cast(), size_of::<CK_GCM_MESSAGE_PARAMS>() as CK_ULONG);
        let out = data.wrapping_add(8);
        // SAFETY: all pointers have the memory that is stated behind them.
        unsafe { encrypt(session, params, bytes, null_mut(), 0, data, LARGE as CK_ULONG, out, &raw mut room) }
    }))
}

fn random(target: &Target) -> Result<Step<'_>, Stop> {
    let (session, out) = (target.session(), RefCell::new(vec![0; LARGE]));
    Ok(step(move || ck!(target.raw, C_GenerateRandom, session, out.borrow_mut().as_mut_ptr(), LARGE as CK_ULONG)))
}

fn derive(target: &Target) -> Result<Step<'_>, Stop> {
    let (session, key, data) = (target.session(), target.aes()?, RefCell::new(vec![7_u8; LARGE]));
    let template = crate::calls::aes_template().number(CKA_VALUE_LEN, 32);
    Ok(makes(move |handle| {
        let mut data = data.borrow_mut();
        let mut params = CK_KEY_DERIVATION_STRING_DATA { pData: data.as_mut_ptr(), ulLen: LARGE as CK_ULONG };
        let (mut template, mut mechanism) = (template.clone(), with(CKM_AES_ECB_ENCRYPT_DATA, &mut params));
        let mut list = template.attributes();
        let (first, count) = (list.as_mut_ptr(), list.len() as CK_ULONG);
        ck!(target.raw, C_DeriveKey, session, &mut mechanism, key, first, count, handle)
    }))
}

fn unwrap(target: &Target) -> Result<Step<'_>, Stop> {
    let (session, key, data, template) =
        (target.session(), target.aes()?, vec![7; LARGE], crate::calls::aes_template());
    let made = makes(move |handle| {
        let ((data, length), mut template) = (input(&data), template.clone());
        let mut list = template.attributes();
        let (first, count) = (list.as_mut_ptr(), list.len() as CK_ULONG);
        let mut mechanism = plain(CKM_AES_KEY_WRAP_PAD);
        ck!(target.raw, C_UnwrapKey, session, &mut mechanism, key, data, length, first, count, handle)
    });
    Ok(Step { expected: &[CKR_WRAPPED_KEY_INVALID, CKR_WRAPPED_KEY_LEN_RANGE], ..made })
}

/// An object of three MiB, or of nearly one in the token: sled takes what it needs for a value without asking.
fn values(in_token: bool) -> Template {
    let value = vec![7; if in_token { VALUE / 3 } else { VALUE }];
    let template = Template::new().number(CKA_CLASS, CKO_DATA).flag(CKA_TOKEN, in_token).text(CKA_LABEL, LABEL);
    template.bytes(CKA_VALUE, &value).bytes(CKA_APPLICATION, &value).bytes(CKA_OBJECT_ID, &object_id(value.len()))
}

/// An object identifier of so many bytes.
fn object_id(bytes: usize) -> Vec<u8> {
    let content = bytes - 5;
    let mut id = vec![6, 0x83, (content >> 16) as u8, (content >> 8) as u8, content as u8];
    id.resize(bytes, 0x2A);
    id
}

fn create(target: &Target, template: Template) -> Step<'_> {
    let session = target.session();
    makes(move |handle| {
        let mut template = template.clone();
        let mut list = template.attributes();
        let (first, count) = (list.as_mut_ptr(), list.len() as CK_ULONG);
        ck!(target.raw, C_CreateObject, session, first, count, handle)
    })
}

fn session_values(target: &Target) -> Result<Step<'_>, Stop> {
    Ok(create(target, values(false)))
}

fn token_values(target: &Target) -> Result<Step<'_>, Stop> {
    Ok(create(target, values(true)))
}

fn copy(target: &Target) -> Result<Step<'_>, Stop> {
    let session = target.session();
    let object = target.answer("C_CreateObject", target.raw.create(session, values(false)))?;
    Ok(makes(move |handle| ck!(target.raw, C_CopyObject, session, object, null_mut(), 0, handle)))
}

fn get(target: &Target) -> Result<Step<'_>, Stop> {
    let session = target.session();
    let object = target.answer("C_CreateObject", target.raw.create(session, values(false)))?;
    let room = RefCell::new(vec![0_u8; VALUE]);
    Ok(step(move || {
        let mut room = room.borrow_mut();
        let pointer = room.as_mut_ptr().cast();
        let mut one = CK_ATTRIBUTE { type_: CKA_VALUE, pValue: pointer, ulValueLen: VALUE as CK_ULONG };
        ck!(target.raw, C_GetAttributeValue, session, object, &mut one, 1)
    }))
}

/// The first byte of an object's value, by the module itself.
fn first_byte(target: &Target, object: CK_OBJECT_HANDLE) -> u8 {
    let room = target.room(VALUE);
    let mut one = CK_ATTRIBUTE { type_: CKA_VALUE, pValue: room.cast(), ulValueLen: VALUE as CK_ULONG };
    assert_eq!(ck!(target.raw, C_GetAttributeValue, target.session(), object, &mut one, 1), CKR_OK);
    read(room)
}

fn set(target: &Target) -> Result<Step<'_>, Stop> {
    let session = target.session();
    let small = values(true);
    let object = target.answer("C_CreateObject", target.raw.create(session, small))?;
    let template = Template::new().bytes(CKA_VALUE, &vec![9; VALUE / 3]);
    let run = move || {
        let mut template = template.clone();
        let mut list = template.attributes();
        ck!(target.raw, C_SetAttributeValue, session, object, list.as_mut_ptr(), list.len() as CK_ULONG)
    };
    Ok(Step { is_untouched: Box::new(move || first_byte(target, object) == 7), ..step(run) })
}

fn search(target: &Target) -> Result<Step<'_>, Stop> {
    let session = target.session();
    let template = Template::new().bytes(CKA_VALUE, &vec![9; VALUE]);
    Ok(step(move || {
        let mut template = template.clone();
        let mut list = template.attributes();
        ck!(target.raw, C_FindObjectsInit, session, list.as_mut_ptr(), list.len() as CK_ULONG)
    }))
}

fn pair(target: &Target) -> Result<Step<'_>, Stop> {
    let session = target.session();
    let half = || Template::new().flag(CKA_TOKEN, true).text(CKA_LABEL, LABEL);
    let (public, private) = (half().bytes(CKA_EC_PARAMS, P256), half());
    let handles = Rc::new(Cell::new([0; 2]));
    let seen = handles.clone();
    let run = move || {
        let (mut public, mut private, mut made) = (public.clone(), private.clone(), [0; 2]);
        let (mut public, mut private) = (public.attributes(), private.attributes());
        let [one, other] = &mut made;
        let code = ck!(
            target.raw,
            C_GenerateKeyPair,
            session,
            &mut plain(CKM_EC_KEY_PAIR_GEN),
            public.as_mut_ptr(),
            public.len() as CK_ULONG,
            private.as_mut_ptr(),
            private.len() as CK_ULONG,
            one,
            other
        );
        handles.set(made);
        code
    };
    Ok(Step { is_untouched: Box::new(move || seen.get() == [0; 2]), ..step(run) })
}

fn destroy(target: &Target) -> Result<Step<'_>, Stop> {
    let session = target.session();
    let object = target.answer("C_CreateObject", target.raw.create(session, values(true)))?;
    let is_there = move || first_byte(target, object) == 7;
    let run = move || ck!(target.raw, C_DestroyObject, session, object);
    Ok(Step { is_untouched: Box::new(is_there), ..step(run) })
}

fn first_look(target: &Target) -> Result<Step<'_>, Stop> {
    target.answer("C_CreateObject", target.raw.create(target.session(), values(true)))?;
    target.need("C_Finalize", ck!(target.raw, C_Finalize, null_mut()))?;
    target.need("C_Initialize", ck!(target.raw, C_Initialize, null_mut()))?;
    target.find_slot();
    target.begin_again()?;
    let session = target.session();
    Ok(step(move || ck!(target.raw, C_FindObjectsInit, session, null_mut(), 0)))
}

fn wrong_pin(target: &Target) -> Result<Step<'_>, Stop> {
    let session = target.session();
    target.need("C_Logout", ck!(target.raw, C_Logout, session))?;
    let run = move || {
        let (pin, length) = input(b"wrong PIN");
        ck!(target.raw, C_Login, session, CKU_USER, pin, length)
    };
    Ok(Step { expected: &[CKR_PIN_INCORRECT], ..step(run) })
}
