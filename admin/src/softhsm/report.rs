//! What became of a token and of each of its objects, for a person or a program to read.
//!
//! Owns: the words and their form in JSON. Does not know: why something is so.

use crate::objects::Sketch;
use crate::output::{Table, printable};
use crate::token::Token;
use ffi_headers::names;
use hsm_core::Reason;
use serde::Serialize;
use std::path::Path;

/// What became of a token; also its form in JSON.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Its label.
    pub token: String,
    /// The folder that it was read from.
    pub from: String,
    /// Its serial number in SoftHSM2.
    pub softhsm_serial: String,
    /// Its serial number now, once it is written.
    pub serial: Option<String>,
    /// Its slot, once it is written.
    pub slot: Option<u64>,
    /// Its URI, once it is written.
    pub uri: Option<String>,
    /// Other slots whose token has the same label, once it is written: programs that look for it find either.
    pub same_label: Vec<u64>,
    /// What became of each object.
    pub objects: Vec<Line>,
}

/// What became of an object.
#[derive(Debug, Serialize)]
pub struct Line {
    /// The name of its file.
    pub file: String,
    /// What became of it.
    pub state: State,
    /// Why it stays behind.
    pub reason: Option<String>,
    /// What it is, as far as it could be read.
    #[serde(flatten)]
    pub sketch: Option<Sketch>,
    /// Attributes that were left out.
    pub without: Vec<Without>,
}

/// An attribute that an object comes over without.
#[derive(Debug, Serialize)]
pub struct Without {
    /// Its name.
    pub attribute: String,
    /// Why.
    pub reason: String,
}

/// What became of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It comes over.
    Taken,
    /// It stays behind: Perilune has no such objects.
    Unsupported,
    /// It stays behind: it is broken.
    Damaged,
}

impl Report {
    /// A token that is not written yet.
    pub fn new(from: &Path, token: &str, serial: &str) -> Self {
        Self {
            token: token.to_owned(),
            from: from.display().to_string(),
            softhsm_serial: serial.to_owned(),
            serial: None,
            slot: None,
            uri: None,
            same_label: Vec::new(),
            objects: Vec::new(),
        }
    }

    /// Notes where the token is now, among all tokens.
    pub fn written(&mut self, token: &Token, all: &[Token]) {
        let twins = all.iter().filter(|other| other.is_initialised() && other.slot != token.slot);
        self.same_label = twins.filter(|other| other.label() == token.label()).map(|other| other.slot.0).collect();
        self.serial = Some(token.serial());
        self.slot = Some(token.slot.0);
        self.uri = Some(token.uri());
    }

    /// The objects of which this became.
    pub fn lines(&self, state: State) -> impl Iterator<Item = &Line> {
        self.objects.iter().filter(move |line| line.state == state)
    }

    /// The report as text; of a trial run it lists every object, else those of which there is something to say.
    pub fn text(&self, trial: bool) -> String {
        let count = |state| self.lines(state).count();
        let mut text = format!("token        {}\nfrom         {}\n", printable(&self.token), printable(&self.from));
        if let (Some(slot), Some(uri)) = (self.slot, &self.uri) {
            text += &format!("slot         {slot}\nserial       {}\nuri          {uri}\n", self.serial_cell());
        }
        if !self.same_label.is_empty() {
            let slots = self.same_label.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
            text += &format!("note         another token has this label, in slot {slots}: programs may find either\n");
        }
        text += &format!("{}  {}\n", if trial { "would take " } else { "taken over " }, objects(count(State::Taken)));
        text += &format!("unsupported  {}\n", objects(count(State::Unsupported)));
        text += &format!("damaged      {}\n", objects(count(State::Damaged)));
        let mut table = Table::new(&["OBJECT", "CLASS", "TYPE", "LABEL", "ID", "FILE", "WHY"]);
        let told: Vec<&Line> = self.objects.iter().filter(|line| trial || line.has_news()).collect();
        for line in &told {
            line.rows(&mut table);
        }
        if !told.is_empty() {
            text += &format!("\n{}", table.text());
        }
        text
    }

    fn serial_cell(&self) -> String {
        match &self.serial {
            Some(serial) if *serial == self.softhsm_serial => format!("{} (as in SoftHSM2)", printable(serial)),
            Some(serial) => format!(
                "{} (new; it was {}: change it where a program names it)",
                printable(serial),
                printable(&self.softhsm_serial)
            ),
            None => "-".to_owned(),
        }
    }
}

impl Line {
    /// An object that comes over, possibly without some attributes.
    pub fn taken(file: &str, sketch: Sketch, without: Vec<(u64, Reason)>) -> Self {
        let without = without.into_iter().map(|(kind, reason)| Without {
            attribute: names::printable(names::attribute, kind),
            reason: reason.to_string(),
        });
        let without = without.collect();
        Self { file: file.to_owned(), state: State::Taken, reason: None, sketch: Some(sketch), without }
    }

    /// An object that stays behind.
    pub fn left(file: &str, sketch: Sketch, state: State, reason: &Reason) -> Self {
        let reason = Some(reason.to_string());
        Self { file: file.to_owned(), state, reason, sketch: Some(sketch), without: Vec::new() }
    }

    /// A file of which no object could be made out.
    pub fn unreadable(file: &str, reason: String) -> Self {
        let reason = Some(reason);
        Self { file: file.to_owned(), state: State::Damaged, reason, sketch: None, without: Vec::new() }
    }

    /// The object and what is wrong with it, in one phrase.
    pub fn complaint(&self) -> String {
        let what = match &self.sketch {
            Some(sketch) => format!("{} {:?} in {}", sketch.class, sketch.label, self.file),
            None => self.file.clone(),
        };
        format!("{what} ({})", self.reason.as_deref().unwrap_or("damaged"))
    }

    fn has_news(&self) -> bool {
        self.state != State::Taken || !self.without.is_empty()
    }

    fn rows(&self, table: &mut Table) {
        let mut row = |state: &str, why: String| {
            let or_dash = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
            let cell = |cell: fn(&Sketch) -> &str| or_dash(self.sketch.as_ref().map_or("", cell));
            table.row([
                state.to_owned(),
                cell(|sketch| &sketch.class),
                cell(|sketch| &sketch.kind),
                cell(|sketch| &sketch.label),
                cell(|sketch| &sketch.id),
                self.file.clone(),
                why,
            ]);
        };
        match self.state {
            State::Taken if self.without.is_empty() => row("taken", "-".to_owned()),
            State::Taken => {
                let missing = self.without.iter().map(|one| format!("without {} ({})", one.attribute, one.reason));
                row("taken", missing.collect::<Vec<_>>().join(", "));
            }
            State::Unsupported => row("unsupported", self.reason.clone().unwrap_or_default()),
            State::Damaged => row("damaged", self.reason.clone().unwrap_or_default()),
        }
    }
}

fn objects(count: usize) -> String {
    if count == 1 { "1 object".to_owned() } else { format!("{count} objects") }
}
