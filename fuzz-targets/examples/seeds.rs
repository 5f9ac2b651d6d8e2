//! Writes the inputs that the corpora began with: `cargo run -p fuzz-targets --example seeds -- FOLDER`.
//!
//! Owns: calls that succeed, found by dice with a seed; real keys, certificates, records, backups, configurations and
//! commands. `make fuzz` goes on from what is kept in `fuzz/corpus`; this is for a target whose encoding has changed.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::print_stdout, reason = "a tool of the developers")]

use ffi_headers::*;
use fuzz_targets::abi::arguments::Arguments;
use fuzz_targets::abi::{functions, world};
use fuzz_targets::backup;
use fuzz_targets::mutation::Dice;
use hsm_core::mechanisms;
use hsm_crypto::stateful::XmssSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Types of RFC 8554, 5.1 and 4.1.
const LMS_SHA256_H5: u32 = 5;
const LMOTS_SHA256_W8: u32 = 4;

/// How often the dice try for a call that succeeds.
const TRIES: usize = 200;

fn main() {
    let folder = PathBuf::from(std::env::args().nth(1).expect("a folder"));
    der(&folder);
    records(&folder);
    configuration(&folder);
    backups(&folder);
    words(&folder);
    programs(&folder);
}

fn write(folder: &Path, target: &str, name: &str, content: &[u8]) {
    let folder = folder.join(target);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(name), content).unwrap();
}

/// For each mechanism and function a call that succeeds, for `calls` and `parameters`; for each function any.
fn programs(folder: &Path) {
    const INITS: &[(&str, CK_FLAGS)] = &[
        ("C_EncryptInit", CKF_ENCRYPT),
        ("C_DecryptInit", CKF_DECRYPT),
        ("C_SignInit", CKF_SIGN),
        ("C_VerifyInit", CKF_VERIFY),
        ("C_DigestInit", CKF_DIGEST),
        ("C_SignRecoverInit", CKF_SIGN_RECOVER),
        ("C_VerifyRecoverInit", CKF_VERIFY_RECOVER),
        ("C_GenerateKey", CKF_GENERATE),
        ("C_GenerateKeyPair", CKF_GENERATE_KEY_PAIR),
        ("C_WrapKey", CKF_WRAP),
        ("C_DeriveKey", CKF_DERIVE),
        ("C_EncapsulateKey", CKF_ENCAPSULATE),
        ("C_MessageEncryptInit", CKF_MESSAGE_ENCRYPT),
        ("C_MessageDecryptInit", CKF_MESSAGE_DECRYPT),
        ("C_VerifySignatureInit", CKF_VERIFY),
    ];
    let mut dice = Dice::new(1);
    let mut found = 0;
    for row in mechanisms::all().filter(|row| row.kind != CKM_SLH_DSA_KEY_PAIR_GEN) {
        for (place, (name, flag)) in INITS.iter().enumerate() {
            if row.info().flags & flag == 0 {
                continue;
            }
            // Session 0, a mechanism, its number, a form; then dice.
            let mut head = vec![functions::number(name), 0, 0, 0];
            head.extend(u32::try_from(row.kind).unwrap().to_be_bytes());
            head.push(0x40);
            if let Some(program) = succeeding(&mut dice, &head) {
                found += 1;
                write(folder, "calls", &format!("{:08x}-{place:02}", row.kind), &program);
                let mut parameters = program.clone();
                parameters[0] = fuzz_targets::parameters::number(name);
                write(folder, "parameters", &format!("{:08x}-{place:02}", row.kind), &parameters);
            }
        }
    }
    for (number, name) in functions::NAMES.iter().enumerate() {
        for round in 0..4 {
            if let Some(program) = succeeding(&mut dice, &[u8::try_from(number).unwrap(), 0]) {
                found += 1;
                write(folder, "calls", &format!("{name}-{round}"), &program);
                write(folder, "templates", &format!("{name}-{round}"), &program);
            }
        }
    }
    println!("{found} calls that succeed");
}

