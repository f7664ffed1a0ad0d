//! Random actions on a disk that loses power: what was acknowledged is never lost.

use proptest::{prelude::*, test_runner::Config};

use super::{
    drill,
    world::{Action, World},
};
use crate::pipeline::spool::disk::model::Fault;

/// What a caller does, and its end.
pub(super) fn life() -> impl Strategy<Value = Action> {
    prop_oneof![
        8 => (1usize..4, 0usize..300)
            .prop_map(|(n_records, length)| Action::Append { n_records, length }),
        4 => Just(Action::Sync),
        6 => Just(Action::Next),
        5 => Just(Action::Done),
        1 => Just(Action::Save),
        1 => Just(Action::Kill),
    ]
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        25 => life(),
        1 => Just(Action::LosePower),
        1 => (0u64..30).prop_map(|after| Action::Die { after }),
    ]
}

fn action_or_fault() -> impl Strategy<Value = Action> {
    let fault = (0..Fault::ALL.len(), 0u64..12, 1u64..4)
        .prop_map(|(fault, after, count)| Action::Fail { fault: Fault::ALL[fault], after, count });
    prop_oneof![9 => action(), 1 => fault]
}

fn cases() -> Config {
    // A failure is printed as the actions that it takes; those become a test of their own.
    Config { failure_persistence: None, ..Config::with_cases(drill::size(300, 1_000_000) as u32) }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn no_loss_of_power_loses_what_was_acknowledged(
        seed in any::<u64>(),
        segment_bytes in 300u64..3000,
        actions in proptest::collection::vec(action(), 0..60),
    ) {
        let mut world = World::new(seed, segment_bytes);
        actions.iter().for_each(|action| world.act(action));
        world.end();
    }

    #[test]
    fn no_failing_call_loses_what_was_acknowledged(
        seed in any::<u64>(),
        segment_bytes in 300u64..3000,
        actions in proptest::collection::vec(action_or_fault(), 0..60),
    ) {
        let mut world = World::new(seed, segment_bytes);
        actions.iter().for_each(|action| world.act(action));
        world.end();
    }
}
