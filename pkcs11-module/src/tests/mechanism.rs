//! Parameters by shape: exact lengths, null pointers, both forms of CK_GCM_PARAMS.

use core::mem::size_of;
use core::ptr;

use super::*;
use crate::memory::testing::*;
use hsm_core::DeriveShape;

/// Decodes a parameter of `length` bytes at `parameter` for a shape.
fn decoded<T>(shape: ParamShape, parameter: &mut T, length: usize) -> Result<Params> {
    at_address(shape, ptr::from_mut(parameter).cast(), length as CK_ULONG)
}

fn at_address(shape: ParamShape, address: *mut core::ffi::c_void, length: CK_ULONG) -> Result<Params> {
    let mut mechanism = CK_MECHANISM { mechanism: 0, pParameter: address, ulParameterLen: length };
    let value = mechanism;
    let place = raw(&mut mechanism);
    Reader::new(place, &value).params(shape)
}

#[test]
fn each_structure_is_taken_at_its_own_length_only() {
    let shapes = [
        (ParamShape::Iv16, &[16][..]),
        (ParamShape::OptionalIv(8), &[0, 8]),
        (ParamShape::OptionalIv(4), &[0, 4]),
        (ParamShape::None, &[0]),
        (ParamShape::Ctr, &[24]),
        (ParamShape::Gcm, &[40, 48]),
        (ParamShape::Pss, &[24]),
        (ParamShape::Oaep, &[40]),
        (ParamShape::Ecdh1, &[40]),
        (ParamShape::MacLength, &[8]),
        (ParamShape::OptionalKmac, &[0, 24]),
        (ParamShape::OptionalEddsa, &[0, 24]),
        (ParamShape::Derive(DeriveShape::Key), &[8]),
        (ParamShape::Derive(DeriveShape::Data), &[16]),
        (ParamShape::Derive(DeriveShape::BitOffset), &[8]),
        (ParamShape::Derive(DeriveShape::PrfKdf), &[40]),
        (ParamShape::Derive(DeriveShape::FeedbackKdf), &[56]),
        (ParamShape::Derive(DeriveShape::Hkdf), &[64]),
        (ParamShape::Iv8, &[8]),
        (ParamShape::Gmac, &[12, 40, 48]),
        (ParamShape::Ccm, &[48]),
        (ParamShape::EcdhAesWrap, &[32]),
        (ParamShape::ChaCha20, &[32]),
        (ParamShape::Salsa20, &[24]),
        (ParamShape::ChaCha20Poly1305, &[32]),
        (ParamShape::Derive(DeriveShape::CbcData), &[32]),
        (ParamShape::Derive(DeriveShape::TreeMaster), &[48]),
        (ParamShape::Derive(DeriveShape::TlsMaster), &[48]),
        (ParamShape::Derive(DeriveShape::TlsExtendedMaster), &[32]),
        (ParamShape::Derive(DeriveShape::TlsKdf), &[]),
        (ParamShape::TlsMac, &[24]),
        (ParamShape::OptionalSignContext, &[0, 24]),
        (ParamShape::HashSignContext, &[32]),
    ];
    for (shape, lengths) in shapes {
        for length in 0..=64 {
            let mut zeros = [0_u64; 8];
            let outcome = decoded(shape, &mut zeros, length);
            let expected = lengths.contains(&length);
            assert_eq!(outcome.is_ok(), expected, "{shape:?} with {length} bytes");
            assert!(expected || matches!(outcome, Err(Reason::MechanismParam(_))), "{shape:?} with {length} bytes");
        }
        for length in [u64::MAX, 1 << 63, isize::MAX as u64] {
            let mut zeros = [0_u64; 8];
            let huge = at_address(shape, zeros.as_mut_ptr().cast(), length);
            assert!(matches!(huge, Err(Reason::MechanismParam(_))), "{shape:?} with {length} bytes");
        }
    }
}

