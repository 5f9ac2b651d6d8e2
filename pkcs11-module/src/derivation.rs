//! The parameters of derivations, and the places in them that a derivation fills.
//!
//! Owns: the layout of those structures; which of their pointers lead to places for handles and values. Every place is checked
//! before the work, and written after all keys are kept. Does not know: what is derived.
//! Rule source: PKCS#11 v3.1, 6 (the parameter structure of each mechanism).

use core::mem::{align_of, offset_of, size_of};

use ffi_headers::*;
use hsm_core::template::Template;
use hsm_core::{
    DeriveParams, DeriveShape, Derived, HkdfParams, HkdfSalt, ObjectHandle, PasswordParams, PrfField, PrfKdfParams,
    PrfNumber, Reason, Result, SecretBytes, TlsExtendedParams, TlsKdfParams, TlsKeyParams, TlsMasterParams, TlsRandom,
    TreeParams, limits,
};

use crate::mechanism::Reader;
use crate::memory::{Array, Input, Out, Plain, Raw};
use crate::template;

mod protocols;

/// `CK_BIP32_MASTER_DERIVE_PARAMS` of Luna clients.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct TreeMasterParams {
    pub public_template: *mut CK_ATTRIBUTE,
    pub public_count: CK_ULONG,
    pub private_template: *mut CK_ATTRIBUTE,
    pub private_count: CK_ULONG,
    pub public_key: CK_OBJECT_HANDLE,
    pub private_key: CK_OBJECT_HANDLE,
}

/// `CK_BIP32_CHILD_DERIVE_PARAMS` of Luna clients.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct TreeChildParams {
    pub public_template: *mut CK_ATTRIBUTE,
    pub public_count: CK_ULONG,
    pub private_template: *mut CK_ATTRIBUTE,
    pub private_count: CK_ULONG,
    pub path: *mut CK_ULONG,
    pub path_length: CK_ULONG,
    pub public_key: CK_OBJECT_HANDLE,
    pub private_key: CK_OBJECT_HANDLE,
    pub path_error: CK_ULONG,
}

/// Places in a mechanism's parameter for what the work makes, in the order of [`Derived`].
#[derive(Default)]
pub struct Places<'call> {
    /// For handles of further keys.
    pub keys: Vec<Out<'call, CK_OBJECT_HANDLE>>,
    /// For values, each with the room that there is for it.
    pub values: Vec<Array<'call, CK_BYTE>>,
    /// For handles of keys that are not asked for: they get none.
    pub unused: Vec<Out<'call, CK_OBJECT_HANDLE>>,
    /// For the last of `keys`, when there may be one fewer than places: it gets no handle then (the private key of a public parent).
    pub last_may_be_absent: bool,
    /// For the place of the step that failed.
    pub fault: Option<Out<'call, CK_ULONG>>,
}

