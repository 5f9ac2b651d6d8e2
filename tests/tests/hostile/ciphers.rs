//! Cases about what ciphers give away and what cryptography must refuse. Items 4.2.7, 4.2.9, 4.5.4, 4.5.5 and 4.6.
//!
//! Published vectors are in `hsm-core/tests/mechanisms`; here is what a caller can try with the module alone.
//! Rule source: PKCS#11 3.2, 5.9 (messages) and 6 (mechanisms); Vaudenay (2002), Bleichenbacher (1998), Manger (2001).

use crate::calls::{aes_template, begin_with, entry};
use crate::cases::Cases;
use crate::messages;
use crate::target::{Done, Stop, Target, read, read_bytes, word};
use crate::values::cipher;
use perilune_tests::ck::*;
use perilune_tests::raw::{Answer, call_words, plain, sized, with_bytes};
use perilune_tests::{Template, ck};
use std::ptr::null_mut;

pub fn cases(cases: &mut Cases) {
    for (name, kind) in
        [("CKM_AES_GCM", CKM_AES_GCM), ("CKM_AES_CCM", CKM_AES_CCM), ("CKM_CHACHA20_POLY1305", CKM_CHACHA20_POLY1305)]
    {
        cases.add("4.2.7", format!("{name}, a wrong tag"), move |target| wrong_tag(target, kind));
    }
    cases.add("4.2.7", "CKM_AES_CCM, another length than was said", ccm_length);
    cases.add("4.2.9", "generated IVs are written back and differ", generated_ivs);
    cases.add_remote("4.5.4", "CKM_AES_CBC_PAD", cbc_padding);
    cases.add_remote("4.5.4", "CKM_RSA_PKCS", |target| rsa_padding(target, CKM_RSA_PKCS));
    cases.add_remote("4.5.4", "CKM_RSA_PKCS_OAEP", |target| rsa_padding(target, CKM_RSA_PKCS_OAEP));
    cases.add_remote("4.5.4", "CKM_RSA_PKCS, unwrapping", rsa_unwrapping);
    for (name, kind) in [
        ("CKM_AES_KEY_WRAP", CKM_AES_KEY_WRAP),
        ("CKM_AES_KEY_WRAP_KWP", CKM_AES_KEY_WRAP_KWP),
        ("CKM_AES_CBC_PAD", CKM_AES_CBC_PAD),
        ("CKM_AES_GCM", CKM_AES_GCM),
    ] {
        cases.add("4.5.5", name, move |target| wrapping_sizes(target, kind));
    }
    for (name, kind) in [("CKM_ECDSA", CKM_ECDSA), ("CKM_EDDSA", CKM_EDDSA)] {
        cases.add_remote("4.6", format!("{name}, degenerate signatures"), move |target| degenerate(target, kind));
    }
    cases.add_remote("4.6", "HMAC of 0 bytes, and longer than its hash", hmac_lengths);
    cases.add("4.6", "GCM tags and IVs of every length", gcm_lengths);
    cases.add("4.6", "CCM nonces and tags of every length", ccm_lengths);
    cases.add("4.6", "HKDF without salt and information, and beyond its end", hkdf);
    cases.add("4.6", "ML-DSA with a context of 256 bytes", ml_dsa_context);
    cases.add("4.6", "PSS with another salt than was said", pss_salt);
}

const TEXT: [u8; 100] = [0xA5; 100];

/// An authenticated cipher's mechanism, and its key.
fn sealing(target: &Target, kind: CK_MECHANISM_TYPE) -> Result<(CK_MECHANISM, CK_OBJECT_HANDLE), Stop> {
    let (nonce, aad) = (target.bytes(&[5; 12]), target.bytes(b"associated"));
    let mechanism = match kind {
        CKM_AES_CCM => target.with(kind, ccm(target, 100, 12, 16)),
        CKM_CHACHA20_POLY1305 => target
            .with(kind, CK_SALSA20_CHACHA20_POLY1305_PARAMS { pNonce: nonce, ulNonceLen: 12, pAAD: aad, ulAADLen: 10 }),
        _ => cipher(target, kind),
    };
    let key = if kind == CKM_CHACHA20_POLY1305 {
        let template = Template::new().flag(CKA_ENCRYPT, true).flag(CKA_DECRYPT, true);
        target.generate(CKM_CHACHA20_KEY_GEN, &template)?
    } else {
        target.aes()?
    };
    Ok((read(mechanism.cast_const()), key))
}