#[test]
fn a_null_parameter_with_a_length_is_refused() {
    for (shape, length) in [
        (ParamShape::Iv16, 16),
        (ParamShape::OptionalIv(8), 8),
        (ParamShape::Ctr, 24),
        (ParamShape::Gcm, 40),
        (ParamShape::Gcm, 48),
        (ParamShape::Pss, 24),
        (ParamShape::Oaep, 40),
        (ParamShape::Ecdh1, 40),
        (ParamShape::MacLength, 8),
        (ParamShape::OptionalKmac, 24),
        (ParamShape::OptionalEddsa, 24),
        (ParamShape::Derive(DeriveShape::Key), 8),
        (ParamShape::Derive(DeriveShape::Data), 16),
        (ParamShape::Derive(DeriveShape::BitOffset), 8),
        (ParamShape::Derive(DeriveShape::PrfKdf), 40),
        (ParamShape::Derive(DeriveShape::FeedbackKdf), 56),
        (ParamShape::Derive(DeriveShape::Hkdf), 64),
        (ParamShape::Iv8, 8),
        (ParamShape::Gmac, 12),
        (ParamShape::Gmac, 48),
        (ParamShape::Ccm, 48),
        (ParamShape::RsaAesWrap, 16),
        (ParamShape::EcdhAesWrap, 32),
        (ParamShape::ChaCha20, 32),
        (ParamShape::Salsa20, 24),
        (ParamShape::ChaCha20Poly1305, 32),
        (ParamShape::Derive(DeriveShape::CbcData), 32),
        (ParamShape::Derive(DeriveShape::TreeMaster), 48),
        (ParamShape::Derive(DeriveShape::TreeChild), 72),
        (ParamShape::Derive(DeriveShape::Password), 72),
        (ParamShape::Derive(DeriveShape::TlsMaster), 48),
        (ParamShape::Derive(DeriveShape::TlsExtendedMaster), 32),
        (ParamShape::Derive(DeriveShape::TlsKeys), 80),
        (ParamShape::Derive(DeriveShape::TlsKdf), 72),
        (ParamShape::TlsMac, 24),
        (ParamShape::None, 1),
    ] {
        let outcome = at_address(shape, ptr::null_mut(), length);
        assert!(matches!(outcome, Err(Reason::MechanismParam(_))), "{shape:?}");
    }
}

#[test]
fn the_parameters_of_ccm_and_of_stream_ciphers_are_read() {
    let (mut nonce, mut aad, mut counter) = ([1_u8; 24], *b"aad", [7_u8, 0, 0, 0, 0, 0, 0, 0]);
    let mut ccm = CK_CCM_PARAMS {
        ulDataLen: 5,
        pNonce: nonce.as_mut_ptr(),
        ulNonceLen: 13,
        pAAD: aad.as_mut_ptr(),
        ulAADLen: 3,
        ulMACLen: 8,
    };
    let expect = Params::Ccm { data_bytes: 5, nonce: vec![1; 13], aad: b"aad".to_vec(), mac_bytes: 8 };
    assert_eq!(decoded(ParamShape::Ccm, &mut ccm, 48).unwrap(), expect);

    let mut chacha = CK_CHACHA20_PARAMS {
        pBlockCounter: counter.as_mut_ptr(),
        blockCounterBits: 32,
        pNonce: nonce.as_mut_ptr(),
        ulNonceBits: 96,
    };
    let expect = Params::Stream { counter: vec![7, 0, 0, 0], nonce: vec![1; 12] };
    assert_eq!(decoded(ParamShape::ChaCha20, &mut chacha, 32).unwrap(), expect);
    for (bits, wrong) in [(33, 96), (32, 97), (32, u64::MAX)] {
        (chacha.blockCounterBits, chacha.ulNonceBits) = (bits, wrong);
        assert!(matches!(decoded(ParamShape::ChaCha20, &mut chacha, 32), Err(Reason::MechanismParam(_))));
    }

    let mut salsa =
        CK_SALSA20_PARAMS { pBlockCounter: counter.as_mut_ptr(), pNonce: nonce.as_mut_ptr(), ulNonceBits: 64 };
    let expect = Params::Stream { counter: counter.to_vec(), nonce: vec![1; 8] };
    assert_eq!(decoded(ParamShape::Salsa20, &mut salsa, 24).unwrap(), expect);

    // The standard's unit is bits, that of many clients bytes.
    for length in [12, 96] {
        let mut poly = CK_SALSA20_CHACHA20_POLY1305_PARAMS {
            pNonce: nonce.as_mut_ptr(),
            ulNonceLen: length,
            pAAD: ptr::null_mut(),
            ulAADLen: 0,
        };
        let expect = Params::ChaCha20Poly1305 { nonce: vec![1; 12], aad: vec![] };
        assert_eq!(decoded(ParamShape::ChaCha20Poly1305, &mut poly, 32).unwrap(), expect);
    }
}

