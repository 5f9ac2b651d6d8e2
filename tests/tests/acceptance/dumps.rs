//! Core dumps of a host that is logged in and in the middle of using keys: nothing of a secret is in them.
//!
//! Each secret is found when all of the memory is searched, which proves the search and that the secret is there; a marker beside the secrets is found
//! in the dump, which proves the dump. First the kernel's own word on each page is asked (`dd`: left out of dumps), which needs no tool;
//! then a debugger writes a dump, and the kernel.

use crate::memory::{KINDS, attribute, create, secret};
use perilune_tests::ck::*;
use perilune_tests::image::{Planted, Region, regions};
use perilune_tests::raw::{Answer, answer, input, plain, sized, with_bytes};
use perilune_tests::{Place, Raw, Template, USER_PIN, ck, isolated, module, outside};
use std::ffi::CString;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A host in the middle of its work.
struct Host {
    raw: Raw,
    session: CK_SESSION_HANDLE,
    /// Its secrets that are in memory.
    secrets: Vec<(String, Planted)>,
    /// What is in memory no longer, or never was but during a call.
    gone: Vec<(String, Planted)>,
}

/// Why RSA is left out.
const ML_KEM_ON_HEAP: &str = "a part of the seed is left on the ordinary heap";
const RSA_ON_HEAP: &str = "the numbers of the crate `rsa` lie on the ordinary heap";
/// Why the stack is left out.
const LEAVES_COPIES: &str = "the crates of the portable engine leave copies of keys on the stack";

impl Host {
    fn start(place: &Place) -> Self {
        let raw = Raw::start();
        let slot = raw.new_token();
        let session = raw.session(slot);
        assert_eq!(raw.login(session, CKU_USER, USER_PIN), Ok(()));
        let pin = Planted::random(24, |byte| b'!' + byte % 90);
        let (old, old_length) = input(USER_PIN.as_bytes());
        let set =
            |new: &mut [u8]| ck!(raw, C_SetPIN, session, old, old_length, new.as_mut_ptr(), new.len() as CK_ULONG);
        assert_eq!(pin.lend(set), CKR_OK);
        assert_eq!(ck!(raw, C_Logout, session), CKR_OK);
        let login = |pin: &mut [u8]| ck!(raw, C_Login, session, CKU_USER, pin.as_mut_ptr(), pin.len() as CK_ULONG);
        assert_eq!(pin.lend(login), CKR_OK);

        let mut this = Self { raw, session, secrets: Vec::new(), gone: vec![("PIN".into(), pin)] };
        let device_key = Planted::taken(|room| {
            let file = File::open(place.store().join("device.key"));
            file.and_then(|mut file| file.read(room)).expect("the device key")
        });
        this.gone.push(("device key".into(), device_key));
        this.use_kinds(slot);
        this.derive();
        if module::has_aws_lc("RSA in core dumps", RSA_ON_HEAP) {
            this.use_rsa();
        }
        this
    }

    /// A key of each kind, used, and in the middle of being used in a session of its own.
    fn use_kinds(&mut self, slot: CK_SLOT_ID) {
        let with_ml_kem = module::has_aws_lc("ML-KEM in core dumps", ML_KEM_ON_HEAP);
        for kind in KINDS.iter().filter(|kind| with_ml_kem || kind.name != "ML-KEM-768") {
            let session = self.raw.session(slot);
            let value = Planted::random(kind.secret.1, kind.shape);
            let template = (kind.template)().flag(CKA_TOKEN, true).flag(CKA_PRIVATE, true).flag(CKA_SENSITIVE, true);
            let key = create(&self.raw, session, template, kind.secret.0, &value)
                .unwrap_or_else(|code| panic!("{}: {code:#x}", kind.name));
            assert_eq!((kind.work)(&self.raw, session, key), Ok(()), "{}", kind.name);
            assert_eq!(begin(&self.raw, session, key, kind.name), Ok(()), "{}", kind.name);
            self.secrets.push((kind.name.into(), value));
        }
    }

