//! CKM_TLS_MAC and CKM_TLS12_MAC: the `verify_data` of a TLS 1.2 Finished message, for the digest of the handshake.
//!
//! Owns: labels and lengths. The function is that of `tls12`. The data is collected, because the function takes it twice.
//! Rule source: PKCS#11 v3.1, 6.40.3; RFC 5246, 7.4.9.

use super::derive::value;
use super::{EVERYTHING, KeyRule, Row, Signer, SizeUnit, Verifier, faults, hashes, tls12};
use crate::limits::{PARAM_BYTES_MAX, SECRET_BYTES_MAX};
use crate::object::Object;
use crate::platform::Env;
use crate::reason::{Reason, Result};
use crate::types::{ParamShape, Params};
use ffi_headers::*;
use hsm_crypto::{CryptoError, SecretBytes, memory};

const fn row(kind: u64, name: &'static str) -> Row {
    Row {
        kind,
        name,
        shape: ParamShape::TlsMac,
        judge: |params| judge(params).map(|_| ()),
        keys: KeyRule::Types(&[CKK_GENERIC_SECRET]),
        unit: SizeUnit::Bytes,
        size_min: 1,
        size_max: SECRET_BYTES_MAX as u64,
        approved: EVERYTHING,
        vectors: "computed with OpenSSL; the function is that of CKM_TLS12_MASTER_KEY_DERIVE",
        sign: Some(|env, params, key| Ok(Box::new(Finished::start(env, params, key)?))),
        verify: Some(|env, params, key| Ok(Box::new(Finished::start(env, params, key)?))),
        ..Row::BLANK
    }
}

pub(super) const ROWS: &[Row] = &[row!(row(CKM_TLS_MAC, "CKM_TLS_MAC")), row!(row(CKM_TLS12_MAC, "CKM_TLS12_MAC"))];

/// Shortest and longest `verify_data`: RFC 5246 has 12 bytes and allows cipher suites to have more.
const TAG_BYTES: core::ops::RangeInclusive<u64> = 12..=255;

/// Hash, label and length.
fn judge(params: &Params) -> Result<(u64, &'static [u8], usize)> {
    let Params::TlsMac { hash, bytes, side } = params else {
        return Err(Reason::MechanismParam("CK_TLS_MAC_PARAMS is needed"));
    };
    hashes::by_mechanism(*hash)?;
    let label: &[u8] = match side {
        1 => b"server finished",
        2 => b"client finished",
        _ => return Err(Reason::MechanismParam("ulServerOrClient is neither 1 nor 2")),
    };
    let bytes = usize::try_from(*bytes).ok().filter(|_| TAG_BYTES.contains(bytes));
    Ok((*hash, label, bytes.ok_or(Reason::MechanismParam("ulMacLength is not 12 to 255"))?))
}

/// A Finished message in the making.
struct Finished {
    hash: u64,
    label: &'static [u8],
    bytes: usize,
    secret: SecretBytes,
    data: Vec<u8>,
}

impl Finished {
    fn start(_env: &Env<'_>, params: &Params, key: &Object) -> Result<Self> {
        let (hash, label, bytes) = judge(params)?;
        Ok(Self { hash, label, bytes, secret: SecretBytes::copy_of(value(key)?), data: Vec::new() })
    }

    fn collect(&mut self, data: &[u8]) -> Result<()> {
        if data.len() > PARAM_BYTES_MAX - self.data.len() {
            return Err(Reason::DataLength);
        }
        memory::reserve(&mut self.data, data.len())?;
        self.data.extend_from_slice(data);
        Ok(())
    }

    fn tag(&self, env: &Env<'_>) -> Result<SecretBytes> {
        tls12::prf(env, self.hash, self.secret.expose(), self.label, &[&self.data], self.bytes)
    }
}

impl Signer for Finished {
    fn signature_bytes(&self) -> usize {
        self.bytes
    }
    fn multi_part(&self) -> bool {
        true
    }
    fn sign(&mut self, env: &Env<'_>, data: &[u8]) -> Result<Vec<u8>> {
        self.collect(data)?;
        Signer::finish(self, env)
    }
    fn update(&mut self, data: &[u8]) -> Result<()> {
        self.collect(data)
    }
    fn finish(&mut self, env: &Env<'_>) -> Result<Vec<u8>> {
        Ok(self.tag(env)?.into_public("a tag is sent to the peer")?)
    }
}

impl Verifier for Finished {
    fn multi_part(&self) -> bool {
        true
    }
    fn verify(&mut self, env: &Env<'_>, data: &[u8], signature: &[u8]) -> Result<()> {
        self.collect(data)?;
        Verifier::finish(self, env, signature)
    }
    fn update(&mut self, data: &[u8]) -> Result<()> {
        self.collect(data)
    }
    fn finish(&mut self, env: &Env<'_>, signature: &[u8]) -> Result<()> {
        if signature.len() != self.bytes {
            return Err(Reason::SignatureLength);
        }
        let same = self.tag(env)?.ct_eq(signature);
        faults::signature(if same { Ok(()) } else { Err(CryptoError::BadSignature) })
    }
}
