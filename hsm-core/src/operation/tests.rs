//! Tests of the operations' life, with mechanisms that only count what is asked of them.

use super::*;
use crate::role::Role;
use hsm_crypto::{CryptoError, Random};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

struct NoRandom;

impl Random for NoRandom {
    fn fill(&self, _out: &mut [u8]) -> hsm_crypto::Result<()> {
        Err(CryptoError::RandomFailed)
    }
}

fn env() -> Env<'static> {
    Env { engine: hsm_crypto::portable(), random: &NoRandom, policy: crate::policy::Policy::default(), one_time: None }
}

/// The standing of a user who has logged in after `ended` logouts.
fn user(ended: u64) -> Standing {
    Standing { role: Some(Role::CryptoOfficer), ended }
}

const NOW: Standing = Standing { role: None, ended: 0 };

/// Signs with the message's sum; refuses messages of 100 bytes.
struct Summing {
    parts: bool,
    sum: u8,
}

impl Summing {
    fn add(&mut self, data: &[u8]) -> Result<()> {
        if data.len() == 100 {
            return Err(Reason::DataLength);
        }
        self.sum = data.iter().fold(self.sum, |sum, byte| sum.wrapping_add(*byte));
        Ok(())
    }
    fn result(&self) -> Vec<u8> {
        vec![self.sum; 4]
    }
}

impl Signer for Summing {
    fn signature_bytes(&self) -> usize {
        4
    }
    fn multi_part(&self) -> bool {
        self.parts
    }
    fn sign(&mut self, _env: &Env<'_>, data: &[u8]) -> Result<Vec<u8>> {
        self.add(data)?;
        Ok(self.result())
    }
    fn update(&mut self, data: &[u8]) -> Result<()> {
        self.add(data)
    }
    fn finish(&mut self, _env: &Env<'_>) -> Result<Vec<u8>> {
        Ok(self.result())
    }
}

impl Verifier for Summing {
    fn multi_part(&self) -> bool {
        self.parts
    }
    fn verify(&mut self, _env: &Env<'_>, data: &[u8], signature: &[u8]) -> Result<()> {
        self.add(data)?;
        self.finish_with(signature)
    }
    fn update(&mut self, data: &[u8]) -> Result<()> {
        self.add(data)
    }
    fn finish(&mut self, _env: &Env<'_>, signature: &[u8]) -> Result<()> {
        self.finish_with(signature)
    }
}

impl Summing {
    fn finish_with(&self, signature: &[u8]) -> Result<()> {
        if signature == self.result() { Ok(()) } else { Err(Reason::SignatureInvalid) }
    }
}

/// Copies its input less three bytes of "padding", held back to the end; counts how often it really worked.
struct Unpadding {
    worked: Arc<AtomicUsize>,
    held: Vec<u8>,
}

impl Crypter for Unpadding {
    fn multi_part(&self) -> bool {
        true
    }
    fn one_shot_bytes(&self, input_bytes: usize) -> usize {
        input_bytes
    }
    fn one_shot(&mut self, _env: &Env<'_>, input: &[u8], out: &mut [u8]) -> Result<usize> {
        self.worked.fetch_add(1, Ordering::Relaxed);
        let kept = input.len().checked_sub(3).ok_or(Reason::EncryptedDataLength)?;
        out[..kept].copy_from_slice(&input[..kept]);
        Ok(kept)
    }
    fn update_bytes(&self, _input_bytes: usize) -> usize {
        self.held.len()
    }
    fn update(&mut self, input: &[u8], out: &mut [u8]) -> Result<usize> {
        self.worked.fetch_add(1, Ordering::Relaxed);
        let held = core::mem::replace(&mut self.held, input.to_vec());
        out[..held.len()].copy_from_slice(&held);
        Ok(held.len())
    }
    fn finish_bytes(&self) -> usize {
        self.held.len()
    }
    fn finish(&mut self, _env: &Env<'_>, out: &mut [u8]) -> Result<usize> {
        let held = core::mem::take(&mut self.held);
        self.one_shot(&env(), &held, out)
    }
}

