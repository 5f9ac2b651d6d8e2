//! The life of the operations (sign, digest, find, ...) inside one session.
//!
//! Owns: which call may follow which, when an operation ends, the protocol of output sizes, the
//! context-specific login of an operation. Does not know: algorithms, keys, handles' meaning, the
//! token. Called only from `api/`, under the session's lock.
//! Rule source: PKCS#11 v2.40, 5.2 (output lengths) and 5.7 to 5.13 (termination).
//!
//! One operation of each kind may be active at once. Asking for a size and offering too small a
//! buffer keep it; every other error ends it. A result whose size is known only after the work
//! (unpadding) is made once and waits, wiped when it leaves, until a buffer is large enough.

mod ivs;
mod messages;
mod pairs;
mod recover;
mod signature_first;
mod signed_messages;
mod state;

use crate::mechanisms::{Crypter, Signer, Verifier};
use crate::platform::Env;
use crate::reason::{Reason, Result};
use crate::token::Standing;
use crate::types::{Destination, ObjectHandle, OperationKind, Reply, Room};
use hsm_crypto::hash::{self, Digest};
use hsm_crypto::secret::SecretBox;
use hsm_crypto::{Hash, SecretBytes};
use zeroize::Zeroize;

pub(crate) use ivs::Ivs;
pub(crate) use signed_messages::StartMessage;
use state::Origin;
pub(crate) use state::{Began, Fingerprint, Restored, SavedOperation, SavedWork, parse_saved};

/// What a session has under way.
#[derive(Default)]
pub struct Operations {
    find: Option<Active<std::vec::IntoIter<ObjectHandle>>>,
    digest: Option<Active<(Hash, SecretBox<dyn Digest>)>>,
    sign: Option<Active<Box<dyn Signer>>>,
    verify: Option<Active<Box<dyn Verifier>>>,
    encrypt: Option<Active<Box<dyn Crypter>>>,
    decrypt: Option<Active<Box<dyn Crypter>>>,
    sign_recover: Option<Active<Box<dyn Crypter>>>,
    verify_recover: Option<Active<Box<dyn Crypter>>>,
    verify_signature: Option<Active<signature_first::Given>>,
    message_encrypt: messages::Encrypting,
    message_decrypt: messages::Decrypting,
    message_sign: signed_messages::Signing,
    message_verify: signed_messages::Verifying,
    /// How many signatures and decryptions were started, so that a context-specific login cannot free a later one.
    started: u64,
}

/// What ties an operation to the login under which it began.
#[derive(Debug, Clone, Copy)]
pub struct Tie {
    /// `Standing::ended` at its start, where it ends with the login.
    login: Option<u64>,
    context: Context,
}

/// The context-specific login of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Context {
    /// The key asks for none.
    Free,
    /// It has not happened yet.
    Needed,
    /// It has.
    Given,
}

struct Active<T> {
    work: T,
    tie: Tie,
    stage: Stage,
    /// How it was begun, where its state can be saved.
    origin: Option<Origin>,
}

enum Stage {
    /// Nothing taken in.
    Fresh,
    /// Parts taken in.
    Updating,
    /// Done; the result waits for a buffer that holds it. `input` is that of a one-part call.
    Finished { input: Option<SecretBytes>, output: SecretBytes },
}

/// Whether the operation goes on after a step.
enum After<R> {
    Goes(R),
    Ends(R),
}

/// Whether the size that a step announces is exact, so that too small a buffer can be refused before the work.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Announced {
    Exactly,
    AtMost,
}

impl Tie {
    /// An operation that outlives a logout (public key, digest).
    pub const FREE: Tie = Tie { login: None, context: Context::Free };

    /// An operation that ends with the login; `context` when the key asks for a context-specific login.
    #[must_use]
    pub fn to_login(standing: Standing, context: bool) -> Self {
        let context = if context { Context::Needed } else { Context::Free };
        Self { login: Some(standing.ended), context }
    }

