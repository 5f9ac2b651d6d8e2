//! The example programs that make and measure large stores: the pairs are genuine ones, and all are there.

#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this is test code")]

#[path = "../examples/fill.rs"]
#[allow(dead_code, reason = "its way in from the command line")]
mod fill;
#[path = "../examples/measure.rs"]
#[allow(dead_code, reason = "its way in from the command line")]
mod measure;

use ffi_headers::*;
use hsm_core::template::Template;
use hsm_core::{Mechanism, ObjectHandle, Params, Reply, Room, SecretBytes};
use hsm_platform::{Environment, Settings, start};

#[test]
fn a_filled_token_holds_genuine_pairs_under_the_names_that_were_promised() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("perilune.toml");
    std::fs::write(&file, "[kdf]\nmemory_kib = 64\npasses = 1\n").unwrap();
    let variables = [("HOME", home.path()), ("PERILUNE_CONF", &file)];
    let settings = Settings::of(&Environment::of(&variables, &file)).unwrap();
    let (so_pin, user_pin) = (SecretBytes::copy_of(b"so-pin-4711"), SecretBytes::copy_of(b"user-pin-0815"));
    assert_eq!(fill::fill(&settings, 20, &so_pin, &user_pin).unwrap(), 0);
    assert_eq!(fill::fill(&settings, 10, &so_pin, &user_pin).unwrap(), 20);
    assert_eq!(measure::measure(&settings, &user_pin).unwrap(), 60);

    let hsm = start(&settings).unwrap();
    let session = hsm.open_session(hsm.slots(true).unwrap()[0], false).unwrap();
    hsm.login(session, CKU_USER, &user_pin).unwrap();
    let find = |class: u64, template: Template| -> Vec<ObjectHandle> {
        hsm.find_init(session, &template.with_number(CKA_CLASS, class)).unwrap();
        let found = hsm.find(session, 100).unwrap();
        hsm.find_final(session).unwrap();
        found
    };
    let mechanism = Mechanism { kind: CKM_ECDSA, params: Params::None };
    for number in [0_u64, 19, 20, 29] {
        let label = Template::default().with(CKA_LABEL, format!("pair-{number:08}").as_bytes());
        let [private] = find(CKO_PRIVATE_KEY, label)[..] else { panic!("pair {number} is missing") };
        let id = Template::default().with(CKA_ID, &number.to_be_bytes());
        let [public] = find(CKO_PUBLIC_KEY, id)[..] else { panic!("pair {number} is missing") };
        hsm.sign_init(session, &mechanism, private).unwrap();
        let Reply::Data(signature) = hsm.sign(session, &[7; 32], Room::Bytes(64)).unwrap() else { panic!("a size") };
        hsm.verify_init(session, &mechanism, public).unwrap();
        hsm.verify(session, &[7; 32], &signature).unwrap();
    }
}
