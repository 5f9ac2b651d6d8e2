//! Known attacks on the interface: each tries to read a sensitive key by calls that are right one by one. Items 4.5.1 to 4.5.3.
//!
//! An attack that comes to the key's value is a wrong effect; any refusal on the way is ok.
//! Clulow, "On the Security of PKCS #11" (2003); Bortolozzo, Centenaro, Focardi and Steel, "Attacking and Fixing PKCS#11 Security
//! Tokens" (2010); CVE-2015-5464.

use crate::calls::aes_template;
use crate::cases::Cases;
use crate::target::{Done, Stop, Target};
use perilune_tests::ck::*;
use perilune_tests::raw::{Answer, plain, sized, with_bytes};
use perilune_tests::{Template, ck};

/// The value that an attack read, or the refusal that stopped it.
type Attack = fn(&Target, CK_OBJECT_HANDLE) -> Answer<Vec<u8>>;

pub fn cases(cases: &mut Cases) {
    let attacks: [(&str, &str, Attack); 15] = [
        ("4.5.1", "a1: a key wraps, and decrypts what it wrapped", wrap_and_decrypt),
        ("4.5.1", "a1: an RSA pair wraps and decrypts", wrap_and_decrypt_rsa),
        ("4.5.1", "a1: a copy wraps, the original decrypts", copy_wraps),
        ("4.5.1", "a1: the usage is changed after wrapping", changed_usage),
        ("4.5.1", "a2: a key encrypts, and unwraps what it encrypted", encrypt_and_unwrap),
        ("4.5.1", "a3: a sensitive key is read", read),
        ("4.5.1", "a4: an unextractable key is wrapped or read", unextractable),
        ("4.5.1", "a5: the marks of a key are taken back", marks),
        ("4.5.1", "a5: a copy has other marks", marks_of_a_copy),
        ("4.5.2", "unwrapped without CKA_SENSITIVE", unwrapped_readable),
        ("4.5.2", "unwrapped as another kind of key", unwrapped_as_other),
        ("4.5.2", "wrapped by a public key that was brought along", brought_along),
        ("4.5.2", "a user says that a key is trusted", trusted),
        ("4.5.3", "derived by CKM_CONCATENATE_BASE_AND_DATA, and read", derived_readable),
        ("4.5.3", "taken byte by byte by CKM_EXTRACT_KEY_FROM_KEY", byte_by_byte),
    ];
    for (item, name, attack) in attacks {
        cases.add_remote(item, name, move |target| {
            let usages = [CKA_SENSITIVE, CKA_EXTRACTABLE, CKA_ENCRYPT, CKA_DERIVE];
            let victim = made(target, &usages)?;
            match attack(target, victim) {
                Ok(value) if is_value_of(target, victim, &value)? => target.effect("the sensitive key was read", false),
                Ok(_) | Err(_) => {}
            }
            target.control("the key works", encrypted(target, victim, &[7; 16]).is_ok())
        });
    }
    cases.add_remote("4.5.2", "a weak key wraps a strong one", weak_wraps_strong);
    cases.add_remote("4.5.3", "a never extractable key gives an extractable one", never_extractable);
}

/// A generated AES-256 key with these flags.
fn key(target: &Target, flags: &[CK_ATTRIBUTE_TYPE]) -> Answer<CK_OBJECT_HANDLE> {
    let all = [CKA_SENSITIVE, CKA_EXTRACTABLE, CKA_ENCRYPT, CKA_DECRYPT, CKA_WRAP, CKA_UNWRAP, CKA_DERIVE];
    let template = Template::new().number(CKA_VALUE_LEN, 32);
    let template = all.iter().fold(template, |template, flag| template.flag(*flag, flags.contains(flag)));
    target.raw.generate(target.session(), plain(CKM_AES_KEY_GEN), template)
}

fn made(target: &Target, flags: &[CK_ATTRIBUTE_TYPE]) -> Result<CK_OBJECT_HANDLE, Stop> {
    target.answer("C_GenerateKey", key(target, flags))
}

