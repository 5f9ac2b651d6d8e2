//! `perilune pin`: changes, resets and shows PINs.

use crate::cli::{Pin, PinChange, PinReset, PinStatus};
use crate::failure::{During, Failure};
use crate::output::{self, Table};
use crate::token::{self, Session, Token};
use hsm_core::Hsm;
use hsm_core::role::Role;
use serde::Serialize;

/// Does what the subcommand says.
///
/// # Errors
/// The HSM's.
pub fn run(command: &Pin) -> Result<(), Failure> {
    match command {
        Pin::Change(args) => change(args),
        Pin::Reset(args) => reset(args),
        Pin::Status(args) => status(args),
    }
}

fn change(args: &PinChange) -> Result<(), Failure> {
    let (source, unused, name, option) = match args.so {
        true => (args.so_pin.source(), args.pin.source(), "Security Officer's PIN", "--pin-*"),
        false => (args.pin.source(), args.so_pin.source(), "user's PIN", "--so-pin-*"),
    };
    if !unused.is_prompt() {
        return Err(Failure::Usage(format!("the {name} is being changed, so {option} has no meaning")));
    }
    let (_, hsm) = token::start()?;
    let token = Token::chosen(&hsm, &args.token)?;
    let session = Session::open(&hsm, &token, true)?;
    let old = source.obtain(&format!("Present {name}"))?;
    match args.so {
        true => session.login_so(&old)?,
        false => session.login_user(&old)?,
    }
    let new = args.new_pin.source().obtain_new(&format!("New {name}"))?;
    hsm.set_pin(session.handle, &old, &new).during(|| format!("cannot change the {name}"))?;
    output::print(&format!("the {name} of {:?} is changed\n", token.label()))
}

fn reset(args: &PinReset) -> Result<(), Failure> {
    let (_, hsm) = token::start()?;
    let token = Token::chosen(&hsm, &args.token)?;
    let session = Session::open(&hsm, &token, true)?;
    session.login_so(&args.so_pin.source().obtain("Security Officer's PIN")?)?;
    let new = args.new_pin.source().obtain_new("New user's PIN")?;
    hsm.init_pin(session.handle, &new).during(|| "cannot set the user's PIN".to_owned())?;
    output::print(&format!("the user's PIN of {:?} is set\n", token.label()))
}

fn status(args: &PinStatus) -> Result<(), Failure> {
    let (_, hsm) = token::start()?;
    let token = Token::chosen(&hsm, &args.token)?;
    let roles = [
        RoleLine::of(&hsm, &token, "user", Role::CryptoOfficer)?,
        RoleLine::of(&hsm, &token, "so", Role::SecurityOfficer)?,
    ];
    if args.json {
        return output::print_json("roles", &roles);
    }
    let mut table = Table::new(&["ROLE", "PIN", "TRIES LEFT"]);
    for line in roles {
        let tries = line.tries_left.zip(line.tries_max);
        let tries = tries.map_or_else(|| "-".to_owned(), |(left, most)| format!("{left} of {most}"));
        table.row([line.role.to_owned(), line.pin.to_owned(), tries]);
    }
    output::print(&table.text())
}

/// The state of a role's PIN; also its form in JSON.
#[derive(Serialize)]
pub struct RoleLine {
    /// `user` or `so`.
    pub role: &'static str,
    /// `unset`, `set` or `locked`.
    pub pin: &'static str,
    /// Wrong PINs that are still allowed in a row.
    pub tries_left: Option<u32>,
    /// Wrong PINs in a row that lock the role.
    pub tries_max: Option<u32>,
}

impl RoleLine {
    /// The state of a role.
    ///
    /// # Errors
    /// The HSM's.
    pub fn of(hsm: &Hsm, token: &Token, name: &'static str, role: Role) -> Result<Self, Failure> {
        let state = hsm.role_state(token.slot, role).during(|| format!("cannot look up the {name}'s PIN"))?;
        let pin = match state {
            None => "unset",
            Some(state) if state.locked() => "locked",
            Some(_) => "set",
        };
        let tries_left = state.map(|state| state.failed_max.saturating_sub(state.failed));
        Ok(Self { role: name, pin, tries_left, tries_max: state.map(|state| state.failed_max) })
    }
}
