//! What each client needs to be told, with the paths of this machine filled in.
//!
//! Owns: one row a client. Does not know: whether anything is in order. Rule source: each client's manual.

use super::places::library_folders;
use crate::token::Token;
use crate::uri;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// A client and what it needs to be told.
#[derive(Serialize)]
pub struct Client {
    /// Its name.
    pub name: &'static str,
    /// The program or plug-in that was found on this machine.
    pub found: Option<String>,
    /// Commands, or lines for its configuration.
    pub lines: String,
}

/// What the texts are filled with.
struct Facts {
    module: String,
    engine: Option<PathBuf>,
    provider: Option<PathBuf>,
    uri: String,
    slot: Option<u64>,
}

/// All clients.
pub fn all(module: Option<&Path>, token: Option<&Token>) -> Vec<Client> {
    let facts = Facts {
        module: module.map_or_else(|| "/path/to/libperilune_pkcs11.so".to_owned(), |path| path.display().to_string()),
        engine: plug_in("engines-3", "pkcs11.so").or_else(|| plug_in("engines-1.1", "pkcs11.so")),
        provider: plug_in("ossl-modules", "pkcs11.so"),
        uri: token.map_or_else(|| "pkcs11:token=LABEL".to_owned(), |token| uri::short(&token.label())),
        slot: token.map(|token| token.slot.0),
    };
    let client = |name, found: Option<PathBuf>, lines| Client {
        name,
        found: found.map(|path| path.display().to_string()),
        lines,
    };
    vec![
        client("pkcs11-tool of OpenSC", program("pkcs11-tool"), pkcs11_tool(&facts)),
        client("OpenSSL by its engine (libp11)", facts.engine.clone(), engine(&facts)),
        client("OpenSSL by its provider (pkcs11-provider)", facts.provider.clone(), provider(&facts)),
        client("osslsigncode", program("osslsigncode"), osslsigncode(&facts)),
        client("p11-kit: GnuTLS, curl, and every program that asks p11-kit", program("p11-kit"), p11_kit(&facts)),
        client("Java: keytool, jarsigner (SunPKCS11)", program("java"), java(&facts)),
        client("OpenSSH", program("ssh"), openssh(&facts)),
        client("NSS: Firefox, Chromium, certutil", program("modutil"), nss(&facts)),
    ]
}

fn pkcs11_tool(Facts { module, .. }: &Facts) -> String {
    format!("pkcs11-tool --module {module} --list-slots\n")
}

fn engine(Facts { module, engine, uri, .. }: &Facts) -> String {
    let (path, install) = path_or(engine, "engines-3/pkcs11.so", "libengine-pkcs11-openssl");
    format!(
        "{install}\
# for one command:
PKCS11_MODULE_PATH={module} openssl req -new -engine pkcs11 -keyform engine -key '{uri};object=KEY' -subj /CN=NAME
# for good, in openssl.cnf:
openssl_conf = openssl_init
[openssl_init]
engines = engine_section
[engine_section]
pkcs11 = pkcs11_section
[pkcs11_section]
engine_id = pkcs11
dynamic_path = {path}
MODULE_PATH = {module}
init = 0
"
    )
}

fn provider(Facts { module, provider, uri, .. }: &Facts) -> String {
    let (path, install) = path_or(provider, "ossl-modules/pkcs11.so", "pkcs11-provider");
    format!(
        "{install}\
# in openssl.cnf:
openssl_conf = openssl_init
[openssl_init]
providers = provider_section
[provider_section]
default = default_section
pkcs11 = pkcs11_section
[default_section]
activate = 1
[pkcs11_section]
module = {path}
pkcs11-module-path = {module}
activate = 1
# then keys are named like files: openssl pkey -in '{uri};object=KEY;type=private' -pubout
"
    )
}

fn osslsigncode(Facts { module, engine, uri, .. }: &Facts) -> String {
    let (path, install) = path_or(engine, "engines-3/pkcs11.so", "libengine-pkcs11-openssl");
    format!(
        "{install}\
# osslsigncode 2.5 (Debian 12) finds the engine by itself, and fails with -pkcs11engine: leave that option out
osslsigncode sign -pkcs11engine {path} \\
    -pkcs11module {module} \\
    -pkcs11cert '{uri};object=CERTIFICATE' -key '{uri};object=KEY' \\
    -readpass PINFILE -h sha256 -in program.exe -out signed.exe
"
    )
}

fn p11_kit(Facts { module, .. }: &Facts) -> String {
    format!(
        "\
# the file /usr/share/p11-kit/modules/perilune.module (for one user ~/.config/pkcs11/modules/perilune.module):
module: {module}
# then: p11-kit list-modules; p11tool --list-all
"
    )
}

fn java(Facts { module, slot, .. }: &Facts) -> String {
    // Without a slot SunPKCS11 takes the first one, which may be the spare one without a token.
    let slot = slot.map_or_else(|| "N".to_owned(), |slot| slot.to_string());
    format!(
        "\
# a file perilune.cfg:
name = Perilune
library = {module}
slot = {slot}
# then:
keytool -list -keystore NONE -storetype PKCS11 -addprovider SunPKCS11 -providerarg perilune.cfg
jarsigner -keystore NONE -storetype PKCS11 -addprovider SunPKCS11 -providerarg perilune.cfg JAR ALIAS
"
    )
}

fn openssh(Facts { module, .. }: &Facts) -> String {
    format!(
        "\
ssh-keygen -D {module}          # prints the public keys for authorized_keys
ssh -I {module} HOST            # or `PKCS11Provider {module}` in ~/.ssh/config
# an agent loads modules from /usr/lib and /usr/local/lib only, unless it was started with -P:
ssh-agent -P {module}
ssh-add -s {module}
"
    )
}

fn nss(Facts { module, .. }: &Facts) -> String {
    format!("modutil -dbdir sql:$HOME/.pki/nssdb -add Perilune -libfile {module}\n")
}

/// The path of a plug-in, or where it would be and how to install it.
fn path_or(found: &Option<PathBuf>, usual: &str, package: &str) -> (String, String) {
    match found {
        Some(path) => (path.display().to_string(), String::new()),
        None => (
            format!("/usr/lib/{}-linux-gnu/{usual}", std::env::consts::ARCH),
            format!("# not installed: apt-get install {package}\n"),
        ),
    }
}

/// A plug-in of OpenSSL in one of the system's library folders.
fn plug_in(folder: &str, file: &str) -> Option<PathBuf> {
    ["/usr/local/lib", "/usr/lib", "/usr/lib64"]
        .iter()
        .flat_map(|library| library_folders(Path::new(library)))
        .map(|library| library.join(folder).join(file))
        .find(|path| path.is_file())
}

/// A program on the search path.
fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| path.is_file())
}