    fn holds(self, now: Standing) -> bool {
        self.login.is_none_or(|ended| ended == now.ended)
    }

    /// Notes that the context-specific login has been used up by one message.
    fn used(&mut self) {
        if self.context == Context::Given {
            self.context = Context::Needed;
        }
    }

    fn ready(self) -> Result<()> {
        match self.context {
            Context::Free | Context::Given => Ok(()),
            Context::Needed => Err(Reason::ContextLoginNeeded),
        }
    }
}

impl<T> Active<T> {
    fn new(work: T, began: impl Into<Began>) -> Self {
        let Began { tie, origin } = began.into();
        Self { work, tie, stage: Stage::Fresh, origin }
    }

    /// Refuses a one-part call after parts.
    fn fresh(&self) -> Result<()> {
        match self.stage {
            Stage::Fresh => Ok(()),
            Stage::Updating | Stage::Finished { .. } => Err(Reason::OperationActive),
        }
    }

    /// Refuses a part where the mechanism takes none or the result is already made.
    fn open(&self, multi_part: bool) -> Result<()> {
        if !multi_part {
            return Err(Reason::SinglePartOnly);
        }
        match self.stage {
            Stage::Fresh | Stage::Updating => Ok(()),
            Stage::Finished { .. } => Err(Reason::OperationActive),
        }
    }
}

/// Refuses to start beside an operation of the same kind; one whose login has ended is none.
fn idle<T>(slot: &mut Option<Active<T>>, now: Standing) -> Result<()> {
    match slot {
        Some(active) if active.tie.holds(now) => Err(Reason::OperationActive),
        Some(_) | None => {
            *slot = None;
            Ok(())
        }
    }
}

/// Takes one step of the operation in `slot` and ends it as the step and the standard say.
fn step<T, R>(
    slot: &mut Option<Active<T>>,
    now: Standing,
    take: impl FnOnce(&mut Active<T>) -> Result<After<R>>,
) -> Result<R> {
    let Some(active) = slot.as_mut().filter(|active| active.tie.holds(now)) else {
        *slot = None;
        return Err(Reason::OperationNotInitialized);
    };
    match take(active) {
        Ok(After::Goes(answer)) => Ok(answer),
        Err(reason @ Reason::BufferTooSmall { .. }) => Err(reason),
        Ok(After::Ends(answer)) => {
            *slot = None;
            Ok(answer)
        }
        Err(reason) => {
            *slot = None;
            Err(reason)
        }
    }
}

/// Answers a question for the size, or an offer that is too small, where the size is exact.
fn sized(room: Room, bytes: usize) -> Result<Option<After<Reply>>> {
    match room {
        Room::Ask => Ok(Some(After::Goes(Reply::Size(bytes)))),
        Room::Bytes(have) if have < bytes => Err(Reason::BufferTooSmall { need: bytes }),
        Room::Bytes(_) => Ok(None),
    }
}

impl Announced {
    /// Answers a question for the size, and where the size is exact an offer that is too small.
    fn judge(self, room: Room, bytes: usize) -> Result<Option<After<Reply>>> {
        if room == Room::Ask || self == Announced::Exactly { sized(room, bytes) } else { Ok(None) }
    }
}

/// The caller's memory for a result of at most so many bytes, if it has them and they can be written at once.
fn lent(place: &mut impl Destination, bytes: usize) -> Option<&mut [u8]> {
    if matches!(place.room(), Room::Bytes(have) if have >= bytes) { place.lend(bytes) } else { None }
}

/// Memory of our own for a result of at most so many bytes.
fn buffer(bytes: usize) -> Result<SecretBytes> {
    Ok(SecretBytes::try_zeroed(bytes)?)
}

/// A result, where it was made.
enum Made {
    /// In the caller's memory: so many bytes.
    There(usize),
    /// In memory of our own.
    Here(SecretBytes),
}

