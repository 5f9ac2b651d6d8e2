//! Mechanisms with their parameters.
//!
//! Owns: the parameter structures, made on the stack for each call. Does not know: which mechanism takes which.

use ffi_headers::*;
use std::ptr::null_mut;

/// A mechanism and its parameter.
#[derive(Debug, Clone)]
pub struct Mechanism {
    /// `CKM_*`.
    pub kind: CK_MECHANISM_TYPE,
    /// What it takes.
    pub parameter: Parameter,
}

/// The parameter of a mechanism.
#[derive(Debug, Clone)]
pub enum Parameter {
    /// None.
    Nothing,
    /// Bytes, such as an initialisation vector.
    Bytes(Vec<u8>),
    /// `CK_AES_CTR_PARAMS`: width of the counter in bits, and the first block.
    Counter(CK_ULONG, [u8; 16]),
    /// `CK_GCM_PARAMS`: initialisation vector, associated data, length of the tag in bits.
    Gcm(Vec<u8>, Vec<u8>, CK_ULONG),
    /// `CK_RSA_PKCS_PSS_PARAMS`: hash, mask generation function, length of the salt in bytes.
    Pss(CK_MECHANISM_TYPE, CK_RSA_PKCS_MGF_TYPE, CK_ULONG),
    /// `CK_RSA_PKCS_OAEP_PARAMS` without a label: hash, mask generation function.
    Oaep(CK_MECHANISM_TYPE, CK_RSA_PKCS_MGF_TYPE),
    /// `CK_ECDH1_DERIVE_PARAMS` without a key derivation function: the other's point.
    Ecdh(Vec<u8>),
}

impl Mechanism {
    /// A mechanism without parameter.
    #[must_use]
    pub fn plain(kind: CK_MECHANISM_TYPE) -> Self {
        Self { kind, parameter: Parameter::Nothing }
    }

    /// A mechanism with its parameter.
    #[must_use]
    pub fn new(kind: CK_MECHANISM_TYPE, parameter: Parameter) -> Self {
        Self { kind, parameter }
    }

    /// Shows the C structure to a call; modules only read it, though the C type says otherwise.
    pub(crate) fn with<R>(&self, call: impl FnOnce(*mut CK_MECHANISM) -> R) -> R {
        match &self.parameter {
            Parameter::Nothing => self.pass(null_mut(), 0, call),
            Parameter::Bytes(bytes) => self.pass(bytes.as_ptr().cast_mut().cast(), bytes.len(), call),
            Parameter::Counter(bits, block) => {
                self.structure(&mut CK_AES_CTR_PARAMS { ulCounterBits: *bits, cb: *block }, call)
            }
            Parameter::Gcm(iv, aad, tag_bits) => {
                let mut gcm = CK_GCM_PARAMS {
                    pIv: iv.as_ptr().cast_mut(),
                    ulIvLen: iv.len() as CK_ULONG,
                    ulIvBits: iv.len() as CK_ULONG * 8,
                    pAAD: if aad.is_empty() { null_mut() } else { aad.as_ptr().cast_mut() },
                    ulAADLen: aad.len() as CK_ULONG,
                    ulTagBits: *tag_bits,
                };
                self.structure(&mut gcm, call)
            }
            Parameter::Pss(hash, mgf, salt) => {
                self.structure(&mut CK_RSA_PKCS_PSS_PARAMS { hashAlg: *hash, mgf: *mgf, sLen: *salt }, call)
            }
            Parameter::Oaep(hash, mgf) => {
                let mut oaep = CK_RSA_PKCS_OAEP_PARAMS {
                    hashAlg: *hash,
                    mgf: *mgf,
                    source: CKZ_DATA_SPECIFIED,
                    pSourceData: null_mut(),
                    ulSourceDataLen: 0,
                };
                self.structure(&mut oaep, call)
            }
            Parameter::Ecdh(point) => {
                let mut ecdh = CK_ECDH1_DERIVE_PARAMS {
                    kdf: CKD_NULL,
                    ulSharedDataLen: 0,
                    pSharedData: null_mut(),
                    ulPublicDataLen: point.len() as CK_ULONG,
                    pPublicData: point.as_ptr().cast_mut(),
                };
                self.structure(&mut ecdh, call)
            }
        }
    }

    fn structure<T, R>(&self, parameter: &mut T, call: impl FnOnce(*mut CK_MECHANISM) -> R) -> R {
        self.pass(std::ptr::from_mut(parameter).cast(), size_of::<T>(), call)
    }

    fn pass<R>(&self, pointer: *mut std::ffi::c_void, bytes: usize, call: impl FnOnce(*mut CK_MECHANISM) -> R) -> R {
        let mut mechanism =
            CK_MECHANISM { mechanism: self.kind, pParameter: pointer, ulParameterLen: bytes as CK_ULONG };
        call(&raw mut mechanism)
    }
}
