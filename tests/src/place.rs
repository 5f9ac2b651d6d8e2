//! A place of its own for each test: configuration, store, home and files in one temporary folder.
//!
//! Owns: the environment that a test's processes see. Does not know: what the test does there.

use crate::{module, outside};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// The label of the token that tests make.
pub const TOKEN_LABEL: &str = "acceptance";
/// The SO PIN of that token.
pub const SO_PIN: &str = "so-pin-4711";
/// The user PIN of that token.
pub const USER_PIN: &str = "user-pin-0815";

/// A temporary folder with a configuration for the module; removed at the end.
pub struct Place {
    folder: PathBuf,
    _owner: Option<TempDir>,
}

impl Place {
    /// Makes a new place with an empty store.
    #[must_use]
    pub fn new() -> Self {
        let owner = TempDir::with_prefix("perilune-test-").expect("a temporary folder");
        let place = Self { folder: owner.path().to_path_buf(), _owner: Some(owner) };
        place.configure("");
        std::fs::create_dir(place.file("softhsm")).expect("a folder");
        let softhsm = format!("directories.tokendir = {}\nlog.level = ERROR\n", place.file("softhsm").display());
        std::fs::write(place.file("softhsm2.conf"), softhsm).expect("a file");
        let kryoptic = format!("[[slots]]\nslot = 0\ndbtype = \"sqlite\"\ndbargs = {:?}\n", place.file("kryoptic.sql"));
        std::fs::write(place.file("kryoptic.conf"), kryoptic).expect("a file");
        place
    }

    /// Takes over the place that the parent process made.
    #[must_use]
    pub fn existing(folder: &Path) -> Self {
        Self { folder: folder.to_path_buf(), _owner: None }
    }

    /// Writes the configuration: the store in this place, a cheap PIN derivation, and `more` lines.
    pub fn configure(&self, more: &str) {
        let store = self.store();
        let text = format!("store = {store:?}\n{more}\n[kdf]\nmemory_kib = 64\npasses = 1\n");
        std::fs::write(self.file("perilune.toml"), text).expect("a file");
    }

    /// A file of this place.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A file of this place as text, for command lines.
    #[must_use]
    pub fn text(&self, name: &str) -> String {
        self.file(name).to_string_lossy().into_owned()
    }

    /// The place's own folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder of the store.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        if module::is_perilune() { self.file("store") } else { self.file("softhsm") }
    }

    /// Writes a file of this place and returns its path as text.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        std::fs::write(self.file(name), content).expect("a file");
        self.text(name)
    }

    /// Reads a file of this place.
    #[must_use]
    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.file(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// The variables that make a process use this place.
    #[must_use]
    pub fn environment(&self) -> Vec<(&'static str, OsString)> {
        vec![
            ("PERILUNE_CONF", self.file("perilune.toml").into()),
            ("SOFTHSM2_CONF", self.file("softhsm2.conf").into()),
            ("KRYOPTIC_CONF", self.file("kryoptic.conf").into()),
            ("HOME", self.folder.clone().into()),
            ("XDG_DATA_HOME", self.file("data").into()),
            ("XDG_CONFIG_HOME", self.file("config").into()),
            ("LC_ALL", "C.UTF-8".into()),
        ]
    }

    /// A command that runs in this place, with nothing on its standard input.
    #[must_use]
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.folder).envs(self.environment()).stdin(std::process::Stdio::null());
        command.env_remove("PERILUNE_LOG");
        command
    }

    /// Runs pkcs11-tool with the module under test and returns what it printed.
    pub fn pkcs11_tool(&self, arguments: &[&str]) -> String {
        outside::output(self.pkcs11_tool_command(arguments))
    }

    /// Runs pkcs11-tool logged in as the user.
    pub fn pkcs11_tool_user(&self, arguments: &[&str]) -> String {
        let mut all = vec!["--login", "--pin", USER_PIN, "--token-label", TOKEN_LABEL];
        all.extend(arguments);
        self.pkcs11_tool(&all)
    }

    /// The command that `pkcs11_tool` runs.
    #[must_use]
    pub fn pkcs11_tool_command(&self, arguments: &[&str]) -> Command {
        let mut command = self.command("pkcs11-tool");
        command.arg("--module").arg(module::path()).args(arguments);
        command
    }

    /// Makes the token `TOKEN_LABEL` with both PINs set, by pkcs11-tool.
    pub fn with_token(self) -> Self {
        let label = ["--init-token", "--slot-index", "0", "--label", TOKEN_LABEL, "--so-pin", SO_PIN];
        self.pkcs11_tool(&label);
        self.pkcs11_tool(&[
            "--token-label",
            TOKEN_LABEL,
            "--init-pin",
            "--login",
            "--login-type",
            "so",
            "--so-pin",
            SO_PIN,
            "--pin",
            USER_PIN,
        ]);
        self
    }

    /// Every file of the store with its content, sorted.
    #[must_use]
    pub fn store_content(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut found = Vec::new();
        let mut folders = vec![self.store()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).expect("the store's folder").flatten() {
                let path = entry.path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    found.push((path.clone(), std::fs::read(&path).expect("a file of the store")));
                }
            }
        }
        found.sort();
        found
    }
}

