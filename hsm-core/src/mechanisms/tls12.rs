//! TLS 1.2: CKM_TLS12_MASTER_KEY_DERIVE and its sisters, CKM_TLS12_KEY_AND_MAC_DERIVE, CKM_TLS12_KEY_SAFE_DERIVE, CKM_TLS_KDF.
//!
//! Of the older protocol versions there is the function, which needs MD5 and the legacy switch: CKM_TLS_KDF takes `CKM_TLS_PRF` in place of a hash.
//! CKM_TLS12_KEY_AND_MAC_DERIVE hands out IVs that are cut from the same bytes as its keys; whoever may choose all lengths can have
//! key bytes handed out as IVs (the standard warns of it). Without a key, or longer than a block, no IV is given; an owner who
//! wants to exclude it altogether allows a master key for CKM_TLS12_KEY_SAFE_DERIVE only.
//! Rule source: PKCS#11 v3.1, 6.40; RFC 5246, 5, 6.3 and 8.1; RFC 5705; RFC 7627.

use super::derive::{Derive, Heritage, Product, Request, wrong_params};
use super::{EVERYTHING, KeyRule, Row, SizeUnit, hashes, tls_prf};
use crate::derivation::{
    DeriveParams, DeriveShape, Derived, TlsExtendedParams, TlsKdfParams, TlsKeyParams, TlsMasterParams, TlsRandom,
};
use crate::keys::{material, secret_target};
use crate::limits::{SECRET_BYTES_MAX, TLS_IV_BYTES_MAX};
use crate::object::Value;
use crate::platform::Env;
use crate::reason::{Reason, Result};
use crate::template::Template;
use crate::types::{ParamShape, Params};
use ffi_headers::*;
use hsm_crypto::kdf;
use hsm_crypto::{Hash, SecretBytes};

/// Length of a master secret, and of a pre-master secret with a version in it.
const MASTER_BYTES: usize = 48;

/// What a master secret may be used for.
const MASTER_MECHANISMS: [u64; 6] =
    [CKM_TLS12_KEY_AND_MAC_DERIVE, CKM_TLS12_KEY_SAFE_DERIVE, CKM_TLS_KDF, CKM_TLS_MAC, CKM_TLS12_KDF, CKM_TLS12_MAC];

const COMMON: Row = Row {
    keys: KeyRule::Types(&[CKK_GENERIC_SECRET]),
    unit: SizeUnit::Bytes,
    size_min: MASTER_BYTES as u64,
    size_max: MASTER_BYTES as u64,
    approved: EVERYTHING,
    vectors: "NIST CAVP TLS 1.2 KDF (CAVS 17.8)",
    ..Row::BLANK
};

const DIFFIE_HELLMAN: Row = Row { size_min: 1, size_max: SECRET_BYTES_MAX as u64, ..COMMON };

