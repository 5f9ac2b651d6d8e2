//! Stateful keys (HSS, XMSS, XMSS^MT) between attributes, encodings and engine keys, and the count of their signatures.
//!
//! Owns: the form of a private key's CKA_VALUE, which index is next, when a key is used up. Does not know: how a changed object is made
//! durable (`api/one_time.rs`), templates, mechanisms. Called from `key`, `object`, `api` and the completion of new keys.
//! Rule source: PKCS#11 v3.2, 6.65 (HSS) and 6.66 (XMSS); SP 800-208, 7 and 8.1.
//!
//! An index that signs twice gives the key away. So a private key is in one place only: it is made by its token, cannot be copied, wrapped or
//! shown, and signs nowhere else. CKA_VALUE says in which partition it was made. A restored backup is a new partition, and what
//! comes with it counts as used up, whatever the backup says was left.

use crate::key::{self, Key};
use crate::object::{self, Attributes, Object, Value, ValueRef};
use crate::platform::Env;
use crate::reason::{Reason, Result};
use crate::types::Answer;
use ffi_headers::*;
use hsm_crypto::SecretBytes;
use hsm_crypto::encoding::{HashScheme, PublicForm};
use hsm_crypto::stateful::{TOTAL_HEIGHT_MAX, XmssSet, lms_height};
use token_store::PartitionId;

/// The form of CKA_VALUE that is written: this byte, the partition, the next index big-endian, the seed.
const VERSION: u8 = 1;
/// Bytes of a partition's number.
const HOME_BYTES: usize = 16;
/// Bytes of an index.
const INDEX_BYTES: usize = 8;
/// The most that CKA_HSS_KEYS_REMAINING says (v3.2, 6.65.3).
const REMAINING_MAX: u64 = u32::MAX as u64;

/// Whether keys of this `CKK_*` count their signatures.
#[must_use]
pub const fn is_key_type(key_type: u64) -> bool {
    matches!(key_type, CKK_HSS | CKK_XMSS | CKK_XMSSMT)
}

/// Whether an object is a private key of such a type.
#[must_use]
pub fn is_private(object: &Object) -> bool {
    object.class() == CKO_PRIVATE_KEY && object.key_type().is_some_and(is_key_type)
}

/// What CKA_VALUE of a private key says.
struct State<'a> {
    home: PartitionId,
    next: u64,
    seed: &'a [u8],
}

impl<'a> State<'a> {
    fn read(value: &'a [u8]) -> Result<Self> {
        let parts = || {
            let (version, rest) = value.split_first()?;
            let (home, rest) = rest.split_first_chunk::<HOME_BYTES>()?;
            let (next, seed) = rest.split_first_chunk::<INDEX_BYTES>()?;
            let state = Self { home: PartitionId(*home), next: u64::from_be_bytes(*next), seed };
            (*version == VERSION).then_some(state)
        };
        parts().ok_or(Reason::Damaged("the value of a stateful key is not of a known form"))
    }

    fn write(&self) -> SecretBytes {
        let mut value = Vec::with_capacity(1 + HOME_BYTES + INDEX_BYTES + self.seed.len());
        value.push(VERSION);
        value.extend_from_slice(&self.home.0);
        value.extend_from_slice(&self.next.to_be_bytes());
        value.extend_from_slice(self.seed);
        SecretBytes::new(value)
    }
}

/// CKA_VALUE of a fresh private key, which belongs to no partition yet.
#[must_use]
pub fn fresh_value(seed: &[u8]) -> SecretBytes {
    State { home: PartitionId([0; HOME_BYTES]), next: 0, seed }.write()
}

/// What CKA_HSS_KEYS_REMAINING says for so many signatures.
#[must_use]
pub fn shown(signatures: u64) -> Value {
    Value::Number(signatures.min(REMAINING_MAX))
}

/// Ties a private key that shall be kept in a partition to it; other objects are answered as they are.
///
/// # Errors
/// `Damaged`.
pub fn bind(object: Object, home: PartitionId) -> Result<Object> {
    if !is_private(&object) || !object.is_token() {
        return Ok(object);
    }
    let mut attributes = object.attributes();
    let state = State { home, ..state_of(&object)? };
    attributes.insert(CKA_VALUE, Value::Bytes(state.write()));
    object.with_attributes(&attributes)
}

/// Takes the next index of a private key: the index, and the key without it. `home` is the partition that the key is kept in.
///
/// # Errors
/// `KeyExhausted` when none is left, or the key was made in another partition; `Damaged`.
pub fn advance(object: &Object, home: Option<PartitionId>) -> Result<(u64, Object)> {
    let state = state_of(object)?;
    let left = left(object)?;
    if left == 0 || home.is_some_and(|home| home != state.home) {
        return Err(Reason::KeyExhausted);
    }
    let index = state.next;
    let mut attributes = object.attributes();
    attributes.insert(CKA_VALUE, Value::Bytes(State { next: index + 1, ..state }.write()));
    if object.key_type() == Some(CKK_HSS) {
        attributes.insert(CKA_HSS_KEYS_REMAINING, shown(left - 1));
    }
    Ok((index, object.with_attributes(&attributes)?))
}

