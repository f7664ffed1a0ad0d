//! Every call fails once, in turn; and the power goes at every call.

use proptest::{
    strategy::{Strategy as _, ValueTree as _},
    test_runner::TestRunner,
};

use super::{
    random,
    world::{Action, World},
    *,
};
use crate::pipeline::spool::disk::model::Fault;

/// What touches all there is: full segments, several groups, the cursor, removal, a second process.
fn script() -> Vec<Action> {
    let append = |length| Action::Append { n_records: 2, length };
    let group = |n| [vec![append(40); n], vec![Action::Sync]].concat();
    let read = |n| [Action::Next, Action::Done].repeat(n);
    [
        group(3),
        read(2),
        group(6),
        read(4),
        vec![Action::Save, append(10), append(700), Action::Sync, Action::Next, Action::Next],
        group(4),
        read(8),
        vec![Action::Kill],
        read(3),
        group(5),
        read(20),
    ]
    .concat()
}

/// The power goes at every call of a script, one run for each.
fn lose_power_at_every_call(seed: u64, script: &[Action]) -> u64 {
    let mut after = 0;
    loop {
        let mut world = World::new(seed, 500);
        world.disk.die(after);
        let before = world.disk.calls();
        script.iter().for_each(|action| world.act(action));
        let n_calls = world.disk.calls() - before;
        world.end();
        after += 1;
        if after > n_calls {
            return after;
        }
    }
}

#[test]
fn the_power_may_go_at_every_call() {
    for seed in 1..=drill::size(3, 200) as u64 {
        let n_calls = lose_power_at_every_call(seed, &script());
        assert!(n_calls > 150, "{n_calls}");
    }
}

#[test]
fn the_power_may_go_at_every_call_of_any_life() {
    let (mut runner, lives) =
        (TestRunner::deterministic(), proptest::collection::vec(random::life(), 30));
    for seed in 1..=drill::size(5, 200) as u64 {
        let life = lives.new_tree(&mut runner).expect("a life").current();
        lose_power_at_every_call(seed, &life);
    }
}

#[test]
fn every_call_may_fail() {
    for fault in Fault::ALL {
        for count in [1, 2, 5] {
            let mut n_faults = 0;
            loop {
                let mut world = World::new(1, 500);
                world.act(&Action::Fail { fault, after: n_faults, count });
                script().iter().take_while(|it| !matches!(it, Action::Kill)).for_each(|action| {
                    world.act(action);
                });
                let was_reached = !world.disk.is_faulty();
                // One that is tried again at once is no failure.
                let is_harmless = matches!(fault, Fault::Eintr | Fault::Short);
                assert!(
                    !was_reached || is_harmless || world.n_failures() > 0,
                    "{fault:?} after {n_faults}"
                );
                world.end();
                n_faults += 1;
                if !was_reached {
                    break;
                }
            }
            assert!(n_faults > 5, "{fault:?}: {n_faults}");
        }
    }
}

#[test]
fn what_fails_at_the_start_is_an_error_or_no_harm() {
    for fault in Fault::ALL {
        for after in 0..40 {
            let disk = ModelDisk::new(1);
            let (mut writer, mut reader) = open(&disk, &small(400));
            write(&mut writer, 0..6);
            let entry = reader.next().unwrap();
            reader.done(&entry.position);
            disk.kill();
            disk.fail(fault, after, 1);
            drop((writer, reader));
            let opened = Spool::on(disk.root(), &small(400), FORM);
            let has_failed = opened.is_err();
            let (_writer, mut reader) = match opened {
                Ok(halves) => halves,
                Err(_) => open(&disk, &small(400)),
            };
            let mut read = drain(&mut reader);
            read.extend(drain(&mut reader)); // If the fault came only now.
            // Without the cursor, all of it comes; but a start that failed takes it from nobody.
            let all = Vec::from_iter(0..6);
            assert!(read == all[1..] || (read == all && !has_failed), "{read:?}");
        }
    }
}