pub(super) const ROWS: &[Row] = &[
    row!(Row {
        kind: CKM_TLS12_MASTER_KEY_DERIVE,
        name: "CKM_TLS12_MASTER_KEY_DERIVE",
        shape: ParamShape::Derive(DeriveShape::TlsMaster),
        judge: judge_hash,
        derive: Some(Derive::Keys { make: master, returns_key: true }),
        // RFC 7627 binds the handshake into the master secret; only that form is approved (SP 800-52, FIPS 140-3 IG D.Q).
        approved: 0,
        ..COMMON
    }),
    row!(Row {
        kind: CKM_TLS12_MASTER_KEY_DERIVE_DH,
        name: "CKM_TLS12_MASTER_KEY_DERIVE_DH",
        shape: ParamShape::Derive(DeriveShape::TlsMaster),
        judge: judge_diffie_hellman,
        derive: Some(Derive::Keys { make: master, returns_key: true }),
        approved: 0,
        ..DIFFIE_HELLMAN
    }),
    row!(Row {
        kind: CKM_TLS12_EXTENDED_MASTER_KEY_DERIVE,
        name: "CKM_TLS12_EXTENDED_MASTER_KEY_DERIVE",
        shape: ParamShape::Derive(DeriveShape::TlsExtendedMaster),
        judge: judge_hash,
        vectors: "computed with OpenSSL; the function is that of CKM_TLS12_MASTER_KEY_DERIVE",
        derive: Some(Derive::Keys { make: extended_master, returns_key: true }),
        ..COMMON
    }),
    row!(Row {
        kind: CKM_TLS12_EXTENDED_MASTER_KEY_DERIVE_DH,
        name: "CKM_TLS12_EXTENDED_MASTER_KEY_DERIVE_DH",
        shape: ParamShape::Derive(DeriveShape::TlsExtendedMaster),
        judge: judge_diffie_hellman,
        vectors: "computed with OpenSSL; the function is that of CKM_TLS12_MASTER_KEY_DERIVE",
        derive: Some(Derive::Keys { make: extended_master, returns_key: true }),
        ..DIFFIE_HELLMAN
    }),
    row!(Row {
        kind: CKM_TLS12_KEY_AND_MAC_DERIVE,
        name: "CKM_TLS12_KEY_AND_MAC_DERIVE",
        shape: ParamShape::Derive(DeriveShape::TlsKeys),
        judge: |params| judge_keys(params, true),
        derive: Some(Derive::Keys { make: |request| keys(request, true), returns_key: false }),
        heritage: Heritage::Same,
        ..COMMON
    }),
    row!(Row {
        kind: CKM_TLS12_KEY_SAFE_DERIVE,
        name: "CKM_TLS12_KEY_SAFE_DERIVE",
        shape: ParamShape::Derive(DeriveShape::TlsSafeKeys),
        judge: |params| judge_keys(params, false),
        derive: Some(Derive::Keys { make: |request| keys(request, false), returns_key: false }),
        heritage: Heritage::Same,
        ..COMMON
    }),
    row!(kdf_row(CKM_TLS_KDF, "CKM_TLS_KDF")),
    row!(kdf_row(CKM_TLS12_KDF, "CKM_TLS12_KDF")),
];

const fn kdf_row(kind: u64, name: &'static str) -> Row {
    Row {
        kind,
        name,
        shape: ParamShape::Derive(DeriveShape::TlsKdf),
        judge: |params| if hash_of(params)? == CKM_TLS_PRF { Ok(()) } else { judge_hash(params) },
        vectors: "computed with OpenSSL; the function is that of CKM_TLS12_MASTER_KEY_DERIVE",
        derive: Some(Derive::Secret(export)),
        heritage: Heritage::ProtectedOrInherited,
        ..COMMON
    }
}

/// The function of RFC 5246, 5: a double pipeline without a counter.
pub(super) fn prf(
    env: &Env<'_>,
    hash: u64,
    secret: &[u8],
    label: &[u8],
    seed: &[&[u8]],
    bytes: usize,
) -> Result<SecretBytes> {
    expand(env, hashes::by_mechanism(hash)?, secret, label, seed, bytes)
}

/// P_hash of RFC 5246, 5.
pub(super) fn expand(
    env: &Env<'_>,
    hash: Hash,
    secret: &[u8],
    label: &[u8],
    seed: &[&[u8]],
    bytes: usize,
) -> Result<SecretBytes> {
    let mut fields = vec![kdf::KbkdfField::Iteration, kdf::KbkdfField::Bytes(label)];
    fields.extend(seed.iter().map(|part| kdf::KbkdfField::Bytes(part)));
    let how = kdf::Kbkdf {
        prf: kdf::Prf::Hmac(hash),
        mode: kdf::KbkdfMode::DoublePipeline,
        counter: kdf::Integer { bytes: 4, little_endian: false },
        fields: &fields,
    };
    Ok(kdf::kbkdf(env.engine, &hsm_crypto::SymmetricKey::copy_of(secret), &how, bytes)?)
}

fn hash_of(params: &Params) -> Result<u64> {
    match params {
        Params::Derive(DeriveParams::TlsMaster(params)) => Ok(params.hash),
        Params::Derive(DeriveParams::TlsExtendedMaster(params)) => Ok(params.hash),
        Params::Derive(DeriveParams::TlsKeys(params) | DeriveParams::TlsSafeKeys(params)) => Ok(params.hash),
        Params::Derive(DeriveParams::TlsKdf(params)) => Ok(params.hash),
        _ => Err(wrong_params()),
    }
}

