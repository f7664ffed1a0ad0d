//! What is found out about the host, the process, its container and its pod.

use std::fmt::Write as _;

use super::{
    attributes::Resource,
    container,
    platform::{is_kubernetes, platform},
    surroundings::{OwnProcess, Surroundings, first_of, useful},
};
use crate::util::{per_process::PerProcess, random};

/// By the downward API of Kubernetes: each attribute, the variables that can mean nothing else (first those of
/// OpenTelemetry's operator), and those that count in a pod alone.
const OF_PODS: &[(&str, &[&str], &[&str])] = &[
    (
        "k8s.pod.name",
        &["OTEL_RESOURCE_ATTRIBUTES_POD_NAME", "K8S_POD_NAME"],
        &["POD_NAME", "HOSTNAME"],
    ),
    ("k8s.pod.uid", &["OTEL_RESOURCE_ATTRIBUTES_POD_UID", "K8S_POD_UID"], &["POD_UID"]),
    ("k8s.node.name", &["OTEL_RESOURCE_ATTRIBUTES_NODE_NAME", "K8S_NODE_NAME"], &["NODE_NAME"]),
    (
        "k8s.namespace.name",
        &["K8S_NAMESPACE_NAME", "K8S_POD_NAMESPACE", "K8S_NAMESPACE"],
        &["POD_NAMESPACE"],
    ),
    ("k8s.container.name", &["K8S_CONTAINER_NAME"], &["CONTAINER_NAME"]),
    ("k8s.deployment.name", &["K8S_DEPLOYMENT_NAME"], &[]),
    ("k8s.cluster.name", &["K8S_CLUSTER_NAME"], &[]),
];

/// The namespace of a pod that has a service account, as most have.
const NAMESPACE_FILE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

/// All that is detected.
pub(super) fn detected(from: &dyn Surroundings) -> Resource {
    let process = from.process();
    platform(from)
        .or(&pod(from))
        .or(&Resource::default().put("container.id", container::id(from)))
        .or(&host(from, &process))
        .or(&of_process(&process))
        .or(&Resource::default().with("service.instance.id", instance_id()))
}

/// The name of a service that nobody named, by the specification.
pub(super) fn unknown_service(from: &dyn Surroundings) -> String {
    match executable_name(&from.process()) {
        Some(name) => format!("unknown_service:{name}"),
        None => "unknown_service".to_owned(),
    }
}

fn host(from: &dyn Surroundings, process: &OwnProcess) -> Resource {
    let line = |path: &str| useful(from.file(path)?);
    let release = from.file("/etc/os-release").unwrap_or_default();
    let name = || line("/proc/sys/kernel/hostname").or_else(|| first_of(from, &["COMPUTERNAME"]));
    Resource::default()
        .put("host.name", name().or_else(|| first_of(from, &["HOSTNAME"])))
        .put("host.arch", Some(arch(process.arch).to_owned()))
        .put("os.type", Some(os(process.os).to_owned()))
        .put("os.name", release_field(&release, "NAME"))
        .put("os.version", release_field(&release, "VERSION_ID"))
        .put("os.build_id", line("/proc/sys/kernel/osrelease"))
}

fn of_process(process: &OwnProcess) -> Resource {
    Resource::default()
        .with("process.pid", process.id)
        .with("process.runtime.name", "rust")
        .put("process.executable.name", executable_name(process))
        .put("process.command", process.command.clone())
}

fn pod(from: &dyn Surroundings) -> Resource {
    let is_pod = is_kubernetes(from);
    let mut resource = Resource::default();
    for (key, names, others) in OF_PODS {
        let of_others = || is_pod.then(|| first_of(from, others)).flatten();
        resource = resource.put(key, first_of(from, names).or_else(of_others));
    }
    if is_pod && resource.get("k8s.namespace.name").is_none() {
        resource = resource.put("k8s.namespace.name", from.file(NAMESPACE_FILE));
    }
    resource
}

impl Resource {
    /// With `value`, if it is of use.
    fn put(self, key: &'static str, value: Option<String>) -> Self {
        match value.and_then(useful) {
            Some(value) => self.with(key, value),
            None => self,
        }
    }
}

fn executable_name(process: &OwnProcess) -> Option<String> {
    Some(process.executable.as_ref()?.file_name()?.to_string_lossy().into_owned())
}

/// The value of `key` in os-release(5), without quotes.
fn release_field(text: &str, key: &str) -> Option<String> {
    let mut values = text.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    Some(values.next()?.trim().trim_matches(['"', '\'']).to_owned())
}

/// The architecture as the conventions name it; one that they do not know, as Rust does.
fn arch(name: &str) -> &str {
    match name {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "arm" => "arm32",
        "powerpc64" => "ppc64",
        "powerpc" => "ppc32",
        name => name, // `x86` and `s390x` among them.
    }
}

/// The operating system as the conventions name it; one that they do not know, as Rust does.
fn os(name: &str) -> &str {
    match name {
        "macos" => "darwin",
        "dragonfly" => "dragonflybsd",
        "illumos" => "solaris",
        name => name,
    }
}

