//! Key management: generate, wrap and unwrap (and, in `derive`, derive), from mechanism and template to finished object.
//!
//! Owns: which checks come in which order, the wrap rules (EXTRACTABLE, WRAP_WITH_TRUSTED, the three
//! templates), the PKCS#8 form of private keys. Does not know: sessions, handles, the store. Called
//! from the kernel, which has judged access and stores the result.
//! Rule source: PKCS#11 v2.40, 5.13 (key management), 4.10 (WRAP_TEMPLATE, UNWRAP_TEMPLATE), v3.0 (DERIVE_TEMPLATE).
//!
//! C_UnwrapKey gives one answer, `WrappedKeyInvalid`, for all that depends on the decrypted bytes:
//! padding, integrity, PKCS#8, key length. What depends on the template alone is judged before.

mod authenticated;
pub(crate) mod ciphers;
mod derive;
mod encapsulation;
pub(crate) mod material;

pub use authenticated::{unwrap_key_authenticated, wrap_key_authenticated};
pub use derive::derive_key;
pub(crate) use derive::secret_target;
pub use encapsulation::{Enclosed, decapsulate_key, encapsulate_key};

use crate::attributes::{self, Actor, Origin};
use crate::mechanisms::rules::{self, Usage};
use crate::mechanisms::{Row, Wraps, column};
use crate::object::{self, Attributes, Object, ValueRef};
use crate::platform::Env;
use crate::reason::{Reason, Result};
use crate::template::{Entry, Given, Template};
use crate::types::Mechanism;
use ffi_headers::*;
use hsm_crypto::{CryptoError, SecretBytes};

/// C_GenerateKey: makes a secret key.
///
/// # Errors
/// `Mechanism*`, `Template*`, `Attribute*`.
pub fn generate_key(env: &Env<'_>, actor: Actor, mechanism: &Mechanism, template: &Template) -> Result<Object> {
    let (_, generate) = column(env, mechanism, CKF_GENERATE, |row| row.generate)?;
    let material = generate(env, &mechanism.params, template)?;
    attributes::build(env, actor, Origin::Generate(mechanism.kind), template, material)
}

/// C_GenerateKeyPair: makes a public and a private key.
///
/// # Errors
/// `Mechanism*`, `Template*`, `Attribute*`.
pub fn generate_key_pair(
    env: &Env<'_>,
    actor: Actor,
    mechanism: &Mechanism,
    public: &Template,
    private: &Template,
) -> Result<(Object, Object)> {
    let (_, generate) = column(env, mechanism, CKF_GENERATE_KEY_PAIR, |row| row.generate_pair)?;
    let (public_material, private_material) = generate(env, &mechanism.params, public, private)?;
    let origin = Origin::Generate(mechanism.kind);
    let private = attributes::build(env, actor, origin, private, private_material)?;
    let public =
        attributes::build(env, actor, origin, &env.policy.public_template(public, &private)?, public_material)?;
    Ok((public, private))
}

/// C_WrapKey: returns the wrapped key.
///
/// # Errors
/// `Mechanism*`, `Key*`, `WrappingKey*`.
pub fn wrap_key(env: &Env<'_>, mechanism: &Mechanism, wrapping: &Object, key: &Object) -> Result<Vec<u8>> {
    let (row, wrap) = column(env, mechanism, CKF_WRAP, |row| row.wrap)?;
    rules::judge_key(env.policy, row, wrapping, Usage::Wrap).map_err(of_wrapping_key)?;
    judge_wrappable(row, wrapping, key)?;
    env.policy.judge_wrapping(row.kind, wrapping, key)?;
    wrap(env, &mechanism.params, wrapping, &material::wrappable(key)?).map_err(|reason| match reason {
        // The data is the key, so a fault in the data is one in the key.
        Reason::DataLength | Reason::DataInvalid => Reason::WrappedKeySize,
        other => other,
    })
}

/// A refusal of the key that wraps.
fn of_wrapping_key(reason: Reason) -> Reason {
    match reason {
        Reason::KeyTypeInconsistent => Reason::WrappingKeyType,
        Reason::KeySize => Reason::WrappingKeySize,
        other => other,
    }
}

/// A refusal of the key that unwraps.
fn of_unwrapping_key(reason: Reason) -> Reason {
    match reason {
        Reason::KeyTypeInconsistent => Reason::UnwrappingKeyType,
        Reason::KeySize => Reason::UnwrappingKeySize,
        other => other,
    }
}

