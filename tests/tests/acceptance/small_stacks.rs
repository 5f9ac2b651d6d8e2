//! Threads with small stacks: stunnel gives each of its threads 64 KiB, musl 128.
//!
//! A thread that runs off its stack takes the host with it, so this is about the whole way down: engines, self-tests, the
//! store. The first call of each kind is the deepest, and here a small thread makes it, from C_Initialize on.

use perilune_tests::ck::*;
use perilune_tests::raw::{plain, sized, with};
use perilune_tests::{Raw, TOKEN_LABEL, Template, USER_PIN, ck, ck3, isolated, module};
use std::ptr::null_mut;

/// What stunnel gives; the scenario's own frames are in it, too.
const STACK: usize = 64 * 1024;

/// `CKA_EC_PARAMS` of P-256, P-384, P-521 and secp256k1.
const CURVES: [&[u8]; 4] = [
    &[6, 8, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 3, 1, 7],
    &[6, 5, 0x2B, 0x81, 4, 0, 0x22],
    &[6, 5, 0x2B, 0x81, 4, 0, 0x23],
    &[6, 5, 0x2B, 0x81, 4, 0, 0x0A],
];
const EDWARDS: &[u8] = &[6, 3, 0x2B, 0x65, 0x70];

/// `CKA_EC_PARAMS` of Ed448 and X448.
const GOLDILOCKS: [&[u8]; 2] = [&[6, 3, 0x2B, 0x65, 0x71], &[6, 3, 0x2B, 0x65, 0x6F]];

/// Runs one piece of work in a thread of its own with a small stack.
fn small(work: impl FnOnce() + Send) {
    within(STACK, work);
}

/// As `small`, with a stack of so many bytes.
fn within(stack: usize, work: impl FnOnce() + Send) {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(stack).spawn_scoped(scope, work).expect("a thread");
        thread.join().expect("the work is done");
    });
}

/// Why nothing is said of the portable engine.
const OTHER_STACKS: &str = "the figures are those of AWS-LC";

#[test]
fn threads_with_64_kib_begin_log_in_generate_sign_and_write() {
    isolated!(|_, _| {
        let raw = Raw::load();
        small(|| assert_eq!(ck!(raw, C_Initialize, null_mut()), CKR_OK));
        small(|| {
            raw.new_token();
        });
        let session = raw.session(raw.slot_of(TOKEN_LABEL).expect("the token"));
        small(|| assert_eq!(raw.login(session, CKU_USER, USER_PIN), Ok(())));
        let kept = Template::new().flag(CKA_TOKEN, true);
        for (curve, generation, signing) in CURVES
            .iter()
            .map(|curve| (*curve, CKM_EC_KEY_PAIR_GEN, CKM_ECDSA))
            .chain([(EDWARDS, CKM_EC_EDWARDS_KEY_PAIR_GEN, CKM_EDDSA)])
        {
            small(|| {
                let (public, private) = raw.ec(session, generation, curve, &kept).expect("a pair");
                let signature = raw.sign(session, plain(signing), private, &[5; 32]).expect("signed");
                assert_eq!(raw.verify(session, plain(signing), public, &[5; 32], &signature), Ok(()));
            });
        }
        small(|| {
            let (public, private) = raw.rsa(session);
            let mut pss = CK_RSA_PKCS_PSS_PARAMS { hashAlg: CKM_SHA256, mgf: CKG_MGF1_SHA256, sLen: 32 };
            let mechanism = with(CKM_SHA256_RSA_PKCS_PSS, &mut pss);
            let signature = raw.sign(session, mechanism, private, b"text").expect("signed");
            assert_eq!(raw.verify(session, mechanism, public, b"text", &signature), Ok(()));
        });
        small(|| {
            let key = raw.aes(session, 32);
            let sealed = raw.encrypt(session, plain(CKM_AES_ECB), key, &[1; 32]).expect("sealed");
            assert_eq!(raw.decrypt(session, plain(CKM_AES_ECB), key, &sealed).as_deref(), Ok(&[1; 32][..]));
        });
        small(|| raw.finalize());
        // With a store that is there already, as in a worker.
        small(|| assert_eq!(ck!(raw, C_Initialize, null_mut()), CKR_OK));
        let session = raw.session(raw.slot_of(TOKEN_LABEL).expect("the token"));
        small(|| assert_eq!(raw.login(session, CKU_USER, USER_PIN), Ok(())));
        small(|| assert_eq!(raw.find(session, Template::new().number(CKA_CLASS, CKO_PRIVATE_KEY), 10).len(), 5));
        small(|| raw.finalize());
    });
}