/// The head with a tail of dice with which the call succeeds, followed by more of them.
fn succeeding(dice: &mut Dice, head: &[u8]) -> Option<Vec<u8>> {
    let mut success = None;
    for _ in 0..TRIES {
        let mut program = head.to_vec();
        program.extend(dice.bytes(64));
        world::with(|world| {
            let sessions = vec![world.open(CKF_RW_SESSION), world.open(0)];
            let mut arguments = Arguments::new(&program, sessions, world.planted.clone());
            let number = arguments.program.byte();
            if functions::call(&mut arguments, world, number, true) == CKR_OK {
                let used = program.len() - arguments.program.rest().len();
                let mut program = program[..used].to_vec();
                program.extend(dice.bytes(24));
                success = Some(program);
            }
            world.close(&arguments.sessions);
        });
        if success.is_some() {
            break;
        }
    }
    success
}

/// What `openssl` makes.
fn openssl(arguments: &str) -> Vec<u8> {
    let made = Command::new("openssl").args(arguments.split_whitespace()).output().unwrap();
    assert!(made.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&made.stderr));
    made.stdout
}

/// A public key, the message `seed`, and its signature, of each scheme; the smallest trees.
fn signatures_of_trees(folder: &Path) {
    let engine = hsm_crypto::preferred().stateful;
    let xmss = |set: Option<XmssSet>| (engine.xmss_private)(set.unwrap(), &[3; 96]).unwrap();
    let keys = [
        ("hss", 0, 0, (engine.hss_private)(&[(LMS_SHA256_H5, LMOTS_SHA256_W8)], &[3; 32]).unwrap()),
        ("hss-2", 0, 0, (engine.hss_private)(&[(LMS_SHA256_H5, LMOTS_SHA256_W8); 2], &[3; 32]).unwrap()),
        ("xmss", 1, 1, xmss(XmssSet::xmss(1))),
        ("xmss-mt", 2, 2, xmss(XmssSet::xmss_mt(2))),
    ];
    for (name, scheme, number, key) in keys {
        let public = key.public_key().unwrap();
        let length = u16::try_from(public.len()).unwrap().to_be_bytes();
        let signature = key.sign(0, b"seed").unwrap();
        let content = [&[0xa8, scheme, number], &length[..], &public, &[4], b"seed", &signature].concat();
        write(folder, "der", &format!("trees-{name}"), &content);
    }
}

fn der(folder: &Path) {
    let scratch = folder.join("scratch");
    std::fs::create_dir_all(&scratch).unwrap();
    let kinds = [
        ("rsa", "RSA -pkeyopt rsa_keygen_bits:1024", 0),
        ("p256", "EC -pkeyopt ec_paramgen_curve:P-256", 1),
        ("p384", "EC -pkeyopt ec_paramgen_curve:P-384", 1),
        ("brainpool", "EC -pkeyopt ec_paramgen_curve:brainpoolP256r1", 1),
        ("ed25519", "ED25519", 2),
        ("x25519", "X25519", 3),
        ("ed448", "ED448", 2),
        ("x448", "X448", 3),
    ];
    for (name, algorithm, key_type) in kinds {
        let file = scratch.join("key.pem");
        std::fs::write(&file, openssl(&format!("genpkey -algorithm {algorithm}"))).unwrap();
        let file = file.display();
        let pkcs8 = openssl(&format!("pkcs8 -topk8 -nocrypt -in {file} -outform DER"));
        let spki = openssl(&format!("pkey -in {file} -pubout -outform DER"));
        write(folder, "der", &format!("pkcs8-{name}"), &[&[0], &pkcs8[..]].concat());
        write(folder, "der", &format!("unwrap-{name}"), &[&[0xb0, key_type], &pkcs8[..]].concat());
        write(folder, "der", &format!("spki-{name}"), &[&[0x40], &spki[..]].concat());
        write(folder, "words", &format!("import-{name}"), &[&[0x70], &pkcs8[..]].concat());
        if !name.starts_with('x') {
            let certificate =
                openssl(&format!("req -new -x509 -key {file} -subj /CN=seed/O=of/C=XX -days 30 -outform DER"));
            write(folder, "der", &format!("certificate-{name}"), &[&[0x60], &certificate[..]].concat());
            let pem = openssl(&format!("req -new -x509 -key {file} -subj /CN=seed -days 30"));
            write(folder, "words", &format!("import-pem-{name}"), &[&[0x70], &pem[..]].concat());
        }
    }
    std::fs::remove_dir_all(&scratch).unwrap();
    for (place, curve) in fuzz_targets::abi::stock::CURVES.iter().enumerate() {
        let length = u8::try_from(curve.len()).unwrap();
        let point = fuzz_targets::abi::stock::POINT;
        write(folder, "der", &format!("curve-{place}"), &[&[0x80, 0, length], *curve, point].concat());
        write(folder, "der", &format!("point-{place}"), &[&[0x90, u8::try_from(place).unwrap()], &point[2..]].concat());
    }
    for place in 0..18_u8 {
        let mut dice = Dice::new(u64::from(place));
        for length in [32_u16, 64, 1184, 1312] {
            let key = dice.bytes(usize::from(length));
            let content = [&[0xa0, place], &length.to_be_bytes()[..], &key, &[0, 0, 32], &[5; 32], &[0xff]].concat();
            write(folder, "der", &format!("pq-{place}-{length}"), &content);
        }
    }
    signatures_of_trees(folder);
}