/// Whether this key may leave under that one, as the standard has it.
fn judge_wrappable(row: &Row, wrapping: &Object, key: &Object) -> Result<()> {
    match (key.class(), row.wraps) {
        (CKO_SECRET_KEY, Wraps::SecretKeys | Wraps::SecretAndPrivateKeys)
        | (CKO_PRIVATE_KEY, Wraps::SecretAndPrivateKeys) => {}
        _ => return Err(Reason::KeyNotWrappable("the mechanism does not wrap keys of its class")),
    }
    if !key.flag(CKA_EXTRACTABLE) {
        return Err(Reason::KeyUnextractable);
    }
    if key.flag(CKA_WRAP_WITH_TRUSTED) && !wrapping.flag(CKA_TRUSTED) {
        return Err(Reason::KeyNotWrappable("it asks for a trusted wrapping key"));
    }
    if let Some(ValueRef::Template(template)) = wrapping.value(CKA_WRAP_TEMPLATE)
        && !attributes::matches(key, &template)
    {
        return Err(Reason::KeyNotWrappable("the wrapping key's CKA_WRAP_TEMPLATE excludes it"));
    }
    Ok(())
}

/// C_UnwrapKey: makes the object that the wrapped bytes hold.
///
/// # Errors
/// `Mechanism*`, `UnwrappingKey*`, `WrappedKey*`, `Template*`, `Attribute*`.
pub fn unwrap_key(
    env: &Env<'_>,
    actor: Actor,
    mechanism: &Mechanism,
    unwrapping: &Object,
    wrapped: &[u8],
    template: &Template,
) -> Result<Object> {
    let (row, unwrap) = column(env, mechanism, CKF_UNWRAP, |row| row.unwrap)?;
    rules::judge_key(env.policy, row, unwrapping, Usage::Unwrap).map_err(of_unwrapping_key)?;
    unwrapped(env, actor, row, unwrapping, template, || unwrap(env, &mechanism.params, unwrapping, wrapped))
}

/// Makes the object of what `content` decrypts, which is asked only when the template is found good.
fn unwrapped(
    env: &Env<'_>,
    actor: Actor,
    row: &Row,
    unwrapping: &Object,
    template: &Template,
    content: impl FnOnce() -> Result<SecretBytes>,
) -> Result<Object> {
    let template = enforced(template, unwrapping, CKA_UNWRAP_TEMPLATE)?;
    env.policy.judge_unwrapping(unwrapping, &template)?;
    let target = Target::of(row, &template)?;
    let content = content().map_err(|reason| match reason {
        Reason::EncryptedDataLength => Reason::WrappedKeyLength,
        Reason::EncryptedDataInvalid | Reason::MessageForged => Reason::WrappedKeyInvalid,
        other => other,
    })?;
    let material = target.material(row, content)?;
    // CKA_VALUE_LEN has done its work; some clients give it, and the standard does not list it here.
    let template = template.without(CKA_VALUE_LEN);
    attributes::build(env, actor, Origin::Unwrap(row.kind), &template, material).map_err(|reason| match reason {
        // The decrypted bytes parse and still make no key (a scalar out of range, a modulus that is none).
        Reason::KeyMaterial(_) | Reason::Crypto(CryptoError::InvalidKey(_)) => Reason::WrappedKeyInvalid,
        other => other,
    })
}

/// What the template says that the wrapped bytes are.
enum Target {
    /// A secret key of this type, of this length where the template says one.
    Secret { key_type: u64, bytes: Option<usize> },
    /// A private key, of this type where the template says one.
    Private { key_type: Option<u64> },
}

impl Target {
    fn of(row: &Row, template: &Template) -> Result<Self> {
        let class = material::number(template, CKA_CLASS)?.ok_or(Reason::TemplateIncomplete(CKA_CLASS))?;
        let key_type = material::number(template, CKA_KEY_TYPE)?;
        match (class, row.wraps) {
            (CKO_SECRET_KEY, _) => {
                let key_type = key_type.ok_or(Reason::TemplateIncomplete(CKA_KEY_TYPE))?;
                if !material::is_secret_type(key_type) {
                    return Err(Reason::TemplateInconsistent {
                        kind: CKA_KEY_TYPE,
                        problem: "not a secret key's type",
                    });
                }
                Ok(Target::Secret { key_type, bytes: material::value_len(template)? })
            }
            (CKO_PRIVATE_KEY, Wraps::SecretAndPrivateKeys) => Ok(Target::Private { key_type }),
            (CKO_PRIVATE_KEY, _) => Err(Reason::TemplateInconsistent {
                kind: CKA_CLASS,
                problem: "the mechanism does not unwrap private keys",
            }),
            _ => Err(Reason::TemplateInconsistent {
                kind: CKA_CLASS,
                problem: "only secret and private keys can be unwrapped",
            }),
        }
    }

