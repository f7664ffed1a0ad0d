//! The limits of the process's control groups, and how much of them is used.
//!
//! Any group between the process's own and the visible root may have a limit, and the tightest one
//! holds. Use is that of the group with the tightest limit, so that the two can be compared; without a
//! limit, that of the process's own group.

use std::iter::successors;

use super::{
    super::{
        collector::{Collector, Description, Failure, Reading},
        files::{Files, TICKS_PER_SECOND, field, text, unreadable},
    },
    filesystem::{MOUNTS, unescaped},
    texts::text_if_any,
};
use crate::metric::Unit;

pub(super) struct Container<F> {
    files: F,
    /// The text from which the groups were found. Compared, because a process may be moved.
    membership: String,
    groups: Groups,
}

/// The groups that the process is in, by controller.
#[derive(Debug, Default, PartialEq)]
struct Groups {
    memory: Option<Group>,
    cpu: Option<Group>,
    cpu_account: Option<Group>,
}

/// A group and those above it, as folders; the process's own comes first.
#[derive(Debug, PartialEq)]
struct Group {
    version: Version,
    folders: Vec<String>, // Invariant: not empty.
}

/// The two interfaces of control groups, whose files differ.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Version {
    One,
    Two,
}

/// How many groups above the process's own are read; deeper trees do not occur in practice.
const MAX_DEPTH: usize = 16;

/// Version 1 writes "no limit" as the largest multiple of a page; no machine has half of that.
const UNLIMITED: f64 = (1_u64 << 62) as f64;

impl<F: Files> Container<F> {
    pub(super) fn new(files: F) -> Self {
        Self { files, membership: String::new(), groups: Groups::default() }
    }

    fn find_groups(&mut self) -> Result<(), Failure> {
        // A kernel without control groups has no such file.
        let membership = text_if_any(&self.files, MEMBERSHIP)?;
        if membership != self.membership {
            self.groups = Groups::find(&membership, &text(&self.files, MOUNTS)?);
            self.membership = membership;
        }
        Ok(())
    }

    /// A file of a group, if it exists: the root group has only a few.
    fn file(&self, folder: &str, name: &str) -> Option<String> {
        text(&self.files, &format!("{folder}/{name}")).ok()
    }

    fn number(&self, folder: &str, name: &str) -> Option<f64> {
        self.file(folder, name)?.trim().parse::<u64>().ok().map(|number| number as f64)
    }

