//! Appends spans, log records and metrics to a file as JSON lines. The page of [`File`] describes its behaviour and
//! the schema.

mod appended;
mod builder;
mod compressor;
mod disk;
#[cfg(feature = "gzip")]
mod gzip;
#[cfg(not(feature = "gzip"))]
#[path = "gzip_absent.rs"]
mod gzip;
mod kept;
mod names;
mod open;
#[cfg(test)]
mod tests;
mod trouble;

use std::sync::Arc;

pub use self::builder::{FileBuilder, Rotation};

use self::appended::Appended;
use super::{Backend, Routes, wire::record::Line};
use crate::{
    diagnostics,
    error::Error,
    log::LogRecord,
    metric::DataPoint,
    pipeline::{Batch, Deadline, ExportError, ExportResult, Exporter, Route, Setup},
    sync::Mutex,
    trace::SpanRecord,
};

/// Appends spans, log records and metrics to a file as JSON lines, for shippers that tail it (Filebeat, Fluent Bit,
/// Vector). By choice it rotates the file, compresses what was rotated and removes what is too much.
#[doc = include_str!("file.md")]
#[derive(Clone, Debug)]
pub struct File {
    service: String,
    /// Held while a batch is written, so that lines of two routes stay whole. Inside it, only the lock
    /// of the compressor's list is taken.
    appended: Arc<Mutex<Appended>>,
}

impl Backend for File {
    fn routes(self, routes: &mut Routes) {
        routes.add(Route::<SpanRecord>::new(self.clone()));
        routes.add(Route::<LogRecord>::new(self.clone()));
        routes.add(Route::<DataPoint>::new(self));
    }
}

impl<S: Line> Exporter<S> for File {
    fn start(&mut self, setup: &Setup) -> Result<(), Error> {
        setup.service_name().clone_into(&mut self.service);
        Ok(())
    }

    fn export(&mut self, batch: &Batch<S>, deadline: &Deadline) -> ExportResult<S> {
        let Some(mut appended) = self.appended.try_lock_until(deadline.instant()) else {
            return Err(ExportError::retry("the file is busy with another signal"));
        };
        let mut reports = Vec::new();
        let answer = appended.append(&self.service, batch, &mut reports);
        drop(appended);
        for report in reports {
            diagnostics::report("file", format_args!("{report}"));
        }
        answer
    }

    fn name(&self) -> &str {
        "file"
    }

    fn destination(&self) -> Option<String> {
        Some(self.appended.lock().path().display().to_string())
    }
}
