//! Messages at the edge: their parameter structures, and the bodies of the rows that take them.
//!
//! Owns: the memory layout of each structure, what of it is read and what is written back, and when. Does not know: whether
//! a value makes sense for the mechanism, which call may follow which. Called only from the rows.
//! Rule source: PKCS#11 v3.1, 5.9, 5.11, 5.14, 5.16, 6.13 and 6.61; v3.2, 5.18.
//!
//! IV and tag are written when the call has succeeded: before that no memory of the parameter is touched.

use ffi_headers::*;
use hsm_core::*;

use crate::memory::{Input, Plain, Raw};
use crate::{calls, decode, mechanism, output, template};

/// The parameter of one message.
pub struct Parameter<'call> {
    params: MessageParams,
    iv: Raw<'call, CK_BYTE>,
    tag: Raw<'call, CK_BYTE>,
}

impl<'call> Parameter<'call> {
    fn decode(shape: MessageShape, input: Input<'call>) -> Result<Self> {
        match shape {
            MessageShape::Gcm => {
                let it: CK_GCM_MESSAGE_PARAMS = structure(input)?;
                let (iv, tag) = (input.pointed(it.pIv), input.pointed(it.pTag));
                Self::new(iv, it.ulIvLen, tag, |iv| MessageParams {
                    iv,
                    fixed_bits: it.ulIvFixedBits,
                    generator: it.ivGenerator,
                    tag_bits: it.ulTagBits,
                    data_bytes: None,
                })
            }
            MessageShape::Ccm => {
                let it: CK_CCM_MESSAGE_PARAMS = structure(input)?;
                let (nonce, mac) = (input.pointed(it.pNonce), input.pointed(it.pMAC));
                Self::new(nonce, it.ulNonceLen, mac, |iv| MessageParams {
                    iv,
                    fixed_bits: it.ulNonceFixedBits,
                    generator: it.nonceGenerator,
                    tag_bits: it.ulMACLen.saturating_mul(8),
                    data_bytes: Some(it.ulDataLen),
                })
            }
            MessageShape::Poly1305 => {
                let it: CK_SALSA20_CHACHA20_POLY1305_MSG_PARAMS = structure(input)?;
                let (nonce, tag) = (input.pointed(it.pNonce), input.pointed(it.pTag));
                Self::new(nonce, it.ulNonceLen, tag, |iv| MessageParams {
                    iv,
                    fixed_bits: 0,
                    generator: CKG_NO_GENERATE,
                    tag_bits: 128,
                    data_bytes: None,
                })
            }
        }
    }

    fn new(
        iv: Raw<'call, CK_BYTE>,
        iv_length: CK_ULONG,
        tag: Raw<'call, CK_BYTE>,
        params: impl FnOnce(Vec<u8>) -> MessageParams,
    ) -> Result<Self> {
        let bytes = iv.input(iv_length).bytes(limits::MESSAGE_IV_BYTES_MAX, "");
        // The same fault as in an argument of the call, but the standard has a return value for this place.
        let bytes = bytes.map_err(|_| Reason::MechanismParam("the IV is missing or too long"))?;
        Ok(Self { params: params(bytes.to_vec()), iv, tag })
    }

    /// Refuses a parameter without a place for the tag.
    fn with_tag(self) -> Result<Self> {
        if self.tag.is_null() { Err(Reason::MechanismParam("the pointer to the tag is null")) } else { Ok(self) }
    }

    /// The tag that came with the message.
    fn tag(&self) -> Result<Vec<u8>> {
        let bytes = self.params.tag_bits.div_ceil(8);
        let tag = self.tag.input(bytes).bytes(limits::MESSAGE_TAG_BYTES_MAX, "");
        tag.map(<[u8]>::to_vec).map_err(|_| Reason::MechanismParam("the tag is missing or too long"))
    }

    /// Writes what the token made of IV and tag.
    fn write_back(&self, iv: Option<Vec<u8>>, tag: Option<Vec<u8>>) -> Result<()> {
        // An IV is as long as the caller's, and a tag as long as the parameter says: there is room for both.
        if iv.as_ref().is_some_and(|iv| iv.len() != self.params.iv.len())
            || tag.as_ref().is_some_and(|tag| tag.len() as CK_ULONG * 8 != self.params.tag_bits)
        {
            return Err(Reason::Internal("an IV or a tag has not the length it was to have"));
        }
        self.iv.fill(&iv.unwrap_or_default());
        self.tag.fill(&tag.unwrap_or_default());
        Ok(())
    }
}

fn structure<T: Plain>(input: Input<'_>) -> Result<T> {
    input
        .structure()
        .ok_or(Reason::MechanismParam("the parameter is missing or does not have the length of its structure"))
}

