//! Checks of what is in the store: does it open, which tokens are there, is anything damaged or locked.
//!
//! Owns: what counts as a problem of a token. Does not know: files, what is damaged (`damage`). A login happens only
//! when a PIN is given.

use super::Finding;
use super::Status::{Info, Ok as Good, Problem, Warning};
use super::damage;
use crate::cli::Doctor;
use crate::commands::pin::RoleLine;
use crate::failure::{During, Failure};
use crate::token::{Session, Token};
use hsm_core::role::Role;
use hsm_core::{Examined, Hsm};
use hsm_platform::Settings;

/// Opens the store and examines its tokens; answers the first one, or the one that the options choose.
pub fn examine(settings: &Settings, args: &Doctor, findings: &mut Vec<Finding>) -> Option<Token> {
    match examine_all(settings, args, findings) {
        Ok(token) => token,
        Err(failure) => {
            findings.push(Finding::new("token", Problem, failure.to_string()));
            None
        }
    }
}

fn examine_all(settings: &Settings, args: &Doctor, findings: &mut Vec<Finding>) -> Result<Option<Token>, Failure> {
    let hsm = hsm_platform::start(settings)?;
    // Held until the end: the private objects are known only while somebody is logged in.
    let session = log_in(&hsm, args)?;
    let mut tokens = Token::all(&hsm)?;
    let free = tokens.iter().filter(|token| !token.is_initialised()).count();
    tokens.retain(Token::is_initialised);
    let examined = hsm.examine().during(|| "cannot look through the store".to_owned())?;
    for token in &tokens {
        judge(&hsm, token, &examined, findings)?;
    }
    let told: Vec<_> = tokens.iter().map(|token| token.slot).collect();
    damage::elsewhere(&told, &examined, findings);
    if tokens.is_empty() {
        let text = format!("no token yet, {free} free slots");
        findings.push(Finding::new("token", Info, text).advise("`perilune init --label NAME` makes one"));
    } else if free == 0 {
        findings.push(Finding::new("token", Info, "no slot is free for another token (spare_slot is off)"));
    }
    drop(session);
    if args.token.token.is_some() || args.token.slot.is_some() {
        return Token::chosen(&hsm, &args.token).map(Some);
    }
    Ok(tokens.into_iter().next())
}

/// Logs into the chosen token when a PIN is given.
fn log_in<'a>(hsm: &'a Hsm, args: &Doctor) -> Result<Option<(Session<'a>, hsm_core::SlotId)>, Failure> {
    let source = args.pin.source();
    if source.is_prompt() {
        return Ok(None);
    }
    let token = Token::chosen(hsm, &args.token)?;
    let session = Session::open(hsm, &token, false)?;
    session.login_user(&source.obtain("User's PIN")?)?;
    Ok(Some((session, token.slot)))
}

/// Examines one token.
fn judge(hsm: &Hsm, token: &Token, examined: &Examined, findings: &mut Vec<Finding>) -> Result<(), Failure> {
    let name = format!("slot {}, {:?}", token.slot.0, token.label());
    let before = findings.len();
    let damaged = damage::of_token(&name, token.slot, examined, findings);
    for (role, word) in [(Role::CryptoOfficer, "user"), (Role::SecurityOfficer, "so")] {
        let line = RoleLine::of(hsm, token, word, role)?;
        if damaged.contains(&role) {
            // Its state is unknown; whatever it is taken for would only confuse.
            continue;
        }
        let (left, most) = (line.tries_left.unwrap_or_default(), line.tries_max.unwrap_or_default());
        match line.pin {
            "unset" => findings.push(
                Finding::new("token", Warning, format!("{name}: the {word}'s PIN is not set"))
                    .advise("perilune pin reset"),
            ),
            "locked" => findings.push(
                Finding::new("token", Problem, format!("{name}: the {word} is locked after {most} wrong PINs")).advise(
                    match role {
                        Role::SecurityOfficer => "nobody can unlock it; the user can go on working",
                        _ => "`perilune pin reset` with the Security Officer's PIN",
                    },
                ),
            ),
            _ if left < most => findings.push(Finding::new(
                "token",
                Warning,
                format!("{name}: {} wrong {word} PINs, {left} tries left", most - left),
            )),
            _ => {}
        }
    }
    if findings.len() == before {
        let objects = match examined.closed.get(&token.slot) {
            None => "all objects open".to_owned(),
            Some(closed) => format!("all public objects open, {closed} private ones need the user's PIN"),
        };
        findings.push(Finding::new("token", Good, format!("{name}: {objects}, {}", token.uri())));
    }
    Ok(())
}
