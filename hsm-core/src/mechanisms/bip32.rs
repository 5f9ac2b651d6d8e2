//! Keys in trees: CKM_BIP32_MASTER_DERIVE and CKM_BIP32_CHILD_DERIVE, under Luna's numbers.
//!
//! A master key comes from a seed (a secret key of 16 to 64 bytes), a child from its parent along a path. Both halves of the new key
//! are made at once, with a template each, and their handles stand in the parameter afterwards; a public parent has a public child
//! only. Without CKA_EC_PARAMS (CKA_ECDSA_PARAMS) in the templates the tree is that of BIP-32 on secp256k1; with them it is that of
//! SLIP-10 on secp256k1, P-256 or Ed25519. The keys have a type of their own, CKK_BIP32, and sign by the mechanisms of their curve.
//! A child reveals as little as its parent: with the parent's chain code, a child that is known gives the parent away.
//! Rule source: BIP-32; SLIP-0010; the parameter structures and attributes of Luna clients.

use super::combine::SECRETS;
use super::derive::{Derive, Heritage, Product, Request, wrong_params};
use super::{KeyRule, Row, SizeUnit};
use crate::attributes::curves::{CurveName, octet_string, octet_string_content};
use crate::derivation::{DeriveParams, DeriveShape, Derived, TreeParams};
use crate::limits::{SECRET_BYTES_MAX, TREE_DEPTH_MAX};
use crate::object::{Attributes, Object, Value};
use crate::reason::{Reason, Result};
use crate::template::Template;
use crate::types::{ParamShape, Params};
use ffi_headers::vendor::*;
use ffi_headers::*;
use hsm_crypto::ec::Curve;
use hsm_crypto::kdf::tree::{HARDENED, Node, Tree};
use hsm_crypto::{CryptoError, SecretBytes};

pub(super) const ROWS: &[Row] = &[
    row!(Row {
        kind: CKM_BIP32_MASTER_DERIVE,
        name: "CKM_BIP32_MASTER_DERIVE",
        shape: ParamShape::Derive(DeriveShape::TreeMaster),
        keys: KeyRule::Types(SECRETS),
        unit: SizeUnit::Bytes,
        // A seed of another length has a return value of its own.
        size_min: 1,
        size_max: SECRET_BYTES_MAX as u64,
        vectors: "BIP-32 test vectors 1 to 4; SLIP-0010",
        derive: Some(Derive::Keys { make: master, returns_key: false }),
        ..Row::BLANK
    }),
    row!(Row {
        kind: CKM_BIP32_CHILD_DERIVE,
        name: "CKM_BIP32_CHILD_DERIVE",
        shape: ParamShape::Derive(DeriveShape::TreeChild),
        judge,
        keys: KeyRule::Types(&[CKK_BIP32]),
        unit: SizeUnit::Bits,
        size_min: 255,
        size_max: 256,
        vectors: "BIP-32 test vectors 1 to 4; SLIP-0010",
        derive: Some(Derive::Keys { make: child, returns_key: false }),
        heritage: Heritage::Protected,
        ..Row::BLANK
    }),
];

/// Lengths of a seed in bytes.
const SEED_BYTES: core::ops::RangeInclusive<usize> = 16..=64;
/// Version bytes of serialised keys of Bitcoin's main network, public and private, for templates that name none.
const VERSIONS: [u32; 2] = [0x0488_B21E, 0x0488_ADE4];

fn tree_params(params: &Params) -> Result<&TreeParams> {
    match params {
        Params::Derive(DeriveParams::TreeMaster(params) | DeriveParams::TreeChild(params)) => Ok(params),
        _ => Err(wrong_params()),
    }
}

fn judge(params: &Params) -> Result<()> {
    let path = &tree_params(params)?.path;
    if path.is_empty() || path.len() > TREE_DEPTH_MAX {
        return Err(Reason::TreePathLength);
    }
    match path.iter().position(|index| u32::try_from(*index).is_err()) {
        None => Ok(()),
        Some(place) => Err(Reason::TreeIndex.at(place)),
    }
}

