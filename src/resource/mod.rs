//! The resource: attributes of the service, sent with everything it exports.
//!
//! What the code says holds before `OTEL_SERVICE_NAME`, that before `OTEL_RESOURCE_ATTRIBUTES`, and that
//! before what is [detected](Resource::detected).

mod attributes;
mod container;
mod detect;
mod environment;
mod platform;
mod surroundings;

pub use attributes::Resource;
use surroundings::{Surroundings, System};

use crate::diagnostics;

/// Of a process, and of where it runs.
impl Resource {
    /// What can be found out about the process and where it runs, without any network:
    ///
    /// | attributes | from |
    /// | --- | --- |
    /// | `host.name` | `/proc/sys/kernel/hostname`, or the variables `COMPUTERNAME`, `HOSTNAME` |
    /// | `host.arch`, `os.type` | what the program was built for |
    /// | `os.name`, `os.version` | `NAME` and `VERSION_ID` of `/etc/os-release` |
    /// | `os.build_id` | the kernel's version, `/proc/sys/kernel/osrelease` |
    /// | `process.pid`, `process.executable.name` | the operating system |
    /// | `process.command` | how the process was called, without its arguments, which may be secrets |
    /// | `process.runtime.name` | `rust`; which compiler built a program, it does not know |
    /// | `container.id` | `/proc/self/cgroup`, or the files that Docker and podman mount, by `/proc/self/mountinfo`. In Kubernetes with control groups of version 2 nothing that a container sees has its id |
    /// | `k8s.pod.name`, `k8s.pod.uid`, `k8s.node.name` | `OTEL_RESOURCE_ATTRIBUTES_POD_NAME` (`_POD_UID`, `_NODE_NAME`), as OpenTelemetry's operator sets it, or `K8S_POD_NAME` (…); in a pod also `POD_NAME` (…), and for the name `HOSTNAME`, which is the node's where a pod uses the host's network |
    /// | `k8s.namespace.name` | `K8S_NAMESPACE_NAME`, `K8S_POD_NAMESPACE`, `K8S_NAMESPACE`; in a pod also `POD_NAMESPACE`, and the file of its service account |
    /// | `k8s.container.name`, `k8s.deployment.name`, `k8s.cluster.name` | `K8S_CONTAINER_NAME`, `K8S_DEPLOYMENT_NAME`, `K8S_CLUSTER_NAME`; in a pod also `CONTAINER_NAME` |
    /// | `service.instance.id` | the platform's, or a random UUID that stays for as long as the process lives |
    ///
    /// A process is in a pod where `KUBERNETES_SERVICE_HOST` is set. And of platforms, the first that is here:
    ///
    /// | `cloud.platform` | known by | and there |
    /// | --- | --- | --- |
    /// | `aws_lambda` | `AWS_LAMBDA_FUNCTION_NAME` | `faas.name`, `faas.version`, `faas.instance`, `faas.max_memory` from `AWS_LAMBDA_*`; `cloud.region` from `AWS_REGION` |
    /// | `aws_ecs` | `ECS_CONTAINER_METADATA_URI_V4` or without `_V4`, which is not asked | `cloud.region` |
    /// | `aws_eks` | `AWS_WEB_IDENTITY_TOKEN_FILE` in a pod | `cloud.region` |
    /// | `gcp_cloud_run`, `gcp_cloud_functions` | `K_SERVICE` and `K_REVISION` outside of a pod, with `FUNCTION_TARGET` for the latter | `faas.name`, `faas.version`; `cloud.account.id` from `GOOGLE_CLOUD_PROJECT`; `cloud.region` from `FUNCTION_REGION`, `GOOGLE_CLOUD_REGION` |
    /// | `gcp_cloud_run` | `CLOUD_RUN_JOB` | `faas.name`, `gcp.cloud_run.job.execution` and `.task_index` |
    /// | `gcp_app_engine` | `GAE_SERVICE` | `faas.name`, `faas.version`, `faas.instance` |
    /// | `azure.app_service`, `azure.functions` | `WEBSITE_SITE_NAME`, with `FUNCTIONS_EXTENSION_VERSION` for the latter | `cloud.region` from `REGION_NAME`; `service.instance.id` or `faas.instance` from `WEBSITE_INSTANCE_ID`; of App Service `host.id`, `deployment.environment.name` |
    /// | `azure.container_apps` | `CONTAINER_APP_NAME` | `service.instance.id`, `service.version` from the replica and the revision |
    /// | none; `cloud.provider` is `fly_io` | `FLY_APP_NAME` | `cloud.region`, `host.id` from `FLY_MACHINE_ID` |
    /// | none; `render` | `RENDER` and `RENDER_SERVICE_NAME` | `service.instance.id`, `service.version` |
    /// | none; `heroku` | `DYNO` | `service.instance.id`, `service.version`, `heroku.*` from `HEROKU_*` |
    ///
    /// All but `aws_ecs` and `aws_eks` also say `service.name`, for who does not name it. Names are those of
    /// OpenTelemetry's semantic conventions 1.40. A variable that is blank or longer than 1,024 bytes says
    /// nothing, and what is not known is left out. `OTEL_RESOURCE_ATTRIBUTES` is not read here.
    ///
    /// # Examples
    ///
    /// ```
    /// use bellwether::resource::Resource;
    ///
    /// let resource = Resource::service("shop").or(&Resource::detected());
    /// assert_eq!(resource.get("service.name"), Some(&"shop".into()));
    /// assert_eq!(resource.get("process.pid"), Some(&std::process::id().into()));
    /// ```
    #[must_use]
    pub fn detected() -> Self {
        detect::detected(&System)
    }