fn judge_hash(params: &Params) -> Result<()> {
    hashes::by_mechanism(hash_of(params)?).map(|_| ())
}

fn judge_diffie_hellman(params: &Params) -> Result<()> {
    let wants_version = match params {
        Params::Derive(DeriveParams::TlsMaster(TlsMasterParams { wants_version, .. }))
        | Params::Derive(DeriveParams::TlsExtendedMaster(TlsExtendedParams { wants_version, .. })) => *wants_version,
        _ => return Err(wrong_params()),
    };
    if wants_version {
        return Err(Reason::MechanismParam("a Diffie-Hellman secret holds no version: pVersion must be null"));
    }
    judge_hash(params)
}

fn judge_keys(params: &Params, with_ivs: bool) -> Result<()> {
    let (Params::Derive(DeriveParams::TlsKeys(keys)) | Params::Derive(DeriveParams::TlsSafeKeys(keys))) = params else {
        return Err(wrong_params());
    };
    if keys.export {
        return Err(Reason::MechanismParam("bIsExport must be CK_FALSE in TLS 1.2"));
    }
    for bits in [keys.mac_bits, keys.key_bits, keys.iv_bits] {
        if bits % 8 != 0 || bits / 8 > SECRET_BYTES_MAX as u64 {
            return Err(Reason::MechanismParam("a length is no whole number of bytes, or too large"));
        }
    }
    if keys.mac_bits == 0 && keys.key_bits == 0 {
        return Err(Reason::MechanismParam("no key is asked for"));
    }
    if with_ivs && keys.iv_bits > 0 && (keys.key_bits == 0 || keys.iv_bits > 8 * TLS_IV_BYTES_MAX as u64) {
        return Err(Reason::MechanismParam("IVs without a key, or longer than a block, would be key bytes handed out"));
    }
    judge_hash(params)
}

fn master(request: &Request<'_>) -> Result<Derived<Product>> {
    let DeriveParams::TlsMaster(TlsMasterParams { hash, random, wants_version }) = request.params()? else {
        return Err(wrong_params());
    };
    let seed = [&random.client[..], &random.server[..]];
    made_master(request, *hash, b"master secret", &seed, *wants_version)
}

fn extended_master(request: &Request<'_>) -> Result<Derived<Product>> {
    let DeriveParams::TlsExtendedMaster(TlsExtendedParams { hash, session_hash, wants_version }) = request.params()?
    else {
        return Err(wrong_params());
    };
    made_master(request, *hash, b"extended master secret", &[session_hash], *wants_version)
}

fn made_master(
    request: &Request<'_>,
    hash: u64,
    label: &[u8],
    seed: &[&[u8]],
    wants_version: bool,
) -> Result<Derived<Product>> {
    let (key_type, bytes) = secret_target(request.template)?;
    if key_type != CKK_GENERIC_SECRET || bytes.is_some_and(|bytes| bytes != MASTER_BYTES) {
        let problem = "a master secret is a generic secret of 48 bytes";
        return Err(Reason::TemplateInconsistent { kind: CKA_KEY_TYPE, problem });
    }
    let base = request.base_value()?;
    let secret = prf(request.env, hash, base, label, seed, MASTER_BYTES)?;
    let mut material = material::secret(CKK_GENERIC_SECRET, secret);
    material.insert(CKA_ALLOWED_MECHANISMS, Value::Mechanisms(MASTER_MECHANISMS[..].into()));
    let version = base.get(..2).filter(|_| wants_version).map(<[u8]>::to_vec);
    Ok(Derived {
        key: Some(Product { template: request.template.clone(), material: material.into() }),
        further: Vec::new(),
        values: version.into_iter().collect(),
    })
}

