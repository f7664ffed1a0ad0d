//! Inserts rows.

use super::{
    answer,
    options::{Options, quoted},
    schema,
};
use crate::{
    error::Error,
    pipeline::{Deadline, Payload, SendResult, Sender, Setup},
    transport::http_client::{HttpClient, HttpPost},
    util::{fingerprint::fingerprint, percent},
};

/// Inserts rows into a table.
#[derive(Debug)]
pub(super) struct Insert {
    client: HttpClient,
    /// The statements that are run before the first insert.
    schema: Vec<String>,
    /// What follows the path of the endpoint's URL, but for the token.
    path: String,
}

/// More of an answer is not read: an exception is a few lines.
const MOST_ANSWER: usize = 64 << 10;

impl Insert {
    pub(super) fn new(client: HttpClient, options: Options, table: &str) -> Self {
        let schema = match options.creates_tables {
            true => schema::statements(&options),
            false => Vec::new(),
        };
        let table = quoted(&format!("{}{table}", options.prefix));
        let insert =
            format!("INSERT INTO {}.{table} FORMAT JSONEachRow", quoted(&options.database));
        let mut path = String::from("?query=");
        percent::encode(&mut path, &insert);
        if options.is_async {
            path.push_str("&async_insert=1&wait_for_async_insert=1&async_insert_deduplicate=1");
        }
        path.push_str("&input_format_skip_unknown_fields=1");
        // A view takes a batch once, too.
        path.push_str("&deduplicate_blocks_in_dependent_materialized_views=1");
        path.push_str("&insert_deduplication_token=");
        Self { client, schema, path }
    }

    /// Runs the statements, each once.
    fn create(&mut self, deadline: &Deadline) -> SendResult {
        while let Some(statement) = self.schema.first() {
            let post = HttpPost::new("text/plain; charset=utf-8", statement.as_bytes());
            let answer = self.client.post(post.reading(MOST_ANSWER), deadline)?;
            // A table that cannot be made may be there: then an insert says what is wrong.
            match answer::judge(&answer, &format!("ClickHouse at {}", self.client)) {
                Err(error) if error.is_retry() => return Err(error),
                Err(error) => crate::diagnostics::report("clickhouse", format_args!("{error}")),
                Ok(()) => {}
            }
            self.schema.remove(0);
        }
        Ok(())
    }
}

impl Sender for Insert {
    fn start(&mut self, _setup: &Setup) -> Result<(), Error> {
        self.client.check()
    }

    fn send(&mut self, payload: &Payload, deadline: &Deadline) -> SendResult {
        self.create(deadline)?;
        // The same for the same rows, in each process: they have times and ids, so that no two batches are alike.
        let token = fingerprint(&[payload.bytes()]);
        let path = format!("{}{token:032x}", self.path);
        let post = HttpPost::new("application/x-ndjson", payload.bytes());
        let answer = self.client.post(post.path(&path).reading(MOST_ANSWER), deadline)?;
        answer::judge(&answer, &format!("ClickHouse at {}", self.client))
    }

    fn name(&self) -> &str {
        "clickhouse"
    }

    fn destination(&self) -> Option<String> {
        Some(self.client.to_string())
    }
}
