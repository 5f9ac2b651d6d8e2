//! HSS/LMS, XMSS and XMSS^MT: published signatures, key pairs of known seeds, and what templates may ask for.

use crate::operability::USER;
use crate::support::{Counting, USAGES, env, mechanism, public, rv, verify};
use crate::vectors::{Runner, run};
use ffi_headers::*;
use hsm_core::attributes::{self, Origin};
use hsm_core::object::{Attributes, Object, Value};
use hsm_core::platform::Env;
use hsm_core::template::Template;
use hsm_core::{Answer, Params, Reason, Result, keys};
use hsm_crypto::SecretBytes;
use hsm_crypto::encoding::{HashScheme, PublicForm, decode_spki};
use hsm_crypto::stateful::XmssSet;
use std::sync::LazyLock;

pub const RUNNERS: &[(u64, Runner)] = &[
    (CKM_HSS_KEY_PAIR_GEN, |env| {
        hss_pair_of_known_seed(env, &[(5, 4)]) + hss_pair_of_known_seed(env, &[(15, 11), (10, 8), (5, 1)])
    }),
    (CKM_HSS, |env| verifies(env, CKM_HSS, HashScheme::Hss, HSS, "")),
    (CKM_XMSS_KEY_PAIR_GEN, |env| xmss_pair_of_known_seeds(env, CKM_XMSS_KEY_PAIR_GEN, XMSS_SET)),
    (CKM_XMSS, |env| verifies(env, CKM_XMSS, HashScheme::Xmss, XMSS, "XMSS-")),
    (CKM_XMSSMT_KEY_PAIR_GEN, |env| xmss_pair_of_known_seeds(env, CKM_XMSSMT_KEY_PAIR_GEN, XMSSMT_SET)),
    (CKM_XMSSMT, |env| verifies(env, CKM_XMSSMT, HashScheme::XmssMt, XMSS, "XMSSMT-")),
];

/// The vectors of hsm-crypto, which name their sources: name, public key, message, signature.
const HSS: &str = include_str!("../../../hsm-crypto/tests/vectors/stateful/hss.txt");
const XMSS: &str = include_str!("../../../hsm-crypto/tests/vectors/stateful/xmss.txt");
/// XMSS-SHA2_10_192, the quickest one.
pub const XMSS_SET: u64 = 0x0d;
/// XMSSMT-SHA2_20/4_192.
pub const XMSSMT_SET: u64 = 0x22;

#[test]
fn stateful_mechanisms_give_the_published_values() {
    run(RUNNERS);
}

fn verifies(env: &Env<'_>, kind: u64, scheme: HashScheme, vectors: &str, names: &str) -> usize {
    let lines: Vec<&str> = vectors.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let mine = lines.chunks(4).filter(|vector| vector[0].starts_with(names));
    mine.map(|vector| {
        let [key, message, signature] = [1, 2, 3].map(|at| crate::support::hex(vector[at]));
        let key = public(PublicForm::HashBased { scheme, key });
        let mechanism = mechanism(kind, &Params::None);
        verify(env, &mechanism, &key, &message, &signature).unwrap();
        let other = [&message[..], b"."].concat();
        assert_eq!(rv(&verify(env, &mechanism, &key, &other, &signature)), CKR_SIGNATURE_INVALID, "{}", vector[0]);
        let short = verify(env, &mechanism, &key, &message, &signature[1..]);
        assert!(matches!(rv(&short), CKR_SIGNATURE_LEN_RANGE | CKR_SIGNATURE_INVALID), "{}", vector[0]);
    })
    .count()
}

/// A private template with these levels: types of LMS and LM-OTS.
pub fn levels(types: &[(u64, u64)]) -> Template {
    let list =
        |which: fn(&(u64, u64)) -> u64| types.iter().flat_map(|one| which(one).to_ne_bytes()).collect::<Vec<u8>>();
    Template::default()
        .with_number(CKA_HSS_LEVELS, types.len() as u64)
        .with(CKA_HSS_LMS_TYPES, &list(|one| one.0))
        .with(CKA_HSS_LMOTS_TYPES, &list(|one| one.1))
}

