//! HMAC of the portable engine: two running hashes of the crates, one with the key for inside and one for outside (FIPS 198-1, 4).
//!
//! Owns: the two states that a key is absorbed into at once, of which each operation begins with a copy, and their wiping, which is
//! the crates'. The crate `hmac` does not show a running state, without which no operation can be saved, and for sponges it keeps the
//! padded key in memory that it does not wipe. Called from `portable::PROVIDER`.

use crate::error::Result;
use crate::hash::{Hash, MAC_IS_OVER, Mac, NO_STATE};
use crate::portable::hash::with_hash;
use crate::portable::resumable::{Codec, codec, with_resumable};
use crate::secret::SecretBox;
use crate::secret::boxed;
use crate::secret::seen_as;
use crate::secret::{SecretBytes, on_wiped_stack};
use crate::symmetric::SymmetricKey;
use sha2::digest::common::{Block, BlockSizeUser};
use std::sync::OnceLock;
use zeroize::Zeroize;

/// What this engine has prepared from a key: the keyed states of the first two hashes that it was used with.
#[derive(Default)]
pub(crate) struct Prepared([OnceLock<(Hash, SecretBox<dyn Template>)>; 2]);

/// Starts an HMAC with a key of any length.
///
/// # Errors
/// None of its own.
pub(crate) fn hmac(hash: Hash, key: &SymmetricKey) -> Result<SecretBox<dyn Mac>> {
    // The states are moved about, and the hashes do not wipe what they had on the stack.
    let keyed = || on_wiped_stack(|| template(hash, key.expose()));
    for place in &key.portable.0 {
        let (prepared, template) = place.get_or_init(|| (hash, keyed()));
        if *prepared == hash {
            return Ok(template.start());
        }
    }
    Ok(keyed().start())
}

/// A MAC that has its key and nothing else: operations begin with copies of it.
trait Template: Send + Sync {
    fn start(&self) -> SecretBox<dyn Mac>;
}

seen_as!(Template);

fn template(hash: Hash, key: &[u8]) -> SecretBox<dyn Template> {
    with_resumable!(
        hash,
        D => boxed(States::<D>::new(key, Some(codec()))),
        with_hash!(hash, D => boxed(States::<D>::new(key, None)))
    )
}

/// What is inside and what is outside, with what was taken in so far.
#[derive(Clone)]
struct States<D> {
    inner: D,
    outer: D,
    codec: Option<Codec<D>>,
}

impl<D: sha2::Digest + BlockSizeUser> States<D> {
    /// Absorbs a key; one longer than the block is hashed first (RFC 2104, section 2).
    fn new(key: &[u8], codec: Option<Codec<D>>) -> Self {
        let mut block = Block::<D>::default();
        if key.len() > block.len() {
            let mut digest = D::digest(key);
            block[..digest.len()].copy_from_slice(&digest);
            digest.zeroize();
        } else {
            block[..key.len()].copy_from_slice(key);
        }
        let mut padded = |pad: u8| {
            let mut state = D::new();
            block.iter_mut().for_each(|byte| *byte ^= pad);
            state.update(&block);
            block.iter_mut().for_each(|byte| *byte ^= pad);
            state
        };
        let states = Self { inner: padded(0x36), outer: padded(0x5C), codec };
        block.zeroize();
        states
    }
}

impl<D: sha2::Digest + Clone + Send + Sync + 'static> Template for States<D> {
    fn start(&self) -> SecretBox<dyn Mac> {
        boxed(Running(Some(self.clone())))
    }
}

/// The states until the tag is taken.
struct Running<D>(Option<States<D>>);

impl<D: sha2::Digest + Send> Mac for Running<D> {
    fn update(&mut self, data: &[u8]) -> Result<()> {
        self.0.as_mut().ok_or(MAC_IS_OVER)?.inner.update(data);
        Ok(())
    }

    fn finish(&mut self) -> Result<Vec<u8>> {
        let States { inner, mut outer, .. } = self.0.take().ok_or(MAC_IS_OVER)?;
        let mut digest = inner.finalize();
        outer.update(&digest);
        digest.zeroize();
        Ok(outer.finalize().to_vec())
    }

    fn tag_bytes(&self) -> usize {
        <D as sha2::Digest>::output_size()
    }

    fn save(&self) -> Option<SecretBytes> {
        let states = self.0.as_ref()?;
        let (tell, _) = states.codec?;
        // The outer state is made from the key again.
        Some(tell(&states.inner))
    }

    fn resume(&mut self, state: &[u8]) -> Result<()> {
        let states = self.0.as_mut().ok_or(MAC_IS_OVER)?;
        let (_, read) = states.codec.ok_or(NO_STATE)?;
        states.inner = read(state).ok_or(NO_STATE)?;
        Ok(())
    }
}
