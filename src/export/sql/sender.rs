//! Writes payloads to a database.

use std::{sync::Arc, time::Duration};

use super::{
    aging::Aging,
    dialect::{Link, Server},
    options::Options,
    plan::Plan,
    rows::Decoded,
    schema,
    writer::{Known, Progress, Stop, Writer},
};
use crate::{
    diagnostics,
    error::{Error, ErrorKind},
    pipeline::{Deadline, ExportError, Payload, SendResult, Sender, Setup},
    transport::driver::Driver,
};

/// Writes rows to tables. It connects when there is something to write, and anew after an error.
pub(super) struct Rowed {
    server: Arc<dyn Server>,
    options: Options,
    plan: Plan,
    aging: Option<Aging>,
    known: Known,
    /// Dropped before what drives it.
    link: Option<Box<dyn Link>>,
    driver: Option<Driver>,
}

impl Rowed {
    pub(super) fn new(server: Arc<dyn Server>, options: Options, plan: Plan) -> Self {
        let aging = Aging::new(&*server, &options, &plan);
        let known = Known::default();
        Self { server, options, plan, aging, known, link: None, driver: None }
    }

    /// One attempt; `None` if its time was over.
    fn attempt(
        &mut self,
        decoded: &Decoded<'_>,
        deadline: &Deadline,
        progress: &mut Progress,
    ) -> Option<Result<(), Stop>> {
        let driver = match &mut self.driver {
            Some(driver) => driver,
            none => match Driver::new() {
                Ok(driver) => none.insert(driver),
                Err(error) => return Some(Err(Stop::Later(error))),
            },
        };
        let Self { server, options, plan, aging, known, link, .. } = self;
        if !server.is_there() {
            *link = None;
        }
        driver.run(deadline.instant(), deadline, async {
            let link = match link {
                Some(link) => link,
                none => {
                    known.forget();
                    none.insert(connect(&**server, options, plan).await.map_err(Stop::Later)?)
                }
            };
            let mut writer = Writer { server: &**server, plan, decoded, known };
            writer.write(&mut **link, progress).await?;
            if let Some(aging) = aging.as_mut().filter(|aging| aging.is_due()) {
                let step = aging.step(&mut **link).await;
                step.map_err(|error| Stop::Later(format!("old rows are not deleted: {error}")))?;
            }
            Ok(())
        })
    }
}

impl Rowed {
    /// What is said of the database.
    fn said(&self, text: &str) -> String {
        format!("{}: {text}", self.server.place())
    }

    fn report(&self, text: &str) {
        diagnostics::report(self.server.name(), format_args!("{}", self.said(text)));
    }
}

/// A connection to the tables, which are there.
async fn connect(
    server: &dyn Server,
    options: &Options,
    plan: &Plan,
) -> Result<Box<dyn Link>, String> {
    let mut link = server.connect().await.map_err(|error| error.to_string())?;
    schema::settle(&mut *link, server, options, plan).await?;
    Ok(link)
}

impl Sender for Rowed {
    fn start(&mut self, _setup: &Setup) -> Result<(), Error> {
        self.server.check().map_err(|message| Error::new(ErrorKind::InvalidOption, message))
    }

    fn send(&mut self, payload: &Payload, deadline: &Deadline) -> SendResult {
        let decoded = Decoded::of(payload, &self.plan, &*self.server);
        let mut progress = Progress::default();
        let ended = self.attempt(&decoded, deadline, &mut progress);
        let stop = match ended {
            Some(Ok(())) => None,
            Some(Err(stop)) => Some(stop),
            None => Some(Stop::Later("no answer in time".to_owned())),
        };
        if stop.is_some() {
            // Whatever its state is, the next attempt has a new one.
            self.link = None;
        }
        if progress.n_settled == payload.len() {
            if let Some(Stop::Later(text)) = stop {
                self.report(&text);
            }
            let reason = progress.reason.as_deref().unwrap_or(NO_ROW);
            return match progress.n_refused {
                0 => Ok(()),
                n => Err(ExportError::partial(n, self.said(reason))),
            };
        }
        let error = match stop {
            Some(Stop::TooLarge(text)) => ExportError::too_large(self.said(&text)),
            Some(Stop::Later(text)) => ExportError::retry(self.said(&text)),
            None => ExportError::retry(self.said("not all was written")),
        };
        Err(error.unsent(payload.skip(progress.n_settled)).rejected(progress.n_refused))
    }

    fn name(&self) -> &str {
        self.server.name()
    }

    fn destination(&self) -> Option<String> {
        Some(self.server.place())
    }
}

/// Why a record is refused before it is sent.
const NO_ROW: &str = "it has nothing for a number that is not finite; or these bytes are no row";

/// Says goodbye: SQLite then has all in one file, and servers do not log that somebody was gone.
impl Drop for Rowed {
    fn drop(&mut self) {
        if let (Some(link), Some(driver)) = (self.link.take(), &self.driver) {
            let deadline = Deadline::after(FAREWELL);
            let _ = driver.run(deadline.instant(), &deadline, link.close());
        }
    }
}

/// Longer nobody waits for it. Arbitrary.
const FAREWELL: Duration = Duration::from_secs(1);
