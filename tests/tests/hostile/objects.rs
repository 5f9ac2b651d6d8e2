//! Cases about attributes and objects. Items 4.2.12 and 4.3.1 to 4.3.11.
//!
//! Rule source: PKCS#11 3.2, 4 (objects and their attributes), 5.7 (object management).

use crate::calls::{Call, wrap};
use crate::cases::Cases;
use crate::target::{Done, Stop, Target, read, read_bytes};
use perilune_tests::ck::*;
use perilune_tests::hand::P256;
use perilune_tests::raw::plain;
use perilune_tests::{Template, ck};
use std::ptr::null_mut;

pub fn cases(cases: &mut Cases) {
    cases.add_remote("4.2.12", "no room, no search, no end", search_edges);
    cases.add_remote("4.2.12", "an object destroyed while it is searched", destroyed_in_search);
    cases.add("4.2.12", "an object that another process made and destroyed", other_process);
    cases.add_remote("4.3.1", "four answers in one template", mixed);
    cases.add_remote("4.3.1", "too little room is not written to", little_room);
    for (name, make, secrets) in KEYS {
        cases.add_remote("4.3.2", name, move |target| secrets_stay(target, make, secrets));
    }
    for (name, attribute) in [
        ("CKA_LOCAL", CKA_LOCAL),
        ("CKA_KEY_GEN_MECHANISM", CKA_KEY_GEN_MECHANISM),
        ("CKA_ALWAYS_SENSITIVE", CKA_ALWAYS_SENSITIVE),
        ("CKA_NEVER_EXTRACTABLE", CKA_NEVER_EXTRACTABLE),
        ("CKA_UNIQUE_ID", CKA_UNIQUE_ID),
    ] {
        cases.add_remote("4.3.3", format!("{name} is said by the caller"), move |target| origin(target, attribute));
    }
    cases.add_remote("4.3.3", "marks of copied, unwrapped and created keys", marks);
    cases.add_remote("4.3.4", "not modifiable, not copyable, not destroyable", locked);
    cases.add_remote("4.3.4", "a change is made whole or not", whole);
    cases.add_remote("4.3.4", "a copy that is less private", less_private);
    for name in ["C_CreateObject", "C_GenerateKey", "C_GenerateKeyPair", "C_UnwrapKey", "C_DeriveKey"] {
        cases.add_remote("4.3.5", name, move |target| private_in_public(target, name));
    }
    cases.add_remote("4.3.6", "token objects in a read-only session", read_only);
    cases.add_remote("4.3.6", "session objects end with their session", end_with_session);
    cases.add_remote("4.3.7", "the usages of a key pair", pair_usages);
    cases.add_remote("4.3.8", "curves that are none", curves);
    cases.add_remote("4.3.8", "points that are none", points);
    cases.add("4.3.9", "destroyed here is destroyed everywhere", destroyed);
    cases.add_remote("4.3.10", "IDs: empty, twice, long; a check value", ids);
    cases.add_remote("4.3.11", "sizes and counters", counters);
}

fn find(target: &Target, template: &Template) -> Vec<CK_OBJECT_HANDLE> {
    target.raw.find(target.session(), template.clone(), 100)
}

fn data(label: &str) -> Template {
    Template::new().number(CKA_CLASS, CKO_DATA).text(CKA_LABEL, label)
}

fn create(target: &Target, template: Template) -> Result<CK_OBJECT_HANDLE, Stop> {
    target.answer("C_CreateObject", target.raw.create(target.session(), template))
}

