//! Digests whose running state can be taken out and put back, also in another process.
//!
//! Owns: which hashes can, and the form of their state: what the crate of the hash serialises. Does
//! not know: who keeps the state, and how it is protected there; it may tell of secrets that were digested.
//! Called from both engines, as the crates of AWS-LC do not show their states.

use crate::error::Result;
use crate::hash::{Digest, Hash, NO_STATE};
use crate::secret::SecretBox;
use crate::secret::SecretBytes;
use crate::secret::boxed;
use sha2::digest::FixedOutputReset;
use sha2::digest::common::hazmat::{SerializableState, SerializedState};

/// Runs `$body` with `$D` standing for the crate type of a hash whose state can be saved; `$none` for the others: the crates of
/// BLAKE2 do not show it, and that of SHAKE as a digest is ours.
macro_rules! with_resumable {
    ($hash:expr, $D:ident => $body:expr, $none:expr) => {
        $crate::portable::resumable::choose!($hash, $D, $body, $none; [
            Sha1: sha1::Sha1, Sha224: sha2::Sha224, Sha256: sha2::Sha256, Sha384: sha2::Sha384, Sha512: sha2::Sha512,
            Sha512_224: sha2::Sha512_224, Sha512_256: sha2::Sha512_256, Sha3_224: sha3::Sha3_224, Sha3_256: sha3::Sha3_256,
            Sha3_384: sha3::Sha3_384, Sha3_512: sha3::Sha3_512, Keccak224: sha3::Keccak224, Keccak256: sha3::Keccak256,
            Keccak384: sha3::Keccak384, Keccak512: sha3::Keccak512, Md5: md5::Md5, Ripemd160: ripemd::Ripemd160,
        ])
    };
}
pub(crate) use with_resumable;

/// The match behind [`with_resumable`].
macro_rules! choose {
    ($hash:expr, $D:ident, $body:expr, $none:expr; [$($variant:ident: $kind:ty),* $(,)?]) => {
        match $hash {
            $($crate::hash::Hash::$variant => {
                type $D = $kind;
                $body
            })*
            _ => $none,
        }
    };
}
pub(crate) use choose;

/// Starts a digest whose state can be saved; `None` for hashes whose state cannot.
#[must_use]
pub fn start(hash: Hash) -> Option<SecretBox<dyn Digest>> {
    with_resumable!(hash, D => Some(boxed(Resumable(D::default()))), None)
}

/// Goes on with a digest from the state that [`Digest::save`] gave.
///
/// # Errors
/// `InvalidParameter` for what is no state of this hash.
pub fn resume(hash: Hash, state: &[u8]) -> Result<SecretBox<dyn Digest>> {
    with_resumable!(hash, D => Resumable::<D>::load(state), Err(NO_STATE))
}

/// How a running hash of the crate type `D` is told, and read again.
pub(crate) type Codec<D> = (fn(&D) -> SecretBytes, fn(&[u8]) -> Option<D>);

/// How a hash is told whose crate can.
pub(crate) fn codec<D: SerializableState>() -> Codec<D> {
    // Neither error has more to say than that the bytes are no state.
    let read = |state: &[u8]| D::deserialize(&SerializedState::<D>::try_from(state).ok()?).ok();
    (|digest| SecretBytes::copy_of(&digest.serialize()), read)
}

/// A running digest of the crate type `D`.
struct Resumable<D>(D);

impl<D> Resumable<D>
where
    D: sha2::Digest + FixedOutputReset + SerializableState + Clone + Send + 'static,
{
    fn load(state: &[u8]) -> Result<SecretBox<dyn Digest>> {
        let (_, read) = codec::<D>();
        Ok(boxed(Self(read(state).ok_or(NO_STATE)?)))
    }
}

impl<D> Digest for Resumable<D>
where
    D: sha2::Digest + FixedOutputReset + SerializableState + Clone + Send + 'static,
{
    fn update(&mut self, data: &[u8]) {
        sha2::Digest::update(&mut self.0, data);
    }

    fn finish(&mut self) -> Vec<u8> {
        sha2::Digest::finalize_reset(&mut self.0).to_vec()
    }

    fn fork(&self) -> SecretBox<dyn Digest> {
        boxed(Self(self.0.clone()))
    }

    fn is_resumable(&self) -> bool {
        true
    }

    fn save(&self) -> Option<SecretBytes> {
        let (tell, _) = codec::<D>();
        Some(tell(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::portable::hash::digest;

    #[test]
    fn a_digest_goes_on_from_its_state_wherever_it_was_cut() {
        let message: Vec<u8> = (0..=255).cycle().take(400).collect();
        for hash in Hash::ALL {
            let Some(mut running) = start(hash) else { continue };
            let mut whole = digest(hash);
            whole.update(&message);
            let expected = whole.finish();
            for cut in [0, 1, 55, 56, 63, 64, 65, 127, 128, 129, 200, 400] {
                running.update(&message[..cut]);
                let state = running.save().unwrap();
                let mut resumed = resume(hash, state.expose()).unwrap();
                resumed.update(&message[cut..]);
                assert_eq!(resumed.finish(), expected, "{hash:?} cut at {cut}");
                running.update(&message[cut..]);
                assert_eq!(running.finish(), expected, "to save a state changes nothing");
            }
        }
    }

    #[test]
    fn what_is_no_state_of_the_hash_is_refused() {
        for hash in Hash::ALL {
            let Some(running) = start(hash) else {
                assert_eq!(resume(hash, &[0; 64]).err(), Some(NO_STATE));
                continue;
            };
            let state = running.save().unwrap();
            for bad in [&[][..], &state.expose()[1..], &[state.expose(), &[0]].concat()] {
                assert_eq!(resume(hash, bad).err(), Some(NO_STATE), "{hash:?}");
            }
        }
    }
}
