//! The old token: SoftHSM2 on a folder of this place, what is put into it, and the command that takes it over.

use perilune_tests::ck::*;
use perilune_tests::raw::{answer, plain};
use perilune_tests::{Place, Raw, SO_PIN, TOKEN_LABEL, Template, USER_PIN, ck, module, outside};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::ptr::null_mut;

/// SoftHSM2's library; Debian has it in one place on all architectures.
pub const SOFTHSM: &str = "/usr/lib/softhsm/libsofthsm2.so";

pub const P256: &[u8] = &[0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07];
pub const P384: &[u8] = &[0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x22];
pub const P521: &[u8] = &[0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x23];
pub const K256: &[u8] = &[0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x0A];
pub const P224: &[u8] = &[0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x21];
pub const ED25519: &[u8] = &[0x06, 0x03, 0x2B, 0x65, 0x70];
pub const ED25519_NAME: &[u8] = b"\x13\x0cedwards25519";
pub const X25519: &[u8] = &[0x06, 0x03, 0x2B, 0x65, 0x6E];
pub const ED448: &[u8] = &[0x06, 0x03, 0x2B, 0x65, 0x71];

/// Whether there is something to migrate to; builds the command, which a scenario's own process does not.
pub fn can_migrate() -> bool {
    module::is_perilune() && module::admin().is_file()
}

/// SoftHSM2, loaded and initialised.
pub fn start() -> Raw {
    let raw = Raw::load_path(Path::new(SOFTHSM));
    assert_eq!(ck!(raw, C_Initialize, null_mut()), CKR_OK);
    raw
}

/// A read-write session of the user on a token.
pub fn user(raw: &Raw, label: &str) -> CK_SESSION_HANDLE {
    let session = raw.session(raw.slot_of(label).expect("the token"));
    assert_eq!(raw.login(session, CKU_USER, USER_PIN), Ok(()));
    session
}

/// Makes a token with a few objects and nothing odd about it, and ends SoftHSM2.
pub fn small_token() {
    let raw = start();
    raw.new_token();
    let session = user(&raw, TOKEN_LABEL);
    let more = Template::new().flag(CKA_TOKEN, true).text(CKA_LABEL, "ec");
    raw.ec(session, CKM_EC_KEY_PAIR_GEN, P256, &more).expect("a pair");
    for (label, private) in [("public", false), ("private", true)] {
        raw.create(session, data(label, private)).expect("data");
    }
    raw.finalize();
}

/// A data object.
pub fn data(label: &str, private: bool) -> Template {
    Template::new()
        .number(CKA_CLASS, CKO_DATA)
        .flag(CKA_TOKEN, true)
        .flag(CKA_PRIVATE, private)
        .text(CKA_LABEL, label)
        .bytes(CKA_VALUE, b"value")
}

/// C_CreateObject with templates inside the template.
pub fn create_with(
    raw: &Raw,
    session: CK_SESSION_HANDLE,
    mut template: Template,
    nested: &mut [(CK_ATTRIBUTE_TYPE, Template)],
) -> CK_OBJECT_HANDLE {
    let mut list = template.attributes();
    let mut inner: Vec<(CK_ATTRIBUTE_TYPE, Vec<CK_ATTRIBUTE>)> =
        nested.iter_mut().map(|(kind, template)| (*kind, template.attributes())).collect();
    for (kind, list_of) in &mut inner {
        list.push(CK_ATTRIBUTE {
            type_: *kind,
            pValue: list_of.as_mut_ptr().cast(),
            ulValueLen: size_of_val(list_of.as_slice()) as CK_ULONG,
        });
    }
    let mut object = 0;
    let code = ck!(raw, C_CreateObject, session, list.as_mut_ptr(), list.len() as CK_ULONG, &mut object);
    assert_eq!(answer(code), Ok(()));
    object
}

/// A secret key that is generated in the token.
pub fn secret(raw: &Raw, session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_TYPE, bytes: CK_ULONG, more: &Template) {
    let mut template = Template::new().flag(CKA_TOKEN, true).flag(CKA_PRIVATE, true).and(more);
    if bytes > 0 {
        template = template.number(CKA_VALUE_LEN, bytes);
    }
    raw.generate(session, plain(mechanism), template).expect("a secret key");
}

/// The command on this place, with the PINs in its environment.
pub fn migrate(place: &Place, more: &[&str]) -> Command {
    let mut command = perilune(place, &["migrate", "--so-pin-env", "OLD_SO_PIN", "--pin-env", "OLD_USER_PIN"]);
    command.args(more).env("OLD_SO_PIN", SO_PIN).env("OLD_USER_PIN", USER_PIN);
    command
}

/// The command `perilune` on this place.
pub fn perilune(place: &Place, arguments: &[&str]) -> Command {
    let mut command = place.command(module::admin());
    command.args(arguments);
    command
}

/// Runs the migration, which must succeed, and reads its report.
pub fn migrated(place: &Place, more: &[&str]) -> serde_json::Value {
    let mut command = migrate(place, more);
    command.arg("--json");
    let text = outside::output(command);
    let report: serde_json::Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(report["version"], 1);
    report["migrated"].clone()
}

/// How many objects have a state in a report.
pub fn count(report: &serde_json::Value, state: &str) -> usize {
    report["objects"].as_array().expect("objects").iter().filter(|object| object["state"] == state).count()
}

/// Every file of SoftHSM2's store with its content, its times of change and its rights.
pub fn snapshot(place: &Place) -> Vec<(PathBuf, Vec<u8>, i64, i64, u32)> {
    let mut found = Vec::new();
    let mut folders = vec![place.file("softhsm")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder").flatten() {
            let (path, about) = (entry.path(), entry.metadata().expect("a file"));
            let content = if path.is_dir() { Vec::new() } else { std::fs::read(&path).expect("a file") };
            found.push((path.clone(), content, about.mtime_nsec(), about.ctime_nsec(), about.mode()));
            if path.is_dir() {
                folders.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The object files of the only token, sorted.
pub fn object_files(place: &Place) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = snapshot(place).into_iter().map(|file| file.0).collect();
    files.retain(|path| path.extension().is_some_and(|suffix| suffix == "object") && !path.ends_with("token.object"));
    files
}

/// The tokens that `perilune` sees.
pub fn tokens(place: &Place) -> Vec<serde_json::Value> {
    let text = outside::output(perilune(place, &["slots", "--json"]));
    let slots: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let slots = slots["slots"].as_array().expect("slots").clone();
    slots.into_iter().filter(|slot| slot["initialised"] == true).collect()
}