/// How many signatures a private key has left, the partition that it is in aside.
///
/// # Errors
/// `Damaged`.
pub fn left(object: &Object) -> Result<u64> {
    Ok(signatures(object)?.saturating_sub(state_of(object)?.next))
}

/// Whether two objects are the same private key, however many signatures it has made meanwhile.
#[must_use]
pub fn is_same(one: &Object, other: &Object) -> bool {
    is_private(one)
        && is_private(other)
        && matches!((state_of(one), state_of(other)), (Ok(one), Ok(other)) if SecretBytes::copy_of(one.seed).ct_eq(other.seed))
}

/// What an attribute says of a key that came with a restored backup: nothing is left. `None` where it says what is written.
#[must_use]
pub fn lapsed(object: &Object, home: PartitionId, kind: u64) -> Option<Answer> {
    let elsewhere = || state_of(object).is_ok_and(|state| state.home != home);
    let asked = kind == CKA_HSS_KEYS_REMAINING && is_private(object) && object.is_token();
    (asked && elsewhere()).then(|| Answer::Bytes(0_u64.to_ne_bytes().to_vec().into()))
}

fn state_of(object: &Object) -> Result<State<'_>> {
    State::read(object.bytes(CKA_VALUE).unwrap_or_default())
}

/// How many signatures a private key makes in its life.
fn signatures(object: &Object) -> Result<u64> {
    const NO_SET: Reason = Reason::Damaged("a stateful key of no known set");
    if object.key_type() == Some(CKK_HSS) {
        let heights = list(object.value(CKA_HSS_LMS_TYPES)).into_iter().map(lms_height);
        let height = heights.sum::<Option<u32>>().filter(|height| (1..=TOTAL_HEIGHT_MAX).contains(height));
        return height.map(|height| 1 << height).ok_or(NO_SET);
    }
    let set = object.key_type().zip(object.number(CKA_PARAMETER_SET));
    set.and_then(|(key_type, number)| xmss_set(key_type, number).ok()).map(XmssSet::signatures).ok_or(NO_SET)
}

fn list(value: Option<ValueRef<'_>>) -> Vec<u32> {
    match value {
        // What is no type of 32 bits is none at all, and no height belongs to 0.
        Some(ValueRef::Mechanisms(list)) => list.iter().map(|number| u32::try_from(*number).unwrap_or(0)).collect(),
        _ => Vec::new(),
    }
}

/// The set that a key type's CKA_PARAMETER_SET means.
///
/// # Errors
/// `ParameterSetUnknown`.
pub fn xmss_set(key_type: u64, number: u64) -> Result<XmssSet> {
    let known = u32::try_from(number).ok();
    match key_type {
        CKK_XMSS => known.and_then(XmssSet::xmss),
        CKK_XMSSMT => known.and_then(XmssSet::xmss_mt),
        _ => None,
    }
    .ok_or(Reason::ParameterSetUnknown(number))
}

/// Parses the key that the attributes make.
///
/// # Errors
/// `KeyMaterial`, `ParameterSetUnknown`, `Damaged`, or the engine's own failure.
pub fn parse(env: &Env<'_>, class: u64, key_type: u64, attributes: &Attributes) -> Result<Key> {
    let (engine, value) = (&env.engine.stateful, object::part(attributes, CKA_VALUE)?);
    let types = |kind| list(attributes.get(kind).map(Value::lend));
    let set = || match attributes.get(CKA_PARAMETER_SET) {
        Some(Value::Number(number)) => xmss_set(key_type, *number),
        _ => Err(Reason::TemplateIncomplete(CKA_PARAMETER_SET)),
    };
    match (class, key_type) {
        (CKO_PUBLIC_KEY, CKK_HSS) => (engine.hss_public)(value).map(Key::StatefulPublic),
        (CKO_PUBLIC_KEY, _) => (engine.xmss_public)(set()?, value).map(Key::StatefulPublic),
        (_, CKK_HSS) => {
            let types: Vec<_> = types(CKA_HSS_LMS_TYPES).into_iter().zip(types(CKA_HSS_LMOTS_TYPES)).collect();
            (engine.hss_private)(&types, State::read(value)?.seed).map(Key::StatefulPrivate)
        }
        _ => (engine.xmss_private)(set()?, State::read(value)?.seed).map(Key::StatefulPrivate),
    }
    .map_err(key::refusal)
}

/// What stands in an HSS public key beside its tree, which the engine has found good: the attributes of its top level.
///
/// # Errors
/// `KeyMaterial`.
pub fn top_level(value: &[u8]) -> Result<[(u64, Value); 3]> {
    let mut numbers = value.chunks_exact(4).map(|word| word.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)));
    let mut next = || numbers.next().map(Value::Number).ok_or(Reason::KeyMaterial("an HSS public key is cut off"));
    Ok([(CKA_HSS_LEVELS, next()?), (CKA_HSS_LMS_TYPE, next()?), (CKA_HSS_LMOTS_TYPE, next()?)])
}

