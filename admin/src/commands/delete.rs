//! `perilune delete`: deletes objects or a whole token.

use super::objects::table;
use crate::cli::Delete;
use crate::failure::{During, Failure};
use crate::objects;
use crate::output;
use crate::token::{self, Session, Token};
use hsm_core::{Reason, RecordId};

/// Deletes what the options name.
///
/// # Errors
/// `Usage` when they name nothing, or too much without --yes; the HSM's.
pub fn run(args: &Delete) -> Result<(), Failure> {
    if args.whole_token {
        return whole_token(args);
    }
    if let Some(record) = args.record {
        return damaged_record(args, RecordId(record));
    }
    let which = &args.which;
    if which.label.is_none() && which.id.is_none() && which.class.is_none() {
        return Err(Failure::Usage("say what to delete: --label, --id, --class, or --whole-token".to_owned()));
    }
    if which.label.is_none() && which.id.is_none() && !args.yes {
        return Err(Failure::Usage("this deletes every object of the class; add --yes if that is meant".to_owned()));
    }
    let (_, hsm) = token::start()?;
    let token = Token::chosen(&hsm, &args.token)?;
    let session = Session::open(&hsm, &token, true)?;
    session.login_user(&args.pin.source().obtain("User's PIN")?)?;
    let handles = objects::find(&session, &objects::template(which))?;
    if handles.is_empty() {
        return Err(Failure::new(
            "nothing was deleted",
            format!("the token {:?} has no such object", token.label()),
            "`perilune objects` lists what there is",
        ));
    }
    let uri = token.uri();
    let mut deleted = Vec::new();
    for handle in handles {
        let description = objects::describe(&session, &uri, handle)?;
        let done = deleted.len();
        hsm.destroy_object(session.handle, handle)
            .during(|| format!("cannot delete {} ({done} objects are deleted)", description.uri))?;
        deleted.push(description);
    }
    match args.json {
        true => output::print_json("deleted", &deleted),
        false => output::print(&table(&deleted).text()),
    }
}

/// Removes an object that does not open. The user's PIN is needed where nobody else can see that it does not.
fn damaged_record(args: &Delete, record: RecordId) -> Result<(), Failure> {
    let (_, hsm) = token::start()?;
    let token = Token::chosen(&hsm, &args.token)?;
    let session = Session::open(&hsm, &token, true)?;
    let source = args.pin.source();
    if !source.is_prompt() {
        session.login_user(&source.obtain("User's PIN")?)?;
    }
    let removed = match hsm.remove_damaged(session.handle, record) {
        Err(Reason::NotLoggedIn) if source.is_prompt() => {
            session.login_user(&source.obtain("User's PIN")?)?;
            hsm.remove_damaged(session.handle, record)
        }
        answer => answer,
    };
    let name = output::hex(&record.0);
    removed.during(|| format!("cannot remove object {name} of the token {:?}", token.label()))?;
    match args.json {
        true => output::print_json("removed", &serde_json::json!({ "slot": token.slot.0, "record": name })),
        false => output::print(&format!("the damaged object {name} of the token {:?} is removed\n", token.label())),
    }
}

/// Erases a token.
fn whole_token(args: &Delete) -> Result<(), Failure> {
    if args.token.token.is_none() && args.token.slot.is_none() {
        return Err(Failure::Usage("say which token to erase: --token or --slot".to_owned()));
    }
    let (_, hsm) = token::start()?;
    let token = Token::chosen(&hsm, &args.token)?;
    if !args.yes {
        return Err(Failure::Usage(format!(
            "this erases the token {:?} with all its keys for ever; add --yes if that is meant",
            token.label()
        )));
    }
    hsm.remove_token(token.slot).during(|| format!("cannot erase the token {:?}", token.label()))?;
    match args.json {
        true => output::print_json("erased", &serde_json::json!({ "slot": token.slot.0, "label": token.label() })),
        false => output::print(&format!("the token {:?} in slot {} is erased\n", token.label(), token.slot.0)),
    }
}