#[test]
fn the_structure_within_a_structure_is_read_and_must_be_there() {
    let mut label = *b"label";
    let mut oaep = CK_RSA_PKCS_OAEP_PARAMS {
        hashAlg: CKM_SHA256,
        mgf: CKG_MGF1_SHA1,
        source: CKZ_DATA_SPECIFIED,
        pSourceData: label.as_mut_ptr().cast(),
        ulSourceDataLen: 5,
    };
    let mut wrap = CK_RSA_AES_KEY_WRAP_PARAMS { ulAESKeyBits: 256, pOAEPParams: &raw mut oaep };
    let inner =
        Params::Oaep { hash: CKM_SHA256, mgf: CKG_MGF1_SHA1, source: CKZ_DATA_SPECIFIED, label: label.to_vec() };
    let expect = Params::RsaAesWrap { aes_bits: 256, oaep: Box::new(inner) };
    assert_eq!(decoded(ParamShape::RsaAesWrap, &mut wrap, 16).unwrap(), expect);
    for length in [0, 8, 15, 17, 24] {
        assert!(matches!(decoded(ParamShape::RsaAesWrap, &mut wrap, length), Err(Reason::MechanismParam(_))));
    }
    wrap.pOAEPParams = ptr::null_mut();
    assert!(matches!(decoded(ParamShape::RsaAesWrap, &mut wrap, 16), Err(Reason::MechanismParam(_))));
}

#[test]
fn a_pointer_without_a_length_is_no_parameter() {
    let mut byte = 1_u8;
    assert_eq!(decoded(ParamShape::None, &mut byte, 0).unwrap(), Params::None);
    assert_eq!(decoded(ParamShape::OptionalKmac, &mut byte, 0).unwrap(), Params::None);
    assert_eq!(decoded(ParamShape::OptionalEddsa, &mut byte, 0).unwrap(), Params::None);
}

#[test]
fn gcm_parameters_with_and_without_iv_bits_say_the_same() {
    let (mut iv, mut aad) = ([1_u8, 2, 3], [4_u8, 5]);
    let (iv, aad) = (iv.as_mut_ptr(), aad.as_mut_ptr());
    let mut short = GcmParamsWithoutIvBits { p_iv: iv, iv_length: 3, p_aad: aad, aad_length: 2, tag_bits: 96 };
    let mut long = CK_GCM_PARAMS { pIv: iv, ulIvLen: 3, ulIvBits: 0xFFFF, pAAD: aad, ulAADLen: 2, ulTagBits: 96 };
    let expected = Params::Gcm { iv: vec![1, 2, 3], aad: vec![4, 5], tag_bits: 96 };
    assert_eq!(decoded(ParamShape::Gcm, &mut short, 40).unwrap(), expected);
    assert_eq!(decoded(ParamShape::Gcm, &mut long, 48).unwrap(), expected);
}

#[test]
fn a_pointer_inside_the_parameter_may_be_null_only_without_a_length() {
    let mut params = CK_GCM_PARAMS::default();
    let empty = Params::Gcm { iv: vec![], aad: vec![], tag_bits: 0 };
    assert_eq!(decoded(ParamShape::Gcm, &mut params, 48).unwrap(), empty);
    params.ulIvLen = 12;
    assert!(matches!(decoded(ParamShape::Gcm, &mut params, 48), Err(Reason::MechanismParam("pIv"))));
    params.ulIvLen = 0;
    params.ulAADLen = 1;
    assert!(matches!(decoded(ParamShape::Gcm, &mut params, 48), Err(Reason::MechanismParam("pAAD"))));

    let mut byte = 1_u8;
    params.pAAD = &raw mut byte;
    params.ulAADLen = CK_ULONG::MAX;
    assert!(matches!(decoded(ParamShape::Gcm, &mut params, 48), Err(Reason::MechanismParam("pAAD"))));
}