fn ccm(target: &Target, data: CK_ULONG, nonce: usize, mac: CK_ULONG) -> CK_CCM_PARAMS {
    CK_CCM_PARAMS {
        ulDataLen: data,
        pNonce: target.bytes(&vec![5; nonce]),
        ulNonceLen: nonce as CK_ULONG,
        pAAD: null_mut(),
        ulAADLen: 0,
        ulMACLen: mac,
    }
}

/// No byte of a message whose tag is wrong, in one call and in parts of every size.
fn wrong_tag(target: &Target, kind: CK_MECHANISM_TYPE) -> Done {
    let (mut mechanism, key) = sealing(target, kind)?;
    let session = target.session();
    let right = target.answer("C_Encrypt", target.raw.encrypt(session, mechanism, key, &TEXT))?;
    target.control("it opens", target.raw.decrypt(session, mechanism, key, &right).as_deref() == Ok(&TEXT))?;
    for place in [right.len() - 1, right.len() - 16, 0, 50] {
        let mut sealed = right.clone();
        sealed[place] ^= 1;
        for part in [sealed.len(), 1, 16, 33, 90] {
            if kind == CKM_AES_CCM {
                mechanism = sealing(target, kind)?.0;
            }
            let what = format!("byte {place} changed, parts of {part}");
            target.at(&what);
            target.need("C_DecryptInit", ck!(target.raw, C_DecryptInit, session, &mut mechanism, key))?;
            let out = target.room(300);
            let room = || target.value(300 as CK_ULONG);
            let data = target.bytes(&sealed);
            let code = if part == sealed.len() {
                ck!(target.raw, C_Decrypt, session, data, sealed.len() as CK_ULONG, out, room())
            } else {
                for (index, piece) in sealed.chunks(part).enumerate() {
                    let piece_at = target.bytes(piece);
                    let (at, length) = (out.wrapping_add(index), room());
                    // SAFETY: the length's own memory.
                    unsafe { length.write_unaligned(200) };
                    let code = ck!(target.raw, C_DecryptUpdate, session, piece_at, piece.len() as CK_ULONG, at, length);
                    if code == CKR_FUNCTION_NOT_SUPPORTED || code == CKR_OPERATION_NOT_INITIALIZED {
                        break;
                    }
                    target.expect(&format!("{what}: a part"), code, &[CKR_OK]);
                }
                ck!(target.raw, C_DecryptFinal, session, out, room())
            };
            let allowed = [CKR_ENCRYPTED_DATA_INVALID, CKR_AEAD_DECRYPT_FAILED, CKR_OPERATION_NOT_INITIALIZED];
            target.expect(&what, code, &allowed);
            target.effect(&format!("{what}: plaintext is given away"), !read_bytes(out, 300).contains(&0xA5));
        }
    }
    Ok(())
}

fn ccm_length(target: &Target) -> Done {
    let key = target.aes()?;
    let start = |data| begin_with(target, "C_EncryptInit", target.with(CKM_AES_CCM, ccm(target, data, 12, 16)), key);
    target.need("C_EncryptInit", start(100)?)?;
    target.begin_again()?;
    let key = target.aes()?;
    for said in [0, 99, 101, 1 << 20] {
        let mechanism = target.with(CKM_AES_CCM, ccm(target, said, 12, 16));
        target.need("C_EncryptInit", begin_with(target, "C_EncryptInit", mechanism, key)?)?;
        let (out, room) = (target.room(200), target.value(200 as CK_ULONG));
        let code = ck!(target.raw, C_Encrypt, target.session(), target.bytes(&TEXT), 100, out, room);
        target.expect(&format!("100 bytes where {said} were said"), code, &[CKR_DATA_LEN_RANGE]);
    }
    Ok(())
}

