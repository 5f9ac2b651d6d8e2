//! Objects that every token has by itself: the profiles it meets, its clock, its mechanisms, and the validations that the configuration declares.
//!
//! Owns: which there are, their handles, what they say. Does not know: sessions, the store, the index. Called from `api/objects`.
//! Rule source: PKCS#11 3.2, 4.3 (hardware features), 4.13 (mechanisms), 4.14 (profiles), 4.15 (validations); the conditions of the profiles are those
//! of PKCS#11 Profiles 3.2, section 5.
//!
//! They are found when a search names their class, and not otherwise. For hardware features the standard asks for that, to
//! protect applications that do not understand them; for mechanisms and profiles the reason is the same: what empties a token, copies
//! it, or shows its objects to a person, means the objects that somebody has put there. So no other search grows by them.
//!
//! There is no monotonic counter: it would have to be written to the store at each look.

use crate::mechanisms;
use crate::object::{Attributes, Object, Value};
use crate::platform::{Clock, utc_time};
use crate::policy::Policy;
use crate::types::ObjectHandle;
use crate::validation::Validation;
use ffi_headers::*;

/// The first handle. Those of other objects are counted up from 1 and do not come so far.
const FIRST: u64 = 1 << 62;
/// Bits of a handle that tell one object of a class from another.
const PLACE_BITS: u32 = 32;

/// A profile, and the mechanism that its conditions name where they name one.
struct Profile {
    id: u64,
    name: &'static str,
    mechanism: Option<u64>,
}

/// The profiles that the token can meet. It is no CKP_PUBLIC_CERTIFICATES_TOKEN, as certificates may be private, and no
/// CKP_COMPLETE_PROVIDER, as it does not have all mechanisms of the standard.
const PROFILES: [Profile; 4] = [
    Profile { id: CKP_BASELINE_PROVIDER, name: "baseline provider", mechanism: None },
    Profile { id: CKP_EXTENDED_PROVIDER, name: "extended provider", mechanism: None },
    Profile { id: CKP_AUTHENTICATION_TOKEN, name: "authentication token", mechanism: None },
    Profile { id: CKP_HKDF_TLS_TOKEN, name: "HKDF TLS token", mechanism: Some(CKM_HKDF_DATA) },
];

/// Whether this is the handle of an object that the token has by itself.
#[must_use]
pub fn is_built_in(handle: ObjectHandle) -> bool {
    handle.0 >= FIRST
}

/// The handles of all objects of a class in a token of this policy; `None` for a class of which objects are made.
#[must_use]
pub fn handles(class: u64, policy: Policy, validations: &[Validation]) -> Option<Vec<ObjectHandle>> {
    let places = match class {
        CKO_PROFILE => PROFILES.len(),
        CKO_HW_FEATURE => 1,
        CKO_MECHANISM => mechanisms::all().count(),
        CKO_VALIDATION => validations.len(),
        _ => return None,
    };
    let handles = (0..places as u64).map(|place| ObjectHandle(FIRST | class << PLACE_BITS | place));
    Some(handles.filter(|handle| says(*handle, policy, validations).is_some()).collect())
}

/// The object behind a handle in a token of this policy, as it is now.
#[must_use]
pub fn object(handle: ObjectHandle, policy: Policy, validations: &[Validation], clock: &dyn Clock) -> Option<Object> {
    Some(match says(handle, policy, validations)? {
        Says::Profile(profile) => Object::new(&Attributes::from([
            (CKA_CLASS, Value::Number(CKO_PROFILE)),
            (CKA_TOKEN, Value::Flag(true)),
            (CKA_PRIVATE, Value::Flag(false)),
            (CKA_MODIFIABLE, Value::Flag(false)),
            (CKA_COPYABLE, Value::Flag(false)),
            (CKA_DESTROYABLE, Value::Flag(false)),
            (CKA_LABEL, text(profile.name)),
            (CKA_UNIQUE_ID, text(&format!("profile-{}", profile.id))),
            (CKA_PROFILE_ID, Value::Number(profile.id)),
        ])),
        Says::Clock => Object::new(&Attributes::from([
            (CKA_CLASS, Value::Number(CKO_HW_FEATURE)),
            (CKA_HW_FEATURE_TYPE, Value::Number(CKH_CLOCK)),
            (CKA_VALUE, Value::Bytes(utc_time(clock.unix_seconds()).to_vec().into())),
        ])),
        Says::Mechanism(kind) => Object::new(&Attributes::from([
            (CKA_CLASS, Value::Number(CKO_MECHANISM)),
            (CKA_MECHANISM_TYPE, Value::Number(kind)),
        ])),
        Says::Validation(validation, place) => validation.object(place),
    })
}

