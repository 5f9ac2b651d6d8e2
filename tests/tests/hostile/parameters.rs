//! Cases about the parameters of mechanisms: NULL inside them, lengths without end, wrong sizes. Items 4.1.4 and 4.1.6, and with
//! them 4.2.3: a refused beginning leaves no operation behind.
//!
//! Owns: right parameters of many mechanisms, word by word, because all their fields are machine words or begin one.
//! Rule source: PKCS#11 3.2, 6 (mechanisms).

use crate::calls::{Call, aes_template, begin_with};
use crate::cases::Cases;
use crate::target::{Done, Stop, Target};
use perilune_tests::Template;
use perilune_tests::ck::*;

/// A piece of a parameter.
#[derive(Clone)]
enum Piece {
    /// A number.
    N(u64),
    /// A pointer to bytes.
    P(&'static [u8]),
    /// The length of a pointer beside it.
    L(u64),
    /// Bytes of the structure itself.
    B(&'static [u8]),
    /// A pointer to another structure.
    S(Vec<Piece>),
    /// A pointer to the point of the EC pair.
    Point,
}

use Piece::{B, L, N, P, Point, S};

#[derive(Clone, Copy)]
enum Key {
    Aes,
    RsaPublic,
    RsaPrivate,
    EcPrivate,
    Secret,
    MlDsa,
    Nothing,
}

/// A mechanism with a right parameter, and a function that takes it.
struct Row {
    name: &'static str,
    kind: CK_MECHANISM_TYPE,
    function: &'static str,
    key: Key,
    pieces: Vec<Piece>,
}

macro_rules! rows {
    ($($kind:ident $function:literal $key:ident [$($piece:expr),*];)*) => {
        vec![$(Row {
            name: stringify!($kind),
            kind: $kind,
            function: $function,
            key: Key::$key,
            pieces: vec![$($piece),*],
        }),*]
    };
}

const IV: &[u8] = &[5; 16];
const TWELVE: &[u8] = &[5; 12];
const TEXT: &[u8] = b"some text or other";

fn rows() -> Vec<Row> {
    let oaep = || vec![N(CKM_SHA256), N(CKG_MGF1_SHA256), N(1), P(TEXT), L(18)];
    rows![
        CKM_AES_CBC "C_EncryptInit" Aes [B(IV)];
        CKM_AES_CBC_PAD "C_DecryptInit" Aes [B(IV)];
        CKM_AES_CTR "C_EncryptInit" Aes [N(128), B(IV)];
        CKM_AES_OFB "C_EncryptInit" Aes [B(IV)];
        CKM_AES_CFB128 "C_EncryptInit" Aes [B(IV)];
        CKM_AES_GCM "C_EncryptInit" Aes [P(TWELVE), L(12), N(96), P(TEXT), L(18), N(128)];
        CKM_AES_CCM "C_EncryptInit" Aes [N(16), P(TWELVE), L(12), P(TEXT), L(18), N(16)];
        CKM_AES_GMAC "C_SignInit" Aes [B(TWELVE)];
        CKM_AES_CMAC_GENERAL "C_SignInit" Aes [N(8)];
        CKM_SHA256_HMAC_GENERAL "C_SignInit" Secret [N(16)];
        CKM_RSA_PKCS_OAEP "C_EncryptInit" RsaPublic [N(CKM_SHA_1), N(CKG_MGF1_SHA1), N(1), P(TEXT), L(18)];
        CKM_SHA256_RSA_PKCS_PSS "C_SignInit" RsaPrivate [N(CKM_SHA256), N(CKG_MGF1_SHA256), N(32)];
        CKM_ML_DSA "C_SignInit" MlDsa [N(0), P(TEXT), L(18)];
        CKM_ECDH1_DERIVE "C_DeriveKey" EcPrivate [N(CKD_SHA256_KDF), L(18), P(TEXT), L(65), Point];
        CKM_AES_ECB_ENCRYPT_DATA "C_DeriveKey" Aes [P(&[3; 32]), L(32)];
        CKM_AES_CBC_ENCRYPT_DATA "C_DeriveKey" Aes [B(IV), P(&[3; 32]), L(32)];
        CKM_CONCATENATE_BASE_AND_DATA "C_DeriveKey" Secret [P(&[3; 32]), L(32)];
        CKM_XOR_BASE_AND_DATA "C_DeriveKey" Secret [P(&[3; 32]), L(32)];
        CKM_HKDF_DERIVE "C_DeriveKey" Secret [N(0x0101), N(CKM_SHA256), N(2), P(TEXT), L(18), N(0), P(TEXT), L(18)];
        CKM_SP800_108_COUNTER_KDF "C_DeriveKey" Secret
            [N(CKM_SHA256_HMAC), N(1), S(vec![N(1), S(vec![N(0), N(32)]), L(16)]), N(0), N(0)];
        CKM_AES_KEY_WRAP "C_WrapKey" Aes [B(&[0xA6; 8])];
        CKM_RSA_AES_KEY_WRAP "C_WrapKey" RsaPublic [N(256), S(oaep())];
        CKM_PKCS5_PBKD2 "C_GenerateKey" Nothing
            [N(1), P(TEXT), L(18), N(1000), N(4), N(0), N(0), P(b"password"), L(8)];
    ]
}

/// Words that refuse a parameter.
const REFUSALS: [CK_RV; 2] = [CKR_MECHANISM_PARAM_INVALID, CKR_ARGUMENTS_BAD];

pub fn cases(cases: &mut Cases) {
    for (index, row) in rows().into_iter().enumerate() {
        let pieces = flat(&row.pieces).len();
        if flat(&row.pieces).iter().any(|piece| !matches!(piece, N(_) | B(_))) {
            cases.add_remote("4.1.4", row.name, move |target| spoilt(target, &rows()[index], pieces));
        }
        cases.add("4.1.6", row.name, move |target| sizes(target, &rows()[index]));
    }
    for name in ["C_CreateObject", "C_GenerateKey", "C_UnwrapKey", "C_SetAttributeValue", "C_FindObjectsInit"] {
        cases.add("4.1.4", format!("{name}, an attribute"), move |target| attribute(target, name));
    }
}

/// The pieces of a parameter and of the structures that it points to.
fn flat(pieces: &[Piece]) -> Vec<Piece> {
    let inner = |piece: &Piece| match piece {
        S(more) => std::iter::once(piece.clone()).chain(flat(more)).collect(),
        _ => vec![piece.clone()],
    };
    pieces.iter().flat_map(inner).collect()
}

/// What is done to one piece.
#[derive(Clone, Copy, PartialEq)]
enum Spoil {
    Nothing,
    Null,
    Length(u64),
}

/// The parameter as bytes, with one piece spoilt.
fn built(target: &Target, pieces: &[Piece], at: &mut usize, spoil: Spoil) -> Result<Vec<u8>, Stop> {
    let mut bytes = Vec::new();
    for piece in pieces {
        let here = *at == 0;
        *at = at.wrapping_sub(1);
        let pointer = |place: *mut u8| if here && spoil == Spoil::Null { 0 } else { place as u64 };
        let word = match piece {
            B(more) => {
                bytes.extend_from_slice(more);
                continue;
            }
            N(number) => *number,
            L(length) => match spoil {
                Spoil::Length(other) if here => other,
                _ => *length,
            },
            P(data) => pointer(target.bytes(data)),
            Point => {
                let point = target.raw.attribute(target.session(), target.ec()?.0, CKA_EC_POINT);
                // Without the octet string around it.
                pointer(target.bytes(&target.answer("CKA_EC_POINT", point)?[2..]))
            }
            S(more) => {
                let inner = built(target, more, at, spoil)?;
                pointer(target.bytes(&inner))
            }
        };
        bytes.extend_from_slice(&word.to_ne_bytes());
    }
    Ok(bytes)
}

/// Calls the row's function with this mechanism.
fn call(target: &Target, row: &Row, mechanism: *mut CK_MECHANISM) -> Result<CK_RV, Stop> {
    let key = match row.key {
        Key::Aes => target.aes()?,
        Key::RsaPublic => target.rsa()?.0,
        Key::RsaPrivate => target.rsa()?.1,
        Key::EcPrivate => target.ec()?.1,
        Key::Secret => target.secret(&[9; 32])?,
        Key::MlDsa => {
            let public = Template::new().number(CKA_PARAMETER_SET, CKP_ML_DSA_44);
            target.pair(CKM_ML_DSA_KEY_PAIR_GEN, public, Template::new().flag(CKA_SIGN, true))?.1
        }
        Key::Nothing => 0,
    };
    if row.function.ends_with("Init") {
        return begin_with(target, row.function, mechanism, key);
    }
    let call = Call::new(target, row.function)?.with(1, mechanism as usize);
    if matches!(row.key, Key::Nothing) {
        let (list, count) = target.list(&aes_template().number(CKA_VALUE_LEN, 32));
        return Ok(call.with(2, list as usize).with(3, count).run());
    }
    let call = call.with(2, key as usize);
    if row.function == "C_WrapKey" {
        // Room enough for whatever wraps.
        let (out, room) = (target.room(1024), target.value(1024 as CK_ULONG));
        return Ok(call.with(4, out as usize).with(5, room as usize).run());
    }
    Ok(call.run())
}

/// The positive control; the operation that it begins is ended.
fn control(target: &Target, row: &Row) -> Done {
    let right = target.mechanism(row.kind, &built(target, &row.pieces, &mut usize::MAX.clone(), Spoil::Nothing)?);
    let code = call(target, row, right)?;
    target.need(row.name, code)?;
    if row.function.ends_with("Init") { target.begin_again() } else { Ok(()) }
}

/// NULL with a length, and lengths that no memory has, for each piece.
fn spoilt(target: &Target, row: &Row, pieces: usize) -> Done {
    control(target, row)?;
    let flat = flat(&row.pieces);
    for (index, piece) in flat.iter().enumerate().take(pieces) {
        let spoils = match piece {
            P(_) | S(_) | Point => vec![Spoil::Null],
            // This one is an address in the older form of the parameter, and what could be one is one.
            L(8) if row.kind == CKM_PKCS5_PBKD2 => [u64::MAX, 1 << 63, i64::MAX as u64].map(Spoil::Length).to_vec(),
            L(_) => [u64::MAX, 1 << 63, i64::MAX as u64, 1 << 40].map(Spoil::Length).to_vec(),
            _ => continue,
        };
        for spoil in spoils {
            let what = match spoil {
                Spoil::Length(length) => format!("the length {length:#x} in piece {index}"),
                _ => format!("NULL with a length in piece {index}"),
            };
            target.at(&what);
            let bytes = built(target, &row.pieces, &mut index.clone(), spoil)?;
            let code = call(target, row, target.mechanism(row.kind, &bytes))?;
            judge(target, &what, code)?;
        }
    }
    control(target, row)
}

/// Parameters that are too short, too long, not there.
fn sizes(target: &Target, row: &Row) -> Done {
    control(target, row)?;
    let right = built(target, &row.pieces, &mut usize::MAX.clone(), Spoil::Nothing)?;
    let bytes = right.len();
    let mut forms: Vec<(String, *mut u8, usize)> = Vec::new();
    for size in [1, bytes - 1, bytes + 1, bytes * 2, 4096] {
        let mut form = right.clone();
        form.resize(size, 0);
        // IVs of GCM's MAC may have any length, and RSA-PSS and GCM have no other form of these sizes.
        let is_free = row.kind == CKM_AES_GMAC && size <= 256;
        if !is_free {
            forms.push((format!("{size} bytes instead of {bytes}"), target.bytes(&form), size));
        }
    }
    for size in [usize::MAX, isize::MAX as usize, 1 << 63] {
        forms.push((format!("{size:#x} bytes"), target.bytes(&right), size));
    }
    forms.push(("NULL with the right size".into(), std::ptr::null_mut(), bytes));
    let is_optional = [CKM_AES_KEY_WRAP, CKM_ML_DSA].contains(&row.kind);
    if !is_optional {
        forms.push(("none".into(), std::ptr::null_mut(), 0));
        forms.push(("no bytes at an address".into(), target.bytes(&right), 0));
    }
    for (what, place, size) in forms {
        target.at(&what);
        let mechanism =
            CK_MECHANISM { mechanism: row.kind, pParameter: place.cast(), ulParameterLen: size as CK_ULONG };
        let code = call(target, row, target.value(mechanism))?;
        judge(target, &what, code)?;
    }
    control(target, row)
}

/// Notes what was accepted, and ends the operation that began then; a refusal must have left none.
fn judge(target: &Target, what: &str, code: CK_RV) -> Done {
    target.expect(what, code, &REFUSALS);
    if code == CKR_OK { target.begin_again() } else { Ok(()) }
}

/// An attribute with a length and no value, and one whose length no memory has.
fn attribute(target: &Target, name: &'static str) -> Done {
    Call::new(target, name)?.control()?;
    target.begin_again()?;
    let before = target.objects();
    for (place, length) in [(0, 5), (1, u64::MAX - 1), (1, 1 << 63), (1, i64::MAX as u64), (1, 1 << 40)] {
        let call = Call::new(target, name)?;
        let index = call.args.iter().position(|arg| matches!(arg, crate::calls::Arg::Count(_))).expect("a template");
        let value = if place == 0 { std::ptr::null_mut() } else { target.bytes(b"label").cast() };
        let entry = CK_ATTRIBUTE { type_: CKA_LABEL, pValue: value, ulValueLen: length };
        let what = format!("an attribute of {length:#x} bytes at {}", if place == 0 { "NULL" } else { "five bytes" });
        target.at(&what);
        let code = call.with(index - 1, target.value(entry) as usize).with(index, 1).run();
        target.expect(&what, code, &[CKR_ARGUMENTS_BAD, CKR_ATTRIBUTE_VALUE_INVALID]);
    }
    target.begin_again()?;
    target.effect("refused, and yet an object was made", target.objects() <= before);
    Ok(())
}
