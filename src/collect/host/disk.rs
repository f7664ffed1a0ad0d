//! Block devices: what was read and written, and how long it took.

use super::{
    super::{
        collector::{Collector, Description, Failure, Reading},
        files::{Files, unreadable},
    },
    texts::text_if_any,
};
use crate::metric::Unit;

pub(super) struct Disk<F>(pub(super) F);

/// One line of `/proc/diskstats`.
struct Device<'a> {
    name: &'a str,
    /// The numbers from the fourth column on (Documentation/admin-guide/iostats.rst of the kernel).
    numbers: [u64; 10],
}

/// The kernel counts in sectors of this size, whatever the size on the device.
const SECTOR_BYTES: f64 = 512.0;

/// Devices that are memory or files; their figures are included in those of others.
const NOT_DISKS: [&str; 3] = ["loop", "ram", "zram"];

impl<F: Files + 'static> Collector for Disk<F> {
    fn families(&self) -> Vec<Description> {
        let counter = Description::counter;
        let took = "Time that reads and writes took, added up over those under way at once";
        vec![
            counter(IO, "Bytes read and written", Unit::Bytes),
            counter(OPERATIONS, "Reads and writes", Unit::new("{operation}")),
            counter(OPERATION_TIME, took, Unit::Seconds),
            counter(IO_TIME, "Time during which anything was under way", Unit::Seconds),
        ]
    }

    fn collect(&mut self, to: &mut Reading) -> Result<(), Failure> {
        let text = text_if_any(&self.0, DISKSTATS)?;
        let devices: Vec<Device<'_>> = text.lines().filter_map(Device::parse).collect();
        if devices.is_empty() && !text.trim().is_empty() {
            return Err(unreadable(DISKSTATS));
        }
        let whole = devices.iter().filter(|device| device.is_used() && device.is_disk(&devices));
        whole.for_each(|device| device.tell(to));
        Ok(())
    }
}

impl<'a> Device<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace().skip(2);
        let name = words.next()?;
        let mut numbers = [0; 10];
        for number in &mut numbers {
            *number = words.next()?.parse().ok()?;
        }
        Some(Self { name, numbers })
    }

    fn is_used(&self) -> bool {
        self.numbers.iter().any(|number| *number != 0)
    }

    fn is_disk(&self, all: &[Self]) -> bool {
        let is_numbered = |prefix: &str| {
            let rest = self.name.strip_prefix(prefix);
            rest.is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()))
        };
        let is_partition = || all.iter().any(|other| is_partition(self.name, other.name));
        !NOT_DISKS.into_iter().any(is_numbered) && !is_partition()
    }

    fn tell(&self, to: &mut Reading) {
        let [reads, _, read_sectors, read_ms, writes, _, written_sectors, write_ms, _, busy_ms] =
            self.numbers;
        let device = ("system.device", self.name);
        for (direction, operations, sectors, took_ms) in
            [("read", reads, read_sectors, read_ms), ("write", writes, written_sectors, write_ms)]
        {
            let labels = [device, ("disk.io.direction", direction)];
            to.observe(IO, sectors as f64 * SECTOR_BYTES, &labels);
            to.observe(OPERATIONS, operations as f64, &labels);
            to.observe(OPERATION_TIME, took_ms as f64 / 1e3, &labels);
        }
        to.observe(IO_TIME, busy_ms as f64 / 1e3, &[device]);
    }
}

/// Whether `name` is a partition of the device `disk`: the device's name and a number, with a `p` in
/// between if the device's name ends with a digit.
fn is_partition(name: &str, disk: &str) -> bool {
    let Some(rest) = name.strip_prefix(disk) else { return false };
    let number = match disk.ends_with(|c: char| c.is_ascii_digit()) {
        true => rest.strip_prefix('p').unwrap_or(""),
        false => rest,
    };
    !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
}

pub(super) const DISKSTATS: &str = "/proc/diskstats";

const IO: &str = "system.disk.io";
const OPERATIONS: &str = "system.disk.operations";
const OPERATION_TIME: &str = "system.disk.operation_time";
const IO_TIME: &str = "system.disk.io_time";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_are_told_from_disks_as_the_kernel_names_them() {
        for (name, disk) in [("sda1", "sda"), ("nvme0n1p12", "nvme0n1"), ("mmcblk0p1", "mmcblk0")] {
            assert!(is_partition(name, disk), "{name}");
        }
        for (name, disk) in [
            ("sda", "sda"),
            ("sdaa", "sda"),
            ("dm-10", "dm-1"),
            ("nvme0n11", "nvme0n1"),
            ("mmcblk0boot0", "mmcblk0"),
            ("md127", "md12"),
            ("sda1x", "sda"),
        ] {
            assert!(!is_partition(name, disk), "{name}");
        }
    }
}
