//! Memory and swap: the total, what is used, and what is moved.

use super::{
    super::{
        collector::{Collector, Description, Failure, Reading},
        files::{Files, field, kibibytes, text, unreadable},
    },
    texts::text_if_any,
};
use crate::metric::Unit;

pub(super) struct Memory<F>(pub(super) F);

impl<F: Files + 'static> Collector for Memory<F> {
    fn families(&self) -> Vec<Description> {
        let amount = Description::up_down_counter;
        let (fault, operation) = (Unit::new("{fault}"), Unit::new("{operation}"));
        vec![
            amount(USAGE, "Memory in each state; together they are all of it", Unit::Bytes),
            amount(LIMIT, "Memory of the machine", Unit::Bytes),
            amount(AVAILABLE, "Memory that can be had without swapping", Unit::Bytes),
            amount(SWAP, "Swap in each state; together they are all of it", Unit::Bytes),
            Description::counter(SWAPPING, "Pages swapped in and out", operation),
            Description::counter(FAULTS, "Page faults; a major one waits for a disk", fault),
        ]
    }

    fn collect(&mut self, to: &mut Reading) -> Result<(), Failure> {
        usage(&text(&self.0, MEMINFO)?, to).ok_or_else(|| unreadable(MEMINFO))?;
        events(&text_if_any(&self.0, VMSTAT)?, to);
        Ok(())
    }
}

/// An event that the kernel does not count is left out.
fn events(vmstat: &str, to: &mut Reading) {
    for (direction, key) in [("in", "pswpin"), ("out", "pswpout")] {
        if let Some(pages) = field(vmstat, key) {
            to.observe(SWAPPING, pages as f64, &[("system.paging.direction", direction)]);
        }
    }
    if let (Some(all), Some(major)) = (field(vmstat, "pgfault"), field(vmstat, "pgmajfault")) {
        for (name, count) in [("major", major), ("minor", all.saturating_sub(major))] {
            to.observe(FAULTS, count as f64, &[("system.paging.fault.type", name)]);
        }
    }
}

/// Used is what is neither free nor can be freed at once, as in `free`.
fn usage(meminfo: &str, to: &mut Reading) -> Option<()> {
    let bytes = |key| kibibytes(meminfo, key);
    let (total, free) = (bytes("MemTotal")?, bytes("MemFree")?);
    let buffers = bytes("Buffers").unwrap_or(0.0);
    let cached = bytes("Cached").unwrap_or(0.0) + bytes("SReclaimable").unwrap_or(0.0);
    // The numbers are not from one instant, so a difference may fall below zero.
    let used = (total - free - buffers - cached).max(0.0);
    for (state, bytes) in [("used", used), ("free", free), ("buffers", buffers), ("cached", cached)]
    {
        to.observe(USAGE, bytes, &[("system.memory.state", state)]);
    }
    to.observe(LIMIT, total, &[]);
    // Kernels before 3.14, and some containers' files, do not have it.
    to.observe(AVAILABLE, bytes("MemAvailable").unwrap_or(free + buffers + cached), &[]);

    let (swap, swap_free) = (bytes("SwapTotal").unwrap_or(0.0), bytes("SwapFree").unwrap_or(0.0));
    for (state, bytes) in [("used", (swap - swap_free).max(0.0)), ("free", swap_free)] {
        to.observe(SWAP, bytes, &[("system.paging.state", state)]);
    }
    Some(())
}

pub(super) const MEMINFO: &str = "/proc/meminfo";
pub(super) const VMSTAT: &str = "/proc/vmstat";

const USAGE: &str = "system.memory.usage";
const LIMIT: &str = "system.memory.limit";
const AVAILABLE: &str = "system.linux.memory.available";
const SWAP: &str = "system.paging.usage";
const SWAPPING: &str = "system.paging.operations";
const FAULTS: &str = "system.paging.faults";
