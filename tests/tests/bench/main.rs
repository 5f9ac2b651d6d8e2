//! `perilune bench` on real modules: Perilune and SoftHSM2 in one process.
//!
//! What is looked at: the reports, that nothing of the bench stays in a token, also when it is interrupted, and that a wrong answer
//! is not taken for a fast one. Nothing here depends on how fast anything is.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "a test talks to the person who runs it")]

use perilune_tests::{Place, SO_PIN, TOKEN_LABEL, USER_PIN, host, module, outside};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

const SOFTHSM: &str = "/usr/lib/softhsm/libsofthsm2.so";

/// A place with a token of Perilune and one of SoftHSM2; `None` where one of them is not here.
fn two_tokens(test: &str) -> Option<Place> {
    let place = one_token(test)?;
    if !Path::new(SOFTHSM).exists() {
        outside::skip(test, "SoftHSM2 is not here");
        return None;
    }
    let mut tool = place.command("softhsm2-util");
    tool.args(["--init-token", "--free", "--label", TOKEN_LABEL, "--so-pin", SO_PIN, "--pin", USER_PIN]);
    outside::output(tool);
    Some(place)
}

/// A place with a token of Perilune.
fn one_token(test: &str) -> Option<Place> {
    if !module::is_perilune() {
        outside::skip(test, "the module under test is not Perilune");
        return None;
    }
    let place = Place::new();
    let mut init = place.command(module::admin());
    init.args(["init", "--label", TOKEN_LABEL, "--so-pin-env", "SO_PIN", "--pin-env", "USER_PIN"]);
    outside::output(with_pins(init));
    Some(place)
}

fn with_pins(mut command: Command) -> Command {
    command.env("SO_PIN", SO_PIN).env("USER_PIN", USER_PIN).env("WRONG_PIN", "certainly-wrong");
    command
}

/// The command with its modules.
fn bench(place: &Place, modules: &[(&str, &Path)], arguments: &[&str]) -> Command {
    let mut command = place.command(module::admin());
    command.arg("bench");
    for (name, path) in modules {
        command
            .arg("--module")
            .arg(format!("name={name},path={},token={TOKEN_LABEL},pin-env=USER_PIN", path.display()));
    }
    command.args(["--seconds", "0.01", "--rounds", "2"]).args(arguments);
    with_pins(command)
}

fn both() -> [(&'static str, &'static Path); 2] {
    [("ours", module::path()), ("theirs", Path::new(SOFTHSM))]
}

fn succeed(mut command: Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Exit code and the one line of the error.
fn fail(mut command: Command) -> (i32, String) {
    let Output { status, stderr, .. } = command.output().unwrap();
    let text = String::from_utf8(stderr).unwrap();
    assert_eq!(text.trim_end().lines().count(), 1, "an error is one line: {text}");
    (status.code().unwrap(), text)
}

fn json(path: &Path) -> Value {
    let value: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert_eq!(value["version"], 1);
    value["bench"].clone()
}

/// The objects in Perilune's token.
fn objects(place: &Place) -> Vec<Value> {
    let mut list = place.command(module::admin());
    list.args(["objects", "--json", "--pin-env", "USER_PIN"]);
    let text = succeed(with_pins(list));
    serde_json::from_str::<Value>(&text).unwrap()["objects"].as_array().unwrap().clone()
}

/// The files of objects in SoftHSM2's folder.
fn softhsm_objects(place: &Place) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for token in std::fs::read_dir(place.file("softhsm")).unwrap() {
        for file in std::fs::read_dir(token.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            let is_object = path.extension().is_some_and(|extension| extension == "object");
            if is_object && !path.ends_with("token.object") {
                found.push(path);
            }
        }
    }
    found
}