fn encrypted(target: &Target, key: CK_OBJECT_HANDLE, data: &[u8]) -> Answer<Vec<u8>> {
    target.raw.encrypt(target.session(), plain(CKM_AES_ECB), key, data)
}

fn decrypted(target: &Target, key: CK_OBJECT_HANDLE, data: &[u8]) -> Answer<Vec<u8>> {
    target.raw.decrypt(target.session(), plain(CKM_AES_ECB), key, data)
}

/// An AES key of a known value that may do everything but wrap.
fn known(target: &Target, value: &[u8]) -> Answer<CK_OBJECT_HANDLE> {
    let template = aes_template().bytes(CKA_VALUE, value).flag(CKA_ENCRYPT, true).flag(CKA_DECRYPT, true);
    target.raw.create(target.session(), template)
}

/// Whether a key with this value encrypts as the victim does.
fn is_value_of(target: &Target, victim: CK_OBJECT_HANDLE, value: &[u8]) -> Result<bool, Stop> {
    let right = target.answer("C_Encrypt", encrypted(target, victim, &[7; 16]))?;
    Ok(known(target, value).and_then(|key| encrypted(target, key, &[7; 16])) == Ok(right))
}

fn wrapped(
    target: &Target,
    mechanism: CK_MECHANISM,
    wrapping: CK_OBJECT_HANDLE,
    key: CK_OBJECT_HANDLE,
) -> Answer<Vec<u8>> {
    let (mut mechanism, session) = (Box::new(mechanism), target.session());
    sized(|out, room| ck!(target.raw, C_WrapKey, session, &mut *mechanism, wrapping, key, out, room))
}

fn unwrapped(target: &Target, key: CK_OBJECT_HANDLE, blob: &[u8], template: &Template) -> Answer<CK_OBJECT_HANDLE> {
    let (list, count) = target.list(template);
    let mut made = 0;
    let (mechanism, data) = (target.plain(CKM_AES_KEY_WRAP), target.bytes(blob));
    let (bytes, count) = (blob.len() as CK_ULONG, count as CK_ULONG);
    let code = ck!(target.raw, C_UnwrapKey, target.session(), mechanism, key, data, bytes, list, count, &mut made);
    perilune_tests::raw::answer(code).map(|()| made)
}

/// RFC 3394 with single blocks of AES-ECB: unwrapping by decryption.
fn unwrap_by_blocks(target: &Target, key: CK_OBJECT_HANDLE, blob: &[u8]) -> Answer<Vec<u8>> {
    let blocks = blob.len() / 8 - 1;
    let (mut first, mut rest) = (blob[..8].to_vec(), blob[8..].to_vec());
    for step in (1..=6 * blocks).rev() {
        let index = (step - 1) % blocks * 8;
        xor(&mut first, step as u64);
        let opened = decrypted(target, key, &[&first[..], &rest[index..index + 8]].concat())?;
        first = opened[..8].to_vec();
        rest[index..index + 8].copy_from_slice(&opened[8..16]);
    }
    Ok(rest)
}

/// The other direction: a blob that unwraps to this value.
fn wrap_by_blocks(target: &Target, key: CK_OBJECT_HANDLE, value: &[u8]) -> Answer<Vec<u8>> {
    let blocks = value.len() / 8;
    let (mut first, mut rest) = (vec![0xA6; 8], value.to_vec());
    for step in 1..=6 * blocks {
        let index = (step - 1) % blocks * 8;
        let sealed = encrypted(target, key, &[&first[..], &rest[index..index + 8]].concat())?;
        first = sealed[..8].to_vec();
        xor(&mut first, step as u64);
        rest[index..index + 8].copy_from_slice(&sealed[8..16]);
    }
    Ok([first, rest].concat())
}

fn xor(first: &mut [u8], step: u64) {
    first.iter_mut().zip(step.to_be_bytes()).for_each(|(byte, other)| *byte ^= other);
}

fn wrap_and_decrypt(target: &Target, victim: CK_OBJECT_HANDLE) -> Answer<Vec<u8>> {
    let both = key(target, &[CKA_WRAP, CKA_DECRYPT])?;
    let blob = wrapped(target, plain(CKM_AES_KEY_WRAP), both, victim)?;
    unwrap_by_blocks(target, both, &blob)
}

