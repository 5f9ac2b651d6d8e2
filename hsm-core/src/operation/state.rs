//! The state of a session's operations, taken out and put back: C_GetOperationState and C_SetOperationState.
//!
//! Owns: which operations have a state that can leave, and its form before it is sealed. Does not know: how it is sealed, tokens,
//! what makes a key the same. Called only from `api/`, under the session's lock.
//! Rule source: PKCS#11 v2.40, 5.6 (C_GetOperationState, C_SetOperationState).
//!
//! Digests can; and with their key, which never leaves, signatures and verifications that hash the message here, HMACs, CMACs, and ciphers
//! without authentication. Of all of them the state is the mechanism, its parameter, and what was taken in. A cipher is begun anew with
//! another initialisation vector, so what is saved of it is a parameter and the bytes that wait for the rest of their block.
//!
//! The others have none:
//! - authenticated encryption: a state that is taken up twice encrypts two messages with one nonce, which gives the key of the tags away;
//! - operations in one part, of which there is nothing to save but what the caller has;
//! - runs of messages, whose IVs may be made by the token, for the same reason as the first;
//! - signatures given first (C_VerifySignatureInit), and what is finished and waits for a larger buffer;
//! - mechanisms whose crates and contexts do not tell what they have taken in: BLAKE2, SHAKE, KMAC, GMAC, CBC-MAC, Poly1305, the CMAC of
//!   triple DES, stream ciphers, XTS, TLS's MAC. So it is with HMAC where AWS-LC computes it (a processor without instructions for SHA),
//!   and with CMAC where the portable engine does.

use super::{Active, Operations, Stage, Tie};
use crate::mechanisms::{self, Crypter, Signer, Verifier};
use crate::reason::{Reason, Result};
use crate::token::Standing;
use crate::types::{Mechanism, ObjectHandle, Params};
use hsm_crypto::secret::SecretBox;
use hsm_crypto::{Hash, SecretBytes, hash};

/// The form of this version.
const FORM: u8 = 2;
/// Bytes of what tells a key from others.
const FINGERPRINT_BYTES: usize = 32;

/// What tells a key from others.
pub type Fingerprint = [u8; FINGERPRINT_BYTES];

/// How an operation with a key was begun.
#[derive(Clone, Copy)]
pub struct Origin {
    kind: u64,
    params: Kept,
    key: ObjectHandle,
}

/// A parameter that is small enough to be kept with each operation.
#[derive(Clone, Copy)]
enum Kept {
    None,
    Iv8([u8; 8]),
    Iv16([u8; 16]),
    Ctr { counter_bits: u64, block: [u8; 16] },
    Pss { hash: u64, mgf: u64, salt_bytes: u64 },
    MacLength(u64),
}

/// What is known of an operation when it begins.
#[derive(Clone, Copy)]
pub struct Began {
    pub(super) tie: Tie,
    pub(super) origin: Option<Origin>,
}

impl Began {
    /// An operation with a key that may be asked for its state.
    pub fn new(tie: Tie, mechanism: &Mechanism, key: ObjectHandle) -> Self {
        let origin = Kept::of(&mechanism.params).map(|params| Origin { kind: mechanism.kind, params, key });
        Self { tie, origin }
    }
}

impl From<Tie> for Began {
    fn from(tie: Tie) -> Self {
        Self { tie, origin: None }
    }
}

impl Kept {
    fn of(params: &Params) -> Option<Self> {
        Some(match params {
            Params::None => Kept::None,
            Params::Iv(iv) => match (iv.as_slice().try_into(), iv.as_slice().try_into()) {
                (Ok(short), _) => Kept::Iv8(short),
                (_, Ok(long)) => Kept::Iv16(long),
                _ => return None,
            },
            Params::Ctr { counter_bits, block } => Kept::Ctr { counter_bits: *counter_bits, block: *block },
            Params::Pss { hash, mgf, salt_bytes } => Kept::Pss { hash: *hash, mgf: *mgf, salt_bytes: *salt_bytes },
            Params::MacLength(bytes) => Kept::MacLength(*bytes),
            _ => return None,
        })
    }

