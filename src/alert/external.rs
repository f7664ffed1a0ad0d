//! External labels and the generator URL, which are added to alerts when they are sent.

use std::{borrow::Cow, fs, net::SocketAddr};

use crate::{exposition, label::Value, resource::Resource, util::percent};

/// What is added to every sent alert.
#[derive(Clone, Debug, Default)]
pub(crate) struct External {
    pub(super) labels: Vec<(String, String)>,
    place: Place,
}

/// Where a receiver of an alert finds more.
#[derive(Clone, Debug, Default)]
enum Place {
    #[default]
    Nowhere,
    /// An interface under this URL that shows expressions, as Prometheus does.
    Expressions(String),
    /// The page of metrics.
    Page(String),
}

impl External {
    /// The attributes `keys` of `resource` become labels. `url` is that of an interface that shows
    /// expressions; without it, alerts refer to the page of `listener`.
    pub(crate) fn new(
        resource: &Resource,
        keys: &[Cow<'static, str>],
        url: Option<&str>,
        listener: Option<SocketAddr>,
    ) -> Self {
        let label = |key: &Cow<'static, str>| {
            let value = match resource.get(key)? {
                Value::String(text) => text.to_string(),
                value => value.to_string(),
            };
            Some((exposition::label_name(key).into_owned(), value))
        };
        let place = match (url, listener) {
            (Some(url), _) => Place::Expressions(url.trim_end_matches('/').to_owned()),
            (None, Some(address)) => Place::Page(reachable(address)),
            (None, None) => Place::Nowhere,
        };
        Self { labels: keys.iter().filter_map(label).collect(), place }
    }

    /// The `generatorURL` of an alert of the rule `name`; empty if there is none.
    pub(super) fn generator_url(&self, name: &str) -> String {
        match &self.place {
            Place::Nowhere => String::new(),
            Place::Page(address) => format!("http://{address}/metrics"),
            Place::Expressions(url) => {
                let mut text = format!("{url}/graph?g0.expr=");
                let name = name.replace('\\', r"\\").replace('"', r#"\""#).replace('\n', r"\n");
                percent::encode(&mut text, &format!("ALERTS{{alertname=\"{name}\"}}"));
                text.push_str("&g0.tab=1");
                text
            }
        }
    }
}

/// The host and port of a listener. One that listens on all addresses is named by the host name, as
/// Prometheus names itself.
fn reachable(address: SocketAddr) -> String {
    if !address.ip().is_unspecified() {
        return address.to_string();
    }
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = if name.trim().is_empty() { "localhost" } else { name.trim() };
    format!("{name}:{}", address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_the_attributes_that_there_are_under_the_names_of_a_page() {
        let resource = Resource::service("shop").with("host.cpus", 4);
        let keys = ["service.name", "host.cpus", "cloud.region"].map(Cow::from);
        let external = External::new(&resource, &keys, None, None);
        let labels: Vec<_> =
            external.labels.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(labels, [("service_name", "shop"), ("host_cpus", "4")]);
        assert_eq!(external.generator_url("x"), "");
    }

    #[test]
    fn an_expression_is_encoded_into_the_url_and_a_page_is_named_by_its_address() {
        let of = |url, listener: Option<&str>| {
            let listener = listener.map(|address| address.parse().unwrap());
            External::new(&Resource::default(), &[], url, listener).generator_url("Zu voll")
        };
        let url = "https://prometheus.example/graph?g0.expr=ALERTS%7Balertname%3D%22Zu%20voll%22%7D&g0.tab=1";
        assert_eq!(of(Some("https://prometheus.example/"), Some("127.0.0.1:9464")), url);
        assert_eq!(of(None, Some("127.0.0.1:9464")), "http://127.0.0.1:9464/metrics");
        for all in ["0.0.0.0:9464", "[::]:9464"] {
            let url = of(None, Some(all));
            let host =
                url.strip_prefix("http://").and_then(|url| url.strip_suffix(":9464/metrics"));
            assert!(host.is_some_and(|host| !host.is_empty() && !host.contains(':')), "{url}");
        }
    }

    #[test]
    fn the_name_of_a_rule_is_quoted_as_promql_reads_it() {
        let external = External::new(&Resource::default(), &[], Some("http://p"), None);
        let url = external.generator_url("a\"b\\c\nd\u{7f}é");
        let expr = "ALERTS%7Balertname%3D%22a%5C%22b%5C%5Cc%5Cnd%7F%C3%A9%22%7D";
        assert_eq!(url, format!("http://p/graph?g0.expr={expr}&g0.tab=1"));
    }
}