fn wrap_and_decrypt_rsa(target: &Target, victim: CK_OBJECT_HANDLE) -> Answer<Vec<u8>> {
    let (public, private) = target.rsa().map_err(|_| CKR_MECHANISM_INVALID)?;
    let blob = wrapped(target, plain(CKM_RSA_PKCS), public, victim)?;
    target.raw.decrypt(target.session(), plain(CKM_RSA_PKCS), private, &blob)
}

fn copy_wraps(target: &Target, victim: CK_OBJECT_HANDLE) -> Answer<Vec<u8>> {
    let session = target.session();
    let original = key(target, &[CKA_DECRYPT])?;
    let copy = target.raw.copy(session, original, Template::new().flag(CKA_DECRYPT, false).flag(CKA_WRAP, true))?;
    let blob = wrapped(target, plain(CKM_AES_KEY_WRAP), copy, victim)?;
    unwrap_by_blocks(target, original, &blob)
}

fn changed_usage(target: &Target, victim: CK_OBJECT_HANDLE) -> Answer<Vec<u8>> {
    let wrapping = key(target, &[CKA_WRAP])?;
    let blob = wrapped(target, plain(CKM_AES_KEY_WRAP), wrapping, victim)?;
    let change = Template::new().flag(CKA_WRAP, false).flag(CKA_DECRYPT, true);
    target.raw.set(target.session(), wrapping, change)?;
    unwrap_by_blocks(target, wrapping, &blob)
}

fn encrypt_and_unwrap(target: &Target, victim: CK_OBJECT_HANDLE) -> Answer<Vec<u8>> {
    let both = key(target, &[CKA_ENCRYPT, CKA_UNWRAP])?;
    let blob = wrap_by_blocks(target, both, &[0x57; 32])?;
    let ours = unwrapped(target, both, &blob, &aes_template().flag(CKA_WRAP, true))?;
    let blob = wrapped(target, plain(CKM_AES_KEY_WRAP), ours, victim)?;
    unwrap_by_blocks(target, known(target, &[0x57; 32])?, &blob)
}

fn read(target: &Target, victim: CK_OBJECT_HANDLE) -> Answer<Vec<u8>> {
    target.raw.attribute(target.session(), victim, CKA_VALUE)
}

fn unextractable(target: &Target, _victim: CK_OBJECT_HANDLE) -> Answer<Vec<u8>> {
    let locked = key(target, &[CKA_ENCRYPT])?;
    if let Ok(value) = read(target, locked)
        && is_value_of(target, locked, &value).unwrap_or(false)
    {
        target.effect("an unextractable key was read", false);
    }
    let blob = wrapped(target, plain(CKM_AES_KEY_WRAP), key(target, &[CKA_WRAP])?, locked);
    target.expect("wrapping", blob.err().unwrap_or(CKR_OK), &[CKR_KEY_UNEXTRACTABLE, CKR_KEY_NOT_WRAPPABLE]);
    Err(CKR_KEY_UNEXTRACTABLE)
}

fn marks(target: &Target, victim: CK_OBJECT_HANDLE) -> Answer<Vec<u8>> {
    let session = target.session();
    let locked = key(target, &[CKA_ENCRYPT, CKA_SENSITIVE])?;
    let extractable = target.raw.set(session, locked, Template::new().flag(CKA_EXTRACTABLE, true));
    target.refused("CKA_EXTRACTABLE is set to true", extractable.err().unwrap_or(CKR_OK));
    target.raw.set(session, victim, Template::new().flag(CKA_SENSITIVE, false))?;
    read(target, victim)
}

fn marks_of_a_copy(target: &Target, victim: CK_OBJECT_HANDLE) -> Answer<Vec<u8>> {
    let session = target.session();
    let locked = key(target, &[CKA_ENCRYPT, CKA_SENSITIVE])?;
    let extractable = target.raw.copy(session, locked, Template::new().flag(CKA_EXTRACTABLE, true));
    target.refused("a copy with CKA_EXTRACTABLE true", extractable.err().unwrap_or(CKR_OK));
    let copy = target.raw.copy(session, victim, Template::new().flag(CKA_SENSITIVE, false))?;
    read(target, copy)
}