/// The tree that the templates ask for, if they do.
fn asked(templates: &[Template; 2]) -> Result<Option<Tree>> {
    let mut found = None;
    for params in templates.iter().filter_map(|template| template.bytes(CKA_EC_PARAMS)) {
        let tree = match CurveName::parse(params)? {
            CurveName::Weierstrass(curve @ (Curve::K256 | Curve::P256)) => Tree::Slip10(curve),
            CurveName::Ed25519 => Tree::Slip10Ed25519,
            _ => return Err(Reason::CurveUnknown),
        };
        if found.is_some_and(|found| found != tree) {
            let problem = "the two templates name different curves";
            return Err(Reason::TemplateInconsistent { kind: CKA_EC_PARAMS, problem });
        }
        found = Some(tree);
    }
    Ok(found)
}

/// What a key says of its place in the tree.
struct Place {
    depth: u64,
    index: u64,
    parent: [u8; 4],
}

fn master(request: &Request<'_>) -> Result<Derived<Product>> {
    let params = tree_params(request.params)?;
    let tree = asked(&params.templates)?.unwrap_or(Tree::Bip32);
    let seed = request.base_value()?;
    if !SEED_BYTES.contains(&seed.len()) {
        return Err(Reason::TreeSeedLength);
    }
    let node = tree.master(request.env.engine, seed).map_err(|error| match error {
        CryptoError::InvalidKey(_) => Reason::TreeSeed,
        other => Reason::Crypto(other),
    })?;
    pair(request, params, tree, node, &Place { depth: 0, index: 0, parent: [0; 4] })
}

fn child(request: &Request<'_>) -> Result<Derived<Product>> {
    let params = tree_params(request.params)?;
    let base = request.sources.base;
    let tree = tree_of(base, asked(&params.templates)?)?;
    let depth = base.number(CKA_BIP32_CHILD_DEPTH).unwrap_or_default();
    if depth + params.path.len() as u64 > TREE_DEPTH_MAX as u64 {
        return Err(Reason::TreePathLength);
    }
    let mut node = node_of(base, tree)?;
    let mut place = Place { depth, index: 0, parent: [0; 4] };
    for (at, index) in params.path.iter().enumerate() {
        let index = u32::try_from(*index).map_err(|_| Reason::TreeIndex.at(at))?;
        let parent = fingerprint(tree, request, &node);
        node = tree.child(request.env.engine, &node, index).map_err(|error| match error {
            CryptoError::InvalidKey(_) => Reason::TreeIndex.at(at),
            CryptoError::InvalidParameter(_) if index >= HARDENED => Reason::TreeHardened.at(at),
            CryptoError::InvalidParameter(_) => Reason::TreeIndex.at(at),
            other => Reason::Crypto(other),
        })?;
        place = Place { depth: place.depth + 1, index: u64::from(index), parent };
    }
    pair(request, params, tree, node, &place)
}

/// The tree of a key, which the templates may name again. On secp256k1 both rules lead to the same keys; they differ in what is
/// done where there is none.
fn tree_of(key: &Object, asked: Option<Tree>) -> Result<Tree> {
    let params = key.bytes(CKA_EC_PARAMS).ok_or(Reason::KeyMaterial("CKA_EC_PARAMS is missing"))?;
    let own = match CurveName::parse_for(CKK_BIP32, params)? {
        CurveName::Weierstrass(Curve::K256) if asked.is_none() => Tree::Bip32,
        CurveName::Weierstrass(curve) => Tree::Slip10(curve),
        _ => Tree::Slip10Ed25519,
    };
    match asked {
        Some(tree) if tree != own => {
            Err(Reason::TemplateInconsistent { kind: CKA_EC_PARAMS, problem: "a child is on the curve of its parent" })
        }
        _ => Ok(own),
    }
}