fn records(folder: &Path) {
    let (_, content) = backup::samples();
    let backup = hsm_core::Backup::read(&mut &content[..]).unwrap();
    for partition in &backup.partitions {
        for (place, (_, record)) in partition.public_records().enumerate() {
            write(folder, "records", &format!("object-{place}"), &[&[0], record.expose()].concat());
            let sealed = [&[0xe0, 0, 0], record.expose()].concat();
            write(folder, "records", &format!("sealed-{place}"), &sealed);
        }
    }
    for (place, content) in world::planted_contents().iter().enumerate() {
        write(folder, "records", &format!("planted-{place}"), &[&[0], &content[..]].concat());
        write(folder, "records", &format!("sealed-planted-{place}"), &[&[0xe0, 0, 0], &content[..]].concat());
    }
    let token = fuzz_targets::records::Token::new();
    for (place, (_, value)) in token.medium.dump().into_iter().enumerate() {
        write(folder, "records", &format!("value-{place}"), &[&[0x60], &value[..]].concat());
    }
    for place in 0..8_u8 {
        write(folder, "records", &format!("tampered-{place}"), &[0xc0, 2, place, place % 4, 1, 2, 3, place, 0, 1, 9]);
    }
    write(folder, "records", "role", &[&[0x70], &[7; 96][..]].concat());
    write(folder, "records", "origin", &[&[0x78], &[7; 64][..]].concat());
    write(folder, "records", "changes", &[&[0x80, 1], &[3; 16][..], &[2], &[4; 17], &[3], &[5; 32]].concat());
    let frame = |generation: u8| {
        let body = [&[0, 0, 0, 2][..], b"\x00\x02\x00\x00\x00\x03abxyz", b"\x00\x01\xFF\xFF\xFF\xFFc"].concat();
        [&u32::try_from(body.len()).unwrap().to_be_bytes()[..], &[0, 0, 0, 0, 0, 0, 0, generation], &body].concat()
    };
    let framed = |frames: &[Vec<u8>]| {
        let mut out = vec![0xa0];
        for frame in frames {
            out.extend(u16::try_from(frame.len()).unwrap().to_be_bytes());
            out.extend(frame);
        }
        out
    };
    write(folder, "records", "frames-1", &framed(&[frame(1)]));
    write(folder, "records", "frames-3", &framed(&[frame(1), frame(2), frame(9)]));
    write(folder, "records", "journal", &[&[0x90], &b"PERIJRNL\x00\x01"[..], &[0; 90]].concat());
}

fn configuration(folder: &Path) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let text = std::fs::read(root.join("docs/perilune.toml")).unwrap();
    let open: String =
        String::from_utf8_lossy(&text).lines().map(|line| format!("{}\n", line.trim_start_matches("# "))).collect();
    let store = b"store = \"/s\"\n";
    let texts: [&[u8]; 9] = [
        &text,
        open.as_bytes(),
        store,
        b"spare_slot = false\ndevice_key = \"fd:7\"\n[pin]\nbytes_min = 8\nso_tries = 3\nuser_tries = 3\n",
        b"[kdf]\nmemory_kib = 64\npasses = 1\nlanes = 1\n",
        b"[lock]\nwait_ms = 10\n[policy]\napproved = true\nlegacy = false\ncompatible = true\n",
        b"[log]\nlevel = \"debug\"\nfile = \"~/l\"\n",
        b"a b\n",
        b"store = \"\"\n",
    ];
    for (place, text) in texts.into_iter().enumerate() {
        write(folder, "configuration", &format!("file-{place}"), &[&[0x10, 2], &b"/h"[..], text].concat());
        write(
            folder,
            "configuration",
            &format!("user-{place}"),
            &[&[0x32, 5], &b"debug"[..], &[2], b"/h", text].concat(),
        );
        write(
            folder,
            "configuration",
            &format!("log-{place}"),
            &[&[0x0a, 6], &b"info:x"[..], &[2], b"/d", text].concat(),
        );
    }
}