fn generated_ivs(target: &Target) -> Done {
    for generator in [CKG_GENERATE, CKG_GENERATE_COUNTER, CKG_GENERATE_RANDOM] {
        target.begin_again()?;
        let aes = target.aes()?;
        let begun = begin_with(target, "C_MessageEncryptInit", target.plain(CKM_AES_GCM), aes)?;
        target.need("C_MessageEncryptInit", begun)?;
        let mut seen = Vec::new();
        for _ in 0..50 {
            let parameter = messages::gcm(target, generator, &[0; 16]);
            let (place, data) = (target.value(parameter), target.bytes(&TEXT));
            let (out, room) = (target.room(100), target.value(100 as CK_ULONG));
            let words = [
                target.session() as usize,
                place as usize,
                48,
                0,
                0,
                data as usize,
                100,
                out as usize,
                room as usize,
                0,
            ];
            target.need("C_EncryptMessage", call_words(entry(target, "C_EncryptMessage")?, words))?;
            let iv = read_bytes(parameter.pIv, 12);
            target.effect("the fixed bits of an IV were changed", iv.starts_with(b"fixd"));
            target.effect("no tag is written back", read_bytes(parameter.pTag, 16) != [0; 16]);
            seen.push(iv);
        }
        seen.sort_unstable();
        seen.dedup();
        target.effect(&format!("{} IVs for 50 messages", seen.len()), seen.len() == 50);
    }
    Ok(())
}

/// Every bad padding has one answer.
fn cbc_padding(target: &Target) -> Done {
    let (session, key) = (target.session(), target.aes()?);
    let mechanism = || read(cipher(target, CKM_AES_CBC).cast_const());
    let padded = || read(cipher(target, CKM_AES_CBC_PAD).cast_const());
    let seal = |last: [u8; 16]| target.raw.encrypt(session, mechanism(), key, &[&[7; 16][..], &last].concat());
    let right = target.answer("C_Encrypt", seal([16; 16]))?;
    target.control("a right padding", target.raw.decrypt(session, padded(), key, &right).as_deref() == Ok(&[7; 16]))?;
    let mut answers = Vec::new();
    for last in [[0; 16], [17; 16], [255; 16], block(15, 16), block(3, 2), block(16, 15)] {
        let sealed = target.answer("C_Encrypt", seal(last))?;
        let answer = target.raw.decrypt(session, padded(), key, &sealed);
        target.refused(&format!("the padding {last:x?}"), answer.as_ref().err().copied().unwrap_or(CKR_OK));
        answers.push(answer.err());
    }
    answers.dedup();
    target.effect(&format!("bad paddings are told apart: {answers:x?}"), answers.len() == 1);
    Ok(())
}

/// A block that ends with a padding byte and has other bytes before it.
fn block(other: u8, last: u8) -> [u8; 16] {
    let mut block = [other; 16];
    block[15] = last;
    block
}

pub fn oaep(target: &Target) -> CK_MECHANISM {
    let parameter = CK_RSA_PKCS_OAEP_PARAMS {
        hashAlg: CKM_SHA_1,
        mgf: CKG_MGF1_SHA1,
        source: 1,
        pSourceData: null_mut(),
        ulSourceDataLen: 0,
    };
    read(target.with(CKM_RSA_PKCS_OAEP, parameter).cast_const())
}

/// Ciphertexts of raw RSA whose block is wrong in several ways.
fn bad_blocks(target: &Target, public: CK_OBJECT_HANDLE) -> Result<Vec<Vec<u8>>, Stop> {
    let base = |lead: &[u8]| {
        let mut block = vec![0x55; 256];
        block[..lead.len()].copy_from_slice(lead);
        block
    };
    let mut separated_early = base(&[0, 2, 1, 1, 0]);
    separated_early[200] = 0;
    let blocks = [base(&[0, 2]), base(&[0, 1]), base(&[1, 2]), base(&[0, 0]), separated_early];
    let seal = |block: &Vec<u8>| target.raw.encrypt(target.session(), plain(CKM_RSA_X_509), public, block);
    blocks.iter().map(|block| target.answer("C_Encrypt with CKM_RSA_X_509", seal(block))).collect()
}