fn search_edges(target: &Target) -> Done {
    let (session, mut count) = (target.session(), 7);
    let none = [CKR_OPERATION_NOT_INITIALIZED];
    create(target, data("one"))?;
    target.expect("C_FindObjectsFinal without a search", ck!(target.raw, C_FindObjectsFinal, session), &none);
    let mut found = vec![0; 4];
    let next = |found: &mut Vec<CK_OBJECT_HANDLE>, room, count: &mut CK_ULONG| {
        ck!(target.raw, C_FindObjects, session, found.as_mut_ptr(), room, count)
    };
    target.expect("C_FindObjects without a search", next(&mut found, 4, &mut count), &none);
    let (list, entries) = target.list(&data("one"));
    target.need("C_FindObjectsInit", ck!(target.raw, C_FindObjectsInit, session, list, entries as CK_ULONG))?;
    let again = ck!(target.raw, C_FindObjectsInit, session, list, entries as CK_ULONG);
    target.expect("a second search", again, &[CKR_OPERATION_ACTIVE]);
    // With room for nothing nothing is found, and nothing is lost.
    let code = next(&mut found, 0, &mut count);
    target.expect("room for nothing", code, &[CKR_OK, CKR_ARGUMENTS_BAD]);
    target.effect("something was found with room for nothing", code != CKR_OK || (count == 0 && found == [0; 4]));
    target.expect("the search goes on", next(&mut found, 1, &mut count), &[CKR_OK]);
    target.effect(&format!("{count} objects with room for one"), count == 1 && found[1] == 0);
    target.expect("after the last", next(&mut found, 4, &mut count), &[CKR_OK]);
    target.effect("there is one more after the last", count == 0);
    target.expect("the end", ck!(target.raw, C_FindObjectsFinal, session), &[CKR_OK]);
    target.expect("the end again", ck!(target.raw, C_FindObjectsFinal, session), &none);
    Ok(())
}

fn destroyed_in_search(target: &Target) -> Done {
    let session = target.session();
    let objects = [create(target, data("many"))?, create(target, data("many"))?, create(target, data("many"))?];
    let (list, entries) = target.list(&data("many"));
    target.need("C_FindObjectsInit", ck!(target.raw, C_FindObjectsInit, session, list, entries as CK_ULONG))?;
    for object in objects {
        target.expect("C_DestroyObject", ck!(target.raw, C_DestroyObject, session, object), &[CKR_OK]);
    }
    create(target, data("many"))?;
    let (mut found, mut count) = (vec![0; 10], 0);
    let code = ck!(target.raw, C_FindObjects, session, found.as_mut_ptr(), 10, &mut count);
    target.expect("C_FindObjects", code, &[CKR_OK]);
    target.expect("C_FindObjectsFinal", ck!(target.raw, C_FindObjectsFinal, session), &[CKR_OK]);
    for handle in &found[..count as usize] {
        let told = target.raw.attribute(session, *handle, CKA_LABEL);
        let right = told == Ok(b"many".to_vec()) || told == Err(CKR_OBJECT_HANDLE_INVALID);
        target.effect(&format!("a handle that was found answers {told:x?}"), right);
    }
    Ok(())
}

/// What another process makes is found at the next search, and what it destroys is gone at the next use.
fn other_process(target: &Target) -> Done {
    let shared = data("shared").flag(CKA_TOKEN, true);
    match target.role.as_str() {
        "makes" => return create(target, shared).map(|_| ()),
        "destroys" => {
            for object in find(target, &shared) {
                target.need("C_DestroyObject", ck!(target.raw, C_DestroyObject, target.session(), object))?;
            }
            return Ok(());
        }
        _ => {}
    }
    target.effect("it is there before it is made", find(target, &shared).is_empty());
    target.elsewhere("makes")?;
    let found = find(target, &shared);
    target.effect(&format!("{} objects of another process are found", found.len()), found.len() == 1);
    target.elsewhere("destroys")?;
    target.effect("it is found after its end", find(target, &shared).is_empty());
    for object in found {
        let told = target.raw.attribute(target.session(), object, CKA_LABEL);
        target.expect("its handle", told.err().unwrap_or(CKR_OK), &[CKR_OBJECT_HANDLE_INVALID]);
    }
    Ok(())
}

