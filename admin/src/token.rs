//! Tokens as the commands see them: found by label or slot, and sessions that close themselves.
//!
//! Owns: how a token is chosen when none is named, what a login failure is called. Does not know: what
//! a command does with its session.

use crate::cli::TokenChoice;
use crate::failure::{During, Failure};
use crate::uri;
use ffi_headers::{CKF_TOKEN_INITIALIZED, CKU_SO, CKU_USER};
use hsm_core::{Hsm, SessionHandle, SlotId, TokenInfo};
use hsm_crypto::SecretBytes;
use hsm_platform::Settings;

/// Loads the settings and starts the HSM, with the log that was asked for.
///
/// # Errors
/// Why it did not start.
pub fn start() -> Result<(Settings, Hsm), Failure> {
    let settings = Settings::load()?;
    hsm_platform::start_log(&settings);
    let hsm = hsm_platform::start(&settings)?;
    Ok((settings, hsm))
}

/// A slot and what is in it.
pub struct Token {
    /// The slot.
    pub slot: SlotId,
    /// What C_GetTokenInfo tells.
    pub info: TokenInfo,
}

impl Token {
    /// All slots, in the order of their numbers.
    ///
    /// # Errors
    /// The HSM's.
    pub fn all(hsm: &Hsm) -> Result<Vec<Token>, Failure> {
        let mut slots = hsm.slots(false).during(|| "cannot list the slots".to_owned())?;
        slots.sort();
        slots.into_iter().map(|slot| Self::in_slot(hsm, slot)).collect()
    }

    /// The token in a slot.
    ///
    /// # Errors
    /// The HSM's.
    pub fn in_slot(hsm: &Hsm, slot: SlotId) -> Result<Token, Failure> {
        let info = hsm.token_info(slot).during(|| format!("cannot look into slot {}", slot.0))?;
        Ok(Token { slot, info })
    }

    /// The one initialised token that the options name; without options, the only one there is.
    ///
    /// # Errors
    /// `Failed` when there is none or more than one.
    pub fn chosen(hsm: &Hsm, choice: &TokenChoice) -> Result<Token, Failure> {
        if let Some(slot) = choice.slot {
            let token = Self::in_slot(hsm, SlotId(slot))?;
            return match token.is_initialised() {
                true => Ok(token),
                false => Err(no_token(format!("slot {slot} holds no token"))),
            };
        }
        let mut tokens = Self::all(hsm)?;
        tokens.retain(|token| {
            token.is_initialised() && choice.token.as_ref().is_none_or(|label| *label == token.label())
        });
        match (tokens.len(), &choice.token) {
            (1, _) => Ok(tokens.remove(0)),
            (0, None) => Err(no_token("there is no token yet".to_owned())),
            (0, Some(label)) => Err(Failure::new(
                format!("there is no token with the label {label:?}"),
                "no slot holds one",
                "`perilune slots` lists the tokens",
            )),
            (count, None) => Err(Failure::Usage(format!(
                "there are {count} tokens; say which one with --token ({}) or --slot",
                tokens.iter().map(|token| format!("{:?}", token.label())).collect::<Vec<_>>().join(", ")
            ))),
            (count, Some(label)) => Err(Failure::Usage(format!(
                "{count} tokens have the label {label:?}; say which one with --slot ({})",
                tokens.iter().map(|token| token.slot.0.to_string()).collect::<Vec<_>>().join(", ")
            ))),
        }
    }

    /// Whether there is a token in the slot.
    pub fn is_initialised(&self) -> bool {
        self.has(CKF_TOKEN_INITIALIZED)
    }

    /// Whether a `CKF_*` of the token is set.
    pub fn has(&self, flag: u64) -> bool {
        self.info.flags & flag != 0
    }

    /// The label without its padding.
    pub fn label(&self) -> String {
        String::from_utf8_lossy(&self.info.label).trim_end_matches(' ').to_owned()
    }

    /// The serial number.
    pub fn serial(&self) -> String {
        String::from_utf8_lossy(&self.info.serial).trim_end().to_owned()
    }

    /// The URI.
    pub fn uri(&self) -> String {
        uri::token(&self.info)
    }
}

fn no_token(what: String) -> Failure {
    Failure::new("no token", what, "`perilune init --label NAME` makes one")
}

/// A session that is closed when it goes out of use.
pub struct Session<'a> {
    /// The HSM.
    pub hsm: &'a Hsm,
    /// The session's handle.
    pub handle: SessionHandle,
    name: String,
}

impl<'a> Session<'a> {
    /// Opens a session on a token.
    ///
    /// # Errors
    /// The HSM's.
    pub fn open(hsm: &'a Hsm, token: &Token, read_write: bool) -> Result<Self, Failure> {
        let name = format!("token {:?}", token.label());
        let handle = hsm.open_session(token.slot, read_write).during(|| format!("cannot open a session on {name}"))?;
        Ok(Self { hsm, handle, name })
    }

    /// Logs the user in.
    ///
    /// # Errors
    /// The HSM's; a wrong PIN says how many tries are left.
    pub fn login_user(&self, pin: &SecretBytes) -> Result<(), Failure> {
        self.hsm.login(self.handle, CKU_USER, pin).during(|| format!("cannot log in as user of {}", self.name))
    }

    /// Logs the Security Officer in.
    ///
    /// # Errors
    /// As `login_user`.
    pub fn login_so(&self, pin: &SecretBytes) -> Result<(), Failure> {
        self.hsm
            .login(self.handle, CKU_SO, pin)
            .during(|| format!("cannot log in as Security Officer of {}", self.name))
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        // The process is about to end and the handle is ours; an error would only say that it is closed already.
        let _ = self.hsm.close_session(self.handle);
    }
}