/// Has a result of at most so many bytes made in the caller's memory, or in our own where that cannot be. What failed half-way is
/// wiped.
fn made(place: &mut impl Destination, bytes: usize, work: impl FnOnce(&mut [u8]) -> Result<usize>) -> Result<Made> {
    if let Some(out) = lent(place, bytes) {
        let outcome = work(out);
        if outcome.is_err() {
            out.zeroize();
        }
        return outcome.map(Made::There);
    }
    let mut own = buffer(bytes)?;
    let kept = work(own.expose_mut())?;
    own.truncate(kept);
    Ok(Made::Here(own))
}

/// Why a result leaves its secret type.
const ASKED_FOR: &str = "the caller asked for the result of its operation";

impl Operations {
    // --- for all kinds ---

    /// Ends the operation of a kind, if there is one.
    pub fn cancel(&mut self, kind: OperationKind) {
        match kind {
            OperationKind::Encrypt => self.encrypt = None,
            OperationKind::Decrypt => self.decrypt = None,
            OperationKind::Digest => self.digest = None,
            OperationKind::Sign => self.sign = None,
            OperationKind::Verify => self.verify = None,
            OperationKind::Find => self.find = None,
            OperationKind::SignRecover => self.sign_recover = None,
            OperationKind::VerifyRecover => self.verify_recover = None,
            OperationKind::VerifySignature => self.verify_signature = None,
            OperationKind::MessageEncrypt => self.message_encrypt = None,
            OperationKind::MessageDecrypt => self.message_decrypt = None,
            OperationKind::MessageSign => self.message_sign = None,
            OperationKind::MessageVerify => self.message_verify = None,
            OperationKind::EncryptMessage => messages::end_message(&mut self.message_encrypt),
            OperationKind::DecryptMessage => messages::end_message(&mut self.message_decrypt),
            OperationKind::SignMessage => messages::end_message(&mut self.message_sign),
            OperationKind::VerifyMessage => messages::end_message(&mut self.message_verify),
        }
    }

    /// Refuses to start an operation beside one of the same kind.
    ///
    /// # Errors
    /// `OperationActive`.
    pub fn ensure_idle(&mut self, kind: OperationKind, now: Standing) -> Result<()> {
        match kind {
            OperationKind::Encrypt => idle(&mut self.encrypt, now),
            OperationKind::Decrypt => idle(&mut self.decrypt, now),
            OperationKind::Digest => idle(&mut self.digest, now),
            OperationKind::Sign => idle(&mut self.sign, now),
            OperationKind::Verify => idle(&mut self.verify, now),
            OperationKind::Find => idle(&mut self.find, now),
            OperationKind::SignRecover => idle(&mut self.sign_recover, now),
            OperationKind::VerifyRecover => idle(&mut self.verify_recover, now),
            OperationKind::VerifySignature => idle(&mut self.verify_signature, now),
            OperationKind::MessageEncrypt => messages::no_run(&mut self.message_encrypt, now),
            OperationKind::MessageDecrypt => messages::no_run(&mut self.message_decrypt, now),
            OperationKind::MessageSign => messages::no_run(&mut self.message_sign, now),
            OperationKind::MessageVerify => messages::no_run(&mut self.message_verify, now),
            OperationKind::EncryptMessage => messages::no_message(&mut self.message_encrypt, now),
            OperationKind::DecryptMessage => messages::no_message(&mut self.message_decrypt, now),
            OperationKind::SignMessage => messages::no_message(&mut self.message_sign, now),
            OperationKind::VerifyMessage => messages::no_message(&mut self.message_verify, now),
        }
    }

    /// Drops, and so wipes, every operation whose login has ended.
    pub fn end_void(&mut self, now: Standing) {
        fn sweep<T>(slot: &mut Option<Active<T>>, now: Standing) {
            *slot = slot.take().filter(|active| active.tie.holds(now));
        }
        sweep(&mut self.find, now);
        sweep(&mut self.digest, now);
        sweep(&mut self.sign, now);
        sweep(&mut self.verify, now);
        sweep(&mut self.encrypt, now);
        sweep(&mut self.decrypt, now);
        sweep(&mut self.sign_recover, now);
        sweep(&mut self.verify_recover, now);
        sweep(&mut self.verify_signature, now);
        // To ask for a run whose login has ended is to drop it.
        let _ = messages::no_run(&mut self.message_encrypt, now);
        let _ = messages::no_run(&mut self.message_decrypt, now);
        let _ = messages::no_run(&mut self.message_sign, now);
        let _ = messages::no_run(&mut self.message_verify, now);
    }

