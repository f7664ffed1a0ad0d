//! Keeps the records that are exported to it, for tests.

use std::{fmt, sync::Arc};

use super::{Backend, Routes};
use crate::{
    pipeline::{Batch, Deadline, ExportResult, Exporter, Route, Signal},
    sync::Mutex,
};

/// An exporter that keeps every record; clones share the records.
///
/// It holds all records without a limit: it is for tests.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use bellwether::{export::Memory, trace::SpanRecord};
///
/// let spans = Memory::<SpanRecord>::new();
/// let telemetry = bellwether::builder("shop").export(spans.clone()).start()?;
/// bellwether::span("checkout").enter().end();
/// assert!(telemetry.flush(Duration::from_secs(5)).settled);
/// assert_eq!(spans.records()[0].name(), "checkout");
/// # Ok::<(), bellwether::Error>(())
/// ```
pub struct Memory<T> {
    /// Guards the records; no lock is taken inside it.
    records: Arc<Mutex<Vec<T>>>,
}

impl<T> Memory<T> {
    /// Creates an exporter without records.
    #[must_use]
    pub fn new() -> Self {
        Self { records: Arc::new(Mutex::new(Vec::new())) }
    }

    /// How many delivered records it holds, without those that were taken.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.lock().len()
    }

    /// Whether it holds no records.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Removes the records and returns them, in the order in which they were delivered.
    #[must_use]
    pub fn take(&self) -> Vec<T> {
        std::mem::take(&mut *self.records.lock())
    }
}

impl<T: Clone> Memory<T> {
    /// The records, in the order in which they were delivered.
    #[must_use]
    pub fn records(&self) -> Vec<T> {
        self.records.lock().clone()
    }
}

impl<T: Clone + Send + 'static> Exporter<T> for Memory<T> {
    fn export(&mut self, batch: &Batch<T>, _deadline: &Deadline) -> ExportResult<T> {
        // Cloned before the lock is taken, because the `clone` of a record is foreign code.
        let mut records: Vec<T> = batch.iter().cloned().collect();
        self.records.lock().append(&mut records);
        Ok(())
    }

    fn name(&self) -> &str {
        "memory"
    }
}

impl<S: Signal + Clone> From<Memory<S>> for Route<S> {
    fn from(memory: Memory<S>) -> Self {
        Self::new(memory)
    }
}

impl<S: Signal + Clone> Backend for Memory<S> {
    fn routes(self, routes: &mut Routes) {
        routes.add(self.into());
    }
}

impl<T> Clone for Memory<T> {
    fn clone(&self) -> Self {
        Self { records: self.records.clone() }
    }
}

impl<T> Default for Memory<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for Memory<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Memory({} records)", self.len())
    }
}