/// The mechanism of C_MessageEncryptInit or C_MessageDecryptInit.
///
/// The standard leaves open whether it has a parameter: each message brings its own. A structure of the right length may be there
/// (the standard's own example has one) and says nothing.
///
/// # Errors
/// `ArgumentsBad`, `MechanismUnknown`, `MechanismParam`.
pub fn mechanism_of_run(place: Raw<'_, CK_MECHANISM>) -> Result<u64> {
    let (kind, shape, input) = mechanism::for_messages(place)?;
    if !input.is_empty() {
        match shape {
            MessageShape::Gcm => drop(structure::<CK_GCM_MESSAGE_PARAMS>(input)?),
            MessageShape::Ccm => drop(structure::<CK_CCM_MESSAGE_PARAMS>(input)?),
            MessageShape::Poly1305 => drop(structure::<CK_SALSA20_CHACHA20_POLY1305_MSG_PARAMS>(input)?),
        }
    }
    Ok(kind)
}

/// Associated data, copied: the output may lie in the same memory.
fn associated(input: Input<'_>) -> Result<Vec<u8>> {
    input.bytes(limits::PARAM_BYTES_MAX, "the associated data is null, or too long").map(<[u8]>::to_vec)
}

/// Starts a run, or ends one when the mechanism is null.
///
/// # Errors
/// As `calls::begin`.
pub fn begin(
    hsm: &Hsm,
    session: SessionHandle,
    run: OperationKind,
    mechanism: Raw<'_, CK_MECHANISM>,
    work: impl FnOnce(u64) -> Result<()>,
) -> Result<()> {
    calls::begin_or_end(hsm, session, run, mechanism, |mechanism| work(mechanism_of_run(mechanism)?))
}

/// C_EncryptMessage.
///
/// # Errors
/// `ArgumentsBad`, `MechanismParam`, and the work's.
pub fn encrypt(
    hsm: &Hsm,
    session: SessionHandle,
    parameter: Input<'_>,
    aad: Input<'_>,
    plaintext: Input<'_>,
    place: Raw<'_, CK_BYTE>,
    length: Raw<'_, CK_ULONG>,
) -> Result<()> {
    let parameter = Parameter::decode(hsm.message_shape(session, true)?, parameter)?.with_tag()?;
    let aad = associated(aad)?;
    let (mut iv, mut tag) = (None, None);
    output::stream(
        place,
        length,
        || decode::data(plaintext),
        |data, place| {
            let made = hsm.encrypt_message(session, &parameter.params, &aad, data, place)?;
            (iv, tag) = (made.iv, made.tag);
            Ok(made.reply)
        },
    )?;
    parameter.write_back(iv, tag)
}

/// C_EncryptMessageBegin.
///
/// # Errors
/// As `encrypt`.
pub fn begin_encrypt(hsm: &Hsm, session: SessionHandle, parameter: Input<'_>, aad: Input<'_>) -> Result<()> {
    let parameter = Parameter::decode(hsm.message_shape(session, true)?, parameter)?;
    let iv = hsm.begin_encrypt_message(session, &parameter.params, &associated(aad)?)?;
    parameter.write_back(iv, None)
}

/// C_EncryptMessageNext.
///
/// # Errors
/// As `encrypt`.
pub fn encrypt_next(
    hsm: &Hsm,
    session: SessionHandle,
    parameter: Input<'_>,
    plaintext: Input<'_>,
    place: Raw<'_, CK_BYTE>,
    length: Raw<'_, CK_ULONG>,
    flags: CK_FLAGS,
) -> Result<()> {
    let last = is_last(flags)?;
    let parameter = Parameter::decode(hsm.message_shape(session, true)?, parameter)?;
    let parameter = if last { parameter.with_tag()? } else { parameter };
    let mut tag = None;
    output::stream(
        place,
        length,
        || decode::data(plaintext),
        |data, place| {
            let made = hsm.encrypt_message_part(session, &parameter.params, data, last, place)?;
            tag = made.tag;
            Ok(made.reply)
        },
    )?;
    parameter.write_back(None, tag)
}

/// C_DecryptMessage.
///
/// # Errors
/// As `encrypt`.
pub fn decrypt(
    hsm: &Hsm,
    session: SessionHandle,
    parameter: Input<'_>,
    aad: Input<'_>,
    ciphertext: Input<'_>,
    place: Raw<'_, CK_BYTE>,
    length: Raw<'_, CK_ULONG>,
) -> Result<()> {
    let parameter = Parameter::decode(hsm.message_shape(session, false)?, parameter)?;
    let (tag, aad) = (parameter.tag()?, associated(aad)?);
    output::stream(
        place,
        length,
        || decode::data(ciphertext),
        |data, place| hsm.decrypt_message(session, &parameter.params, &tag, &aad, data, place),
    )
}

