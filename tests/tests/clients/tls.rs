//! TLS with the server's key in the token: OpenSSL's server with the pkcs11 engine against its client.
//!
//! Servers bind to the loopback address, answer one client each and are ended by the test.

use perilune_tests::Place;
use perilune_tests::outside::run;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

/// A server that is ended with the test.
struct Server {
    child: Child,
    address: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        // Ends only what this test started; an error means that it has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts `openssl s_server` with the token's key `label` and waits until it listens.
fn server(place: &Place, label: &str) -> Server {
    let key = Place::engine_key(label);
    let mut command = place.engine_command(&[
        "s_server",
        "-accept",
        "127.0.0.1:0",
        "-engine",
        "pkcs11",
        "-keyform",
        "engine",
        "-key",
        &key,
        "-cert",
        "certificate.pem",
        "-www",
        "-naccept",
        "4",
    ]);
    // A pipe that stays open: at the end of its input the server would stop.
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    let mut child = command.spawn().expect("openssl starts");
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let address = lines
        .by_ref()
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("ACCEPT ").map(str::to_owned))
        .expect("the server says where it listens");
    // Read on, so that the server never waits for room in the pipe.
    std::thread::spawn(move || lines.count());
    Server { child, address }
}

fn check(kind: &str, label: &str, cipher: &str) {
    let place = Place::new().with_token();
    place.key_pair(kind, "01", label);
    place.self_signed(label, "certificate.pem", "tls");
    let server = server(&place, label);
    for (version, shown) in [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")] {
        place.write("request", b"GET / HTTP/1.0\r\n\r\n");
        let mut client = place.command("openssl");
        client.args([
            "s_client",
            "-connect",
            &server.address,
            version,
            "-CAfile",
            "certificate.pem",
            "-verify_return_error",
        ]);
        client.stdin(std::fs::File::open(place.file("request")).expect("a request"));
        let (success, said) = run(&mut client);
        assert!(success && said.contains("Verify return code: 0 (ok)"), "{kind} {version}: {said}");
        assert!(said.contains(shown), "{kind} {version}: {said}");
        assert!(version == "-tls1_3" || said.contains(cipher), "{kind} {version}: {said}");
    }
}

#[test]
fn a_server_with_an_rsa_key_speaks_tls_1_2_and_1_3() {
    check("rsa:2048", "rsa", "ECDHE-RSA");
}

#[test]
fn a_server_with_a_p_256_key_speaks_tls_1_2_and_1_3() {
    check("EC:prime256v1", "ec", "ECDHE-ECDSA");
}

#[test]
fn a_server_with_a_p_384_key_speaks_tls_1_2_and_1_3() {
    check("EC:secp384r1", "ec", "ECDHE-ECDSA");
}