fn generate(env: &Env<'_>, kind: u64, public: &Template, private: &Template) -> Result<(Object, Object)> {
    keys::generate_key_pair(env, USER, &mechanism(kind, &Params::None), public, private)
}

fn number(object: &Object, kind: u64) -> u64 {
    match attributes::answer(object, kind) {
        Answer::Bytes(bytes) => u64::from_ne_bytes(bytes.expose().try_into().unwrap()),
        other => panic!("{kind:#x}: {other:?}"),
    }
}

/// The engine's trees are compared with other implementations in hsm-crypto; here, that the pair is of that very seed.
fn hss_pair_of_known_seed(outer: &Env<'_>, types: &[(u64, u64)]) -> usize {
    let env = Env { random: &Counting, ..*outer };
    let (public, private) = generate(&env, CKM_HSS_KEY_PAIR_GEN, &Template::default(), &levels(types)).unwrap();
    let seed: Vec<u8> = (0..32).collect();
    let numbers: Vec<_> =
        types.iter().map(|(lms, lmots)| (u32::try_from(*lms).unwrap(), u32::try_from(*lmots).unwrap())).collect();
    let key = (hsm_crypto::portable().stateful.hss_private)(&numbers, &seed).unwrap();
    assert_eq!(public.bytes(CKA_VALUE).unwrap(), key.public_key().unwrap());
    assert_eq!(number(&public, CKA_HSS_LEVELS), types.len() as u64);
    assert_eq!((number(&public, CKA_HSS_LMS_TYPE), number(&public, CKA_HSS_LMOTS_TYPE)), types[0]);
    assert_eq!(number(&private, CKA_HSS_LEVELS), types.len() as u64);
    assert_eq!(number(&private, CKA_HSS_KEYS_REMAINING), key.signatures());
    let list: Vec<u8> = types.iter().flat_map(|(lms, _)| lms.to_ne_bytes()).collect();
    assert_eq!(attributes::answer(&private, CKA_HSS_LMS_TYPES), Answer::Bytes(list.into()));
    stays_where_it_is(&env, &public, &private);
    1
}

fn xmss_pair_of_known_seeds(outer: &Env<'_>, kind: u64, set: u64) -> usize {
    let env = Env { random: &Counting, ..*outer };
    let template = Template::default().with_number(CKA_PARAMETER_SET, set);
    let (public, private) = generate(&env, kind, &template, &Template::default()).unwrap();
    let known = if kind == CKM_XMSS_KEY_PAIR_GEN { XmssSet::xmss } else { XmssSet::xmss_mt };
    let known = known(u32::try_from(set).unwrap()).unwrap();
    let seeds: Vec<u8> = (0..).take(known.seed_bytes()).collect();
    let key = (hsm_crypto::portable().stateful.xmss_private)(known, &seeds).unwrap();
    assert_eq!(public.bytes(CKA_VALUE).unwrap(), key.public_key().unwrap());
    assert_eq!((public.number(CKA_PARAMETER_SET), private.number(CKA_PARAMETER_SET)), (Some(set), Some(set)));
    stays_where_it_is(&env, &public, &private);
    1
}

