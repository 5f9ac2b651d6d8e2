//! What all tests here share: engines, randomness, key objects, and operations done in every possible way.

use ffi_headers::*;
use hsm_core::attributes::Actor;
use hsm_core::mechanisms::{self, Crypter};
use hsm_core::object::{self, Attributes, Object, Value};
use hsm_core::platform::Env;
use hsm_core::template::Template;
use hsm_core::{Derived, Mechanism, ObjectHandle, Params, Reason, Result, Sources, keys};
use hsm_crypto::encoding::{PrivateForm, PublicForm};
use hsm_crypto::rsa::RsaParts;
use hsm_crypto::{CryptoError, Hash, Provider, Random, SecretBytes, portable, preferred};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

/// The random source of the operating system.
pub struct Os;

impl Random for Os {
    fn fill(&self, out: &mut [u8]) -> hsm_crypto::Result<()> {
        getrandom::fill(out).map_err(|_| CryptoError::RandomFailed)
    }
}

/// A random source whose bytes are known: 0, 1, 2, ...
pub struct Counting;

impl Random for Counting {
    fn fill(&self, out: &mut [u8]) -> hsm_crypto::Result<()> {
        for (at, byte) in out.iter_mut().enumerate() {
            *byte = u8::try_from(at % 256).unwrap();
        }
        Ok(())
    }
}

/// Counts signatures as no token may: over again, because the keys of these tests sign nothing else.
struct Again;

impl hsm_core::platform::OneTime for Again {
    fn reserve(&self, _unique_id: &[u8]) -> Result<u64> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        Ok(COUNT.fetch_add(1, Ordering::Relaxed) % 32)
    }
}

/// Every engine of this build, each once.
pub fn engines() -> Vec<&'static Provider> {
    if preferred().name == portable().name { vec![portable()] } else { vec![portable(), preferred()] }
}