/// The four keys and two IVs of a connection, those that are asked for, in the order of `CK_SSL3_KEY_MAT_OUT`.
fn keys(request: &Request<'_>, with_ivs: bool) -> Result<Derived<Product>> {
    let (DeriveParams::TlsKeys(params) | DeriveParams::TlsSafeKeys(params)) = request.params()? else {
        return Err(wrong_params());
    };
    let TlsKeyParams { mac_bits, key_bits, iv_bits, random: TlsRandom { client, server }, hash, .. } = params;
    let bytes = |bits: u64| usize::try_from(bits / 8).map_err(|_| wrong_params());
    let (mac, key, iv) = (bytes(*mac_bits)?, bytes(*key_bits)?, if with_ivs { bytes(*iv_bits)? } else { 0 });
    let (key_type, wanted) = secret_target(request.template)?;
    if wanted.is_some_and(|wanted| wanted != key) || (key > 0 && !material::fits(key_type, key)) {
        return Err(Reason::TemplateInconsistent { kind: CKA_KEY_TYPE, problem: "not a key of ulKeySizeInBits" });
    }
    let block =
        prf(request.env, *hash, request.base_value()?, b"key expansion", &[server, client], 2 * (mac + key + iv))?;
    let template = request.template.without(CKA_VALUE_LEN);
    let mac_template = mac_template(&template);
    let write_template = with_usages(template, &[CKA_ENCRYPT, CKA_DECRYPT, CKA_DERIVE]);
    let (mut further, mut values, mut rest) = (Vec::new(), Vec::new(), block.expose());
    let mut cut = |bytes: usize| {
        let (part, after) = rest.split_at_checked(bytes).ok_or(Reason::Internal("the key block is too short"))?;
        rest = after;
        Ok::<_, Reason>(part)
    };
    for (bytes, key_type, template) in [
        (mac, CKK_GENERIC_SECRET, &mac_template),
        (mac, CKK_GENERIC_SECRET, &mac_template),
        (key, key_type, &write_template),
        (key, key_type, &write_template),
    ] {
        let part = cut(bytes)?;
        if bytes > 0 {
            let material = material::secret(key_type, SecretBytes::copy_of(part)).into();
            further.push(Product { template: template.clone(), material });
        }
    }
    for _ in 0..2 {
        let part = cut(iv)?;
        if iv > 0 {
            values.push(part.to_vec());
        }
    }
    Ok(Derived { key: None, further, values })
}

/// The template of the MAC keys: type and usages are the mechanism's, whatever the caller says of the other two keys.
fn mac_template(template: &Template) -> Template {
    let others = [CKA_KEY_TYPE, CKA_ENCRYPT, CKA_DECRYPT, CKA_WRAP, CKA_UNWRAP, CKA_DERIVE, CKA_SIGN, CKA_VERIFY];
    let bare = others.into_iter().fold(template.clone(), |template, kind| template.without(kind));
    with_usages(bare, &[CKA_SIGN, CKA_VERIFY])
}

/// Adds usages of which the template says nothing.
fn with_usages(template: Template, usages: &[u64]) -> Template {
    usages.iter().fold(template, |template, usage| {
        if template.entries.iter().any(|entry| entry.kind == *usage) {
            template
        } else {
            template.with_flag(*usage, true)
        }
    })
}

/// The exporter of RFC 5705. A context of no bytes is one, and another than none.
fn export(request: &Request<'_>, wanted: Option<usize>) -> Result<SecretBytes> {
    let DeriveParams::TlsKdf(TlsKdfParams { hash, label, random, context }) = request.params()? else {
        return Err(wrong_params());
    };
    let bytes = wanted.ok_or(Reason::TemplateIncomplete(CKA_VALUE_LEN))?;
    let context = match context {
        None => Vec::new(),
        Some(context) => {
            let length = u16::try_from(context.len())
                .map_err(|_| Reason::MechanismParam("the context is longer than the 65535 bytes of RFC 5705"))?;
            [&length.to_be_bytes()[..], context].concat()
        }
    };
    let (base, seed) = (request.base_value()?, [&random.client[..], &random.server, &context]);
    match *hash {
        CKM_TLS_PRF => tls_prf::function(request.env, base, label, &seed, bytes),
        hash => prf(request.env, hash, base, label, &seed, bytes),
    }
}