/// A random UUID (version 4), the same for as long as the process lives; a forked child has its own.
fn instance_id() -> String {
    static ID: PerProcess<InstanceId> = PerProcess::new();
    uuid(ID.get().0)
}

struct InstanceId(u128);

impl Default for InstanceId {
    fn default() -> Self {
        let [high, low] = random::numbers();
        Self(u128::from(high) << 64 | u128::from(low))
    }
}

/// `bits` as a UUID of version 4 (RFC 9562, section 5.4), whose version and variant replace six of them.
fn uuid(bits: u128) -> String {
    let bits = bits & !(0xf << 76) & !(0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    let digits = format!("{bits:032x}");
    let mut text = String::with_capacity(36);
    for (place, digit) in digits.chars().enumerate() {
        let dash = if [8, 12, 16, 20].contains(&place) { "-" } else { "" };
        let _ = write!(text, "{dash}{digit}"); // To a text nothing fails.
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{super::surroundings::tests::Given, *};

    fn given() -> Given {
        Given::of(OwnProcess {
            id: 42,
            executable: Some("/usr/bin/shop".into()),
            command: Some("./shop".to_owned()),
            arch: "x86_64",
            os: "linux",
        })
    }

    fn shown(resource: &Resource) -> Vec<String> {
        resource.attributes().iter().map(|each| format!("{}={}", each.key, each.value)).collect()
    }

    #[test]
    fn host_and_process_are_as_files_and_std_say() {
        let release =
            "PRETTY_NAME=\"Debian GNU/Linux 12\"\nNAME=\"Debian GNU/Linux\"\nVERSION_ID='12'\n";
        let given = given()
            .file("/proc/sys/kernel/hostname", "eu-1\n")
            .file("/proc/sys/kernel/osrelease", "6.1.0-18-amd64\n")
            .file("/etc/os-release", release);
        let mut found = shown(&detected(&given));
        assert!(found.pop().unwrap().starts_with("service.instance.id="));
        let expected = [
            "host.arch=amd64",
            "host.name=eu-1",
            "os.build_id=6.1.0-18-amd64",
            "os.name=Debian GNU/Linux",
            "os.type=linux",
            "os.version=12",
            "process.command=./shop",
            "process.executable.name=shop",
            "process.pid=42",
            "process.runtime.name=rust",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn where_nothing_is_known_nothing_is_made_up() {
        let found = detected(&Given::default());
        let keys: Vec<_> = found.attributes().iter().map(|each| &*each.key).collect();
        assert_eq!(keys, ["process.pid", "process.runtime.name", "service.instance.id"]);
        assert_eq!(unknown_service(&Given::default()), "unknown_service");
        assert_eq!(unknown_service(&given()), "unknown_service:shop");
    }

    #[test]
    fn the_downward_api_is_read_and_the_operators_variables_first() {
        let variables = [
            ("OTEL_RESOURCE_ATTRIBUTES_POD_NAME", "shop-1"),
            ("K8S_POD_NAME", "other"),
            ("OTEL_RESOURCE_ATTRIBUTES_NODE_NAME", "node-1"),
            ("K8S_POD_UID", "u-1"),
            ("K8S_NAMESPACE_NAME", "prod"),
            ("POD_NAME", "generic"),
        ];
        let expected = [
            "k8s.namespace.name=prod",
            "k8s.node.name=node-1",
            "k8s.pod.name=shop-1",
            "k8s.pod.uid=u-1",
        ];
        assert_eq!(shown(&pod(&Given::default().with(&variables))), expected);
    }

    #[test]
    fn a_pod_has_the_name_of_its_host_and_the_namespace_of_its_account() {
        let outside = Given::default().with(&[("HOSTNAME", "shop-1"), ("NODE_NAME", "n")]);
        let outside = outside.file(NAMESPACE_FILE, "prod\n");
        assert_eq!(shown(&pod(&outside)), [""; 0]);
        let inside = outside.with(&[("KUBERNETES_SERVICE_HOST", "10.0.0.1")]);
        let expected = ["k8s.namespace.name=prod", "k8s.node.name=n", "k8s.pod.name=shop-1"];
        assert_eq!(shown(&pod(&inside)), expected);
    }

    #[test]
    fn the_instance_is_random_of_version_4_and_stays() {
        assert_eq!(uuid(0), "00000000-0000-4000-8000-000000000000");
        assert_eq!(uuid(u128::MAX), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(instance_id(), instance_id());
        assert_ne!(instance_id(), uuid(0));
        assert_ne!(InstanceId::default().0, InstanceId::default().0);
    }

    #[test]
    fn a_platform_that_names_the_instance_holds_before_a_random_one() {
        let found = detected(&Given::default().with(&[("DYNO", "web.1")]));
        assert_eq!(found.get("service.instance.id"), Some(&"web.1".into()));
    }
}