fn signing(parts: bool) -> Operations {
    let mut operations = Operations::default();
    operations.start_sign(Box::new(Summing { parts, sum: 0 }), Tie::FREE);
    operations
}

fn verifying() -> Operations {
    let mut operations = Operations::default();
    operations.start_verify(Box::new(Summing { parts: true, sum: 0 }), Tie::FREE);
    operations
}

fn decrypting() -> (Operations, Arc<AtomicUsize>) {
    let worked = Arc::new(AtomicUsize::new(0));
    let mut operations = Operations::default();
    operations.start_decrypt(Box::new(Unpadding { worked: worked.clone(), held: Vec::new() }), Tie::FREE);
    (operations, worked)
}

/// What a step answered, in words short enough for a table.
fn word<T: core::fmt::Debug>(answer: Result<T>) -> String {
    match answer {
        Ok(value) => format!("{value:?}"),
        Err(Reason::BufferTooSmall { need }) => format!("too small, {need}"),
        Err(Reason::OperationActive) => "active".to_owned(),
        Err(Reason::OperationNotInitialized) => "none".to_owned(),
        Err(Reason::SinglePartOnly) => "single part".to_owned(),
        Err(Reason::ContextLoginNeeded) => "context login".to_owned(),
        Err(other) => format!("{other:?}"),
    }
}