    /// The group with the smallest limit that `limit` finds, and that limit.
    fn tightest<'a>(
        &self,
        group: &'a Group,
        limit: impl Fn(&Self, &str) -> Option<f64>,
    ) -> (&'a str, Option<f64>) {
        let limits = group.folders.iter().filter_map(|folder| Some((folder, limit(self, folder)?)));
        match limits.min_by(|(_, one), (_, other)| one.total_cmp(other)) {
            Some((folder, limit)) => (folder, Some(limit)),
            None => (&group.folders[0], None),
        }
    }

    fn memory(&self, group: &Group, to: &mut Reading) {
        let [limit, usage, inactive, events] = match group.version {
            Version::One => [
                "memory.limit_in_bytes",
                "memory.usage_in_bytes",
                "total_inactive_file",
                "memory.oom_control",
            ],
            Version::Two => ["memory.max", "memory.current", "inactive_file", "memory.events"],
        };
        let limit = |this: &Self, folder: &str| {
            this.number(folder, limit).filter(|limit| *limit < UNLIMITED)
        };
        let (folder, limit) = self.tightest(group, limit);
        if let Some(limit) = limit {
            to.observe(MEMORY_LIMIT, limit, &[]);
        }
        if let Some(usage) = self.number(folder, usage) {
            to.observe(MEMORY, usage, &[]);
            // The kernel takes inactive memory back first; orchestrators look at the rest.
            let stat = self.file(folder, "memory.stat");
            if let Some(inactive) = stat.and_then(|stat| field(&stat, inactive)) {
                to.observe(WORKING_SET, (usage - inactive as f64).max(0.0), &[]);
            }
        }
        let events = self.file(folder, events);
        if let Some(kills) = events.and_then(|events| field(&events, "oom_kill")) {
            to.observe(OOM_KILLS, kills as f64, &[]);
        }
    }

    /// The quota, and how much it throttled.
    fn cpu(&self, group: &Group, to: &mut Reading) -> Option<f64> {
        let (folder, limit) = self.tightest(group, |this, folder| match group.version {
            Version::One => {
                let period = this.number(folder, "cpu.cfs_period_us")?;
                quota(this.number(folder, "cpu.cfs_quota_us")?, period)
            }
            Version::Two => {
                let max = this.file(folder, "cpu.max")?;
                let mut words = max.split_ascii_whitespace().map(str::parse::<u64>);
                quota(words.next()?.ok()? as f64, words.next()?.ok()? as f64)
            }
        });
        let (key, unit) = match group.version {
            Version::One => ("throttled_time", 1e9),
            Version::Two => ("throttled_usec", 1e6),
        };
        let stat = self.file(folder, "cpu.stat");
        if let Some(throttled) = stat.as_ref().and_then(|stat| field(stat, key)) {
            to.observe(THROTTLED, throttled as f64 / unit, &[]);
        }
        if let (Version::Two, Some(stat)) = (group.version, &stat) {
            times(stat, ["user_usec", "system_usec"], 1e6, to);
        }
        if let Some(limit) = limit {
            to.observe(CPU_LIMIT, limit, &[]);
        }
        limit
    }

    /// The CPUs that the process may run on, as the kernel lists them.
    fn allowed_cpus(&self) -> Result<f64, Failure> {
        let status = text(&self.files, STATUS)?;
        let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
        list.and_then(listed).map(|count| count as f64).ok_or_else(|| unreadable(STATUS))
    }
}

impl<F: Files + 'static> Collector for Container<F> {
    fn families(&self) -> Vec<Description> {
        let (gauge, amount) = (Description::gauge, Description::up_down_counter);
        let (cpu, kill) = (Unit::new("{cpu}"), Unit::new("{kill}"));
        let available = "CPUs that the process may use: those it may run on, within its quota";
        vec![
            Description::counter(CPU, "CPU time that the group spent", Unit::Seconds),
            gauge(CPU_LIMIT, "CPUs that the quota is worth", cpu),
            gauge(CPU_AVAILABLE, available, cpu),
            Description::counter(THROTTLED, "Time without a CPU for want of quota", Unit::Seconds),
            amount(MEMORY, "Memory of the group, its file cache too", Unit::Bytes),
            amount(WORKING_SET, "Memory without the file cache at rest", Unit::Bytes),
            amount(MEMORY_LIMIT, "Memory that the group may have", Unit::Bytes),
            Description::counter(OOM_KILLS, "Processes killed for want of memory", kill),
        ]
    }

    fn collect(&mut self, to: &mut Reading) -> Result<(), Failure> {
        self.find_groups()?;
        if let Some(group) = &self.groups.memory {
            self.memory(group, to);
        }
        if let Some(Group { version: Version::One, folders }) = &self.groups.cpu_account
            && let Some(stat) = self.file(&folders[0], "cpuacct.stat")
        {
            times(&stat, ["user", "system"], TICKS_PER_SECOND, to);
        }
        let limit = self.groups.cpu.as_ref().and_then(|group| self.cpu(group, to));
        match self.allowed_cpus() {
            Ok(allowed) => to.observe(CPU_AVAILABLE, limit.unwrap_or(allowed).min(allowed), &[]),
            Err(failure) => to.fail(CPU_AVAILABLE, failure),
        }
        Ok(())
    }
}

impl Groups {
    /// Joins `/proc/self/cgroup`, which has the paths of the groups, with `mountinfo`, which has the
    /// mounts of their trees.
    fn find(membership: &str, mountinfo: &str) -> Self {
        let group = |controller: &str| {
            Group::of_one(controller, membership, mountinfo)
                .or_else(|| Group::of_two(membership, mountinfo))
        };
        Self { memory: group("memory"), cpu: group("cpu"), cpu_account: group("cpuacct") }
    }
}