#[test]
fn oaep_with_source_zero_and_no_data_is_passed_on() {
    let mut params = CK_RSA_PKCS_OAEP_PARAMS { hashAlg: CKM_SHA256, mgf: CKG_MGF1_SHA256, ..Default::default() };
    let expected = Params::Oaep { hash: CKM_SHA256, mgf: CKG_MGF1_SHA256, source: 0, label: vec![] };
    assert_eq!(decoded(ParamShape::Oaep, &mut params, 40).unwrap(), expected);
    params.ulSourceDataLen = 1;
    assert!(matches!(decoded(ParamShape::Oaep, &mut params, 40), Err(Reason::MechanismParam("pSourceData"))));
}

#[test]
fn an_agreement_has_both_its_fields() {
    let (mut shared, mut public) = ([1_u8], [4_u8, 9]);
    let mut params = CK_ECDH1_DERIVE_PARAMS {
        kdf: CKD_NULL,
        ulSharedDataLen: 1,
        pSharedData: shared.as_mut_ptr(),
        ulPublicDataLen: 2,
        pPublicData: public.as_mut_ptr(),
    };
    let expected = Params::Ecdh1 { kdf: CKD_NULL, shared: vec![1], public: vec![4, 9] };
    assert_eq!(decoded(ParamShape::Ecdh1, &mut params, 40).unwrap(), expected);
}

#[test]
fn a_flag_of_eddsa_is_true_or_false() {
    let mut params = CK_EDDSA_PARAMS::default();
    for (flag, expected) in [(0, Some(false)), (1, Some(true)), (2, None), (255, None)] {
        params.phFlag = flag;
        let prehash = match decoded(ParamShape::OptionalEddsa, &mut params, size_of::<CK_EDDSA_PARAMS>()) {
            Ok(Params::Eddsa { prehash, .. }) => Some(prehash),
            Err(Reason::MechanismParam(_)) => None,
            other => panic!("{other:?}"),
        };
        assert_eq!(prehash, expected, "flag {flag}");
    }
}

#[test]
fn everything_may_stand_at_odd_addresses() {
    let mut parameter = [0; 25];
    parameter[1..9].copy_from_slice(&128_u64.to_ne_bytes());
    parameter[9..].copy_from_slice(b"0123456789abcdef");
    let odd = parameter[1..].as_mut_ptr().cast();
    let expected = Params::Ctr { counter_bits: 128, block: *b"0123456789abcdef" };
    assert_eq!(at_address(ParamShape::Ctr, odd, 24).unwrap(), expected);
}

#[test]
fn a_null_mechanism_is_refused() {
    assert!(matches!(decode(null()), Err(Reason::ArgumentsBad(_))));
}

#[test]
fn an_unknown_mechanism_is_refused_before_its_parameter_is_looked_at() {
    // The parameter's address is in no memory: reading it would end the test.
    let nowhere = ptr::without_provenance_mut(16);
    let mut mechanism = CK_MECHANISM { mechanism: 0x7FFF_FFFF, pParameter: nowhere, ulParameterLen: 48 };
    assert!(matches!(decode(raw(&mut mechanism)), Err(Reason::MechanismUnknown(0x7FFF_FFFF))));
}

#[test]
fn a_kmac_parameter_has_a_length_and_a_customisation_string() {
    let mut text = *b"text";
    let mut params = CK_KMAC_PARAMS { ulMacLen: 48, pCustomization: text.as_mut_ptr(), ulCustomizationLen: 4 };
    let size = size_of::<CK_KMAC_PARAMS>();
    let expected = Params::Kmac { mac_bytes: 48, customisation: b"text".to_vec() };
    assert_eq!(decoded(ParamShape::OptionalKmac, &mut params, size).unwrap(), expected);
    params.ulCustomizationLen = u64::MAX;
    assert!(matches!(decoded(ParamShape::OptionalKmac, &mut params, size), Err(Reason::MechanismParam(_))));
    (params.pCustomization, params.ulCustomizationLen) = (ptr::null_mut(), 1);
    assert!(matches!(decoded(ParamShape::OptionalKmac, &mut params, size), Err(Reason::MechanismParam(_))));
    params.ulCustomizationLen = 0;
    let expected = Params::Kmac { mac_bytes: 48, customisation: Vec::new() };
    assert_eq!(decoded(ParamShape::OptionalKmac, &mut params, size).unwrap(), expected);
}
