//! `perilune policy`: shows and sets what a token may do with which algorithm.

use crate::cli::{Policy as Command, PolicySet, PolicyShow};
use crate::failure::{During, Failure};
use crate::output::{self, Table};
use crate::token::{self, Session, Token};
use hsm_core::{Hsm, Policy};
use serde::Serialize;

/// Does what the subcommand says.
///
/// # Errors
/// The HSM's.
pub fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Show(args) => show(args),
        Command::Set(args) => set(args),
    }
}

fn show(args: &PolicyShow) -> Result<(), Failure> {
    let (_, hsm) = token::start()?;
    let token = Token::chosen(&hsm, &args.token)?;
    let policy = policy_of(&hsm, &token)?;
    let mechanisms = hsm.mechanism_list(token.slot).during(|| "cannot list the mechanisms".to_owned())?.len();
    let shown = Shown { approved: policy.approved, legacy: policy.legacy, compatible: policy.compatible, mechanisms };
    if args.json {
        return output::print_json("policy", &shown);
    }
    let mut table = Table::new(&["POLICY", "VALUE"]);
    table.row(["approved".to_owned(), on_off(shown.approved).to_owned()]);
    table.row(["legacy".to_owned(), on_off(shown.legacy).to_owned()]);
    table.row(["compatible".to_owned(), on_off(shown.compatible).to_owned()]);
    table.row(["mechanisms".to_owned(), shown.mechanisms.to_string()]);
    output::print(&table.text())
}

fn set(args: &PolicySet) -> Result<(), Failure> {
    let (_, hsm) = token::start()?;
    let token = Token::chosen(&hsm, &args.token)?;
    let session = Session::open(&hsm, &token, true)?;
    let before = policy_of(&hsm, &token)?;
    let policy = Policy {
        approved: args.approved.unwrap_or(before.approved),
        legacy: args.legacy.unwrap_or(before.legacy),
        compatible: args.compatible.unwrap_or(before.compatible),
    };
    session.login_so(&args.so_pin.source().obtain("Security Officer's PIN")?)?;
    hsm.set_policy(session.handle, policy).during(|| format!("cannot set the policy of {:?}", token.label()))?;
    let [approved, legacy, compatible] = [policy.approved, policy.legacy, policy.compatible].map(on_off);
    output::print(&format!("{:?}: approved {approved}, legacy {legacy}, compatible {compatible}\n", token.label()))
}

fn policy_of(hsm: &Hsm, token: &Token) -> Result<Policy, Failure> {
    hsm.policy(token.slot).during(|| "cannot read the policy".to_owned())
}

fn on_off(value: bool) -> &'static str {
    if value { "on" } else { "off" }
}

/// A policy as it is told; also its form in JSON.
#[derive(Serialize)]
struct Shown {
    approved: bool,
    legacy: bool,
    compatible: bool,
    /// How many mechanisms the token has with it.
    mechanisms: usize,
}