impl Group {
    /// Version 1: a tree for each controller, or for some together.
    fn of_one(controller: &str, membership: &str, mountinfo: &str) -> Option<Self> {
        let has = |list: &str| list.split(',').any(|name| name == controller);
        let path = membership.lines().find_map(|line| {
            let mut parts = line.splitn(3, ':').skip(1);
            parts.next().filter(|controllers| has(controllers))?;
            parts.next()
        })?;
        let mount = |kind: &str, options: &str| kind == "cgroup" && has(options);
        Self::below(path, mountinfo, Version::One, mount)
    }

    /// Version 2: one tree.
    fn of_two(membership: &str, mountinfo: &str) -> Option<Self> {
        let path = membership.lines().find_map(|line| line.strip_prefix("0::"))?;
        Self::below(path, mountinfo, Version::Two, |kind, _| kind == "cgroup2")
    }

    /// The group at `path` of the tree whose mount `is_tree` finds by type and options.
    fn below(
        path: &str,
        mountinfo: &str,
        version: Version,
        is_tree: impl Fn(&str, &str) -> bool,
    ) -> Option<Self> {
        let (root, point) = mountinfo.lines().find_map(|line| {
            let (left, right) = line.split_once(" - ")?;
            let mut right = right.split(' ');
            let (kind, options) = (right.next()?, right.nth(1)?);
            let mut left = left.split(' ').skip(3);
            is_tree(kind, options).then_some((unescaped(left.next()?), unescaped(left.next()?)))
        })?;
        // In a container the mount may show the container's own group as its root. A path that leads
        // elsewhere cannot be seen from here; then the root is the nearest visible group.
        let below = path.strip_prefix(root.trim_end_matches('/')).unwrap_or("");
        let is_within = below.starts_with('/') && !below.split('/').any(|part| part == "..");
        let below = if is_within { below.trim_end_matches('/') } else { "" };
        let ways = successors(Some(below), |way| Some(way.rsplit_once('/')?.0)).take(MAX_DEPTH);
        Some(Self { version, folders: ways.map(|way| format!("{point}{way}")).collect() })
    }
}

/// How many CPUs `quota` in each `period` is. No quota is written as -1, which is not a number here.
fn quota(quota: f64, period: f64) -> Option<f64> {
    (quota > 0.0 && period > 0.0).then_some(quota / period)
}

fn times(stat: &str, keys: [&str; 2], per_second: f64, to: &mut Reading) {
    for (mode, key) in ["user", "system"].into_iter().zip(keys) {
        if let Some(time) = field(stat, key) {
            to.observe(CPU, time as f64 / per_second, &[("cpu.mode", mode)]);
        }
    }
}

/// How many CPUs a list such as `0-3,8` has.
fn listed(list: &str) -> Option<u64> {
    list.trim().split(',').try_fold(0_u64, |sum, part| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (first.parse::<u64>().ok()?, last.parse::<u64>().ok()?);
        sum.checked_add(last.checked_sub(first)?.checked_add(1)?)
    })
}

const MEMBERSHIP: &str = "/proc/self/cgroup";
const STATUS: &str = "/proc/self/status";

