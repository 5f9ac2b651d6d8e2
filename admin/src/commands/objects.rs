//! `perilune objects`: lists what is in a token.

use crate::cli::Objects;
use crate::failure::Failure;
use crate::objects::{self, Description};
use crate::output::{self, Table};
use crate::token::{self, Session, Token};

/// Lists the objects.
///
/// # Errors
/// The HSM's.
pub fn run(args: &Objects) -> Result<(), Failure> {
    let (_, hsm) = token::start()?;
    let token = Token::chosen(&hsm, &args.token)?;
    let session = Session::open(&hsm, &token, false)?;
    let source = args.pin.source();
    if args.login || !source.is_prompt() {
        session.login_user(&source.obtain("User's PIN")?)?;
    }
    let uri = token.uri();
    let descriptions = objects::find(&session, &objects::template(&args.which))?
        .into_iter()
        .map(|object| objects::describe(&session, &uri, object))
        .collect::<Result<Vec<_>, _>>()?;
    if args.json {
        return output::print_json("objects", &descriptions);
    }
    output::print(&table(&descriptions).text())
}

/// The table of some objects.
pub fn table(descriptions: &[Description]) -> Table {
    let mut table = Table::new(&["CLASS", "TYPE", "LABEL", "ID", "USAGE", "URI"]);
    for object in descriptions {
        let or_dash = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
        table.row([
            object.class.name().to_owned(),
            object.type_cell(),
            or_dash(&object.label),
            or_dash(&object.id),
            object.usage_cell(),
            object.uri.clone(),
        ]);
    }
    table
}
