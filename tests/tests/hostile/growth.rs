//! Loops that leave nothing behind cost no memory for good; and a host whose address space is full lives on.
//!
//! Owns: what a round of each loop is, and how many bytes all rounds together may keep. The memory of this program lies between the
//! fence's pages, so what the C library's heap holds in this process is the module's. Called from `shortage`.

use crate::calls::{Call, names};
use crate::cases::Cases;
use crate::shortage::ITEM;
use crate::target::{Done, Target, word};
use perilune_tests::child::forked;
use perilune_tests::ck::*;
use perilune_tests::hand::P256;
use perilune_tests::raw::{input, plain, with};
use perilune_tests::{Template, ck};
use std::ptr::null_mut;

/// One loop.
struct Loop {
    name: &'static str,
    rounds: usize,
    /// How much more memory may be in use after all rounds than before them.
    bytes_max: usize,
    round: fn(&Target) -> Done,
}

const KIB: usize = 1 << 10;

const LOOPS: [Loop; 11] = [
    Loop { name: "sessions", rounds: 1000, bytes_max: 4 * KIB, round: sessions },
    Loop { name: "session objects", rounds: 1000, bytes_max: 4 * KIB, round: session_objects },
    Loop { name: "failed operations of each kind", rounds: 300, bytes_max: 4 * KIB, round: failures },
    Loop { name: "searches", rounds: 1000, bytes_max: 4 * KIB, round: searches },
    Loop { name: "messages", rounds: 300, bytes_max: 4 * KIB, round: messages },
    Loop { name: "pairs of keys", rounds: 100, bytes_max: 4 * KIB, round: pairs },
    // What is written stands in the journal, and in memory until that is folded: some hundred bytes each.
    Loop { name: "token objects", rounds: 200, bytes_max: 400 * KIB, round: token_objects },
    Loop { name: "logout and login", rounds: 100, bytes_max: 16 * KIB, round: logins },
    Loop { name: "wrong PINs", rounds: 50, bytes_max: 64 * KIB, round: wrong_pins },
    Loop { name: "children", rounds: 50, bytes_max: 4 * KIB, round: children },
    Loop { name: "C_Finalize and C_Initialize", rounds: 50, bytes_max: 16 * KIB, round: restarts },
];

/// A case for each loop, and the full address space.
pub fn cases(cases: &mut Cases) {
    for one in LOOPS {
        cases.add(ITEM, format!("growth of {}", one.name), move |target| grows(target, &one));
    }
    cases.add(ITEM, "a full address space", full);
}

/// What the C library's heap has given out, in bytes.
fn in_use() -> usize {
    // SAFETY: has no preconditions.
    let found = unsafe { libc::mallinfo2() };
    found.uordblks + found.hblkhd
}

/// The memory of this process that is in RAM, in KiB.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("this process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
    line.split_whitespace().next().and_then(|number| number.parse().ok()).expect("a number")
}

fn grows(target: &Target, one: &Loop) -> Done {
    target.aes()?;
    let all = || (0..one.rounds).try_for_each(|_| (one.round)(target));
    all()?;
    let before = (in_use(), resident());
    all()?;
    let (bytes, kib) = (in_use().saturating_sub(before.0), resident().saturating_sub(before.1));
    target.effect(&format!("{} rounds keep {bytes} bytes", one.rounds), bytes <= one.bytes_max);
    target.effect(&format!("{} rounds cost {kib} KiB of RAM", one.rounds), kib < 1024);
    Ok(())
}

fn sessions(target: &Target) -> Done {
    let session = target.open()?;
    target.need("C_CloseSession", ck!(target.raw, C_CloseSession, session))
}

fn session_objects(target: &Target) -> Done {
    let object = Template::new().number(CKA_CLASS, CKO_DATA).bytes(CKA_VALUE, &[7; 1000]);
    let object = target.answer("C_CreateObject", target.raw.create(target.session(), object))?;
    target.need("C_DestroyObject", ck!(target.raw, C_DestroyObject, target.session(), object))
}

fn token_objects(target: &Target) -> Done {
    let object = Template::new().number(CKA_CLASS, CKO_DATA).bytes(CKA_VALUE, &[7; 100]).flag(CKA_TOKEN, true);
    let object = target.answer("C_CreateObject", target.raw.create(target.session(), object))?;
    target.need("C_DestroyObject", ck!(target.raw, C_DestroyObject, target.session(), object))
}

