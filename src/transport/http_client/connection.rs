//! A client and the runtime that drives it, on the thread that uses it.

use std::{future::Future, time::Instant};

use reqwest::{Client, ClientBuilder};

use crate::{clock::Deadline, transport::driver::Driver};

/// A client and what drives it.
pub(super) struct Connection {
    pub(super) client: Client,
    driver: Driver,
}

impl Connection {
    /// The connections of a client from `builder`.
    pub(super) fn new(builder: ClientBuilder) -> Result<Self, String> {
        let driver = Driver::new()?;
        let client = builder.build().map_err(|error| format!("no HTTP client: {error}"))?;
        Ok(Self { client, driver })
    }

    /// As [`Driver::run`].
    pub(super) fn run<T>(
        &self,
        latest: Instant,
        deadline: &Deadline,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        self.driver.run(latest, deadline, work)
    }
}