impl Default for Place {
    fn default() -> Self {
        Self::new()
    }
}

/// Public keys of the token as other programs read them.
impl Place {
    /// Writes the public key with this ID to `public.pem`, from what pkcs11-tool lists of it.
    ///
    /// Its own `--read-object` uses freed memory for elliptic keys (0.23) and then often fails.
    pub fn public_pem(&self, id: &str) {
        // The list holds other keys, too: --id does not narrow it.
        let all = self.pkcs11_tool_user(&["-O", "--type", "pubkey"]);
        let listed = all.split("Public Key Object").find(|one| one.contains(&format!("ID:         {id}\n")));
        let listed = listed.unwrap_or_else(|| panic!("no public key {id} in:\n{all}"));
        let field = |name: &str| -> Option<Vec<u8>> {
            let digits = listed.split(name).nth(1)?.split_whitespace().next()?;
            digits.as_bytes().chunks(2).map(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok()).collect()
        };
        match (field("EC_POINT: "), field("EC_PARAMS:")) {
            (Some(point), Some(curve)) => {
                self.write("public.der", outside::subject_public_key(&curve, &point));
            }
            _ => {
                let read = ["--read-object", "--type", "pubkey", "--id", id, "-o", "public.der"];
                self.pkcs11_tool_user(&read);
            }
        }
        outside::openssl(self, &["pkey", "-pubin", "-inform", "DER", "-in", "public.der", "-out", "public.pem"]);
    }
}

/// OpenSSL with its pkcs11 engine on the module under test.
impl Place {
    /// A key of the token as the engine names it.
    #[must_use]
    pub fn engine_key(label: &str) -> String {
        format!("pkcs11:token={TOKEN_LABEL};object={label};type=private;pin-value={USER_PIN}")
    }

    /// The command `openssl` with the engine configured.
    #[must_use]
    pub fn engine_command(&self, arguments: &[&str]) -> Command {
        let module = module::path().display();
        let text = format!(
            "openssl_conf = start\n[start]\nengines = engines\n[engines]\npkcs11 = pkcs11\n[pkcs11]\n\
             engine_id = pkcs11\nMODULE_PATH = {module}\ninit = 0\n[req]\ndistinguished_name = dn\n[dn]\n\
             [ca]\nbasicConstraints = critical, CA:true\nkeyUsage = keyCertSign\n\
             [leaf]\nkeyUsage = digitalSignature, keyEncipherment\n\
             [tls]\nbasicConstraints = critical, CA:true\nkeyUsage = digitalSignature, keyEncipherment, keyCertSign\n\
             [code]\nkeyUsage = digitalSignature\nextendedKeyUsage = codeSigning\n"
        );
        let mut command = self.command("openssl");
        command.env("OPENSSL_CONF", self.write("engine.cnf", text)).args(arguments);
        command
    }

    /// Runs `openssl` with the engine configured; it must succeed.
    pub fn engine(&self, arguments: &[&str]) -> String {
        outside::output(self.engine_command(arguments))
    }

    /// Generates a key pair in the token.
    pub fn key_pair(&self, kind: &str, id: &str, label: &str) {
        let usage = if kind.starts_with("rsa") { "--usage-decrypt" } else { "--usage-derive" };
        let arguments = ["--keypairgen", "--key-type", kind, "--id", id, "--label", label, "--usage-sign", usage];
        self.pkcs11_tool_user(&arguments);
    }

    /// A certificate that the token's key `label` signs itself, in `file`.
    pub fn self_signed(&self, label: &str, file: &str, section: &str) {
        let (key, subject) = (Self::engine_key(label), format!("/CN={label}"));
        self.engine(&[
            "req",
            "-new",
            "-x509",
            "-engine",
            "pkcs11",
            "-keyform",
            "engine",
            "-key",
            &key,
            "-subj",
            &subject,
            "-days",
            "30",
            "-sha256",
            "-extensions",
            section,
            "-out",
            file,
        ]);
    }
}