fn node_of(key: &Object, tree: Tree) -> Result<Node> {
    let missing = || Reason::KeyMaterial("a part of the key is missing");
    let point = key.bytes(CKA_EC_POINT).and_then(octet_string_content).ok_or_else(missing)?;
    let secret = match key.class() {
        CKO_PRIVATE_KEY => Some(SecretBytes::copy_of(key.bytes(CKA_VALUE).ok_or_else(missing)?)),
        _ => None,
    };
    debug_assert!(tree != Tree::Slip10Ed25519 || point.len() == 32, "an Ed25519 key has 32 bytes");
    let chain_code = SecretBytes::copy_of(key.bytes(CKA_BIP32_CHAIN_CODE).ok_or_else(missing)?);
    Ok(Node { secret, public: point.to_vec(), chain_code })
}

fn fingerprint(tree: Tree, request: &Request<'_>, node: &Node) -> [u8; 4] {
    let [first, second, third, fourth, ..] = tree.identifier(request.env.engine, &node.public);
    [first, second, third, fourth]
}

/// The public key, and the private one where there is one.
fn pair(request: &Request<'_>, params: &TreeParams, tree: Tree, node: Node, place: &Place) -> Result<Derived<Product>> {
    let curve = match tree {
        Tree::Bip32 => CurveName::Weierstrass(Curve::K256),
        Tree::Slip10(curve) => CurveName::Weierstrass(curve),
        Tree::Slip10Ed25519 => CurveName::Ed25519,
    };
    let identifier = tree.identifier(request.env.engine, &node.public);
    let common = |class| {
        Attributes::from([
            (CKA_CLASS, Value::Number(class)),
            (CKA_KEY_TYPE, Value::Number(CKK_BIP32)),
            (CKA_EC_PARAMS, bytes(curve.oid_der())),
            (CKA_EC_POINT, bytes(&octet_string(&node.public))),
            (CKA_BIP32_CHAIN_CODE, Value::Bytes(node.chain_code.clone())),
            (CKA_BIP32_CHILD_INDEX, Value::Number(place.index)),
            (CKA_BIP32_CHILD_DEPTH, Value::Number(place.depth)),
            (CKA_BIP32_ID, bytes(&identifier)),
            (CKA_BIP32_FINGERPRINT, bytes(&fingerprint(tree, request, &node))),
            (CKA_BIP32_PARENT_FINGERPRINT, bytes(&place.parent)),
        ])
    };
    let mut further = Vec::with_capacity(2);
    let halves = [(CKO_PUBLIC_KEY, true), (CKO_PRIVATE_KEY, node.secret.is_some())];
    for (((class, made), template), version) in halves.into_iter().zip(&params.templates).zip(VERSIONS) {
        if !made {
            continue;
        }
        let mut material = common(class);
        material.insert(CKA_BIP32_VERSION_BYTES, bytes(&version_bytes(template, version)?));
        if let (CKO_PRIVATE_KEY, Some(secret)) = (class, &node.secret) {
            material.insert(CKA_VALUE, Value::Bytes(secret.clone()));
        }
        further.push(Product { template: template.without(CKA_BIP32_VERSION_BYTES), material: material.into() });
    }
    Ok(Derived { key: None, further, values: Vec::new() })
}

/// The version bytes that a template names: four bytes, or a `CK_ULONG`, as clients write both.
fn version_bytes(template: &Template, default: u32) -> Result<[u8; 4]> {
    let Some(given) = template.bytes(CKA_BIP32_VERSION_BYTES) else { return Ok(default.to_be_bytes()) };
    let problem = "neither four bytes nor a CK_ULONG of 32 bits";
    let fault = Reason::AttributeValue { kind: CKA_BIP32_VERSION_BYTES, problem };
    if let Ok(four) = <[u8; 4]>::try_from(given) {
        return Ok(four);
    }
    let number = template.number(CKA_BIP32_VERSION_BYTES).and_then(|number| u32::try_from(number).ok());
    number.map(u32::to_be_bytes).ok_or(fault)
}

fn bytes(value: &[u8]) -> Value {
    Value::Bytes(SecretBytes::copy_of(value))
}
