//! The parameters of derivations, and the places in them that a derivation fills.
//!
//! Owns: the layout of those structures; which of their pointers lead to places for handles and values. Every place is checked
//! before the work, and written after all keys are kept. Does not know: what is derived.
//! Rule source: PKCS#11 v3.1, 6 (the parameter structure of each mechanism).

use ffi_headers::*;
use hsm_core::template::Template;
use hsm_core::{
    DeriveParams, DeriveShape, Derived, HkdfParams, HkdfSalt, ObjectHandle, PrfField, PrfKdfParams, PrfNumber, Reason,
    Result, SecretBytes, limits,
};

use crate::mechanism::Reader;
use crate::memory::{Array, Input, Out, Plain, Raw};
use crate::template;

/// Places in a mechanism's parameter for what the work makes, in the order of [`Derived`].
#[derive(Default)]
pub struct Places<'call> {
    /// For handles of further keys.
    pub keys: Vec<Out<'call, CK_OBJECT_HANDLE>>,
    /// For values, each with the room that there is for it.
    pub values: Vec<Array<'call, CK_BYTE>>,
}

impl Places<'_> {
    /// Writes what a derivation gave.
    ///
    /// # Errors
    /// `Internal` when there are not as many results as places, or one has not the length of its place; nothing is written then.
    pub fn write(self, derived: &Derived<ObjectHandle>) -> Result<()> {
        let fits = self.keys.len() == derived.further.len()
            && self.values.len() == derived.values.len()
            && self.values.iter().zip(&derived.values).all(|(place, value)| place.count() == value.len());
        if !fits {
            return Err(Reason::Internal("a derivation gave other results than its parameter has places for"));
        }
        for (place, key) in self.keys.into_iter().zip(&derived.further) {
            place.write(key.0);
        }
        for (place, value) in self.values.into_iter().zip(&derived.values) {
            place.write(value);
        }
        Ok(())
    }

    /// Says which of the results could not be made, where the parameter has places for their handles (SP 800-108 asks for this).
    pub fn mark_fault(&self, reason: &Reason) {
        if let Reason::Further { place, .. } = reason
            && let Some(key) = self.keys.get(*place)
        {
            key.write(CK_INVALID_HANDLE);
        }
    }
}

impl<'call> Reader<'call> {
    /// Reads the parameter of a derivation and finds the places in it.
    pub(crate) fn derivation(&mut self, shape: DeriveShape) -> Result<DeriveParams> {
        match shape {
            DeriveShape::Key => self.structure().map(|handle: CK_ULONG| DeriveParams::Key(ObjectHandle(handle))),
            DeriveShape::Data => {
                let params: CK_KEY_DERIVATION_STRING_DATA = self.structure()?;
                Ok(DeriveParams::Data(SecretBytes::new(self.field(params.pData, params.ulLen, "pData")?)))
            }
            DeriveShape::BitOffset => self.structure().map(DeriveParams::BitOffset),
            DeriveShape::Hkdf => self.hkdf(),
            DeriveShape::PrfKdf => {
                let params: CK_SP800_108_KDF_PARAMS = self.structure()?;
                Ok(DeriveParams::PrfKdf(PrfKdfParams {
                    prf: params.prfType,
                    fields: self.prf_fields(params.pDataParams, params.ulNumberOfDataParams)?,
                    initial: Vec::new(),
                    further: self.further(params.pAdditionalDerivedKeys, params.ulAdditionalDerivedKeys)?,
                }))
            }
            DeriveShape::FeedbackKdf => {
                let params: CK_SP800_108_FEEDBACK_KDF_PARAMS = self.structure()?;
                Ok(DeriveParams::FeedbackKdf(PrfKdfParams {
                    prf: params.prfType,
                    fields: self.prf_fields(params.pDataParams, params.ulNumberOfDataParams)?,
                    initial: self.field(params.pIV, params.ulIVLen, "pIV")?,
                    further: self.further(params.pAdditionalDerivedKeys, params.ulAdditionalDerivedKeys)?,
                }))
            }
        }
    }

    fn hkdf(&self) -> Result<DeriveParams> {
        let params: CK_HKDF_PARAMS = self.structure()?;
        let (extract, expand) = (truth(params.bExtract)?, truth(params.bExpand)?);
        // What the asked-for half of HKDF does not use is not looked at.
        let salt = match params.ulSaltType {
            _ if !extract => HkdfSalt::None,
            CKF_HKDF_SALT_NULL => HkdfSalt::None,
            CKF_HKDF_SALT_DATA => HkdfSalt::Bytes(self.field(params.pSalt, params.ulSaltLen, "pSalt")?),
            CKF_HKDF_SALT_KEY => HkdfSalt::Key(ObjectHandle(params.hSaltKey)),
            _ => return Err(Reason::MechanismParam("ulSaltType is none of CKF_HKDF_SALT_*")),
        };
        let info = if expand { self.field(params.pInfo, params.ulInfoLen, "pInfo")? } else { Vec::new() };
        Ok(DeriveParams::Hkdf(HkdfParams { extract, expand, hash: params.prfHashMechanism, salt, info }))
    }