    /// The parameter with another initialisation vector or counter block.
    fn starting_at(self, register: &[u8]) -> Option<Self> {
        Some(match self {
            Kept::Iv8(_) => Kept::Iv8(register.try_into().ok()?),
            Kept::Iv16(_) => Kept::Iv16(register.try_into().ok()?),
            Kept::Ctr { counter_bits, .. } => Kept::Ctr { counter_bits, block: register.try_into().ok()? },
            // Without a vector nothing is chained.
            Kept::None | Kept::Pss { .. } | Kept::MacLength(_) => self,
        })
    }

    fn write(self, out: &mut Vec<u8>) {
        match self {
            Kept::None => out.push(0),
            Kept::Iv8(iv) => {
                out.push(1);
                out.extend_from_slice(&iv);
            }
            Kept::Iv16(iv) => {
                out.push(2);
                out.extend_from_slice(&iv);
            }
            Kept::Ctr { counter_bits, block } => {
                out.push(3);
                out.extend_from_slice(&counter_bits.to_be_bytes());
                out.extend_from_slice(&block);
            }
            Kept::Pss { hash, mgf, salt_bytes } => {
                out.push(4);
                for number in [hash, mgf, salt_bytes] {
                    out.extend_from_slice(&number.to_be_bytes());
                }
            }
            Kept::MacLength(bytes) => {
                out.push(5);
                out.extend_from_slice(&bytes.to_be_bytes());
            }
        }
    }
}

/// Which operation of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Digest = 1,
    Sign,
    Verify,
    Encrypt,
    Decrypt,
}

/// The operations of a session as they leave.
pub struct Saved {
    /// Their form, to be sealed.
    pub bytes: SecretBytes,
    /// Whether one of them ends with the login.
    pub ends_with_login: bool,
}

