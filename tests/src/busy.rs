//! Threads in the middle of every kind of call, for what must work beside them: fork, C_Finalize, exit.
//!
//! Owns: one thread for each kind of call, each on a session of its own, and the count of its rounds. Does not know: what
//! happens meanwhile. A thread fails by panicking when a call does not answer as it must.

use crate::attribute::Template;
use crate::ck;
use crate::ck::*;
use crate::place::{SO_PIN, TOKEN_LABEL, USER_PIN};
use crate::raw::{Raw, answer, plain, sized, with, with_bytes};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The OID of P-256 as `CKA_EC_PARAMS` has it.
pub const P_256: [u8; 10] = [6, 8, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 3, 1, 7];
/// The token that the thread logs in to and out of, because that touches every session of a token.
pub const OTHER_TOKEN: &str = "other";
/// The token that a thread initialises anew and whose PINs it sets.
const RENEWED_TOKEN: &str = "renewed";

/// What the threads work on.
pub struct Bench<'a> {
    raw: &'a Raw,
    slot: CK_SLOT_ID,
    other: CK_SLOT_ID,
    renewed: CK_SLOT_ID,
    /// A P-256 pair in the token, label `pair`.
    pub ec: (CK_OBJECT_HANDLE, CK_OBJECT_HANDLE),
    /// An RSA-2048 pair in the token, label `rsa`.
    pub rsa: (CK_OBJECT_HANDLE, CK_OBJECT_HANDLE),
    aes: CK_OBJECT_HANDLE,
    stop: AtomicBool,
    rounds: Vec<AtomicU64>,
}

/// One kind of call: its name, and one round of it in a session.
type Kind = (&'static str, fn(&Bench<'_>, CK_SESSION_HANDLE));

/// Every kind; a thread each.
const KINDS: [Kind; 16] = [
    ("sign with P-256", sign_ec),
    ("sign with RSA", sign_rsa),
    ("verify", verify),
    ("encrypt and decrypt", encrypt),
    ("digest", digest),
    ("find", find),
    ("token objects", token_objects),
    ("session objects", session_objects),
    ("generate pairs", pairs),
    ("log in and out", login),
    ("initialise a token, set PINs", renew),
    ("sessions", sessions),
    ("random", random),
    ("information", information),
    ("wrap, unwrap, derive", wrap),
    ("threads that come and go", short_threads),
];

impl<'a> Bench<'a> {
    /// Makes the tokens, keys in the first, and logs in to that one; returns the bench and a read-write session.
    #[must_use]
    pub fn new(raw: &'a Raw) -> (Self, CK_SESSION_HANDLE) {
        let session = raw.user_session();
        let slot = raw.slot_of(TOKEN_LABEL).expect("the token");
        let [other, renewed] = [OTHER_TOKEN, RENEWED_TOKEN].map(|name| raw.new_token_named(name));
        let both = Template::new().flag(CKA_TOKEN, true).text(CKA_LABEL, "pair").flag(CKA_DERIVE, true);
        let ec = raw.ec(session, CKM_EC_KEY_PAIR_GEN, &P_256, &both).expect("a pair");
        let kept = Template::new().flag(CKA_TOKEN, true).text(CKA_LABEL, "rsa");
        let public = Template::new().number(CKA_MODULUS_BITS, 2048).bytes(CKA_PUBLIC_EXPONENT, &[1, 0, 1]).and(&kept);
        let rsa = raw.generate_pair(session, plain(CKM_RSA_PKCS_KEY_PAIR_GEN), public, kept).expect("an RSA pair");
        let aes = raw.aes(session, 32);
        let rounds = KINDS.iter().map(|_| AtomicU64::new(0)).collect();
        (Self { raw, slot, other, renewed, ec, rsa, aes, stop: AtomicBool::new(false), rounds }, session)
    }

    /// Runs `work` while the threads are busy: after each has done a round, and until each has done some more.
    pub fn while_busy(&self, work: impl FnOnce()) {
        self.with_threads(&KINDS, work);
    }

