//! The labels of a stream: who speaks, how grave it is, and what the user names.

use std::borrow::Cow;

use super::{
    names::name_of,
    options::{LokiForm, Options},
    text::{fits_label, made_fit, text_of},
};
use crate::{
    error::{Error, ErrorKind},
    label::KeyValue,
    log::{LogRecord, LogSeverity},
    pipeline::Setup,
};

/// The most labels, and the longest name of one, that Loki takes unless it is configured otherwise.
const MOST_LABELS: usize = 15;
const MOST_NAME: usize = 1_024;

/// What the level is called: Grafana colours lines by it.
pub(super) const LEVEL: &str = "level";

/// What Loki itself calls a service that does not say its name.
const UNKNOWN_SERVICE: &str = "unknown_service";

/// The labels that the streams of a route may have.
#[derive(Debug, Default)]
pub(super) struct Labels {
    form: LokiForm,
    all: Vec<Label>, // Sorted by name, as Loki prints them.
    /// Those of each level, where they depend on nothing else.
    ready: Option<[Vec<u8>; 6]>,
}

#[derive(Debug)]
struct Label {
    name: String,
    source: Source,
}

#[derive(Debug)]
enum Source {
    Level,
    Fixed(String),
    /// An attribute of the record, or else of the resource; empty for none.
    Attribute(Cow<'static, str>, String),
}

/// Which labels are attributes of a record, by their place.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Taken(u32);

impl Labels {
    /// # Errors
    ///
    /// There are more labels than Loki takes, one has a longer name, or two have one name.
    pub(super) fn new(options: &Options, setup: &Setup) -> Result<Self, Error> {
        let service = Some(made_fit(setup.service_name())).filter(|name| !name.is_empty());
        let service = service.unwrap_or_else(|| UNKNOWN_SERVICE.to_owned());
        let mut all = vec![Label { name: name_of("service.name"), source: Source::Fixed(service) }];
        if options.has_level {
            all.push(Label { name: LEVEL.to_owned(), source: Source::Level });
        }
        for (place, key) in options.labels.iter().enumerate() {
            if key == "service.name" || options.labels[..place].contains(key) {
                continue;
            }
            let of_resource = setup.resource().get(key).map(ToString::to_string);
            let source = Source::Attribute(key.clone(), made_fit(&of_resource.unwrap_or_default()));
            all.push(Label { name: name_of(key), source });
        }
        all.sort_by(|a, b| a.name.cmp(&b.name));
        check(&all)?;
        let mut labels = Self { form: options.form, all, ready: None };
        let depends = |label: &Label| matches!(label.source, Source::Attribute(..));
        if !labels.all.iter().any(depends) {
            labels.ready = Some([1, 5, 9, 13, 17, 21].map(|number| {
                let record = LogRecord::new(LogSeverity::new(number), "");
                let mut out = Vec::new();
                labels.write(&mut out, &record, &mut Vec::new());
                out
            }));
        }
        Ok(labels)
    }

    /// Writes those of `record`, and says which are attributes of it. `room` is for a value that is no text.
    pub(super) fn write(&self, out: &mut Vec<u8>, record: &LogRecord, room: &mut Vec<u8>) -> Taken {
        let level = usize::from(record.severity().number() - 1) / 4;
        if let Some(ready) = &self.ready {
            out.extend_from_slice(&ready[level]);
            return Taken::default();
        }
        let (mut taken, mut is_first) = (Taken::default(), true);
        out.push(b'{');
        for (place, label) in self.all.iter().enumerate() {
            let value = match &label.source {
                Source::Level => LEVELS[level],
                Source::Fixed(value) => value,
                Source::Attribute(key, otherwise) => {
                    let found = found(record.attributes(), key);
                    let value = found.map_or("", |attribute| text_of(&attribute.value, room));
                    let fits = fits_label(value);
                    taken.0 |= u32::from(fits) << place;
                    if fits { value } else { otherwise }
                }
            };
            if !value.is_empty() {
                self.form.label(out, is_first, &label.name, value);
                is_first = false;
            }
        }
        out.push(b'}');
        taken
    }

    /// Whether the attribute `key` is one of those that are labels.
    pub(super) fn is_label(&self, key: &str, taken: Taken) -> bool {
        taken.0 != 0
            && self.all.iter().enumerate().any(|(place, label)| {
                let is_key = matches!(&label.source, Source::Attribute(own, _) if own == key);
                is_key && taken.0 & 1 << place != 0
            })
    }

    /// Whether the attribute `key` of the resource is one, unless a record has another value for it.
    pub(super) fn has_key(&self, key: &str) -> bool {
        let is_source =
            |label: &Label| matches!(&label.source, Source::Attribute(own, _) if own == key);
        key == "service.name" || self.all.iter().any(is_source)
    }

    /// Their names, which no structured metadata should have.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.all.iter().map(|label| &*label.name)
    }
}

const LEVELS: [&str; 6] = ["trace", "debug", "info", "warn", "error", "fatal"];

/// The name of the level of `severity`, without its digit.
pub(super) fn level_of(severity: LogSeverity) -> &'static str {
    LEVELS[usize::from(severity.number() - 1) / 4]
}

/// The last attribute of this key.
fn found<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a KeyValue> {
    attributes.iter().rfind(|attribute| attribute.key == key)
}

fn check(all: &[Label]) -> Result<(), Error> {
    let refused = |what: String| Err(Error::new(ErrorKind::InvalidOption, what));
    if all.len() > MOST_LABELS {
        return refused(format!("Loki takes {MOST_LABELS} labels, and these are {}", all.len()));
    }
    if let Some(label) = all.iter().find(|label| label.name.len() > MOST_NAME) {
        let begin = super::text::cut(&label.name, 40);
        return refused(format!("the label {begin}… has a name of more than {MOST_NAME} bytes"));
    }
    match all.windows(2).find(|pair| pair[0].name == pair[1].name) {
        Some(pair) => refused(format!("two labels have the name {:?}", pair[0].name)),
        None => Ok(()),
    }
}
