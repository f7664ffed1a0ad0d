//! What a cluster needs to know beforehand: the types of fields, that streams are streams, and when documents go.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    client::{By, ElasticClient, ElasticError},
    fields::{Form, OF_RESOURCE, SHARED},
    options::{Kin, Naming},
};

/// How long documents are kept, and when a data stream goes on in another index.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use bellwether::export::elasticsearch::ElasticLifecycle;
///
/// const DAY: Duration = Duration::from_secs(86_400);
/// let lifecycle = ElasticLifecycle::keep(30 * DAY).roll_over(DAY, 10 << 30);
/// ```
#[derive(Clone, Debug)]
pub struct ElasticLifecycle {
    keep: Option<Duration>,
    age: Duration,
    bytes: u64,
}

impl ElasticLifecycle {
    /// Deletes an index this long after another took its place; an index for each day, and all indices in OpenSearch,
    /// this long after they were created.
    #[must_use]
    pub const fn keep(time: Duration) -> Self {
        Self { keep: Some(time), ..Self::forever() }
    }

    /// Deletes nothing.
    #[must_use]
    pub const fn forever() -> Self {
        Self { keep: None, age: Duration::from_secs(86_400), bytes: 50 << 30 }
    }

    /// Has a data stream go on in another index when its newest is this old, or has so many bytes in all or one of
    /// its primary shards: after a day or 50 GiB by default.
    #[must_use]
    pub const fn roll_over(self, age: Duration, bytes: u64) -> Self {
        Self { age, bytes, ..self }
    }
}

/// The three types of what is sent.
const TYPES: [&str; 3] = ["logs", "metrics", "traces"];

/// Before the templates that Elasticsearch has of its own (100), and others' usual ones.
const PRIORITY: u32 = 500;

impl ElasticClient {
    /// Installs what the streams or indices need, or brings it up to date: a lifecycle policy (of ILM, or of
    /// OpenSearch's ISM), the types of all fields as a component template, and an index template for each signal.
    /// Call it when a version is deployed, with an account that may do so; whoever sends needs no such right.
    ///
    /// | what | its name, for `shop` and `default` | for indices with the prefix `shop` |
    /// |---|---|---|
    /// | policy | `bellwether-shop-default` | `shop` |
    /// | component template | `bellwether-shop-default-mappings` | `shop-mappings` |
    /// | index templates | `logs-shop-default`, `metrics-shop-default`, `traces-shop-default` | `shop-logs`, … |
    ///
    /// What is there under these names is replaced, nothing else. Indices that are there already stay as they are:
    /// a template counts for the next one.
    ///
    /// # Errors
    ///
    /// As of [`spans`](Self::spans). What was installed until then stays, and the next call goes over it again.
    pub fn install(&mut self, lifecycle: &ElasticLifecycle) -> Result<(), ElasticError> {
        self.options.naming.check().map_err(|error| ElasticError::new(error.to_string()))?;
        let (naming, kin) = (self.options.naming.clone(), self.options.kin);
        let base = naming.base();
        match kin {
            Kin::Elasticsearch => {
                let policy = ilm_policy(&naming, lifecycle);
                self.ask(By::Put, &format!("/_ilm/policy/{base}"), Some(&policy))?;
            }
            Kin::OpenSearch => self.install_ism(&base, &ism_policy(&naming, lifecycle))?,
        }
        let component = json!({"template": {"mappings": mappings(kin)}});
        let path = format!("/_component_template/{base}-mappings");
        self.ask(By::Put, &path, Some(&component))?;
        for of in TYPES {
            let name = naming.stream(of).unwrap_or_else(|| format!("{base}-{of}"));
            let template = index_template(&naming, kin, of);
            self.ask(By::Put, &format!("/_index_template/{name}"), Some(&template))?;
        }
        Ok(())
    }

    /// A policy that is there is replaced only by who knows which version it is.
    fn install_ism(&mut self, base: &str, policy: &Value) -> Result<(), ElasticError> {
        let path = format!("/_plugins/_ism/policies/{base}");
        match self.ask(By::Put, &path, Some(policy)) {
            Err(error) if error.status() == Some(409) => {
                let found = self.ask(By::Get, &path, None)?;
                let number = |key| found.get(key).and_then(Value::as_u64);
                let (Some(seq_no), Some(term)) = (number("_seq_no"), number("_primary_term"))
                else {
                    return Err(error);
                };
                let path = format!("{path}?if_seq_no={seq_no}&if_primary_term={term}");
                self.ask(By::Put, &path, Some(policy)).map(drop)
            }
            result => result.map(drop),
        }
    }
}

/// The policy of Elasticsearch's index lifecycle management.
fn ilm_policy(naming: &Naming, lifecycle: &ElasticLifecycle) -> Value {
    let mut hot = json!({"set_priority": {"priority": 100}});
    if is_stream(naming) {
        hot["rollover"] = json!({
            "max_age": time_word(lifecycle.age),
            "max_primary_shard_size": format!("{}b", lifecycle.bytes),
        });
    }
    let mut phases = json!({"hot": {"min_age": "0ms", "actions": hot}});
    if let Some(keep) = lifecycle.keep {
        phases["delete"] = json!({"min_age": time_word(keep), "actions": {"delete": {}}});
    }
    json!({"policy": {"phases": phases}})
}

