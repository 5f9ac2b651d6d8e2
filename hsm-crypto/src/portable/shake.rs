//! SHAKE128 and SHAKE256 with the output lengths that they have as message digests.
//!
//! Owns: the two lengths, and the traits of a hash function over the crate's XOFs. Called through
//! [`with_hash`](super::hash::with_hash). Rule source: FIPS 202, 6.2; RFC 8702, 2 and FIPS 204, 5.4 for the lengths.

use shake::digest::common::BlockSizeUser;
use shake::digest::consts::{U32, U64, U136, U168};
use shake::digest::{
    ExtendableOutput, FixedOutput, FixedOutputReset, HashMarker, Output, OutputSizeUser, Reset, Update, XofReader,
};

macro_rules! fixed {
    ($(#[$doc:meta])* $name:ident, $xof:ty, $block:ty, $bytes:ty) => {
        $(#[$doc])*
        #[derive(Clone, Default)]
        pub(crate) struct $name($xof);

        impl HashMarker for $name {}

        impl OutputSizeUser for $name {
            type OutputSize = $bytes;
        }

        impl BlockSizeUser for $name {
            type BlockSize = $block;
        }

        impl Update for $name {
            fn update(&mut self, data: &[u8]) {
                self.0.update(data);
            }
        }

        impl Reset for $name {
            fn reset(&mut self) {
                *self = Self::default();
            }
        }

        impl FixedOutput for $name {
            fn finalize_into(self, out: &mut Output<Self>) {
                self.0.finalize_xof().read(out);
            }
        }

        impl FixedOutputReset for $name {
            fn finalize_into_reset(&mut self, out: &mut Output<Self>) {
                std::mem::take(self).finalize_into(out);
            }
        }
    };
}

fixed! {
    /// SHAKE128 with 32 bytes.
    Shake128Digest, shake::Shake128, U168, U32
}

fixed! {
    /// SHAKE256 with 64 bytes.
    Shake256Digest, shake::Shake256, U136, U64
}