/// A sensitive value, one that is not there, too little room, and two right ones: each has its own answer.
fn mixed(target: &Target) -> Done {
    let session = target.session();
    let template = Template::new().number(CKA_VALUE_LEN, 32).flag(CKA_SENSITIVE, true).text(CKA_LABEL, "a label");
    let key = target.generate(CKM_AES_KEY_GEN, &template)?;
    let room = |bytes: usize| target.bytes(&vec![0xA5; bytes]);
    let entry = |type_, place: *mut u8, bytes: usize| CK_ATTRIBUTE {
        type_,
        pValue: place.cast(),
        ulValueLen: bytes as CK_ULONG,
    };
    let (class, value, label, modulus, length) = (room(8), room(32), room(3), room(8), room(8));
    let list = [
        entry(CKA_CLASS, class, 8),
        entry(CKA_VALUE, value, 32),
        entry(CKA_LABEL, label, 3),
        entry(CKA_MODULUS, modulus, 8),
        entry(CKA_VALUE_LEN, length, 8),
        entry(CKA_KEY_TYPE, null_mut(), 99),
    ];
    let place = target.value(list);
    let code = ck!(target.raw, C_GetAttributeValue, session, key, place.cast(), 6);
    let allowed = [CKR_ATTRIBUTE_SENSITIVE, CKR_ATTRIBUTE_TYPE_INVALID, CKR_BUFFER_TOO_SMALL];
    target.expect("C_GetAttributeValue", code, &allowed);
    let told = read(place).map(|entry| entry.ulValueLen);
    let none = CK_UNAVAILABLE_INFORMATION;
    target.effect(
        &format!("the lengths told are {told:x?}"),
        [told[0], told[1], told[3], told[4], told[5]] == [8, none, none, 8, 8],
    );
    target.effect(&format!("too little room is told as {:x}", told[2]), told[2] == none || told[2] == 7);
    target.effect("a value after an error is not told", read_bytes(length, 1) == [32]);
    let untouched = [(value, 32), (label, 3), (modulus, 8)];
    let clean = untouched.iter().all(|(place, bytes)| read_bytes(*place, *bytes).iter().all(|byte| *byte == 0xA5));
    target.effect("a place of an answer that was refused is written to", clean);
    Ok(())
}

fn little_room(target: &Target) -> Done {
    let (session, key) = (target.session(), target.aes()?);
    for (kind, bytes) in [(CKA_VALUE, 32), (CKA_CLASS, 8), (CKA_TOKEN, 1)] {
        for small in [0, bytes / 2, bytes - 1] {
            let place = target.bytes(&vec![0xA5; small]);
            let list = target.value(CK_ATTRIBUTE { type_: kind, pValue: place.cast(), ulValueLen: small as CK_ULONG });
            let code = ck!(target.raw, C_GetAttributeValue, session, key, list, 1);
            target.expect(&format!("{small} bytes for {bytes}"), code, &[CKR_BUFFER_TOO_SMALL]);
            let clean = read_bytes(place, small).iter().all(|byte| *byte == 0xA5);
            target.effect(&format!("{small} bytes for {bytes} were written to"), clean);
        }
        let place = target.bytes(&[0xA5; 100]);
        let list = target.value(CK_ATTRIBUTE { type_: kind, pValue: place.cast(), ulValueLen: 100 });
        target.expect("more room", ck!(target.raw, C_GetAttributeValue, session, key, list, 1), &[CKR_OK]);
        target.effect("another length", read(list).ulValueLen as usize == bytes);
    }
    Ok(())
}

type Make = fn(&Target) -> Result<CK_OBJECT_HANDLE, Stop>;

/// Keys, and which of their attributes never leave a sensitive one.
const KEYS: [(&str, Make, &[CK_ATTRIBUTE_TYPE]); 7] = [
    ("AES", |target| target.generate(CKM_AES_KEY_GEN, &sensitive().number(CKA_VALUE_LEN, 32)), &[CKA_VALUE]),
    (
        "a generic secret",
        |target| target.generate(CKM_GENERIC_SECRET_KEY_GEN, &sensitive().number(CKA_VALUE_LEN, 32)),
        &[CKA_VALUE],
    ),
    (
        "RSA",
        |target| {
            let public = Template::new().number(CKA_MODULUS_BITS, 2048).bytes(CKA_PUBLIC_EXPONENT, &[1, 0, 1]);
            Ok(target.pair(CKM_RSA_PKCS_KEY_PAIR_GEN, public, sensitive())?.1)
        },
        &[CKA_PRIVATE_EXPONENT, CKA_PRIME_1, CKA_PRIME_2, CKA_EXPONENT_1, CKA_EXPONENT_2, CKA_COEFFICIENT],
    ),
    ("EC", |target| Ok(target.pair(CKM_EC_KEY_PAIR_GEN, p256(), sensitive())?.1), &[CKA_VALUE]),
    (
        "Ed25519",
        |target| {
            let public = Template::new().bytes(CKA_EC_PARAMS, &[0x06, 0x03, 0x2B, 0x65, 0x70]);
            Ok(target.pair(CKM_EC_EDWARDS_KEY_PAIR_GEN, public, sensitive())?.1)
        },
        &[CKA_VALUE],
    ),
    (
        "ML-DSA",
        |target| {
            let public = Template::new().number(CKA_PARAMETER_SET, CKP_ML_DSA_44);
            Ok(target.pair(CKM_ML_DSA_KEY_PAIR_GEN, public, sensitive())?.1)
        },
        &[CKA_VALUE, CKA_SEED],
    ),
    (
        "ML-KEM",
        |target| {
            let public = Template::new().number(CKA_PARAMETER_SET, CKP_ML_KEM_512);
            Ok(target.pair(CKM_ML_KEM_KEY_PAIR_GEN, public, sensitive())?.1)
        },
        &[CKA_VALUE, CKA_SEED],
    ),
];