/// v3.2, 6.65.3: sensitive, not extractable, not copyable; and nothing can change that.
fn stays_where_it_is(env: &Env<'_>, public: &Object, private: &Object) {
    assert_eq!(private.bytes(CKA_PUBLIC_KEY_INFO), public.bytes(CKA_PUBLIC_KEY_INFO));
    let info = decode_spki(public.bytes(CKA_PUBLIC_KEY_INFO).unwrap()).unwrap();
    assert!(matches!(&info, PublicForm::HashBased { key, .. } if Some(&key[..]) == public.bytes(CKA_VALUE)));
    assert!(private.flag(CKA_SENSITIVE) && !private.flag(CKA_EXTRACTABLE) && !private.flag(CKA_COPYABLE));
    assert!(private.flag(CKA_ALWAYS_SENSITIVE) && private.flag(CKA_NEVER_EXTRACTABLE));
    assert_eq!(attributes::answer(private, CKA_VALUE), Answer::Sensitive);
    assert_eq!(rv(&attributes::copy(env, USER, private, &Template::default())), CKR_ACTION_PROHIBITED);
    for (kind, value) in [(CKA_SENSITIVE, false), (CKA_EXTRACTABLE, true), (CKA_COPYABLE, true)] {
        let changed = attributes::modify(env, USER, private, &Template::default().with_flag(kind, value));
        assert_eq!(rv(&changed), CKR_ATTRIBUTE_READ_ONLY, "{kind:#x}");
    }
    for kind in [CKA_HSS_KEYS_REMAINING, CKA_VALUE] {
        let changed = attributes::modify(env, USER, private, &Template::default().with_number(kind, 32));
        assert!(changed.is_err(), "{kind:#x}");
    }
    assert!(matches!(hsm_core::object::private_form(private), Err(Reason::KeyMaterial(_))));
    // The public half comes in again from its bytes.
    let template = Template::default()
        .with_number(CKA_CLASS, CKO_PUBLIC_KEY)
        .with_number(CKA_KEY_TYPE, public.key_type().unwrap())
        .with(CKA_VALUE, public.bytes(CKA_VALUE).unwrap());
    let template = match public.number(CKA_PARAMETER_SET) {
        Some(set) => template.with_number(CKA_PARAMETER_SET, set),
        None => template,
    };
    let created = attributes::build(env, USER, Origin::Create, &template, Attributes::new()).unwrap();
    assert_eq!(created.bytes(CKA_PUBLIC_KEY_INFO), public.bytes(CKA_PUBLIC_KEY_INFO));
    assert_eq!(created.number(CKA_HSS_LEVELS), public.number(CKA_HSS_LEVELS));
}

/// Pairs of each type, with every usage.
static PAIRS: LazyLock<[(Object, Object); 3]> = LazyLock::new(|| {
    let env = env(hsm_crypto::preferred());
    let set = |set| Template::default().with_number(CKA_PARAMETER_SET, set);
    [
        generate(&env, CKM_HSS_KEY_PAIR_GEN, &Template::default(), &levels(&[(5, 3)])).unwrap(),
        generate(&env, CKM_XMSS_KEY_PAIR_GEN, &set(XMSS_SET), &Template::default()).unwrap(),
        generate(&env, CKM_XMSSMT_KEY_PAIR_GEN, &set(XMSSMT_SET), &Template::default()).unwrap(),
    ]
});

/// Public and private key of a type, with their trees grown.
pub fn sample_pair(key_type: u64) -> (Object, Object) {
    let (public, private) = match key_type {
        CKK_HSS => &PAIRS[0],
        CKK_XMSS => &PAIRS[1],
        _ => &PAIRS[2],
    };
    let usable = |object: &Object| {
        let mut attributes = object.attributes();
        for usage in USAGES {
            attributes.insert(usage, Value::Flag(true));
        }
        object.with_attributes(&attributes).unwrap()
    };
    (usable(public), usable(private))
}

