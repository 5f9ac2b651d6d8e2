//! Operations through sessions: which keys they take, what ends them.

use crate::bench::*;
use crate::objects::p256;
use hsm_core::template::Template;
use hsm_core::*;

struct Signing {
    hsm: Hsm,
    session: SessionHandle,
    public: ObjectHandle,
    private: ObjectHandle,
}

/// A P-256 pair in the token; its private half has what `private` says besides.
fn signing(private: &Template) -> Signing {
    let (hsm, _, session) = logged_in();
    let mut private = private.clone().with_flag(CKA_TOKEN, true);
    private.push(CKA_LABEL, b"signer");
    let (public, private) = hsm.generate_key_pair(session, &plain(CKM_EC_KEY_PAIR_GEN), &p256(), &private).unwrap();
    Signing { hsm, session, public, private }
}

const DIGEST: &[u8] = &[7; 32];
const ENOUGH: Room = Room::Bytes(64);

impl Signing {
    fn init(&self) -> Result<()> {
        self.hsm.sign_init(self.session, &plain(CKM_ECDSA), self.private)
    }

    fn sign(&self) -> Result<Reply> {
        self.hsm.sign(self.session, DIGEST, ENOUGH)
    }
}

#[test]
fn a_signature_is_made_and_verified_through_sessions() {
    let it = signing(&Template::default());
    it.init().unwrap();
    assert_eq!(it.hsm.sign(it.session, DIGEST, Room::Ask).unwrap(), Reply::Size(64));
    check(it.hsm.sign(it.session, DIGEST, Room::Bytes(63)), CKR_BUFFER_TOO_SMALL);
    let Reply::Data(mut signature) = it.sign().unwrap() else { panic!("a size") };
    check(it.sign(), CKR_OPERATION_NOT_INITIALIZED);
    it.hsm.verify_init(it.session, &plain(CKM_ECDSA), it.public).unwrap();
    it.hsm.verify(it.session, DIGEST, &signature).unwrap();
    signature[10] ^= 1;
    it.hsm.verify_init(it.session, &plain(CKM_ECDSA), it.public).unwrap();
    check(it.hsm.verify(it.session, DIGEST, &signature), CKR_SIGNATURE_INVALID);
    check(it.hsm.verify(it.session, DIGEST, &signature), CKR_OPERATION_NOT_INITIALIZED);
}

#[test]
fn an_init_that_fails_starts_nothing() {
    let it = signing(&Template::default());
    let nobody = ObjectHandle(999);
    check(it.hsm.sign_init(it.session, &plain(CKM_ECDSA), nobody), CKR_KEY_HANDLE_INVALID);
    check(it.hsm.sign_init(it.session, &plain(0x7fff_ffff), nobody), CKR_MECHANISM_INVALID);
    check(it.hsm.sign_init(it.session, &plain(CKM_RSA_PKCS), it.private), CKR_KEY_TYPE_INCONSISTENT);
    check(it.sign(), CKR_OPERATION_NOT_INITIALIZED);
    it.init().unwrap();
    check(it.init(), CKR_OPERATION_ACTIVE);
    it.sign().unwrap();
}

#[test]
fn cancel_ends_the_operation_it_names() {
    let it = signing(&Template::default());
    it.init().unwrap();
    it.hsm.cancel(it.session, OperationKind::Verify);
    check(it.init(), CKR_OPERATION_ACTIVE);
    it.hsm.cancel(it.session, OperationKind::Sign);
    check(it.sign(), CKR_OPERATION_NOT_INITIALIZED);
}

#[test]
fn logout_ends_operations_on_private_keys_in_every_session() {
    let it = signing(&Template::default());
    let other = it.hsm.open_session(SLOT, false).unwrap();
    it.init().unwrap();
    it.hsm.digest_init(it.session, &plain(CKM_SHA256)).unwrap();
    it.hsm.logout(other).unwrap();
    check(it.sign(), CKR_OPERATION_NOT_INITIALIZED);
    it.hsm.digest(it.session, b"a", Room::Bytes(32)).unwrap();
    check(it.init(), CKR_KEY_HANDLE_INVALID);
    it.hsm.login(it.session, CKU_USER, &pin(USER_PIN)).unwrap();
    check(it.sign(), CKR_OPERATION_NOT_INITIALIZED);
    it.init().unwrap();
    it.sign().unwrap();
}

#[test]
fn an_operation_outlives_the_object_it_began_with() {
    let it = signing(&Template::default());
    it.init().unwrap();
    it.hsm.destroy_object(it.session, it.private).unwrap();
    it.sign().unwrap();
    check(it.init(), CKR_KEY_HANDLE_INVALID);
}

fn careful() -> Signing {
    signing(&Template::default().with_flag(CKA_ALWAYS_AUTHENTICATE, true))
}