/// All blocks that are wrong have one kind of answer: all are refused with one word, or all give something (implicit rejection).
fn rsa_padding(target: &Target, kind: CK_MECHANISM_TYPE) -> Done {
    let (public, private) = target.rsa()?;
    let session = target.session();
    let mechanism = || if kind == CKM_RSA_PKCS { plain(kind) } else { oaep(target) };
    let right = target.answer("C_Encrypt", target.raw.encrypt(session, mechanism(), public, b"right"))?;
    target.control(
        "a right block",
        target.raw.decrypt(session, mechanism(), private, &right).as_deref() == Ok(b"right"),
    )?;
    let mut answers: Vec<_> = bad_blocks(target, public)?
        .iter()
        .map(|sealed| target.raw.decrypt(session, mechanism(), private, sealed).err())
        .collect();
    answers.dedup();
    target.effect(&format!("bad blocks are told apart: {answers:x?}"), answers.len() == 1);
    Ok(())
}

pub fn unwrap(
    target: &Target,
    kind: CK_MECHANISM,
    key: CK_OBJECT_HANDLE,
    blob: &[u8],
    template: &Template,
) -> Answer<CK_OBJECT_HANDLE> {
    let (list, count) = target.list(template);
    let (mut made, data) = (0, target.bytes(blob));
    let (mechanism, session) = (target.value(kind), target.session());
    let code = ck!(
        target.raw,
        C_UnwrapKey,
        session,
        mechanism,
        key,
        data,
        blob.len() as CK_ULONG,
        list,
        count as CK_ULONG,
        &mut made
    );
    perilune_tests::raw::answer(code).map(|()| made)
}

fn rsa_unwrapping(target: &Target) -> Done {
    let (public, private) = target.rsa()?;
    let sealed = target.raw.encrypt(target.session(), plain(CKM_RSA_PKCS), public, &[7; 32]);
    let right = target.answer("C_Encrypt", sealed)?;
    let open = |blob: &[u8]| unwrap(target, plain(CKM_RSA_PKCS), private, blob, &aes_template());
    target.answer("C_UnwrapKey", open(&right))?;
    let mut answers = Vec::new();
    for sealed in bad_blocks(target, public)? {
        match open(&sealed) {
            Err(code) => answers.push(code),
            // A message that was made up (implicit rejection) is as long as a key now and then, and then it is one.
            Ok(_) => {
                let made_up = target.raw.decrypt(target.session(), plain(CKM_RSA_PKCS), private, &sealed);
                target.effect("a bad block became a key", made_up.is_ok());
            }
        }
    }
    answers.dedup();
    target.effect(&format!("bad blocks are told apart: {answers:x?}"), answers.len() < 2);
    Ok(())
}