#[test]
fn what_a_template_cannot_ask_for_is_refused_with_the_attribute() {
    let env = env(hsm_crypto::preferred());
    let hss = |template: &Template| rv(&generate(&env, CKM_HSS_KEY_PAIR_GEN, &Template::default(), template));
    let good = levels(&[(5, 4), (5, 4)]);
    for missing in [CKA_HSS_LEVELS, CKA_HSS_LMS_TYPES, CKA_HSS_LMOTS_TYPES] {
        assert_eq!(hss(&good.without(missing)), CKR_TEMPLATE_INCOMPLETE, "{missing:#x}");
    }
    let wrong: [&[(u64, u64)]; 8] = [
        &[],
        &[(5, 4); 9],
        // No type, of another family, too high to grow, wider than 32 bits, too high in sum.
        &[(4, 4)],
        &[(5, 5)],
        &[(8, 4)],
        &[(5 + (1 << 32), 4)],
        &[(5, u64::MAX)],
        &[(7, 3); 5],
    ];
    for types in wrong {
        assert_eq!(hss(&levels(types)), CKR_ATTRIBUTE_VALUE_INVALID, "{types:?}");
    }
    for levels in [0, 1, 3, u64::MAX] {
        let template = good.without(CKA_HSS_LEVELS).with_number(CKA_HSS_LEVELS, levels);
        assert_eq!(hss(&template), CKR_ATTRIBUTE_VALUE_INVALID, "{levels}");
    }
    let cut = good.without(CKA_HSS_LMS_TYPES).with(CKA_HSS_LMS_TYPES, &[5, 0, 0, 0]);
    assert_eq!(hss(&cut), CKR_ATTRIBUTE_VALUE_INVALID);
    let one = levels(&[(5, 3)]);
    for (kind, value) in [(CKA_SENSITIVE, false), (CKA_EXTRACTABLE, true), (CKA_COPYABLE, true)] {
        assert_eq!(hss(&one.clone().with_flag(kind, value)), CKR_TEMPLATE_INCONSISTENT, "{kind:#x}");
        assert_eq!(hss(&one.clone().with_flag(kind, !value)), CKR_OK, "{kind:#x}");
    }
    for given in [CKA_HSS_KEYS_REMAINING, CKA_VALUE] {
        assert_eq!(hss(&one.clone().with_number(given, 9)), CKR_ATTRIBUTE_READ_ONLY, "{given:#x}");
    }
    let public = generate(&env, CKM_HSS_KEY_PAIR_GEN, &Template::default().with_number(CKA_HSS_LEVELS, 1), &one);
    assert_eq!(rv(&public), CKR_ATTRIBUTE_READ_ONLY);
    for (kind, set) in [(CKM_XMSS_KEY_PAIR_GEN, 2), (CKM_XMSS_KEY_PAIR_GEN, 22), (CKM_XMSSMT_KEY_PAIR_GEN, 3)] {
        let template = Template::default().with_number(CKA_PARAMETER_SET, set);
        assert_eq!(
            rv(&generate(&env, kind, &template, &Template::default())),
            CKR_PARAMETER_SET_NOT_SUPPORTED,
            "{set}"
        );
    }
    let none = generate(&env, CKM_XMSS_KEY_PAIR_GEN, &Template::default(), &Template::default());
    assert_eq!(rv(&none), CKR_TEMPLATE_INCOMPLETE);
}

#[test]
fn a_private_key_never_comes_from_outside_and_a_public_one_is_whole_or_refused() {
    let env = env(hsm_crypto::preferred());
    let create = |template: &Template| rv(&attributes::build(&env, USER, Origin::Create, template, Attributes::new()));
    for key_type in [CKK_HSS, CKK_XMSS, CKK_XMSSMT] {
        let private = Template::default().with_number(CKA_CLASS, CKO_PRIVATE_KEY).with_number(CKA_KEY_TYPE, key_type);
        assert_eq!(create(&private), CKR_TEMPLATE_INCONSISTENT);
        assert_eq!(create(&private.with(CKA_VALUE, &[1; 57])), CKR_ATTRIBUTE_READ_ONLY);
    }
    let (hss, _) = sample_pair(CKK_HSS);
    let value = hss.bytes(CKA_VALUE).unwrap();
    let public = Template::default().with_number(CKA_CLASS, CKO_PUBLIC_KEY).with_number(CKA_KEY_TYPE, CKK_HSS);
    assert_eq!(create(&public), CKR_TEMPLATE_INCOMPLETE);
    for wrong in [&[][..], &value[1..], &[value, &[0]].concat()] {
        assert_eq!(create(&public.clone().with(CKA_VALUE, wrong)), CKR_ATTRIBUTE_VALUE_INVALID);
    }
    let told = public.clone().with(CKA_VALUE, value).with_number(CKA_HSS_LEVELS, 1);
    assert_eq!(create(&told), CKR_ATTRIBUTE_READ_ONLY, "v3.2, table 13, footnote 2");
    let (xmss, _) = sample_pair(CKK_XMSSMT);
    let public = Template::default()
        .with_number(CKA_CLASS, CKO_PUBLIC_KEY)
        .with_number(CKA_KEY_TYPE, CKK_XMSSMT)
        .with(CKA_VALUE, xmss.bytes(CKA_VALUE).unwrap());
    assert_eq!(create(&public), CKR_TEMPLATE_INCOMPLETE);
    assert_eq!(create(&public.clone().with_number(CKA_PARAMETER_SET, 0x23)), CKR_ATTRIBUTE_VALUE_INVALID);
    assert_eq!(create(&public.with_number(CKA_PARAMETER_SET, 99)), CKR_PARAMETER_SET_NOT_SUPPORTED);
}