/// C_DecryptMessageBegin.
///
/// # Errors
/// As `encrypt`.
pub fn begin_decrypt(hsm: &Hsm, session: SessionHandle, parameter: Input<'_>, aad: Input<'_>) -> Result<()> {
    let parameter = Parameter::decode(hsm.message_shape(session, false)?, parameter)?;
    hsm.begin_decrypt_message(session, &parameter.params, &associated(aad)?)
}

/// C_DecryptMessageNext.
///
/// # Errors
/// As `encrypt`.
pub fn decrypt_next(
    hsm: &Hsm,
    session: SessionHandle,
    parameter: Input<'_>,
    ciphertext: Input<'_>,
    place: Raw<'_, CK_BYTE>,
    length: Raw<'_, CK_ULONG>,
    flags: CK_FLAGS,
) -> Result<()> {
    let last = is_last(flags)?;
    let parameter = Parameter::decode(hsm.message_shape(session, false)?, parameter)?;
    let tag = if last { Some(parameter.tag()?) } else { None };
    output::stream(
        place,
        length,
        || decode::data(ciphertext),
        |data, place| hsm.decrypt_message_part(session, &parameter.params, tag.as_deref(), data, place),
    )
}

/// Whether a part is the last of its message.
fn is_last(flags: CK_FLAGS) -> Result<bool> {
    match flags {
        0 => Ok(false),
        CKF_END_OF_MESSAGE => Ok(true),
        _ => Err(Reason::ArgumentsBad("a flag that is not CKF_END_OF_MESSAGE")),
    }
}

/// The parameter of a message that is signed or verified: no mechanism has one.
///
/// # Errors
/// `MechanismParam` for any.
pub fn no_parameter(parameter: Input<'_>) -> Result<()> {
    if parameter.is_empty() {
        Ok(())
    } else {
        Err(Reason::MechanismParam("the messages of the mechanism have no parameter"))
    }
}

/// C_SignMessageNext: a null pointer for the length says that there is more to follow.
///
/// # Errors
/// As `encrypt`.
pub fn sign_next(
    hsm: &Hsm,
    session: SessionHandle,
    parameter: Input<'_>,
    data: Input<'_>,
    place: Raw<'_, CK_BYTE>,
    length: Raw<'_, CK_ULONG>,
) -> Result<()> {
    no_parameter(parameter)?;
    if length.is_null() {
        return hsm.sign_message_part(session, decode::data(data)?);
    }
    output::produce(place, length, |room| hsm.sign_message_last(session, decode::data(data)?, room))
}

/// C_VerifyMessageNext: a null pointer for the signature says that there is more to follow.
///
/// # Errors
/// As `encrypt`.
pub fn verify_next(
    hsm: &Hsm,
    session: SessionHandle,
    parameter: Input<'_>,
    data: Input<'_>,
    signature: Input<'_>,
) -> Result<()> {
    no_parameter(parameter)?;
    let signature = if signature.is_null() { None } else { Some(decode::signature(signature)?) };
    hsm.verify_message_part(session, decode::data(data)?, signature)
}

/// C_WrapKeyAuthenticated.
///
/// # Errors
/// As `encrypt`.
#[expect(clippy::too_many_arguments, reason = "the standard's")]
pub fn wrap(
    hsm: &Hsm,
    session: SessionHandle,
    mechanism: Raw<'_, CK_MECHANISM>,
    wrapping: ObjectHandle,
    key: ObjectHandle,
    aad: Input<'_>,
    place: Raw<'_, CK_BYTE>,
    length: Raw<'_, CK_ULONG>,
) -> Result<()> {
    let (kind, shape, input) = mechanism::for_messages(mechanism)?;
    let parameter = Parameter::decode(shape, input)?.with_tag()?;
    let aad = associated(aad)?;
    let (mut iv, mut tag) = (None, None);
    output::produce(place, length, |room| {
        let made = hsm.wrap_key_authenticated(session, kind, &parameter.params, wrapping, key, &aad, room)?;
        (iv, tag) = (made.iv, made.tag);
        Ok(made.reply)
    })?;
    parameter.write_back(iv, tag)
}

/// C_UnwrapKeyAuthenticated.
///
/// # Errors
/// As `encrypt`.
pub fn unwrap(
    hsm: &Hsm,
    session: SessionHandle,
    mechanism: Raw<'_, CK_MECHANISM>,
    unwrapping: ObjectHandle,
    wrapped: Input<'_>,
    attributes: (Raw<'_, CK_ATTRIBUTE>, CK_ULONG),
    aad: Input<'_>,
) -> Result<ObjectHandle> {
    let (kind, shape, input) = mechanism::for_messages(mechanism)?;
    let parameter = Parameter::decode(shape, input)?;
    let (tag, aad) = (parameter.tag()?, associated(aad)?);
    let template = template::decode(attributes.0, attributes.1)?;
    let wrapped = decode::wrapped(wrapped)?;
    hsm.unwrap_key_authenticated(session, kind, &parameter.params, &tag, unwrapping, wrapped, &template, &aad)
}