#[test]
fn a_run_on_two_modules_tells_everything_in_every_form_and_leaves_nothing_behind() {
    let Some(place) = two_tokens("bench") else { return };
    let [json_file, svg, page] = ["run.json", "run.svg", "run.md"].map(|name| place.file(name));
    let mut command = bench(&place, &both(), &["--threads", "1,2", "--objects-max", "10"]);
    for words in ["SHA-256 64 B", "ECDSA P-256 sign", "P-256 pair, token", "Find by id among 10", "Login", "start-up"] {
        command.args(["--operation", words]);
    }
    command.arg("--json").arg(&json_file).arg("--svg").arg(&svg).arg("--markdown").arg(&page);
    let table = succeed(command);
    for words in ["ours ops/s", "theirs ops/s", "SHA-256 64 B", "2 THREADS", "SCALING", "Geometric mean of"] {
        assert!(table.contains(words), "{words} is not in {table}");
    }

    let report = json(&json_file);
    assert_eq!((&report["rounds"], &report["seconds"]), (&Value::from(2), &Value::from(0.01)));
    assert!(report["command"].as_str().unwrap().contains("--threads 1,2"), "{report}");
    for field in ["date", "bench_version"] {
        assert!(!report[field].as_str().unwrap().is_empty(), "{field}: {report}");
    }
    for field in ["cpu", "kernel", "system"] {
        assert!(!report["machine"][field].as_str().unwrap().is_empty(), "{field}: {report}");
    }
    let names: Vec<_> = report["modules"].as_array().unwrap().iter().map(|module| module["name"].clone()).collect();
    assert_eq!(names, ["ours", "theirs"]);
    assert!(report["modules"][1]["description"].as_str().unwrap().contains("PKCS11"), "{report}");

    let lines = report["operations"].as_array().unwrap();
    // Login and start-up are about one thread by their nature.
    assert_eq!((lines.len(), lines.iter().filter(|line| line["threads"] == 2).count()), (10, 4), "{report}");
    for line in lines {
        let rates: Vec<f64> =
            line["results"].as_array().unwrap().iter().map(|one| one["ops_per_second"].as_f64().unwrap()).collect();
        assert!((line["ratio"].as_f64().unwrap() - rates[0] / rates[1]).abs() < 1e-9, "{line}");
        assert_eq!(line["against"], "theirs");
        for one in line["results"].as_array().unwrap() {
            assert_eq!(one["rounds"].as_array().unwrap().len(), 2, "{line}");
            assert!(one["spread"].as_f64().unwrap() >= 0.0 && line["ratio_p50"].as_f64().unwrap() > 0.0, "{line}");
            assert!(one["calls"].as_u64().unwrap() >= 2, "{line}");
            assert!(one["p50_ns"].as_u64().unwrap() <= one["p99_ns"].as_u64().unwrap(), "{line}");
            assert!(one["missing"].is_null() && one["failed"].is_null(), "{line}");
        }
    }
    let singles: Vec<f64> =
        lines.iter().filter(|line| line["threads"] == 1).map(|line| line["ratio"].as_f64().unwrap()).collect();
    let mean = (singles.iter().map(|ratio| ratio.ln()).sum::<f64>() / singles.len() as f64).exp();
    assert!((report["means"][0]["ratio"].as_f64().unwrap() - mean).abs() < 1e-9 * mean, "{report}");

    assert!(std::fs::read_to_string(&svg).unwrap().starts_with("<svg "));
    assert!(std::fs::read_to_string(&page).unwrap().contains("](run.svg)"));
    assert_eq!(objects(&place), Vec::<Value>::new());
    assert_eq!(softhsm_objects(&place), Vec::<PathBuf>::new());

    // The same reports come out of the JSON again, without any module.
    let again = place.file("again.md");
    let mut command = place.command(module::admin());
    command.args(["bench", "--from"]).arg(&json_file).arg("--svg").arg(&svg).arg("--markdown").arg(&again);
    assert_eq!(succeed(command), table);
    assert_eq!(std::fs::read(&again).unwrap(), std::fs::read(&page).unwrap());
}

#[test]
fn what_a_module_does_not_have_is_a_dash_and_not_counted() {
    let Some(place) = two_tokens("bench, missing mechanism") else { return };
    // SoftHSM2 takes no notice of the first one behind the minus.
    let conf = String::from_utf8(place.read("softhsm2.conf")).unwrap() + "slots.mechanisms = -CKM_MD5,CKM_SHA256\n";
    place.write("softhsm2.conf", conf);
    let report = place.file("run.json");
    let mut command = bench(&place, &both(), &["--operation", "SHA-256 64 B", "--operation", "SHA-512 64 B"]);
    command.arg("--json").arg(&report);
    let table = succeed(command);
    let line = table.lines().find(|line| line.starts_with("SHA-256 64 B")).unwrap();
    assert!(line.trim_end().ends_with('-'), "{table}");
    assert!(table.contains("theirs does not support: ") && table.contains("(no CKM_SHA256)"), "{table}");
    let report = json(&report);
    let lacking = &report["operations"][0];
    assert_eq!(lacking["operation"], "SHA-256 64 B");
    assert!(lacking["ratio"].is_null() && lacking["results"][1]["ops_per_second"].is_null(), "{lacking}");
    assert_eq!(lacking["results"][1]["missing"], "no CKM_SHA256");
    assert!(lacking["results"][0]["ops_per_second"].is_f64(), "{lacking}");
    assert!(report["means"][0]["not_counted"] == 1, "{report}");
}

#[test]
fn a_module_that_answers_fast_and_wrongly_fails_and_has_no_rate() {
    // The liar speaks for SoftHSM2, so that Perilune can be in the process beside it.
    let Some(place) = two_tokens("bench, wrong answers") else { return };
    let liar = host::compiled(&place, "liar", &["-shared", "-fPIC"]);
    let report = place.file("run.json");
    let modules = [("liar", liar.as_path()), ("ours", module::path())];
    let mut command = bench(&place, &modules, &["--operation", "SHA-256 64 B", "--operation", "ECDSA P-256 sign"]);
    command.env("PERILUNE_TEST_TRUTH", SOFTHSM).arg("--json").arg(&report);
    let output = command.output().unwrap();
    // The first module failed.
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let report = json(&report);
    for line in report["operations"].as_array().unwrap() {
        let liar = &line["results"][0];
        assert!(liar["failed"].as_str().unwrap().ends_with("the result is wrong"), "{line}");
        assert!(liar["ops_per_second"].is_null() && line["ratio"].is_null(), "{line}");
        assert!(line["results"][1]["ops_per_second"].is_f64(), "{line}");
    }
    assert_eq!(report["operations"].as_array().unwrap().len(), 2);
}

