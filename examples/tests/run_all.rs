//! Runs every example on a store of its own, and proves what it made without the token.
//!
//! An example whose tool is not on this machine is skipped, and says so. `PERILUNE_MODULE` names a module
//! that is built already; without it the debug module is built here.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on ends"
)]

use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use tempfile::TempDir;

const FIRST_KEY: &str = env!("CARGO_BIN_EXE_first_key");
const ENCRYPT_FILE: &str = env!("CARGO_BIN_EXE_encrypt_file");
const SCRIPT_TOOLS: [&str; 3] = ["bash", "openssl", "pkcs11-tool"];

#[test]
fn first_key_makes_a_signature_that_openssl_verifies() {
    let Some(place) = place("first_key", &["openssl"]) else { return };
    place.write("letter", b"hello");
    let text = place.succeeds(FIRST_KEY, &["letter", "letter.sig", "public.der"]);
    assert!(text.contains("CKR_ATTRIBUTE_SENSITIVE"), "{text}");
    let verify = ["dgst", "-sha256", "-verify", "public.der", "-keyform", "DER", "-signature", "letter.sig", "letter"];
    assert!(place.succeeds("openssl", &verify).contains("Verified OK"));
    place.write("letter", b"hallo");
    place.fails("openssl", &verify);
}

#[test]
fn first_key_uses_the_token_that_is_there() {
    let Some(place) = place("first_key twice", &[]) else { return };
    place.write("letter", b"hello");
    place.succeeds(FIRST_KEY, &["letter", "one.sig", "one.der"]);
    place.succeeds(FIRST_KEY, &["letter", "two.sig", "two.der"]);
    assert_ne!(place.read("one.der"), place.read("two.der"), "each run makes a key");
}

#[test]
fn encrypt_file_gives_the_file_back_and_refuses_a_changed_one() {
    let Some(place) = place("encrypt_file", &[]) else { return };
    let content = b"nobody reads this ".repeat(5000);
    place.write("open", &content);
    place.succeeds(ENCRYPT_FILE, &["encrypt", "open", "sealed"]);
    let sealed = place.read("sealed");
    assert_eq!(sealed.len(), 12 + content.len() + 16);
    assert!(!sealed.windows(9).any(|bytes| bytes == b"nobody re"), "the text shows in the sealed file");
    place.succeeds(ENCRYPT_FILE, &["decrypt", "sealed", "again"]);
    assert_eq!(place.read("again"), content);

    for at in [0, 12, sealed.len() / 2, sealed.len() - 1] {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        place.write("changed", &changed);
        place.fails(ENCRYPT_FILE, &["decrypt", "changed", "nothing"]);
        assert!(!place.folder().join("nothing").exists(), "byte {at}: something was written");
    }
}

#[test]
fn the_c_program_signs_and_openssl_verifies() {
    let Some(place) = place("c/sign.c", &["cc", "openssl"]) else { return };
    place.write("letter", &b"hello".repeat(100_000));
    place.succeeds(FIRST_KEY, &["letter", "unused.sig", "unused.der"]);
    let program = place.compile("sign");
    place.succeeds(
        program,
        &[module().as_os_str(), "examples".as_ref(), "letter".as_ref(), "c.sig".as_ref(), "c.der".as_ref()],
    );
    let verify = ["dgst", "-sha256", "-verify", "c.der", "-keyform", "DER", "-signature", "c.sig", "letter"];
    assert!(place.succeeds("openssl", &verify).contains("Verified OK"));
}

#[test]
fn the_c_program_gets_no_private_key_out() {
    let Some(place) = place("c/extract.c", &["cc"]) else { return };
    place.write("letter", b"hello");
    place.succeeds(FIRST_KEY, &["letter", "unused.sig", "unused.der"]);
    let program = place.compile("extract");
    place.succeeds(program, &[module().as_os_str(), "examples".as_ref(), "first key".as_ref()]);
}

/// The proof above is worth something only if the program notices a key that may leave.
#[test]
fn the_c_program_notices_a_key_that_may_leave() {
    let Some(place) = place("c/extract.c on an extractable key", &["cc", "pkcs11-tool"]) else { return };
    place.write("letter", b"hello");
    place.succeeds(FIRST_KEY, &["letter", "unused.sig", "unused.der"]);
    let module = module().to_str().unwrap();
    place.succeeds(
        "pkcs11-tool",
        &["--module", module, "--token-label", "examples", "--login", "--pin", "env:USER_PIN", "--keypairgen"]
            .into_iter()
            .chain(["--key-type", "EC:prime256v1", "--label", "loose", "--extractable"])
            .collect::<Vec<_>>(),
    );
    let text = place.fails(place.compile("extract"), &[module, "examples", "loose"]);
    assert!(text.contains("and should be CKR_KEY_UNEXTRACTABLE"), "{text}");
}

#[test]
fn code_signing_signs_a_windows_program() {
    check_script(
        "code-signing",
        &["cc", "osslsigncode", "unzip"],
        "A Windows program was signed with an RSA and an EC key that never left the token, and proved",
    );
}

#[test]
fn tls_server_proves_itself_with_keys_of_the_token() {
    check_script("tls-server", &[], "A TLS server proved itself four times with keys that stayed in the token.");
}

#[test]
fn certificate_authority_issues_and_revokes() {
    check_script(
        "certificate-authority",
        &[],
        "An authority issued and revoked a certificate with a key that stayed in the token.",
    );
}