    /// As `while_busy`, with the threads that draw random numbers inside the engine only: the shortest calls with the
    /// most steps under its locks.
    pub fn while_signing(&self, work: impl FnOnce()) {
        let kinds = [("sign with P-256", sign_ec as fn(&Bench<'_>, CK_SESSION_HANDLE)); 3];
        self.with_threads(&kinds, work);
    }

    /// As `while_busy`, with threads that draw random numbers: from the module, and inside the engine.
    pub fn while_drawing(&self, work: impl FnOnce()) {
        let kinds: [Kind; 3] = [("random", random), ("sign with P-256", sign_ec), ("sign with RSA", sign_rsa)];
        self.with_threads(&kinds, work);
    }

    fn with_threads(&self, kinds: &[Kind], work: impl FnOnce()) {
        std::thread::scope(|scope| {
            // Also when `work` panics, so that the scope ends.
            let _stop = Stop(&self.stop);
            for (number, (name, round)) in kinds.iter().enumerate() {
                let thread = std::thread::Builder::new().name((*name).into());
                let busy = move || {
                    let session = self.raw.session(self.slot);
                    while !self.stop.load(Ordering::Relaxed) {
                        round(self, session);
                        self.rounds[number].fetch_add(1, Ordering::Relaxed);
                    }
                    assert_eq!(ck!(self.raw, C_CloseSession, session), CKR_OK);
                };
                let _ = thread.spawn_scoped(scope, busy).expect("a thread");
            }
            self.await_rounds(kinds, 1);
            work();
            self.await_rounds(kinds, 2);
        });
    }

    /// Waits until each thread has done this many rounds more.
    fn await_rounds(&self, kinds: &[Kind], more: u64) {
        let begin: Vec<_> = self.rounds[..kinds.len()].iter().map(|count| count.load(Ordering::Relaxed)).collect();
        for (number, begin) in begin.into_iter().enumerate() {
            let start = std::time::Instant::now();
            while self.rounds[number].load(Ordering::Relaxed) < begin + more {
                assert!(start.elapsed().as_secs() < 120, "{} stands still", kinds[number].0);
                std::thread::sleep(std::time::Duration::from_millis(2));
            }
        }
    }
}

/// Ends the threads when it is dropped.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn pss() -> CK_RSA_PKCS_PSS_PARAMS {
    CK_RSA_PKCS_PSS_PARAMS { hashAlg: CKM_SHA256, mgf: CKG_MGF1_SHA256, sLen: 32 }
}

fn sign_ec(bench: &Bench<'_>, session: CK_SESSION_HANDLE) {
    bench.raw.sign(session, plain(CKM_ECDSA), bench.ec.1, &[7; 32]).expect("an ECDSA signature");
}

fn sign_rsa(bench: &Bench<'_>, session: CK_SESSION_HANDLE) {
    let signature = bench.raw.sign(session, with(CKM_SHA256_RSA_PKCS_PSS, &mut pss()), bench.rsa.1, b"message");
    assert_eq!(signature.map(|bytes| bytes.len()), Ok(256));
}

fn verify(bench: &Bench<'_>, session: CK_SESSION_HANDLE) {
    let signature = bench.raw.sign(session, plain(CKM_ECDSA_SHA256), bench.ec.1, b"message").expect("signed");
    for _ in 0..8 {
        let answer = bench.raw.verify(session, plain(CKM_ECDSA_SHA256), bench.ec.0, b"message", &signature);
        assert_eq!(answer, Ok(()));
    }
}

fn encrypt(bench: &Bench<'_>, session: CK_SESSION_HANDLE) {
    let (message, mut iv) = ([3; 1000], [9; 16]);
    let sealed = bench.raw.encrypt(session, with_bytes(CKM_AES_CBC_PAD, &mut iv), bench.aes, &message).expect("sealed");
    let opened = bench.raw.decrypt(session, with_bytes(CKM_AES_CBC_PAD, &mut iv), bench.aes, &sealed);
    assert_eq!(opened.as_deref(), Ok(&message[..]));
}

fn digest(bench: &Bench<'_>, session: CK_SESSION_HANDLE) {
    let mut out = [0; 32];
    let mut room = 32;
    assert_eq!(ck!(bench.raw, C_DigestInit, session, &mut plain(CKM_SHA256)), CKR_OK);
    assert_eq!(ck!(bench.raw, C_DigestUpdate, session, [1; 500].as_ptr().cast_mut(), 500), CKR_OK);
    assert_eq!(ck!(bench.raw, C_DigestFinal, session, out.as_mut_ptr(), &mut room), CKR_OK);
}

fn find(bench: &Bench<'_>, session: CK_SESSION_HANDLE) {
    assert_eq!(bench.raw.find(session, Template::new().text(CKA_LABEL, "pair"), 10).len(), 2);
}

fn data(label: &str, token: bool) -> Template {
    Template::new().number(CKA_CLASS, CKO_DATA).flag(CKA_TOKEN, token).text(CKA_LABEL, label)
}

fn token_objects(bench: &Bench<'_>, session: CK_SESSION_HANDLE) {
    let object = bench.raw.create(session, data("churn", true)).expect("a token object");
    assert_eq!(bench.raw.set(session, object, Template::new().text(CKA_LABEL, "changed")), Ok(()));
    assert_eq!(bench.raw.destroy(session, object), Ok(()));
}

fn session_objects(bench: &Bench<'_>, session: CK_SESSION_HANDLE) {
    let object = bench.raw.create(session, data("churn", false)).expect("a session object");
    let copy = bench.raw.copy(session, object, Template::new()).expect("a copy");
    assert_eq!(bench.raw.destroy(session, object), Ok(()));
    assert_eq!(bench.raw.destroy(session, copy), Ok(()));
}

fn pairs(bench: &Bench<'_>, session: CK_SESSION_HANDLE) {
    for token in [false, false, false, true] {
        let more = Template::new().flag(CKA_TOKEN, token).text(CKA_LABEL, "passing");
        let (public, private) = bench.raw.ec(session, CKM_EC_KEY_PAIR_GEN, &P_256, &more).expect("a pair");
        assert_eq!(bench.raw.destroy(session, public), Ok(()));
        assert_eq!(bench.raw.destroy(session, private), Ok(()));
    }
    let (public, private) = bench.raw.rsa(session);
    assert_eq!(bench.raw.destroy(session, public), Ok(()));
    assert_eq!(bench.raw.destroy(session, private), Ok(()));
}

fn login(bench: &Bench<'_>, _: CK_SESSION_HANDLE) {
    let session = bench.raw.session(bench.other);
    for (user, pin) in [(CKU_USER, USER_PIN), (CKU_SO, SO_PIN)] {
        assert_eq!(bench.raw.login(session, user, pin), Ok(()));
        assert_eq!(ck!(bench.raw, C_Logout, session), CKR_OK);
    }
    assert_eq!(ck!(bench.raw, C_CloseSession, session), CKR_OK);
}

/// The Security Officer's PIN is another one for a moment.
fn renew(bench: &Bench<'_>, _: CK_SESSION_HANDLE) {
    let raw = bench.raw;
    assert_eq!(raw.init_token(bench.renewed, SO_PIN, RENEWED_TOKEN), Ok(()));
    let session = raw.session(bench.renewed);
    let (pin, length) = (USER_PIN.as_ptr().cast_mut(), USER_PIN.len() as CK_ULONG);
    assert_eq!(raw.login(session, CKU_SO, SO_PIN), Ok(()));
    assert_eq!(ck!(raw, C_InitPIN, session, pin, length), CKR_OK);
    assert_eq!(ck!(raw, C_SetPIN, session, SO_PIN.as_ptr().cast_mut(), SO_PIN.len() as CK_ULONG, pin, length), CKR_OK);
    assert_eq!(ck!(raw, C_SetPIN, session, pin, length, SO_PIN.as_ptr().cast_mut(), SO_PIN.len() as CK_ULONG), CKR_OK);
    assert_eq!(ck!(raw, C_CloseSession, session), CKR_OK);
}

fn sessions(bench: &Bench<'_>, _: CK_SESSION_HANDLE) {
    let opened: Vec<_> = (0..10).map(|_| bench.raw.session(bench.slot)).collect();
    for session in opened {
        assert_eq!(ck!(bench.raw, C_CloseSession, session), CKR_OK);
    }
}

fn random(bench: &Bench<'_>, session: CK_SESSION_HANDLE) {
    let mut out = vec![0; 65_536];
    assert_eq!(ck!(bench.raw, C_GenerateRandom, session, out.as_mut_ptr(), out.len() as CK_ULONG), CKR_OK);
}

fn information(bench: &Bench<'_>, session: CK_SESSION_HANDLE) {
    assert_eq!(ck!(bench.raw, C_GetInfo, &mut CK_INFO::default()), CKR_OK);
    assert_eq!(ck!(bench.raw, C_GetSessionInfo, session, &mut CK_SESSION_INFO::default()), CKR_OK);
    assert!(bench.raw.slots(true).len() >= 2);
    assert!(bench.raw.token_info(bench.slot).is_ok());
    let mut info = CK_MECHANISM_INFO::default();
    assert_eq!(ck!(bench.raw, C_GetMechanismInfo, bench.slot, CKM_ECDSA, &mut info), CKR_OK);
}

fn wrap(bench: &Bench<'_>, session: CK_SESSION_HANDLE) {
    let raw = bench.raw;
    let key = raw.aes(session, 16);
    let mut mechanism = plain(CKM_AES_KEY_WRAP);
    let wrapped =
        sized(|out, room| ck!(raw, C_WrapKey, session, &mut mechanism, bench.aes, key, out, room)).expect("wrapped");
    let mut secret = Template::new().number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, CKK_AES);
    let mut list = secret.attributes();
    let (bytes, length) = crate::raw::input(&wrapped);
    let (pointer, count) = (list.as_mut_ptr(), list.len() as CK_ULONG);
    let mut copy = 0;
    let code = ck!(raw, C_UnwrapKey, session, &mut mechanism, bench.aes, bytes, length, pointer, count, &mut copy);
    assert_eq!(answer(code), Ok(()));
    let derived = derive(bench, session);
    for object in [key, copy, derived] {
        assert_eq!(raw.destroy(session, object), Ok(()));
    }
}

/// ECDH of the token's pair with itself.
fn derive(bench: &Bench<'_>, session: CK_SESSION_HANDLE) -> CK_OBJECT_HANDLE {
    let mut point = bench.raw.attribute(session, bench.ec.0, CKA_EC_POINT).expect("a point");
    let mut ecdh = CK_ECDH1_DERIVE_PARAMS {
        kdf: CKD_NULL,
        ulSharedDataLen: 0,
        pSharedData: null_mut(),
        ulPublicDataLen: point.len() as CK_ULONG,
        pPublicData: point.as_mut_ptr(),
    };
    let mut secret = Template::new().number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, CKK_GENERIC_SECRET);
    let mut list = secret.attributes();
    let (pointer, count) = (list.as_mut_ptr(), list.len() as CK_ULONG);
    let mut mechanism = with(CKM_ECDH1_DERIVE, &mut ecdh);
    let mut derived = 0;
    let code = ck!(bench.raw, C_DeriveKey, session, &mut mechanism, bench.ec.1, pointer, count, &mut derived);
    assert_eq!(answer(code), Ok(()));
    derived
}

/// Threads that are in the module for the first time, and end: engines make and drop their state of a thread then.
fn short_threads(bench: &Bench<'_>, session: CK_SESSION_HANDLE) {
    std::thread::scope(|scope| {
        let _ = scope.spawn(|| sign_ec(bench, session));
    });
}
