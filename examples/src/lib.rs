//! What the Rust examples share: the module, a token found by its label or made, a session in it.
//!
//! Owns: where an example takes its module and PINs from (the variables `PERILUNE_MODULE`, `SO_PIN`,
//! `USER_PIN`). Does not know: what an example does with the session. Called from the programs in
//! `src/bin/`; they use the module through the crate `cryptoki` and would work with any other one.
#![forbid(unsafe_code)]

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;
use std::error::Error;

/// What an example ends with: any error ends it, and `main` prints it.
pub type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// Loads the module that `PERILUNE_MODULE` names and initialises it.
///
/// # Errors
/// The variable is not set; the module cannot be loaded or does not start.
pub fn load() -> Outcome<Pkcs11> {
    let client = Pkcs11::new(variable("PERILUNE_MODULE")?)?;
    client.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))?;
    Ok(client)
}

/// Opens a session in the token with this label, and logs its user in; makes the token when there is none.
///
/// # Errors
/// A PIN is not set or wrong, or the module's own.
pub fn open_token(client: &Pkcs11, label: &str) -> Outcome<Session> {
    let slot = match find_token(client, label)? {
        Some(slot) => slot,
        None => make_token(client, label)?,
    };
    let session = client.open_rw_session(slot)?;
    session.login(UserType::User, Some(&pin("USER_PIN")?))?;
    Ok(session)
}

fn find_token(client: &Pkcs11, label: &str) -> Outcome<Option<Slot>> {
    for slot in client.get_slots_with_initialized_token()? {
        if client.get_token_info(slot)?.label() == label {
            return Ok(Some(slot));
        }
    }
    Ok(None)
}

/// Makes a token in the free slot: the Security Officer's PIN guards the token, the user's its keys.
fn make_token(client: &Pkcs11, label: &str) -> Outcome<Slot> {
    let so_pin = pin("SO_PIN")?;
    for slot in client.get_all_slots()? {
        if !client.get_token_info(slot)?.token_initialized() {
            client.init_token(slot, &so_pin, label)?;
            let session = client.open_rw_session(slot)?;
            session.login(UserType::So, Some(&so_pin))?;
            session.init_pin(&pin("USER_PIN")?)?;
            return Ok(slot);
        }
    }
    Err("there is no slot without a token".into())
}

fn pin(name: &str) -> Outcome<AuthPin> {
    Ok(AuthPin::new(variable(name)?.into()))
}

fn variable(name: &str) -> Outcome<String> {
    std::env::var(name).map_err(|error| format!("the variable {name}: {error}").into())
}

/// Turns an ECDSA signature as a token gives it, r and s side by side, into the DER that others read.
///
/// For curves up to 521 bits. Rule source: RFC 3279, 2.2.3 (`Ecdsa-Sig-Value`).
#[must_use]
pub fn ecdsa_der(signature: &[u8]) -> Vec<u8> {
    let (r, s) = signature.split_at(signature.len() / 2);
    tagged(0x30, &[integer(r), integer(s)].concat())
}

/// A DER INTEGER without needless zeros, and with one where the first bit would make it negative.
fn integer(bytes: &[u8]) -> Vec<u8> {
    let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
    let digits = bytes.get(zeros..).unwrap_or_default();
    match digits.first() {
        Some(first) if first & 0x80 == 0 => tagged(0x02, digits),
        _ => tagged(0x02, &[&[0], digits].concat()),
    }
}

fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len() as u8;
    let head: &[u8] = if length < 0x80 { &[tag, length] } else { &[tag, 0x81, length] };
    [head, content].concat()
}

#[cfg(test)]
mod tests {
    use super::ecdsa_der;

    #[test]
    fn numbers_are_short_and_never_negative() {
        assert_eq!(ecdsa_der(&[0x00, 0x01, 0x80, 0x02]), [0x30, 8, 0x02, 1, 0x01, 0x02, 3, 0x00, 0x80, 0x02]);
        assert_eq!(ecdsa_der(&[0, 0, 0, 0]), [0x30, 6, 0x02, 1, 0, 0x02, 1, 0]);
        assert_eq!(ecdsa_der(&[0x7f; 132])[..6], [0x30, 0x81, 136, 0x02, 66, 0x7f]);
    }
}