/// What a mechanism sees.
pub fn env(engine: &'static Provider) -> Env<'static> {
    let policy = hsm_core::policy::Policy { approved: false, legacy: true, compatible: true };
    Env { engine, random: &Os, policy, one_time: Some(&Again) }
}

/// Reads hexadecimal, ignoring everything else.
pub fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        text.chars().filter_map(|c| c.to_digit(16)).map(|digit| u8::try_from(digit).unwrap()).collect();
    assert!(digits.len().is_multiple_of(2), "an odd number of digits");
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

pub fn mechanism(kind: u64, params: &Params) -> Mechanism {
    Mechanism { kind, params: params.clone() }
}

// --- keys ---

/// The usages that a key can have.
pub const USAGES: [u64; 11] = [
    CKA_SIGN,
    CKA_VERIFY,
    CKA_SIGN_RECOVER,
    CKA_VERIFY_RECOVER,
    CKA_ENCRYPT,
    CKA_DECRYPT,
    CKA_WRAP,
    CKA_UNWRAP,
    CKA_DERIVE,
    CKA_ENCAPSULATE,
    CKA_DECAPSULATE,
];

/// A key object that may be used for everything and extracted.
pub fn key(mut material: Attributes) -> Object {
    for usage in USAGES {
        material.insert(usage, Value::Flag(true));
    }
    material.insert(CKA_EXTRACTABLE, Value::Flag(true));
    Object::new(&material)
}

/// The same object with an attribute set.
pub fn with(object: &Object, kind: u64, value: Value) -> Object {
    let mut attributes = object.attributes();
    attributes.insert(kind, value);
    Object::new(&attributes)
}

pub fn secret(key_type: u64, value: &[u8]) -> Object {
    key(Attributes::from([
        (CKA_CLASS, Value::Number(CKO_SECRET_KEY)),
        (CKA_KEY_TYPE, Value::Number(key_type)),
        (CKA_VALUE, Value::Bytes(SecretBytes::copy_of(value))),
    ]))
}

pub fn aes(value: &[u8]) -> Object {
    secret(CKK_AES, value)
}

pub fn private(form: PrivateForm) -> Object {
    key(object::private_material(form))
}

pub fn public(form: PublicForm) -> Object {
    key(object::public_material(form))
}

pub fn rsa_public(modulus: &[u8], public_exponent: &[u8]) -> Object {
    let strip = |number: &[u8]| number.iter().copied().skip_while(|byte| *byte == 0).collect::<Vec<u8>>();
    public(PublicForm::Rsa { modulus: strip(modulus), public_exponent: strip(public_exponent) })
}

/// One RSA key of 2048 bits for all tests that need any.
pub static RSA: LazyLock<RsaParts> = LazyLock::new(|| (preferred().rsa_generate)(2048, &[1, 0, 1], &Os).unwrap().parts);

// --- derivations ---

/// The handle of the further key that sample parameters name.
pub const FURTHER: ObjectHandle = ObjectHandle(77);

/// Derives, with a second key behind [`FURTHER`].
pub fn derive_all(
    env: &Env<'_>,
    mechanism: &Mechanism,
    base: &Object,
    further: &Object,
    template: &Template,
) -> Result<Derived<Object>> {
    // As the kernel does: only keys whose handles stand in the parameter.
    let handles = match &mechanism.params {
        Params::Derive(params) => params.keys(),
        _ => Vec::new(),
    };
    let further: Vec<_> =
        handles.into_iter().map(|handle| (handle, Arc::new(Object::new(&further.attributes())))).collect();
    let actor = Actor { security_officer: false, user: true };
    keys::derive_key(env, actor, mechanism, Sources { base, further: &further }, template)
}

/// Derives the one key of a call, with a sample key behind [`FURTHER`].
pub fn derive(env: &Env<'_>, mechanism: &Mechanism, base: &Object, template: &Template) -> Result<Object> {
    let further = secret(CKK_GENERIC_SECRET, &[0x26; 32]);
    derive_all(env, mechanism, base, &further, template).map(|derived| derived.key.unwrap())
}

// --- operations, each in one part and in several ---

/// Sizes of parts that cross block boundaries in every way.
const PARTS: [usize; 6] = [1, 15, 16, 17, 0, 64];

/// Signs in one part, and in several where the mechanism can; `deterministic` asks for equal results.
pub fn sign(env: &Env<'_>, mechanism: &Mechanism, key: &Object, data: &[u8], deterministic: bool) -> Result<Vec<u8>> {
    let mut operation = mechanisms::start_sign(env, mechanism, key)?;
    let signature = operation.sign(env, data)?;
    assert!(signature.len() <= operation.signature_bytes(), "the size was promised");
    let mut operation = mechanisms::start_sign(env, mechanism, key)?;
    if operation.multi_part() {
        for part in split(data) {
            operation.update(part)?;
        }
        let in_parts = operation.finish(env)?;
        assert!(!deterministic || in_parts == signature, "parts make no difference");
    } else {
        assert!(matches!(operation.update(data), Err(Reason::SinglePartOnly)));
    }
    Ok(signature)
}

/// Verifies in one part, and in several where the mechanism can; both must come to the same.
pub fn verify(env: &Env<'_>, mechanism: &Mechanism, key: &Object, data: &[u8], signature: &[u8]) -> Result<()> {
    let mut operation = mechanisms::start_verify(env, mechanism, key)?;
    let outcome = operation.verify(env, data, signature);
    let mut operation = mechanisms::start_verify(env, mechanism, key)?;
    if operation.multi_part() {
        for part in split(data) {
            operation.update(part)?;
        }
        let in_parts = operation.finish(env, signature);
        assert_eq!(rv(&outcome), rv(&in_parts), "parts make no difference");
    }
    outcome
}

pub fn encrypt(env: &Env<'_>, mechanism: &Mechanism, key: &Object, data: &[u8]) -> Result<Vec<u8>> {
    // The kernel refuses a buffer below the promise before the work, so more than the result would be too much.
    crypt(env, || mechanisms::start_encrypt(env, mechanism, key), data, |came, promised| came == promised)
}

/// Makes a signature that carries its data.
pub fn sign_recover(env: &Env<'_>, mechanism: &Mechanism, key: &Object, data: &[u8]) -> Result<Vec<u8>> {
    crypt(env, || mechanisms::start_sign_recover(env, mechanism, key), data, |came, promised| came == promised)
}

/// Gives the data that a signature carries.
pub fn verify_recover(env: &Env<'_>, mechanism: &Mechanism, key: &Object, signature: &[u8]) -> Result<Vec<u8>> {
    crypt(env, || mechanisms::start_verify_recover(env, mechanism, key), signature, |came, promised| came <= promised)
}

pub fn decrypt(env: &Env<'_>, mechanism: &Mechanism, key: &Object, data: &[u8]) -> Result<Vec<u8>> {
    crypt(env, || mechanisms::start_decrypt(env, mechanism, key), data, |came, promised| came <= promised)
}

/// Crypts in one part, and in several where the mechanism can; all promised sizes must hold.
fn crypt(
    env: &Env<'_>,
    start: impl Fn() -> Result<Box<dyn Crypter>>,
    data: &[u8],
    holds: fn(usize, usize) -> bool,
) -> Result<Vec<u8>> {
    let mut operation = start()?;
    let promised = operation.one_shot_bytes(data.len());
    let mut whole = vec![0; promised];
    let outcome = operation.one_shot(env, data, &mut whole).map(|bytes| whole[..bytes].to_vec());
    if let Ok(whole) = &outcome {
        assert!(holds(whole.len(), promised), "{} bytes came, {promised} were promised", whole.len());
    }
    let mut operation = start()?;
    if operation.multi_part() {
        let in_parts = crypt_in_parts(env, &mut *operation, data, holds);
        match (&outcome, &in_parts) {
            (Ok(whole), Ok(in_parts)) => assert_eq!(whole, in_parts, "parts make no difference"),
            _ => assert_eq!(rv(&outcome), rv(&in_parts), "parts make no difference"),
        }
    }
    outcome
}

fn crypt_in_parts(
    env: &Env<'_>,
    operation: &mut dyn Crypter,
    data: &[u8],
    holds: fn(usize, usize) -> bool,
) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    for part in split(data) {
        let mut made = vec![0; operation.update_bytes(part.len())];
        let bytes = operation.update(part, &mut made)?;
        assert_eq!(bytes, made.len(), "the size of an update is exact");
        out.append(&mut made);
    }
    let mut made = vec![0; operation.finish_bytes()];
    let bytes = operation.finish(env, &mut made)?;
    assert!(holds(bytes, made.len()), "the size of the end was promised");
    out.extend_from_slice(&made[..bytes]);
    Ok(out)
}

