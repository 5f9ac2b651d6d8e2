//! The questions and answers of the self-tests, and nothing else.
//!
//! From FIPS 180-4, NIST's examples of FIPS 202 (and of Keccak before it), RFC 7693, RFC 1321, RFC 4231, RFC 4493, SP 800-38A, the GCM specification, RFC 3394, RFC 5649, NIST's CAVS file for ECC CDH,
//! RFC 6979, RFC 8032, RFC 7748 and RFC 6070. The RSA key and its answers were made with OpenSSL for this file; it protects nothing.

pub(super) const SHA1_ABC: [u8; 20] = hex("a9993e364706816aba3e25717850c26c9cd0d89d");
pub(super) const SHA224_ABC: [u8; 28] = hex("23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7");
pub(super) const SHA256_ABC: [u8; 32] = hex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
pub(super) const SHA384_ABC: [u8; 48] =
    hex("cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7");
pub(super) const SHA512_ABC: [u8; 64] = hex("ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
     2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
pub(super) const SHA512_224_ABC: [u8; 28] = hex("4634270f707b6a54daae7530460842e20e37ed265ceee9a43e8924aa");
pub(super) const SHA512_256_ABC: [u8; 32] = hex("53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23");
pub(super) const SHA3_224_ABC: [u8; 28] = hex("e642824c3f8cf24ad09234ee7d3c766fc9a3a5168d0c94ad73b46fdf");
pub(super) const SHA3_256_ABC: [u8; 32] = hex("3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532");
pub(super) const SHA3_384_ABC: [u8; 48] =
    hex("ec01498288516fc926459f58e2c6ad8df9b473cb0fc08c2596da7cf0e49be4b298d88cea927ac7f539f1edf228376d25");
pub(super) const SHA3_512_ABC: [u8; 64] = hex("b751850b1a57168a5693cd924b6b096e08f621827444f70d884f5d0240d2712e\
     10e116e9192af3c91a7ec57647e3934057340b4cf408d5a56592f8274eec53f0");
pub(super) const SHAKE128_ABC: [u8; 32] = hex("5881092dd818bf5cf8a3ddb793fbcba74097d5c526a6d35f97b83351940f2cc8");
pub(super) const SHAKE256_ABC: [u8; 64] = hex("483366601360a8771c6863080cc4114d8db44530f8f1e1ee4f94ea37e78b5739\
     d5a15bef186a5386c75744c0527e1faa9f8726e462a12a4feb06bd8801e751e4");
pub(super) const BLAKE2B_160_ABC: [u8; 20] = hex("384264f676f39536840523f284921cdc68b6846b");
pub(super) const BLAKE2B_256_ABC: [u8; 32] = hex("bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
pub(super) const BLAKE2B_384_ABC: [u8; 48] =
    hex("6f56a82c8e7ef526dfe182eb5212f7db9df1317e57815dbda46083fc30f54ee6c66ba83be64b302d7cba6ce15bb556f4");
pub(super) const BLAKE2B_512_ABC: [u8; 64] = hex("ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1\
     7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923");
pub(super) const KECCAK_224_ABC: [u8; 28] = hex("c30411768506ebe1c2871b1ee2e87d38df342317300a9b97a95ec6a8");
pub(super) const KECCAK_256_ABC: [u8; 32] = hex("4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45");
pub(super) const KECCAK_384_ABC: [u8; 48] =
    hex("f7df1165f033337be098e7d288ad6a2f74409d7a60b49c36642218de161b1f99f8c681e4afaf31a34db29fb763e3c28e");
pub(super) const KECCAK_512_ABC: [u8; 64] = hex("18587dc2ea106b9a1563e32b3312421ca164c7f1f07bc922a9c83d77cea3a1e5\
     d0c69910739025372dc14ac9642629379540c17e2a65b19d77aa511a9d00bb96");
pub(super) const MD5_ABC: [u8; 16] = hex("900150983cd24fb0d6963f7d28e17f72");
pub(super) const RIPEMD160_ABC: [u8; 20] = hex("8eb208f7e05d987a9b044a8e98c6b087f15a0bfc");

pub(super) const HMAC_ANSWER: [u8; 32] = hex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
pub(super) const HMAC_SHA3_ANSWER: [u8; 32] = hex("c7d4072e788877ae3596bbb0da73b887c9171f93095b294ae857fbe2645e1ba5");
pub(super) const PBKDF2_ANSWER: [u8; 20] = hex("ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957");
/// Made with Python's hashlib.
pub(super) const BLAKE2B_MAC_ANSWER: [u8; 20] = hex("e4776a952cd913262c92ba7cf47b5d875fc5064a");
/// NIST's sample 2 of KMAC.
pub(super) const KMAC_KEY: [u8; 32] = hex("404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f");
pub(super) const KMAC_ANSWER: [u8; 32] = hex("3b1fba963cd8b0b59e8c1a6d71888b7143651af8ba0a7070c0979e2811324aa5");
pub(super) const CMAC_ANSWER: [u8; 16] = hex("070a16b46b4d4144f79bdd9dd04a287c");

pub(super) const AES_KEY: [u8; 16] = hex("2b7e151628aed2a6abf7158809cf4f3c");
pub(super) const AES_BLOCK: [u8; 16] = hex("6bc1bee22e409f96e93d7e117393172a");
pub(super) const ECB_ANSWER: [u8; 16] = hex("3ad77bb40d7a3660a89ecaf32466ef97");
pub(super) const CBC_IV: [u8; 16] = hex("000102030405060708090a0b0c0d0e0f");
pub(super) const CBC_ANSWER: [u8; 16] = hex("7649abac8119b246cee98e9b12e9197d");
pub(super) const CTR_BLOCK: [u8; 16] = hex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");
pub(super) const CTR_ANSWER: [u8; 16] = hex("874d6191b620e3261bef6864990db6ce");

pub(super) const GCM_KEY: [u8; 16] = hex("feffe9928665731c6d6a8f9467308308");
pub(super) const GCM_IV: [u8; 8] = hex("cafebabefacedbad");
pub(super) const GCM_AAD: [u8; 20] = hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
pub(super) const GCM_PLAIN: [u8; 60] = hex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72\
     1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39");
pub(super) const GCM_SEALED: [u8; 76] = hex("61353b4c2806934a777ff51fa22a4755699b2a714fcdc6f83766e5f97b6c7423\
     73806900e49f24b22b097544d4896b424989b5e1ebac0f07c23f45983612d2e79e3b0785561be14aaca2fccb");

pub(super) const KW_KEY: [u8; 16] = hex("000102030405060708090a0b0c0d0e0f");
pub(super) const KW_PLAIN: [u8; 16] = hex("00112233445566778899aabbccddeeff");
pub(super) const KW_WRAPPED: [u8; 24] = hex("1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5");
pub(super) const KWP_KEY: [u8; 24] = hex("5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8");
pub(super) const KWP_PLAIN: [u8; 7] = hex("466f7250617369");
pub(super) const KWP_WRAPPED: [u8; 16] = hex("afbeb0f07dfbf5419200f2ccb50bb24f");

pub(super) const ECDH_SCALAR: [u8; 32] = hex("7d7dc5f71eb29ddaf80d6214632eeae03d9058af1fb6d22ed80badb62bc1a534");
pub(super) const ECDH_PEER: [u8; 65] = hex("04700c48f77f56584c5cc632ca65640db91b6bacce3a4df6b42ce7cc838833d287\
     db71e509e3fd9b060ddb20ba5c51dcc5948d46fbf640dfe0441782cab85fa4ac");
pub(super) const ECDH_SHARED: [u8; 32] = hex("46fc62106420ff012e54a434fbdd2d25ccc5852060561e68040dd7778997bd7b");
pub(super) const ECDSA_POINT: [u8; 65] = hex("0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6\
     7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299");
pub(super) const ECDSA_SIGNATURE: [u8; 64] = hex("8496a60b5e9b47c825488827e0495b0e3fa109ec4568fd3f8d1097678eb97f00\
     2362ab1adbe2b8adf9cb9edab740ea6049c028114f2460f96554f61fae3302fe");

/// Wycheproof, ecdh_brainpoolP256r1, case 1.
pub(super) const BRAINPOOL_SCALAR: [u8; 32] = hex("0113db979e07d9c8fdbea5b06a682c0d2ad67170ffcb65d7547d8c442d3ac237");
pub(super) const BRAINPOOL_PEER: [u8; 65] = hex("044cee5e1072b30d64f70bf01958e22c044a2127ddd744ce3060c15990ff0fe1\
     148c6ee56559829a5a84dd5c8646ee0c43d0b7c50181f234ec09eba43bc86b169e");
pub(super) const BRAINPOOL_SHARED: [u8; 32] = hex("3f00d9af7607fd32809ef7a4a30b396e3da9f465adf20597c9e2046f16a7b1be");

pub(super) const ED25519_SEED: [u8; 32] = hex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
pub(super) const ED25519_PUBLIC: [u8; 32] = hex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
pub(super) const ED25519_SIGNATURE: [u8; 64] = hex("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
     085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
pub(super) const X25519_PRIVATE: [u8; 32] = hex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
pub(super) const X25519_PEER: [u8; 32] = hex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
pub(super) const X25519_SHARED: [u8; 32] = hex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");

/// RFC 8032, 7.4: one byte of message, context "foo".
pub(super) const ED448_SEED: [u8; 57] =
    hex("c4eab05d357007c632f3dbb48489924d552b08fe0c353a0d4a1f00acda2c463afbea67c5e8d2877c5e3bc397a659949ef802\
     1e954e0a12274e");
pub(super) const ED448_PUBLIC: [u8; 57] =
    hex("43ba28f430cdff456ae531545f7ecd0ac834a55d9358c0372bfa0c6c6798c0866aea01eb00742802b8438ea4cb82169c2351\
     60627b4c3a9480");
pub(super) const ED448_SIGNATURE: [u8; 114] =
    hex("d4f8f6131770dd46f40867d6fd5d5055de43541f8c5e35abbcd001b32a89f7d2151f7647f11d8ca2ae279fb842d607217fce\
     6e042f6815ea000c85741de5c8da1144a6a1aba7f96de42505d7a7298524fda538fccbbb754f578c1cad10d54d0d5428407e\
     85dcbc98a49155c13764e66c3c00");
/// RFC 7748, 6.2.
pub(super) const X448_PRIVATE: [u8; 56] =
    hex("9a8f4925d1519f5775cf46b04b5800d4ee9ee8bae8bc5565d498c28dd9c9baf574a9419744897391006382a6f127ab1d9ac2\
     d8c0a598726b");
pub(super) const X448_PEER: [u8; 56] =
    hex("3eb7a829b0cd20f5bcfc0b599b6feccf6da4627107bdb0d4f345b43027d8b972fc3e34fb4232a13ca706dcb57aec3dae07bd\
     c1c67bf33609");
pub(super) const X448_SHARED: [u8; 56] =
    hex("07fff4181ac6cc95ec1c16a94a0f74d12da232ce40a77552281d282bb60c0b56fd2464c335543936521c24403085d59a449a\
     5037514a879d");

pub(super) const RSA_MESSAGE: &[u8] = b"known answer";
pub(super) const RSA_MODULUS: [u8; 128] = hex("ccfe3a41a93fa21083848ba25702d22ec563ea579f00f3786aebdc22bf8319f0\
     a87f2bda8b79ee14de3121d74454dffb269655a000396149b428b4bf8a64483d\
     edb6331ff1f0f5c8aa5b65b6010f7c72a95ee361959c44d10705d17f61048aa6\
     0b249be4c63cb353c83ca480f0bd5a2c18a8f8f4455908dc7993fcf64a28bdfd");
pub(super) const RSA_PRIVATE_EXPONENT: [u8; 128] =
    hex("999a0966f7fe015ee45d660fcfa9027b1f571dda67ff5b702895f10e6c783cf0\
     b221106822c8cb5801a1c91cb74bedc51005e7c50b45f39b398ea2d93f46a345\
     c2da1de912b54962a1ea5fc54344a0062c932cac8742307dea6165c44be03053\
     a64307d47ce0b379885f113a5a8144b4763f671f678338a01481c7a9a9025ca1");
pub(super) const RSA_SIGNATURE: [u8; 128] = hex("8502973072a72c3c1b92d4b521fafd28d1789339a71c03bfc63777cf5ba0c8b2\
     a178f885337e371b2e30f7d1d47fc4f039880ea5937b91b89fee98aeb44aa6eb\
     3ba118f87f476fee35c5b0ba64eed89e1f4afd5e0e9d60c5afabb56afd5f5720\
     782c7803481807b9e0ff66e3ae979b90869c5a8d5e7562964edc62aaf16eea10");
/// [`RSA_MESSAGE`] by OAEP with SHA-256 and MGF1 with SHA-1.
pub(super) const RSA_OAEP: [u8; 128] = hex("8fd1b28fa571df77e6f7a0e8b3f11cb5a2de12e454b16b038511241a80976e74\
     2bde8c5b50f9cb82f12490781c0824f3b82d3fe26b7c77091882a5d19a57bd3b\
     6bc22e9d8b42ca9fd60b3a931392cbc9015943bae1df637092d68f663b53051e\
     02c044e1fc96c817a3a010d18f5febd2153b44b4d42979d3434130666bff86ca");
/// [`RSA_MESSAGE`] by PKCS#1 v1.5.
pub(super) const RSA_PKCS1: [u8; 128] = hex("b6b6649534e53674a6fdce7e5a13d61df9ecaa63553d6d63a8150b0b76642585\
     4929537e6f3f0cedb1eaaaa2bf0d41502c0996146ba3bb1cae179774b05f72b5\
     0b72a39172f291ba39978e24540c214ecb3e25229cb3239b92e720db11d6293b\
     fab27e4ab103c09e4dda01e7cc50ed685e2ffdfcf08729c73480cf01337a4f01");

// ML-KEM-512: the first valid test of Wycheproof mlkem_512; the encapsulation key as its SHA-256.
pub(super) const ML_KEM_SEED: [u8; 64] =
    hex("a3896e30892230a6c1dff667f8caee759ff84a08e3462ae484fcbca9971d7959cdc6c5ec65f10a5a24b5145aac863232ee3b\
     2229ca3a6c4b9c8a2dafc315d9d4");
pub(super) const ML_KEM_PUBLIC_SHA256: [u8; 32] =
    hex("3399ef1223024bd0f646ce6f860fd99557b67058fa620850e772f8531af36231");
pub(super) const ML_KEM_CIPHERTEXT: [u8; 768] =
    hex("00ec7fcdb617629fead7f43cf59a7d3a0b946b5c5f472407812c15c44249e52974483eb31fb6ce5e15728708ef24f78bb61b\
     b5c8b6ebb4e8a96e5b898e069c499c44a57efb0907234597e810f4de40d85d6eacd775b83400937ac863cfe5d406469b8d3c\
     a4f6dbe0aced60fbecb32588f1ddaaa08ba5c5b177ab51b548d8ae2218eb2d9b02b31cb4bb6e7754b6a74856316ad3e03940\
     25f750412023a74ab851fc03171cada993c6469fa254b5d384edab1efe8f2efb6eba37c7ba7434bb243331938849114ad398\
     cf91038fb96c30a712f47e1c7183956838d487016f023bd9900a94c606edaa42bf0e67f2aedd03f5a581e55af29e24af061b\
     a73da64c3869d7598a0c95c3c8330ecb4481cab2c85ccaaa366f99f3bafc980362f4d701a233d0967ded78e4f1874b42cda7\
     74b888d31f1671d6567d1636d5b2bcc117e2a256f343541c3e173e900b6d6c71bcd55479d23dee6b54e2fe32303c7955fa5f\
     567894605ed75e65e54858222c0d065ba9231fcd82ab86af63c242d10d1d30b4176e2bb8169fbd7f03cfa044098853382083\
     284ef8cecf05f9d0bd3d9af84f6df551e3d11e9281794d36a619f61e47901ea0dd695782241250f0b5c2a20d76d3afefcb11\
     d015179d6a9a74121c448e315f507cb29add40da4eb05cae27320c4b18a25d7af24ac7b0bdf7382143d4d02db3e7d016f9ff\
     5638e0df7968f785ac8000c7545a1a70d6fd43cc3ba28d82e9eb6ccb391e094ba85a49ad6e9f8fd8faa9954062a5df13c698\
     47bee485bc6624b40b8128fe911231b4ef9b4a22ced4f8140df65a5b8180665128273fde02955a65921f0d1be139fbe1edf0\
     ac01db1d2a5ffd95d63d33b0a7627cab4bcd37647238c80197d4fa88a7e34d4caa066dba2ae6fefff6a1e804a72d49ed443c\
     29b2db313fdf25d98d0dee992befc4572f8b1eee0db7227b6e202ef69ea8340ae3690fc064d3edfd8d067934db3061767e48\
     57e805e888294efa7248743fcaa1e01acdaf491de408c58869bc9624c951103c079793be1edfa9442df4dece40eabb99e9b0\
     1410fc0108b26a13cd424cd9a9de5bafa1fc");
pub(super) const ML_KEM_SECRET: [u8; 32] = hex("cf3bcfeb2679cb43658fcdcd01aa1505bcea1e72a165ccac7bfb66d9dc0c0e90");
// ML-DSA-44: a deterministic signature of Wycheproof mldsa_44_sign_seed; public key and signature as their SHA-256.
pub(super) const ML_DSA_SEED: [u8; 32] = hex("2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a");
pub(super) const ML_DSA_PUBLIC_SHA256: [u8; 32] =
    hex("d87f8ca136ac1aa55e2d6c4521680efb3a378cbb9bc0bfb446e9c60893931ea3");
pub(super) const ML_DSA_MESSAGE: [u8; 11] = hex("48656c6c6f20776f726c64");
pub(super) const ML_DSA_SIGNATURE_SHA256: [u8; 32] =
    hex("8cd6fc03daa72e87210a4e721523e84c14f27733789075e65736744d4787fdd5");
// SLH-DSA: deterministic signatures of "abc" without a context by the key of the seeds 0 to 47, as their SHA-256; made with the crate
// `fips205`, another implementation.
pub(super) const SLH_DSA_SHA2_128F_SHA256: [u8; 32] =
    hex("7c4622720e758897ec5f2089049bb5e5d98fc2e88bfdacf4fad3a1e20f80d5f8");
pub(super) const SLH_DSA_SHAKE_128F_SHA256: [u8; 32] =
    hex("bb095008ae794ef660c4189f9fef4ec0613c61646b426d550200949cd8e3d8a5");
// HSS: the signature of "abc" with index 3 by the key of 32 bytes 0x5a and one level of these types, as its SHA-256; made here and verified
// with pyhsslms 2.0.0, another implementation, which makes the same public key of the first one's seed.
pub(super) const HSS_SHA256_M32_H5_W4_SHA256: [u8; 32] =
    hex("3b0d7e584e11c54154d66e7105123625969b02c06d73276f149850ab995d9a62");
pub(super) const HSS_SHA256_M24_H5_W4_SHA256: [u8; 32] =
    hex("dcba185e317fbc121256eeca9fd29526a4ccf1bbcb583d74d7b65a0a301d6e59");
pub(super) const HSS_SHAKE_M24_H5_W4_SHA256: [u8; 32] =
    hex("cd4f4e4a2c71e1452445e989b1d4394ac48af163359c22ca37d16c9402490aec");
// XMSSMT-SHA2_20/4_192: the same by the key of 72 bytes 0x5a; made with the crate `xmss`, another implementation.
pub(super) const XMSSMT_SHA2_20_4_192_SHA256: [u8; 32] =
    hex("4749820ad743738c9339ff538bab84184fc1d2addd823d7786763ec56404aff0");

/// Reads hexadecimal at compile time; a wrong digit or length does not compile.
pub(super) const fn hex<const BYTES: usize>(text: &str) -> [u8; BYTES] {
    const fn digit(letter: u8) -> u8 {
        match letter {
            b'0'..=b'9' => letter - b'0',
            b'a'..=b'f' => letter - b'a' + 10,
            _ => 16,
        }
    }
    let text = text.as_bytes();
    assert!(text.len() == 2 * BYTES, "another number of digits than the type has");
    let mut out = [0; BYTES];
    let mut place = 0;
    while place < BYTES {
        let (high, low) = (digit(text[2 * place]), digit(text[2 * place + 1]));
        assert!(high < 16 && low < 16, "not a hexadecimal digit");
        out[place] = high << 4 | low;
        place += 1;
    }
    out
}
