//! Places in parameters: filled in order, and only when everything fits.

use super::*;
use crate::memory::testing::*;
use core::ptr;
use hsm_core::{ParamShape, Params, TlsPrfParams};

#[test]
fn results_are_written_to_their_places_in_order() {
    let (mut first, mut second, mut iv) = (0, 0, [0_u8; 4]);
    let places = Places {
        keys: vec![raw(&mut first).out("").unwrap(), raw(&mut second).out("").unwrap()],
        values: vec![raw_slice(&mut iv).array(4, 4, "").unwrap()],
        ..Places::default()
    };
    let derived =
        Derived { key: None, further: vec![ObjectHandle(7), ObjectHandle(9)], values: vec![vec![1, 2, 3, 4]] };
    places.write(&derived).unwrap();
    assert_eq!((first, second, iv), (7, 9, [1, 2, 3, 4]));
}

#[test]
fn results_without_a_place_of_their_size_are_not_written() {
    let (mut key, mut iv) = (0, [0_u8; 4]);
    for (further, values) in [(vec![], vec![vec![1; 4]]), (vec![ObjectHandle(7)], vec![vec![1; 3]])] {
        let places = Places {
            keys: vec![raw(&mut key).out("").unwrap()],
            values: vec![raw_slice(&mut iv).array(4, 4, "").unwrap()],
            ..Places::default()
        };
        let outcome = places.write(&Derived { key: None, further, values });
        assert!(matches!(outcome, Err(Reason::Internal(_))));
    }
    assert_eq!((key, iv), (0, [0; 4]));
}

#[test]
fn a_key_that_may_be_absent_gets_no_handle() {
    let (mut public, mut private) = (1, 1);
    let places = Places {
        keys: vec![raw(&mut public).out("").unwrap(), raw(&mut private).out("").unwrap()],
        last_may_be_absent: true,
        ..Places::default()
    };
    places.write(&Derived { key: None, further: vec![ObjectHandle(7)], values: Vec::new() }).unwrap();
    assert_eq!((public, private), (7, CK_INVALID_HANDLE));
}

#[test]
fn a_fault_is_told_at_the_handle_or_at_the_place_for_it() {
    let (mut first, mut second, mut step) = (1, 1, 9);
    let reason = || Reason::Further { place: 1, reason: Box::new(Reason::KeySize) };
    let keys = vec![raw(&mut first).out("").unwrap(), raw(&mut second).out("").unwrap()];
    let mut places = Places { keys, ..Places::default() };
    places.mark_fault(&Reason::KeySize);
    places.mark_fault(&reason());
    places.keys.clear();
    places.fault = Some(raw(&mut step).out("").unwrap());
    places.mark_fault(&reason());
    assert_eq!((first, second, step), (1, CK_INVALID_HANDLE, 1));
}

