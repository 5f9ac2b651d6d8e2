//! The manual page, one for all commands.
//!
//! Owns: the order of its sections and the hand-written ones. Does not know: the options; they come
//! from `cli`. `docs/man/perilune.1` is this page, kept by a test.

use crate::cli::Cli;
use crate::failure::Failure;
use clap::CommandFactory;
use clap_mangen::Man;
use std::io;

/// The page in roff form.
///
/// # Errors
/// None in practice; writing to memory is fallible by type only.
pub fn page() -> Result<String, Failure> {
    let mut roff = Vec::new();
    write(&mut roff).map_err(|error| Failure::new("cannot make the manual page", error, ""))?;
    Ok(String::from_utf8_lossy(&roff).into_owned())
}

fn write(roff: &mut Vec<u8>) -> io::Result<()> {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let man = Man::new(command.clone()).manual("Perilune");
    man.render_title(roff)?;
    man.render_name_section(roff)?;
    man.render_synopsis_section(roff)?;
    man.render_description_section(roff)?;
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        section(roff, sub, &format!("perilune {}", sub.get_name()))?;
    }
    roff.extend_from_slice(CLOSING.as_bytes());
    Ok(())
}

/// Writes a command's section, and those of its own subcommands.
fn section(roff: &mut Vec<u8>, command: &clap::Command, name: &str) -> io::Result<()> {
    roff.extend_from_slice(format!(".SH \"{}\"\n", name.to_uppercase()).as_bytes());
    // Every command has --help; saying so in each section would only hide the rest.
    let shown = command.clone().display_name(name).bin_name(name).mut_arg("help", |help| help.hide(true));
    let has_arguments = shown.get_arguments().any(|argument| !argument.is_hide_set());
    let man = Man::new(shown);
    let mut part = Vec::new();
    man.render_description_section(&mut part)?;
    man.render_synopsis_section(&mut part)?;
    if has_arguments {
        man.render_options_section(&mut part)?;
    }
    // Within this page the parts are paragraphs of the command's section, not sections of their own.
    let text = String::from_utf8_lossy(&part);
    let text = text.replace(".SH DESCRIPTION\n", "").replace(".SH SYNOPSIS\n", ".PP\n").replace(".SH OPTIONS\n", "");
    roff.extend_from_slice(text.as_bytes());
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        section(roff, sub, &format!("{name} {}", sub.get_name()))?;
    }
    Ok(())
}

const CLOSING: &str = r#".SH "EXIT STATUS"
.TP
0
Done.
.TP
1
Failed, or doctor found a problem.
.TP
2
Wrong usage.
.TP
3
A PIN is wrong, locked or of impossible length.
.SH ENVIRONMENT
.TP
PERILUNE_CONF
Names the configuration file.
.TP
PERILUNE_LOG
Turns the log on: off, error, warn, info, debug or trace, and after a colon the file to append to.
.SH FILES
.TP
~/.config/perilune/perilune.toml, /etc/perilune/perilune.toml
The configuration, the first one that is there. It may be missing.
.TP
~/.local/share/perilune
The store, when the configuration names no other place.
.SH EXAMPLES
.TP
perilune init \-\-label first
Make a token; both PINs are asked for.
.TP
perilune init \-\-label ci \-\-so\-pin\-env SO_PIN \-\-pin\-file /run/secrets/pin
Make a token without a person.
.TP
perilune import server.p12 \-\-token first \-\-label server
Import key and certificates.
.TP
perilune doctor
Check the installation, and see what each client needs to be told.
"#;
