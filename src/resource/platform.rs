//! The clouds and the like that say by environment variables that a process runs there, and what else they
//! say. Nothing is asked over the network.

use super::{
    attributes::Resource,
    surroundings::{Surroundings, first_of, has},
};

/// A place where a process may run.
struct Platform {
    /// The value of `cloud.provider`.
    provider: &'static str,
    /// The value of `cloud.platform`, if the conventions have one.
    platform: Option<&'static str>,
    is_here: fn(&dyn Surroundings) -> bool,
    /// Attributes, each with the variables that may have its value; the first that has one holds.
    attributes: &'static [(&'static str, &'static [&'static str])],
}

/// The first that is here holds. Names that developers' machines know too, such as `AWS_REGION` and
/// `GOOGLE_CLOUD_PROJECT`, are no evidence.
const PLATFORMS: &[Platform] = &[
    Platform {
        provider: "aws",
        platform: Some("aws_lambda"),
        is_here: |from| has(from, "AWS_LAMBDA_FUNCTION_NAME"),
        attributes: &[
            ("cloud.region", &["AWS_REGION", "AWS_DEFAULT_REGION"]),
            ("faas.name", &["AWS_LAMBDA_FUNCTION_NAME"]),
            ("faas.version", &["AWS_LAMBDA_FUNCTION_VERSION"]),
            ("faas.instance", &["AWS_LAMBDA_LOG_STREAM_NAME"]),
            ("service.name", &["AWS_LAMBDA_FUNCTION_NAME"]),
        ],
    },
    Platform {
        provider: "aws",
        platform: Some("aws_ecs"),
        is_here: |from| {
            has(from, "ECS_CONTAINER_METADATA_URI_V4") || has(from, "ECS_CONTAINER_METADATA_URI")
        },
        attributes: &[("cloud.region", &["AWS_REGION", "AWS_DEFAULT_REGION"])],
    },
    Platform {
        provider: "aws",
        platform: Some("aws_eks"),
        is_here: |from| is_kubernetes(from) && has(from, "AWS_WEB_IDENTITY_TOKEN_FILE"),
        attributes: &[("cloud.region", &["AWS_REGION", "AWS_DEFAULT_REGION"])],
    },
    Platform {
        provider: "gcp",
        platform: Some("gcp_cloud_functions"),
        is_here: |from| is_cloud_run(from) && has(from, "FUNCTION_TARGET"),
        attributes: &[
            ("cloud.account.id", &["GOOGLE_CLOUD_PROJECT"]),
            ("cloud.region", &["FUNCTION_REGION", "GOOGLE_CLOUD_REGION"]),
            ("faas.name", &["K_SERVICE"]),
            ("faas.version", &["K_REVISION"]),
            ("service.name", &["K_SERVICE"]),
        ],
    },
    Platform {
        provider: "gcp",
        platform: Some("gcp_cloud_run"),
        is_here: is_cloud_run,
        attributes: &[
            ("cloud.account.id", &["GOOGLE_CLOUD_PROJECT"]),
            ("cloud.region", &["GOOGLE_CLOUD_REGION"]),
            ("faas.name", &["K_SERVICE"]),
            ("faas.version", &["K_REVISION"]),
            ("service.name", &["K_SERVICE"]),
        ],
    },
    Platform {
        provider: "gcp",
        platform: Some("gcp_cloud_run"),
        is_here: |from| has(from, "CLOUD_RUN_JOB"),
        attributes: &[
            ("cloud.account.id", &["GOOGLE_CLOUD_PROJECT"]),
            ("cloud.region", &["GOOGLE_CLOUD_REGION"]),
            ("faas.name", &["CLOUD_RUN_JOB"]),
            ("gcp.cloud_run.job.execution", &["CLOUD_RUN_EXECUTION"]),
            ("gcp.cloud_run.job.task_index", &["CLOUD_RUN_TASK_INDEX"]),
            ("service.name", &["CLOUD_RUN_JOB"]),
        ],
    },
    Platform {
        provider: "gcp",
        platform: Some("gcp_app_engine"),
        is_here: |from| has(from, "GAE_SERVICE"),
        attributes: &[
            ("cloud.account.id", &["GOOGLE_CLOUD_PROJECT"]),
            ("faas.name", &["GAE_SERVICE"]),
            ("faas.version", &["GAE_VERSION"]),
            ("faas.instance", &["GAE_INSTANCE"]),
            ("service.name", &["GAE_SERVICE"]),
        ],
    },
    Platform {
        provider: "azure",
        platform: Some("azure.functions"),
        is_here: |from| has(from, "WEBSITE_SITE_NAME") && has(from, "FUNCTIONS_EXTENSION_VERSION"),
        attributes: &[
            ("cloud.region", &["REGION_NAME"]),
            ("faas.name", &["WEBSITE_SITE_NAME"]),
            ("faas.instance", &["WEBSITE_INSTANCE_ID"]),
            ("service.name", &["WEBSITE_SITE_NAME"]),
        ],
    },
    Platform {
        provider: "azure",
        platform: Some("azure.app_service"),
        is_here: |from| has(from, "WEBSITE_SITE_NAME"),
        attributes: &[
            ("cloud.region", &["REGION_NAME"]),
            ("deployment.environment.name", &["WEBSITE_SLOT_NAME"]),
            ("host.id", &["WEBSITE_HOSTNAME"]),
            ("service.instance.id", &["WEBSITE_INSTANCE_ID"]),
            ("service.name", &["WEBSITE_SITE_NAME"]),
        ],
    },
    Platform {
        provider: "azure",
        platform: Some("azure.container_apps"),
        is_here: |from| has(from, "CONTAINER_APP_NAME"),
        attributes: &[
            ("service.instance.id", &["CONTAINER_APP_REPLICA_NAME"]),
            ("service.name", &["CONTAINER_APP_NAME"]),
            ("service.version", &["CONTAINER_APP_REVISION"]),
        ],
    },
    Platform {
        provider: "fly_io",
        platform: None,
        is_here: |from| has(from, "FLY_APP_NAME"),
        attributes: &[
            ("cloud.region", &["FLY_REGION"]),
            ("host.id", &["FLY_MACHINE_ID", "FLY_ALLOC_ID"]),
            ("service.name", &["FLY_APP_NAME"]),
        ],
    },
    Platform {
        provider: "render",
        platform: None,
        is_here: |from| has(from, "RENDER") && has(from, "RENDER_SERVICE_NAME"),
        attributes: &[
            ("service.instance.id", &["RENDER_INSTANCE_ID"]),
            ("service.name", &["RENDER_SERVICE_NAME"]),
            ("service.version", &["RENDER_GIT_COMMIT"]),
        ],
    },
    Platform {
        provider: "heroku",
        platform: None,
        is_here: |from| has(from, "DYNO"),
        attributes: &[
            ("heroku.app.id", &["HEROKU_APP_ID"]),
            ("heroku.release.commit", &["HEROKU_BUILD_COMMIT", "HEROKU_SLUG_COMMIT"]),
            ("heroku.release.creation_timestamp", &["HEROKU_RELEASE_CREATED_AT"]),
            ("service.instance.id", &["HEROKU_DYNO_ID", "DYNO"]),
            ("service.name", &["HEROKU_APP_NAME"]),
            ("service.version", &["HEROKU_RELEASE_VERSION"]),
        ],
    },
];