    /// Names the active operations whose keys ask for a context-specific login; `None` when there are none.
    #[must_use]
    pub fn asks_context(&self, now: Standing) -> Option<u64> {
        let sign = self.sign.as_ref().map(|active| active.tie);
        let decrypt = self.decrypt.as_ref().map(|active| active.tie);
        let recover = self.sign_recover.as_ref().map(|active| active.tie);
        let messages =
            [self.message_sign.as_ref().map(|run| run.tie), self.message_decrypt.as_ref().map(|run| run.tie)];
        let ties = [sign, decrypt, recover].into_iter().chain(messages);
        let asks = ties.flatten().any(|tie| tie.holds(now) && tie.context != Context::Free);
        asks.then_some(self.started)
    }

    /// Notes that the context-specific login has happened for the operations that `asks_context` named.
    ///
    /// # Errors
    /// `OperationNotInitialized` when another one was started meanwhile.
    pub fn grant_context(&mut self, named: u64) -> Result<()> {
        if named != self.started {
            return Err(Reason::OperationNotInitialized);
        }
        let sign = self.sign.as_mut().map(|active| &mut active.tie);
        let decrypt = self.decrypt.as_mut().map(|active| &mut active.tie);
        let recover = self.sign_recover.as_mut().map(|active| &mut active.tie);
        let message_sign = self.message_sign.as_mut().map(|run| &mut run.tie);
        let message_decrypt = self.message_decrypt.as_mut().map(|run| &mut run.tie);
        let ties = [sign, decrypt, recover, message_sign, message_decrypt];
        for tie in ties.into_iter().flatten().filter(|tie| tie.context == Context::Needed) {
            tie.context = Context::Given;
        }
        Ok(())
    }

    // --- find ---

    /// Starts handing out `found`.
    pub fn start_find(&mut self, found: Vec<ObjectHandle>, tie: Tie) {
        self.find = Some(Active::new(found.into_iter(), tie));
    }

    /// The handles not handed out yet.
    ///
    /// # Errors
    /// `OperationNotInitialized`.
    pub fn found(&mut self, now: Standing) -> Result<&mut std::vec::IntoIter<ObjectHandle>> {
        match self.find.as_mut().filter(|active| active.tie.holds(now)) {
            Some(active) => Ok(&mut active.work),
            None => Err(Reason::OperationNotInitialized),
        }
    }

    /// Ends the search.
    ///
    /// # Errors
    /// `OperationNotInitialized`.
    pub fn end_find(&mut self, now: Standing) -> Result<()> {
        step(&mut self.find, now, |_| Ok(After::Ends(())))
    }

    // --- digest ---

    /// Starts a digest.
    pub fn start_digest(&mut self, digest: (Hash, SecretBox<dyn Digest>)) {
        self.digest = Some(Active::new(digest, Tie::FREE));
    }

    /// C_Digest.
    ///
    /// # Errors
    /// `OperationNotInitialized`, `OperationActive` after parts, `BufferTooSmall`.
    pub fn digest(&mut self, now: Standing, data: &[u8], room: Room) -> Result<Reply> {
        step(&mut self.digest, now, |active| {
            active.fresh()?;
            if let Some(answer) = sized(room, active.work.0.output_bytes())? {
                return Ok(answer);
            }
            active.work.1.update(data);
            Ok(After::Ends(Reply::Data(active.work.1.finish())))
        })
    }