fn sensitive() -> Template {
    Template::new().flag(CKA_SENSITIVE, true).flag(CKA_EXTRACTABLE, false)
}

fn p256() -> Template {
    Template::new().bytes(CKA_EC_PARAMS, P256)
}

/// Whichever attribute is asked, alone or among others: no byte of it, and no search finds by it.
fn secrets_stay(target: &Target, make: Make, secrets: &[CK_ATTRIBUTE_TYPE]) -> Done {
    let key = make(target)?;
    let session = target.session();
    for kind in secrets {
        for bytes in [4096, 0] {
            let place = target.bytes(&vec![0xA5; bytes]);
            let list = target.value(CK_ATTRIBUTE { type_: *kind, pValue: place.cast(), ulValueLen: bytes as CK_ULONG });
            let code = ck!(target.raw, C_GetAttributeValue, session, key, list, 1);
            target.expect(
                &format!("the attribute {kind:#x}"),
                code,
                &[CKR_ATTRIBUTE_SENSITIVE, CKR_ATTRIBUTE_TYPE_INVALID],
            );
            target.effect("its length is told", read(list).ulValueLen == CK_UNAVAILABLE_INFORMATION);
            target.effect("bytes of it are told", read_bytes(place, bytes).iter().all(|byte| *byte == 0xA5));
        }
        // A search by the value would tell, byte by byte, what it is.
        let empty = Template::new().bytes(*kind, &[]);
        target.effect("found by an empty value", !find(target, &empty).contains(&key));
    }
    let all: Vec<_> =
        secrets.iter().map(|kind| CK_ATTRIBUTE { type_: *kind, pValue: null_mut(), ulValueLen: 0 }).collect();
    let mut all = all;
    let code = ck!(target.raw, C_GetAttributeValue, session, key, all.as_mut_ptr(), all.len() as CK_ULONG);
    target.refused("all at once", code);
    Ok(())
}

fn origin(target: &Target, attribute: CK_ATTRIBUTE_TYPE) -> Done {
    let session = target.session();
    let value = if attribute == CKA_KEY_GEN_MECHANISM { CKM_AES_KEY_GEN.to_ne_bytes().to_vec() } else { vec![CK_TRUE] };
    let allowed = [CKR_ATTRIBUTE_READ_ONLY, CKR_TEMPLATE_INCONSISTENT, CKR_ATTRIBUTE_TYPE_INVALID];
    let key = target.aes()?;
    let set = target.raw.set(session, key, Template::new().bytes(attribute, &value));
    target.expect("C_SetAttributeValue", set.err().unwrap_or(CKR_OK), &allowed);
    let copy = target.raw.copy(session, key, Template::new().bytes(attribute, &value));
    target.expect("C_CopyObject", copy.err().unwrap_or(CKR_OK), &allowed);
    let imported = crate::calls::aes_template().bytes(CKA_VALUE, &[7; 32]);
    create(target, imported.clone())?;
    let made = target.raw.create(session, imported.bytes(attribute, &value));
    target.expect("C_CreateObject", made.err().unwrap_or(CKR_OK), &allowed);
    Ok(())
}

