//! Daemons with a TLS key in the token, in their usual form: forked into the background, with workers of another user.
//!
//! nginx and stunnel start as root, read the key through OpenSSL's engine, fork, and answer clients as `www-data`, whom
//! the store belongs to; without root all of it is one user's. Clients connect the whole time, and every one of them must
//! get its answer. A daemon is ended with its test, also when that fails.

use perilune_tests::child::Running;
use perilune_tests::daemon::{Daemon, user_of, wait_until};
use perilune_tests::outside::{has, output, skip};
use perilune_tests::{Place, Port, TOKEN_LABEL, USER_PIN, module};
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::Duration;

/// Graceful reloads under load.
const RELOADS: usize = 4;
/// The user that Debian's daemons work as.
const WORKER: &str = "www-data";

/// User and group number of `www-data`, when this process may become it.
fn worker() -> Option<(u32, u32)> {
    // SAFETY: has no precondition.
    if unsafe { libc::geteuid() } != 0 {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").expect("the users");
    let fields: Vec<&str> = users.lines().find(|line| line.starts_with("www-data:"))?.split(':').collect();
    Some((fields[2].parse().ok()?, fields[3].parse().ok()?))
}

/// A token with an RSA and a P-256 key and their certificates, in a store that belongs to the workers' user.
fn place_of_worker() -> Place {
    let place = Place::new().with_token();
    for (kind, id, label) in [("rsa:2048", "01", "rsa"), ("EC:prime256v1", "02", "ec")] {
        place.key_pair(kind, id, label);
        place.self_signed(label, &format!("{label}.pem"), "tls");
    }
    if let Some((user, group)) = worker() {
        // Others may look for the configuration here; the store itself stays private.
        std::fs::set_permissions(place.folder(), PermissionsExt::from_mode(0o755)).expect("the place");
        give(&place.store(), user, group);
    }
    place
}

/// `chown -R`.
fn give(path: &Path, user: u32, group: u32) {
    chown(path, Some(user), Some(group)).expect("only root gives away");
    if path.is_dir() {
        for entry in std::fs::read_dir(path).expect("a folder").flatten() {
            give(&entry.path(), user, group);
        }
    }
}

/// How many times a client takes each way in, at least; more by `PERILUNE_DAEMON_ROUNDS`.
fn rounds() -> usize {
    std::env::var("PERILUNE_DAEMON_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(5)
}

/// What a client does until the file `stop` is there, and at least a few times: a handshake and a request for each way in;
/// then it prints the count.
const CLIENT: &str = r#"
import os, socket, ssl, sys
port, ways = int(sys.argv[1]), []
for key in sys.argv[2:]:
    for version, cipher in ((ssl.TLSVersion.TLSv1_2, {'rsa': 'ECDHE-RSA-AES128-GCM-SHA256', 'ec': 'ECDHE-ECDSA-AES128-GCM-SHA256'}[key]),
                            (ssl.TLSVersion.TLSv1_3, None)):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.minimum_version = context.maximum_version = version
        for name in sys.argv[2:]:
            context.load_verify_locations(name + '.pem')
        if cipher:
            context.set_ciphers(cipher)
        ways.append((key, context))
count = 0
while not os.path.exists('stop') or count < int(os.environ['ROUNDS']) * len(ways):
    key, context = ways[count % len(ways)]
    with context.wrap_socket(socket.create_connection(('127.0.0.1', port), 120)) as tls:
        name = dict(pair[0] for pair in tls.getpeercert()['subject'])['commonName']
        if tls.version() == 'TLSv1.2':
            assert name == key, name
        tls.sendall(b'GET / HTTP/1.0\r\n\r\n')
        answer = b''
        while True:
            part = tls.recv(1000)
            if not part:
                break
            answer += part
        assert answer.endswith(b'hello\n'), answer
    count += 1
print('handshakes:', count)
"#;

/// Clients that connect again and again.
struct Clients {
    running: Vec<Running>,
    stop: PathBuf,
}

impl Clients {
    fn start(place: &Place, port: &Port, keys: &[&str]) -> Self {
        place.write("client.py", CLIENT);
        let one = |_| {
            let mut command = place.command("python3");
            command.arg("client.py").arg(port.to_string()).args(keys).env("ROUNDS", rounds().to_string());
            Running::spawn(place, command)
        };
        Self { running: (0..4).map(one).collect(), stop: place.file("stop") }
    }

    /// Lets each finish and returns how often they connected; a single failure fails the test.
    fn finish(self) -> usize {
        std::fs::write(&self.stop, "").expect("a file");
        let mut sum = 0;
        for client in self.running {
            let report = client.finish();
            let count = report.text.split("handshakes: ").nth(1).and_then(|text| text.trim().parse::<usize>().ok());
            assert!(report.status.success() && count.is_some(), "a client: {}\n{}", report.status, report.text);
            sum += count.unwrap_or_default();
        }
        std::fs::remove_file(self.stop).expect("the file");
        sum
    }
}

fn engine_uri(label: &str) -> String {
    format!("pkcs11:token={TOKEN_LABEL};object={label};type=private;pin-value={USER_PIN}")
}

/// What the documents say about nginx: the engine, two keys, and the variables that nginx hands on when it is told to.
fn nginx_configuration(place: &Place, port: &Port) -> String {
    let folder = place.folder().display();
    let user = if worker().is_some() { format!("user {WORKER};\n") } else { String::new() };
    let mut text = format!(
        "{user}worker_processes 4;\npid {folder}/nginx.pid;\nerror_log {folder}/error.log info;\n\
         env PERILUNE_CONF;\nenv OPENSSL_CONF;\nssl_engine pkcs11;\nevents {{ worker_connections 256; }}\nhttp {{\n\
         access_log off;\nssl_session_cache off;\nssl_session_tickets off;\nssl_protocols TLSv1.2 TLSv1.3;\n"
    );
    for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
        text += &format!("{kind}_temp_path {folder}/{kind};\n");
    }
    text += &format!("server {{\nlisten 127.0.0.1:{port} ssl;\nlocation / {{ return 200 \"hello\\n\"; }}\n");
    for label in ["rsa", "ec"] {
        text += &format!("ssl_certificate {folder}/{label}.pem;\n");
        text += &format!("ssl_certificate_key \"engine:pkcs11:{}\";\n", engine_uri(label));
    }
    text + "}\n}\n"
}

#[test]
fn nginx_with_four_workers_answers_every_client_over_graceful_reloads() {
    if !has("nginx") && !Path::new("/usr/sbin/nginx").exists() {
        return skip("nginx", "nginx is not here");
    }
    let place = place_of_worker();
    let port = Port::take();
    place.write("nginx.conf", nginx_configuration(&place, &port));
    // Writes the configuration of the engine and names it in OPENSSL_CONF; the program is another one.
    let engine = place.engine_command(&[]);
    let mut command = place.command(if has("nginx") { "nginx" } else { "/usr/sbin/nginx" });
    command.envs(engine.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.args(["-p", &place.text(""), "-c", &place.text("nginx.conf"), "-e", &place.text("error.log")]);
    let nginx = Daemon::start(command, place.file("nginx.pid"), place.file("error.log"));
    let user = worker().map(|(user, _)| user);
    assert!(user.is_none() || user_of(nginx.leader) == Some(0), "the master stays root");
    // A worker is root's for a moment after the fork.
    let works = |one| user.is_none() || user_of(one) == user;
    let four_workers = |workers: &BTreeSet<i32>| workers.len() == 4 && workers.iter().all(|one| works(*one));
    wait_until("four workers of the workers' user", || four_workers(&nginx.workers()));
    let clients = Clients::start(&place, &port, &["rsa", "ec"]);
    for _ in 0..RELOADS {
        let before = nginx.workers();
        sleep(Duration::from_millis(300)); // Load on these workers; nothing to wait for.
        nginx.signal(libc::SIGHUP);
        wait_until("new workers only", || {
            let now = nginx.workers();
            four_workers(&now) && now.is_disjoint(&before)
        });
        write_as_worker(&place);
    }
    let count = clients.finish();
    assert!(count >= 4 * 4 * rounds(), "{count} handshakes");
    println!("nginx: {count} handshakes, {RELOADS} reloads");
    nginx.signal(libc::SIGQUIT);
    nginx.await_end();
    // The log is shown when this fails.
    let log = nginx.log();
    for bad in ["[crit]", "[alert]", "[emerg]", "[error]", "exited on signal"] {
        assert!(!log.contains(bad), "{bad} in its log");
    }
}

/// A tool beside the daemon writes to the token, as the user whom the store belongs to.
fn write_as_worker(place: &Place) {
    let data = place.write("data", b"beside the daemon");
    let arguments = ["--login", "--pin", USER_PIN, "--token-label", TOKEN_LABEL, "--write-object", &data];
    let mut command = place.pkcs11_tool_command(&arguments);
    command.args(["--type", "data", "--label", "beside"]);
    if let Some((user, group)) = worker() {
        std::os::unix::process::CommandExt::uid(&mut command, user);
        std::os::unix::process::CommandExt::gid(&mut command, group);
    }
    output(command);
}

/// The service behind stunnel: answers each connection with `hello`.
struct Backend {
    address: std::net::SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Backend {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                std::thread::spawn(move || answer(client));
            }
        });
        Self { address, stop, thread: Some(thread) }
    }
}