/// Lattices and hash trees work on arrays of tens of KiB, which the crates of ML-DSA and SLH-DSA keep on the stack, their self-tests included:
/// docs/daemons.md, "Threads with small stacks". Each kind is first used in such a thread.
#[test]
fn post_quantum_cryptography_needs_no_larger_stacks_than_is_written_down() {
    if !module::has_aws_lc("post_quantum_cryptography_needs_no_larger_stacks_than_is_written_down", OTHER_STACKS) {
        return;
    }
    const ML_DSA_STACK: usize = 256 * 1024;
    const SLH_DSA_STACK: usize = 512 * 1024;
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let set = |number| Template::new().number(CKA_PARAMETER_SET, number);
        for number in [CKP_ML_KEM_512, CKP_ML_KEM_768, CKP_ML_KEM_1024] {
            small(|| encapsulates(&raw, session, set(number)));
        }
        for number in [CKP_ML_DSA_44, CKP_ML_DSA_65, CKP_ML_DSA_87] {
            within(ML_DSA_STACK, || signs(&raw, session, (CKM_ML_DSA_KEY_PAIR_GEN, CKM_ML_DSA), set(number)));
        }
        // The small sets sign too slowly for every run, and with the same code.
        for number in [CKP_SLH_DSA_SHA2_128F, CKP_SLH_DSA_SHAKE_128F, CKP_SLH_DSA_SHA2_256F, CKP_SLH_DSA_SHAKE_256F] {
            within(SLH_DSA_STACK, || signs(&raw, session, (CKM_SLH_DSA_KEY_PAIR_GEN, CKM_SLH_DSA), set(number)));
        }
    });
}

#[test]
fn threads_with_64_kib_work_on_every_other_kind_of_key() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let [edwards, montgomery] = GOLDILOCKS;
        small(|| {
            let params = Template::new().bytes(CKA_EC_PARAMS, edwards);
            signs(&raw, session, (CKM_EC_EDWARDS_KEY_PAIR_GEN, CKM_EDDSA), params);
        });
        small(|| {
            let params = Template::new().bytes(CKA_EC_PARAMS, montgomery);
            let made = raw.generate_pair(session, plain(CKM_EC_MONTGOMERY_KEY_PAIR_GEN), params, Template::new());
            assert!(made.is_ok());
        });
        small(|| {
            let params = Template::new().number(CKA_MODULUS_BITS, 4096);
            signs(&raw, session, (CKM_RSA_PKCS_KEY_PAIR_GEN, CKM_SHA256_RSA_PKCS), params);
        });
        small(|| {
            let key = raw.aes(session, 32);
            let mut iv = [4; 12];
            let mut gcm = CK_GCM_PARAMS {
                pIv: iv.as_mut_ptr(),
                ulIvLen: 12,
                ulIvBits: 96,
                pAAD: null_mut(),
                ulAADLen: 0,
                ulTagBits: 128,
            };
            let sealed = raw.encrypt(session, with(CKM_AES_GCM, &mut gcm), key, &[1; 4096]).expect("sealed");
            assert_eq!(raw.decrypt(session, with(CKM_AES_GCM, &mut gcm), key, &sealed).as_deref(), Ok(&[1; 4096][..]));
        });
    });
}

/// Generates a pair, signs and verifies.
fn signs(raw: &Raw, session: CK_SESSION_HANDLE, mechanisms: (CK_MECHANISM_TYPE, CK_MECHANISM_TYPE), public: Template) {
    let (generation, signing) = mechanisms;
    let private = Template::new().flag(CKA_SIGN, true);
    let pair = raw.generate_pair(session, plain(generation), public.flag(CKA_VERIFY, true), private);
    let (public, private) = pair.expect("a pair");
    let signature = raw.sign(session, plain(signing), private, b"text").expect("signed");
    assert_eq!(raw.verify(session, plain(signing), public, b"text", &signature), Ok(()));
}

/// Generates a pair, encapsulates a key and takes it out again.
fn encapsulates(raw: &Raw, session: CK_SESSION_HANDLE, public: Template) {
    let (public, private) = (public.flag(CKA_ENCAPSULATE, true), Template::new().flag(CKA_DECAPSULATE, true));
    let pair = raw.generate_pair(session, plain(CKM_ML_KEM_KEY_PAIR_GEN), public, private);
    let (public, private) = pair.expect("a pair");
    let mut template = Template::new().number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, CKK_AES);
    template = template.number(CKA_VALUE_LEN, 32).flag(CKA_SENSITIVE, false).flag(CKA_EXTRACTABLE, true);
    let mut list = template.attributes();
    let (at, count) = (list.as_mut_ptr(), list.len() as CK_ULONG);
    let (mut mechanism, mut made, mut found) = (plain(CKM_ML_KEM), 0, 0);
    let ciphertext = sized(|out, room| {
        ck3!(raw, C_EncapsulateKey, session, &mut mechanism, public, at, count, out, room, &mut made)
    });
    let (ciphertext, length) = (ciphertext.as_deref().expect("a ciphertext"), ciphertext.as_ref().map_or(0, Vec::len));
    let start = ciphertext.as_ptr().cast_mut();
    let length = length as CK_ULONG;
    let code = ck3!(raw, C_DecapsulateKey, session, &mut mechanism, private, at, count, start, length, &mut found);
    assert_eq!(code, CKR_OK);
    assert_eq!(raw.attribute(session, made, CKA_VALUE), raw.attribute(session, found, CKA_VALUE));
}