fn split(data: &[u8]) -> Vec<&[u8]> {
    let (mut parts, mut rest) = (Vec::new(), data);
    for size in PARTS.iter().cycle() {
        if rest.is_empty() {
            return parts;
        }
        let (part, left) = rest.split_at(rest.len().min(*size));
        parts.push(part);
        rest = left;
    }
    parts
}

/// The return value that an outcome stands for.
pub fn rv<T>(outcome: &Result<T>) -> u64 {
    outcome.as_ref().map_or_else(Reason::rv, |_| CKR_OK)
}

/// A digest made beside the mechanism layer.
pub fn digest(env: &Env<'_>, hash: Hash, data: &[u8]) -> Vec<u8> {
    let mut digest = (env.engine.digest)(hash);
    digest.update(data);
    digest.finish()
}

/// The `CKM_*` of a hash, and its `CKG_*`.
pub fn numbers(hash: Hash) -> (u64, u64) {
    match hash {
        Hash::Sha1 => (CKM_SHA_1, CKG_MGF1_SHA1),
        Hash::Sha224 => (CKM_SHA224, CKG_MGF1_SHA224),
        Hash::Sha256 => (CKM_SHA256, CKG_MGF1_SHA256),
        Hash::Sha384 => (CKM_SHA384, CKG_MGF1_SHA384),
        Hash::Sha512 => (CKM_SHA512, CKG_MGF1_SHA512),
        Hash::Sha3_224 => (CKM_SHA3_224, CKG_MGF1_SHA3_224),
        Hash::Sha3_256 => (CKM_SHA3_256, CKG_MGF1_SHA3_256),
        Hash::Sha3_384 => (CKM_SHA3_384, CKG_MGF1_SHA3_384),
        Hash::Sha3_512 => (CKM_SHA3_512, CKG_MGF1_SHA3_512),
        // No number is there for masks with these.
        Hash::Sha512_224 => (CKM_SHA512_224, CKG_MGF1_SHA512),
        Hash::Sha512_256 => (CKM_SHA512_256, CKG_MGF1_SHA512),
        other => panic!("{other:?} is no parameter of RSA"),
    }
}
