//! A reading as a page.

use super::{group::Group, options::Options};
use crate::{
    error::Error,
    export::prometheus::Page,
    exposition::label_name,
    label::LabelSet,
    metric::{DataPoint, Snapshot, Temporality},
    pipeline::{Batch, Encoder, Payload, Setup},
    resource::Resource,
};

/// Encodes readings as pages. The page is the payload's head, for it belongs to no record more than to another;
/// its records have no bytes.
pub(super) struct Pages {
    options: Options,
    group: Group,
    resource: Resource,
    page: Page,
    /// The newest reading, as far as it has come.
    reading: Vec<DataPoint>,
}

impl Pages {
    pub(super) fn new(options: Options) -> Self {
        let page = Page::with_options(options.format(), options.page);
        let (group, resource) = (Group::default(), Resource::default());
        Self { options, group, resource, page, reading: Vec::new() }
    }

    /// Takes a point into the newest reading, which begins with the first one that was taken at another time.
    fn take(&mut self, point: &DataPoint) {
        if self.reading.first().is_some_and(|first| first.taken() != point.taken()) {
            self.reading.clear();
        }
        let mut point = point.clone();
        if let Some(labels) = self.spared(point.labels()) {
            point.set_labels(labels);
        }
        self.reading.push(point);
    }

    /// The labels without the names of the grouping key, if they have one: `exported_` stands before it, as often as
    /// no other label has that name.
    fn spared(&self, labels: &LabelSet) -> Option<LabelSet> {
        let is_of_group = |key: &str| self.group.has(&label_name(key));
        labels.iter().any(|(key, _)| is_of_group(key)).then(|| {
            LabelSet::new(labels.iter().map(|(key, value)| {
                let mut name = key.to_owned();
                if is_of_group(key) {
                    while is_of_group(&name)
                        || labels.iter().any(|(other, _)| label_name(other) == label_name(&name))
                    {
                        name.insert_str(0, "exported_");
                    }
                }
                (name, value.to_owned())
            }))
        })
    }
}

impl Encoder<DataPoint> for Pages {
    fn encode(&mut self, batch: &Batch<DataPoint>) -> Payload {
        let is_total = |point: &&DataPoint| point.temporality() == Temporality::Cumulative;
        batch.iter().filter(is_total).for_each(|point| self.take(point));
        let mut payload = Payload::each(batch, |_, _| {});
        if let Some(snapshot) = Snapshot::of_points(&self.reading) {
            payload.set_head(self.page.render(&snapshot, &self.resource));
        }
        payload
    }

    fn start(&mut self, setup: &Setup) -> Result<(), Error> {
        self.resource = setup.resource().clone();
        self.group = Group::new(&self.options, &self.resource)?;
        Ok(())
    }

    /// A payload that has bytes asks for the end of the group.
    fn finish(&mut self) -> Option<Payload> {
        self.options.deletes_at_exit.then(|| Payload::each([DELETE], Vec::extend_from_slice))
    }
}

/// What a payload has that is no page.
const DELETE: &[u8] = b"delete";