impl Places<'_> {
    /// Writes what a derivation gave.
    ///
    /// # Errors
    /// `Internal` when there are not as many results as places, or one has not the length of its place; nothing is written then.
    pub fn write(self, derived: &Derived<ObjectHandle>) -> Result<()> {
        let made = derived.further.len();
        let fits = (self.keys.len() == made || (self.last_may_be_absent && self.keys.len() == made + 1))
            && self.values.len() == derived.values.len()
            && self.values.iter().zip(&derived.values).all(|(place, value)| place.count() == value.len());
        if !fits {
            return Err(Reason::Internal("a derivation gave other results than its parameter has places for"));
        }
        let handles = derived.further.iter().map(|key| key.0).chain(core::iter::once(CK_INVALID_HANDLE));
        for (place, handle) in self.keys.into_iter().zip(handles) {
            place.write(handle);
        }
        for place in self.unused {
            place.write(CK_INVALID_HANDLE);
        }
        for (place, value) in self.values.into_iter().zip(&derived.values) {
            place.write(value.iter().copied());
        }
        Ok(())
    }

    /// Says which of the results, or which step, could not be made, where the parameter has a place for that.
    pub fn mark_fault(&self, reason: &Reason) {
        let Reason::Further { place, .. } = reason else { return };
        match (self.fault, self.keys.get(*place)) {
            (Some(fault), _) => fault.write(*place as CK_ULONG),
            (None, Some(key)) => key.write(CK_INVALID_HANDLE),
            (None, None) => {}
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
            DeriveShape::CbcData => {
                let params: CK_AES_CBC_ENCRYPT_DATA_PARAMS = self.structure()?;
                let data = SecretBytes::new(self.field(params.pData, params.length, "pData")?);
                Ok(DeriveParams::CbcData { iv: params.iv, data })
            }
            DeriveShape::Password => self.password(),
            DeriveShape::TlsMaster => {
                let params: CK_TLS12_MASTER_KEY_DERIVE_PARAMS = self.structure()?;
                Ok(DeriveParams::TlsMaster(TlsMasterParams {
                    hash: params.prfHashMechanism,
                    random: self.tls_random(&params.RandomInfo)?,
                    wants_version: self.version(params.pVersion)?,
                }))
            }
            DeriveShape::TlsExtendedMaster => {
                let params: CK_TLS12_EXTENDED_MASTER_KEY_DERIVE_PARAMS = self.structure()?;
                Ok(DeriveParams::TlsExtendedMaster(TlsExtendedParams {
                    hash: params.prfHashMechanism,
                    session_hash: self.field(params.pSessionHash, params.ulSessionHashLen, "pSessionHash")?,
                    wants_version: self.version(params.pVersion)?,
                }))
            }
            DeriveShape::TreeMaster => {
                let params: TreeMasterParams = self.structure()?;
                let (public, private) =
                    (offset_of!(TreeMasterParams, public_key), offset_of!(TreeMasterParams, private_key));
                self.tree_places(public, private)?;
                let templates = [
                    as_param(template::decode(self.place.pointed_at(params.public_template), params.public_count))?,
                    as_param(template::decode(self.place.pointed_at(params.private_template), params.private_count))?,
                ];
                Ok(DeriveParams::TreeMaster(TreeParams { templates, path: Vec::new() }))
            }
            DeriveShape::TreeChild => {
                let params: TreeChildParams = self.structure()?;
                let (public, private) =
                    (offset_of!(TreeChildParams, public_key), offset_of!(TreeChildParams, private_key));
                self.tree_places(public, private)?;
                let fault = self.parameter.part(offset_of!(TreeChildParams, path_error));
                self.places.fault = Some(as_param(fault.out("pParameter"))?);
                let templates = [
                    as_param(template::decode(self.place.pointed_at(params.public_template), params.public_count))?,
                    as_param(template::decode(self.place.pointed_at(params.private_template), params.private_count))?,
                ];
                // One step more than there may be is read, so that the core tells what is wrong.
                let count = params.path_length.min(limits::TREE_DEPTH_MAX as CK_ULONG + 1);
                let path = self.place.pointed_at(params.path).array(count, limits::TREE_DEPTH_MAX + 1, "pulPath");
                let path =
                    as_param(path)?.places().map(|step| as_param(step.read("pulPath"))).collect::<Result<_>>()?;
                Ok(DeriveParams::TreeChild(TreeParams { templates, path }))
            }
            DeriveShape::Ike => self.ike().map(DeriveParams::Ike),
            DeriveShape::Ike1 => self.ike1().map(DeriveParams::Ike1),
            DeriveShape::Ike1Extended => self.ike1_extended().map(DeriveParams::Ike1Extended),
            DeriveShape::Ike2Plus => self.ike2_plus().map(DeriveParams::Ike2Plus),
            DeriveShape::TlsPrf => self.tls_prf().map(DeriveParams::TlsPrf),
            DeriveShape::LunaKdf => self.luna_kdf().map(DeriveParams::LunaKdf),
            DeriveShape::TlsKeys => self.tls_keys(true).map(DeriveParams::TlsKeys),
            DeriveShape::TlsSafeKeys => self.tls_keys(false).map(DeriveParams::TlsSafeKeys),
            DeriveShape::TlsKdf => {
                let params: CK_TLS_KDF_PARAMS = self.structure()?;
                let context = self.field(params.pContextData, params.ulContextDataLength, "pContextData")?;
                Ok(DeriveParams::TlsKdf(TlsKdfParams {
                    hash: params.prfMechanism,
                    label: self.field(params.pLabel, params.ulLabelLength, "pLabel")?,
                    random: self.tls_random(&params.RandomInfo)?,
                    context: (!params.pContextData.is_null()).then_some(context),
                }))
            }
        }
    }

    /// Keeps the places for both handles of a key in a tree, which stand in the parameter itself.
    fn tree_places(&mut self, public: usize, private: usize) -> Result<()> {
        for offset in [public, private] {
            self.places.keys.push(as_param(self.parameter.part(offset).out("pParameter"))?);
        }
        self.places.last_may_be_absent = true;
        Ok(())
    }

    /// Both forms of PBKDF2's parameter. They differ in the last field: the length of the password, or a pointer to it. No pointer
    /// is as small as a length may be, and none to a `CK_ULONG` is odd.
    fn password(&self) -> Result<DeriveParams> {
        let params: CK_PKCS5_PBKD2_PARAMS2 = self.structure()?;
        let length = match params.ulPasswordLen {
            length if length <= limits::PASSWORD_BYTES_MAX as CK_ULONG => length,
            address if (address as usize).is_multiple_of(align_of::<CK_ULONG>()) && address < ADDRESSES => {
                let place = self.place.pointed_at(core::ptr::with_exposed_provenance_mut::<CK_ULONG>(address as usize));
                as_param(place.read("ulPasswordLen"))?
            }
            _ => return Err(Reason::MechanismParam("ulPasswordLen is neither a length nor a pointer to one")),
        };
        if length > limits::PASSWORD_BYTES_MAX as CK_ULONG {
            return Err(Reason::MechanismParam("the password is too long"));
        }
        Ok(DeriveParams::Password(PasswordParams {
            salt_source: params.saltSource,
            salt: self.field(params.pSaltSourceData, params.ulSaltSourceDataLen, "pSaltSourceData")?,
            rounds: params.iterations,
            prf: params.prf,
            has_prf_data: !params.pPrfData.is_null() || params.ulPrfDataLen != 0,
            password: SecretBytes::new(self.field(params.pPassword, length, "pPassword")?),
        }))
    }

    fn tls_random(&self, random: &CK_SSL3_RANDOM_DATA) -> Result<TlsRandom> {
        Ok(TlsRandom {
            client: self.field(random.pClientRandom, random.ulClientRandomLen, "pClientRandom")?,
            server: self.field(random.pServerRandom, random.ulServerRandomLen, "pServerRandom")?,
        })
    }

    /// Keeps the place for the version of a pre-master secret, if there is one.
    fn version(&mut self, place: *mut CK_VERSION) -> Result<bool> {
        if place.is_null() {
            return Ok(false);
        }
        let bytes = size_of::<CK_VERSION>();
        let place = self.place.pointed_at(place.cast::<CK_BYTE>()).array(bytes as CK_ULONG, bytes, "pVersion");
        self.places.values.push(as_param(place)?);
        Ok(true)
    }

    /// The parameter of a TLS key block; the places in `CK_SSL3_KEY_MAT_OUT` are kept.
    fn tls_keys(&mut self, with_ivs: bool) -> Result<TlsKeyParams> {
        let params: CK_TLS12_KEY_MAT_PARAMS = self.structure()?;
        let out: Raw<'call, CK_SSL3_KEY_MAT_OUT> = self.place.pointed_at(params.pReturnedKeyMaterial);
        let given = as_param(out.read("pReturnedKeyMaterial"))?;
        for (bits, offset) in [
            (params.ulMacSizeInBits, offset_of!(CK_SSL3_KEY_MAT_OUT, hClientMacSecret)),
            (params.ulMacSizeInBits, offset_of!(CK_SSL3_KEY_MAT_OUT, hServerMacSecret)),
            (params.ulKeySizeInBits, offset_of!(CK_SSL3_KEY_MAT_OUT, hClientKey)),
            (params.ulKeySizeInBits, offset_of!(CK_SSL3_KEY_MAT_OUT, hServerKey)),
        ] {
            let places = if bits == 0 { &mut self.places.unused } else { &mut self.places.keys };
            places.push(as_param(out.part(offset).out("pReturnedKeyMaterial"))?);
        }
        let iv_bytes = params.ulIVSizeInBits / 8;
        if with_ivs && iv_bytes > 0 {
            for iv in [given.pIVClient, given.pIVServer] {
                let place =
                    self.place.pointed_at(iv).array(iv_bytes, limits::PARAM_BYTES_MAX, "pIVClient or pIVServer");
                self.places.values.push(as_param(place)?);
            }
        }
        Ok(TlsKeyParams {
            mac_bits: params.ulMacSizeInBits,
            key_bits: params.ulKeySizeInBits,
            iv_bits: params.ulIVSizeInBits,
            export: truth(params.bIsExport)?,
            random: self.tls_random(&params.RandomInfo)?,
            hash: params.prfHashMechanism,
        })
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

/// The end of the addresses that a process of any of our platforms can have.
const ADDRESSES: CK_ULONG = 1 << 56;

/// Reads a structure that a parameter points to, at exactly its length.
fn pointed<T: Plain>(value: Input<'_>) -> Result<T> {
    value.structure().ok_or(Reason::MechanismParam("a part of the parameter does not have the length of its structure"))
}

fn number(format: CK_SP800_108_COUNTER_FORMAT) -> Result<PrfNumber> {
    Ok(PrfNumber { little_endian: truth(format.bLittleEndian)?, bits: format.ulWidthInBits })
}

pub(crate) fn truth(value: CK_BBOOL) -> Result<bool> {
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
        // Of a template in a parameter; not every function that takes a mechanism takes a template.
        Reason::AttributeValue { problem, .. } => Reason::MechanismParam(problem),
        other => other,
    })
}

#[cfg(test)]
#[path = "tests/derivation.rs"]
mod tests;
