//! Tasks at random, beside a naive reading of their steps.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Wait,
    Serve,
    /// A function that is not observed.
    Plain(Vec<Step>),
    Observed(Vec<Step>),
    /// Observed and not `async`: its steps are done in one go.
    InOneGo(Vec<Step>),
}

#[observe(name = "once.twin.observed")]
async fn observed(steps: &[Step]) {
    run(steps).await;
}

#[observe(name = "once.twin.observed")]
fn in_one_go(steps: &[Step]) {
    finish(run(steps));
}

fn run(steps: &[Step]) -> Pin<Box<dyn Future<Output = ()> + '_>> {
    Box::pin(async move {
        for step in steps {
            match step {
                Step::Wait => turn().await,
                Step::Serve => serve(),
                Step::Plain(steps) => run(steps).await,
                Step::Observed(steps) => observed(steps).await,
                Step::InOneGo(steps) => in_one_go(steps),
            }
        }
    })
}

#[derive(Clone, Copy)]
enum Event {
    Wait,
    Serve,
    Enter,
    Leave,
}

fn flatten(steps: &[Step], waits: bool, events: &mut Vec<Event>) {
    for step in steps {
        match step {
            Step::Wait if waits => events.push(Event::Wait),
            Step::Wait => {}
            Step::Serve => events.push(Event::Serve),
            Step::Plain(steps) => flatten(steps, waits, events),
            Step::Observed(within) | Step::InOneGo(within) => {
                events.push(Event::Enter);
                flatten(within, waits && matches!(step, Step::Observed(_)), events);
                events.push(Event::Leave);
            }
        }
    }
}

/// A task's operations under way, by how often each was measured.
#[derive(Default)]
struct Naive {
    events: Vec<Event>,
    at: usize,
    under_way: Vec<u32>,
    n_recorded: u64,
    n_served: u64,
}

impl Naive {
    /// Goes on until the task waits. Returns whether it is ready.
    fn poll(&mut self) -> bool {
        while let Some(event) = self.events.get(self.at) {
            self.at += 1;
            match event {
                Event::Wait => return false,
                Event::Enter => self.under_way.push(0),
                Event::Leave => self.leave(),
                Event::Serve => {
                    self.n_served += 1;
                    self.under_way.last_mut().into_iter().for_each(|n| *n += 1);
                }
            }
        }
        true
    }

    fn leave(&mut self) {
        self.n_recorded += u64::from(self.under_way.pop() != Some(1));
    }

    fn cancel(&mut self) {
        while !self.under_way.is_empty() {
            self.leave();
        }
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![3 => Just(Step::Wait), 2 => Just(Step::Serve)];
    let step = step.prop_recursive(4, 40, 5, |step| {
        let steps = prop::collection::vec(step, 0..5);
        prop_oneof![
            1 => steps.clone().prop_map(Step::Plain),
            3 => steps.clone().prop_map(Step::Observed),
            1 => steps.prop_map(Step::InOneGo),
        ]
    });
    prop::collection::vec(step, 0..6)
}

proptest! {
    #[test]
    fn tasks_in_any_order_and_dropped_at_any_time_are_measured_as_a_naive_list_says(
        tasks in prop::collection::vec(steps(), 1..5),
        turns in prop::collection::vec((any::<prop::sample::Index>(), 0..12_u8), 0..40),
    ) {
        let scope = testing::scope();
        in_one_go(&[]); // So that the instruments are known.
        let mut running: Vec<_> = tasks.iter().map(|steps| Some(run(steps))).collect();
        let mut naive: Vec<_> = tasks.iter().map(|steps| {
            let mut naive = Naive::default();
            flatten(steps, true, &mut naive.events);
            naive
        }).collect();
        for (task, is_dropped) in turns {
            let task = task.index(tasks.len());
            let Some(future) = &mut running[task] else { continue };
            if is_dropped == 0 {
                running[task] = None;
                naive[task].cancel();
            } else {
                let is_ready = poll(future.as_mut()).is_ready();
                prop_assert_eq!(is_ready, naive[task].poll());
                if is_ready {
                    running[task] = None;
                }
            }
        }
        drop(running);
        naive.iter_mut().for_each(Naive::cancel);
        let snapshot = scope.snapshot();
        let total = |of: fn(&Naive) -> u64| naive.iter().map(of).sum::<u64>();
        let recorded = count(&snapshot, "once.twin.observed.duration");
        prop_assert_eq!(recorded, 1 + total(|naive| naive.n_recorded));
        prop_assert_eq!(count(&snapshot, REQUESTS), total(|naive| naive.n_served));
        scope.assert_value("once.twin.observed.active", &[], 0.0);
    }
}