/// Reads the request, which a client sends whole, and answers; a client that is gone is its own business.
fn answer(mut client: TcpStream) {
    if client.read(&mut [0; 1000]).is_ok() {
        let _ = client.write_all(b"HTTP/1.0 200 OK\r\n\r\nhello\n");
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the thread.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[test]
fn stunnel_in_the_background_answers_every_client() {
    let Some(program) = ["stunnel", "stunnel4"].into_iter().find(|name| has(name)) else {
        return skip("stunnel", "stunnel is not here");
    };
    let place = place_of_worker();
    for label in ["rsa", "ec"] {
        let (port, backend) = (Port::take(), Backend::start());
        let (module, pid) = (module::path().display(), place.file(&format!("{label}.pid")));
        let log = place.file(&format!("{label}.log"));
        if let Some((user, group)) = worker() {
            // It removes its pid file at the end, as www-data.
            give(place.folder(), user, group);
            chown(place.file("perilune.toml"), Some(0), Some(0)).expect("the configuration is root's again");
        }
        let user = worker().map_or(String::new(), |_| format!("setuid = {WORKER}\nsetgid = {WORKER}\n"));
        let text = format!(
            "{user}pid = {}\noutput = {}\ndebug = info\nengine = pkcs11\nengineCtrl = MODULE_PATH:{module}\n\
             engineCtrl = PIN:{USER_PIN}\nsessionCacheSize = 1\n[tls]\nengineId = pkcs11\naccept = 127.0.0.1:{port}\nconnect = {}\n\
             cert = {}\nkey = pkcs11:token={TOKEN_LABEL};object={label};type=private\n",
            pid.display(),
            log.display(),
            backend.address,
            place.text(&format!("{label}.pem")),
        );
        let mut command = place.command(program);
        command.arg(place.write("stunnel.conf", text));
        let stunnel = Daemon::start(command, pid, log);
        // It says so when it has read its configuration and the key, and then when it has opened its port anew.
        let ready = |round| {
            let log = stunnel.log();
            ["Configuration successful", " bound to "].iter().all(|said| log.matches(said).count() == round)
        };
        for round in 1..=2 {
            wait_until("its configuration", || ready(round));
            let clients = Clients::start(&place, &port, &[label]);
            write_as_worker(&place);
            let count = clients.finish();
            assert!(count >= 4 * 2 * rounds(), "{count} handshakes");
            println!("stunnel, {label}: {count} handshakes");
            // It reads its configuration and the key again; between closing and opening its port it refuses clients.
            stunnel.signal(libc::SIGHUP);
        }
        wait_until("its configuration", || ready(3));
        stunnel.signal(libc::SIGTERM);
        stunnel.await_end();
    }
}
