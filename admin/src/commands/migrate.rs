//! `perilune migrate`: takes over tokens of SoftHSM2.
//!
//! Owns: the order of the steps (everything is read, opened and judged before the store is touched), which token is
//! meant, what stops a migration. Does not know: SoftHSM2's files (`softhsm`), attribute rules (`hsm_core`), what is
//! printed (`softhsm::report`).

use crate::cli::{Migrate, SoftHsmToken};
use crate::failure::{During, EXIT_PIN, Failure};
use crate::objects;
use crate::output;
use crate::secret::Source;
use crate::softhsm::pins::{Closed, TokenKey};
use crate::softhsm::report::{Line, Report, State};
use crate::softhsm::token::{self as foreign, Description};
use crate::softhsm::{folder, place};
use crate::token::{self, Token};
use hsm_core::attributes::migrate::{Refusal, migrate};
use hsm_core::object::Object;
use hsm_core::platform::Env;
use hsm_core::{Hsm, NewToken, Reason, limits};
use hsm_crypto::SecretBytes;
use hsm_platform::{OsRandom, Settings};
use std::path::{Path, PathBuf};

/// Takes over what the options name.
///
/// # Errors
/// What is wrong with the files, the PINs or an object; nothing has then been written. The store's; then no token is
/// there in part.
pub fn run(args: &Migrate) -> Result<(), Failure> {
    let chosen = chosen(&place::tokens(args.from.as_deref())?, &args.which)?;
    let mut pins = Pins { so: Pin::new(args.so_pin.source()), user: Pin::new(args.pin.source()) };
    let mut ready = Vec::with_capacity(chosen.len());
    for path in &chosen {
        ready.push(Ready::read(path, &mut pins)?);
    }
    for token in &ready {
        token.refuse_damage(args.skip_damaged)?;
    }
    let mut reports = Vec::with_capacity(ready.len());
    if args.dry_run {
        reports.extend(ready.into_iter().map(|token| token.report));
    } else {
        let (settings, hsm) = token::start()?;
        for token in &mut ready {
            token.refuse_pins(&settings)?;
            token.choose_serial(&hsm, args.again)?;
        }
        for token in ready {
            reports.push(token.write(&hsm)?);
        }
    }
    match args.json {
        true => output::print_json("migrated", &reports),
        false => output::print(&reports.iter().map(|report| report.text(args.dry_run)).collect::<Vec<_>>().join("\n")),
    }
}

/// The folders of the tokens that are meant.
fn chosen(place: &Path, which: &SoftHsmToken) -> Result<Vec<PathBuf>, Failure> {
    let (mut fitting, mut broken, mut names) = (Vec::new(), None, Vec::new());
    for path in folder::tokens(place)? {
        match folder::read_token_file(&path).and_then(|file| described(&path, file.expose())) {
            Err(failure) => broken = Some(failure),
            Ok(token) => {
                names.push(format!("{:?} ({})", token.label_text(), token.serial_text()));
                let fits = |wanted: &Option<String>, is: String| wanted.as_ref().is_none_or(|wanted| *wanted == is);
                if fits(&which.token, token.label_text()) && fits(&which.serial, token.serial_text()) {
                    fitting.push(path);
                }
            }
        }
    }
    match (fitting.len(), broken) {
        (_, Some(failure)) if which.all || fitting.is_empty() => Err(failure),
        (1, _) => Ok(fitting),
        (0, _) => Err(Failure::new(
            "no such token",
            format!("{} holds {}", place.display(), names.join(", ")),
            "say which one with --token or --serial",
        )),
        (_, _) if which.all => Ok(fitting),
        (count, _) => Err(Failure::Usage(format!(
            "{count} tokens are meant; say which one with --serial, or --all ({})",
            names.join(", ")
        ))),
    }
}

fn described(path: &Path, file: &[u8]) -> Result<Description, Failure> {
    Description::parse(file)
        .map_err(|error| Failure::new(format!("cannot read {}", path.join(folder::TOKEN_FILE).display()), error, ""))
}

/// The two PINs; those that a person is asked for are asked for once a token.
struct Pins {
    so: Pin,
    user: Pin,
}

struct Pin {
    source: Source,
    known: Option<SecretBytes>,
}

impl Pin {
    fn new(source: Source) -> Self {
        Self { source, known: None }
    }

    fn obtain(&mut self, name: &str) -> Result<SecretBytes, Failure> {
        if self.source.is_prompt() {
            return self.source.obtain(name);
        }
        // A descriptor gives its content once.
        let known = match self.known.take() {
            Some(known) => known,
            None => self.source.obtain(name)?,
        };
        Ok(self.known.insert(known).clone())
    }
}

/// A token whose files are read, whose PINs are right and whose objects are judged.
struct Ready {
    label: [u8; 32],
    serial: Option<[u8; 16]>,
    so_pin: SecretBytes,
    user_pin: Option<SecretBytes>,
    objects: Vec<Object>,
    report: Report,
}

