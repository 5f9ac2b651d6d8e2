//! A module at work: its token, its session, and the objects that the bench made in it.
//!
//! Owns: loading and login, the bench's own keys (made once, used by all operations of a family) and that nothing of it stays
//! behind: every token object carries the run's own mark, and what carries it is destroyed in the end, also after an error
//! or an interruption. Does not know: what is measured.

use super::options::ModuleChoice;
use crate::failure::{EXIT_PIN, Failure};
use ffi_headers::*;
use hsm_crypto::SecretBytes;
use pkcs11_client::{Answer, Module, Rv, Template, Version};
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Why a module takes no part in an operation.
#[derive(Debug, Clone)]
pub enum Trouble {
    /// It does not support it.
    Missing(String),
    /// It should, and fails or answers wrongly.
    Failed(String),
    /// The run was interrupted.
    Stopped,
}

/// Names the call that was refused.
pub trait Calling<T> {
    /// Turns a return value into trouble with `what`.
    fn calling(self, what: &str) -> Result<T, Trouble>;
}

impl<T> Calling<T> for Answer<T> {
    fn calling(self, what: &str) -> Result<T, Trouble> {
        self.map_err(|rv| match rv.0 {
            CKR_MECHANISM_INVALID
            | CKR_MECHANISM_PARAM_INVALID
            | CKR_CURVE_NOT_SUPPORTED
            | CKR_DOMAIN_PARAMS_INVALID
            | CKR_FUNCTION_NOT_SUPPORTED
            | CKR_KEY_SIZE_RANGE => Trouble::Missing(format!("{what}: {rv}")),
            _ => Trouble::Failed(format!("{what}: {rv}")),
        })
    }
}

/// A pair of keys, or twice the same handle.
pub type Keys = (u64, u64);

/// A module at work.
pub struct Desk {
    /// What stands above its column.
    pub name: String,
    /// The library.
    pub path: std::path::PathBuf,
    /// What it says of itself.
    pub version: Version,
    /// What the command line says of it.
    pub note: Option<String>,
    /// The module.
    pub module: Arc<Module>,
    /// The token.
    pub slot: u64,
    /// A read-write session, logged in.
    pub session: u64,
    /// The user's PIN.
    pub pin: SecretBytes,
    /// The label of the bench's token objects, which nobody else uses.
    pub mark: String,
    /// It is set when the user wants to stop.
    pub stop: Arc<AtomicBool>,
    objects_max: usize,
    mechanisms: HashSet<u64>,
    keys: HashMap<String, Keys>,
    population: Vec<u64>,
    logged_in: bool,
    left: bool,
}

impl Desk {
    /// Loads a module, finds its token and logs in.
    ///
    /// # Errors
    /// What is wrong with the file, the token or the PIN.
    pub fn open(choice: &ModuleChoice, objects_max: usize, stop: &Arc<AtomicBool>) -> Result<Self, Failure> {
        let pin = choice.pin.obtain(&choice.name)?;
        let name = &choice.name;
        let module = Module::load(&choice.path).map_err(|error| {
            Failure::new(
                format!("cannot load the module {name}"),
                error,
                "--module needs the path of a PKCS#11 library",
            )
        })?;
        let failed = |what: &str, rv: Rv| Failure::new(format!("{name}: cannot {what}"), rv, "");
        module.initialize().map_err(|rv| failed("initialise the module", rv))?;
        let version = module.version().map_err(|rv| failed("ask for the version", rv))?;
        let mark = mark()?;
        let slot = find_token(&module, choice)?;
        let mechanisms = module.mechanisms(slot).map_err(|rv| failed("list the mechanisms", rv))?.into_iter().collect();
        let session = module.open_session(slot, true).map_err(|rv| failed("open a session", rv))?;
        let mut desk = Self {
            name: name.clone(),
            path: choice.path.clone(),
            version,
            note: choice.note.clone(),
            module: Arc::new(module),
            slot,
            session,
            pin,
            mark,
            stop: stop.clone(),
            objects_max: choice.objects_max.unwrap_or(objects_max),
            mechanisms,
            keys: HashMap::new(),
            population: Vec::new(),
            logged_in: false,
            left: false,
        };
        desk.login().map_err(|rv| {
            // Nothing was made yet, and cleaning up would try the PIN once more.
            desk.left = true;
            let _ = desk.module.finalize();
            let exit = match rv.0 {
                CKR_PIN_INCORRECT | CKR_PIN_LOCKED | CKR_PIN_LEN_RANGE => EXIT_PIN,
                _ => crate::failure::EXIT_FAILED,
            };
            let what = format!("cannot log in to the token of {name}");
            Failure::Failed {
                what,
                why: rv.to_string(),
                advice: "pin-file= or pin-env= in --module gives its PIN",
                exit,
            }
        })?;
        Ok(desk)
    }

