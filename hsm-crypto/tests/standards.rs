//! Vectors from the standards themselves: FIPS 180, SP 800-38A, GCM's specification, X9.63, Argon2, RFC 6979, RFC 8032.

#![allow(clippy::unwrap_used, reason = "the lint knows test functions, and not what they share")]

mod common;

use common::{engines, hex};
use hsm_crypto::cipher::{Direction, GcmParams, Mode};
use hsm_crypto::ec::Curve;
use hsm_crypto::kdf::{Argon2Cost, argon2id, x963};
use hsm_crypto::{CryptoError, Hash, SymmetricKey};

#[test]
fn digests_are_those_of_fips_180() {
    let long = "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu";
    let short = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    let vectors = [
        (Hash::Sha1, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        (Hash::Sha1, "", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
        (Hash::Sha1, short, "84983e441c3bd26ebaae4aa1f95129e5e54670f1"),
        (Hash::Sha224, "abc", "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7"),
        (Hash::Sha224, short, "75388b16512776cc5dba5da1fd890150b0c6455cb4f58b1952522525"),
        (Hash::Sha256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (Hash::Sha256, "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (Hash::Sha256, short, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"),
        (
            Hash::Sha384,
            "abc",
            "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
        ),
        (
            Hash::Sha384,
            long,
            "09330c33f71147e83d192fc782cd1b4753111b173b3b05d22fa08086e3b0f712fcc7c71a557e2db966c3e9fa91746039",
        ),
        (
            Hash::Sha512,
            "abc",
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
             2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        ),
        (
            Hash::Sha512,
            long,
            "8e959b75dae313da8cf4f72814fc143f8f7779c6eb9f7fa17299aeadb6889018\
             501d289e4900f7e4331b99dec4b5433ac7d329eeb6dd26545e96e55b874be909",
        ),
    ];
    for (hash, message, expected) in vectors {
        for engine in engines() {
            let mut digest = (engine.digest)(hash);
            digest.update(message.as_bytes());
            assert_eq!(digest.finish(), hex(expected), "{}, {hash:?}", engine.name);
        }
    }
}

#[test]
fn a_million_letters_digest_to_the_value_of_fips_180() {
    let expected = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";
    for engine in engines() {
        let mut digest = (engine.digest)(Hash::Sha256);
        for _ in 0..1000 {
            digest.update(&[b'a'; 1000]);
        }
        assert_eq!(digest.finish(), hex(expected), "{}", engine.name);
    }
}

const KEY_128: &str = "2b7e151628aed2a6abf7158809cf4f3c";
const KEY_192: &str = "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b";
const KEY_256: &str = "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4";
/// The plaintext of every example in SP 800-38A, appendix F.
const PLAIN: &str = "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51\
                     30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710";

#[test]
fn modes_give_the_bytes_of_sp_800_38a() {
    let iv: [u8; 16] = hex("000102030405060708090a0b0c0d0e0f").try_into().unwrap();
    let block: [u8; 16] = hex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff").try_into().unwrap();
    let ctr = Mode::Ctr { block, counter_bits: 128 };
    let vectors = [
        (
            Mode::Ecb,
            KEY_128,
            "3ad77bb40d7a3660a89ecaf32466ef97f5d3d58503b9699de785895a96fdbaaf\
             43b1cd7f598ece23881b00e3ed0306887b0c785e27e8ad3f8223207104725dd4",
        ),
        (
            Mode::Ecb,
            KEY_192,
            "bd334f1d6e45f25ff712a214571fa5cc974104846d0ad3ad7734ecb3ecee4eef\
             ef7afd2270e2e60adce0ba2face6444e9a4b41ba738d6c72fb16691603c18e0e",
        ),
        (
            Mode::Ecb,
            KEY_256,
            "f3eed1bdb5d2a03c064b5a7e3db181f8591ccb10d410ed26dc5ba74a31362870\
             b6ed21b99ca6f4f9f153e7b1beafed1d23304b7a39f9f3ff067d8d8f9e24ecc7",
        ),
        (
            Mode::Cbc { iv },
            KEY_128,
            "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2\
             73bed6b8e3c1743b7116e69e222295163ff1caa1681fac09120eca307586e1a7",
        ),
        (
            Mode::Cbc { iv },
            KEY_192,
            "4f021db243bc633d7178183a9fa071e8b4d9ada9ad7dedf4e5e738763f69145a\
             571b242012fb7ae07fa9baac3df102e008b0e27988598881d920a9e64f5615cd",
        ),
        (
            Mode::Cbc { iv },
            KEY_256,
            "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d\
             39f23369a9d9bacfa530e26304231461b2eb05e2c39be9fcda6c19078c6a9d1b",
        ),
        (
            ctr.clone(),
            KEY_128,
            "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff\
             5ae4df3edbd5d35e5b4f09020db03eab1e031dda2fbe03d1792170a0f3009cee",
        ),
        (
            ctr.clone(),
            KEY_192,
            "1abc932417521ca24f2b0459fe7e6e0b090339ec0aa6faefd5ccc2c6f4ce8e94\
             1e36b26bd1ebc670d1bd1d665620abf74f78a7f6d29809585a97daec58c6b050",
        ),
        (
            ctr,
            KEY_256,
            "601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c5\
             2b0930daa23de94ce87017ba2d84988ddfc9c58db67aada613c2dd08457941a6",
        ),
    ];
    for (mode, key, expected) in &vectors {
        for engine in engines() {
            for (direction, input, output) in
                [(Direction::Encrypt, PLAIN, *expected), (Direction::Decrypt, *expected, PLAIN)]
            {
                let mut cipher = (engine.cipher)(mode, direction, &SymmetricKey::copy_of(&hex(key))).unwrap();
                let mut out = Vec::new();
                for part in hex(input).chunks(23) {
                    cipher.update(part, &mut out).unwrap();
                }
                cipher.finish(&mut out).unwrap();
                assert_eq!(out, hex(output), "{}, {mode:?}, {direction:?}", engine.name);
            }
        }
    }
}

/// Test cases 4, 5, 6, 10, 12 and 18 of the GCM specification by McGrew and Viega: IVs of 12, 8 and 60 bytes.
#[test]
fn gcm_in_parts_gives_the_bytes_of_its_specification() {
    let plain = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72\
                 1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39";
    let aad = "feedfacedeadbeeffeedfacedeadbeefabaddad2";
    let long_iv = "9313225df88406e555909c5aff5269aa6a7a9538534f7da1e4c303d2a318a728\
                   c3c0c95156809539fcf0e2429a6b525416aedbf5a0de6a57a637b39b";
    let key = "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308";
    let vectors = [
        (
            16,
            "cafebabefacedbaddecaf888",
            "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e\
             21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091\
             5bc94fbc3221a5db94fae95ae7121a47",
        ),
        (
            16,
            "cafebabefacedbad",
            "61353b4c2806934a777ff51fa22a4755699b2a714fcdc6f83766e5f97b6c7423\
             73806900e49f24b22b097544d4896b424989b5e1ebac0f07c23f4598\
             3612d2e79e3b0785561be14aaca2fccb",
        ),
        (
            16,
            long_iv,
            "8ce24998625615b603a033aca13fb894be9112a5c3a211a8ba262a3cca7e2ca7\
             01e4a9a4fba43c90ccdcb281d48c7c6fd62875d2aca417034c34aee5\
             619cc5aefffe0bfa462af43c1699d050",
        ),
        (
            24,
            "cafebabefacedbaddecaf888",
            "3980ca0b3c00e841eb06fac4872a2757859e1ceaa6efd984628593b40ca1e19c\
             7d773d00c144c525ac619d18c84a3f4718e2448b2fe324d9ccda2710\
             2519498e80f1478f37ba55bd6d27618c",
        ),
        (
            24,
            long_iv,
            "d27e88681ce3243c4830165a8fdcf9ff1de9a1d8e6b447ef6ef7b79828666e45\
             81e79012af34ddd9e2f037589b292db3e67c036745fa22e7e9b7373b\
             dcf566ff291c25bbb8568fc3d376a6d9",
        ),
        (
            32,
            long_iv,
            "5a8def2f0c9e53f1f75d7853659e2a20eeb2b22aafde6419a058ab4f6f746bf4\
             0fc0c3b780f244452da3ebf1c5d82cdea2418997200ef82e44ae7e3f\
             a44a8266ee1c8eb0c8b5d4cf5ae9f19a",
        ),
    ];
    for (key_bytes, iv, sealed) in vectors {
        for engine in engines() {
            for tag_bytes in [16, 12, 4] {
                let (iv, aad) = (hex(iv), hex(aad));
                let params = GcmParams { iv: &iv, aad: &aad, tag_bytes };
                let sealed = &hex(sealed)[..60 + tag_bytes];
                for (direction, input, output) in [
                    (Direction::Encrypt, hex(plain), sealed.to_vec()),
                    (Direction::Decrypt, sealed.to_vec(), hex(plain)),
                ] {
                    let key = SymmetricKey::copy_of(&hex(key)[..key_bytes]);
                    let mut aead = (engine.gcm)(&params, direction, &key).unwrap();
                    let mut out = Vec::new();
                    for part in input.chunks(7) {
                        aead.update(part, &mut out).unwrap();
                    }
                    aead.finish(&mut out).unwrap();
                    assert_eq!(out, output, "{}, {key_bytes}, {direction:?}", engine.name);
                }
            }
        }
    }
}

/// From NIST's CAVS file for ANSI X9.63.
#[test]
fn x963_derives_the_keys_of_nist() {
    let vectors = [
        (Hash::Sha1, "1c7d7b5f0597b03d06a018466ed1a93e30ed4b04dc64ccdd", "", "bf71dffd8f4d99223936beb46fee8ccc"),
        (Hash::Sha256, "96c05619d56c328ab95fe84b18264b08725b85e33fd34f08", "", "443024c3dae66b95e6f5670601558f71"),
        (
            Hash::Sha256,
            "22518b10e70f2a3f243810ae3254139efbee04aa57c7af7d",
            "75eef81aa3041e33b80971203d2c0c52",
            "c498af77161cc59f2962b9a713e2b215152d139766ce34a776df11866a69bf2e\
             52a13d9c7c6fc878c50c5ea0bc7b00e0da2447cfd874f6cf92f30d0097111485\
             500c90c3af8b487872d04685d14c8d1dc8d7fa08beb0ce0ababc11f0bd496269\
             142d43525a78e5bc79a17f59676a5706dc54d54d4d1f0bd7e386128ec26afc21",
        ),
    ];
    for (hash, shared, info, expected) in vectors {
        for engine in engines() {
            let expected = hex(expected);
            let derived = x963(engine, hash, &hex(shared), &hex(info), expected.len()).unwrap();
            assert_eq!(derived.expose(), expected, "{}", engine.name);
        }
    }
}

/// From the tests of the Argon2 reference implementation, version 1.3.
#[test]
fn argon2id_derives_the_values_of_its_reference_implementation() {
    let vectors = [
        (2, 256, 1, "password", "somesalt", "9dfeb910e80bad0311fee20f9c0e2b12c17987b4cac90c2ef54d5b3021c68bfe"),
        (2, 256, 2, "password", "somesalt", "6d093c501fd5999645e0ea3bf620d7b8be7fd2db59c20d9fff9539da2bf57037"),
        (1, 65536, 1, "password", "somesalt", "f6a5adc1ba723dddef9b5ac1d464e180fcd9dffc9d1cbf76cca2fed795d9ca98"),
        (
            2,
            65536,
            1,
            "differentpassword",
            "somesalt",
            "0b84d652cf6b0c4beaef0dfe278ba6a80df6696281d7e0d2891b817d8c458fde",
        ),
        (2, 65536, 1, "password", "diffsalt", "bdf32b05ccc42eb15d58fd19b1f856b113da1e9a5874fdcc544308565aa8141c"),
    ];
    for (passes, memory_kib, lanes, pin, salt, expected) in vectors {
        let cost = Argon2Cost { memory_kib, passes, lanes };
        assert_eq!(argon2id(pin.as_bytes(), salt.as_bytes(), cost).unwrap().expose(), hex(expected), "{cost:?}");
    }
}

#[test]
fn argon2id_refuses_costs_and_salts_that_are_out_of_range() {
    let right = Argon2Cost { memory_kib: 8, passes: 1, lanes: 1 };
    assert!(argon2id(b"1234", b"12345678", right).is_ok());
    let refused = [
        (Argon2Cost { memory_kib: 7, ..right }, 8),
        (Argon2Cost { passes: 0, ..right }, 8),
        (Argon2Cost { lanes: 0, ..right }, 8),
        (Argon2Cost { memory_kib: 8, lanes: 2, ..right }, 8),
        (right, 7),
    ];
    for (cost, salt_bytes) in refused {
        let outcome = argon2id(b"1234", &vec![1; salt_bytes], cost);
        assert!(matches!(outcome, Err(CryptoError::InvalidParameter(_))), "{cost:?}, salt of {salt_bytes}");
    }
}

/// Signatures of RFC 6979, A.2.5 to A.2.7 (message "sample", SHA-512), verify, and the public points are computed.
#[test]
fn ecdsa_verifies_the_signatures_of_rfc_6979() {
    let vectors = [
        (
            Curve::P256,
            "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721",
            "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6\
             7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299",
            "8496a60b5e9b47c825488827e0495b0e3fa109ec4568fd3f8d1097678eb97f00\
             2362ab1adbe2b8adf9cb9edab740ea6049c028114f2460f96554f61fae3302fe",
        ),
        (
            Curve::P384,
            "6b9d3dad2e1b8c1c05b19875b6659f4de23c3b667bf297ba9aa47740787137d896d5724e4c70a825f872c9ea60d2edf5",
            "04ec3a4e415b4e19a4568618029f427fa5da9a8bc4ae92e02e06aae5286b300c64def8f0ea9055866064a254515480bc13\
             8015d9b72d7d57244ea8ef9ac0c621896708a59367f9dfb9f54ca84b3f1c9db1288b231c3ae0d4fe7344fd2533264720",
            "ed0959d5880ab2d869ae7f6c2915c6d60f96507f9cb3e047c0046861da4a799cfe30f35cc900056d7c99cd7882433709\
             512c8cceee3890a84058ce1e22dbc2198f42323ce8aca9135329f03c068e5112dc7cc3ef3446defceb01a45c2667fdd5",
        ),
        (
            Curve::P521,
            "00fad06daa62ba3b25d2fb40133da757205de67f5bb0018fee8c86e1b68c7e75caa8\
             96eb32f1f47c70855836a6d16fcc1466f6d8fbec67db89ec0c08b0e996b83538",
            "0401894550d0785932e00eaa23b694f213f8c3121f86dc97a04e5a7167db4e5bcd37\
             1123d46e45db6b5d5370a7f20fb633155d38ffa16d2bd761dcac474b9a2f5023a4\
             00493101c962cd4d2fddf782285e64584139c2f91b47f87ff82354d6630f746a28a0\
             db25741b5b34a828008b22acc23f924faafbd4d33f81ea66956dfeaa2bfdfcf5",
            "00c328fafcbd79dd77850370c46325d987cb525569fb63c5d3bc53950e6d4c5f174e\
             25a1ee9017b5d450606add152b534931d7d4e8455cc91f9b15bf05ec36e377fa\
             00617cce7cf5064806c467f678d3b4080d6f1cc50af26ca209417308281b68af2826\
             23eaa63e5b5c0723d8b8c37ff0777b1a20f8ccb1dccc43997f1ee0e44da4a67a",
        ),
    ];
    for (curve, scalar, point, signature) in vectors {
        for engine in engines() {
            let mut digest = (engine.digest)(Hash::Sha512);
            digest.update(b"sample");
            let key = (engine.ec_private)(curve, &hex(scalar)).unwrap();
            assert_eq!(key.public_point(), hex(point), "{}, {curve:?}", engine.name);
            let public = (engine.ec_public)(curve, &hex(point)).unwrap();
            assert_eq!(public.verify(&digest.finish(), &hex(signature)), Ok(()), "{}, {curve:?}", engine.name);
        }
    }
}

/// RFC 8032, 7.1, tests 1 to 3.
#[test]
fn ed25519_gives_the_signatures_of_rfc_8032() {
    let vectors = [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ),
        (
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
        ),
    ];
    for (seed, public, message, signature) in vectors {
        for engine in engines() {
            let key = (engine.ed25519_private)(&hex(seed)).unwrap();
            assert_eq!(key.public_key().to_vec(), hex(public), "{}", engine.name);
            assert_eq!(key.sign(&hex(message)).unwrap().to_vec(), hex(signature), "{}", engine.name);
        }
    }
}