fn marks(target: &Target) -> Done {
    let session = target.session();
    let marks = |key: CK_OBJECT_HANDLE| {
        [CKA_LOCAL, CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE].map(|kind| target.raw.flag(session, key, kind))
    };
    let born = target.generate(CKM_AES_KEY_GEN, &sensitive().number(CKA_VALUE_LEN, 32))?;
    target.effect("a generated key is not local, sensitive and unextractable for ever", marks(born) == [true; 3]);
    let open = target.new_aes()?;
    target.effect("an open key has marks", marks(open) == [true, false, false]);
    let imported = create(target, crate::calls::aes_template().bytes(CKA_VALUE, &[7; 32]).flag(CKA_SENSITIVE, true));
    let imported = match imported {
        // CKA_SENSITIVE stands twice in that template.
        Err(_) => create(target, import().flag(CKA_SENSITIVE, true).flag(CKA_EXTRACTABLE, false))?,
        Ok(key) => key,
    };
    target.effect("an imported key has marks", marks(imported) == [false; 3]);
    let copy = target.raw.copy(session, open, Template::new().flag(CKA_SENSITIVE, true).flag(CKA_EXTRACTABLE, false));
    let copy = target.answer("C_CopyObject", copy)?;
    target.effect("a hardened copy says that it was always so", marks(copy)[1..] == [false, false]);
    let change = Template::new().flag(CKA_SENSITIVE, true).flag(CKA_EXTRACTABLE, false);
    target.answer("C_SetAttributeValue", target.raw.set(session, open, change))?;
    target.effect("a hardened key says that it was always so", marks(open)[1..] == [false, false]);
    for (kind, value) in [(CKA_SENSITIVE, false), (CKA_EXTRACTABLE, true)] {
        let code = target.raw.set(session, open, Template::new().flag(kind, value)).err().unwrap_or(CKR_OK);
        target.expect(&format!("{kind:#x} is taken back"), code, &[CKR_ATTRIBUTE_READ_ONLY, CKR_TEMPLATE_INCONSISTENT]);
    }
    Ok(())
}

fn import() -> Template {
    Template::new().number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, CKK_AES).bytes(CKA_VALUE, &[7; 32])
}

fn locked(target: &Target) -> Done {
    let session = target.session();
    let object = create(target, data("locked").flag(CKA_MODIFIABLE, false))?;
    let set = target.raw.set(session, object, Template::new().text(CKA_LABEL, "changed"));
    target.expect("a change", set.err().unwrap_or(CKR_OK), &[CKR_ACTION_PROHIBITED, CKR_ATTRIBUTE_READ_ONLY]);
    target.effect("it is changed", find(target, &data("locked")) == [object]);
    let object = create(target, data("single").flag(CKA_COPYABLE, false))?;
    let copy = target.raw.copy(session, object, Template::new());
    target.expect("a copy", copy.err().unwrap_or(CKR_OK), &[CKR_ACTION_PROHIBITED]);
    target.effect("it is copied", find(target, &data("single")) == [object]);
    let object = create(target, data("lasting").flag(CKA_DESTROYABLE, false))?;
    target.expect("the end", ck!(target.raw, C_DestroyObject, session, object), &[CKR_ACTION_PROHIBITED]);
    target.effect("it is destroyed", find(target, &data("lasting")) == [object]);
    for kind in [CKA_COPYABLE, CKA_DESTROYABLE] {
        let object = create(target, data("latch").flag(kind, false))?;
        let set = target.raw.set(session, object, Template::new().flag(kind, true));
        if kind == CKA_COPYABLE {
            target.refused("CKA_COPYABLE is set to true again", set.err().unwrap_or(CKR_OK));
        }
    }
    Ok(())
}

fn whole(target: &Target) -> Done {
    let (session, key) = (
        target.session(),
        target.generate(CKM_AES_KEY_GEN, &Template::new().number(CKA_VALUE_LEN, 32).text(CKA_LABEL, "old"))?,
    );
    for bad in [
        Template::new().bytes(CKA_VALUE, &[1; 32]),
        Template::new().number(CKA_CLASS, CKO_DATA),
        Template::new().flag(CKA_LOCAL, false),
        Template::new().bytes(CKA_ENCRYPT, &[1, 1]),
        Template::new().bytes(CKA_MODULUS, &[1]),
    ] {
        for change in [Template::new().text(CKA_LABEL, "new").and(&bad), bad.clone().text(CKA_LABEL, "new")] {
            let code = target.raw.set(session, key, change.clone()).err().unwrap_or(CKR_OK);
            target.refused(&format!("{change:x?}"), code);
            let label = target.raw.attribute(session, key, CKA_LABEL);
            target.effect("half of a change was made", label == Ok(b"old".to_vec()));
        }
    }
    Ok(())
}

fn less_private(target: &Target) -> Done {
    let session = target.session();
    let object = create(target, data("private").flag(CKA_PRIVATE, true))?;
    let copy = target.raw.copy(session, object, Template::new().flag(CKA_PRIVATE, false));
    target.refused("a private object is copied to a public one", copy.err().unwrap_or(CKR_OK));
    let set = target.raw.set(session, object, Template::new().flag(CKA_PRIVATE, false));
    target.refused("a private object is made public", set.err().unwrap_or(CKR_OK));
    Ok(())
}

