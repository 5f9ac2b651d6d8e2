//! A module under test: where it is, how its token is made, its PINs.
//!
//! Owns: the option `--module` and its words. Called from `main` and, with the same words, in each case's process.

use perilune_tests::{Place, SO_PIN, TOKEN_LABEL, USER_PIN, outside};
use std::ffi::OsString;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

/// How a token comes into being in the place of each case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prepare {
    /// By the module's own C_InitToken and C_InitPIN.
    InitToken,
    /// By `softhsm2-util`.
    SoftHsmUtil,
    /// By `perilune init`.
    Perilune,
    /// It is there already, in whatever configuration the caller's environment names, and all cases share it.
    Exists,
}

/// What stands between a case and the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// Nothing.
    Nothing,
    /// p11-kit's server and its client.
    Server,
    /// OpenSC's spy, which reads and prints every argument and answer.
    Spy,
}

/// A module under test.
#[derive(Debug, Clone)]
pub struct Contestant {
    /// What the report calls it.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// The label of the token.
    pub token: String,
    /// The Security Officer's PIN.
    pub so_pin: String,
    /// The user's PIN.
    pub pin: String,
    /// How the token is made.
    pub prepare: Prepare,
    /// What the report says of it: its version.
    pub note: String,
    /// How it is reached.
    pub via: Via,
}

impl Contestant {
    /// Reads `name=...,path=...` with optional `token`, `so-pin`, `pin`, `prepare`, `note`, `via`.
    ///
    /// # Errors
    /// What is wrong with the words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut found = Self {
            name: "module".into(),
            path: PathBuf::new(),
            token: TOKEN_LABEL.into(),
            so_pin: SO_PIN.into(),
            pin: USER_PIN.into(),
            prepare: Prepare::InitToken,
            note: String::new(),
            via: Via::Nothing,
        };
        for part in text.split(',') {
            let (key, value) = part.split_once('=').ok_or_else(|| format!("{part}: not name=value"))?;
            match key {
                "name" => found.name = value.into(),
                "path" => found.path = value.into(),
                "token" => found.token = value.into(),
                "so-pin" => found.so_pin = value.into(),
                "pin" => found.pin = value.into(),
                "note" => found.note = value.into(),
                "via" => found.via = named(&CARRIERS, value)?,
                "prepare" => found.prepare = named(&NAMES, value)?,
                _ => return Err(format!("{key}: unknown word of --module")),
            }
        }
        if found.path.is_file() { Ok(found) } else { Err(format!("{}: no file", found.path.display())) }
    }

    /// The words that [`Self::parse`] reads.
    pub fn words(&self) -> String {
        let prepare = NAMES.iter().find(|(one, _)| *one == self.prepare).map_or("", |(_, name)| name);
        let via = CARRIERS.iter().find(|(one, _)| *one == self.via).map_or("", |(_, name)| name);
        let Self { name, token, so_pin, pin, .. } = self;
        let path = self.path.display();
        format!("name={name},path={path},token={token},so-pin={so_pin},pin={pin},prepare={prepare},via={via}")
    }

    /// What a process loads: the module, or what passes calls on to it.
    pub fn library(&self) -> &Path {
        match self.via {
            Via::Nothing => &self.path,
            Via::Server => Path::new(CLIENT),
            Via::Spy => Path::new(SPY),
        }
    }

    /// What the process of a case must know to reach the module.
    pub fn environment(&self, place: &Place) -> Vec<(&'static str, OsString)> {
        match self.via {
            Via::Nothing => Vec::new(),
            Via::Server => vec![("P11_KIT_SERVER_ADDRESS", format!("unix:path={}", place.text("socket")).into())],
            Via::Spy => vec![("PKCS11SPY", self.path.clone().into()), ("PKCS11SPY_OUTPUT", "/dev/null".into())],
        }
    }

    /// Starts p11-kit's server on the module, where it is to be reached through one.
    pub fn serve(&self, place: &Place) -> Option<Server> {
        if self.via != Via::Server {
            return None;
        }
        let mut command = place.command("p11-kit");
        command.args(["server", "--foreground", "--provider"]).arg(&self.path);
        command.arg("--name").arg(place.file("socket")).arg("pkcs11:");
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let server = Server(command.spawn().expect("p11-kit starts"));
        for _ in 0..1000 {
            // The file is there before somebody listens.
            if UnixStream::connect(place.file("socket")).is_ok() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        Some(server)
    }

    /// Makes the token where a program of its own does that.
    pub fn prepare(&self, place: &Place) {
        let mut command = match self.prepare {
            Prepare::InitToken | Prepare::Exists => return,
            Prepare::SoftHsmUtil => {
                let mut command = place.command("softhsm2-util");
                command.args(["--init-token", "--free", "--label", &self.token]);
                command.args(["--so-pin", &self.so_pin, "--pin", &self.pin]);
                command
            }
            Prepare::Perilune => {
                let mut command = place.command(perilune_tests::module::admin());
                command.args([
                    "init",
                    "--label",
                    &self.token,
                    "--so-pin-env",
                    "HOSTILE_SO",
                    "--pin-env",
                    "HOSTILE_PIN",
                ]);
                command.env("HOSTILE_SO", &self.so_pin).env("HOSTILE_PIN", &self.pin);
                command
            }
        };
        command.stdout(Stdio::null());
        outside::output(command);
    }
}

/// Debian's place of the module that speaks to p11-kit's server.
pub const CLIENT: &str = "/usr/lib/x86_64-linux-gnu/pkcs11/p11-kit-client.so";

/// Debian's place of OpenSC's spy.
pub const SPY: &str = "/usr/lib/x86_64-linux-gnu/pkcs11/pkcs11-spy.so";

/// A server that ends with its case.
pub struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // One that has ended already is an error that is no harm.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const NAMES: [(Prepare, &str); 4] = [
    (Prepare::InitToken, "init-token"),
    (Prepare::SoftHsmUtil, "softhsm2-util"),
    (Prepare::Perilune, "perilune"),
    (Prepare::Exists, "exists"),
];

const CARRIERS: [(Via, &str); 3] = [(Via::Nothing, "nothing"), (Via::Server, "server"), (Via::Spy, "spy")];

/// The row of this name.
fn named<T: Copy>(rows: &[(T, &str)], text: &str) -> Result<T, String> {
    let known = rows.iter().find(|(_, name)| *name == text).map(|(one, _)| *one);
    let names: Vec<_> = rows.iter().map(|(_, name)| *name).collect();
    known.ok_or_else(|| format!("{text}: none of {}", names.join(", ")))
}
