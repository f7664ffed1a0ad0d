//! The host, and the container around the process: CPU, memory, disks, network.
//!
//! Each part is a source of its own, so that one that cannot be read affects no other. Names and labels
//! follow OpenTelemetry's semantic conventions for system and container metrics, if there are any.

mod container;
mod cpu;
mod disk;
mod filesystem;
mod memory;
mod network;
mod texts;

use std::time::Duration;

use super::{files::System, source::Source};

/// The figures of the host, and of the container that the process is in.
///
/// | source | families | of |
/// | --- | --- | --- |
/// | `host.cpu` | `system.cpu.time` by mode, `system.cpu.logical.count`, `system.cpu.load_average.1m`, `.5m`, `.15m`, `system.context_switches`, `system.process.created`, `system.process.count` | `/proc/stat`, `/proc/loadavg` |
/// | `host.memory` | `system.memory.usage` by state, `system.memory.limit`, `system.linux.memory.available`, `system.paging.usage`, `system.paging.operations`, `system.paging.faults` | `/proc/meminfo`, `/proc/vmstat` |
/// | `host.disk` | `system.disk.io`, `.operations`, `.operation_time` by direction, `system.disk.io_time` | `/proc/diskstats` |
/// | `host.filesystem` | `system.filesystem.usage`, `.limit`, `.inodes.usage` | `/proc/self/mountinfo`, `statvfs` |
/// | `host.network` | `system.network.io`, `.packets`, `.dropped`, `.errors` by direction and interface | `/proc/net/dev` |
/// | `host.connections` | `system.network.connections` by state, of TCP; read every ten seconds, on a thread of its own | `/proc/net/tcp`, `tcp6` |
/// | `container` | `container.cpu.time`, `container.cpu.limit`, `container.cpu.available`, `container.cpu.throttled`, `container.memory.usage`, `.working_set`, `.limit`, `.oom_kills` | the control group, version 2 or 1 |
///
/// `system.*` are the kernel's figures of the machine, in a container too; network figures are those of
/// the process's network namespace. `container.*` says how much of the machine the process may use: the
/// limits are the tightest of its control group and those above it, and are missing if there is none.
/// `container.cpu.available` is never missing: it is the CPUs that the process may run on, limited by
/// its quota.
///
/// File systems over a network are left out, because asking for their space may hang. So are those that
/// cannot fill up: mounted read-only, or of the kernel. `system.disk.*` counts whole devices that were
/// used, not partitions. On platforms other than Linux there is no source.
///
/// What to alert on: `system.linux.memory.available` that is a small part of `system.memory.limit`,
/// `container.memory.working_set` near its limit, `container.cpu.throttled` that grows, a file system
/// that is nearly full, `system.network.dropped` that grows.
///
/// # Examples
///
/// ```
/// use bellwether::{collect, metric::Registry};
///
/// let registry = Registry::new();
/// for source in collect::host() {
///     source.register(&registry)?.keep();
/// }
/// if cfg!(target_os = "linux") {
///     let memory = registry.snapshot().value("system.memory.limit", &[]).unwrap().as_f64();
///     assert!(memory > 0.0);
/// }
/// # Ok::<(), bellwether::Error>(())
/// ```
#[must_use]
pub fn host() -> Vec<Source> {
    vec![
        Source::new("host.cpu", cpu::Cpu(System)),
        Source::new("host.memory", memory::Memory(System)),
        Source::new("host.disk", disk::Disk(System)),
        Source::new("host.filesystem", filesystem::FileSystem::new(System)),
        Source::new("host.network", network::Interfaces(System)),
        // For this the kernel walks its table of sockets, which takes milliseconds.
        Source::new("host.connections", network::Connections(System))
            .every(Duration::from_secs(10)),
        Source::new("container", container::Container::new(System)),
    ]
}

#[cfg(test)]
mod tests;