/// Without a user nothing private comes into being, in whatever way.
fn private_in_public(target: &Target, name: &'static str) -> Done {
    let index = match name {
        "C_CreateObject" => 1,
        "C_GenerateKey" => 2,
        "C_GenerateKeyPair" => 4,
        "C_UnwrapKey" => 5,
        _ => 3,
    };
    Call::new(target, name)?.control()?;
    target.begin_again()?;
    let public_key =
        import().flag(CKA_PRIVATE, false).flag(CKA_UNWRAP, true).flag(CKA_WRAP, true).flag(CKA_DERIVE, true);
    let wrapping = create(target, public_key)?;
    let blob = wrap(target, wrapping, target.aes()?)?;
    let call = Call::new(target, name)?;
    target.need("C_Logout", ck!(target.raw, C_Logout, target.session()))?;
    let template = match name {
        "C_CreateObject" => data("private"),
        "C_GenerateKey" => Template::new().number(CKA_VALUE_LEN, 32),
        "C_GenerateKeyPair" => Template::new(),
        _ => Template::new().number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, CKK_AES),
    };
    let (list, count) = target.list(&template.flag(CKA_PRIVATE, true));
    let call = call.with(index, list as usize).with(index + 1, count);
    let code = match name {
        "C_UnwrapKey" => {
            let (data, bytes) = (target.bytes(&blob), blob.len());
            call.with(2, wrapping as usize).with(3, data as usize).with(4, bytes).run()
        }
        "C_DeriveKey" => {
            let parameter = CK_KEY_DERIVATION_STRING_DATA { pData: target.bytes(&[3; 32]), ulLen: 32 };
            let mechanism = target.with(CKM_AES_ECB_ENCRYPT_DATA, parameter);
            call.with(1, mechanism as usize).with(2, wrapping as usize).run()
        }
        _ => call.run(),
    };
    if code == CKR_MECHANISM_INVALID {
        return Err(Stop::Absent(name.into()));
    }
    target.expect(&format!("{name} with CKA_PRIVATE"), code, &[CKR_USER_NOT_LOGGED_IN]);
    target.become_user()
}

fn read_only(target: &Target) -> Done {
    let there = create(target, data("there").flag(CKA_TOKEN, true))?;
    let session = target.answer("C_OpenSession", target.raw.open(target.slot.get(), CKF_SERIAL_SESSION))?;
    let refused = |what: &str, code: CK_RV| target.expect(what, code, &[CKR_SESSION_READ_ONLY]);
    let made = target.raw.create(session, data("new").flag(CKA_TOKEN, true));
    refused("C_CreateObject", made.err().unwrap_or(CKR_OK));
    let template = Template::new().number(CKA_VALUE_LEN, 32).flag(CKA_TOKEN, true);
    refused("C_GenerateKey", target.raw.generate(session, plain(CKM_AES_KEY_GEN), template).err().unwrap_or(CKR_OK));
    let copied = target.raw.copy(session, there, Template::new().text(CKA_LABEL, "copy"));
    refused("C_CopyObject", copied.err().unwrap_or(CKR_OK));
    refused(
        "C_SetAttributeValue",
        target.raw.set(session, there, Template::new().text(CKA_LABEL, "x")).err().unwrap_or(CKR_OK),
    );
    refused("C_DestroyObject", ck!(target.raw, C_DestroyObject, session, there));
    target.effect("the object is gone or another one", find(target, &data("there")) == [there]);
    let own = target.raw.create(session, data("own"));
    target.effect("a session object is refused in a read-only session", own.is_ok());
    Ok(())
}

fn end_with_session(target: &Target) -> Done {
    let other = target.enter()?;
    let object = target.answer("C_CreateObject", target.raw.create(other, data("short")))?;
    target.control("it is seen by another session", find(target, &data("short")) == [object])?;
    target.need("C_CloseSession", ck!(target.raw, C_CloseSession, other))?;
    target.effect("it is found after its session", find(target, &data("short")).is_empty());
    let told = target.raw.attribute(target.session(), object, CKA_LABEL);
    target.expect("its handle", told.err().unwrap_or(CKR_OK), &[CKR_OBJECT_HANDLE_INVALID]);
    let private = create(target, data("mine").flag(CKA_PRIVATE, true))?;
    target.need("C_Logout", ck!(target.raw, C_Logout, target.session()))?;
    target.effect("a private session object is found after C_Logout", find(target, &data("mine")).is_empty());
    target.become_user()?;
    let told = target.raw.attribute(target.session(), private, CKA_LABEL);
    target.expect(
        "a private session object after C_Logout",
        told.err().unwrap_or(CKR_OK),
        &[CKR_OBJECT_HANDLE_INVALID],
    );
    Ok(())
}