    fn prf_fields(&self, first: *mut CK_PRF_DATA_PARAM, count: CK_ULONG) -> Result<Vec<PrfField>> {
        let array = self.place.pointed_at(first).array(count, limits::PRF_FIELDS_MAX, "pDataParams");
        as_param(array)?.places().map(|place| self.prf_field(as_param(place.read("pDataParams"))?)).collect()
    }

    fn prf_field(&self, field: CK_PRF_DATA_PARAM) -> Result<PrfField> {
        let value = self.place.pointed(field.pValue, field.ulValueLen);
        match field.type_ {
            CK_SP800_108_ITERATION_VARIABLE if value.is_null() && value.is_empty() => Ok(PrfField::Iteration(None)),
            CK_SP800_108_ITERATION_VARIABLE => Ok(PrfField::Iteration(Some(number(pointed(value)?)?))),
            CK_SP800_108_COUNTER => Ok(PrfField::Counter(number(pointed(value)?)?)),
            CK_SP800_108_DKM_LENGTH => {
                let format: CK_SP800_108_DKM_LENGTH_FORMAT = pointed(value)?;
                let (little_endian, bits) = (truth(format.bLittleEndian)?, format.ulWidthInBits);
                Ok(PrfField::Length { method: format.dkmLengthMethod, format: PrfNumber { little_endian, bits } })
            }
            CK_SP800_108_BYTE_ARRAY => self.field(field.pValue, field.ulValueLen, "pValue").map(PrfField::Bytes),
            CK_SP800_108_KEY_HANDLE => {
                pointed(value).map(|handle: CK_OBJECT_HANDLE| PrfField::Key(ObjectHandle(handle)))
            }
            _ => Err(Reason::MechanismParam("the type of a data parameter is none of CK_SP800_108_*")),
        }
    }

    /// The templates of further keys; the places for their handles are kept.
    fn further(&mut self, first: *mut CK_DERIVED_KEY, count: CK_ULONG) -> Result<Vec<Template>> {
        let array = self.place.pointed_at(first).array(count, limits::FURTHER_KEYS_MAX, "pAdditionalDerivedKeys");
        let mut templates = Vec::new();
        for place in as_param(array)?.places() {
            let key = as_param(place.read("pAdditionalDerivedKeys"))?;
            templates.push(self.result(key.pTemplate, key.ulAttributeCount, key.phKey)?);
        }
        Ok(templates)
    }

    /// The template of one further key; the place for its handle is kept.
    fn result(
        &mut self,
        template: *mut CK_ATTRIBUTE,
        count: CK_ULONG,
        handle: *mut CK_OBJECT_HANDLE,
    ) -> Result<Template> {
        let handle: Raw<'call, CK_OBJECT_HANDLE> = self.place.pointed_at(handle);
        self.places.keys.push(as_param(handle.out("the pointer for a further key's handle is null"))?);
        as_param(template::decode(self.place.pointed_at(template), count))
    }
}

/// Reads a structure that a parameter points to, at exactly its length.
fn pointed<T: Plain>(value: Input<'_>) -> Result<T> {
    value.structure().ok_or(Reason::MechanismParam("a part of the parameter does not have the length of its structure"))
}

fn number(format: CK_SP800_108_COUNTER_FORMAT) -> Result<PrfNumber> {
    Ok(PrfNumber { little_endian: truth(format.bLittleEndian)?, bits: format.ulWidthInBits })
}

fn truth(value: CK_BBOOL) -> Result<bool> {
    match value {
        CK_FALSE => Ok(false),
        CK_TRUE => Ok(true),
        _ => Err(Reason::MechanismParam("a CK_BBOOL is neither CK_TRUE nor CK_FALSE")),
    }
}

/// The same fault as in an argument of the call, but the standard has a return value for this place.
fn as_param<T>(outcome: Result<T>) -> Result<T> {
    outcome.map_err(|reason| match reason {
        Reason::ArgumentsBad(what) => Reason::MechanismParam(what),
        other => other,
    })
}

#[cfg(test)]
#[path = "tests/derivation.rs"]
mod tests;
