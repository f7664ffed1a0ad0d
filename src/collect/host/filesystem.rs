//! The space of mounted file systems.

use std::{collections::BTreeMap, io};

use rustix::fs::statvfs;

use super::super::{
    collector::{Collector, Description, Failure, Reading},
    files::{Files, text, unreadable},
};
use crate::metric::Unit;

pub(super) struct FileSystem<F> {
    files: F,
    space: fn(&str) -> io::Result<Space>,
}

/// A mounted file system whose space is shown.
#[derive(Debug, PartialEq)]
struct Mount<'a> {
    /// Major and minor number: mounts with the same numbers are one file system.
    device: &'a str,
    point: String,
    /// Mounted read-only. A file system that became read-only after an error does not count.
    is_read_only: bool,
    kind: &'a str,
    source: String,
}

/// The result of `statvfs`, in bytes and inodes.
#[derive(Debug, Default, PartialEq)]
struct Space {
    total: f64,
    free: f64,
    /// Free, and not reserved for root.
    available: f64,
    inodes: f64,
    inodes_free: f64,
}

/// Local file systems that can fill up. For one over a network or in another process, the call may hang
/// and delay every other figure.
const KINDS: [&str; 20] = [
    "apfs", "bcachefs", "btrfs", "exfat", "ext2", "ext3", "ext4", "f2fs", "hfsplus", "jfs",
    "msdos", "nilfs2", "ntfs3", "overlay", "reiserfs", "tmpfs", "ubifs", "vfat", "xfs", "zfs",
];

/// The most mounts that are shown; a host with many containers has thousands.
const MAX_MOUNTS: usize = 256;

impl<F: Files> FileSystem<F> {
    pub(super) fn new(files: F) -> Self {
        Self { files, space: |point| Space::of(point) }
    }
}

impl<F: Files + 'static> Collector for FileSystem<F> {
    fn families(&self) -> Vec<Description> {
        let amount = Description::up_down_counter;
        let inodes = "Inodes in each state; together they are all that there may be";
        vec![
            amount(USAGE, "Space in each state; together they are all of it", Unit::Bytes),
            amount(LIMIT, "Space of the file system", Unit::Bytes),
            amount(INODES, inodes, Unit::new("{inode}")),
        ]
    }

    fn collect(&mut self, to: &mut Reading) -> Result<(), Failure> {
        let text = text(&self.files, MOUNTS)?;
        let mounts = mounts(&text);
        if mounts.is_empty() && !text.contains(" - ") {
            return Err(unreadable(MOUNTS));
        }
        for mount in mounts {
            match (self.space)(&mount.point) {
                Ok(space) => mount.tell(&space, to),
                // It was unmounted meanwhile, or is hidden from this process: nothing to show.
                Err(error) if is_away(&error) => {}
                Err(error) => {
                    let message = format!("the space of {}: {error}", mount.point);
                    to.fail(USAGE, Failure::new("io", message));
                }
            }
        }
        Ok(())
    }
}

fn is_away(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied)
}

/// The file systems of `mountinfo`, each once, at its shortest mount point.
fn mounts(mountinfo: &str) -> Vec<Mount<'_>> {
    // The last mount on a point hides the earlier ones.
    let visible: BTreeMap<String, Mount<'_>> = (mountinfo.lines().filter_map(Mount::parse))
        .map(|mount| (mount.point.clone(), mount))
        .collect();
    let mut by_device: BTreeMap<&str, Mount<'_>> = BTreeMap::new();
    for mount in visible.into_values().filter(Mount::can_fill_up) {
        let known = by_device.get(mount.device);
        if known.is_none_or(|known| mount.point.len() < known.point.len()) {
            by_device.insert(mount.device, mount);
        }
    }
    by_device.into_values().take(MAX_MOUNTS).collect()
}

impl<'a> Mount<'a> {
    /// `36 35 98:0 /root /point rw,noatime shared:1 - ext4 /dev/sda1 rw`, with any number of optional
    /// fields before the dash (proc(5)).
    fn parse(line: &'a str) -> Option<Self> {
        let (left, right) = line.split_once(" - ")?;
        let mut left = left.split(' ');
        let device = left.nth(2)?;
        let point = unescaped(left.nth(1)?);
        let is_read_only = left.next()?.split(',').any(|option| option == "ro");
        let mut right = right.split(' ');
        let (kind, source) = (right.next()?, unescaped(right.next()?));
        Some(Self { device, point, is_read_only, kind, source })
    }

    fn can_fill_up(&self) -> bool {
        // Below these, a `tmpfs` only holds mount points of other file systems.
        let is_kernels = ["/proc/", "/sys/"].iter().any(|kernels| self.point.starts_with(kernels));
        KINDS.contains(&self.kind) && !self.is_read_only && !is_kernels
    }

