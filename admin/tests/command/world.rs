//! A store of its own for each test, and the command run on it.

use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A temporary folder with a configuration, in which the command runs.
pub struct World {
    folder: tempfile::TempDir,
}

/// How a command ended.
#[derive(Debug)]
pub struct Outcome {
    /// The exit code.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

/// The Security Officer's PIN of tokens that `token` makes.
pub const SO_PIN: &str = "so-pin-1";
/// The user's PIN of tokens that `token` makes.
pub const USER_PIN: &str = "user-pin-1";

impl World {
    /// A world without a store, in which a PIN costs next to nothing to derive from.
    pub fn new() -> Self {
        let world = Self { folder: tempfile::tempdir().unwrap() };
        world.write("perilune.toml", CONFIGURATION);
        world
    }

    /// A world with a token.
    pub fn with_token(label: &str) -> Self {
        let world = Self::new();
        world.token(label);
        world
    }

    /// Makes another token.
    pub fn token(&self, label: &str) {
        self.run(&["init", "--label", label, "--so-pin-env", "SO_PIN", "--pin-env", "USER_PIN"]).ok();
    }

    /// A path in the world.
    pub fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file that only its owner can read.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.at(name);
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    /// The command with these arguments, not yet started.
    pub fn command(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(args)
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.folder.path())
            .env("PERILUNE_CONF", self.at("perilune.toml"))
            .env("SO_PIN", SO_PIN)
            .env("USER_PIN", USER_PIN)
            .env("WRONG_PIN", "wrong-pin")
            .env("NEW_PIN", "new-pin-1")
            .stdin(Stdio::null());
        command
    }

    /// Runs the command.
    pub fn run(&self, args: &[&str]) -> Outcome {
        Outcome::of(self.command(PERILUNE, args).output().unwrap())
    }

    /// Runs the command and reads the JSON value `name` that it prints.
    pub fn json(&self, args: &[&str], name: &str) -> Value {
        let outcome = self.run(args);
        let value: Value = serde_json::from_str(&outcome.out).unwrap_or_else(|error| panic!("{error}: {outcome:?}"));
        assert_eq!(value["version"], 1);
        assert!(value.get(name).is_some(), "{value}");
        value[name].clone()
    }

    /// The objects, as JSON, with the user logged in.
    pub fn objects(&self) -> Vec<Value> {
        self.json(&["objects", "--json", "--pin-env", "USER_PIN"], "objects").as_array().unwrap().clone()
    }

    /// Imports a file as the user.
    pub fn import(&self, args: &[&str]) -> Outcome {
        self.run(&[&["import", "--pin-env", "USER_PIN"], args].concat())
    }

    /// Runs OpenSSL, which must succeed, and returns what it prints.
    pub fn openssl(&self, args: &[&str]) -> String {
        let output = self.command("openssl", args).output().unwrap();
        assert!(output.status.success(), "openssl {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Outcome {
    /// How a finished process ended.
    pub fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Expects success.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }

    /// Expects this exit code, and one line on standard error with all of `parts`.
    #[track_caller]
    pub fn fails(self, code: i32, parts: &[&str]) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        assert_eq!(self.err.trim_end().lines().count(), 1, "an error is one line: {self:?}");
        for part in parts {
            assert!(self.err.contains(part), "{part:?} is not in {self:?}");
        }
        self
    }
}

/// All files and folders below a folder.
pub fn below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(below(&path));
        }
        found.push(path);
    }
    found
}

/// The built command.
pub const PERILUNE: &str = env!("CARGO_BIN_EXE_perilune");

const CONFIGURATION: &str = "store = \"store\"\n[kdf]\nmemory_kib = 8\npasses = 1\nlanes = 1\n";