/// Each kind of operation: begun in vain, and begun and then refused.
fn failures(target: &Target) -> Done {
    let (raw, session, aes) = (&target.raw, target.session(), target.aes()?);
    let (half, mut out, nothing) = ([7_u8; 15], [0_u8; 64], 0x7FFF_FFFF);
    let ((data, length), mut ecb) = (input(&half), plain(CKM_AES_ECB));
    let room = &mut 64;
    let refused = [
        ck!(raw, C_EncryptInit, session, &mut plain(nothing), aes),
        ck!(raw, C_DecryptInit, session, &mut plain(nothing), aes),
        ck!(raw, C_SignInit, session, &mut plain(nothing), aes),
        ck!(raw, C_VerifyInit, session, &mut plain(nothing), aes),
        ck!(raw, C_DigestInit, session, &mut plain(nothing)),
        ck!(raw, C_FindObjectsInit, session, null_mut(), 1),
    ];
    target.control("nothing begins", !refused.contains(&CKR_OK))?;
    target.need("C_EncryptInit", ck!(raw, C_EncryptInit, session, &mut ecb, aes))?;
    let encrypted = ck!(raw, C_Encrypt, session, data, length, out.as_mut_ptr(), room);
    target.need("C_DecryptInit", ck!(raw, C_DecryptInit, session, &mut ecb, aes))?;
    let decrypted = ck!(raw, C_Decrypt, session, data, length, out.as_mut_ptr(), room);
    target.need("C_VerifyInit", ck!(raw, C_VerifyInit, session, &mut plain(CKM_AES_CMAC), aes))?;
    let verified = ck!(raw, C_Verify, session, data, length, data, length);
    target.need("C_DigestInit", ck!(raw, C_DigestInit, session, &mut plain(CKM_SHA256)))?;
    let digested = ck!(raw, C_Digest, session, null_mut(), 1, out.as_mut_ptr(), room);
    let mut handle = 0;
    let made = ck!(raw, C_GenerateKey, session, &mut plain(CKM_AES_KEY_GEN), null_mut(), 0, &mut handle);
    let all = [encrypted, decrypted, verified, digested, made];
    target.control("everything is refused", !all.contains(&CKR_OK))
}

fn searches(target: &Target) -> Done {
    let found = target.raw.find(target.session(), Template::new().number(CKA_CLASS, CKO_SECRET_KEY), 4);
    target.control("the key is found", !found.is_empty())
}

fn messages(target: &Target) -> Done {
    let (session, key) = (target.session(), target.aes()?);
    let (mut iv, mut aad, data) = ([3_u8; 12], [1_u8; 5], [7_u8; 100]);
    let mut params = CK_GCM_PARAMS {
        pIv: iv.as_mut_ptr(),
        ulIvLen: 12,
        ulIvBits: 96,
        pAAD: aad.as_mut_ptr(),
        ulAADLen: 5,
        ulTagBits: 128,
    };
    let mechanism = with(CKM_AES_GCM, &mut params);
    let mut sealed = target.answer("C_Encrypt", target.raw.encrypt(session, mechanism, key, &data))?;
    let opened = target.answer("C_Decrypt", target.raw.decrypt(session, mechanism, key, &sealed))?;
    target.control("the message is what it was", opened == data)?;
    sealed[3] ^= 1;
    target.control("a forged one is refused", target.raw.decrypt(session, mechanism, key, &sealed).is_err())?;
    let newest = target.raw.newest().expect("version 3.2");
    let (begin, end) = (newest.C_MessageEncryptInit.expect("it"), newest.C_MessageEncryptFinal.expect("it"));
    let encrypt = newest.C_EncryptMessage.expect("it");
    // SAFETY: a session, a mechanism and a key.
    target.need("C_MessageEncryptInit", unsafe { begin(session, &mut plain(CKM_AES_GCM), key) })?;
    let mut tag = [0_u8; 16];
    let mut params = CK_GCM_MESSAGE_PARAMS {
        pIv: iv.as_mut_ptr(),
        ulIvLen: 12,
        ulIvFixedBits: 0,
        ivGenerator: CKG_NO_GENERATE,
        pTag: tag.as_mut_ptr(),
        ulTagBits: 128,
    };
    let ((text, length), mut out, mut room) = (input(&data), [0_u8; 100], 100);
    let (place, bytes) = ((&raw mut params).cast(), size_of::<CK_GCM_MESSAGE_PARAMS>() as CK_ULONG);
    // SAFETY: all pointers have the memory that is stated behind them.
    let code = unsafe { encrypt(session, place, bytes, null_mut(), 0, text, length, out.as_mut_ptr(), &raw mut room) };
    target.need("C_EncryptMessage", code)?;
    // SAFETY: a session.
    target.need("C_MessageEncryptFinal", unsafe { end(session) })
}

