//! Every mechanism that shows CKF_MESSAGE_SIGN signs messages one after the other, and verifies them.

use crate::bench::*;
use crate::objects::p256;
use hsm_core::mechanisms::{self, KeyRule, Row};
use hsm_core::policy::Policy;
use hsm_core::template::Template;
use hsm_core::*;
use std::collections::BTreeMap;

/// A good parameter of a row that signs messages.
fn params(row: &Row) -> Params {
    match row.shape {
        ParamShape::Pss => Params::Pss { hash: hash_of(row), mgf: mask_of(row), salt_bytes: 20 },
        // t of SHA-512/t is in bits, and nothing else has as many bytes as that.
        ParamShape::MacLength if row.name.starts_with("CKM_SHA512_T") => Params::MacLength(256),
        ParamShape::MacLength if row.size_max == 24 => Params::MacLength(4),
        ParamShape::MacLength => Params::MacLength(10),
        ParamShape::TlsMac => Params::TlsMac { hash: CKM_SHA256, bytes: 12, side: 1 },
        ParamShape::HashSignContext => {
            Params::SignContext { hedge: CKH_HEDGE_PREFERRED, context: Vec::new(), hash: Some(CKM_SHA256) }
        }
        _ => Params::None,
    }
}

/// The hashes that the names of the PSS mechanisms tell, with their masks.
const HASHES: [(&str, u64, u64); 9] = [
    ("SHA1_", CKM_SHA_1, CKG_MGF1_SHA1),
    ("SHA224_", CKM_SHA224, CKG_MGF1_SHA224),
    ("SHA384_", CKM_SHA384, CKG_MGF1_SHA384),
    ("SHA512_", CKM_SHA512, CKG_MGF1_SHA512),
    ("SHA3_224_", CKM_SHA3_224, CKG_MGF1_SHA3_224),
    ("SHA3_256_", CKM_SHA3_256, CKG_MGF1_SHA3_256),
    ("SHA3_384_", CKM_SHA3_384, CKG_MGF1_SHA3_384),
    ("SHA3_512_", CKM_SHA3_512, CKG_MGF1_SHA3_512),
    // The mechanism without a hash of its own takes a digest of 32 bytes here.
    ("", CKM_SHA256, CKG_MGF1_SHA256),
];

fn named(row: &Row) -> (&'static str, u64, u64) {
    *HASHES.iter().find(|(name, ..)| row.name.contains(name)).unwrap()
}

fn hash_of(row: &Row) -> u64 {
    named(row).1
}

fn mask_of(row: &Row) -> u64 {
    named(row).2
}

/// A key that verifies and one that signs.
fn keys(hsm: &Hsm, session: SessionHandle, key_type: u64) -> (ObjectHandle, ObjectHandle) {
    let pair = |kind, public: &Template, private: &Template| {
        let mechanism = plain(kind);
        hsm.generate_key_pair(session, &mechanism, public, private)
            .unwrap_or_else(|reason| panic!("{kind:#x}: {reason}"))
    };
    let (none, set) = (Template::default(), |set| Template::default().with_number(CKA_PARAMETER_SET, set));
    match key_type {
        CKK_RSA => pair(CKM_RSA_PKCS_KEY_PAIR_GEN, &none.clone().with_number(CKA_MODULUS_BITS, 1024), &none),
        CKK_EC => pair(CKM_EC_KEY_PAIR_GEN, &p256(), &none),
        CKK_EC_EDWARDS => {
            let curve = none.clone().with(CKA_EC_PARAMS, b"\x13\x0cedwards25519");
            pair(CKM_EC_EDWARDS_KEY_PAIR_GEN, &curve, &none)
        }
        CKK_ML_DSA => pair(CKM_ML_DSA_KEY_PAIR_GEN, &set(CKP_ML_DSA_44), &none),
        CKK_SLH_DSA => pair(CKM_SLH_DSA_KEY_PAIR_GEN, &set(CKP_SLH_DSA_SHAKE_128F), &none),
        CKK_HSS => crate::stateful::pair(hsm, session, false),
        CKK_XMSS => pair(CKM_XMSS_KEY_PAIR_GEN, &set(0x0d), &none),
        CKK_XMSSMT => pair(CKM_XMSSMT_KEY_PAIR_GEN, &set(0x22), &none),
        _ => {
            let value = match key_type {
                CKK_AES => vec![0x24; 16],
                CKK_DES3 => [[0x23; 8], [0x45; 8], [0x67; 8]].concat(),
                // As long as a master secret of TLS.
                CKK_GENERIC_SECRET => vec![0x24; 48],
                _ => vec![0x24; 32],
            };
            let template = none.with_number(CKA_CLASS, CKO_SECRET_KEY).with_number(CKA_KEY_TYPE, key_type);
            let template = template.with_flag(CKA_SIGN, true).with_flag(CKA_VERIFY, true).with(CKA_VALUE, &value);
            let key = hsm.create_object(session, &template).unwrap_or_else(|reason| panic!("{key_type:#x}: {reason}"));
            (key, key)
        }
    }
}

#[test]
fn every_mechanism_that_shows_it_signs_messages_and_verifies_them() {
    let (hsm, _) = ready();
    crate::policy::set(&hsm, Policy { legacy: true, ..Policy::default() }).unwrap();
    let session = user_session(&hsm);
    let mut made = BTreeMap::new();
    let mut count = 0;
    for row in mechanisms::all().filter(|row| row.info().flags & (CKF_MESSAGE_SIGN | CKF_MESSAGE_VERIFY) != 0) {
        let KeyRule::Types(types) = row.keys else { panic!("{} signs without a key", row.name) };
        let both = CKF_MESSAGE_SIGN | CKF_MESSAGE_VERIFY;
        assert_eq!(row.info().flags & both, both, "{} has one half only", row.name);
        let mechanism = Mechanism { kind: row.kind, params: params(row) };
        for key_type in types {
            let (public, private) = *made.entry(*key_type).or_insert_with(|| keys(&hsm, session, *key_type));
            let named = |answer: Result<()>| answer.unwrap_or_else(|reason| panic!("{}: {reason}", row.name));
            named(hsm.message_sign_init(session, &mechanism, private));
            named(hsm.message_verify_init(session, &mechanism, public));
            // Raw mechanisms take a digest, and a representative of ML-DSA has 64 bytes.
            let bytes = if row.kind == vendor::CKM_EXTMU_ML_DSA { 64 } else { 32 };
            for message in [vec![1; bytes], vec![2; bytes]] {
                let Reply::Data(signature) = hsm.sign_message(session, &message, Room::Bytes(60_000)).unwrap() else {
                    panic!("{}: a size", row.name)
                };
                named(hsm.verify_message(session, &message, &signature));
                check(hsm.verify_message(session, &vec![3; bytes], &signature), CKR_SIGNATURE_INVALID);
            }
            named(hsm.message_final(session, OperationKind::MessageSign));
            named(hsm.message_final(session, OperationKind::MessageVerify));
            count += 1;
        }
    }
    assert!(count > 100, "only {count}");
}
