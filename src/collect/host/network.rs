//! Network interfaces, and TCP connections by state.

use super::super::{
    collector::{Collector, Description, Failure, Reading},
    files::{Files, text, text_within, unreadable},
};
use crate::metric::Unit;

/// What each interface received and sent.
pub(super) struct Interfaces<F>(pub(super) F);

/// The number of TCP connections in each state.
pub(super) struct Connections<F>(pub(super) F);

impl<F: Files + 'static> Collector for Interfaces<F> {
    fn families(&self) -> Vec<Description> {
        let counter = Description::counter;
        let packet = Unit::new("{packet}");
        vec![
            counter(IO, "Bytes received and sent", Unit::Bytes),
            counter(PACKETS, "Packets received and sent", packet),
            counter(ERRORS, "Packets that were faulty", Unit::new("{error}")),
            counter(DROPPED, "Packets dropped though they were not faulty", packet),
        ]
    }

    fn collect(&mut self, to: &mut Reading) -> Result<(), Failure> {
        let text = text(&self.0, DEV)?;
        let interfaces = text.lines().filter_map(counts);
        let n_told = interfaces.map(|(name, counts)| tell(name, &counts, to)).count();
        // A namespace without any interface still has the two heading lines.
        if n_told == 0 && text.lines().count() != 2 { Err(unreadable(DEV)) } else { Ok(()) }
    }
}

/// The interface's name and its sixteen columns; the heading has no colon.
fn counts(line: &str) -> Option<(&str, [u64; 16])> {
    let (name, rest) = line.rsplit_once(':')?;
    let mut words = rest.split_ascii_whitespace();
    let mut counts = [0; 16];
    for count in &mut counts {
        *count = words.next()?.parse().ok()?;
    }
    Some((name.trim(), counts))
}

fn tell(name: &str, counts: &[u64; 16], to: &mut Reading) {
    let (received, sent) = counts.split_at(8);
    for (direction, counts) in [("receive", received), ("transmit", sent)] {
        let labels = [("network.interface.name", name), ("network.io.direction", direction)];
        for (family, count) in [IO, PACKETS, ERRORS, DROPPED].into_iter().zip(counts) {
            to.observe(family, *count as f64, &labels);
        }
    }
}

impl<F: Files + 'static> Collector for Connections<F> {
    fn families(&self) -> Vec<Description> {
        let help = "TCP connections in each state, of both versions of IP";
        let unit = Unit::new("{connection}");
        vec![Description::up_down_counter(CONNECTIONS, help, unit)]
    }

    fn collect(&mut self, to: &mut Reading) -> Result<(), Failure> {
        let mut counts = [0_u64; STATES.len()];
        count_states(&text_within(&self.0, TCP, CONNECTIONS_LIMIT)?, &mut counts);
        match text_within(&self.0, TCP6, CONNECTIONS_LIMIT) {
            // A kernel without IPv6.
            Err(failure) if failure.reason() == "absent" => {}
            read => count_states(&read?, &mut counts),
        }
        for (state, count) in STATES.into_iter().zip(counts) {
            let labels = [("network.transport", "tcp"), ("network.connection.state", state)];
            to.observe(CONNECTIONS, count as f64, &labels);
        }
        Ok(())
    }
}

/// The states from 1 on, in the kernel's numbering (include/net/tcp_states.h). A request socket, the
/// twelfth, counts as one whose SYN was received.
const STATES: [&str; 11] = [
    "established",
    "syn_sent",
    "syn_received",
    "fin_wait_1",
    "fin_wait_2",
    "time_wait",
    "closed",
    "close_wait",
    "last_ack",
    "listen",
    "closing",
];

/// About 55,000 connections of 150 bytes each; beyond that the walk is not worth its cost.
const CONNECTIONS_LIMIT: u64 = 8 << 20;

fn count_states(text: &str, counts: &mut [u64; STATES.len()]) {
    for line in text.lines().skip(1) {
        let state = line.split_ascii_whitespace().nth(3);
        let state = state.and_then(|state| usize::from_str_radix(state, 16).ok());
        let place = match state {
            Some(12) => 2,
            Some(state) => state.wrapping_sub(1),
            None => continue,
        };
        if let Some(count) = counts.get_mut(place) {
            *count += 1;
        }
    }
}

pub(super) const DEV: &str = "/proc/net/dev";
pub(super) const TCP: &str = "/proc/net/tcp";
pub(super) const TCP6: &str = "/proc/net/tcp6";

// In the order of the columns.
const IO: &str = "system.network.io";
const PACKETS: &str = "system.network.packets";
const ERRORS: &str = "system.network.errors";
const DROPPED: &str = "system.network.dropped";
const CONNECTIONS: &str = "system.network.connections";