/// The public key in the form that SubjectPublicKeyInfo carries.
///
/// # Errors
/// `KeyMaterial` for another type.
pub fn form(key_type: u64, key: Vec<u8>) -> Result<PublicForm> {
    let scheme = match key_type {
        CKK_HSS => HashScheme::Hss,
        CKK_XMSS => HashScheme::Xmss,
        CKK_XMSSMT => HashScheme::XmssMt,
        _ => return Err(Reason::KeyMaterial("not a stateful key")),
    };
    Ok(PublicForm::HashBased { scheme, key })
}

/// The attributes of a public key.
#[must_use]
pub fn public_material(scheme: HashScheme, key: Vec<u8>) -> Attributes {
    let key_type = match scheme {
        HashScheme::Hss => CKK_HSS,
        HashScheme::Xmss => CKK_XMSS,
        HashScheme::XmssMt => CKK_XMSSMT,
    };
    let mut attributes =
        Attributes::from([(CKA_CLASS, Value::Number(CKO_PUBLIC_KEY)), (CKA_KEY_TYPE, Value::Number(key_type))]);
    if key_type != CKK_HSS {
        // The number of its set is the first word of such a key.
        let number = key.iter().take(4).fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        attributes.insert(CKA_PARAMETER_SET, Value::Number(number));
    }
    attributes.insert(CKA_VALUE, Value::Bytes(key.into()));
    attributes
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: PartitionId = PartitionId([3; HOME_BYTES]);

    fn hss(next: u64, home: PartitionId) -> Object {
        let state = State { home, next, seed: &[7; 32] };
        Object::new(&Attributes::from([
            (CKA_CLASS, Value::Number(CKO_PRIVATE_KEY)),
            (CKA_TOKEN, Value::Flag(true)),
            (CKA_KEY_TYPE, Value::Number(CKK_HSS)),
            (CKA_VALUE, Value::Bytes(state.write())),
            (CKA_HSS_LMS_TYPES, Value::Mechanisms(Box::new([5]))),
            (CKA_HSS_KEYS_REMAINING, shown(32_u64.saturating_sub(next))),
        ]))
    }

    #[test]
    fn each_index_is_given_once_and_then_the_key_is_used_up() {
        let mut key = hss(0, HERE);
        for expected in 0..32 {
            let (index, rest) = advance(&key, Some(HERE)).unwrap();
            assert_eq!(index, expected);
            assert_eq!(rest.number(CKA_HSS_KEYS_REMAINING), Some(31 - expected));
            assert!(is_same(&key, &rest));
            key = rest;
        }
        assert!(matches!(advance(&key, Some(HERE)), Err(Reason::KeyExhausted)));
        assert_eq!(left(&key).unwrap(), 0);
        assert!(matches!(advance(&hss(u64::MAX, HERE), Some(HERE)), Err(Reason::KeyExhausted)));
    }

    #[test]
    fn a_key_signs_in_the_partition_that_made_it_and_shows_elsewhere_that_nothing_is_left() {
        let other = PartitionId([4; HOME_BYTES]);
        let key = hss(5, HERE);
        assert!(matches!(advance(&key, Some(other)), Err(Reason::KeyExhausted)));
        assert_eq!(lapsed(&key, other, CKA_HSS_KEYS_REMAINING), Some(Answer::Bytes(vec![0; 8].into())));
        assert!(lapsed(&key, HERE, CKA_HSS_KEYS_REMAINING).is_none());
        assert!(lapsed(&key, other, CKA_LABEL).is_none());
        // What nobody has tied to a partition is tied to none.
        let loose = hss(0, PartitionId([0; HOME_BYTES]));
        assert!(advance(&loose, Some(HERE)).is_err());
        assert_eq!(advance(&bind(loose, HERE).unwrap(), Some(HERE)).unwrap().0, 0);
        // A key of a session is in no partition.
        assert_eq!(advance(&hss(9, other), None).unwrap().0, 9);
    }

    #[test]
    fn a_value_of_another_form_is_damaged_and_signs_nothing() {
        for value in [&[][..], &[VERSION], &[2; 57], &[VERSION; 24]] {
            let mut attributes = hss(0, HERE).attributes();
            attributes.insert(CKA_VALUE, Value::Bytes(SecretBytes::copy_of(value)));
            assert!(matches!(advance(&Object::new(&attributes), Some(HERE)), Err(Reason::Damaged(_))), "{value:?}");
        }
        let mut attributes = hss(0, HERE).attributes();
        for types in [vec![], vec![4], vec![5; 13], vec![u64::MAX]] {
            attributes.insert(CKA_HSS_LMS_TYPES, Value::Mechanisms(types.into()));
            assert!(matches!(advance(&Object::new(&attributes), Some(HERE)), Err(Reason::Damaged(_))));
        }
    }
}
