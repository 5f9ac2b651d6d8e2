//! A TCP port for a daemon that can only be told a number.
//!
//! Owns: that no two tests, in whatever process, get the same port at the same time, and that no connection of anybody has it as
//! its own end, which a port that the system has just given out cannot promise. Called from the tests of daemons.

use std::fmt;
use std::net::TcpListener;
use std::ops::RangeInclusive;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};

/// Below the numbers that systems give to connections, wherever a system has its range by default.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// A port on 127.0.0.1 that is this test's until it is dropped.
pub struct Port {
    number: u16,
    /// A name that one process of the machine can have at a time; it goes with the process.
    _claim: UnixListener,
}

impl Port {
    /// Takes a port that nobody has.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn take() -> Self {
        // Processes that start at the same time begin in different places.
        let start = (std::process::id() % u32::from(COUNT)) as u16;
        let numbers = (0..COUNT).map(|step| FIRST + (start + step) % COUNT);
        let connections = range_of_connections();
        // Where connections have all of them, one of those must do.
        let (second, first): (Vec<u16>, Vec<u16>) = numbers.partition(|number| connections.contains(number));
        let found = first.into_iter().chain(second).find_map(Self::claim);
        found.unwrap_or_else(|| panic!("no port of {FIRST} to {} is free on 127.0.0.1", FIRST + COUNT - 1))
    }

    /// Takes this one, unless somebody has it.
    fn claim(number: u16) -> Option<Self> {
        let name = SocketAddr::from_abstract_name(format!("perilune-test-port-{number}")).expect("a short name");
        let claim = UnixListener::bind_addr(&name).ok()?;
        TcpListener::bind(("127.0.0.1", number)).is_ok().then_some(Self { number, _claim: claim })
    }

    /// Its number.
    #[must_use]
    pub fn number(&self) -> u16 {
        self.number
    }
}

impl fmt::Display for Port {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number.fmt(formatter)
    }
}

/// The numbers that the system gives to connections.
fn range_of_connections() -> RangeInclusive<u16> {
    let text = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let mut numbers = text.split_whitespace().filter_map(|number| number.parse().ok());
    numbers.next().unwrap_or(32_768)..=numbers.next().unwrap_or(60_999)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_one_tests_until_it_is_dropped() {
        let ports: Vec<Port> = (0..20).map(|_| Port::take()).collect();
        let different: std::collections::BTreeSet<u16> = ports.iter().map(Port::number).collect();
        assert_eq!(different.len(), 20);
        assert!(different.iter().all(|number| Port::claim(*number).is_none()));
    }

    #[test]
    fn a_port_that_somebody_listens_on_is_not_taken() {
        let port = Port::take();
        let number = port.number();
        let listener = TcpListener::bind(("127.0.0.1", number)).expect("a port that is free");
        drop(port);
        assert!(Port::claim(number).is_none());
        drop(listener);
    }
}
