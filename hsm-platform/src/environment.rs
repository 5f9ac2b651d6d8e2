//! The environment variables that have a say, taken once and handed on as a value.
//!
//! Owns: their names, and the rule that a program with borrowed rights listens to none of them. Does not
//! know: what they mean. Tests make an [`Environment`] of their own, so no test changes the process's.
//! Rule source: XDG Base Directory Specification 0.8 (a relative path in a variable is ignored).

use rustix::process::{getegid, geteuid, getgid, getuid};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Names the configuration file.
pub const PERILUNE_CONF: &str = "PERILUNE_CONF";
/// Turns the log on: a level, or `level:file`.
pub const PERILUNE_LOG: &str = "PERILUNE_LOG";
/// Folder of the user's configuration.
pub const XDG_CONFIG_HOME: &str = "XDG_CONFIG_HOME";
/// Folder of the user's data.
pub const XDG_DATA_HOME: &str = "XDG_DATA_HOME";
/// The user's home folder.
pub const HOME: &str = "HOME";

/// The system-wide configuration file.
pub const SYSTEM_FILE: &str = "/etc/perilune/perilune.toml";

const NAMES: [&str; 5] = [PERILUNE_CONF, PERILUNE_LOG, XDG_CONFIG_HOME, XDG_DATA_HOME, HOME];

/// The variables that were set when it was taken, and the place of the system's file.
#[derive(Debug, Clone)]
pub struct Environment {
    variables: BTreeMap<&'static str, OsString>,
    system_file: PathBuf,
}

impl Environment {
    /// Takes the variables of this process.
    ///
    /// A program that runs with another user's or group's rights (set-user-ID) gets none: whoever
    /// started it must not choose the store or a file to write a log to.
    #[must_use]
    pub fn of_process() -> Self {
        let borrowed_rights = getuid() != geteuid() || getgid() != getegid();
        let variables = if borrowed_rights {
            BTreeMap::new()
        } else {
            NAMES.iter().filter_map(|name| Some((*name, std::env::var_os(name)?))).collect()
        };
        Self { variables, system_file: PathBuf::from(SYSTEM_FILE) }
    }

    /// Makes an environment of given variables; names that have no say are dropped.
    #[must_use]
    pub fn of(variables: &[(&str, &Path)], system_file: &Path) -> Self {
        let given = |name: &&'static str| {
            let value = variables.iter().find(|(given, _)| given == name)?.1;
            Some((*name, value.as_os_str().to_owned()))
        };
        Self { variables: NAMES.iter().filter_map(given).collect(), system_file: system_file.to_owned() }
    }

    /// The value of a variable; an empty one counts as not set.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&OsString> {
        self.variables.get(name).filter(|value| !value.is_empty())
    }

    /// The absolute path in a variable; a relative one counts as not set.
    #[must_use]
    pub fn folder(&self, name: &str) -> Option<&Path> {
        self.value(name).map(Path::new).filter(|path| path.is_absolute())
    }

    /// The user's configuration file, were there one.
    #[must_use]
    pub fn user_file(&self) -> Option<PathBuf> {
        let folder = match self.folder(XDG_CONFIG_HOME) {
            Some(folder) => folder.to_owned(),
            None => self.folder(HOME)?.join(".config"),
        };
        Some(folder.join("perilune").join("perilune.toml"))
    }

    /// The store's folder when no file names one.
    #[must_use]
    pub fn store(&self) -> Option<PathBuf> {
        let folder = match self.folder(XDG_DATA_HOME) {
            Some(folder) => folder.to_owned(),
            None => self.folder(HOME)?.join(".local").join("share"),
        };
        Some(folder.join("perilune"))
    }

    /// The system's configuration file.
    #[must_use]
    pub fn system_file(&self) -> &Path {
        &self.system_file
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(variables: &[(&str, &str)], user_file: Option<&str>, store: Option<&str>) {
        let variables: Vec<(&str, &Path)> = variables.iter().map(|(name, value)| (*name, Path::new(value))).collect();
        let environment = Environment::of(&variables, Path::new(SYSTEM_FILE));
        assert_eq!(environment.user_file(), user_file.map(PathBuf::from), "user file of {variables:?}");
        assert_eq!(environment.store(), store.map(PathBuf::from), "store of {variables:?}");
    }

    #[test]
    fn xdg_folders_go_before_home() {
        check(
            &[(XDG_CONFIG_HOME, "/c"), (XDG_DATA_HOME, "/d"), (HOME, "/h")],
            Some("/c/perilune/perilune.toml"),
            Some("/d/perilune"),
        );
        check(&[(HOME, "/h")], Some("/h/.config/perilune/perilune.toml"), Some("/h/.local/share/perilune"));
    }

    #[test]
    fn relative_and_empty_values_count_as_not_set() {
        check(&[(XDG_CONFIG_HOME, "c"), (XDG_DATA_HOME, ""), (HOME, "h")], None, None);
        check(&[], None, None);
    }
}