    /// Logs the user in, if he is not.
    ///
    /// # Errors
    /// The module's.
    pub fn login(&mut self) -> Answer<()> {
        if !self.logged_in {
            self.module.login(self.session, self.pin.expose())?;
            self.logged_in = true;
        }
        Ok(())
    }

    /// Logs out, which ends all private session objects.
    ///
    /// # Errors
    /// The module's.
    pub fn logout(&mut self) -> Result<(), Trouble> {
        self.clear().calling("C_DestroyObject")?;
        self.module.logout(self.session).calling("C_Logout")?;
        self.logged_in = false;
        Ok(())
    }

    /// Whether the user wants to stop.
    ///
    /// # Errors
    /// `Stopped` then.
    pub fn go_on(&self) -> Result<(), Trouble> {
        if self.stop.load(Ordering::Relaxed) { Err(Trouble::Stopped) } else { Ok(()) }
    }

    /// The first of these mechanisms that the token has.
    ///
    /// # Errors
    /// `Missing` when it has none.
    pub fn either(&self, kinds: &[u64]) -> Result<u64, Trouble> {
        kinds.iter().copied().find(|kind| self.mechanisms.contains(kind)).ok_or_else(|| {
            let names = kinds.iter().map(|kind| names::printable(names::mechanism, *kind)).collect::<Vec<_>>();
            Trouble::Missing(format!("no {}", names.join(" or ")))
        })
    }

    /// Keys that a family shares, made when they are first asked for.
    ///
    /// # Errors
    /// Those of `make`.
    pub fn keys(&mut self, name: &str, make: impl FnOnce(&mut Desk) -> Result<Keys, Trouble>) -> Result<Keys, Trouble> {
        if let Some(keys) = self.keys.get(name) {
            return Ok(*keys);
        }
        self.go_on()?;
        let keys = make(self)?;
        self.keys.insert(name.to_owned(), keys);
        Ok(keys)
    }

    /// What every own object is: of the session, private, with the mark as label.
    pub fn own(&self) -> Template {
        self.own_in(false)
    }

    /// As `own`, in the token or the session.
    pub fn own_in(&self, token: bool) -> Template {
        Template::new().flag(CKA_TOKEN, token).flag(CKA_PRIVATE, true).bytes(CKA_LABEL, self.mark.as_bytes())
    }

    /// The whole value of an attribute.
    ///
    /// # Errors
    /// The module's.
    pub fn attribute(&self, object: u64, kind: u64) -> Result<Vec<u8>, Trouble> {
        let mut value = vec![0; 4096];
        let length = self.module.attribute(self.session, object, kind, &mut value).calling("C_GetAttributeValue")?;
        value.truncate(length);
        Ok(value)
    }

    /// Makes sure that there are exactly so many numbered token keys.
    ///
    /// # Errors
    /// `Missing` when that is more than this module is meant to get, or the module's.
    pub fn populate(&mut self, count: usize) -> Result<(), Trouble> {
        if count > self.objects_max {
            return Err(Trouble::Missing(format!("not more than {} objects (--objects-max)", self.objects_max)));
        }
        while self.population.len() < count {
            self.go_on()?;
            let number = self.population.len();
            let template = Template::new()
                .number(CKA_CLASS, CKO_SECRET_KEY)
                .number(CKA_KEY_TYPE, CKK_AES)
                .flag(CKA_TOKEN, true)
                .flag(CKA_PRIVATE, true)
                .bytes(CKA_LABEL, self.label_of(number).as_bytes())
                .bytes(CKA_ID, &self.id_of(number))
                .flag(CKA_ENCRYPT, true)
                .flag(CKA_DECRYPT, true)
                .bytes(CKA_VALUE, &[number as u8; 32]);
            let object = self.module.create(self.session, &template).calling("C_CreateObject")?;
            self.population.push(object);
        }
        while self.population.len() > count {
            if let Some(object) = self.population.pop() {
                self.module.destroy(self.session, object).calling("C_DestroyObject")?;
            }
        }
        Ok(())
    }