#[test]
fn objects_that_were_there_stay_there() {
    let Some(place) = one_token("bench, other objects") else { return };
    place.pkcs11_tool_user(&["--keygen", "--key-type", "aes:32", "--label", "mine"]);
    let before = objects(&place);
    assert_eq!(before.len(), 1);
    let operations = ["--operation", "AES-256 key, token", "--operation", "attribute"];
    succeed(bench(&place, &both()[..1], &operations));
    assert_eq!(objects(&place), before);
}

#[test]
fn an_error_names_the_module_and_what_is_wrong_with_it() {
    let Some(place) = one_token("bench, errors") else { return };
    let ours = module::path().display();
    let c_library = "libm.so.6";
    let with = |module: &str| {
        let mut command = place.command(module::admin());
        command.args(["bench", "--operation", "SHA-256 64 B", "--module", module]);
        fail(with_pins(command))
    };
    for (module, code, words) in [
        ("name=gone,path=/nonexistent/module.so,pin-env=USER_PIN".to_owned(), 1, ["gone", "/nonexistent/module.so"]),
        (format!("name=odd,path={c_library},pin-env=USER_PIN"), 1, ["odd", "not a PKCS#11 module"]),
        (format!("name=ours,path={ours},pin-env=WRONG_PIN"), 3, ["ours", "CKR_PIN_INCORRECT"]),
        (format!("name=ours,path={ours},token=other,pin-env=USER_PIN"), 1, ["no such token", TOKEN_LABEL]),
        (format!("name=ours,path={ours},pin-env=NOT_SET_AT_ALL"), 2, ["NOT_SET_AT_ALL", "ours"]),
    ] {
        let (exit, text) = with(&module);
        assert_eq!(exit, code, "{module}: {text}");
        assert!(words.iter().all(|word| text.contains(word)), "{module}: {text}");
    }
    let (exit, text) = fail(bench(&place, &[both()[0], both()[0]], &[]));
    assert!(exit == 2 && text.contains("given twice"), "{text}");
    let mut nothing = bench(&place, &both()[..1], &[]);
    nothing.args(["--operation", "no such thing"]);
    let (exit, text) = fail(nothing);
    assert!(exit == 2 && text.contains("no such thing"), "{text}");
}

#[test]
fn a_wrong_pin_costs_one_try() {
    let Some(place) = one_token("bench, tries") else { return };
    let tries_left = || {
        let mut status = place.command(module::admin());
        status.args(["pin", "status", "--json"]);
        let roles: Value = serde_json::from_str(&succeed(status)).unwrap();
        let user = roles["roles"].as_array().unwrap().iter().find(|role| role["role"] == "user").unwrap();
        user["tries_left"].as_u64().unwrap()
    };
    let before = tries_left();
    let mut command = bench(&place, &[], &["--operation", "SHA-256 64 B"]);
    command.arg("--module").arg(format!("{},pin-env=WRONG_PIN", module::path().display()));
    assert_eq!(fail(command).0, 3);
    assert_eq!(tries_left(), before - 1);
}

#[test]
fn an_interrupted_run_removes_its_objects_from_every_token() {
    let Some(place) = two_tokens("bench, interrupted") else { return };
    let report = place.file("run.json");
    let mut command = bench(&place, &both(), &["--operation", "Find by id among 1,000"]);
    command.arg("--json").arg(&report).stderr(Stdio::piped()).stdout(Stdio::null());
    let mut child = command.spawn().unwrap();
    // In the middle of it: SoftHSM2 comes second, so Perilune has its thousand objects by then.
    let begin = Instant::now();
    while softhsm_objects(&place).len() < 20 {
        assert!(begin.elapsed() < Duration::from_secs(120) && child.try_wait().unwrap().is_none());
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(objects(&place).len() >= 1000);
    interrupt(&child);
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{text}");
    assert!(text.contains("interrupted") && text.contains("removed"), "{text}");
    assert_eq!(objects(&place), Vec::<Value>::new());
    assert_eq!(softhsm_objects(&place), Vec::<PathBuf>::new());
    assert!(!report.exists());
}

/// What Ctrl-C does.
fn interrupt(child: &std::process::Child) {
    // SAFETY: a signal to a child of this process that was not waited for, so its number is still its own.
    assert_eq!(unsafe { libc::kill(child.id().cast_signed(), libc::SIGINT) }, 0);
}