    /// A key that was derived in the token; its value is asked for only to be known.
    fn derive(&mut self) {
        let (raw, session) = (&self.raw, self.session);
        let base = Planted::random(40, |byte| byte);
        let template = secret(CKK_GENERIC_SECRET).flag(CKA_DERIVE, true).flag(CKA_TOKEN, false);
        let key = create(raw, session, template, CKA_VALUE, &base).expect("a key to derive from");
        let template = secret(CKK_GENERIC_SECRET).number(CKA_VALUE_LEN, 32).flag(CKA_TOKEN, false);
        let mut template = template.flag(CKA_SIGN, true).flag(CKA_SENSITIVE, false).flag(CKA_EXTRACTABLE, true);
        let (mut attributes, mut derived) = (template.attributes(), 0);
        let (list, count) = (attributes.as_mut_ptr(), attributes.len() as CK_ULONG);
        let mut mechanism = plain(CKM_SHA256_KEY_DERIVATION);
        assert_eq!(ck!(raw, C_DeriveKey, session, &mut mechanism, key, list, count, &mut derived), CKR_OK);
        let value = taken(raw, session, derived, CKA_VALUE);
        raw.sign(session, plain(CKM_SHA256_HMAC), derived, &[1; 100]).expect("a MAC");
        self.secrets.extend([("base of a derivation".into(), base), ("derived".into(), value)]);
    }

    fn use_rsa(&mut self) {
        let (raw, session) = (&self.raw, self.session);
        let public = Template::new().number(CKA_MODULUS_BITS, 2048).flag(CKA_VERIFY, true);
        let private = Template::new().flag(CKA_SIGN, true).flag(CKA_SENSITIVE, false).flag(CKA_EXTRACTABLE, true);
        let pair = raw.generate_pair(session, plain(CKM_RSA_PKCS_KEY_PAIR_GEN), public, private);
        let (_, key) = pair.expect("a pair");
        let parts = [CKA_PRIVATE_EXPONENT, CKA_PRIME_1, CKA_PRIME_2, CKA_EXPONENT_1, CKA_EXPONENT_2, CKA_COEFFICIENT];
        let values = parts.map(|kind| taken(raw, session, key, kind));
        raw.sign(session, plain(CKM_SHA256_RSA_PKCS), key, b"message").expect("a signature");
        let mut mechanism = plain(CKM_SHA256_RSA_PKCS);
        assert_eq!(ck!(raw, C_SignInit, session, &mut mechanism, key), CKR_OK);
        self.secrets.extend(parts.iter().zip(values).map(|(kind, value)| (format!("RSA, attribute {kind:#x}"), value)));
    }

    /// All secrets are found where everything is searched.
    fn check_that_secrets_are_in_memory(&self) {
        for (name, secret) in &self.secrets {
            assert!(!secret.places().is_empty(), "{name}: the search finds what is in use");
        }
    }

    /// None of the secrets is found.
    fn check(&self, what: &str, find: impl Fn(&Planted) -> Vec<String>) {
        let all = self.secrets.iter().chain(&self.gone);
        let found = all.flat_map(|(name, secret)| find(secret).into_iter().map(move |at| format!("{name}: {at}")));
        let found: Vec<_> = found.collect();
        assert!(found.is_empty(), "{what}: {found:#?}");
    }
}

/// The value of an attribute, in memory that is wiped.
fn taken(raw: &Raw, session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE, kind: CK_ATTRIBUTE_TYPE) -> Planted {
    Planted::taken(|room| {
        let mut attribute = attribute(kind, room);
        assert_eq!(ck!(raw, C_GetAttributeValue, session, object, &mut attribute, 1), CKR_OK);
        usize::try_from(attribute.ulValueLen).expect("a length")
    })
}

