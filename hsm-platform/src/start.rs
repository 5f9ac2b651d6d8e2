//! From settings to a running HSM.
//!
//! Owns: the order in which medium, device key and store are opened, and that no new device key is made
//! beside a store that was sealed with another. Does not know: what is in them.

use crate::settings::DeviceKeyPlace;
use crate::{OsRandom, Settings, StartError, SystemClock, one_line, secret_pages};
use hsm_core::{Hsm, Platform, Reason};
use hsm_crypto::random::Generator;
use rustix::process::geteuid;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use token_store::medium::SledMedium;
use token_store::{DeviceKey, Medium, Store, StoreError};

/// Opens the store and starts an HSM on it.
///
/// # Errors
/// `DeviceKey`, and the store's and the core's.
pub fn start(settings: &Settings) -> Result<Hsm, StartError> {
    refuse_foreign_home(settings)?;
    lock_secret_pages();
    let medium = medium(settings).map_err(Reason::from)?;
    let in_use = medium.generation().map_err(Reason::from)? > 0;
    let device_key = device_key(&settings.device_key, in_use)?;
    // The store's keys, nonces and ids are few beside the writes they go with: those come from the kernel itself.
    let store = Store::open(medium, &device_key, Arc::new(OsRandom), settings.kdf).map_err(Reason::from)?;
    let random = Arc::new(Generator::new(OsRandom));
    let platform =
        Platform { engine: hsm_crypto::preferred(), random, clock: Arc::new(SystemClock), store: Arc::new(store) };
    Ok(Hsm::new(platform, settings.hsm.clone())?)
}

/// Locks what there is of secret pages, and says so once in a process where the limit does not allow it.
fn lock_secret_pages() {
    static SAID: AtomicBool = AtomicBool::new(false);
    let standing = hsm_crypto::secret::prepare();
    if standing.is_refused() && !SAID.swap(true, Ordering::Relaxed) {
        let reason = secret_pages::not_locked(&standing);
        tracing::warn!(%reason, "pages with secrets are not locked and may be written to the swap");
    }
}

/// Root may look at another user's store, but only at one that a configuration names: what HOME leads to may be the work of
/// whoever set HOME.
fn refuse_foreign_home(settings: &Settings) -> Result<(), StartError> {
    if settings.store_named || !geteuid().is_root() {
        return Ok(());
    }
    match std::fs::symlink_metadata(&settings.store) {
        Ok(metadata) if metadata.uid() != 0 => Err(StartError::Place(format!(
            "the store {} belongs to user {} and this program runs as root; run it as that user, or name the store in a \
             configuration file of root's that PERILUNE_CONF names",
            one_line::name(&settings.store),
            metadata.uid()
        ))),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Opens the medium, and makes the folder where there is none.
fn medium(settings: &Settings) -> token_store::Result<Box<dyn Medium>> {
    Ok(Box::new(SledMedium::open_with(&settings.store, settings.lock_wait)?))
}

/// Reads the device key; makes one only for a store in which nothing has been written yet.
fn device_key(place: &DeviceKeyPlace, store_in_use: bool) -> Result<DeviceKey, StartError> {
    let problem = |problem: String| StartError::DeviceKey { place: place.clone(), problem };
    let key = match place {
        DeviceKeyPlace::File(path) if store_in_use => {
            DeviceKey::load(path).map_err(Reason::from)?.ok_or_else(|| {
                problem(
                    "is not there, and the store was sealed with it; without it nothing can be read: put it back"
                        .to_owned(),
                )
            })?
        }
        DeviceKeyPlace::File(path) => DeviceKey::load_or_create(path, &OsRandom).map_err(Reason::from)?,
        DeviceKeyPlace::Descriptor(number) => {
            let mut file = File::open(format!("/dev/fd/{number}")).map_err(|error| {
                problem(format!("cannot be read ({error}); start the program with `{number}< KEYFILE`"))
            })?;
            DeviceKey::read_from(&mut file, Path::new(&place.to_string())).map_err(|error| match error {
                StoreError::Unsafe { .. } => {
                    problem("does not give exactly 32 bytes; a pipe gives them only once".to_owned())
                }
                other => StartError::Core(other.into()),
            })?
        }
    };
    Ok(key)
}