/// What the question for the size says is what comes, for keys of every size; and it comes back (CVE-2026-22791, CVE-2026-44662).
fn wrapping_sizes(target: &Target, kind: CK_MECHANISM_TYPE) -> Done {
    let (session, wrapping) = (target.session(), target.aes()?);
    let mechanism = match kind {
        CKM_AES_KEY_WRAP | CKM_AES_KEY_WRAP_KWP => target.plain(kind),
        _ => cipher(target, kind),
    };
    for bytes in [16, 24, 32, 40, 1, 7, 8, 9, 33, 255] {
        let key = target.secret(&vec![7; bytes])?;
        let mut asked = 0;
        let code = ck!(target.raw, C_WrapKey, session, mechanism, wrapping, key, null_mut(), &mut asked);
        if code != CKR_OK {
            let allowed = [CKR_KEY_SIZE_RANGE, CKR_KEY_NOT_WRAPPABLE, CKR_DATA_LEN_RANGE];
            if bytes == 16 || kind != CKM_AES_KEY_WRAP {
                target.need("C_WrapKey", code)?;
            }
            target.expect(&format!("a key of {bytes} bytes"), code, &allowed);
            continue;
        }
        let blob = sized(|out, room| ck!(target.raw, C_WrapKey, session, mechanism, wrapping, key, out, room));
        let blob = match blob {
            Ok(blob) => blob,
            Err(code) => {
                target.expect(
                    &format!("a key of {bytes} bytes, for which {asked} was told: {}", word(code)),
                    code,
                    &[],
                );
                continue;
            }
        };
        target.effect(&format!("{asked} told for {bytes} bytes, {} came", blob.len()), asked as usize == blob.len());
        let template = Template::new()
            .number(CKA_CLASS, CKO_SECRET_KEY)
            .number(CKA_KEY_TYPE, CKK_GENERIC_SECRET)
            .flag(CKA_SENSITIVE, false)
            .flag(CKA_EXTRACTABLE, true);
        let mechanism = read(mechanism.cast_const());
        match unwrap(target, mechanism, wrapping, &blob, &template) {
            Ok(back) => {
                let value = target.raw.attribute(session, back, CKA_VALUE);
                target.effect(&format!("{bytes} bytes come back as {value:x?}"), value == Ok(vec![7; bytes]));
            }
            // A mechanism may wrap only.
            Err(CKR_MECHANISM_INVALID) => {}
            Err(code) => target.effect(&format!("{bytes} bytes do not come back: {}", word(code)), false),
        }
        for bad in [&blob[..blob.len() - 1], &blob[..8.min(blob.len() - 1)], &[], &[&blob[..], &[0]].concat()] {
            let answer = unwrap(target, mechanism, wrapping, bad, &template);
            target.refused(&format!("{} of {} bytes unwrapped", bad.len(), blob.len()), answer.err().unwrap_or(CKR_OK));
        }
    }
    Ok(())
}

/// r or s of zero, of the order or beyond it; S of Ed25519 not reduced.
fn degenerate(target: &Target, kind: CK_MECHANISM_TYPE) -> Done {
    let session = target.session();
    let (public, private) = if kind == CKM_EDDSA {
        let curve = Template::new().bytes(CKA_EC_PARAMS, &[0x06, 0x03, 0x2B, 0x65, 0x70]).flag(CKA_VERIFY, true);
        target.pair(CKM_EC_EDWARDS_KEY_PAIR_GEN, curve, Template::new().flag(CKA_SIGN, true))?
    } else {
        target.ec()?
    };
    let data = [5; 32];
    let right = target.answer("C_Sign", target.raw.sign(session, plain(kind), private, &data))?;
    target.control("the right signature", target.raw.verify(session, plain(kind), public, &data, &right) == Ok(()))?;
    let (r, s) = right.split_at(32);
    let mut bad: Vec<Vec<u8>> =
        vec![[&[0; 32], s].concat(), [r, &[0; 32]].concat(), vec![0; 64], vec![0xFF; 64], [s, r].concat()];
    if kind == CKM_EDDSA {
        bad.push([r, &added(s, &ED25519_ORDER)].concat());
    } else {
        let big = P256_ORDER;
        bad.extend([[r, &big].concat(), [&big, s].concat(), [big, big].concat()]);
    }
    for signature in bad {
        let code = target.raw.verify(session, plain(kind), public, &data, &signature).err().unwrap_or(CKR_OK);
        target.expect(
            &format!("the signature {signature:x?}"),
            code,
            &[CKR_SIGNATURE_INVALID, CKR_SIGNATURE_LEN_RANGE],
        );
    }
    Ok(())
}