/// Decodes a parameter of a shape, and lends the places that were found in it.
fn decoded<T, Kept>(
    shape: DeriveShape,
    parameter: &mut T,
    look: impl FnOnce(Params, Places<'_>) -> Kept,
) -> Result<Kept> {
    let mut mechanism = CK_MECHANISM {
        mechanism: 0,
        pParameter: ptr::from_mut(parameter).cast(),
        ulParameterLen: size_of::<T>() as CK_ULONG,
    };
    let value = mechanism;
    let mut reader = Reader::new(raw(&mut mechanism), &value);
    reader.params(ParamShape::Derive(shape)).map(|params| look(params, reader.places))
}

#[test]
#[cfg_attr(miri, ignore = "a number becomes an address there, as the older form of the parameter has it")]
fn both_forms_of_a_password_say_the_same() {
    let (mut word, mut salt, mut length) = (*b"password", *b"salt", 8 as CK_ULONG);
    let mut params = CK_PKCS5_PBKD2_PARAMS2 {
        saltSource: CKZ_SALT_SPECIFIED,
        pSaltSourceData: salt.as_mut_ptr().cast(),
        ulSaltSourceDataLen: 4,
        iterations: 1000,
        prf: CKP_PKCS5_PBKD2_HMAC_SHA256,
        pPrfData: ptr::null_mut(),
        ulPrfDataLen: 0,
        pPassword: word.as_mut_ptr(),
        ulPasswordLen: 8,
    };
    let by_length = decoded(DeriveShape::Password, &mut params, |params, _| params).unwrap();
    params.ulPasswordLen = ptr::from_mut(&mut length).expose_provenance() as CK_ULONG;
    let by_pointer = decoded(DeriveShape::Password, &mut params, |params, _| params).unwrap();
    assert_eq!(by_length, by_pointer);
    let Params::Derive(DeriveParams::Password(read)) = by_length else { panic!("another parameter") };
    assert_eq!((read.password.expose(), &read.salt[..]), (&b"password"[..], &b"salt"[..]));
    for wrong in [CK_ULONG::MAX, 1 << 60, (1 << 20) + 1] {
        params.ulPasswordLen = wrong;
        let outcome = decoded(DeriveShape::Password, &mut params, |_, _| ());
        assert!(matches!(outcome, Err(Reason::MechanismParam(_))), "{wrong:#x}");
    }
}

#[test]
fn the_keys_of_a_connection_are_written_where_the_parameter_says() {
    let (mut client_iv, mut server_iv, mut random) = ([0_u8; 4], [0_u8; 4], [1_u8; 32]);
    let random = random.as_mut_ptr();
    let mut out = CK_SSL3_KEY_MAT_OUT {
        hClientMacSecret: 9,
        hServerMacSecret: 9,
        hClientKey: 9,
        hServerKey: 9,
        pIVClient: client_iv.as_mut_ptr(),
        pIVServer: server_iv.as_mut_ptr(),
    };
    let mut params = CK_TLS12_KEY_MAT_PARAMS {
        ulMacSizeInBits: 0,
        ulKeySizeInBits: 128,
        ulIVSizeInBits: 32,
        bIsExport: CK_FALSE,
        RandomInfo: CK_SSL3_RANDOM_DATA {
            pClientRandom: random,
            ulClientRandomLen: 32,
            pServerRandom: random,
            ulServerRandomLen: 32,
        },
        pReturnedKeyMaterial: ptr::from_mut(&mut out),
        prfHashMechanism: CKM_SHA256,
    };
    let keys = vec![ObjectHandle(3), ObjectHandle(4)];
    let derived = Derived { key: None, further: keys, values: vec![vec![1; 4], vec![2; 4]] };
    decoded(DeriveShape::TlsKeys, &mut params, |_, places| places.write(&derived)).unwrap().unwrap();
    assert_eq!((out.hClientMacSecret, out.hServerMacSecret), (CK_INVALID_HANDLE, CK_INVALID_HANDLE));
    assert_eq!((out.hClientKey, out.hServerKey), (3, 4));
    assert_eq!((client_iv, server_iv), ([1; 4], [2; 4]));
    // Without IVs their places are not looked at; with them they must be there.
    let mut bare = CK_SSL3_KEY_MAT_OUT { pIVServer: ptr::null_mut(), ..out };
    params.pReturnedKeyMaterial = ptr::from_mut(&mut bare);
    let safe = decoded(DeriveShape::TlsSafeKeys, &mut params, |_, places| places.values.len());
    assert_eq!(safe.unwrap(), 0);
    let missing = decoded(DeriveShape::TlsKeys, &mut params, |_, _| ());
    assert!(matches!(missing, Err(Reason::MechanismParam(_))));
}

#[test]
fn the_handles_of_a_tree_stand_in_its_parameter() {
    let mut path: [CK_ULONG; 2] = [44 | 1 << 31, 0];
    let mut params = TreeChildParams {
        public_template: ptr::null_mut(),
        public_count: 0,
        private_template: ptr::null_mut(),
        private_count: 0,
        path: path.as_mut_ptr(),
        path_length: 2,
        public_key: 9,
        private_key: 9,
        path_error: 9,
    };
    let derived = Derived { key: None, further: vec![ObjectHandle(3), ObjectHandle(4)], values: Vec::new() };
    let read = decoded(DeriveShape::TreeChild, &mut params, |read, places| {
        places.write(&derived).unwrap();
        read
    });
    let Params::Derive(DeriveParams::TreeChild(read)) = read.unwrap() else { panic!("another parameter") };
    assert_eq!(read.path, path);
    assert_eq!((params.public_key, params.private_key, params.path_error), (3, 4, 9));
    let fault = Reason::Further { place: 1, reason: Box::new(Reason::TreeIndex) };
    decoded(DeriveShape::TreeChild, &mut params, |_, places| places.mark_fault(&fault)).unwrap();
    assert_eq!(params.path_error, 1);
}

#[test]
fn the_result_of_the_old_tls_function_has_the_length_that_the_caller_says() {
    let (mut label, mut seed, mut out, mut length) = (*b"label", [1_u8; 4], [0_u8; 20], 12 as CK_ULONG);
    let mut parameter = CK_TLS_PRF_PARAMS {
        pSeed: seed.as_mut_ptr(),
        ulSeedLen: 4,
        pLabel: label.as_mut_ptr(),
        ulLabelLen: 5,
        pOutput: out.as_mut_ptr(),
        pulOutputLen: &raw mut length,
    };
    let asked = decoded(DeriveShape::TlsPrf, &mut parameter, |params, places| {
        places.write(&Derived { key: None, further: Vec::new(), values: vec![vec![9; 12]] }).unwrap();
        params
    });
    let expected = TlsPrfParams { label: label.to_vec(), seed: vec![1; 4], bytes: 12 };
    assert_eq!(asked.unwrap(), Params::Derive(DeriveParams::TlsPrf(expected)));
    assert_eq!((out[..12].to_vec(), out[12]), (vec![9; 12], 0));
    for (output, count) in [(ptr::null_mut(), &raw mut length), (out.as_mut_ptr(), ptr::null_mut())] {
        (parameter.pOutput, parameter.pulOutputLen) = (output, count);
        let outcome = decoded(DeriveShape::TlsPrf, &mut parameter, |_, _| ());
        assert!(matches!(outcome, Err(Reason::MechanismParam(_))));
    }
    let mut longest = CK_ULONG::MAX;
    (parameter.pOutput, parameter.pulOutputLen) = (out.as_mut_ptr(), &raw mut longest);
    assert!(matches!(decoded(DeriveShape::TlsPrf, &mut parameter, |_, _| ()), Err(Reason::MechanismParam(_))));
}

#[test]
fn keys_that_an_ike_parameter_does_not_mark_as_there_are_not_looked_up() {
    let mut parameter = CK_IKE1_PRF_DERIVE_PARAMS {
        prfMechanism: CKM_SHA256_HMAC,
        bHasPrevKey: CK_FALSE,
        hKeygxy: 7,
        hPrevKey: 9,
        pCKYi: ptr::null_mut(),
        ulCKYiLen: 0,
        pCKYr: ptr::null_mut(),
        ulCKYrLen: 0,
        keyNumber: 2,
    };
    let keys = |parameter: &mut _| {
        decoded(DeriveShape::Ike1, parameter, |params, _| match params {
            Params::Derive(params) => params.keys(),
            other => panic!("{other:?}"),
        })
    };
    assert_eq!(keys(&mut parameter).unwrap(), [ObjectHandle(7)]);
    parameter.bHasPrevKey = CK_TRUE;
    assert_eq!(keys(&mut parameter).unwrap(), [ObjectHandle(9), ObjectHandle(7)]);
    parameter.bHasPrevKey = 2;
    assert!(matches!(keys(&mut parameter), Err(Reason::MechanismParam(_))));
}

/// Any function that takes a mechanism could answer CKR_ATTRIBUTE_VALUE_INVALID, C_EncryptInit too.
#[test]
fn a_template_that_cannot_be_read_is_a_fault_of_the_parameter_it_stands_in() {
    let mut value = [0_u8; 1];
    let too_long = CK_ATTRIBUTE {
        type_: CKA_LABEL,
        pValue: value.as_mut_ptr().cast(),
        ulValueLen: limits::ATTRIBUTE_BYTES_MAX as CK_ULONG + 1,
    };
    let no_list = CK_ATTRIBUTE { type_: CKA_WRAP_TEMPLATE, ulValueLen: 1, ..too_long };
    for mut attribute in [too_long, no_list] {
        let mut params = TreeMasterParams {
            public_template: ptr::from_mut(&mut attribute),
            public_count: 1,
            private_template: ptr::null_mut(),
            private_count: 0,
            public_key: 0,
            private_key: 0,
        };
        let outcome = decoded(DeriveShape::TreeMaster, &mut params, |_, _| ());
        assert!(matches!(outcome, Err(Reason::MechanismParam(_))));
    }
}
