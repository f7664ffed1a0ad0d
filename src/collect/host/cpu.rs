//! The time of the CPUs by mode, and how many processes need them.

use super::{
    super::{
        collector::{Collector, Description, Failure, Reading},
        files::{Files, TICKS_PER_SECOND, field, text, unreadable},
    },
    texts::words_and_numbers,
};
use crate::metric::Unit;

pub(super) struct Cpu<F>(pub(super) F);

/// The columns of a CPU's line that are shown (proc(5)). The columns after them, the guests' time, are
/// included in the first two.
const MODES: [&str; 8] =
    ["user", "nice", "system", "idle", "iowait", "interrupt", "softirq", "steal"];

impl<F: Files + 'static> Collector for Cpu<F> {
    fn families(&self) -> Vec<Description> {
        let (gauge, counter) = (Description::gauge, Description::counter);
        let process = Unit::new("{process}");
        let status = "Processes that run or are blocked by a disk";
        vec![
            counter(TIME, "Time that all CPUs together spent in each mode", Unit::Seconds),
            Description::up_down_counter(COUNT, "CPUs of the machine", Unit::new("{cpu}")),
            gauge(LOAD[0], "Processes that wanted to run, over one minute", Unit::NONE),
            gauge(LOAD[1], "Processes that wanted to run, over 5 minutes", Unit::NONE),
            gauge(LOAD[2], "Processes that wanted to run, over 15 minutes", Unit::NONE),
            counter(SWITCHES, "Changes of the running thread", Unit::new("{switch}")),
            counter(CREATED, "Processes and threads begun", process),
            Description::up_down_counter(PROCESSES, status, process),
        ]
    }

    fn collect(&mut self, to: &mut Reading) -> Result<(), Failure> {
        let stat = text(&self.0, STAT)?;
        times(&stat, to).ok_or_else(|| unreadable(STAT))?;
        for (family, key) in [(SWITCHES, "ctxt"), (CREATED, "processes")] {
            match field(&stat, key) {
                Some(count) => to.observe(family, count as f64, &[]),
                None => to.fail(family, unreadable(STAT)),
            }
        }
        for (status, key) in [("running", "procs_running"), ("blocked", "procs_blocked")] {
            match field(&stat, key) {
                Some(count) => to.observe(PROCESSES, count as f64, &[("process.status", status)]),
                None => to.fail(PROCESSES, unreadable(STAT)),
            }
        }
        loads(&text(&self.0, LOADAVG)?, to);
        Ok(())
    }
}

/// The line of all CPUs, and the number of lines of single CPUs.
fn times(stat: &str, to: &mut Reading) -> Option<()> {
    let (_, ticks) = stat.lines().find_map(|line| {
        words_and_numbers(line).filter(|(name, ticks)| *name == "cpu" && !ticks.is_empty())
    })?;
    // Old kernels have fewer columns.
    for (mode, ticks) in MODES.iter().zip(ticks) {
        to.observe(TIME, ticks as f64 / TICKS_PER_SECOND, &[("cpu.mode", mode)]);
    }
    let is_cpu = |line: &&str| {
        let number = line.strip_prefix("cpu").and_then(|rest| rest.split(' ').next());
        number.is_some_and(|number| number.parse::<u32>().is_ok())
    };
    to.observe(COUNT, stat.lines().filter(is_cpu).count() as f64, &[]);
    Some(())
}

fn loads(text: &str, to: &mut Reading) {
    let mut words = text.split_ascii_whitespace().map(str::parse::<f64>);
    for family in LOAD {
        match words.next() {
            Some(Ok(load)) if load.is_finite() => to.observe(family, load, &[]),
            _ => to.fail(family, unreadable(LOADAVG)),
        }
    }
}

pub(super) const STAT: &str = "/proc/stat";
pub(super) const LOADAVG: &str = "/proc/loadavg";

const TIME: &str = "system.cpu.time";
const COUNT: &str = "system.cpu.logical.count";
const LOAD: [&str; 3] =
    ["system.cpu.load_average.1m", "system.cpu.load_average.5m", "system.cpu.load_average.15m"];
const SWITCHES: &str = "system.context_switches";
const CREATED: &str = "system.process.created";
const PROCESSES: &str = "system.process.count";
