//! What `--module` says: which module, which token, which PIN.
//!
//! Owns: the words in it. Does not know: what a module is measured with. A PIN that is written there is the user's own
//! choice; it is neither printed nor written into a report.

use crate::failure::Failure;
use crate::secret::Source;
use hsm_crypto::SecretBytes;
use std::path::PathBuf;

/// One module on the command line.
#[derive(Debug, Clone)]
pub struct ModuleChoice {
    /// What stands above its column.
    pub name: String,
    /// The library.
    pub path: PathBuf,
    /// Which token.
    pub token: Option<String>,
    /// Or which slot.
    pub slot: Option<u64>,
    /// Its user's PIN.
    pub pin: Pin,
    /// At most so many objects are made in it.
    pub objects_max: Option<usize>,
    /// What the report says of it beside its own words, such as the version of its package.
    pub note: Option<String>,
}

/// Where a module's PIN comes from.
#[derive(Debug, Clone)]
pub enum Pin {
    /// From where secrets come.
    From(Source),
    /// Written on the command line.
    Written(SecretBytes),
}

impl Pin {
    /// The PIN.
    ///
    /// # Errors
    /// As [`Source::obtain`].
    pub fn obtain(&self, name: &str) -> Result<SecretBytes, Failure> {
        match self {
            Pin::From(source) => source.obtain(&format!("user's PIN of {name}")),
            Pin::Written(pin) => Ok(pin.clone()),
        }
    }
}

/// Reads `--module`: a path, or `key=value` pairs with commas between them.
///
/// # Errors
/// What cannot be understood.
pub fn module(text: &str) -> Result<ModuleChoice, String> {
    let mut choice = ModuleChoice {
        name: String::new(),
        path: PathBuf::new(),
        token: None,
        slot: None,
        pin: Pin::From(Source::Prompt),
        objects_max: None,
        note: None,
    };
    for part in text.split(',') {
        match part.split_once('=') {
            Some((key, value)) => set(&mut choice, key.trim(), value)?,
            // A path alone is enough where the token is the only one.
            None if choice.path.as_os_str().is_empty() => choice.path = part.into(),
            None => return Err(format!("`{part}` is not KEY=VALUE; KEY is one of {KEYS}")),
        }
    }
    if choice.path.as_os_str().is_empty() {
        return Err("the path of the module is missing: path=/path/to/module.so".to_owned());
    }
    if choice.token.is_some() && choice.slot.is_some() {
        return Err("token= and slot= exclude each other".to_owned());
    }
    if choice.name.is_empty() {
        let stem = choice.path.file_stem().unwrap_or(choice.path.as_os_str()).to_string_lossy();
        choice.name = stem.strip_prefix("lib").unwrap_or(&stem).to_owned();
    }
    Ok(choice)
}

fn set(choice: &mut ModuleChoice, key: &str, value: &str) -> Result<(), String> {
    let number = || value.parse().map_err(|_not_a_number| format!("{key}={value} is not a number"));
    match key {
        "name" => choice.name = value.to_owned(),
        "path" => choice.path = value.into(),
        "token" => choice.token = Some(value.to_owned()),
        "note" => choice.note = Some(value.to_owned()),
        "slot" => choice.slot = Some(number()?),
        "objects-max" => choice.objects_max = Some(number()? as usize),
        "pin" => choice.pin = Pin::Written(SecretBytes::copy_of(value.as_bytes())),
        "pin-file" => choice.pin = Pin::From(Source::File(value.into())),
        "pin-env" => choice.pin = Pin::From(Source::Variable(value.to_owned())),
        "pin-fd" => choice.pin = Pin::From(Source::Descriptor(number()? as u32)),
        _ => return Err(format!("`{key}` is not known; it is one of {KEYS}")),
    }
    Ok(())
}

/// A command line as it may be shown: a PIN that is written in it is left out.
pub fn without_pins(words: impl Iterator<Item = String>) -> String {
    let clean = |word: String| -> String {
        let (option, value) = match word.strip_prefix("--module=") {
            Some(value) => ("--module=", value),
            None => ("", word.as_str()),
        };
        let part =
            |part: &str| if part.trim_start().starts_with("pin=") { "pin=...".to_owned() } else { part.to_owned() };
        let word = format!("{option}{}", value.split(',').map(part).collect::<Vec<_>>().join(","));
        if word.contains(' ') { format!("'{word}'") } else { word }
    };
    words.map(clean).collect::<Vec<_>>().join(" ")
}

/// The keys, as messages show them.
const KEYS: &str = "name, path, token, slot, pin-file, pin-env, pin-fd, pin, objects-max, note";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_alone_is_a_module_named_after_its_file() {
        let choice = module("/usr/lib/softhsm/libsofthsm2.so").unwrap();
        assert_eq!((choice.name.as_str(), choice.path), ("softhsm2", "/usr/lib/softhsm/libsofthsm2.so".into()));
        assert!(matches!(choice.pin, Pin::From(Source::Prompt)));
    }

    #[test]
    fn every_key_has_its_place() {
        let choice = module("name=a,path=/m.so,token=my token,pin-env=PIN,objects-max=10").unwrap();
        assert_eq!(
            (choice.name.as_str(), choice.token.as_deref(), choice.objects_max),
            ("a", Some("my token"), Some(10))
        );
        assert!(matches!(choice.pin, Pin::From(Source::Variable(name)) if name == "PIN"));
        let choice = module("/m.so,slot=3,pin-file=/p").unwrap();
        assert_eq!(choice.slot, Some(3));
        assert!(matches!(choice.pin, Pin::From(Source::File(path)) if path.as_os_str() == "/p"));
    }

    #[test]
    fn what_cannot_be_understood_is_named() {
        for (text, word) in [
            ("name=a", "path"),
            ("/m.so,what", "what"),
            ("/m.so,colour=red", "colour"),
            ("/m.so,slot=x", "slot=x"),
            ("/m.so,slot=1,token=a", "exclude"),
        ] {
            let error = module(text).unwrap_err();
            assert!(error.contains(word), "{text}: {error}");
        }
    }

    #[test]
    fn a_written_pin_is_left_out_of_what_is_shown() {
        let words =
            ["bench", "--module", "path=/m.so,pin=secret,name=a", "--module=pin=secret,path=/m.so", "two words"];
        let shown = without_pins(words.iter().map(|word| (*word).to_owned()));
        assert_eq!(shown, "bench --module path=/m.so,pin=...,name=a --module=pin=...,path=/m.so 'two words'");
    }
}