/// Begins an operation with a key of this kind, and goes half-way where there is a way.
fn begin(raw: &Raw, session: CK_SESSION_HANDLE, key: CK_OBJECT_HANDLE, name: &str) -> Answer<()> {
    let (mechanism, in_parts) = match name {
        "AES" => (CKM_AES_CMAC, true),
        "HMAC with SHA-1" => (CKM_SHA_1_HMAC, true),
        "HMAC with SHA-256" => (CKM_SHA256_HMAC, true),
        "HMAC with SHA-512" => (CKM_SHA512_HMAC, true),
        "HMAC with SHA3-256" => (CKM_SHA3_256_HMAC, true),
        "P-256" | "secp256k1" => (CKM_ECDSA, false),
        "Ed25519" | "Ed448" => (CKM_EDDSA, false),
        "ML-DSA-65" => (CKM_ML_DSA, false),
        // Used and parsed; these have no operation that waits.
        "ChaCha20" | "X25519" | "ML-KEM-768" => return Ok(()),
        other => panic!("{other}: which operation?"),
    };
    answer(ck!(raw, C_SignInit, session, &mut plain(mechanism), key))?;
    let (from, length) = input(&[1; 100]);
    if in_parts {
        answer(ck!(raw, C_SignUpdate, session, from, length))?;
    }
    if name == "AES" {
        answer(ck!(raw, C_EncryptInit, session, &mut with_bytes(CKM_AES_CBC_PAD, &mut [7; 16]), key))?;
        sized(|out, room| ck!(raw, C_EncryptUpdate, session, from, length, out, room))?;
    }
    Ok(())
}

/// What is no secret: a dump has it.
fn marker() -> (Planted, Vec<u8>) {
    let marker = Planted::random(32, |byte| byte);
    let bytes = marker.lend(|bytes| bytes.to_vec());
    (marker, bytes)
}

#[test]
fn of_what_is_in_use_nothing_is_in_the_pages_that_a_dump_takes_along() {
    isolated!(|place, _| {
        let (marker, _bytes) = marker();
        let host = Host::start(place);
        host.check_that_secrets_are_in_memory();
        assert!(!marker.dumped().is_empty(), "the search finds what is no secret");
        let with_stack = module::has_aws_lc("stacks in core dumps", LEAVES_COPIES);
        host.check("dumped", |secret| {
            let mut places = secret.dumped();
            places.retain(|place| with_stack || !place.ends_with("[stack]"));
            places
        });
    });
}

#[test]
fn where_nothing_may_be_locked_work_goes_on() {
    isolated!(|place, _| work_with_limit(place, 0));
}

#[test]
fn where_little_may_be_locked_that_much_is() {
    isolated!(|place, _| work_with_limit(place, 64 << 10));
}

#[test]
fn with_the_limit_that_systems_have_all_pages_with_secrets_are_locked() {
    isolated!(|place, _| work_with_limit(place, 8 << 20));
}

/// Works with a limit for locked memory, and compares what the kernel says is locked.
fn work_with_limit(place: &Place, limit: u64) {
    let bounds = libc::rlimit { rlim_cur: limit, rlim_max: limit };
    // SAFETY: the structure is valid for the call.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &bounds) }, 0);
    give_up_privileges();
    let host = Host::start(place);
    host.check_that_secrets_are_in_memory();
    // What stands by for times when memory is short has no pages yet.
    let left_out = regions()
        .into_iter()
        .filter(|region| region.has_flag("dd") && region.is_writable() && region.resident_kib() > 0);
    let (locked, unlocked): (Vec<_>, Vec<_>) = left_out.partition(|region| region.has_flag("lo"));
    let bytes = |regions: &[Region]| regions.iter().map(Region::bytes).sum::<u64>();
    let (locked, unlocked) = (bytes(&locked), bytes(&unlocked));
    assert!(locked <= limit && locked + unlocked > 0, "{locked} bytes are locked, {unlocked} are not");
    match limit {
        0 => {}
        1..=65_536 => assert_eq!(locked, limit),
        _ => assert_eq!(unlocked, 0),
    }
}

/// Limits bind those who may not pass them, which root may.
fn give_up_privileges() {
    /// `CAP_IPC_LOCK`, from the bounds that this thread's own set is reduced to.
    const IPC_LOCK: u32 = 14;
    #[repr(C)]
    struct Header {
        version: u32,
        process: i32,
    }
    #[repr(C)]
    #[derive(Clone, Copy, Default)]
    struct Set {
        effective: u32,
        permitted: u32,
        inheritable: u32,
    }
    let (mut header, mut sets) = (Header { version: 0x2008_0522, process: 0 }, [Set::default(); 2]);
    // SAFETY: both structures are what this version of the call expects.
    assert_eq!(unsafe { libc::syscall(libc::SYS_capget, &mut header, sets.as_mut_ptr()) }, 0);
    sets[0].effective &= !(1 << IPC_LOCK);
    // SAFETY: as above.
    assert_eq!(unsafe { libc::syscall(libc::SYS_capset, &mut header, sets.as_ptr()) }, 0);
}