/// A saved operation, taken apart.
pub enum SavedOperation<'a> {
    /// A digest.
    Digest(SavedWork<'a>),
    /// A signature.
    Sign(Fingerprint, SavedWork<'a>),
    /// A verification.
    Verify(Fingerprint, SavedWork<'a>),
    /// An encryption.
    Encrypt(Fingerprint, SavedWork<'a>),
    /// A decryption.
    Decrypt(Fingerprint, SavedWork<'a>),
}

/// What every saved operation has.
pub struct SavedWork<'a> {
    /// The mechanism to begin with.
    pub mechanism: Mechanism,
    /// Whether nothing was taken in.
    pub fresh: bool,
    /// The state of hash or MAC, or what a cipher takes in first.
    pub state: &'a [u8],
}

/// A state put together again, in the making.
#[derive(Default)]
pub struct Restored(Operations);

impl Operations {
    /// The keys whose fingerprints `save` needs: that of a cipher, and that of a signature or verification.
    ///
    /// # Errors
    /// `OperationNotInitialized` when nothing is under way, `StateUnsaveable` when something is that has no state, or two operations would
    /// take two keys where C_SetOperationState takes one.
    pub fn keys_to_save(&mut self, now: Standing) -> Result<[Option<ObjectHandle>; 2]> {
        self.end_void(now);
        let others = [
            self.sign_recover.is_some(),
            self.verify_recover.is_some(),
            self.verify_signature.is_some(),
            self.message_encrypt.is_some(),
            self.message_decrypt.is_some(),
            self.message_sign.is_some(),
            self.message_verify.is_some(),
        ];
        if others.contains(&true) {
            return Err(Reason::StateUnsaveable);
        }
        let cipher = one_key(origin_of(&self.encrypt), origin_of(&self.decrypt))?;
        let authentication = one_key(origin_of(&self.sign), origin_of(&self.verify))?;
        if cipher.is_none() && authentication.is_none() && self.digest.is_none() {
            return Err(Reason::OperationNotInitialized);
        }
        Ok([cipher, authentication])
    }

    /// The state of what is under way, with the fingerprints of the keys that `keys_to_save` named.
    ///
    /// # Errors
    /// `StateUnsaveable` when something under way cannot tell its state.
    pub fn save(&self, [cipher, authentication]: [Option<Fingerprint>; 2]) -> Result<Saved> {
        let mut out = vec![FORM];
        let mut ends_with_login = false;
        if let Some(active) = &self.digest {
            let kind = mechanisms::digest_number(active.work.0).ok_or(Reason::StateUnsaveable)?;
            let state = match active.work.1.save() {
                Some(state) => state,
                // Nothing was taken in: there is nothing to save.
                None if matches!(active.stage, Stage::Fresh) => SecretBytes::default(),
                None => return Err(Reason::StateUnsaveable),
            };
            write(&mut out, Place::Digest, (kind, Kept::None), None, &active.stage, &state)?;
        }
        if let Some(active) = &self.sign {
            let state = Some(&active.work).filter(|signer| signer.multi_part()).and_then(|signer| signer.save());
            ends_with_login |= write_keyed(&mut out, Place::Sign, active, authentication, None, state)?;
        }
        if let Some(active) = &self.verify {
            let state =
                Some(&active.work).filter(|verifier| verifier.multi_part()).and_then(|verifier| verifier.save());
            ends_with_login |= write_keyed(&mut out, Place::Verify, active, authentication, None, state)?;
        }
        for (place, active) in [(Place::Encrypt, &self.encrypt), (Place::Decrypt, &self.decrypt)] {
            if let Some(active) = active {
                let position = active.work.position().ok_or(Reason::StateUnsaveable)?;
                let register = position.register.as_deref();
                ends_with_login |= write_keyed(&mut out, place, active, cipher, register, Some(position.lead))?;
            }
        }
        Ok(Saved { bytes: SecretBytes::new(out), ends_with_login })
    }

    /// Goes on with what was saved; what was under way is given up, as a state is that of the whole session.
    pub fn restore(&mut self, restored: Restored) {
        let (find, started) = (self.find.take(), self.started);
        let signs = u64::from(restored.0.sign.is_some()) + u64::from(restored.0.decrypt.is_some());
        *self = Operations { find, started: started + signs, ..restored.0 };
    }
}

/// What an operation was begun with, where there is one.
///
/// # Errors
/// Never `Ok(Some(None))`: what has no origin is `Err`.
fn origin_of<T>(active: &Option<Active<T>>) -> Result<Option<Origin>> {
    active.as_ref().map(|active| active.origin.ok_or(Reason::StateUnsaveable)).transpose()
}

fn one_key(one: Result<Option<Origin>>, other: Result<Option<Origin>>) -> Result<Option<ObjectHandle>> {
    match (one?, other?) {
        (Some(one), Some(other)) if one.key != other.key => Err(Reason::StateUnsaveable),
        (one, other) => Ok(one.or(other).map(|origin| origin.key)),
    }
}

/// Writes one operation with a key; tells whether it ends with the login.
fn write_keyed<T>(
    out: &mut Vec<u8>,
    place: Place,
    active: &Active<T>,
    fingerprint: Option<Fingerprint>,
    register: Option<&[u8]>,
    state: Option<SecretBytes>,
) -> Result<bool> {
    let (Some(origin), Some(state), Some(_)) = (active.origin, state, fingerprint) else {
        return Err(Reason::StateUnsaveable);
    };
    let params = match register {
        Some(register) => {
            origin.params.starting_at(register).ok_or(Reason::Internal("a register has a wrong length"))?
        }
        None => origin.params,
    };
    write(out, place, (origin.kind, params), fingerprint, &active.stage, &state)?;
    Ok(active.tie.login.is_some())
}

/// Which operation (a byte), mechanism (8 bytes, the highest first), parameter, whether parts were taken in (a byte), fingerprint of the
/// key where there is one, length of the state (4 bytes), state.
fn write(
    out: &mut Vec<u8>,
    place: Place,
    (kind, params): (u64, Kept),
    fingerprint: Option<Fingerprint>,
    stage: &Stage,
    state: &SecretBytes,
) -> Result<()> {
    let updating = match stage {
        Stage::Fresh => 0,
        Stage::Updating => 1,
        Stage::Finished { .. } => return Err(Reason::StateUnsaveable),
    };
    let state_bytes = u32::try_from(state.len()).map_err(|_| Reason::StateUnsaveable)?;
    // No copy of a secret is left behind by a vector that grows.
    let mut part = Vec::with_capacity(out.len() + 128 + state.len());
    part.append(out);
    part.push(place as u8);
    part.extend_from_slice(&kind.to_be_bytes());
    params.write(&mut part);
    part.push(updating);
    part.extend(fingerprint.iter().flatten());
    part.extend_from_slice(&state_bytes.to_be_bytes());
    part.extend_from_slice(state.expose());
    *out = part;
    Ok(())
}

/// Takes apart what [`Operations::save`] made; `None` for anything else.
pub fn parse_saved(saved: &[u8]) -> Option<Vec<SavedOperation<'_>>> {
    let mut rest = Reader(saved);
    if rest.byte()? != FORM {
        return None;
    }
    let mut operations = Vec::new();
    while !rest.0.is_empty() {
        operations.push(rest.operation()?);
    }
    Some(operations)
}

/// What is left to read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn array<const BYTES: usize>(&mut self) -> Option<[u8; BYTES]> {
        let (read, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*read)
    }

    fn byte(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn number(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    fn params(&mut self) -> Option<Params> {
        Some(match self.byte()? {
            0 => Params::None,
            1 => Params::Iv(self.array::<8>()?.to_vec()),
            2 => Params::Iv(self.array::<16>()?.to_vec()),
            3 => Params::Ctr { counter_bits: self.number()?, block: self.array()? },
            4 => Params::Pss { hash: self.number()?, mgf: self.number()?, salt_bytes: self.number()? },
            5 => Params::MacLength(self.number()?),
            _ => return None,
        })
    }

    fn operation(&mut self) -> Option<SavedOperation<'a>> {
        let place = self.byte()?;
        let mechanism = Mechanism { kind: self.number()?, params: self.params()? };
        let fresh = match self.byte()? {
            0 => true,
            1 => false,
            _ => return None,
        };
        let fingerprint = if place == Place::Digest as u8 { None } else { Some(self.array()?) };
        let state_bytes = usize::try_from(u32::from_be_bytes(self.array()?)).ok()?;
        let (state, rest) = self.0.split_at_checked(state_bytes)?;
        self.0 = rest;
        let work = SavedWork { mechanism, fresh, state };
        let place = [Place::Digest, Place::Sign, Place::Verify, Place::Encrypt, Place::Decrypt]
            .into_iter()
            .find(|known| *known as u8 == place)?;
        Some(match (place, fingerprint) {
            (Place::Digest, _) => SavedOperation::Digest(work),
            (Place::Sign, Some(key)) => SavedOperation::Sign(key, work),
            (Place::Verify, Some(key)) => SavedOperation::Verify(key, work),
            (Place::Encrypt, Some(key)) => SavedOperation::Encrypt(key, work),
            (Place::Decrypt, Some(key)) => SavedOperation::Decrypt(key, work),
            (_, None) => return None,
        })
    }
}

impl Restored {
    /// Takes in a digest.
    pub fn digest(&mut self, digest: (Hash, SecretBox<dyn hash::Digest>), fresh: bool) {
        self.0.digest = Some(resumed(digest, Tie::FREE, fresh));
    }

    /// Takes in a signature.
    pub fn sign(&mut self, signer: Box<dyn Signer>, began: Began, fresh: bool) {
        self.0.sign = Some(resumed(signer, began, fresh));
    }

    /// Takes in a verification.
    pub fn verify(&mut self, verifier: Box<dyn Verifier>, began: Began, fresh: bool) {
        self.0.verify = Some(resumed(verifier, began, fresh));
    }

    /// Takes in an encryption.
    pub fn encrypt(&mut self, crypter: Box<dyn Crypter>, began: Began, fresh: bool) {
        self.0.encrypt = Some(resumed(crypter, began, fresh));
    }

    /// Takes in a decryption.
    pub fn decrypt(&mut self, crypter: Box<dyn Crypter>, began: Began, fresh: bool) {
        self.0.decrypt = Some(resumed(crypter, began, fresh));
    }
}

fn resumed<T>(work: T, began: impl Into<Began>, fresh: bool) -> Active<T> {
    let mut active = Active::new(work, began);
    if !fresh {
        active.stage = Stage::Updating;
    }
    active
}

#[cfg(test)]
mod tests {
    use super::*;
    use ffi_headers::*;

    fn origin(params: Params, key: u64) -> Option<Origin> {
        let mechanism = Mechanism { kind: CKM_AES_CBC, params };
        Began::new(Tie::FREE, &mechanism, ObjectHandle(key)).origin
    }

    #[test]
    fn what_was_written_is_read_and_nothing_else() {
        let all = [
            (CKM_AES_ECB, Params::None),
            (CKM_DES3_CBC, Params::Iv(vec![1; 8])),
            (CKM_AES_CBC, Params::Iv(vec![2; 16])),
            (CKM_AES_CTR, Params::Ctr { counter_bits: 32, block: [3; 16] }),
            (CKM_RSA_PKCS_PSS, Params::Pss { hash: CKM_SHA256, mgf: CKG_MGF1_SHA256, salt_bytes: 32 }),
            (CKM_SHA256_HMAC_GENERAL, Params::MacLength(9)),
        ];
        let mut out = vec![FORM];
        for (kind, params) in &all {
            let kept = Kept::of(params).unwrap();
            let state = SecretBytes::copy_of(b"state");
            write(&mut out, Place::Sign, (*kind, kept), Some([7; 32]), &Stage::Updating, &state).unwrap();
        }
        let read = parse_saved(&out).unwrap();
        assert_eq!(read.len(), all.len());
        for (read, (kind, params)) in read.into_iter().zip(all) {
            let SavedOperation::Sign(fingerprint, work) = read else { unreachable!("a signature was written") };
            assert_eq!((fingerprint, work.fresh, work.state), ([7; 32], false, &b"state"[..]));
            assert_eq!(work.mechanism, Mechanism { kind, params });
        }
        let whole = (1..out.len()).filter(|bytes| parse_saved(&out[..*bytes]).is_some()).count();
        assert_eq!(whole, 6, "only whole operations are read, and none at all");
        for (at, wrong) in [(0, 1), (1, 9), (1, 0), (10, 6), (11, 2)] {
            let mut bad = out.clone();
            bad[at] = wrong;
            assert!(parse_saved(&bad).is_none(), "byte {at}");
        }
    }

    #[test]
    fn two_operations_of_a_kind_are_saved_if_they_have_one_key() {
        let [one, other] = [origin(Params::None, 5), origin(Params::Iv(vec![0; 16]), 6)];
        assert!(matches!(one_key(Ok(one), Ok(other)), Err(Reason::StateUnsaveable)));
        assert!(matches!(one_key(Ok(one), Ok(one)), Ok(Some(ObjectHandle(5)))));
        assert!(matches!(one_key(Ok(None), Ok(other)), Ok(Some(ObjectHandle(6)))));
        assert!(matches!(one_key(Ok(None), Ok(None)), Ok(None)));
        assert!(origin(Params::Iv(vec![0; 12]), 5).is_none(), "no mechanism with a state has such a vector");
    }
}
