//! Threads with small stacks: stunnel gives each of its threads 64 KiB, musl 128.
//!
//! A thread that runs off its stack takes the host with it, so this is about the whole way down: engines, self-tests, the
//! store. The first call of each kind is the deepest, and here a small thread makes it, from C_Initialize on.

use perilune_tests::ck::*;
use perilune_tests::raw::{plain, with};
use perilune_tests::{Raw, TOKEN_LABEL, Template, USER_PIN, ck, isolated};
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

/// Runs one piece of work in a thread of its own with a small stack.
fn small(work: impl FnOnce() + Send) {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work).expect("a thread");
        thread.join().expect("the work is done");
    });
}

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
