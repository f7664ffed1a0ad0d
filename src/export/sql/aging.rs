//! Rows that are older than they are kept are deleted, some at a time.

use std::time::Duration;

use super::{
    dialect::{Link, Server},
    options::Options,
    plan::Plan,
    table::Table,
};
use crate::clock::{self, Ticks};

/// Deletes what is old.
#[derive(Debug)]
pub(super) struct Aging {
    /// In nanoseconds.
    keep: i64,
    /// The statements, and how many nanoseconds more their rows are kept.
    statements: Vec<(String, i64)>,
    /// When it was done; `None` if there is more to do.
    done: Option<Ticks>,
}

/// So many rows are deleted by a statement: more than are inserted in a batch, so that it keeps up, and few enough
/// for a fraction of a second. Arbitrary.
const STEP: u32 = 10_000;

/// It is looked so often whether rows are old. Arbitrary.
const INTERVAL: Duration = Duration::from_secs(60);

/// What is used says so at least this often, in nanoseconds.
pub(super) const SEEN_EVERY: i64 = 3_600_000_000_000;

impl Aging {
    /// `None` if all is kept.
    pub(super) fn new(server: &dyn Server, options: &Options, plan: &Plan) -> Option<Self> {
        let keep = i64::try_from(options.keep?.as_nanos()).unwrap_or(i64::MAX);
        let statement = |table: &Table| server.delete(table, STEP);
        let mut statements = Vec::new();
        // The chunks of a hypertable are dropped by its policy.
        if !options.has_hypertables || plan.is_plain() {
            statements.push((statement(&plan.rows.table), 0));
        }
        let others = plan.tables().skip(1);
        // What refers to a row of theirs is at most so much newer than the row says.
        statements.extend(others.map(|table| (statement(table), SEEN_EVERY)));
        Some(Self { keep, statements, done: None })
    }

    /// Whether it is time to look.
    pub(super) fn is_due(&self) -> bool {
        self.done.is_none_or(|done| clock::now().since(done) >= INTERVAL)
    }

    /// Deletes at most a step of each table.
    pub(super) async fn step(&mut self, link: &mut dyn Link) -> Result<(), sqlx::Error> {
        let now = clock::now();
        // At first, so that what fails is not tried again with each batch.
        self.done = Some(now);
        let now_nanos = i64::try_from(now.timestamp().unix_nanos()).unwrap_or(i64::MAX);
        for (statement, more) in &self.statements {
            let before = now_nanos.saturating_sub(self.keep).saturating_sub(*more);
            if link.delete(statement, before).await? >= u64::from(STEP) {
                self.done = None;
            }
        }
        Ok(())
    }
}
