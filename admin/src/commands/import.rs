//! `perilune import`: brings keys and certificates into a token.
//!
//! Owns: IDs, labels, the order of the objects and that all or nothing is imported. Does not know: file
//! formats (`import::file`) and attributes (`import::templates`).

use super::objects::table;
use crate::cli::Import;
use crate::failure::{During, Failure};
use crate::import::{file, templates};
use crate::objects;
use crate::output;
use crate::token::{self, Session, Token};
use ffi_headers::{CKA_CLASS, CKA_ID, CKA_TOKEN};
use hsm_core::ObjectHandle;
use hsm_core::template::Template;

/// Imports the file.
///
/// # Errors
/// What is wrong with the file, its password, the PIN or an object; nothing has then been imported.
pub fn run(args: &Import) -> Result<(), Failure> {
    let name = args.file.display().to_string();
    let parcel = file::read(&args.file, &args.password.source())?;
    let planned = templates::plan(&parcel, args)?;
    let (_, hsm) = token::start()?;
    let token = Token::chosen(&hsm, &args.token)?;
    let session = Session::open(&hsm, &token, true)?;
    session.login_user(&args.pin.source().obtain("User's PIN")?)?;
    for object in &planned {
        refuse_second(&session, object)?;
    }
    let mut created: Vec<ObjectHandle> = Vec::new();
    for object in &planned {
        match hsm.create_object(session.handle, &object.template) {
            Ok(handle) => created.push(handle),
            Err(reason) => {
                undo(&session, &created)?;
                return Err(Failure::of(format!("cannot import the {} in {name}", object.what), &reason));
            }
        }
    }
    let uri = token.uri();
    let descriptions =
        created.into_iter().map(|object| objects::describe(&session, &uri, object)).collect::<Result<Vec<_>, _>>()?;
    match args.json {
        true => output::print_json("imported", &descriptions),
        false => output::print(&table(&descriptions).text()),
    }
}

/// Refuses an object of which there is one already: applications would find either.
fn refuse_second(session: &Session<'_>, object: &templates::Planned) -> Result<(), Failure> {
    let mut same = Template::default().with_flag(CKA_TOKEN, true);
    for kind in [CKA_CLASS, CKA_ID] {
        same.push(kind, object.template.bytes(kind).unwrap_or_default());
    }
    if objects::find(session, &same)?.is_empty() {
        return Ok(());
    }
    Err(Failure::new(
        "nothing was imported",
        format!("the token has a {} with the ID {} already", object.what, output::hex(&object.id)),
        "choose another --id, or delete it first",
    ))
}

/// Takes back what was created before a later object was refused.
fn undo(session: &Session<'_>, created: &[ObjectHandle]) -> Result<(), Failure> {
    for handle in created {
        session
            .hsm
            .destroy_object(session.handle, *handle)
            .during(|| "the import failed half-way and an object could not be taken back".to_owned())?;
    }
    Ok(())
}