#[test]
fn a_debuggers_dump_of_a_host_at_work_has_no_secret_and_neither_has_one_of_its_whole_memory_afterwards() {
    const NAME: &str =
        "a_debuggers_dump_of_a_host_at_work_has_no_secret_and_neither_has_one_of_its_whole_memory_afterwards";
    if !outside::has("gdb") {
        return outside::skip(NAME, "gdb is not on this machine");
    }
    if !module::has_aws_lc(NAME, LEAVES_COPIES) {
        return;
    }
    isolated!(|place, _| {
        let (marker, _bytes) = marker();
        let host = Host::start(place);
        let dump = gdb(&place.file("at-work"), false);
        assert!(marker.count_in(&dump) > 0, "the dump has what is no secret");
        host.check("a dump at work", |secret| vec!["there".into(); secret.count_in(&dump)]);
        // With the pages that are left out, all is there: so it was they that kept it out.
        let whole = gdb(&place.file("whole"), true);
        for (name, secret) in &host.secrets {
            assert!(secret.count_in(&whole) > 0, "{name} is in a dump of everything");
        }
        assert_eq!(ck!(host.raw, C_Logout, host.session), CKR_OK);
        host.raw.finalize();
        let after = gdb(&place.file("after"), true);
        assert!(marker.count_in(&after) > 0, "the dump has what is no secret");
        host.check("a dump of everything afterwards", |secret| vec!["there".into(); secret.count_in(&after)]);
    });
}

/// Has a debugger write a dump of this process, all of its memory or what dumps are meant to have.
fn gdb(file: &Path, whole: bool) -> PathBuf {
    // SAFETY: allows any process of this user to attach, which some systems forbid otherwise.
    unsafe { libc::prctl(libc::PR_SET_PTRACER, libc::PR_SET_PTRACER_ANY, 0, 0, 0) };
    let mut command = Command::new("gdb");
    command.args(["-nx", "-batch", "-p", &std::process::id().to_string()]);
    command.args(["-ex", if whole { "set dump-excluded-mappings on" } else { "set dump-excluded-mappings off" }]);
    command.args(["-ex", &format!("gcore {}", file.display())]);
    let text = outside::output(command);
    assert!(file.exists(), "no dump: {text}");
    file.to_path_buf()
}

#[test]
fn the_kernels_dump_of_a_host_at_work_has_no_secret() {
    const NAME: &str = "the_kernels_dump_of_a_host_at_work_has_no_secret";
    let pattern = std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap_or_default();
    if pattern.starts_with(['|', '/']) || pattern.trim().is_empty() {
        return outside::skip(NAME, "dumps of this machine go elsewhere (/proc/sys/kernel/core_pattern)");
    }
    if !module::has_aws_lc(NAME, LEAVES_COPIES) {
        return;
    }
    isolated!(|place, _| {
        let (marker, _bytes) = marker();
        let host = Host::start(place);
        let folder = place.file("kernel");
        std::fs::create_dir(&folder).expect("a folder");
        dump_a_copy(&folder);
        let mut files = std::fs::read_dir(&folder).expect("the folder").flatten();
        let Some(dump) = files.next() else { panic!("the kernel wrote no dump into {}", folder.display()) };
        assert!(marker.count_in(&dump.path()) > 0, "the dump has what is no secret");
        host.check("the kernel's dump", |secret| vec!["there".into(); secret.count_in(&dump.path())]);
        host.check_that_secrets_are_in_memory();
    });
}

/// Lets the kernel dump a child of this process, which has the same memory, into a folder.
fn dump_a_copy(folder: &Path) {
    let folder = CString::new(folder.as_os_str().as_bytes()).expect("a name");
    let bounds = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: the child calls only what is allowed after a fork.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: the name ends with a zero.
        unsafe { libc::chdir(folder.as_ptr()) };
        // SAFETY: the structure is valid for the call.
        unsafe { libc::setrlimit(libc::RLIMIT_CORE, &bounds) };
        // SAFETY: ends the process.
        unsafe { libc::abort() };
    }
    assert!(child > 0, "a child");
    let mut status = 0;
    // SAFETY: the child is ours, and the place for its status is valid.
    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    assert!(libc::WIFSIGNALED(status), "{status:#x}");
}