/// What an object is about.
enum Says<'a> {
    Profile(&'static Profile),
    Clock,
    Mechanism(u64),
    Validation(&'a Validation, usize),
}

fn says(handle: ObjectHandle, policy: Policy, validations: &[Validation]) -> Option<Says<'_>> {
    let number = handle.0.checked_sub(FIRST)?;
    let place = usize::try_from(number & ((1 << PLACE_BITS) - 1)).ok()?;
    match number >> PLACE_BITS {
        CKO_PROFILE => {
            let profile = PROFILES.get(place)?;
            let has = |kind| mechanisms::find(kind).is_some_and(|row| policy.info(row).is_some());
            profile.mechanism.is_none_or(has).then_some(Says::Profile(profile))
        }
        CKO_HW_FEATURE => (place == 0).then_some(Says::Clock),
        CKO_MECHANISM => {
            let row = mechanisms::all().nth(place).filter(|row| policy.info(row).is_some())?;
            Some(Says::Mechanism(row.kind))
        }
        CKO_VALIDATION => validations.get(place).map(|validation| Says::Validation(validation, place)),
        _ => None,
    }
}

fn text(text: &str) -> Value {
    Value::Bytes(text.as_bytes().to_vec().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attributes;
    use crate::types::Answer;
    use std::collections::BTreeSet;

    struct Noon;

    impl Clock for Noon {
        fn unix_seconds(&self) -> i64 {
            1_709_208_000
        }
    }

    const CLASSES: [u64; 4] = [CKO_PROFILE, CKO_HW_FEATURE, CKO_MECHANISM, CKO_VALIDATION];

    fn validations() -> Vec<Validation> {
        let validation = Validation {
            kind: CKV_TYPE_SOFTWARE,
            version: (3, 0),
            level: 1,
            module: "a module".to_owned(),
            authority: CKV_AUTHORITY_TYPE_UNSPECIFIED,
            country: String::new(),
            certificate: "a certificate".to_owned(),
            certificate_uri: String::new(),
            vendor_uri: String::new(),
            profile: String::new(),
        };
        vec![validation.clone(), validation]
    }

    fn handles(class: u64) -> Option<Vec<ObjectHandle>> {
        super::handles(class, Policy::default(), &validations())
    }

    fn object(handle: ObjectHandle) -> Option<Object> {
        super::object(handle, Policy::default(), &validations(), &Noon)
    }

    #[test]
    fn every_handle_means_one_object_of_its_class_and_no_made_one() {
        let mut seen = BTreeSet::new();
        for class in CLASSES {
            for handle in handles(class).unwrap() {
                assert!(seen.insert(handle) && is_built_in(handle));
                assert_eq!(object(handle).unwrap().class(), class);
            }
        }
        for handle in [0, 1, FIRST - 1, FIRST, FIRST | CKO_HW_FEATURE << PLACE_BITS | 1, u64::MAX] {
            assert!(object(ObjectHandle(handle)).is_none(), "{handle:#x}");
        }
        assert!(handles(CKO_DATA).is_none() && handles(CKO_VALIDATION).unwrap().len() == 2);
        assert_eq!(super::handles(CKO_VALIDATION, Policy::default(), &[]), Some(vec![]), "none is there by default");
    }

    #[test]
    fn every_attribute_of_the_table_is_answered_and_nothing_else_is_there() {
        for handle in CLASSES.into_iter().filter_map(handles).flatten() {
            let object = object(handle).unwrap();
            let table = attributes::tables::find(object.class(), None).unwrap();
            for row in table.rows() {
                assert!(matches!(attributes::answer(&object, row.kind), Answer::Bytes(_)), "{:#x}", row.kind);
            }
            let kinds: Vec<u64> = object.attributes().iter().map(|(kind, _)| *kind).collect();
            assert!(kinds.iter().all(|kind| table.row(*kind).is_some()));
        }
    }

    #[test]
    fn there_is_one_mechanism_object_for_each_mechanism_of_the_token() {
        let everything = Policy { legacy: true, ..Policy::default() };
        for policy in [Policy::default(), Policy { approved: true, ..Policy::default() }, everything] {
            let handles = super::handles(CKO_MECHANISM, policy, &[]).unwrap();
            let told = |handle: &ObjectHandle| super::object(*handle, policy, &[], &Noon)?.number(CKA_MECHANISM_TYPE);
            let told: Vec<u64> = handles.iter().filter_map(told).collect();
            let has = mechanisms::all().filter(|row| policy.info(row).is_some()).map(|row| row.kind);
            assert_eq!(told, has.collect::<Vec<_>>());
        }
    }
}