enum Call {
    Sign(&'static [u8], Room),
    Update(&'static [u8]),
    Final(Room),
}
use Call::{Final, Sign, Update};
use Room::{Ask, Bytes};

#[track_caller]
fn check_sign(parts: bool, calls: &[(Call, &str)]) {
    let mut operations = signing(parts);
    for (place, (call, expected)) in calls.iter().enumerate() {
        let answer = match call {
            Sign(data, room) => word(operations.sign(&env(), NOW, data, *room)),
            Update(data) => word(operations.sign_update(NOW, data)),
            Final(room) => word(operations.sign_final(&env(), NOW, *room)),
        };
        assert_eq!(&answer, expected, "call {place}");
    }
}

#[test]
fn sign_with_short_buffer_keeps_the_operation() {
    check_sign(
        false,
        &[
            (Sign(&[1, 2], Ask), "Size(4)"),
            (Sign(&[1, 2], Bytes(3)), "too small, 4"),
            (Sign(&[1, 2], Bytes(4)), "Data([3, 3, 3, 3])"),
            (Sign(&[1, 2], Bytes(4)), "none"),
        ],
    );
}

#[test]
fn sign_final_asks_and_waits_like_sign() {
    check_sign(
        true,
        &[
            (Update(&[1]), "()"),
            (Final(Ask), "Size(4)"),
            (Update(&[2]), "()"),
            (Final(Bytes(0)), "too small, 4"),
            (Final(Bytes(9)), "Data([3, 3, 3, 3])"),
            (Final(Bytes(9)), "none"),
        ],
    );
}

#[test]
fn an_error_of_the_mechanism_ends_the_signature() {
    check_sign(true, &[(Sign(&[0; 100], Bytes(4)), "DataLength"), (Sign(&[1], Bytes(4)), "none")]);
    check_sign(true, &[(Update(&[0; 100]), "DataLength"), (Final(Bytes(4)), "none")]);
}

#[test]
fn a_one_part_call_after_parts_is_refused_and_ends_the_signature() {
    check_sign(true, &[(Update(&[1]), "()"), (Sign(&[1], Bytes(4)), "active"), (Final(Bytes(4)), "none")]);
    check_sign(true, &[(Update(&[1]), "()"), (Sign(&[1], Ask), "active"), (Final(Bytes(4)), "none")]);
}

#[test]
fn parts_are_refused_where_the_mechanism_takes_none() {
    check_sign(false, &[(Update(&[1]), "single part"), (Sign(&[1], Bytes(4)), "none")]);
    check_sign(false, &[(Final(Bytes(4)), "single part"), (Sign(&[1], Bytes(4)), "none")]);
}

#[test]
fn an_empty_message_may_be_signed_without_any_part() {
    check_sign(true, &[(Final(Bytes(4)), "Data([0, 0, 0, 0])")]);
}

#[test]
fn verify_ends_the_operation_whatever_it_answers() {
    for signature in [&[3_u8; 4][..], &[9; 4], &[]] {
        let mut one_part = verifying();
        let expected = if signature == [3; 4] { "()" } else { "SignatureInvalid" };
        assert_eq!(word(one_part.verify(&env(), NOW, &[1, 2], signature)), expected);
        assert_eq!(word(one_part.verify(&env(), NOW, &[1, 2], signature)), "none");
        let mut in_parts = verifying();
        assert_eq!(word(in_parts.verify_update(NOW, &[1, 2])), "()");
        assert_eq!(word(in_parts.verify_final(&env(), NOW, signature)), expected);
        assert_eq!(word(in_parts.verify_final(&env(), NOW, signature)), "none");
    }
}

#[test]
fn verify_in_one_part_after_parts_is_refused_and_ends_the_operation() {
    let mut operations = verifying();
    assert_eq!(word(operations.verify_update(NOW, &[1])), "()");
    assert_eq!(word(operations.verify(&env(), NOW, &[2], &[3; 4])), "active");
    assert_eq!(word(operations.verify_final(&env(), NOW, &[3; 4])), "none");
}

#[test]
fn a_decryption_of_unknown_size_works_once_and_waits_for_room() {
    let (mut operations, worked) = decrypting();
    let input = b"secret...";
    assert_eq!(word(operations.decrypt(&env(), NOW, input, Ask)), "Size(9)", "an upper bound, without work");
    assert_eq!(worked.load(Ordering::Relaxed), 0);
    assert_eq!(word(operations.decrypt(&env(), NOW, input, Bytes(5))), "too small, 6");
    assert_eq!(word(operations.decrypt(&env(), NOW, input, Ask)), "Size(6)", "now it is known");
    assert_eq!(word(operations.decrypt(&env(), NOW, input, Bytes(0))), "too small, 6");
    let answer = operations.decrypt(&env(), NOW, input, Bytes(6)).unwrap();
    assert_eq!(answer, Reply::Data(b"secret".to_vec()));
    assert_eq!(worked.load(Ordering::Relaxed), 1);
    assert_eq!(word(operations.decrypt(&env(), NOW, input, Bytes(6))), "none");
}

#[test]
fn a_buffer_of_the_real_size_is_enough_at_once() {
    let (mut operations, worked) = decrypting();
    let answer = operations.decrypt(&env(), NOW, b"secret...", Bytes(6)).unwrap();
    assert_eq!(answer, Reply::Data(b"secret".to_vec()));
    assert_eq!(worked.load(Ordering::Relaxed), 1);
}

#[test]
fn a_waiting_result_is_given_for_its_own_input_only() {
    let (mut operations, _) = decrypting();
    assert_eq!(word(operations.decrypt(&env(), NOW, b"secret...", Bytes(0))), "too small, 6");
    let other = operations.decrypt(&env(), NOW, b"another..", Bytes(9));
    assert!(matches!(other, Err(Reason::ArgumentsBad(_))), "{other:?}");
    assert_eq!(word(operations.decrypt(&env(), NOW, b"secret...", Bytes(9))), "none");
}

#[test]
fn a_waiting_result_takes_no_further_part() {
    let (mut operations, _) = decrypting();
    assert_eq!(word(operations.decrypt_update(NOW, b"secret...", Bytes(0))), "Data([])");
    assert_eq!(word(operations.decrypt_final(&env(), NOW, Ask)), "Size(9)");
    assert_eq!(word(operations.decrypt_final(&env(), NOW, Bytes(2))), "too small, 6");
    assert_eq!(word(operations.decrypt_final(&env(), NOW, Ask)), "Size(6)");
    assert_eq!(word(operations.decrypt_update(NOW, b"more", Bytes(99))), "active");
    assert_eq!(word(operations.decrypt_final(&env(), NOW, Bytes(99))), "none");
}

#[test]
fn a_waiting_last_part_is_delivered_when_there_is_room() {
    let (mut operations, worked) = decrypting();
    assert_eq!(word(operations.decrypt_update(NOW, b"secret...", Bytes(0))), "Data([])");
    assert_eq!(word(operations.decrypt_final(&env(), NOW, Bytes(2))), "too small, 6");
    assert_eq!(operations.decrypt_final(&env(), NOW, Bytes(6)).unwrap(), Reply::Data(b"secret".to_vec()));
    assert_eq!(worked.load(Ordering::Relaxed), 2, "one part and one end");
}

#[test]
fn a_part_with_too_little_room_is_not_taken_in() {
    let (mut operations, worked) = decrypting();
    assert_eq!(word(operations.decrypt_update(NOW, b"first", Bytes(0))), "Data([])");
    assert_eq!(word(operations.decrypt_update(NOW, b"second", Ask)), "Size(5)");
    assert_eq!(word(operations.decrypt_update(NOW, b"second", Bytes(4))), "too small, 5");
    assert_eq!(worked.load(Ordering::Relaxed), 1);
    let answer = operations.decrypt_update(NOW, b"second", Bytes(5)).unwrap();
    assert_eq!(answer, Reply::Data(b"first".to_vec()));
}

#[test]
fn a_decryption_that_fails_is_over() {
    let (mut operations, _) = decrypting();
    assert_eq!(word(operations.decrypt(&env(), NOW, b"ab", Bytes(9))), "EncryptedDataLength");
    assert_eq!(word(operations.decrypt(&env(), NOW, b"abcd", Bytes(9))), "none");
}

#[test]
fn an_encryption_with_too_little_room_does_no_work() {
    let worked = Arc::new(AtomicUsize::new(0));
    let mut operations = Operations::default();
    operations.start_encrypt(Box::new(Unpadding { worked: worked.clone(), held: Vec::new() }), Tie::FREE);
    assert_eq!(word(operations.encrypt(&env(), NOW, b"secret...", Bytes(8))), "too small, 9");
    assert_eq!(worked.load(Ordering::Relaxed), 0);
    let answer = operations.encrypt(&env(), NOW, b"secret...", Bytes(9)).unwrap();
    assert_eq!(answer, Reply::Data(b"secret".to_vec()));
}

#[test]
fn a_digest_knows_its_size_and_ends_with_its_result() {
    let mut operations = Operations::default();
    operations.start_digest((Hash::Sha256, (env().engine.digest)(Hash::Sha256)));
    assert_eq!(word(operations.digest(NOW, b"abc", Ask)), "Size(32)");
    assert_eq!(word(operations.digest(NOW, b"abc", Bytes(31))), "too small, 32");
    assert_eq!(word(operations.digest_update(NOW, b"ab")), "()");
    assert_eq!(word(operations.digest_update(NOW, b"c")), "()");
    assert_eq!(word(operations.digest_final(NOW, Bytes(31))), "too small, 32");
    let Reply::Data(digest) = operations.digest_final(NOW, Bytes(32)).unwrap() else { panic!("a size") };
    assert_eq!(digest[..4], [0xba, 0x78, 0x16, 0xbf], "SHA-256 of abc, FIPS 180-4");
    assert_eq!(word(operations.digest_final(NOW, Bytes(32))), "none");
}

#[test]
fn one_operation_of_each_kind_may_be_active() {
    let mut operations = signing(true);
    assert_eq!(word(operations.ensure_idle(OperationKind::Sign, NOW)), "active");
    for other in [
        OperationKind::Verify,
        OperationKind::Encrypt,
        OperationKind::Decrypt,
        OperationKind::Digest,
        OperationKind::Find,
    ] {
        assert_eq!(word(operations.ensure_idle(other, NOW)), "()", "{other:?}");
    }
    operations.cancel(OperationKind::Verify);
    assert_eq!(word(operations.ensure_idle(OperationKind::Sign, NOW)), "active", "cancel ends its own kind only");
    operations.cancel(OperationKind::Sign);
    assert_eq!(word(operations.ensure_idle(OperationKind::Sign, NOW)), "()");
    assert_eq!(word(operations.sign_update(NOW, b"a")), "none");
}

#[test]
fn an_operation_on_a_private_key_ends_with_its_login_and_does_not_come_back() {
    let mut operations = Operations::default();
    operations.start_sign(Box::new(Summing { parts: true, sum: 0 }), Tie::to_login(user(3), false));
    assert_eq!(word(operations.sign_update(user(3), b"a")), "()");
    assert_eq!(word(operations.sign_final(&env(), user(4), Bytes(4))), "none", "after logout and login");
    assert_eq!(word(operations.sign_final(&env(), user(3), Bytes(4))), "none", "it is gone, not hidden");
}

#[test]
fn a_sweep_ends_what_depends_on_the_login_and_nothing_else() {
    let mut operations = verifying();
    operations.start_sign(Box::new(Summing { parts: true, sum: 0 }), Tie::to_login(user(0), false));
    operations.end_void(user(1));
    assert_eq!(word(operations.ensure_idle(OperationKind::Sign, user(0))), "()");
    assert_eq!(word(operations.ensure_idle(OperationKind::Verify, user(1))), "active");
}

#[test]
fn a_key_that_asks_for_a_context_login_signs_only_after_it_and_once() {
    let mut operations = Operations::default();
    let start = |operations: &mut Operations| {
        operations.start_sign(Box::new(Summing { parts: true, sum: 0 }), Tie::to_login(user(0), true));
    };
    assert!(operations.asks_context(user(0)).is_none(), "nothing is active");
    start(&mut operations);
    assert!(operations.asks_context(user(0)).is_some());
    assert_eq!(word(operations.sign(&env(), user(0), &[1], Ask)), "Size(4)", "a size is no secret");
    assert_eq!(word(operations.sign(&env(), user(0), &[1], Bytes(4))), "context login");
    assert_eq!(word(operations.sign(&env(), user(0), &[1], Bytes(4))), "none");
    start(&mut operations);
    assert_eq!(word(operations.sign_update(user(0), &[1])), "context login");
    start(&mut operations);
    let named = operations.asks_context(user(0)).unwrap();
    operations.grant_context(named).unwrap();
    assert_eq!(word(operations.sign(&env(), user(0), &[1], Bytes(4))), "Data([1, 1, 1, 1])");
    start(&mut operations);
    assert_eq!(word(operations.sign(&env(), user(0), &[1], Bytes(4))), "context login", "each start asks anew");
}

#[test]
fn a_context_login_frees_no_operation_that_was_started_while_the_pin_was_looked_at() {
    let mut operations = Operations::default();
    operations.start_sign(Box::new(Summing { parts: true, sum: 0 }), Tie::to_login(user(0), true));
    let named = operations.asks_context(user(0)).unwrap();
    operations.cancel(OperationKind::Sign);
    operations.start_sign(Box::new(Summing { parts: true, sum: 0 }), Tie::to_login(user(0), true));
    assert_eq!(word(operations.grant_context(named)), "none");
    assert_eq!(word(operations.sign(&env(), user(0), &[1], Bytes(4))), "context login");
}

#[test]
fn an_operation_that_asks_for_no_context_login_gives_no_ground_for_one() {
    assert!(signing(true).asks_context(NOW).is_none());
}