/// The policy of OpenSearch's index state management.
fn ism_policy(naming: &Naming, lifecycle: &ElasticLifecycle) -> Value {
    let mut actions = Vec::new();
    if is_stream(naming) {
        let size = format!("{}b", lifecycle.bytes);
        let rollover = json!({"min_index_age": time_word(lifecycle.age), "min_size": size});
        actions.push(json!({"rollover": rollover}));
    }
    let mut transitions = Vec::new();
    let mut states = Vec::new();
    if let Some(keep) = lifecycle.keep {
        let conditions = json!({"min_index_age": time_word(keep)});
        transitions.push(json!({"state_name": "delete", "conditions": conditions}));
        let actions = json!([{"delete": {}}]);
        states.push(json!({"name": "delete", "actions": actions, "transitions": []}));
    }
    states.insert(0, json!({"name": "hot", "actions": actions, "transitions": transitions}));
    let patterns: Vec<String> = TYPES.map(|of| naming.target(of)).to_vec();
    json!({"policy": {
        "description": "What bellwether sends",
        "default_state": "hot",
        "states": states,
        "ism_template": [{"index_patterns": patterns, "priority": PRIORITY}],
    }})
}

/// The most fields of an index, of which each key of a label is one. Its own default is 1,000, beyond which documents
/// with a new key are refused.
const MOST_FIELDS: u32 = 10_000;

fn index_template(naming: &Naming, kin: Kin, of: &str) -> Value {
    let mut template = json!({
        "index_patterns": [naming.target(of)],
        "priority": PRIORITY,
        "composed_of": [format!("{}-mappings", naming.base())],
        "template": {"settings": {"index.mapping.total_fields.limit": MOST_FIELDS}},
        "_meta": {"description": "What bellwether sends"},
    });
    if is_stream(naming) {
        template["data_stream"] = json!({});
    }
    if kin == Kin::Elasticsearch {
        template["template"]["settings"]["index.lifecycle.name"] = json!(naming.base());
    }
    template
}

fn is_stream(naming: &Naming) -> bool {
    matches!(naming, Naming::Streams { .. })
}

/// A time in the largest unit in which it is a whole number.
fn time_word(time: Duration) -> String {
    match time.as_secs() {
        0 => "1s".to_owned(),
        seconds if seconds % 86_400 == 0 => format!("{}d", seconds / 86_400),
        seconds if seconds % 3_600 == 0 => format!("{}h", seconds / 3_600),
        seconds => format!("{seconds}s"),
    }
}

/// The types of all fields. What is not named is a keyword if it is text.
fn mappings(kin: Kin) -> Value {
    let keyword = || json!({"type": "keyword", "ignore_above": MOST_KEYWORD});
    let mut properties = json!({
        "@timestamp": {"type": "date_nanos"},
        "message": {"type": "text"},
        "event.created": {"type": "date_nanos"},
        "event.end": {"type": "date_nanos"},
        "event.duration": {"type": "long"},
        "event.severity": {"type": "long"},
        "log.origin.file.line": {"type": "long"},
        "process.pid": {"type": "long"},
        "error.message": {"type": "text"},
        "error.stack_trace": {"type": "text"},
        "span.name": {
            "type": "keyword",
            "ignore_above": MOST_KEYWORD,
            "fields": {"text": {"type": "text"}},
        },
        "span.events.time": {"type": "date_nanos"},
        "metric.value": {"type": "double"},
        "metric.count": {"type": "long"},
    });
    for figure in ["sum", "min", "max", "p50", "p90", "p99"] {
        properties[format!("metric.{figure}")] = json!({"type": "double"});
    }
    properties["metric.distribution"] = match kin {
        Kin::Elasticsearch => json!({"type": "histogram"}),
        Kin::OpenSearch => json!({"type": "object", "enabled": false}),
    };
    for field in KEYWORDS.iter().copied().chain(OF_RESOURCE.iter().map(|(_, field)| *field)) {
        if field != "process.pid" {
            properties[field] = keyword();
        }
    }
    for (field, form) in SHARED {
        properties[*field] = match form {
            Form::Keyword => keyword(),
            Form::Long => json!({"type": "long"}),
        };
    }
    let named = |path: &str, of: &str, mapping: Value| json!({"path_match": path, "match_mapping_type": of, "mapping": mapping});
    let double = || json!({"type": "double"});
    json!({
        "date_detection": false,
        "dynamic_templates": [
            {"labels": named("*labels.*", "string", keyword())},
            {"whole_labels": named("*numeric_labels.*", "long", double())},
            {"numeric_labels": named("*numeric_labels.*", "double", double())},
            {"texts": {"match_mapping_type": "string", "mapping": keyword()}},
        ],
        "properties": nested(&properties),
    })
}

/// Fields by their whole names as objects within objects, which every version reads alike.
fn nested(flat: &Value) -> Value {
    let mut root = json!({});
    for (name, field) in flat.as_object().into_iter().flatten() {
        let mut parts = name.split('.').peekable();
        let mut at = &mut root;
        while let Some(part) = parts.next() {
            at = &mut at[part];
            match parts.peek() {
                Some(_) => at = &mut at["properties"],
                None => *at = field.clone(),
            }
        }
    }
    root
}

/// The most characters of a text that is found by its value, so that no text is beyond what Lucene takes (32,766
/// bytes): a longer one is kept all the same.
const MOST_KEYWORD: usize = 1_024;

/// Texts that are found by their value, besides those of the resource and of attributes.
const KEYWORDS: [&str; 24] = [
    "ecs.version",
    "data_stream.type",
    "data_stream.dataset",
    "data_stream.namespace",
    "event.id",
    "event.kind",
    "event.action",
    "event.outcome",
    "trace.id",
    "span.id",
    "span.kind",
    "span.events.name",
    "span.links.trace.id",
    "span.links.span.id",
    "parent.id",
    "log.level",
    "log.logger",
    "log.origin.file.name",
    "otel.status_code",
    "bellwether.span.outcome",
    "metric.name",
    "metric.kind",
    "metric.unit",
    "metric.temporality",
];
