//! Tokio runtimes: their stable metrics of workers, tasks and queues.

use std::borrow::Cow;

use tokio::runtime::Handle;

use super::{
    collector::{Collector, Description, Failure, Reading},
    source::Source,
};
use crate::metric::Unit;

/// The figures of tokio runtimes, each under its name in the label `runtime`.
///
/// `tokio.workers`, `tokio.tasks.alive`, `tokio.queue.depth` (tasks that wait for any worker), and for
/// each worker `tokio.worker.busy` (seconds) and `tokio.worker.parks`. These are the metrics that are
/// stable without `tokio_unstable`. Reading them costs the runtime nothing.
///
/// What to alert on: a queue that does not empty, workers whose busy time grows by a second each
/// second, a number of tasks that only grows.
///
/// # Examples
///
/// ```
/// use bellwether::{collect::TokioRuntimes, metric::Registry};
///
/// let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build()?;
/// let registry = Registry::new();
/// let _runtimes = TokioRuntimes::new().runtime("main", runtime.handle()).source().register(&registry)?;
///
/// let workers = registry.snapshot().value("tokio.workers", &[("runtime", "main")]).unwrap().as_f64();
/// assert_eq!(workers, 2.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct TokioRuntimes {
    runtimes: Vec<(Cow<'static, str>, Handle)>,
}

impl TokioRuntimes {
    /// Creates a source without runtimes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the runtime of `handle` as `name`; of two with one name, the later is shown.
    ///
    /// The handle does not keep the runtime running: after its shutdown the last figures stay.
    #[must_use]
    pub fn runtime(mut self, name: impl Into<Cow<'static, str>>, handle: &Handle) -> Self {
        self.runtimes.push((name.into(), handle.clone()));
        self
    }

    /// The source of their figures.
    pub fn source(self) -> Source {
        Source::new("tokio", self)
    }
}

impl Collector for TokioRuntimes {
    fn families(&self) -> Vec<Description> {
        let (task, park) = (Unit::new("{task}"), Unit::new("{park}"));
        vec![
            Description::up_down_counter(WORKERS, "Worker threads", Unit::new("{thread}")),
            Description::up_down_counter(TASKS, "Tasks that have not ended", task),
            Description::up_down_counter(QUEUE, "Tasks that wait for any worker", task),
            Description::counter(BUSY, "Time that a worker was busy", Unit::Seconds),
            Description::counter(PARKS, "Times that a worker had nothing to do", park),
        ]
    }

    fn collect(&mut self, to: &mut Reading) -> Result<(), Failure> {
        for (name, handle) in &self.runtimes {
            let metrics = handle.metrics();
            let runtime = ("runtime", name.as_ref());
            to.observe(WORKERS, metrics.num_workers() as f64, &[runtime]);
            to.observe(TASKS, metrics.num_alive_tasks() as f64, &[runtime]);
            to.observe(QUEUE, metrics.global_queue_depth() as f64, &[runtime]);
            for worker in 0..metrics.num_workers() {
                let number = worker.to_string();
                let labels = [runtime, ("worker", number.as_str())];
                to.observe(BUSY, metrics.worker_total_busy_duration(worker).as_secs_f64(), &labels);
                to.observe(PARKS, metrics.worker_park_count(worker) as f64, &labels);
            }
        }
        Ok(())
    }
}

const WORKERS: &str = "tokio.workers";
const TASKS: &str = "tokio.tasks.alive";
const QUEUE: &str = "tokio.queue.depth";
const BUSY: &str = "tokio.worker.busy";
const PARKS: &str = "tokio.worker.parks";

#[cfg(test)]
mod tests {
    use tokio::{runtime, sync::oneshot};

    use super::*;
    use crate::collect::collector::tests::collected;

    #[test]
    fn tasks_are_counted_while_they_live_and_runtimes_are_told_apart() {
        let io = runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
        let main = runtime::Builder::new_current_thread().build().unwrap();
        let mut runtimes =
            TokioRuntimes::new().runtime("io", io.handle()).runtime("main", main.handle());
        let (end, ended) = oneshot::channel::<()>();
        let task = main.spawn(ended);

        let found = collected(&mut runtimes).unwrap();
        assert_eq!(found["tokio.workers{runtime=io}"], 2.0);
        assert_eq!(found["tokio.workers{runtime=main}"], 1.0);
        assert_eq!(found["tokio.tasks.alive{runtime=io}"], 0.0);
        assert_eq!(found["tokio.tasks.alive{runtime=main}"], 1.0);
        assert!(found.contains_key("tokio.worker.parks{runtime=io,worker=1}"));

        end.send(()).unwrap();
        main.block_on(task).unwrap().unwrap();
        let found = collected(&mut runtimes).unwrap();
        assert_eq!(found["tokio.tasks.alive{runtime=main}"], 0.0);
        assert_eq!(found["tokio.queue.depth{runtime=main}"], 0.0);
    }

    #[test]
    fn time_spent_in_tasks_is_busy_time() {
        let main = runtime::Builder::new_current_thread().build().unwrap();
        let mut runtimes = TokioRuntimes::new().runtime("main", main.handle());
        main.block_on(async {
            let start = crate::clock::now();
            while crate::clock::now().seconds_since(start) < 0.02 {
                tokio::task::yield_now().await;
            }
        });
        let busy = collected(&mut runtimes).unwrap()["tokio.worker.busy{runtime=main,worker=0}"];
        assert!(busy > 0.0, "{busy}");
    }
}
