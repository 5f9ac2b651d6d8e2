//! How the pages that hold secrets stand on this machine, in words.
//!
//! Owns: the texts for the log and for `perilune doctor`. Does not know: the pages, which are `secret-memory`'s. Called from `start` and from `admin`.

use hsm_crypto::secret::Standing;

pub use hsm_crypto::secret::prepare;

/// What the default limit of many systems is, bytes: enough for some thousand keys in use.
pub const LIMIT_ENOUGH: u64 = 8 << 20;

/// Why pages are not locked, with the limit that is the reason.
#[must_use]
pub fn not_locked(standing: &Standing) -> String {
    let kib = |bytes: u64| bytes >> 10;
    let (locked, all) = (kib(standing.locked as u64), kib(standing.bytes as u64));
    match standing.limit {
        Some(limit) => {
            format!("{locked} of {all} KiB are locked, the process may lock {} KiB (RLIMIT_MEMLOCK)", kib(limit))
        }
        None => format!("{locked} of {all} KiB are locked, the system refuses more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_names_the_limit_where_there_is_one() {
        let standing = |limit| Standing { bytes: 128 << 10, locked: 64 << 10, limit, left_out_of_dumps: true };
        assert_eq!(
            not_locked(&standing(Some(65_536))),
            "64 of 128 KiB are locked, the process may lock 64 KiB (RLIMIT_MEMLOCK)"
        );
        assert_eq!(not_locked(&standing(None)), "64 of 128 KiB are locked, the system refuses more");
    }
}
