//! Modes without authentication against NIST's known answers, beside the examples of the standards.

use crate::support::{decrypt, encrypt, hex, mechanism, secret};
use ffi_headers::{CKK_AES, CKK_DES3};
use hsm_core::Params;
use hsm_core::platform::Env;

/// What is in the file, a case a line.
const CASES: &str = include_str!("../vectors/cipher_modes.txt");

/// Runs the cases of a mode both ways, whichever way they were published for.
pub fn known_answers(env: &Env<'_>, kind: u64, mode: &str) -> usize {
    let cases = CASES.lines().filter(|line| !line.starts_with('#'));
    let mut ran = 0;
    for line in cases {
        let [name, _direction, key, start, plain, ciphertext] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("a case has six fields: {line}");
        };
        if name != mode {
            continue;
        }
        let params = match (name, start) {
            (_, "-") => Params::None,
            // Of the block that RFC 3686 makes, 32 bits count.
            ("CTR", block) => Params::Ctr { counter_bits: 32, block: hex(block).try_into().unwrap() },
            (_, iv) => Params::Iv(hex(iv)),
        };
        let key_type = if name.starts_with("DES3") { CKK_DES3 } else { CKK_AES };
        let (mechanism, key) = (mechanism(kind, &params), secret(key_type, &hex(key)));
        assert_eq!(encrypt(env, &mechanism, &key, &hex(plain)).unwrap(), hex(ciphertext), "{line}");
        assert_eq!(decrypt(env, &mechanism, &key, &hex(ciphertext)).unwrap(), hex(plain), "{line}");
        ran += 1;
    }
    assert!(ran >= 6, "{mode} has {ran} cases");
    ran
}
