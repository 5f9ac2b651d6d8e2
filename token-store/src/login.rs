//! PINs: making a role's record, opening the partition key with it, counting failures.
//!
//! Owns: the rule that no number of processes guessing at once gets more answers than the role allows, that a login
//! writes nothing unless a counter changes, and that every login that gets an answer about its PIN or its role costs one
//! Argon2id, whatever the answer is. Does not know: what a role may do.
//! Called from `hsm-core`. Rule source: docs/format.md, "Role".
//!
//! Argon2id runs outside every lock. What it finds is then checked against the role as it is by then: whoever
//! guesses in parallel races for the counter, not around it. A failure that cannot be written down is kept in memory
//! (`uncounted`) and counts there.

use crate::error::{Result, StoreError};
use crate::format;
use crate::origin::Origin;
use crate::store::{PartitionId, PartitionKey, PreparedRole, RoleId, RoleState, Store};
use crate::view::View;
use hsm_crypto::SecretBytes;
use hsm_crypto::aead::NONCE_BYTES;
use hsm_crypto::kdf::{Argon2Cost, argon2id};

/// How often a login starts anew because the PIN was changed while it was being looked at.
const PIN_CHANGES_FOLLOWED: u32 = 8;
/// What is stretched in the place of a PIN that cannot be one.
const NO_PIN: [u8; 8] = *b"no PIN  ";

/// What the second look at the role, under the lock, says.
enum Verdict {
    /// Nothing stands against the answer found outside.
    Stands,
    /// The role got another PIN meanwhile: look at the PIN again.
    PinChanged,
    /// The failure is counted; so many tries are left.
    Counted(u32),
    /// The role is locked.
    Locked,
}

impl Store {
    /// Opens the partition key with a role's PIN. Writes nothing, unless a failed-login counter changes.
    ///
    /// A locked role, and one without a PIN, answer without a look at the PIN, and after the same work as for a wrong one.
    ///
    /// # Errors
    /// `RoleNotSet`, `RoleLocked`, `PinWrong` (already counted), `NoPartition`, the medium's errors.
    pub fn login(&self, partition: PartitionId, role: RoleId, pin: &SecretBytes) -> Result<PartitionKey> {
        for _ in 0..PIN_CHANGES_FOLLOWED {
            let (seen, origin, generation) =
                self.view(|view| Ok((present(view, partition, role)?, view.origin(partition)?, view.generation())))?;
            let seen = match seen {
                Some(seen) if locked(&seen) || self.locked_in_memory(partition, role, &seen) => {
                    self.open_nothing((partition, role), origin, pin, seen.cost)?;
                    return Err(StoreError::RoleLocked);
                }
                Some(seen) => seen,
                None => {
                    self.open_nothing((partition, role), origin, pin, self.cost)?;
                    return Err(StoreError::RoleNotSet);
                }
            };
            let key = self.unwrap((partition, role), origin, pin, &seen)?;
            let verdict = match &key {
                Some(_) if seen.failed == 0 && self.generation()? == generation => Verdict::Stands,
                Some(_) => self.confirm(partition, role, &seen)?,
                None => self.count_failure(partition, role, &seen)?,
            };
            match (verdict, key) {
                // Asked again: others may have guessed while this PIN was being looked at.
                (Verdict::Stands, Some(_)) if self.locked_in_memory(partition, role, &seen) => {
                    return Err(StoreError::RoleLocked);
                }
                (Verdict::Stands, Some(key)) => {
                    self.uncounted.forget(partition, role);
                    return Ok(key);
                }
                (Verdict::Counted(tries_left), _) => return Err(StoreError::PinWrong { tries_left }),
                (Verdict::Locked, _) => return Err(StoreError::RoleLocked),
                (Verdict::PinChanged, _) | (Verdict::Stands, None) => {}
            }
        }
        Err(StoreError::Engine("the PIN of the role keeps changing".to_owned()))
    }

    /// Does the work of a login that is refused, for a PIN that is refused before it comes here (its length is impossible).
    /// Neither looks at the role's counter nor changes it.
    ///
    /// # Errors
    /// `NoPartition`, `Crypto`, the medium's errors.
    pub fn login_refused(&self, partition: PartitionId, role: RoleId) -> Result<()> {
        let (seen, origin) = self.view(|view| Ok((present(view, partition, role)?, view.origin(partition)?)))?;
        let cost = seen.map_or(self.cost, |seen| seen.cost);
        self.open_nothing((partition, role), origin, &SecretBytes::new(NO_PIN.to_vec()), cost)
    }

    /// Makes a role's record with a fresh salt: the PIN wraps `key`, and the wrap is bound to what `key` is bound to.
    /// Takes as long as one login.
    ///
    /// # Errors
    /// `Crypto`.
    pub fn prepare_role(
        &self,
        partition: PartitionId,
        role: RoleId,
        pin: &SecretBytes,
        key: &PartitionKey,
        failed_max: u32,
    ) -> Result<PreparedRole> {
        let (mut salt, mut nonce) = ([0; 16], [0; NONCE_BYTES]);
        self.random.fill(&mut salt)?;
        self.random.fill(&mut nonce)?;
        let stretched = argon2id(pin.expose(), &salt, self.cost)?;
        let wrapped = self.keys.wrap((partition, role), key.origin(), &stretched)?.seal(
            &nonce,
            &self.keys.wrap_associated((partition, role), key.origin()),
            key.seal_key().expose(),
        )?;
        let wrapped = wrapped.try_into().map_err(|wrapped: Vec<u8>| StoreError::TooLarge {
            bytes: wrapped.len(),
            bytes_max: format::WRAPPED_BYTES,
        })?;
        let content = format::Role { salt, cost: self.cost, failed: 0, failed_max, nonce, wrapped };
        let record = self.keys.seal_role(partition, role, &content, &*self.random)?;
        Ok(PreparedRole { partition, role, origin: key.origin().map(Origin::id), record })
    }