    /// C_DigestUpdate, and C_DigestKey with the key's value.
    ///
    /// # Errors
    /// `OperationNotInitialized`.
    pub fn digest_update(&mut self, now: Standing, data: &[u8]) -> Result<()> {
        step(&mut self.digest, now, |active| {
            active.take_part(data);
            Ok(After::Goes(()))
        })
    }

    /// C_DigestFinal.
    ///
    /// # Errors
    /// `OperationNotInitialized`, `BufferTooSmall`.
    pub fn digest_final(&mut self, now: Standing, room: Room) -> Result<Reply> {
        step(&mut self.digest, now, |active| {
            if let Some(answer) = sized(room, active.work.0.output_bytes())? {
                return Ok(answer);
            }
            Ok(After::Ends(Reply::Data(active.work.1.finish())))
        })
    }

    // --- sign ---

    /// Starts a signature.
    pub fn start_sign(&mut self, signer: Box<dyn Signer>, began: impl Into<Began>) {
        self.started += 1;
        self.sign = Some(Active::new(signer, began));
    }

    /// C_Sign. The announced size of a signature is taken as the size it needs.
    ///
    /// # Errors
    /// `OperationNotInitialized`, `OperationActive` after parts, `ContextLoginNeeded`, `BufferTooSmall`, the mechanism's.
    pub fn sign(&mut self, env: &Env<'_>, now: Standing, data: &[u8], room: Room) -> Result<Reply> {
        step(&mut self.sign, now, |active| {
            active.fresh()?;
            if let Some(answer) = sized(room, active.work.signature_bytes())? {
                return Ok(answer);
            }
            active.tie.ready()?;
            Ok(After::Ends(Reply::Data(active.work.sign(env, data)?)))
        })
    }

    /// C_SignUpdate.
    ///
    /// # Errors
    /// `OperationNotInitialized`, `SinglePartOnly`, `ContextLoginNeeded`, the mechanism's.
    pub fn sign_update(&mut self, now: Standing, data: &[u8]) -> Result<()> {
        step(&mut self.sign, now, |active| {
            active.open(active.work.multi_part())?;
            active.take_part(data).map(After::Goes)
        })
    }

    /// C_SignFinal.
    ///
    /// # Errors
    /// `OperationNotInitialized`, `SinglePartOnly`, `ContextLoginNeeded`, `BufferTooSmall`, the mechanism's.
    pub fn sign_final(&mut self, env: &Env<'_>, now: Standing, room: Room) -> Result<Reply> {
        step(&mut self.sign, now, |active| {
            active.open(active.work.multi_part())?;
            if let Some(answer) = sized(room, active.work.signature_bytes())? {
                return Ok(answer);
            }
            active.tie.ready()?;
            Ok(After::Ends(Reply::Data(active.work.finish(env)?)))
        })
    }

    // --- verify ---

    /// Starts a verification.
    pub fn start_verify(&mut self, verifier: Box<dyn Verifier>, began: impl Into<Began>) {
        self.verify = Some(Active::new(verifier, began));
    }

    /// C_Verify; ends the operation whatever it answers.
    ///
    /// # Errors
    /// `OperationNotInitialized`, `OperationActive` after parts, `SignatureInvalid`, `SignatureLength`, the mechanism's.
    pub fn verify(&mut self, env: &Env<'_>, now: Standing, data: &[u8], signature: &[u8]) -> Result<()> {
        step(&mut self.verify, now, |active| {
            active.fresh()?;
            active.work.verify(env, data, signature).map(After::Ends)
        })
    }

    /// C_VerifyUpdate.
    ///
    /// # Errors
    /// `OperationNotInitialized`, `SinglePartOnly`, the mechanism's.
    pub fn verify_update(&mut self, now: Standing, data: &[u8]) -> Result<()> {
        step(&mut self.verify, now, |active| {
            active.open(active.work.multi_part())?;
            active.take_part(data).map(After::Goes)
        })
    }