/// Whether the process is in a pod.
pub(super) fn is_kubernetes(from: &dyn Surroundings) -> bool {
    has(from, "KUBERNETES_SERVICE_HOST")
}

/// Knative sets the same variables, in any cluster.
fn is_cloud_run(from: &dyn Surroundings) -> bool {
    has(from, "K_SERVICE") && has(from, "K_REVISION") && !is_kubernetes(from)
}

/// What the platform says.
pub(super) fn platform(from: &dyn Surroundings) -> Resource {
    let mut resource = Resource::default();
    let Some(here) = PLATFORMS.iter().find(|each| (each.is_here)(from)) else { return resource };
    resource = resource.with("cloud.provider", here.provider);
    if let Some(name) = here.platform {
        resource = resource.with("cloud.platform", name);
    }
    for (key, variables) in here.attributes {
        if let Some(value) = first_of(from, variables) {
            resource = resource.with(*key, value);
        }
    }
    let megabytes = first_of(from, &["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]);
    if let Some(megabytes) = megabytes.and_then(|text| text.parse::<u32>().ok())
        && here.platform == Some("aws_lambda")
    {
        resource = resource.with("faas.max_memory", i64::from(megabytes) << 20);
    }
    resource
}

#[cfg(test)]
mod tests {
    use super::{super::surroundings::tests::Given, *};

    fn shown(variables: &[(&'static str, &str)]) -> Vec<String> {
        let resource = platform(&Given::default().with(variables));
        resource.attributes().iter().map(|each| format!("{}={}", each.key, each.value)).collect()
    }

    #[test]
    fn lambda_says_region_version_and_memory() {
        let found = shown(&[
            ("AWS_LAMBDA_FUNCTION_NAME", "pay"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "2026/08/01/[$LATEST]ab"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
            ("AWS_REGION", "eu-west-1"),
        ]);
        let expected = [
            "cloud.platform=aws_lambda",
            "cloud.provider=aws",
            "cloud.region=eu-west-1",
            "faas.instance=2026/08/01/[$LATEST]ab",
            "faas.max_memory=134217728",
            "faas.name=pay",
            "faas.version=$LATEST",
            "service.name=pay",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn each_platform_is_known_by_its_variables() {
        let pod = ("KUBERNETES_SERVICE_HOST", "10.0.0.1");
        let run = [("K_SERVICE", "web"), ("K_REVISION", "web-7")];
        let target = ("FUNCTION_TARGET", "f");
        let token = ("AWS_WEB_IDENTITY_TOKEN_FILE", "/t");
        let site = ("WEBSITE_SITE_NAME", "s");
        let functions = ("FUNCTIONS_EXTENSION_VERSION", "~4");
        let of: &[(&[(&'static str, &str)], &str)] = &[
            (&[("ECS_CONTAINER_METADATA_URI_V4", "http://169.254.170.2/v4/x")], "aws_ecs"),
            (&[("ECS_CONTAINER_METADATA_URI", "http://169.254.170.2/v3/x")], "aws_ecs"),
            (&[pod, token], "aws_eks"),
            (&run, "gcp_cloud_run"),
            (&[run[0], run[1], target], "gcp_cloud_functions"),
            (&[("CLOUD_RUN_JOB", "import")], "gcp_cloud_run"),
            (&[("GAE_SERVICE", "default")], "gcp_app_engine"),
            (&[site], "azure.app_service"),
            (&[site, functions], "azure.functions"),
            (&[("CONTAINER_APP_NAME", "a")], "azure.container_apps"),
        ];
        for (variables, name) in of {
            let found = platform(&Given::default().with(variables));
            assert_eq!(found.get("cloud.platform"), Some(&(*name).into()), "{variables:?}");
            let provider = name.split(['_', '.']).next().unwrap();
            assert_eq!(found.get("cloud.provider"), Some(&provider.into()), "{variables:?}");
        }
    }

    #[test]
    fn small_platforms_say_app_region_and_instance() {
        let fly = [("FLY_APP_NAME", "shop"), ("FLY_REGION", "ams"), ("FLY_MACHINE_ID", "1857")];
        let expected =
            ["cloud.provider=fly_io", "cloud.region=ams", "host.id=1857", "service.name=shop"];
        assert_eq!(shown(&fly), expected);
        let render =
            [("RENDER", "true"), ("RENDER_SERVICE_NAME", "shop"), ("RENDER_INSTANCE_ID", "srv-1")];
        let expected = ["cloud.provider=render", "service.instance.id=srv-1", "service.name=shop"];
        assert_eq!(shown(&render), expected);
        let expected = ["cloud.provider=heroku", "service.instance.id=web.1"];
        assert_eq!(shown(&[("DYNO", "web.1")]), expected);
    }

    #[test]
    fn what_developers_machines_and_knative_have_is_no_evidence_of_a_cloud() {
        for variables in [
            &[("AWS_REGION", "eu-west-1"), ("GOOGLE_CLOUD_PROJECT", "p")][..],
            &[("K_SERVICE", "web"), ("K_REVISION", "1"), ("KUBERNETES_SERVICE_HOST", "10.0.0.1")],
            &[("AWS_WEB_IDENTITY_TOKEN_FILE", "/t")],
            &[("AWS_LAMBDA_FUNCTION_NAME", " ")],
            &[("REGION_NAME", "West Europe")],
        ] {
            assert_eq!(shown(variables), [""; 0], "{variables:?}");
        }
    }
}