/// A key does not claim what its kind cannot do.
fn pair_usages(target: &Target) -> Done {
    let set = Template::new().number(CKA_PARAMETER_SET, CKP_ML_KEM_512);
    let (public, private) = target.pair(CKM_ML_KEM_KEY_PAIR_GEN, set, Template::new())?;
    for (key, kinds) in [(private, [CKA_DERIVE, CKA_SIGN, CKA_UNWRAP]), (public, [CKA_DERIVE, CKA_VERIFY, CKA_WRAP])] {
        for kind in kinds {
            let told = target.raw.attribute(target.session(), key, kind);
            target.effect(&format!("an ML-KEM key claims {kind:#x}"), told != Ok(vec![CK_TRUE]));
        }
        let told = target.raw.attribute(target.session(), key, CKA_PARAMETER_SET);
        target.effect("CKA_PARAMETER_SET is no CK_ULONG", told == Ok(CKP_ML_KEM_512.to_ne_bytes().to_vec()));
    }
    Ok(())
}

fn curves(target: &Target) -> Done {
    target.ec()?;
    let session = target.session();
    let explicit = [0x30, 0x09, 0x02, 0x01, 0x01, 0x30, 0x04, 0x02, 0x02, 0x01, 0x01];
    let deep = [0x30; 64];
    let unknown = [0x06, 0x03, 0x2A, 0x03, 0x04];
    let with_rest = [P256, &[0]].concat();
    let long_form = [&[0x06, 0x84, 0xFF, 0xFF, 0xFF, 0xFF][..], &P256[2..]].concat();
    for (what, curve) in [
        ("nothing", &[][..]),
        ("NULL of ASN.1", &[0x05, 0x00]),
        ("half of an OID", &P256[..5]),
        ("a byte behind the OID", &with_rest),
        ("an unknown OID", &unknown),
        ("a length of 4 GiB", &long_form),
        ("explicit parameters", &explicit),
        ("a sequence in a sequence", &deep),
        ("a name that is none", &[0x13, 0x04, b'x', b'y', b'z', b'!']),
        ("a name without end", &[0x13, 0x7F, b'P']),
    ] {
        target.at(what);
        let public = Template::new().bytes(CKA_EC_PARAMS, curve);
        let made = target.raw.generate_pair(session, plain(CKM_EC_KEY_PAIR_GEN), public, Template::new());
        target.refused(what, made.err().unwrap_or(CKR_OK));
    }
    Ok(())
}

/// Public keys that are no points of their curve, and agreement with such points.
fn points(target: &Target) -> Done {
    let session = target.session();
    let (public, private) = target.ec()?;
    let right = target.answer("CKA_EC_POINT", target.raw.attribute(session, public, CKA_EC_POINT))?;
    let template = |point: &[u8]| {
        Template::new()
            .number(CKA_CLASS, CKO_PUBLIC_KEY)
            .number(CKA_KEY_TYPE, CKK_EC)
            .bytes(CKA_EC_PARAMS, P256)
            .bytes(CKA_EC_POINT, point)
    };
    create(target, template(&right))?;
    let mut off = right.clone();
    off[66] ^= 1;
    let zero = [&[0x04, 0x41, 0x04][..], &[0; 64]].concat();
    let too_large = [&[0x04, 0x41, 0x04][..], &[0xFF; 64]].concat();
    for (what, point) in [
        ("a point beside the curve", &off[..]),
        ("a point of zeros", &zero),
        ("coordinates beyond the field", &too_large),
        ("the identity", &[0x04, 0x01, 0x00]),
        ("half of a point", &right[..40]),
        ("nothing", &[]),
    ] {
        target.at(what);
        let made = target.raw.create(session, template(point));
        // A module may take the object and refuse its use.
        let used = made.and_then(|key| target.raw.verify(session, plain(CKM_ECDSA), key, &[5; 32], &[1; 64]));
        target.refused(&format!("{what}, as a key"), used.err().unwrap_or(CKR_OK));
        for point in [point, point.get(2..).unwrap_or_default()] {
            let parameter = CK_ECDH1_DERIVE_PARAMS {
                kdf: CKD_NULL,
                ulSharedDataLen: 0,
                pSharedData: null_mut(),
                ulPublicDataLen: point.len() as CK_ULONG,
                pPublicData: target.bytes(point),
            };
            let call = Call::new(target, "C_DeriveKey")?.with(1, target.with(CKM_ECDH1_DERIVE, parameter) as usize);
            target.refused(&format!("{what}, in an agreement"), call.with(2, private as usize).run());
        }
    }
    Ok(())
}

