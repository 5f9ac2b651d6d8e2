//! C_DeriveKey, from mechanism, keys and template to finished objects.
//!
//! Owns: which checks come in which order, what the new keys keep of those they come from (marks of origin, protection,
//! CKA_DERIVE_TEMPLATE). Does not know: sessions, handles, the store. Called from the kernel, which has resolved the handles and
//! keeps all new objects or none.
//! Rule source: PKCS#11 v3.1, 5.18.5, 6.43 (what a result of the simple derivations keeps), v3.0 (CKA_DERIVE_TEMPLATE).

use super::{ciphers, enforce, material};
use crate::attributes::{self, Actor, Origin};
use crate::derivation::{Derived, Sources};
use crate::mechanisms::derive::{Derive, Heritage, Product, Request};
use crate::mechanisms::rules::{self, Usage};
use crate::mechanisms::{Row, column};
use crate::object::{Object, Value};
use crate::platform::Env;
use crate::reason::{Reason, Result};
use crate::template::Template;
use crate::types::Mechanism;
use ffi_headers::*;

/// What a result of some derivations keeps where any of its keys has it: it reveals as little as they do.
const PROTECTIONS: [(u64, bool); 3] = [(CKA_SENSITIVE, true), (CKA_EXTRACTABLE, false), (CKA_WRAP_WITH_TRUSTED, true)];

/// C_DeriveKey: makes keys from a base key, and from further ones where the parameter names some.
///
/// Of mechanisms that leave it to the template, the new key is a generic secret where that names no type. Without CKA_VALUE_LEN it
/// is as long as the mechanism's secret (with a KDF: as its hash), if its type can have that length.
///
/// # Errors
/// `Mechanism*`, `Key*`, `Template*`, `Attribute*`.
pub fn derive_key(
    env: &Env<'_>,
    actor: Actor,
    mechanism: &Mechanism,
    sources: Sources<'_>,
    template: &Template,
) -> Result<Derived<Object>> {
    let (row, derive) = column(env, mechanism, CKF_DERIVE, |row| row.derive)?;
    rules::judge_key(env.policy, row, sources.base, Usage::Derive)?;
    for (_, key) in sources.further {
        rules::judge_further(row, key)?;
    }
    let template = prescribed(row, template.clone(), sources)?;
    let request = Request { env, params: &mechanism.params, sources, template: &template };
    let made = match derive {
        Derive::Secret(bytes) => Derived::one(secret(&request, bytes)?),
        Derive::Keys { make, .. } => make(&request)?,
    };
    let marked = |mark| match row.heritage {
        Heritage::Inherited => sources.all().any(|key| key.flag(mark)),
        _ => sources.all().all(|key| key.flag(mark)),
    };
    let origin = Origin::Derive {
        mechanism: mechanism.kind,
        always_sensitive: marked(CKA_ALWAYS_SENSITIVE),
        never_extractable: marked(CKA_NEVER_EXTRACTABLE),
    };
    let finish = |Product { template, material }: Product| {
        // A public key or a data object has none of the attributes that say how a secret is kept.
        let class = material.attributes.get(CKA_CLASS);
        let kept = matches!(class, Some(Value::Number(CKO_SECRET_KEY | CKO_PRIVATE_KEY)));
        let template = if kept { prescribed(row, template, sources)? } else { template };
        attributes::build(env, actor, origin, &template, material)
    };
    let further = made.further.into_iter().enumerate();
    Ok(Derived {
        key: made.key.map(finish).transpose()?,
        further: further
            .map(|(place, product)| finish(product).map_err(|reason| reason.at(place)))
            .collect::<Result<_>>()?,
        values: made.values,
    })
}

/// The secret key that the template asks for.
fn secret(
    request: &Request<'_>,
    derive: fn(&Request<'_>, Option<usize>) -> Result<hsm_crypto::SecretBytes>,
) -> Result<Product> {
    let (key_type, wanted) = secret_target(request.template)?;
    let value = derive(request, wanted)?;
    if !material::fits(key_type, value.len()) {
        return Err(Reason::TemplateIncomplete(CKA_VALUE_LEN));
    }
    Ok(Product {
        template: request.template.clone(),
        material: material::secret(key_type, ciphers::derived(key_type, value)).into(),
    })
}

/// The type of the secret key that a template asks for, and its length where the template says one or the type has only one.
///
/// # Errors
/// `TemplateInconsistent` for another class or type, `AttributeValue` for a length that the type cannot have.
pub(crate) fn secret_target(template: &Template) -> Result<(u64, Option<usize>)> {
    if material::number(template, CKA_CLASS)?.is_some_and(|class| class != CKO_SECRET_KEY) {
        return Err(Reason::TemplateInconsistent { kind: CKA_CLASS, problem: "the derived key is a secret key" });
    }
    let key_type = material::number(template, CKA_KEY_TYPE)?.unwrap_or(CKK_GENERIC_SECRET);
    if !material::is_secret_type(key_type) {
        return Err(Reason::TemplateInconsistent { kind: CKA_KEY_TYPE, problem: "not a secret key's type" });
    }
    let wanted = material::value_len(template)?;
    if wanted.is_some_and(|bytes| !material::fits(key_type, bytes)) {
        return Err(Reason::AttributeValue { kind: CKA_VALUE_LEN, problem: "not a length of the key type" });
    }
    Ok((key_type, wanted.or(material::fixed_bytes(key_type))))
}

/// The template of a result with what the keys' CKA_DERIVE_TEMPLATE and, where the row says so, their protection prescribe.
///
/// # Errors
/// `TemplateInconsistent` where the caller says something else.
fn prescribed(row: &Row, mut template: Template, sources: Sources<'_>) -> Result<Template> {
    for key in sources.all() {
        enforce(&mut template, key, CKA_DERIVE_TEMPLATE)?;
    }
    for (kind, protects) in PROTECTIONS {
        let silent = template.entries.iter().all(|entry| entry.kind != kind);
        let protected = sources.all().any(|key| key.flag(kind) == protects);
        match row.heritage {
            Heritage::Inherited | Heritage::ProtectedOrInherited | Heritage::Same if silent => {
                template = template.with_flag(kind, sources.base.flag(kind));
            }
            Heritage::Protected if silent && protected => template = template.with_flag(kind, protects),
            Heritage::Same if template.flag(kind) != Some(sources.base.flag(kind)) => {
                let problem = "the keys have it as the base key has";
                return Err(Reason::TemplateInconsistent { kind, problem });
            }
            Heritage::Protected | Heritage::ProtectedOrInherited
                if protected && template.flag(kind) != Some(protects) =>
            {
                let problem = "a key that it comes from is protected by it";
                return Err(Reason::TemplateInconsistent { kind, problem });
            }
            _ => {}
        }
    }
    Ok(template)
}