    fn tell(&self, space: &Space, to: &mut Reading) {
        let place = [
            ("system.device", self.source.as_str()),
            ("system.filesystem.mountpoint", self.point.as_str()),
            ("system.filesystem.type", self.kind),
        ];
        let Space { total, free, available, inodes, inodes_free } = *space;
        let with = |state| [place[0], place[1], place[2], ("system.filesystem.state", state)];
        to.observe(LIMIT, total, &place);
        to.observe(USAGE, (total - free).max(0.0), &with("used"));
        to.observe(USAGE, available, &with("free"));
        to.observe(USAGE, (free - available).max(0.0), &with("reserved"));
        // Some file systems have no fixed number of inodes.
        if inodes > 0.0 {
            to.observe(INODES, (inodes - inodes_free).max(0.0), &with("used"));
            to.observe(INODES, inodes_free, &with("free"));
        }
    }
}

impl Space {
    fn of(point: &str) -> io::Result<Self> {
        let found = statvfs(point)?;
        let bytes = |blocks: u64| blocks as f64 * found.f_frsize as f64;
        Ok(Self {
            total: bytes(found.f_blocks),
            free: bytes(found.f_bfree),
            available: bytes(found.f_bavail),
            inodes: found.f_files as f64,
            inodes_free: found.f_ffree as f64,
        })
    }
}

/// A path of `mountinfo`, where blanks and backslashes are written as three octal digits: `\040`.
pub(super) fn unescaped(path: &str) -> String {
    let bytes = path.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut place = 0;
    while place < bytes.len() {
        let digits = bytes.get(place + 1..place + 4);
        let octal =
            digits.filter(|digits| digits.iter().all(|digit| (b'0'..=b'7').contains(digit)));
        match octal {
            Some(&[high, middle, low]) if bytes[place] == b'\\' && high < b'4' => {
                plain.push(((high - b'0') << 6) | ((middle - b'0') << 3) | (low - b'0'));
                place += 4;
            }
            _ => {
                plain.push(bytes[place]);
                place += 1;
            }
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

pub(super) const MOUNTS: &str = "/proc/self/mountinfo";

const USAGE: &str = "system.filesystem.usage";
const LIMIT: &str = "system.filesystem.limit";
const INODES: &str = "system.filesystem.inodes.usage";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::{collector::tests::collected, files::tests::Texts};

    const MOUNTINFO: &str = "\
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime shared:1 master:2 - ext4 /dev/vda rw,discard
30 27 254:0 /etc/hosts /etc/hosts rw - ext4 /dev/vda rw
31 27 0:99 / /mnt/far rw - nfs4 server:/x rw
32 27 8:1 / /mnt/a\\040b rw - xfs /dev/sda1 rw
33 27 8:2 / /mnt/hidden rw - xfs /dev/sdb1 rw
34 27 8:3 / /mnt/hidden rw - ext4 /dev/sdc1 rw
35 27 0:23 / /dev/shm rw - tmpfs tmpfs rw
36 27 0:24 / /sys/fs/cgroup rw - tmpfs tmpfs rw
37 27 8:5 / /mnt/image nosuid,ro - ext4 /dev/sdd1 ro
a line that is none
38 27 8:4
";

    #[test]
    fn each_local_file_system_that_can_be_seen_is_told_once() {
        let found = mounts(MOUNTINFO);
        let points: Vec<_> = found.iter().map(|mount| (mount.point.as_str(), mount.kind)).collect();
        assert_eq!(
            points,
            [("/dev/shm", "tmpfs"), ("/", "ext4"), ("/mnt/a b", "xfs"), ("/mnt/hidden", "ext4")]
        );
    }

    #[test]
    fn escapes_are_undone_and_what_is_none_is_left() {
        for (text, plain) in [
            ("/a\\040b\\011c\\134", "/a b\tc\\"),
            ("\\", "\\"),
            ("\\04", "\\04"),
            ("\\0408", " 8"),
            ("\\999", "\\999"),
            ("\\777", "\\777"),
            ("\\303\\251é", "éé"),
            ("", ""),
        ] {
            assert_eq!(unescaped(text), plain, "{text}");
        }
    }

    #[test]
    fn the_states_of_the_space_add_up_to_all_of_it() {
        let files = Texts::default().with(MOUNTS, MOUNTINFO);
        let space = |point: &str| match point {
            "/" => Ok(Space {
                total: 100.0,
                free: 40.0,
                available: 35.0,
                inodes: 10.0,
                inodes_free: 4.0,
            }),
            "/dev/shm" => Ok(Space { total: 8.0, free: 8.0, available: 8.0, ..Space::default() }),
            "/mnt/hidden" => Err(io::ErrorKind::PermissionDenied.into()),
            _ => Err(io::Error::other("broken")),
        };
        let found = collected(&mut FileSystem { files, space }).unwrap();
        let root = "system.device=/dev/vda,system.filesystem.mountpoint=/";
        let value = |family: &str, state: &str| {
            let state = format!("system.filesystem.state={state}");
            found.get(&format!("{family}{{{root},{state},system.filesystem.type=ext4}}")).copied()
        };
        assert_eq!(value(USAGE, "used"), Some(60.0));
        assert_eq!(value(USAGE, "free"), Some(35.0));
        assert_eq!(value(USAGE, "reserved"), Some(5.0));
        assert_eq!(value(INODES, "used"), Some(6.0));
        assert!(!found.keys().any(|key| key.contains("hidden")));
        assert!(!found.keys().any(|key| key.starts_with(INODES) && key.contains("shm")));
        assert_eq!(found["system.filesystem.usage failed: io"], 1.0);
    }
}