fn unwrapped_readable(target: &Target, victim: CK_OBJECT_HANDLE) -> Answer<Vec<u8>> {
    let both = key(target, &[CKA_WRAP, CKA_UNWRAP])?;
    let blob = wrapped(target, plain(CKM_AES_KEY_WRAP), both, victim)?;
    read(target, unwrapped(target, both, &blob, &aes_template())?)
}

fn unwrapped_as_other(target: &Target, victim: CK_OBJECT_HANDLE) -> Answer<Vec<u8>> {
    let both = key(target, &[CKA_WRAP, CKA_UNWRAP])?;
    let blob = wrapped(target, plain(CKM_AES_KEY_WRAP), both, victim)?;
    let template = Template::new().number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, CKK_GENERIC_SECRET);
    let template = template.flag(CKA_SENSITIVE, false).flag(CKA_EXTRACTABLE, true);
    read(target, unwrapped(target, both, &blob, &template)?)
}

fn brought_along(target: &Target, victim: CK_OBJECT_HANDLE) -> Answer<Vec<u8>> {
    let session = target.session();
    let (public, private) = target.rsa().map_err(|_| CKR_MECHANISM_INVALID)?;
    let modulus = target.raw.attribute(session, public, CKA_MODULUS)?;
    let ours = Template::new()
        .number(CKA_CLASS, CKO_PUBLIC_KEY)
        .number(CKA_KEY_TYPE, CKK_RSA)
        .bytes(CKA_MODULUS, &modulus)
        .bytes(CKA_PUBLIC_EXPONENT, &[1, 0, 1])
        .flag(CKA_WRAP, true);
    let ours = target.raw.create(session, ours)?;
    let blob = wrapped(target, plain(CKM_RSA_PKCS), ours, victim)?;
    target.raw.decrypt(session, plain(CKM_RSA_PKCS), private, &blob)
}

/// Only the Security Officer may say so; with the mark a key would wrap what asks for a trusted one.
fn trusted(target: &Target, _victim: CK_OBJECT_HANDLE) -> Answer<Vec<u8>> {
    let session = target.session();
    let wrapping = key(target, &[CKA_WRAP])?;
    let set = target.raw.set(session, wrapping, Template::new().flag(CKA_TRUSTED, true));
    target.refused("CKA_TRUSTED is set by the user", set.err().unwrap_or(CKR_OK));
    let template = Template::new().number(CKA_VALUE_LEN, 32).flag(CKA_WRAP, true).flag(CKA_TRUSTED, true);
    let born = target.raw.generate(session, plain(CKM_AES_KEY_GEN), template);
    target.refused("a key is generated with CKA_TRUSTED", born.err().unwrap_or(CKR_OK));
    let template =
        Template::new().number(CKA_VALUE_LEN, 32).flag(CKA_EXTRACTABLE, true).flag(CKA_WRAP_WITH_TRUSTED, true);
    let careful = target.raw.generate(session, plain(CKM_AES_KEY_GEN), template)?;
    let blob = wrapped(target, plain(CKM_AES_KEY_WRAP), wrapping, careful);
    target.refused("a key that asks for a trusted one is wrapped by another", blob.err().unwrap_or(CKR_OK));
    let careless = target.raw.set(session, careful, Template::new().flag(CKA_WRAP_WITH_TRUSTED, false));
    target.refused("CKA_WRAP_WITH_TRUSTED is taken back", careless.err().unwrap_or(CKR_OK));
    Err(CKR_KEY_NOT_WRAPPABLE)
}

fn derive(
    target: &Target,
    mut mechanism: CK_MECHANISM,
    base: CK_OBJECT_HANDLE,
    template: &Template,
) -> Answer<CK_OBJECT_HANDLE> {
    let (list, count) = target.list(template);
    let mut made = 0;
    let code = ck!(target.raw, C_DeriveKey, target.session(), &mut mechanism, base, list, count as CK_ULONG, &mut made);
    perilune_tests::raw::answer(code).map(|()| made)
}