const CPU: &str = "container.cpu.time";
const CPU_LIMIT: &str = "container.cpu.limit";
const CPU_AVAILABLE: &str = "container.cpu.available";
const THROTTLED: &str = "container.cpu.throttled";
const MEMORY: &str = "container.memory.usage";
const WORKING_SET: &str = "container.memory.working_set";
const MEMORY_LIMIT: &str = "container.memory.limit";
const OOM_KILLS: &str = "container.memory.oom_kills";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::{collector::tests::collected, files::tests::Texts};

    const MOUNT_TWO: &str = "30 23 0:26 / /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw\n";
    const FOUR_CPUS: &str = "Cpus_allowed:\tf\nCpus_allowed_list:\t0-3\n";

    fn version_two(membership: &str) -> Texts {
        Texts::default()
            .with(MEMBERSHIP, membership)
            .with(MOUNTS, MOUNT_TWO)
            .with(STATUS, FOUR_CPUS)
    }

    #[test]
    fn a_container_of_version_two_tells_its_own_limits() {
        let files = version_two("0::/\n")
            .with("/sys/fs/cgroup/memory.max", "536870912\n")
            .with("/sys/fs/cgroup/memory.current", "104857600\n")
            .with("/sys/fs/cgroup/memory.stat", "anon 5\ninactive_file 4857600\nactive_file 1\n")
            .with("/sys/fs/cgroup/memory.events", "low 0\noom 3\noom_kill 2\noom_group_kill 0\n")
            .with("/sys/fs/cgroup/cpu.max", "150000 100000\n")
            .with(
                "/sys/fs/cgroup/cpu.stat",
                "usage_usec 3500000\nuser_usec 2500000\nsystem_usec 1000000\nnr_periods 9\n\
                 nr_throttled 3\nthrottled_usec 250000\n",
            );
        let found = collected(&mut Container::new(files)).unwrap();
        let expected = [
            ("container.cpu.available{}", 1.5),
            ("container.cpu.limit{}", 1.5),
            ("container.cpu.throttled{}", 0.25),
            ("container.cpu.time{cpu.mode=system}", 1.0),
            ("container.cpu.time{cpu.mode=user}", 2.5),
            ("container.memory.limit{}", 536_870_912.0),
            ("container.memory.oom_kills{}", 2.0),
            ("container.memory.usage{}", 104_857_600.0),
            ("container.memory.working_set{}", 100_000_000.0),
        ];
        let found: Vec<_> = found.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn the_tightest_limit_on_the_way_up_holds_and_use_is_of_its_group() {
        let files = version_two("0::/pod/app/worker\n")
            .with("/sys/fs/cgroup/pod/app/worker/memory.max", "max\n")
            .with("/sys/fs/cgroup/pod/app/memory.max", "2000\n")
            .with("/sys/fs/cgroup/pod/memory.max", "1000\n")
            .with("/sys/fs/cgroup/pod/app/worker/memory.current", "10\n")
            .with("/sys/fs/cgroup/pod/memory.current", "900\n")
            .with("/sys/fs/cgroup/pod/app/worker/cpu.max", "max 100000\n")
            .with("/sys/fs/cgroup/pod/app/cpu.max", "800000 100000\n");
        let found = collected(&mut Container::new(files)).unwrap();
        assert_eq!(found["container.memory.limit{}"], 1000.0);
        assert_eq!(found["container.memory.usage{}"], 900.0);
        assert_eq!(found["container.cpu.limit{}"], 8.0);
        // A quota beyond the CPUs that there are gives none more.
        assert_eq!(found["container.cpu.available{}"], 4.0);
    }

    #[test]
    fn a_container_of_version_one_tells_its_own_limits() {
        // Seen from inside: the paths are the host's, and so are the roots of the mounts.
        let membership =
            "9:name=systemd:/docker/a1\n4:memory:/docker/a1\n3:cpu,cpuacct:/docker/a1\n";
        let mounts = "\
41 31 0:31 /docker/a1 /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct
42 31 0:32 /docker/a1 /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory
";
        let files = Texts::default()
            .with(MEMBERSHIP, membership)
            .with(MOUNTS, mounts)
            .with(STATUS, FOUR_CPUS)
            .with("/sys/fs/cgroup/memory/memory.limit_in_bytes", "1048576\n")
            .with("/sys/fs/cgroup/memory/memory.usage_in_bytes", "1000000\n")
            .with(
                "/sys/fs/cgroup/memory/memory.stat",
                "inactive_file 1\ntotal_inactive_file 400000\n",
            )
            .with("/sys/fs/cgroup/memory/memory.oom_control", "under_oom 0\noom_kill 7\n")
            .with("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "50000\n")
            .with("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n")
            .with(
                "/sys/fs/cgroup/cpu,cpuacct/cpu.stat",
                "nr_periods 5\nthrottled_time 1500000000\n",
            )
            .with("/sys/fs/cgroup/cpu,cpuacct/cpuacct.stat", "user 250\nsystem 50\n");
        let found = collected(&mut Container::new(files)).unwrap();
        let expected = [
            ("container.cpu.available{}", 0.5),
            ("container.cpu.limit{}", 0.5),
            ("container.cpu.throttled{}", 1.5),
            ("container.cpu.time{cpu.mode=system}", 0.5),
            ("container.cpu.time{cpu.mode=user}", 2.5),
            ("container.memory.limit{}", 1_048_576.0),
            ("container.memory.oom_kills{}", 7.0),
            ("container.memory.usage{}", 1_000_000.0),
            ("container.memory.working_set{}", 600_000.0),
        ];
        let found: Vec<_> = found.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn without_a_limit_there_is_none_told_and_all_allowed_cpus_are_available() {
        let folder = "/sys/fs/cgroup/memory";
        let files = Texts::default()
            .with(MEMBERSHIP, "4:memory:/\n1:cpu:/\n0::/\n")
            .with(MOUNTS, "1 1 0:1 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n")
            .with(STATUS, "Cpus_allowed_list:\t0-1,4,6-7\n")
            .with(&format!("{folder}/memory.limit_in_bytes"), "9223372036854771712\n")
            .with(&format!("{folder}/memory.usage_in_bytes"), "5\n");
        let found = collected(&mut Container::new(files)).unwrap();
        let names: Vec<_> = found.keys().map(String::as_str).collect();
        assert_eq!(names, ["container.cpu.available{}", "container.memory.usage{}"]);
        assert_eq!(found["container.cpu.available{}"], 5.0);
    }

    #[test]
    fn a_machine_without_control_groups_has_its_cpus_still() {
        let files = Texts::default().with(STATUS, FOUR_CPUS);
        let found = collected(&mut Container::new(files)).unwrap();
        assert_eq!(
            found.into_iter().collect::<Vec<_>>(),
            [("container.cpu.available{}".to_owned(), 4.0)]
        );
    }

    #[test]
    fn a_process_that_is_moved_is_followed() {
        let files = version_two("0::/a\n")
            .with("/sys/fs/cgroup/a/memory.max", "1\n")
            .with("/sys/fs/cgroup/b/memory.max", "2\n");
        let mut container = Container::new(files.clone());
        assert_eq!(collected(&mut container).unwrap()["container.memory.limit{}"], 1.0);
        container.files = files.with(MEMBERSHIP, "0::/b\n");
        assert_eq!(collected(&mut container).unwrap()["container.memory.limit{}"], 2.0);
    }

    #[test]
    fn a_group_outside_the_mounted_tree_is_the_root_that_can_be_seen() {
        for path in ["/other/group", "/../elsewhere", "/podx/a", "", "/pod/../../x"] {
            let mounts = "1 1 0:1 /pod /cg rw - cgroup2 none rw\n";
            let group = Group::of_two(&format!("0::{path}\n"), mounts).unwrap();
            assert_eq!(group.folders, ["/cg"], "{path:?}");
        }
    }

    #[test]
    fn a_deep_tree_is_followed_so_far() {
        let path = "/x".repeat(1000);
        let group = Group::of_two(&format!("0::{path}\n"), MOUNT_TWO).unwrap();
        assert_eq!(group.folders.len(), MAX_DEPTH);
    }

    #[test]
    fn a_hostile_list_of_cpus_is_none() {
        assert_eq!(listed("0-3,8"), Some(5));
        for hostile in ["", "x", "3-1", "0-18446744073709551615", "1,,2", "-", "0-"] {
            assert_eq!(listed(hostile), None, "{hostile:?}");
        }
    }
}