    /// The resource that builders begin with: of the service `name`, or of one that is to be named by the
    /// environment if `name` is empty.
    pub(crate) fn begun(name: &str) -> Self {
        if name.is_empty() { Self::of_sdk() } else { Self::service(name) }
    }

    /// With what the environment says, and what is detected if `detects`, where the code says nothing. What
    /// is wrong with the environment is reported.
    pub(crate) fn completed(self, detects: bool) -> Self {
        let (resource, fault) = self.completed_from(&System, detects);
        if let Some(fault) = fault {
            diagnostics::report("resource", format_args!("{fault}"));
        }
        resource
    }

    fn completed_from(self, from: &dyn Surroundings, detects: bool) -> (Self, Option<String>) {
        let (environment, fault) = environment::of_environment(from);
        let mut resource = self.or(&environment);
        if detects {
            resource = resource.or(&detect::detected(from));
        }
        if resource.get("service.name").is_none() {
            resource = resource.with("service.name", detect::unknown_service(from));
        }
        (resource, fault)
    }
}

#[cfg(test)]
mod tests {
    use super::{surroundings::tests::Given, *};

    #[test]
    fn code_holds_before_the_environment_and_that_before_what_is_detected() {
        let given = Given::default().with(&[
            ("OTEL_RESOURCE_ATTRIBUTES", "a=list,cloud.region=list,service.name=list"),
            ("OTEL_SERVICE_NAME", "variable"),
            ("FLY_APP_NAME", "app"),
            ("FLY_REGION", "ams"),
        ]);
        let value = |resource: &Resource, key: &str| resource.get(key).map(ToString::to_string);
        let code = Resource::begun("shop").with("a", "code");
        let (resource, _) = code.clone().completed_from(&given, true);
        let values = ["service.name", "a", "cloud.region", "cloud.provider"];
        let values = values.map(|key| value(&resource, key).unwrap());
        assert_eq!(values, ["shop", "code", "list", "fly_io"]);

        let (unnamed, _) = Resource::begun("").completed_from(&given, true);
        assert_eq!(value(&unnamed, "service.name").as_deref(), Some("variable"));
        let (undetected, _) = code.completed_from(&given, false);
        assert_eq!(value(&undetected, "cloud.provider"), None);
        assert_eq!(value(&undetected, "cloud.region").as_deref(), Some("list"));
    }

    #[test]
    fn a_service_that_nobody_names_is_named_by_its_platform_or_is_unknown() {
        let name = |given: &Given, detects| {
            let (resource, _) = Resource::begun("").completed_from(given, detects);
            resource.get("service.name").unwrap().to_string()
        };
        let given = Given::default().with(&[("FLY_APP_NAME", "app")]);
        assert_eq!(
            (name(&given, true), name(&given, false)),
            ("app".into(), "unknown_service".into())
        );
    }

    #[test]
    fn the_sdk_is_named_whatever_the_environment_says() {
        let given = Given::default().with(&[("OTEL_RESOURCE_ATTRIBUTES", "telemetry.sdk.name=x")]);
        let (resource, _) = Resource::begun("").completed_from(&given, false);
        assert_eq!(resource.get("telemetry.sdk.name"), Some(&"bellwether".into()));
    }

    #[test]
    fn what_the_system_says_of_this_process_is_detected() {
        let resource = Resource::detected();
        assert_eq!(resource.get("process.pid"), Some(&std::process::id().into()));
        for key in ["host.arch", "os.type", "process.executable.name", "service.instance.id"] {
            assert!(resource.get(key).is_some(), "{key}");
        }
    }
}