    /// The decrypted bytes as a key's material.
    fn material(&self, row: &Row, mut content: SecretBytes) -> Result<Attributes> {
        match *self {
            Target::Secret { key_type, bytes } => {
                let wanted = bytes.unwrap_or(content.len());
                if row.zero_pads {
                    content.truncate(wanted);
                }
                if content.len() != wanted || !material::fits(key_type, wanted) {
                    return Err(Reason::WrappedKeyInvalid);
                }
                Ok(material::secret(key_type, content))
            }
            Target::Private { key_type } => {
                let form = material::unwrapped_private(&content, row.zero_pads)?;
                if key_type.is_some_and(|wanted| wanted != material::key_type(&form)) {
                    return Err(Reason::WrappedKeyInvalid);
                }
                Ok(object::private_material(form))
            }
        }
    }
}

/// The caller's template with what a key's CKA_UNWRAP_TEMPLATE prescribes.
///
/// # Errors
/// `TemplateInconsistent` where the caller says something else.
fn enforced(template: &Template, key: &Object, which: u64) -> Result<Template> {
    let mut merged = template.clone();
    enforce(&mut merged, key, which)?;
    Ok(merged)
}

/// Adds to a template what a key's CKA_UNWRAP_TEMPLATE or CKA_DERIVE_TEMPLATE prescribes.
///
/// # Errors
/// `TemplateInconsistent` where the template says something else.
fn enforce(template: &mut Template, key: &Object, which: u64) -> Result<()> {
    let Some(ValueRef::Template(prescribed)) = key.value(which) else { return Ok(()) };
    for entry in &prescribed.entries {
        let mut given = template.entries.iter().filter(|given| given.kind == entry.kind).peekable();
        if given.peek().is_none() {
            template.entries.push(entry.clone());
        } else if !given.all(|given| same(given, entry)) {
            return Err(Reason::TemplateInconsistent {
                kind: entry.kind,
                problem: "the key's own template prescribes another value",
            });
        }
    }
    Ok(())
}

/// Whether two values say the same; any non-zero byte is a true `CK_BBOOL` only in the attribute table, not here.
fn same(given: &Entry, prescribed: &Entry) -> bool {
    match (&given.value, &prescribed.value) {
        (Given::Bytes(given), Given::Bytes(prescribed)) => given == prescribed,
        (Given::Template(given), Given::Template(prescribed)) => given == prescribed,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::Value;

    fn key_with(which: u64, template: Template) -> Object {
        Object::new(&Attributes::from([(which, Value::Template(template.into()))]))
    }

    #[test]
    fn a_prescribed_attribute_is_added_and_may_be_repeated() {
        let key = key_with(CKA_UNWRAP_TEMPLATE, Template::default().with_flag(CKA_EXTRACTABLE, false));
        let expect = Template::default().with_flag(CKA_EXTRACTABLE, false);
        assert_eq!(enforced(&Template::default(), &key, CKA_UNWRAP_TEMPLATE).unwrap(), expect);
        assert_eq!(enforced(&expect, &key, CKA_UNWRAP_TEMPLATE).unwrap(), expect);
    }

    #[test]
    fn a_prescribed_attribute_cannot_be_contradicted_even_by_a_duplicate() {
        let key = key_with(CKA_DERIVE_TEMPLATE, Template::default().with_flag(CKA_SENSITIVE, true));
        let no = Template::default().with_flag(CKA_SENSITIVE, false);
        let both = Template::default().with_flag(CKA_SENSITIVE, true).with_flag(CKA_SENSITIVE, false);
        for given in [no, both] {
            assert!(matches!(
                enforced(&given, &key, CKA_DERIVE_TEMPLATE),
                Err(Reason::TemplateInconsistent { kind: CKA_SENSITIVE, .. })
            ));
        }
    }
}