    /// C_VerifyFinal; ends the operation whatever it answers.
    ///
    /// # Errors
    /// `OperationNotInitialized`, `SinglePartOnly`, `SignatureInvalid`, `SignatureLength`, the mechanism's.
    pub fn verify_final(&mut self, env: &Env<'_>, now: Standing, signature: &[u8]) -> Result<()> {
        step(&mut self.verify, now, |active| {
            active.open(active.work.multi_part())?;
            active.work.finish(env, signature).map(After::Ends)
        })
    }

    // --- encrypt and decrypt ---

    /// Starts an encryption.
    pub fn start_encrypt(&mut self, crypter: Box<dyn Crypter>, began: impl Into<Began>) {
        self.encrypt = Some(Active::new(crypter, began));
    }

    /// Starts a decryption.
    pub fn start_decrypt(&mut self, crypter: Box<dyn Crypter>, began: impl Into<Began>) {
        self.started += 1;
        self.decrypt = Some(Active::new(crypter, began));
    }

    /// C_Encrypt.
    ///
    /// # Errors
    /// `OperationNotInitialized`, `OperationActive` after parts, `BufferTooSmall`, the mechanism's.
    pub fn encrypt(&mut self, env: &Env<'_>, now: Standing, data: &[u8], mut place: impl Destination) -> Result<Reply> {
        step(&mut self.encrypt, now, |active| active.one_shot(env, data, &mut place, Announced::Exactly))
    }

    /// C_EncryptUpdate.
    ///
    /// # Errors
    /// `OperationNotInitialized`, `SinglePartOnly`, `BufferTooSmall`, the mechanism's.
    pub fn encrypt_update(&mut self, now: Standing, data: &[u8], mut place: impl Destination) -> Result<Reply> {
        step(&mut self.encrypt, now, |active| active.update(data, &mut place))
    }

    /// C_EncryptFinal.
    ///
    /// # Errors
    /// As `encrypt_update`.
    pub fn encrypt_final(&mut self, env: &Env<'_>, now: Standing, mut place: impl Destination) -> Result<Reply> {
        step(&mut self.encrypt, now, |active| active.finish(env, &mut place, Announced::Exactly))
    }

    /// C_Decrypt.
    ///
    /// # Errors
    /// As `encrypt`, and `ContextLoginNeeded`.
    pub fn decrypt(&mut self, env: &Env<'_>, now: Standing, data: &[u8], mut place: impl Destination) -> Result<Reply> {
        step(&mut self.decrypt, now, |active| active.one_shot(env, data, &mut place, Announced::AtMost))
    }

    /// C_DecryptUpdate.
    ///
    /// # Errors
    /// As `encrypt_update`, and `ContextLoginNeeded`.
    pub fn decrypt_update(&mut self, now: Standing, data: &[u8], mut place: impl Destination) -> Result<Reply> {
        step(&mut self.decrypt, now, |active| active.update(data, &mut place))
    }

    /// C_DecryptFinal.
    ///
    /// # Errors
    /// As `decrypt_update`.
    pub fn decrypt_final(&mut self, env: &Env<'_>, now: Standing, mut place: impl Destination) -> Result<Reply> {
        step(&mut self.decrypt, now, |active| active.finish(env, &mut place, Announced::AtMost))
    }
}

impl Active<(Hash, SecretBox<dyn Digest>)> {
    fn take_part(&mut self, data: &[u8]) {
        // A digest in parts may be asked for its state. Where the engine's cannot tell it, another one takes over.
        if matches!(self.stage, Stage::Fresh)
            && !self.work.1.is_resumable()
            && let Some(other) = hash::start_resumable(self.work.0)
        {
            self.work.1 = other;
        }
        self.work.1.update(data);
        self.stage = Stage::Updating;
    }
}

impl Active<Box<dyn Signer>> {
    /// Takes in a part; `open` was asked before.
    fn take_part(&mut self, data: &[u8]) -> Result<()> {
        self.tie.ready()?;
        self.work.update(data)?;
        self.stage = Stage::Updating;
        Ok(())
    }
}