/// A signature's every header byte, and every way to cut it: one of two answers, and no panic.
#[test]
fn a_malformed_signature_is_invalid_or_of_a_wrong_length() {
    let env = env(hsm_crypto::preferred());
    let private = levels(&[(5, 3), (10, 8)]);
    let (public, private) = generate(&env, CKM_HSS_KEY_PAIR_GEN, &Template::default(), &private).unwrap();
    let mechanism = mechanism(CKM_HSS, &Params::None);
    let mut signer = hsm_core::mechanisms::start_sign(&env, &mechanism, &private).unwrap();
    let signature = signer.sign(&env, b"message").unwrap();
    let answer = |signature: &[u8]| {
        let mut operation = hsm_core::mechanisms::start_verify(&env, &mechanism, &public).unwrap();
        rv(&operation.verify(&env, b"message", signature))
    };
    assert_eq!(answer(&signature), CKR_OK);
    for bytes in 0..signature.len() {
        assert_eq!(answer(&signature[..bytes]), CKR_SIGNATURE_LEN_RANGE, "{bytes} bytes");
    }
    for at in (0..signature.len()).step_by(7).chain(0..16) {
        for bit in [0, 7] {
            let mut changed = signature.clone();
            changed[at] ^= 1 << bit;
            let rv = answer(&changed);
            assert!(matches!(rv, CKR_SIGNATURE_INVALID | CKR_SIGNATURE_LEN_RANGE), "{at}: {rv:#x}");
        }
    }
}

#[test]
fn an_approved_token_verifies_with_the_sets_of_sp_800_208_and_signs_with_none() {
    let mut env = env(hsm_crypto::preferred());
    env.policy.approved = true;
    let start = |kind, key: &Object| {
        let outcome = hsm_core::mechanisms::start_verify(&env, &mechanism(kind, &Params::None), key);
        outcome.err().map(|reason| reason.rv())
    };
    assert_eq!(start(CKM_HSS, &sample_pair(CKK_HSS).0), None);
    assert_eq!(start(CKM_XMSSMT, &sample_pair(CKK_XMSSMT).0), None);
    let lines: Vec<&str> = XMSS.lines().collect();
    let at = lines.iter().position(|line| *line == "XMSS-SHA2_10_512").unwrap();
    let sha512 = public(PublicForm::HashBased { scheme: HashScheme::Xmss, key: crate::support::hex(lines[at + 1]) });
    assert_eq!(start(CKM_XMSS, &sha512), Some(CKR_MECHANISM_INVALID));
    let (_, private) = sample_pair(CKK_HSS);
    let signs = hsm_core::mechanisms::start_sign(&env, &mechanism(CKM_HSS, &Params::None), &private);
    assert_eq!(signs.err().map(|reason| reason.rv()), Some(CKR_MECHANISM_INVALID));
}

#[test]
fn a_key_that_has_signed_all_it_can_does_not_begin() {
    let env = env(hsm_crypto::preferred());
    let (_, private) = sample_pair(CKK_HSS);
    let mut attributes = private.attributes();
    let mut value = private.bytes(CKA_VALUE).unwrap().to_vec();
    value[24] = 32;
    attributes.insert(CKA_VALUE, Value::Bytes(SecretBytes::new(value)));
    let used_up = private.with_attributes(&attributes).unwrap();
    let outcome = hsm_core::mechanisms::start_sign(&env, &mechanism(CKM_HSS, &Params::None), &used_up);
    assert_eq!(outcome.err().map(|reason| reason.rv()), Some(CKR_KEY_EXHAUSTED));
}