#[test]
fn a_key_that_always_asks_needs_a_login_for_each_signature() {
    let it = careful();
    for _ in 0..2 {
        it.init().unwrap();
        it.hsm.login(it.session, CKU_CONTEXT_SPECIFIC, &pin(USER_PIN)).unwrap();
        it.sign().unwrap();
    }
    it.init().unwrap();
    check(it.sign(), CKR_USER_NOT_LOGGED_IN);
    check(it.sign(), CKR_OPERATION_NOT_INITIALIZED);
}

#[test]
fn a_context_login_without_an_operation_that_asks_for_it_costs_no_try() {
    let it = careful();
    check(it.hsm.login(it.session, CKU_CONTEXT_SPECIFIC, &pin("wrong pin")), CKR_OPERATION_NOT_INITIALIZED);
    it.init().unwrap();
    let other = it.hsm.open_session(SLOT, false).unwrap();
    check(it.hsm.login(other, CKU_CONTEXT_SPECIFIC, &pin("wrong pin")), CKR_OPERATION_NOT_INITIALIZED);
    check(it.hsm.login(it.session, CKU_CONTEXT_SPECIFIC, &pin("abc")), CKR_PIN_LEN_RANGE);
    assert_eq!(flags(&it.hsm, CKF_USER_PIN_COUNT_LOW), 0);
    let plain_key = signing(&Template::default());
    plain_key.init().unwrap();
    let context = plain_key.hsm.login(plain_key.session, CKU_CONTEXT_SPECIFIC, &pin(USER_PIN));
    check(context, CKR_OPERATION_NOT_INITIALIZED);
}

#[test]
fn wrong_pins_at_a_context_login_count_and_lock() {
    let it = careful();
    it.init().unwrap();
    for _ in 0..10 {
        check(it.hsm.login(it.session, CKU_CONTEXT_SPECIFIC, &pin("wrong pin")), CKR_PIN_INCORRECT);
    }
    check(it.hsm.login(it.session, CKU_CONTEXT_SPECIFIC, &pin(USER_PIN)), CKR_PIN_LOCKED);
    assert_eq!(flags(&it.hsm, CKF_USER_PIN_LOCKED), CKF_USER_PIN_LOCKED);
    check(it.sign(), CKR_USER_NOT_LOGGED_IN);
}

#[test]
fn secret_keys_can_be_digested_and_nothing_else() {
    let (hsm, _, session) = logged_in();
    let value = [9_u8; 16];
    let template = Template::default()
        .with_number(CKA_CLASS, CKO_SECRET_KEY)
        .with_number(CKA_KEY_TYPE, CKK_GENERIC_SECRET)
        .with(CKA_VALUE, &value);
    let key = hsm.create_object(session, &template).unwrap();
    hsm.digest_init(session, &plain(CKM_SHA256)).unwrap();
    hsm.digest_key(session, key).unwrap();
    hsm.digest_update(session, b"tail").unwrap();
    let by_key = hsm.digest_final(session, Room::Bytes(32)).unwrap();
    hsm.digest_init(session, &plain(CKM_SHA256)).unwrap();
    let by_value = hsm.digest(session, &[&value[..], b"tail"].concat(), Room::Bytes(32)).unwrap();
    assert_eq!(by_key, by_value);
    let no_key = hsm.create_object(session, &data("a", false, false)).unwrap();
    let (public, _) =
        hsm.generate_key_pair(session, &plain(CKM_EC_KEY_PAIR_GEN), &p256(), &Template::default()).unwrap();
    for (handle, expected) in [(no_key, CKR_KEY_HANDLE_INVALID), (public, CKR_KEY_INDIGESTIBLE)] {
        hsm.digest_init(session, &plain(CKM_SHA256)).unwrap();
        check(hsm.digest_key(session, handle), expected);
        check(hsm.digest_final(session, Room::Ask), CKR_OPERATION_NOT_INITIALIZED);
    }
}

#[test]
fn different_kinds_of_operation_run_side_by_side_in_one_session() {
    let it = signing(&Template::default());
    let aes = Template::default().with_number(CKA_VALUE_LEN, 16);
    let key = it.hsm.generate_key(it.session, &plain(CKM_AES_KEY_GEN), &aes).unwrap();
    it.init().unwrap();
    it.hsm.digest_init(it.session, &plain(CKM_SHA256)).unwrap();
    it.hsm.encrypt_init(it.session, &plain(CKM_AES_ECB), key).unwrap();
    it.hsm.decrypt_init(it.session, &plain(CKM_AES_ECB), key).unwrap();
    it.hsm.find_init(it.session, &Template::default()).unwrap();
    let Reply::Data(encrypted) = it.hsm.encrypt(it.session, &[5; 16], Room::Bytes(16)).unwrap() else {
        panic!("a size")
    };
    let decrypted = it.hsm.decrypt(it.session, &encrypted, Room::Bytes(16)).unwrap();
    assert_eq!(decrypted, Reply::Data(vec![5; 16]));
    it.hsm.digest(it.session, b"a", Room::Bytes(32)).unwrap();
    it.sign().unwrap();
    it.hsm.find_final(it.session).unwrap();
}