impl Active<Box<dyn Verifier>> {
    /// Takes in a part; `open` was asked before.
    fn take_part(&mut self, data: &[u8]) -> Result<()> {
        self.work.update(data)?;
        self.stage = Stage::Updating;
        Ok(())
    }
}

impl Active<Box<dyn Crypter>> {
    fn one_shot(
        &mut self,
        env: &Env<'_>,
        input: &[u8],
        place: &mut impl Destination,
        announced: Announced,
    ) -> Result<After<Reply>> {
        let room = place.room();
        if let Stage::Finished { input: Some(before), .. } = &self.stage {
            if !before.ct_eq(input) {
                return Err(Reason::ArgumentsBad("the input is not that of the call whose buffer was too small"));
            }
            return self.deliver(room);
        }
        self.fresh()?;
        let bytes = self.work.one_shot_bytes(input.len());
        if let Some(answer) = announced.judge(room, bytes)? {
            return Ok(answer);
        }
        self.tie.ready()?;
        let made = made(place, bytes, |out| self.work.one_shot(env, input, out))?;
        self.finished(made, room, || Ok(Some(SecretBytes::try_copy_of(input)?)))
    }

    fn update(&mut self, input: &[u8], place: &mut impl Destination) -> Result<After<Reply>> {
        self.update_beside(input, place, |_output| Ok(()))
    }

    /// As `update`, and lends the result to another operation before the call answers.
    fn update_beside(
        &mut self,
        input: &[u8],
        place: &mut impl Destination,
        beside: impl FnOnce(&[u8]) -> Result<()>,
    ) -> Result<After<Reply>> {
        self.open(self.work.multi_part())?;
        let bytes = self.work.update_bytes(input.len());
        if let Some(answer) = sized(place.room(), bytes)? {
            return Ok(answer);
        }
        self.tie.ready()?;
        let work = |out: &mut [u8]| {
            let written = self.work.update(input, out)?;
            beside(out.get(..written).ok_or(Reason::Internal("a result is larger than its room"))?)?;
            Ok(written)
        };
        let reply = match made(place, bytes, work)? {
            Made::There(written) => Reply::Written(written),
            Made::Here(output) => Reply::Data(output.into_public(ASKED_FOR)?),
        };
        self.stage = Stage::Updating;
        Ok(After::Goes(reply))
    }

    fn finish(&mut self, env: &Env<'_>, place: &mut impl Destination, announced: Announced) -> Result<After<Reply>> {
        let room = place.room();
        if let Stage::Finished { input: None, .. } = &self.stage {
            return self.deliver(room);
        }
        self.open(self.work.multi_part())?;
        let bytes = self.work.finish_bytes();
        if let Some(answer) = announced.judge(room, bytes)? {
            return Ok(answer);
        }
        self.tie.ready()?;
        let made = made(place, bytes, |out| self.work.finish(env, out))?;
        self.finished(made, room, || Ok(None))
    }

    /// Hands out the last result, or keeps it until there is room.
    fn finished(
        &mut self,
        made: Made,
        room: Room,
        input: impl FnOnce() -> Result<Option<SecretBytes>>,
    ) -> Result<After<Reply>> {
        match made {
            Made::There(written) => Ok(After::Ends(Reply::Written(written))),
            Made::Here(output) if matches!(room, Room::Bytes(have) if have >= output.len()) => {
                Ok(After::Ends(Reply::Data(output.into_public(ASKED_FOR)?)))
            }
            Made::Here(output) => {
                self.stage = Stage::Finished { input: input()?, output };
                self.deliver(room)
            }
        }
    }

    fn deliver(&mut self, room: Room) -> Result<After<Reply>> {
        let Stage::Finished { output, .. } = &mut self.stage else {
            return Err(Reason::Internal("a result was asked for before it was made"));
        };
        if let Some(answer) = sized(room, output.len())? {
            return Ok(answer);
        }
        let output = core::mem::take(output).into_public(ASKED_FOR)?;
        Ok(After::Ends(Reply::Data(output)))
    }
}

#[cfg(test)]
mod tests;
