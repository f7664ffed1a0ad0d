//! The id of the container that a process runs in, from what the kernel shows it of itself.
//!
//! Under version 1 of control groups, and where a container sees the host's groups, the path of the group
//! ends in the id: `/docker/ID`, `/system.slice/docker-ID.scope`, `/kubepods/…/podUID/ID`,
//! `…:cri-containerd:ID`, `crio-ID.scope`, `libpod-ID.scope/container`. Under version 2 the path is mostly
//! `/`. Docker and podman then mount files over `/etc/hostname` and the like, from a folder with the id.
//!
//! In Kubernetes these files are those of the pod's sandbox, a container of its own, whose id is not ours. So
//! there they are not looked at: no id is better than another's. What Kubernetes knows of the container comes
//! by the downward API.

use super::surroundings::Surroundings;

/// The id of the container, if there is one.
pub(super) fn id(from: &dyn Surroundings) -> Option<String> {
    let of_groups = || Some(of_groups(&from.file("/proc/self/cgroup")?)?.to_owned());
    let of_mounts = || Some(of_mounts(&from.file("/proc/self/mountinfo")?)?.to_owned());
    of_groups().or_else(of_mounts)
}

/// The id in the text of `/proc/self/cgroup`, whose lines are `number:controllers:path`.
fn of_groups(text: &str) -> Option<&str> {
    text.lines().find_map(|line| of_path(line.splitn(3, ':').nth(2)?))
}

/// The id in the text of `/proc/self/mountinfo` (proc(5)): the fourth field of a line is the folder that is
/// mounted, the fifth where.
fn of_mounts(text: &str) -> Option<&str> {
    let mounts = || {
        text.lines().filter_map(|line| {
            let mut fields = line.split(' ').skip(3);
            Some((fields.next()?, fields.next()?))
        })
    };
    let is_pod = mounts().any(|(folder, at)| {
        folder.contains("/kubelet/")
            || folder.contains("/sandboxes/")
            || at.contains("/kubernetes.io")
    });
    let of =
        |point: &str| mounts().find(|(_, at)| *at == point).and_then(|(from, _)| of_path(from));
    // Podman's file is of the container itself.
    let files = ["/run/.containerenv", "/etc/hostname", "/etc/hosts", "/etc/resolv.conf"];
    files[..if is_pod { 1 } else { 4 }].iter().find_map(|point| of(point))
}

/// The id in the innermost part of a path that has one.
fn of_path(path: &str) -> Option<&str> {
    path.rsplit('/').find_map(of_part)
}

/// The id in a part of a path: alone, or behind the name of what runs the container.
fn of_part(part: &str) -> Option<&str> {
    let name = part.strip_suffix(".scope").unwrap_or(part);
    let name = name.rsplit(':').next()?;
    let Some((runtime, id)) = name.rsplit_once('-') else { return is_id(name).then_some(name) };
    // Fargate's: the task, and a number.
    let is_of_task = is_hex(runtime, 32) && id.bytes().all(|byte| byte.is_ascii_digit());
    match () {
        () if is_of_task && !id.is_empty() => Some(name),
        // Conmon watches over a container from outside.
        () if is_id(id) && !runtime.ends_with("conmon") => Some(id),
        () => None,
    }
}