const P256_ORDER: [u8; 32] = [
    0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xBC, 0xE6, 0xFA, 0xAD, 0xA7,
    0x17, 0x9E, 0x84, 0xF3, 0xB9, 0xCA, 0xC2, 0xFC, 0x63, 0x25, 0x51,
];
/// RFC 8032, 5.1, the lowest byte first.
const ED25519_ORDER: [u8; 32] = [
    0xED, 0xD3, 0xF5, 0x5C, 0x1A, 0x63, 0x12, 0x58, 0xD6, 0x9C, 0xF7, 0xA2, 0xDE, 0xF9, 0xDE, 0x14, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// The sum of two numbers, the lowest byte first.
fn added(one: &[u8], other: &[u8]) -> Vec<u8> {
    let mut carry = 0;
    let sum = one.iter().zip(other).map(|(one, other)| {
        let sum = u16::from(*one) + u16::from(*other) + carry;
        carry = sum >> 8;
        sum as u8
    });
    sum.collect()
}

fn hmac_lengths(target: &Target) -> Done {
    let (session, key) = (target.session(), target.secret(&[9; 32])?);
    let make = |bytes: u64| {
        let mut bytes = bytes.to_ne_bytes().to_vec();
        target.raw.sign(session, with_bytes(CKM_SHA256_HMAC_GENERAL, &mut bytes), key, b"text")
    };
    let whole = target.answer("C_Sign", make(32))?;
    for bytes in [1, 16, 31] {
        target.effect(&format!("{bytes} bytes are no beginning"), make(bytes).is_ok_and(|mac| whole.starts_with(&mac)));
    }
    for bytes in [0, 33, 64, u64::MAX] {
        let code = make(bytes).err().unwrap_or(CKR_OK);
        target.expect(&format!("a MAC of {bytes} bytes"), code, &[CKR_MECHANISM_PARAM_INVALID, CKR_ARGUMENTS_BAD]);
    }
    Ok(())
}

fn gcm_lengths(target: &Target) -> Done {
    let (session, key) = (target.session(), target.aes()?);
    let seal = |iv: usize, tag: CK_ULONG| {
        let parameter = CK_GCM_PARAMS {
            pIv: target.bytes(&vec![5; iv]),
            ulIvLen: iv as CK_ULONG,
            ulIvBits: iv as CK_ULONG * 8,
            pAAD: null_mut(),
            ulAADLen: 0,
            ulTagBits: tag,
        };
        target.raw.encrypt(session, read(target.with(CKM_AES_GCM, parameter).cast_const()), key, &TEXT)
    };
    target.answer("C_Encrypt", seal(12, 128))?;
    for (iv, tag) in [(0, 128), (12, 0), (12, 8), (12, 24), (12, 31), (12, 129), (12, 136), (12, CK_ULONG::MAX)] {
        let code = seal(iv, tag).err().unwrap_or(CKR_OK);
        target.expect(
            &format!("an IV of {iv} bytes, a tag of {tag} bits"),
            code,
            &[CKR_MECHANISM_PARAM_INVALID, CKR_ARGUMENTS_BAD],
        );
    }
    Ok(())
}

fn ccm_lengths(target: &Target) -> Done {
    let (session, key) = (target.session(), target.aes()?);
    let seal = |nonce: usize, mac: CK_ULONG| {
        let parameter = target.with(CKM_AES_CCM, ccm(target, 100, nonce, mac));
        target.raw.encrypt(session, read(parameter.cast_const()), key, &TEXT)
    };
    target.answer("C_Encrypt", seal(12, 16))?;
    for (nonce, mac) in [
        (0, 16),
        (6, 16),
        (14, 16),
        (16, 16),
        (12, 0),
        (12, 2),
        (12, 3),
        (12, 5),
        (12, 15),
        (12, 18),
        (12, CK_ULONG::MAX),
    ] {
        let code = seal(nonce, mac).err().unwrap_or(CKR_OK);
        target.expect(
            &format!("a nonce of {nonce} bytes, a tag of {mac}"),
            code,
            &[CKR_MECHANISM_PARAM_INVALID, CKR_ARGUMENTS_BAD],
        );
    }
    for nonce in 7..=13 {
        for mac in [4, 6, 8, 10, 12, 14, 16] {
            target.effect(&format!("a nonce of {nonce} bytes, a tag of {mac}: refused"), seal(nonce, mac).is_ok());
        }
    }
    Ok(())
}

fn hkdf(target: &Target) -> Done {
    let base = target.secret(&[9; 32])?;
    let derive = |salt_type: CK_ULONG, bytes: CK_ULONG| {
        let parameter = CK_HKDF_PARAMS {
            bExtract: CK_TRUE,
            bExpand: CK_TRUE,
            prfHashMechanism: CKM_SHA256,
            ulSaltType: salt_type,
            pSalt: null_mut(),
            ulSaltLen: 0,
            hSaltKey: 0,
            pInfo: null_mut(),
            ulInfoLen: 0,
        };
        let template = Template::new().number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, CKK_GENERIC_SECRET);
        let (list, count) = target.list(&template.number(CKA_VALUE_LEN, bytes));
        let (mechanism, mut key) = (target.with(CKM_HKDF_DERIVE, parameter), 0);
        ck!(target.raw, C_DeriveKey, target.session(), mechanism, base, list, count as CK_ULONG, &mut key)
    };
    target.need("C_DeriveKey", derive(CKF_HKDF_SALT_NULL, 32))?;
    target.expect("255 times the hash", derive(CKF_HKDF_SALT_NULL, 255 * 32), &[CKR_OK]);
    for (salt, bytes) in [
        (CKF_HKDF_SALT_NULL, 255 * 32 + 1),
        (CKF_HKDF_SALT_NULL, 0),
        (CKF_HKDF_SALT_NULL, 1 << 40),
        (CKF_HKDF_SALT_KEY, 32),
        (99, 32),
    ] {
        target.refused(&format!("{bytes} bytes with the salt type {salt}"), derive(salt, bytes));
    }
    Ok(())
}