fn backups(folder: &Path) {
    let (file, content) = backup::samples();
    write(folder, "backup", "file", &[&[0], &file[..]].concat());
    write(folder, "backup", "content", &[&[0xa0], &content[..]].concat());
    write(folder, "backup", "restore", &[&[0xe0], &content[..]].concat());
    write(folder, "backup", "encrypted", &[&[0x80], &content[..]].concat());
    write(folder, "backup", "encrypted-nothing", &[0x80]);
    write(folder, "backup", "identity", &[&[0x60], backup::IDENTITY.as_bytes()].concat());
    write(folder, "backup", "recipient", b"\x60age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p");
    write(folder, "backup", "header", b"\x00age-encryption.org/v1\n-> X25519 abc\n");
    write(folder, "backup", "scrypt", b"\x00age-encryption.org/v1\n-> scrypt AAAAAAAAAAAAAAAAAAAAAA 18\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n--- AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n");
    write(folder, "backup", "armor", b"\x00-----BEGIN AGE ENCRYPTED FILE-----\n");
}

fn words(folder: &Path) {
    let lines: [&str; 14] = [
        "init --label t --slot 0 --so-pin-env A --pin-env B",
        "slots --json",
        "objects --token-label t --json",
        "doctor",
        "import --token-label t key.pem --label x --id 01",
        "pin change --token-label t",
        "pin reset --slot 1",
        "policy show --slot 0",
        "backup --output f --recipient age1x",
        "restore --input f --replace",
        "migrate --list",
        "bench --operation x --threads 1,2",
        "completions bash",
        "delete --slot 0 --record 00",
    ];
    for (place, line) in lines.iter().enumerate() {
        write(folder, "words", &format!("line-{place}"), &[b"\x40", line.replace(' ', "\0").as_bytes()].concat());
    }
    for kind in 0..6_u8 {
        let content = [
            &[0, kind][..],
            &[b'T'; 32],
            b"\x08Perilune\x09Perilune",
            &[b'7'; 16],
            b"\x02\x01\xab",
            "a;b ü".as_bytes(),
        ];
        write(folder, "words", &format!("uri-{kind}"), &content.concat());
    }
    let numbers = |words: &[u64]| words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<u8>>();
    let object = [
        numbers(&[1, 0x100, 2, 31, 3, 3, 2]),
        b"ab".to_vec(),
        numbers(&[1, 1]),
        vec![0xff],
        numbers(&[0x4000_0600, 5, 2, 7, 9]),
        numbers(&[0x4000_0211, 4, 17, 0x162, 1]),
        vec![0],
    ]
    .concat();
    write(folder, "words", "softhsm-object", &[&[0xa0], &object[..]].concat());
    const SO_WRAP: &str = "d4de8f0c386b204b5816170708ac14c3a487c5f337b7609bad442dc5baee2915fac8fa90b99518818db7f41eaf354da453eda91f175a6a0fe355d7d772574488173baf0dd8b6643f";
    let wrap: Vec<u8> =
        (0..SO_WRAP.len()).step_by(2).map(|at| u8::from_str_radix(&SO_WRAP[at..at + 2], 16).unwrap()).collect();
    let token = [
        numbers(&[1, 0x8000_5349, 3, 2]),
        b"ab".to_vec(),
        numbers(&[0x8000_534A, 3, 16]),
        vec![b'1'; 16],
        numbers(&[0x8000_534C, 3, wrap.len() as u64]),
        wrap,
    ]
    .concat();
    let length = u16::try_from(token.len()).unwrap().to_be_bytes();
    write(folder, "words", "softhsm-token", &[&[0xd0], &length[..], &token, b"\x08so-pin-1", &object].concat());
}