    /// Tries the PIN on the wrap; `None` when it is the wrong one.
    fn unwrap(
        &self,
        place: (PartitionId, RoleId),
        origin: Option<Origin>,
        pin: &SecretBytes,
        content: &format::Role,
    ) -> Result<Option<PartitionKey>> {
        let stretched = argon2id(pin.expose(), &content.salt, content.cost)?;
        let wrap = self.keys.wrap(place, origin.as_ref(), &stretched)?;
        let associated = self.keys.wrap_associated(place, origin.as_ref());
        // The role's seal was right, so the wrap is as it was made: if it does not open, the PIN is wrong.
        match wrap.open(&content.nonce, &associated, &content.wrapped) {
            Ok(bytes) => PartitionKey::new(bytes, origin).map(Some),
            Err(hsm_crypto::CryptoError::DecryptionFailed) => Ok(None),
            Err(other) => Err(other.into()),
        }
    }

    /// Tries the PIN on a wrap that no PIN opens, which takes what trying it on the role's own would.
    ///
    /// Nothing of the role but its cost goes into it: on a locked role the right PIN is as wrong as any other, also to who
    /// watches the time or the cache.
    fn open_nothing(
        &self,
        place: (PartitionId, RoleId),
        origin: Option<Origin>,
        pin: &SecretBytes,
        cost: Argon2Cost,
    ) -> Result<()> {
        let (nonce, wrapped) = ([0; NONCE_BYTES], [0; format::WRAPPED_BYTES]);
        let nothing = format::Role { salt: [0; 16], cost, failed: 0, failed_max: 0, nonce, wrapped };
        self.unwrap(place, origin, pin, &nothing).map(drop)
    }

    /// Looks again, after the PIN was right, and sets the counter back where it is not 0.
    fn confirm(&self, partition: PartitionId, role: RoleId, seen: &format::Role) -> Result<Verdict> {
        let (verdict, failed) = self.view(|view| second_look(view, partition, role, seen))?;
        if failed == 0 || !matches!(verdict, Verdict::Stands) {
            return Ok(verdict);
        }
        let (verdict, _) = self.transact(|transaction| {
            let (verdict, failed) = second_look(transaction, partition, role, seen)?;
            if failed != 0 && matches!(verdict, Verdict::Stands) {
                transaction.put_role_content(partition, role, &format::Role { failed: 0, ..seen.clone() })?;
            }
            Ok(verdict)
        })?;
        Ok(verdict)
    }

    /// Counts a wrong PIN, and with it those that could not be written down before, unless the role was locked or got
    /// another PIN meanwhile. Where it cannot be written down, it is remembered.
    fn count_failure(&self, partition: PartitionId, role: RoleId, seen: &format::Role) -> Result<Verdict> {
        let failures = self.uncounted.of(partition, role, seen).saturating_add(1);
        let answer = self.transact(|transaction| {
            let (verdict, failed) = second_look(transaction, partition, role, seen)?;
            if !matches!(verdict, Verdict::Stands) {
                return Ok(verdict);
            }
            let failed = failed.saturating_add(failures);
            transaction.put_role_content(partition, role, &format::Role { failed, ..seen.clone() })?;
            Ok(Verdict::Counted(seen.failed_max.saturating_sub(failed)))
        });
        match answer {
            Ok((verdict, _)) => {
                self.uncounted.forget(partition, role);
                Ok(verdict)
            }
            Err(error) => {
                self.uncounted.add(partition, role, seen);
                Err(error)
            }
        }
    }

    /// Whether the failures on the disk and those in memory only lock the role together.
    fn locked_in_memory(&self, partition: PartitionId, role: RoleId, seen: &format::Role) -> bool {
        let failed = seen.failed.saturating_add(self.uncounted.of(partition, role, seen));
        RoleState { failed, failed_max: seen.failed_max }.locked()
    }
}

/// The role's record, if there is one in a partition that is there.
fn present(view: &View<'_>, partition: PartitionId, role: RoleId) -> Result<Option<format::Role>> {
    let content = view.role_content(partition, role)?;
    if content.is_none() {
        view.partition(partition)?;
    }
    Ok(content)
}

/// Compares the role with what was seen before; answers also the present counter.
fn second_look(view: &View<'_>, partition: PartitionId, role: RoleId, seen: &format::Role) -> Result<(Verdict, u32)> {
    let Some(now) = view.role_content(partition, role)? else { return Err(StoreError::RoleNotSet) };
    let verdict = if locked(&now) {
        Verdict::Locked
    } else if now.same_pin_as(seen) {
        Verdict::Stands
    } else {
        Verdict::PinChanged
    };
    Ok((verdict, now.failed))
}

fn locked(content: &format::Role) -> bool {
    RoleState { failed: content.failed, failed_max: content.failed_max }.locked()
}
