//! What is installed, by which requests.

use serde_json::{Value as Json, json};

use super::*;
use crate::export::wire::receiver::{Receiver, Request, answer};

const DAY: Duration = Duration::from_secs(86_400);

fn parts(request: &Request) -> (String, Json) {
    let (line, _) = request.line.rsplit_once(' ').unwrap();
    (line.to_owned(), serde_json::from_slice(&request.body).unwrap_or(Json::Null))
}

fn installed(
    change: impl FnOnce(Elasticsearch) -> Elasticsearch,
    lifecycle: &ElasticLifecycle,
) -> Vec<(String, Json)> {
    let server = Receiver::answering([answer(200, "", r#"{"acknowledged":true}"#)]);
    let elastic = change(Elasticsearch::new(server.endpoint("")).dataset("shop"));
    elastic.client().install(lifecycle).unwrap();
    server.rest().iter().map(parts).collect()
}

/// The type of a field by its whole name.
fn kind<'a>(component: &'a Json, field: &str) -> &'a Json {
    let path = field.replace('.', "/properties/");
    let mappings = &component["template"]["mappings"];
    mappings.pointer(&format!("/properties/{path}/type")).unwrap_or(&Json::Null)
}

#[test]
fn elasticsearch_gets_a_policy_the_types_and_a_template_for_each_stream() {
    let lifecycle = ElasticLifecycle::keep(30 * DAY).roll_over(DAY / 2, 10 << 30);
    let requests = installed(|elastic| elastic, &lifecycle);
    let lines: Vec<_> = requests.iter().map(|(line, _)| &**line).collect();
    assert_eq!(
        lines,
        [
            "PUT /_ilm/policy/bellwether-shop-default",
            "PUT /_component_template/bellwether-shop-default-mappings",
            "PUT /_index_template/logs-shop-default",
            "PUT /_index_template/metrics-shop-default",
            "PUT /_index_template/traces-shop-default",
        ]
    );
    let phases = &requests[0].1["policy"]["phases"];
    let rollover = json!({"max_age": "12h", "max_primary_shard_size": "10737418240b"});
    assert_eq!(phases["hot"]["actions"]["rollover"], rollover);
    assert_eq!(phases["delete"], json!({"min_age": "30d", "actions": {"delete": {}}}));
    let template = &requests[4].1;
    assert_eq!(template["index_patterns"], json!(["traces-shop-default"]));
    assert_eq!(template["data_stream"], json!({}));
    assert_eq!(template["composed_of"], json!(["bellwether-shop-default-mappings"]));
    let settings = json!({
        "index.lifecycle.name": "bellwether-shop-default",
        "index.mapping.total_fields.limit": 10_000,
    });
    assert_eq!(template["template"]["settings"], settings);
}

#[test]
fn opensearch_gets_a_policy_of_its_own_and_no_setting_or_type_that_it_lacks() {
    let lifecycle = ElasticLifecycle::keep(DAY + Duration::from_secs(1));
    let requests = installed(Elasticsearch::opensearch, &lifecycle);
    assert_eq!(requests[0].0, "PUT /_plugins/_ism/policies/bellwether-shop-default");
    let policy = &requests[0].1["policy"];
    assert_eq!(policy["default_state"], "hot");
    let rollover = json!({"min_index_age": "1d", "min_size": "53687091200b"});
    assert_eq!(policy["states"][0]["actions"][0]["rollover"], rollover);
    let conditions = json!({"min_index_age": "86401s"});
    assert_eq!(policy["states"][0]["transitions"][0]["conditions"], conditions);
    assert_eq!(policy["states"][1]["actions"], json!([{"delete": {}}]));
    let patterns = json!(["logs-shop-default", "metrics-shop-default", "traces-shop-default"]);
    assert_eq!(policy["ism_template"][0]["index_patterns"], patterns);
    let settings = json!({"index.mapping.total_fields.limit": 10_000});
    assert_eq!(requests[2].1["template"]["settings"], settings);
    assert_eq!(kind(&requests[1].1, "metric.distribution"), "object");
}

#[test]
fn indices_of_days_are_no_streams_and_are_not_rolled_over() {
    for kin in [|elastic| elastic, Elasticsearch::opensearch] {
        let requests =
            installed(|elastic| kin(elastic.daily("eu-shop")), &ElasticLifecycle::keep(DAY));
        assert!(requests[0].0.ends_with("/eu-shop"), "{}", requests[0].0);
        assert!(!requests[0].1.to_string().contains("rollover"));
        assert_eq!(requests[2].0, "PUT /_index_template/eu-shop-logs");
        assert_eq!(requests[2].1["index_patterns"], json!(["eu-shop-logs-*"]));
        assert_eq!(requests[2].1.get("data_stream"), None);
    }
}

#[test]
fn what_is_kept_for_ever_is_never_deleted() {
    for kin in [|elastic| elastic, Elasticsearch::opensearch] {
        let requests = installed(kin, &ElasticLifecycle::forever());
        assert!(!requests[0].1.to_string().contains("delete"), "{}", requests[0].1);
    }
}

#[test]
fn every_field_that_is_written_has_a_type() {
    let requests = installed(|elastic| elastic, &ElasticLifecycle::forever());
    let component = &requests[1].1;
    let types = [
        ("@timestamp", "date_nanos"),
        ("message", "text"),
        ("span.name", "keyword"),
        ("event.duration", "long"),
        ("error.message", "text"),
        ("metric.value", "double"),
        ("metric.p99", "double"),
        ("metric.distribution", "histogram"),
        ("service.node.name", "keyword"),
        ("process.pid", "long"),
        ("http.response.status_code", "long"),
        ("span.links.trace.id", "keyword"),
        ("span.events.time", "date_nanos"),
        ("data_stream.dataset", "keyword"),
    ];
    for (field, of) in types {
        assert_eq!(kind(component, field), of, "{field}");
    }
    let registry = Registry::new();
    registry.histogram("time", "").build().unwrap().record(1.0);
    let everything = elastic().histograms(ElasticHistograms::Distribution);
    let mut span = crate::export::wire::span::sample("x");
    span.add_event(crate::trace::Event::new("e", span.end(), Vec::new()));
    span.add_link(crate::trace::Link::new(crate::context::SpanContext::NONE, Vec::new()));
    let log = crate::export::wire::log::sample("x").with_event_name("e");
    let docs = [
        docs_of(&metrics(&everything, &registry)),
        docs_of(&payload(elastic().spans_encoder(), vec![span])),
        docs_of(&payload(elastic().logs_encoder(), vec![log])),
    ];
    for field in docs.iter().flatten().flat_map(|doc| doc.fields.keys()) {
        let is_dynamic = field.contains("labels.") || field.starts_with("metric.distribution.");
        assert!(is_dynamic || *kind(component, field) != Json::Null, "{field}");
    }
    let dynamic = component["template"]["mappings"]["dynamic_templates"].as_array().unwrap();
    assert_eq!(dynamic[0]["labels"]["path_match"], "*labels.*");
    assert_eq!(component["template"]["mappings"]["date_detection"], false);
}

#[test]
fn a_policy_of_opensearch_that_is_there_is_replaced_by_its_version() {
    let fine = || answer(200, "", "{}");
    let there =
        answer(409, "", r#"{"error":{"type":"version_conflict_engine_exception","reason":"x"}}"#);
    let version = answer(200, "", r#"{"_id":"x","_seq_no":7,"_primary_term":2,"policy":{}}"#);
    let server = Receiver::answering([there.clone(), version, fine()]);
    let elastic = Elasticsearch::new(server.endpoint("")).opensearch();
    elastic.client().install(&ElasticLifecycle::forever()).unwrap();
    let requests: Vec<_> = server.rest().iter().map(parts).collect();
    let path = "/_plugins/_ism/policies/bellwether-bellwether-default";
    assert_eq!(requests[1].0, format!("GET {path}"));
    assert_eq!(requests[2].0, format!("PUT {path}?if_seq_no=7&if_primary_term=2"));
    assert_eq!((requests[2].1 == requests[0].1, requests.len()), (true, 7));
    for odd in [r#"{"_seq_no":7}"#, "{}"] {
        server.answer([Some(there.clone().into_bytes()), Some(answer(200, "", odd).into_bytes())]);
        let error = elastic.client().install(&ElasticLifecycle::forever()).unwrap_err();
        assert_eq!(error.status(), Some(409));
    }
}

#[test]
fn an_installation_ends_at_the_first_error() {
    let server = Receiver::answering([answer(200, "", "{}"), answer(403, "", "")]);
    let elastic = Elasticsearch::new(server.endpoint(""));
    let error = elastic.client().install(&ElasticLifecycle::forever()).unwrap_err();
    assert_eq!((error.status(), server.rest().len()), (Some(403), 2));
}