impl Ready {
    fn read(path: &Path, pins: &mut Pins) -> Result<Self, Failure> {
        let folder = folder::read(path)?;
        let token = described(path, folder.token.expose())?;
        let label = token.label_text();
        let so_pin = pins.so.obtain(&format!("Security Officer's PIN of {label:?}"))?;
        let key = token.open_as_so(&so_pin).map_err(|why| closed("Security Officer", &label, why))?;
        let user_pin = match token.has_user() {
            false => None,
            true => {
                let pin = pins.user.obtain(&format!("User's PIN of {label:?}"))?;
                let same = token.open_as_user(&pin).map_err(|why| closed("user", &label, why))?;
                if !same.is_some_and(|same| same.is(&key)) {
                    let why = "the two PINs open different keys: its file is damaged";
                    return Err(Failure::new(format!("cannot take over the token {label:?}"), why, ""));
                }
                Some(pin)
            }
        };
        let serial = token.serial_kept();
        let mut report = Report::new(path, &label, &token.serial_text());
        let mut objects = Vec::with_capacity(folder.objects.len());
        judge(&folder, &key, &mut objects, &mut report);
        Ok(Self { label: token.label, serial, so_pin, user_pin, objects, report })
    }

    /// Refuses a token with damaged objects, unless they may be left out.
    fn refuse_damage(&self, skip: bool) -> Result<(), Failure> {
        let damaged: Vec<&Line> = self.report.lines(State::Damaged).collect();
        if skip || damaged.is_empty() {
            return Ok(());
        }
        let named = damaged.iter().take(NAMED_MOST).map(|line| line.complaint()).collect::<Vec<_>>().join(", ");
        let more = if damaged.len() > NAMED_MOST { ", and more" } else { "" };
        Err(Failure::new(
            format!("nothing was taken over of {:?}", self.report.token),
            format!("{} of its objects cannot be used: {named}{more}", damaged.len()),
            "--skip-damaged leaves them out",
        ))
    }

    /// Refuses PINs that a token here cannot have.
    fn refuse_pins(&self, settings: &Settings) -> Result<(), Failure> {
        let (min, max) = (settings.hsm.pin_bytes_min, limits::PIN_BYTES_MAX);
        for (pin, whose) in [(Some(&self.so_pin), "Security Officer's"), (self.user_pin.as_ref(), "user's")] {
            if let Some(bytes) = pin.map(SecretBytes::len).filter(|bytes| !(min..=max).contains(bytes)) {
                let what = format!("the {whose} PIN of {:?} cannot be kept", self.report.token);
                return Err(Failure::of(what, &Reason::PinLength { bytes, min, max }));
            }
        }
        Ok(())
    }

    /// Settles the serial number: the old one, or another where that is in use and another copy is wanted.
    fn choose_serial(&mut self, hsm: &Hsm, again: bool) -> Result<(), Failure> {
        let Some(serial) = self.serial else { return Ok(()) };
        let slot = hsm.slot_of_serial(&serial).during(|| "cannot look through the slots".to_owned())?;
        let Some(token) = slot.map(|slot| Token::in_slot(hsm, slot)).transpose()? else { return Ok(()) };
        // A slot without a token is what an interrupted migration leaves; it is used again.
        if !token.is_initialised() {
            return Ok(());
        }
        if !again {
            return Err(Failure::new(
                format!("the token {:?} was not taken over", self.report.token),
                format!("slot {} holds the token {:?} with its serial number", token.slot.0, token.label()),
                "--again takes it over once more, with another serial number",
            ));
        }
        self.serial = None;
        Ok(())
    }

    fn write(mut self, hsm: &Hsm) -> Result<Report, Failure> {
        let new = NewToken {
            label: self.label,
            serial: self.serial,
            so_pin: &self.so_pin,
            user_pin: self.user_pin.as_ref(),
            objects: &self.objects,
        };
        let what = || format!("cannot take over the token {:?}", self.report.token);
        let slot = hsm.add_token(&new).during(what)?;
        self.report.written(&Token::in_slot(hsm, slot)?, &Token::all(hsm)?);
        Ok(self.report)
    }
}

/// Makes objects of a token's files, and notes what became of each.
fn judge(folder: &folder::Folder, key: &TokenKey, objects: &mut Vec<Object>, report: &mut Report) {
    let env = Env {
        engine: hsm_crypto::preferred(),
        random: &OsRandom,
        policy: hsm_core::policy::Policy::default(),
        one_time: None,
    };
    for (file, template) in foreign::templates(folder, key) {
        let template = match template {
            Ok(template) => template,
            Err(why) => {
                report.objects.push(Line::unreadable(file, why.to_string()));
                continue;
            }
        };
        let sketch = objects::sketch(&template);
        let line = match migrate(&env, &template) {
            Ok(migrated) => {
                objects.push(migrated.object);
                Line::taken(file, sketch, migrated.without)
            }
            Err(Refusal::Unsupported(why)) => Line::left(file, sketch, State::Unsupported, &why),
            Err(Refusal::Faulty(why)) => Line::left(file, sketch, State::Damaged, &why),
        };
        report.objects.push(line);
    }
}

fn closed(role: &str, label: &str, why: Closed) -> Failure {
    let what = format!("cannot open the token {label:?} as {role}");
    match why {
        Closed::WrongPin => {
            Failure::Failed { what, why: why.to_string(), advice: "try again with the right PIN", exit: EXIT_PIN }
        }
        Closed::WrapLength(_) | Closed::Value | Closed::Engine(_) => Failure::new(what, why, ""),
    }
}

/// So many damaged objects are named in an error.
const NAMED_MOST: usize = 5;