fn readable(kind: CK_KEY_TYPE, bytes: CK_ULONG) -> Template {
    let template =
        Template::new().number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, kind).number(CKA_VALUE_LEN, bytes);
    template.flag(CKA_SENSITIVE, false).flag(CKA_EXTRACTABLE, true)
}

fn derived_readable(target: &Target, victim: CK_OBJECT_HANDLE) -> Answer<Vec<u8>> {
    let data = CK_KEY_DERIVATION_STRING_DATA { pData: target.bytes(&[1; 16]), ulLen: 16 };
    // SAFETY: the mechanism was just made.
    let mechanism = unsafe { target.with(CKM_CONCATENATE_BASE_AND_DATA, data).read_unaligned() };
    let longer = derive(target, mechanism, victim, &readable(CKK_GENERIC_SECRET, 48))?;
    read(target, longer).map(|value| value[..32].to_vec())
}

/// CVE-2015-5464: keys of one byte are found by trying.
fn byte_by_byte(target: &Target, victim: CK_OBJECT_HANDLE) -> Answer<Vec<u8>> {
    let mut found = Vec::new();
    for byte in 0..32u64 {
        let mut start = (byte * 8).to_ne_bytes().to_vec();
        let piece =
            derive(target, with_bytes(CKM_EXTRACT_KEY_FROM_KEY, &mut start), victim, &readable(CKK_GENERIC_SECRET, 1))?;
        // The attacker would compare MACs; that the piece exists is enough to see that he could.
        found.extend(read(target, piece).unwrap_or_default());
        target.effect("a key of one byte was cut from a sensitive key", false);
    }
    Ok(found)
}

/// RSA-1024 is weaker than the AES-256 key that it would wrap.
fn weak_wraps_strong(target: &Target) -> Done {
    let victim = made(target, &[CKA_SENSITIVE, CKA_EXTRACTABLE])?;
    let public =
        Template::new().number(CKA_MODULUS_BITS, 1024).bytes(CKA_PUBLIC_EXPONENT, &[1, 0, 1]).flag(CKA_WRAP, true);
    let private = Template::new().flag(CKA_UNWRAP, true);
    let pair = target.raw.generate_pair(target.session(), plain(CKM_RSA_PKCS_KEY_PAIR_GEN), public, private);
    let (public, _) = pair.map_err(|_| Stop::Absent("RSA keys of 1024 bits".into()))?;
    let blob = wrapped(target, plain(CKM_RSA_PKCS), public, victim);
    target.refused("RSA-1024 wraps AES-256", blob.err().unwrap_or(CKR_OK));
    Ok(())
}

/// What is derived from a key that never leaves does not leave either, or at least does not say that it never could.
fn never_extractable(target: &Target) -> Done {
    let base = made(target, &[CKA_SENSITIVE, CKA_DERIVE])?;
    let data = CK_KEY_DERIVATION_STRING_DATA { pData: target.bytes(&[1; 16]), ulLen: 16 };
    for kind in [CKM_CONCATENATE_BASE_AND_DATA, CKM_XOR_BASE_AND_DATA] {
        // SAFETY: the mechanism was just made.
        let mechanism = unsafe { target.with(kind, data).read_unaligned() };
        let bytes = if kind == CKM_XOR_BASE_AND_DATA { 16 } else { 48 };
        match derive(target, mechanism, base, &readable(CKK_GENERIC_SECRET, bytes)) {
            Ok(derived) => {
                let value = read(target, derived);
                target.effect(&format!("{kind:#x}: the derived key is read"), value.is_err());
                let leaves = target.raw.flag(target.session(), derived, CKA_EXTRACTABLE);
                target.effect(&format!("{kind:#x}: the derived key is extractable"), !leaves);
            }
            Err(CKR_MECHANISM_INVALID) => return Err(Stop::Absent(format!("{kind:#x}"))),
            Err(code) => target.refused("C_DeriveKey", code),
        }
    }
    Ok(())
}
