//! ssh-agent and sshd with keys in the token: the agent forks a helper that loads the module, the server asks the agent.
//!
//! The server's host key and the user's key stay in the token; clients verify the one and log in with the other.

use perilune_tests::child::Running;
use perilune_tests::daemon::{Daemon, end};
use perilune_tests::outside::{has, output, skip};
use perilune_tests::{Place, Port, USER_PIN, module};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// A place in which OpenSSH gets the PIN from a program.
fn with_askpass(place: &Place) {
    let script = place.write("askpass", format!("#!/bin/sh\necho {USER_PIN}\n"));
    std::fs::set_permissions(script, PermissionsExt::from_mode(0o700)).expect("an executable file");
}

/// The agent in the background; ended by its own number.
struct Agent(i32);

impl Agent {
    fn start(place: &Place) -> Self {
        let mut command = place.command("ssh-agent");
        let folder = module::path().parent().expect("its folder").display();
        command.args(["-s", "-a", &place.text("agent"), "-P", &format!("{folder}/*")]);
        let said = output(command);
        let number = said.split("SSH_AGENT_PID=").nth(1).and_then(|text| text.split(';').next());
        Self(number.and_then(|text| text.parse().ok()).expect("the agent's number"))
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // Its helper ends with it.
        end(self.0);
    }
}

/// A command of OpenSSH that asks this place's agent.
fn with_agent(place: &Place, program: &str) -> Command {
    let mut command = place.command(program);
    command.env("SSH_AUTH_SOCK", place.file("agent"));
    command.env("SSH_ASKPASS", place.file("askpass")).env("SSH_ASKPASS_REQUIRE", "force").env("DISPLAY", ":0");
    command
}

fn user() -> String {
    output(Command::new("id")).split('(').nth(1).and_then(|text| text.split(')').next()).expect("a name").to_owned()
}

/// The server's configuration: host keys by their public halves, the agent signs.
fn configuration(place: &Place, port: &Port) -> String {
    let folder = place.folder().display();
    format!(
        "ListenAddress 127.0.0.1\nPort {port}\nPidFile {folder}/sshd.pid\nHostKeyAgent {folder}/agent\n\
         HostKey {folder}/rsa.pub\nHostKey {folder}/ec.pub\nAuthorizedKeysFile {folder}/authorized\nStrictModes no\n\
         UsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\nPrintMotd no\n\
         MaxStartups 100\n"
    )
}

#[test]
fn sshd_proves_itself_and_users_log_in_with_keys_that_an_agent_has_from_the_token() {
    if !has("ssh-agent") || !Path::new("/usr/sbin/sshd").exists() {
        return skip("sshd", "ssh-agent or sshd is not here");
    }
    let place = Place::new().with_token();
    with_askpass(&place);
    place.key_pair("rsa:2048", "01", "rsa");
    place.key_pair("EC:prime256v1", "02", "ec");
    let _agent = Agent::start(&place);
    let mut add = with_agent(&place, "ssh-add");
    add.arg("-s").arg(module::path());
    output(add);
    let mut list = with_agent(&place, "ssh-add");
    list.arg("-L");
    let keys = output(list);
    let port = Port::take();
    let mut known = String::new();
    for (file, kind) in [("rsa.pub", "ssh-rsa"), ("ec.pub", "ecdsa-sha2-nistp256")] {
        let line = keys.lines().find(|line| line.starts_with(kind)).expect("a key of each kind");
        place.write(file, format!("{line}\n"));
        known += &format!("[127.0.0.1]:{port} {line}\n");
    }
    place.write("known", known);
    place.write("authorized", &keys);
    // SAFETY: has no precondition.
    if unsafe { libc::geteuid() } == 0 {
        // Debian's service makes it at each start.
        std::fs::create_dir_all("/run/sshd").expect("the folder that sshd locks itself up in");
    }
    let mut sshd = place.command("/usr/sbin/sshd");
    sshd.args(["-f", &place.write("sshd_config", configuration(&place, &port)), "-E", &place.text("sshd.log")]);
    let server = Daemon::start(sshd, place.file("sshd.pid"), place.file("sshd.log"));
    let log_in = |host_key: &str, user_key: &str, number: usize| {
        let mut ssh = with_agent(&place, "ssh");
        ssh.args(["-F", "none", "-p", &port.to_string(), "-i", &place.text(user_key)]);
        for option in [
            format!("HostKeyAlgorithms={host_key}"),
            format!("UserKnownHostsFile={}", place.text("known")),
            "GlobalKnownHostsFile=/dev/null".to_owned(),
            "StrictHostKeyChecking=yes".to_owned(),
            "IdentitiesOnly=yes".to_owned(),
            "BatchMode=yes".to_owned(),
        ] {
            ssh.args(["-o", &option]);
        }
        ssh.args([&format!("{}@127.0.0.1", user()), &format!("echo number {number}")]);
        Running::spawn(&place, ssh)
    };
    let ways = [("rsa-sha2-256", "ec.pub"), ("rsa-sha2-512", "rsa.pub"), ("ecdsa-sha2-nistp256", "rsa.pub")];
    let clients: Vec<_> =
        ways.into_iter().cycle().take(9).enumerate().map(|(number, (host, user))| log_in(host, user, number)).collect();
    for (number, client) in clients.into_iter().enumerate() {
        let report = client.finish();
        assert!(
            report.text.contains(&format!("number {number}\n")),
            "client {number}: {}\n{}",
            report.status,
            report.text
        );
    }
    server.signal(libc::SIGTERM);
    server.await_end();
}
