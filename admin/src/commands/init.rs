//! `perilune init`: makes a token.

use crate::cli::Init;
use crate::failure::{During, Failure};
use crate::output::{self, printable};
use crate::token::{self, Session, Token};
use ffi_headers::CKU_SO;
use hsm_core::{Hsm, Reason, SlotId, limits};
use hsm_crypto::SecretBytes;
use serde::Serialize;

/// What is told about a new token.
#[derive(Serialize)]
struct Made {
    slot: u64,
    label: String,
    serial: String,
    uri: String,
}

/// Makes the token.
///
/// # Errors
/// Whatever is wrong with label, PINs, slot or store; as much as possible is checked before anything is written.
pub fn run(args: &Init) -> Result<(), Failure> {
    let label = label_bytes(&args.label)?;
    let (settings, hsm) = token::start()?;
    let (slot, occupied) = slot(&hsm, args)?;
    let pin_bytes = settings.hsm.pin_bytes_min..=limits::PIN_BYTES_MAX;
    // The PIN of a token that is erased is the present one, and a typing error in it is found by the token.
    let so_pin = if occupied {
        args.so_pin.source().obtain("Security Officer's PIN")?
    } else {
        checked(args.so_pin.source().obtain_new("New Security Officer's PIN")?, "Security Officer's PIN", &pin_bytes)?
    };
    let pin = match args.without_user {
        true => None,
        false => Some(checked(args.pin.source().obtain_new("New user's PIN")?, "user's PIN", &pin_bytes)?),
    };

    hsm.init_token(slot, &so_pin, &label).during(|| format!("cannot initialise the token in slot {}", slot.0))?;
    let token = Token::in_slot(&hsm, slot)?;
    if let Some(pin) = &pin {
        let unfinished =
            || "the token is made but its user's PIN could not be set (`perilune pin reset` does it)".to_owned();
        let session = Session::open(&hsm, &token, true)?;
        hsm.login(session.handle, CKU_SO, &so_pin).during(unfinished)?;
        hsm.init_pin(session.handle, pin).during(unfinished)?;
        hsm.logout(session.handle).during(unfinished)?;
    }
    report(&token, args.json)
}

fn report(token: &Token, json: bool) -> Result<(), Failure> {
    let made = Made { slot: token.slot.0, label: token.label(), serial: token.serial(), uri: token.uri() };
    if json {
        return output::print_json("token", &made);
    }
    let Made { slot, label, serial, uri } = made;
    output::print(&format!("slot    {slot}\nlabel   {}\nserial  {serial}\nuri     {uri}\n", printable(&label)))
}

/// The slot to use, and whether a token is in it.
fn slot(hsm: &Hsm, args: &Init) -> Result<(SlotId, bool), Failure> {
    let Some(number) = args.slot else {
        let free = Token::all(hsm)?.into_iter().find(|token| !token.is_initialised());
        return free.map(|token| (token.slot, false)).ok_or_else(|| {
            Failure::new(
                "no slot is free",
                "every slot holds a token",
                "set spare_slot = true, or use --slot with --overwrite",
            )
        });
    };
    let token = Token::in_slot(hsm, SlotId(number))?;
    if token.is_initialised() && !args.overwrite {
        return Err(Failure::Usage(format!(
            "slot {number} holds the token {:?}; --overwrite erases it with all its keys",
            token.label()
        )));
    }
    Ok((token.slot, token.is_initialised()))
}

/// The label as the token keeps it, padded with blanks.
fn label_bytes(label: &str) -> Result<[u8; 32], Failure> {
    let mut padded = [b' '; 32];
    if label.is_empty() || label.len() > padded.len() {
        return Err(Failure::Usage(format!("a label has 1 to 32 bytes, not {}", label.len())));
    }
    if label.ends_with(' ') {
        return Err(Failure::Usage("a label does not end with a blank: tokens pad it with blanks".to_owned()));
    }
    padded[..label.len()].copy_from_slice(label.as_bytes());
    Ok(padded)
}

/// Refuses a new PIN of impossible length before anything is written.
fn checked(pin: SecretBytes, name: &str, bytes: &std::ops::RangeInclusive<usize>) -> Result<SecretBytes, Failure> {
    if bytes.contains(&pin.len()) {
        return Ok(pin);
    }
    let reason = Reason::PinLength { bytes: pin.len(), min: *bytes.start(), max: *bytes.end() };
    Err(Failure::of(format!("the {name} cannot be used"), &reason))
}