fn pairs(target: &Target) -> Done {
    let public = Template::new().bytes(CKA_EC_PARAMS, P256);
    let (public, private) = target.pair(CKM_EC_KEY_PAIR_GEN, public, Template::new())?;
    for key in [public, private] {
        target.need("C_DestroyObject", ck!(target.raw, C_DestroyObject, target.session(), key))?;
    }
    Ok(())
}

fn logins(target: &Target) -> Done {
    target.become_user()
}

fn wrong_pins(target: &Target) -> Done {
    target.need("C_Logout", ck!(target.raw, C_Logout, target.session()))?;
    let wrong = target.raw.login(target.session(), CKU_USER, "wrong PIN");
    target.control("a wrong PIN is refused", wrong == Err(CKR_PIN_INCORRECT))?;
    target.become_user()
}

fn children(target: &Target) -> Done {
    let code = forked(|| {
        let mut info = CK_SESSION_INFO::default();
        let refused = ck!(target.raw, C_GetSessionInfo, target.session(), &mut info);
        i32::from(refused != CKR_CRYPTOKI_NOT_INITIALIZED)
    });
    target.control("the child is not initialised", code == 0)
}

fn restarts(target: &Target) -> Done {
    target.need("C_Finalize", ck!(target.raw, C_Finalize, null_mut()))?;
    target.need("C_Initialize", ck!(target.raw, C_Initialize, null_mut()))?;
    target.find_slot();
    target.begin_again()
}

/// All memory that the C library's heap can give, as a list through the pieces themselves.
struct Hoard(*mut *mut libc::c_void);

impl Hoard {
    fn take() -> Self {
        let mut last: *mut *mut libc::c_void = null_mut();
        for bytes in [1 << 20, 1 << 16, 1 << 12, 512, 64, 24] {
            loop {
                // SAFETY: any size may be asked for.
                let piece = unsafe { libc::malloc(bytes) }.cast::<*mut libc::c_void>();
                if piece.is_null() {
                    break;
                }
                // SAFETY: the piece has room for a pointer.
                unsafe { *piece = last.cast() };
                last = piece;
            }
        }
        Self(last)
    }
}

impl Drop for Hoard {
    fn drop(&mut self) {
        while !self.0.is_null() {
            // SAFETY: each piece holds the one before it.
            let before = unsafe { *self.0 };
            // SAFETY: it is given back once.
            unsafe { libc::free(self.0.cast()) };
            self.0 = before.cast();
        }
    }
}

fn limit_address_space(bytes: libc::rlim_t) {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the limit outlives the calls.
    assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_AS, &mut limit) }, 0);
    limit.rlim_cur = bytes.min(limit.rlim_max);
    // SAFETY: as above.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &limit) }, 0);
}

/// The functions that give something back: they work also now, and end what others would work on.
const LAST: [&str; 4] = ["C_CloseSession", "C_CloseAllSessions", "C_Logout", "C_InitToken"];

/// Not a byte is to be had, for every function, three times; then all of it is again.
fn full(target: &Target) -> Done {
    target.open()?;
    let mut calls = Vec::new();
    for name in names().filter(|name| !LAST.contains(name)).chain(LAST) {
        target.begin_again()?;
        let call = Call::new(target, name)?;
        call.control()?;
        calls.push(call);
    }
    target.begin_again()?;
    let pages = std::fs::read_to_string("/proc/self/statm").expect("this process");
    let pages: libc::rlim_t = pages.split(' ').next().and_then(|number| number.parse().ok()).expect("a number");
    let begun = Call::new(target, "C_SignInit")?;
    limit_address_space(pages * 4096);
    let hoard = Hoard::take();
    let mut refused = usize::from(begun.run() == CKR_HOST_MEMORY);
    let mut wrong = Vec::new();
    for call in std::iter::repeat_n(&calls, 3).flatten() {
        let code = call.run();
        refused += usize::from(code == CKR_HOST_MEMORY);
        // One that needs no memory finds nothing begun, or its session closed.
        let others = [CKR_OPERATION_NOT_INITIALIZED, CKR_SESSION_HANDLE_INVALID, CKR_USER_NOT_LOGGED_IN];
        if code != CKR_HOST_MEMORY && !call.expected.contains(&code) && !others.contains(&code) {
            wrong.push((call.name, code));
        }
    }
    drop(hoard);
    limit_address_space(libc::RLIM_INFINITY);
    for (name, code) in wrong {
        target.effect(&format!("{name} without memory: {}", word(code)), false);
    }
    target.effect(&format!("only {refused} calls missed memory"), refused > calls.len());
    for name in names() {
        target.begin_again()?;
        target.at(&format!("{name}, with memory again"));
        Call::new(target, name)?.control()?;
    }
    Ok(())
}