/// When C_DestroyObject has come back, the object is gone in every session and process, and its number is not given again.
fn destroyed(target: &Target) -> Done {
    let lasting = data("lasting").flag(CKA_TOKEN, true);
    if target.role == "looks" {
        target.effect("another process still finds it", find(target, &lasting).is_empty());
        return Ok(());
    }
    let object = create(target, lasting.clone())?;
    let other = target.enter()?;
    target.control("another session sees it", target.raw.attribute(other, object, CKA_LABEL).is_ok())?;
    target.need("C_DestroyObject", ck!(target.raw, C_DestroyObject, target.session(), object))?;
    target.elsewhere("looks")?;
    for session in [target.session(), other] {
        let told = target.raw.attribute(session, object, CKA_LABEL).err().unwrap_or(CKR_OK);
        target.expect("its handle", told, &[CKR_OBJECT_HANDLE_INVALID]);
        let again = ck!(target.raw, C_DestroyObject, session, object);
        target.expect("its end again", again, &[CKR_OBJECT_HANDLE_INVALID]);
    }
    for _ in 0..20 {
        target.effect("its number is given again", create(target, data("next"))? != object);
    }
    Ok(())
}

fn ids(target: &Target) -> Done {
    let session = target.session();
    for id in [&b""[..], b"\0", &[7; 1000]] {
        let template = import().bytes(CKA_ID, id);
        let (one, two) = (create(target, template.clone())?, create(target, template.clone())?);
        target.effect("two objects are one", one != two);
        let told = target.raw.attribute(session, one, CKA_ID);
        target.effect(&format!("an ID of {} bytes is told otherwise", id.len()), told.as_deref() == Ok(id));
        if !id.is_empty() {
            let found = find(target, &Template::new().bytes(CKA_ID, id));
            target.effect(&format!("{} found by an ID of {} bytes", found.len(), id.len()), found.len() == 2);
        }
    }
    // Three bytes of the zero block under the key, which the standard lets a token compute and makes it check.
    let wrong = target.raw.create(session, import().bytes(CKA_CHECK_VALUE, &[1, 2, 3]));
    let code = wrong.err().unwrap_or(CKR_OK);
    let allowed =
        [CKR_ATTRIBUTE_VALUE_INVALID, CKR_TEMPLATE_INCONSISTENT, CKR_ATTRIBUTE_TYPE_INVALID, CKR_ATTRIBUTE_READ_ONLY];
    target.expect("a wrong check value", code, &allowed);
    Ok(())
}

fn counters(target: &Target) -> Done {
    let mut size = 0;
    let code = ck!(target.raw, C_GetObjectSize, target.session(), target.aes()?, &mut size);
    target.need("C_GetObjectSize", code)?;
    target.effect(&format!("the size is {size}"), size == CK_UNAVAILABLE_INFORMATION || (1..1 << 20).contains(&size));
    let info = target.answer("C_GetTokenInfo", target.raw.token_info(target.slot.get()))?;
    for (total, free) in
        [(info.ulTotalPublicMemory, info.ulFreePublicMemory), (info.ulTotalPrivateMemory, info.ulFreePrivateMemory)]
    {
        target.effect(&format!("{free} free of {total}"), total == CK_UNAVAILABLE_INFORMATION || free <= total);
    }
    for (now, most) in
        [(info.ulSessionCount, info.ulMaxSessionCount), (info.ulRwSessionCount, info.ulMaxRwSessionCount)]
    {
        let known = [now, most].iter().all(|one| *one != CK_UNAVAILABLE_INFORMATION);
        target.effect(&format!("{now} sessions of {most}"), !known || most == 0 || now <= most);
    }
    let unterminated = |text: &[u8]| !text.contains(&0) && std::str::from_utf8(text).is_ok();
    let texts = [&info.label[..], &info.manufacturerID, &info.model, &info.serialNumber];
    target.effect("a text is not padded with blanks", texts.iter().all(|text| unterminated(text)));
    Ok(())
}