fn ml_dsa_context(target: &Target) -> Done {
    let set = Template::new().number(CKA_PARAMETER_SET, CKP_ML_DSA_44).flag(CKA_VERIFY, true);
    let (public, private) = target.pair(CKM_ML_DSA_KEY_PAIR_GEN, set, Template::new().flag(CKA_SIGN, true))?;
    let with = |bytes: usize| {
        let context = target.bytes(&vec![7; bytes]);
        let parameter =
            CK_SIGN_ADDITIONAL_CONTEXT { hedgeVariant: 0, pContext: context, ulContextLen: bytes as CK_ULONG };
        read(target.with(CKM_ML_DSA, parameter).cast_const())
    };
    let sign = |bytes| target.raw.sign(target.session(), with(bytes), private, &TEXT);
    let signature = target.answer("C_Sign", sign(255))?;
    target.expect(
        "a context of 256 bytes",
        sign(256).err().unwrap_or(CKR_OK),
        &[CKR_MECHANISM_PARAM_INVALID, CKR_ARGUMENTS_BAD],
    );
    for (bytes, right) in [(255, true), (254, false), (0, false)] {
        let verified = target.raw.verify(target.session(), with(bytes), public, &TEXT, &signature);
        target.effect(&format!("a context of {bytes} bytes: {verified:x?}"), verified.is_ok() == right);
    }
    Ok(())
}

fn pss_salt(target: &Target) -> Done {
    let ((public, private), session) = (target.rsa()?, target.session());
    let with = |salt| {
        let parameter = CK_RSA_PKCS_PSS_PARAMS { hashAlg: CKM_SHA256, mgf: CKG_MGF1_SHA256, sLen: salt };
        read(target.with(CKM_SHA256_RSA_PKCS_PSS, parameter).cast_const())
    };
    let signature = target.answer("C_Sign", target.raw.sign(session, with(32), private, &TEXT))?;
    for (salt, right) in [(32, true), (0, false), (20, false), (31, false), (33, false)] {
        let verified = target.raw.verify(session, with(salt), public, &TEXT, &signature);
        target.effect(&format!("a salt of {salt} bytes: {verified:x?}"), verified.is_ok() == right);
    }
    for salt in [223, 4096, CK_ULONG::MAX] {
        target.refused(
            &format!("a salt of {salt} bytes"),
            target.raw.sign(session, with(salt), private, &TEXT).err().unwrap_or(CKR_OK),
        );
    }
    Ok(())
}
