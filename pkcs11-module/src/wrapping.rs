//! C_WrapKey and C_UnwrapKey with CK_GCM_WRAP_PARAMS or CK_CCM_WRAP_PARAMS, which let the token make the IV.
//!
//! Owns: the layout of both, told from CK_GCM_PARAMS and CK_CCM_PARAMS by their length alone; that the tag stands behind the wrapped key; the
//! writing of the IV, when the call has succeeded. The work is that of C_WrapKeyAuthenticated. Called only from the rows.
//! Rule source: PKCS#11 v3.2, 6.13.3 and 6.13.5.

use ffi_headers::*;
use hsm_core::*;

use crate::memory::{Input, Raw};
use crate::{decode, mechanism, output, template};

/// A parameter with which the token may make the IV.
struct Parameter<'call> {
    kind: u64,
    params: MessageParams,
    aad: Vec<u8>,
    iv: Raw<'call, CK_BYTE>,
    tag_bytes: usize,
}

impl<'call> Parameter<'call> {
    /// The parameter, where it is one of these structures.
    fn decode(place: Raw<'call, CK_MECHANISM>) -> Result<Option<Self>> {
        let Ok((kind, shape, input)) = mechanism::for_messages(place) else { return Ok(None) };
        match shape {
            MessageShape::Gcm => {
                let Some(it) = input.structure::<CK_GCM_WRAP_PARAMS>() else { return Ok(None) };
                let params = |iv| MessageParams {
                    iv,
                    fixed_bits: it.ulIvFixedBits,
                    generator: it.ivGenerator,
                    tag_bits: it.ulTagBits,
                    data_bytes: None,
                };
                Self::new(kind, (input.pointed(it.pIv), it.ulIvLen), input.pointed(it.pAAD).input(it.ulAADLen), params)
            }
            MessageShape::Ccm => {
                let Some(it) = input.structure::<CK_CCM_WRAP_PARAMS>() else { return Ok(None) };
                let params = |iv| MessageParams {
                    iv,
                    fixed_bits: it.ulNonceFixedBits,
                    generator: it.nonceGenerator,
                    tag_bits: it.ulMACLen.saturating_mul(8),
                    data_bytes: Some(it.ulDataLen),
                };
                let nonce = (input.pointed(it.pNonce), it.ulNonceLen);
                Self::new(kind, nonce, input.pointed(it.pAAD).input(it.ulAADLen), params)
            }
            MessageShape::Poly1305 => Ok(None),
        }
    }

    fn new(
        kind: u64,
        (iv, iv_length): (Raw<'call, CK_BYTE>, CK_ULONG),
        aad: Input<'call>,
        params: impl FnOnce(Vec<u8>) -> MessageParams,
    ) -> Result<Option<Self>> {
        // The same faults as in an argument of the call, but the standard has a return value for this place.
        let bytes = iv.input(iv_length).bytes(limits::MESSAGE_IV_BYTES_MAX, "");
        let bytes = bytes.map_err(|_| Reason::MechanismParam("the IV is missing or too long"))?;
        let aad = aad.bytes(limits::PARAM_BYTES_MAX, "");
        let aad = aad.map_err(|_| Reason::MechanismParam("pAAD is null, or ulAADLen too large"))?;
        let aad = memory::copied(aad)?;
        let params = params(bytes.to_vec());
        let tag_bytes = usize::try_from(params.tag_bits / 8)
            .ok()
            .filter(|bytes| *bytes <= limits::MESSAGE_TAG_BYTES_MAX)
            .ok_or(Reason::MechanismParam("the tag is too long"))?;
        Ok(Some(Self { kind, params, aad, iv, tag_bytes }))
    }
}

/// C_WrapKey.
///
/// # Errors
/// `ArgumentsBad`, `MechanismParam`, and the work's.
pub fn wrap(
    hsm: &Hsm,
    session: SessionHandle,
    place: Raw<'_, CK_MECHANISM>,
    (wrapping, key): (ObjectHandle, ObjectHandle),
    wrapped: Raw<'_, CK_BYTE>,
    length: Raw<'_, CK_ULONG>,
) -> Result<()> {
    let Some(Parameter { kind, params, aad, iv, tag_bytes }) = Parameter::decode(place)? else {
        return output::produce(wrapped, length, |room| {
            hsm.wrap_key(session, &mechanism::decode(place)?, wrapping, key, room)
        });
    };
    let mut made = None;
    output::produce(wrapped, length, |room| {
        // The tag stands behind what the core makes.
        let room = match room {
            Room::Bytes(bytes) => Room::Bytes(bytes.saturating_sub(tag_bytes)),
            Room::Ask => Room::Ask,
        };
        let reply = hsm.wrap_key_authenticated(session, kind, &params, wrapping, key, &aad, room);
        let MessageReply { reply, iv, tag } = reply.map_err(|reason| match reason {
            Reason::BufferTooSmall { need } => Reason::BufferTooSmall { need: need.saturating_add(tag_bytes) },
            other => other,
        })?;
        match reply {
            Reply::Size(bytes) => Ok(Reply::Size(bytes.saturating_add(tag_bytes))),
            Reply::Data(mut data) => {
                data.extend(tag.unwrap_or_default());
                made = iv;
                Ok(Reply::Data(data))
            }
            Reply::Written(_) => Err(Reason::Internal("a wrapped key was written where no place was lent")),
        }
    })?;
    if made.as_ref().is_some_and(|iv| iv.len() != params.iv.len()) {
        return Err(Reason::Internal("an IV has not the length it was to have"));
    }
    iv.fill(&made.unwrap_or_default());
    Ok(())
}

/// C_UnwrapKey; who generates the IV is not looked at.
///
/// # Errors
/// As `wrap`.
pub fn unwrap(
    hsm: &Hsm,
    session: SessionHandle,
    place: Raw<'_, CK_MECHANISM>,
    unwrapping: ObjectHandle,
    wrapped: Input<'_>,
    attributes: (Raw<'_, CK_ATTRIBUTE>, CK_ULONG),
) -> Result<ObjectHandle> {
    let Some(Parameter { kind, params, aad, tag_bytes, .. }) = Parameter::decode(place)? else {
        let mechanism = mechanism::decode(place)?;
        let wrapped = decode::wrapped(wrapped)?;
        return hsm.unwrap_key(
            session,
            &mechanism,
            unwrapping,
            wrapped,
            &template::decode(attributes.0, attributes.1)?,
        );
    };
    let wrapped = decode::wrapped(wrapped)?;
    let template = template::decode(attributes.0, attributes.1)?;
    let (wrapped, tag) = wrapped
        .len()
        .checked_sub(tag_bytes)
        .and_then(|at| wrapped.split_at_checked(at))
        .ok_or(Reason::WrappedKeyLength)?;
    hsm.unwrap_key_authenticated(session, kind, &params, tag, unwrapping, wrapped, &template, &aad)
}