    /// The numbered keys.
    pub fn population(&self) -> &[u64] {
        &self.population
    }

    /// The label of a numbered key.
    pub fn label_of(&self, number: usize) -> String {
        format!("{}-{number:06}", self.mark)
    }

    /// The CKA_ID of a numbered key.
    pub fn id_of(&self, number: usize) -> Vec<u8> {
        let mut id = self.mark.as_bytes()[self.mark.len() - MARK_DIGITS..].to_vec();
        id.extend_from_slice(&(number as u64).to_be_bytes());
        id
    }

    /// Destroys all own objects.
    ///
    /// # Errors
    /// The first that the module answers; the others are destroyed all the same.
    pub fn clear(&mut self) -> Answer<()> {
        let mut outcome = Ok(());
        for (_, (one, other)) in std::mem::take(&mut self.keys) {
            outcome = outcome.and(self.module.destroy(self.session, one));
            if other != one {
                outcome = outcome.and(self.module.destroy(self.session, other));
            }
        }
        for object in std::mem::take(&mut self.population).into_iter().rev() {
            outcome = outcome.and(self.module.destroy(self.session, object));
        }
        outcome.and(self.clear_marked())
    }

    /// Destroys what carries the mark: token objects of a measurement that did not come to its end.
    fn clear_marked(&self) -> Answer<()> {
        let marked = Template::new().flag(CKA_TOKEN, true).bytes(CKA_LABEL, self.mark.as_bytes());
        let mut found = Vec::new();
        self.module.find(self.session, &marked, &mut [0; 256], |some| found.extend_from_slice(some))?;
        found.iter().try_fold((), |(), &object| self.module.destroy(self.session, object))
    }

    /// Removes everything and ends the use of the module.
    ///
    /// # Errors
    /// What could not be removed, with the mark by which it can be found.
    pub fn leave(mut self) -> Result<(), Failure> {
        self.remove_all()
    }

    fn remove_all(&mut self) -> Result<(), Failure> {
        if std::mem::replace(&mut self.left, true) {
            return Ok(());
        }
        let cleared = self.login().and_then(|()| self.clear());
        // The module's own answers to the end of its use change nothing any more.
        let _ = self.module.close_session(self.session);
        let _ = self.module.finalize();
        cleared.map_err(|rv| {
            let what = format!("{}: objects whose label begins with {} may be left in the token", self.name, self.mark);
            Failure::new(what, rv, "")
        })
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        // Only reached on the way out with another error, which is the one that is told.
        let _ = self.remove_all();
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Missing(why) | Trouble::Failed(why) => f.write_str(why),
            Trouble::Stopped => f.write_str("interrupted"),
        }
    }
}

/// The label of this run's objects.
fn mark() -> Result<String, Failure> {
    let mut random = [0; MARK_DIGITS / 2];
    hsm_crypto::Random::fill(&hsm_platform::OsRandom, &mut random)
        .map_err(|error| Failure::new("cannot draw a random label", error, ""))?;
    Ok(format!("perilune-bench-{}", crate::output::hex(&random)))
}

/// Digits at the end of the mark that tell runs apart.
const MARK_DIGITS: usize = 12;

/// The slot of the token that is meant.
fn find_token(module: &Module, choice: &ModuleChoice) -> Result<u64, Failure> {
    let name = &choice.name;
    let slots = module.slots().map_err(|rv| Failure::new(format!("{name}: cannot list the slots"), rv, ""))?;
    let mut tokens = Vec::new();
    for slot in slots {
        if let Ok(info) = module.token_info(slot)
            && info.flags & CKF_TOKEN_INITIALIZED != 0
        {
            tokens.push((slot, info.label));
        }
    }
    let all = tokens.iter().map(|(slot, label)| format!("{label:?} in slot {slot}")).collect::<Vec<_>>().join(", ");
    tokens.retain(|(slot, label)| {
        choice.slot.is_none_or(|wanted| wanted == *slot) && choice.token.as_ref().is_none_or(|wanted| wanted == label)
    });
    match tokens.as_slice() {
        [(slot, _)] => Ok(*slot),
        [] if all.is_empty() => Err(Failure::new(format!("{name}: no token"), "no slot holds an initialised one", "")),
        [] => Err(Failure::new(format!("{name}: no such token"), format!("there is {all}"), "")),
        _ => Err(Failure::Usage(format!("{name}: say which token with token= or slot=; there is {all}"))),
    }
}