fn is_id(text: &str) -> bool {
    is_hex(text, 64)
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::{super::surroundings::tests::Given, *};

    const ID: &str = "2b8c5c4f0d7e1a9b3c6d8e0f1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d";
    const SANDBOX: &str = "f0e1d2c3b4a5968778695a4b3c2d1e0ff0e1d2c3b4a5968778695a4b3c2d1e0f";
    const POD: &str = "a1b2c3d4-0000-1111-2222-333344445555";
    const NO_GROUP: &str = "0::/\n";

    /// Texts with `ID`, `SANDBOX` and `POD` filled in.
    fn id_of(groups: &str, mounts: &str) -> Option<String> {
        let fill =
            |text: &str| text.replace("ID", ID).replace("SANDBOX", SANDBOX).replace("POD", POD);
        let given = Given::default()
            .file("/proc/self/cgroup", &fill(groups))
            .file("/proc/self/mountinfo", &fill(mounts));
        id(&given)
    }

    #[test]
    fn groups_of_every_runtime_end_in_the_id() {
        for (runtime, groups) in [
            (
                "docker",
                "12:pids:/docker/ID\n11:cpu,cpuacct:/docker/ID\n1:name=systemd:/docker/ID\n",
            ),
            ("docker by systemd", "9:memory:/system.slice/docker-ID.scope\n"),
            ("docker, version 2, host's groups", "0::/system.slice/docker-ID.scope\n"),
            ("docker in docker", "4:cpu:/docker/SANDBOX/docker/ID\n"),
            ("containerd", "11:memory:/kubepods/burstable/podPOD/ID\n"),
            (
                "containerd by systemd",
                "0::/kubepods.slice/kubepods-podPOD.slice/cri-containerd-ID.scope\n",
            ),
            ("containerd, older", "6:cpu:/system.slice/kubepods-podPOD.slice:cri-containerd:ID\n"),
            ("cri-o", "5:cpuset:/kubepods.slice/kubepods-podPOD.slice/crio-ID.scope\n"),
            ("podman", "0::/machine.slice/libpod-ID.scope\n"),
            ("podman, split", "0::/machine.slice/libpod-ID.scope/container\n"),
            (
                "podman without root",
                "0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-ID.scope\n",
            ),
            ("ECS", "9:perf_event:/ecs/0123456789abcdef0123456789abcdef/ID\n"),
        ] {
            assert_eq!(id_of(groups, "").as_deref(), Some(ID), "{runtime}");
        }
    }

    #[test]
    fn fargate_names_a_container_by_its_task_and_a_number() {
        let task = "0123456789abcdef0123456789abcdef";
        let groups = format!("1:name=systemd:/ecs/{task}/{task}-1234567890\n");
        assert_eq!(id_of(&groups, "").unwrap(), format!("{task}-1234567890"));
    }

    #[test]
    fn outside_of_containers_there_is_none() {
        for groups in [
            "",
            "\n::\n",
            NO_GROUP,
            "0::/user.slice/user-1000.slice/session-2.scope\n",
            "0::/machine.slice/libpod-conmon-ID.scope\n",
            "3:cpu:/kubepods/podPOD\n",
            "3:cpu:/docker/IDaa\n",
        ] {
            assert_eq!(id_of(groups, ""), None, "{groups}");
        }
        assert_eq!(id(&Given::default()), None);
        let upper = format!("3:cpu:/docker/{}\n", ID.to_uppercase());
        assert_eq!(id_of(&upper, ""), None);
    }

    #[test]
    fn under_version_2_the_mounted_files_of_docker_and_podman_have_the_id() {
        for (runtime, mounts) in [
            (
                "docker",
                "713 640 254:1 /var/lib/docker/containers/ID/resolv.conf /etc/resolv.conf rw - ext4 /dev/vda1 rw\n\
                 714 640 254:1 /var/lib/docker/containers/ID/hostname /etc/hostname rw - ext4 /dev/vda1 rw\n\
                 715 640 254:1 /var/lib/docker/containers/ID/hosts /etc/hosts rw - ext4 /dev/vda1 rw\n",
            ),
            (
                "docker, another root",
                "714 640 8:17 /containers/ID/hostname /etc/hostname rw - xfs /dev/sdb1 rw\n",
            ),
            (
                "podman",
                "983 961 0:24 /containers/storage/overlay-containers/ID/userdata/hostname /etc/hostname rw - tmpfs tmpfs rw\n",
            ),
            (
                "podman in a pod of podman",
                "980 961 0:24 /containers/overlay-containers/ID/userdata/.containerenv /run/.containerenv rw - tmpfs tmpfs rw\n\
                 983 961 0:24 /containers/overlay-containers/SANDBOX/userdata/hostname /etc/hostname rw - tmpfs tmpfs rw\n",
            ),
        ] {
            assert_eq!(id_of(NO_GROUP, mounts).as_deref(), Some(ID), "{runtime}");
        }
    }

    #[test]
    fn the_sandbox_of_a_pod_is_not_taken_for_the_container() {
        let kubelet =
            "900 880 8:1 /var/lib/kubelet/pods/POD/etc-hosts /etc/hosts rw - ext4 /dev/sda1 rw\n";
        for (runtime, hostname) in [
            (
                "containerd",
                "/var/lib/containerd/io.containerd.grpc.v1.cri/sandboxes/SANDBOX/hostname",
            ),
            ("cri-o", "/containers/storage/overlay-containers/SANDBOX/userdata/hostname"),
            ("docker", "/var/lib/docker/containers/SANDBOX/hostname"),
        ] {
            let mount = format!("901 880 8:1 {hostname} /etc/hostname rw - ext4 /dev/sda1 rw\n");
            assert_eq!(id_of(NO_GROUP, &(mount.clone() + kubelet)), None, "{runtime}");
            let group = "11:memory:/kubepods/burstable/podPOD/ID\n";
            assert_eq!(id_of(group, &(mount + kubelet)).as_deref(), Some(ID), "{runtime}");
        }
    }

    #[test]
    fn lines_that_are_cut_or_are_none_do_no_harm() {
        for mounts in ["", "1", "1 2 3", "1 2 3 /a", "1 2 3 / /etc/hostname", "    /etc/hostname"] {
            assert_eq!(id_of(NO_GROUP, mounts), None, "{mounts}");
        }
    }
}