#[test]
fn ssh_signs_through_an_agent() {
    check_script("ssh", &["ssh-agent", "ssh-add", "ssh-keygen"], "OpenSSH signed with a key that stayed in the token.");
}

#[test]
fn scripts_refuse_options_that_they_do_not_know() {
    let Some(place) = place("unknown option", &["bash"]) else { return };
    for name in ["code-signing", "tls-server", "certificate-authority", "ssh"] {
        let text = place.fails("bash", &[script(name).as_os_str(), "--modul".as_ref(), module().as_os_str()]);
        assert!(text.contains("usage:"), "{name}: {text}");
    }
}

/// Runs a script to its end; its closing line must be `last`, and nothing may be left behind.
fn check_script(name: &str, tools: &[&str], last: &str) {
    let tools: Vec<&str> = SCRIPT_TOOLS.iter().chain(tools).copied().collect();
    let Some(place) = place(name, &tools) else { return };
    if !engine_is_there() {
        skip(name, "OpenSSL has no pkcs11 engine (Debian package libengine-pkcs11-openssl)");
        return;
    }
    let before = place.files();
    let text = place.succeeds("bash", &[script(name).as_os_str(), "--module".as_ref(), module().as_os_str()]);
    let closing = text.lines().rfind(|line| !line.is_empty()).unwrap_or_default();
    assert!(closing.starts_with(last), "{text}");
    assert_eq!(place.files(), before, "files were left behind");
}

fn script(name: &str) -> PathBuf {
    workspace().join("examples").join(name).join("run.sh")
}

/// A temporary folder with a store, in which an example runs.
struct Place(TempDir);

/// Makes a place; `None`, and a note for the count at the end, when a tool is missing.
fn place(test: &str, tools: &[&str]) -> Option<Place> {
    if let Some(tool) = tools.iter().find(|tool| !has(tool)) {
        skip(test, &format!("no {tool} on this machine"));
        return None;
    }
    let place = Place(TempDir::with_prefix("perilune-examples-").unwrap());
    place.write("perilune.toml", b"store = \"store\"\n[kdf]\nmemory_kib = 64\npasses = 1\n");
    Some(place)
}

impl Place {
    fn folder(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, content: &[u8]) {
        fs::write(self.folder().join(name), content).unwrap();
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.folder().join(name)).unwrap()
    }

    fn files(&self) -> Vec<PathBuf> {
        let mut files: Vec<_> = fs::read_dir(self.folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }

    /// Compiles a C example with all warnings as errors.
    fn compile(&self, name: &str) -> PathBuf {
        let source = workspace().join(format!("examples/c/{name}.c"));
        let program = self.folder().join(name);
        let include = workspace().join("ffi-headers/include");
        let mut arguments: Vec<&OsStr> =
            ["-Wall", "-Wextra", "-Werror", "-std=c11", "-D_POSIX_C_SOURCE=200809L", "-I"].map(OsStr::new).to_vec();
        arguments.extend([
            include.as_os_str(),
            source.as_os_str(),
            "-o".as_ref(),
            program.as_os_str(),
            "-ldl".as_ref(),
        ]);
        self.succeeds("cc", &arguments);
        program
    }

    fn succeeds(&self, program: impl AsRef<OsStr>, arguments: &[impl AsRef<OsStr>]) -> String {
        let (success, text) = self.run(program.as_ref(), arguments);
        assert!(success, "{} failed:\n{text}", program.as_ref().display());
        text
    }

    fn fails(&self, program: impl AsRef<OsStr>, arguments: &[impl AsRef<OsStr>]) -> String {
        let (success, text) = self.run(program.as_ref(), arguments);
        assert!(!success, "{} succeeded, and must not:\n{text}", program.as_ref().display());
        text
    }

    /// Runs a program here, with this place's store and no input; returns what it said.
    fn run(&self, program: &OsStr, arguments: &[impl AsRef<OsStr>]) -> (bool, String) {
        let output = Command::new(program)
            .args(arguments)
            .current_dir(self.folder())
            .env("PERILUNE_CONF", self.folder().join("perilune.toml"))
            .env("PERILUNE_MODULE", module())
            .env("SO_PIN", "so-pin-4711")
            .env("USER_PIN", "user-pin-0815")
            .env("TMPDIR", self.folder())
            .env("HOME", self.folder())
            .env_remove("PERILUNE_LOG")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&text).into_owned())
    }
}

fn has(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(program).is_file()))
}

fn engine_is_there() -> bool {
    let output = Command::new("openssl").args(["version", "-e"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.split('"').nth(1).is_some_and(|folder| Path::new(folder).join("pkcs11.so").exists())
}

/// Notes that an example could not run here, for the count at the end.
fn skip(test: &str, reason: &str) {
    println!("skipped: {test}: {reason}");
    if let Some(notes) = std::env::var_os("PERILUNE_SKIPPED") {
        let mut file = fs::OpenOptions::new().create(true).append(true).open(notes).unwrap();
        writeln!(file, "{test}: {reason}").unwrap();
    }
}

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The module that the examples load.
fn module() -> &'static Path {
    static MODULE: OnceLock<PathBuf> = OnceLock::new();
    MODULE.get_or_init(|| {
        if let Some(module) = std::env::var_os("PERILUNE_MODULE") {
            return PathBuf::from(module);
        }
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut build = Command::new(cargo);
        build.args(["build", "--quiet", "--locked", "-p", "pkcs11-module"]).current_dir(workspace());
        assert!(build.status().unwrap().success(), "the module does not build");
        let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
        workspace().join(target).join("debug/libperilune_pkcs11.so")
    })
}
