//! Random sizes, rotations, restarts and failures against a naive twin: a list of what was exported.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::export::file::disk::{Call, faults};

#[derive(Clone, Debug)]
enum Action {
    /// Exports this many lines by one of two writers, with names this much longer.
    Export(usize, usize, usize),
    Advance(u64),
    SetBack(u64),
    Restart(usize),
    /// From now on these calls fail, and the disk is full after so many bytes.
    Fail(Vec<Call>, Option<usize>),
    Mend,
    RenamedByOthers,
    CopiedAndTruncatedByOthers,
}

fn action(n_writers: usize) -> impl Strategy<Value = Action> {
    let calls = [Call::Open, Call::Reserve, Call::Rename, Call::Remove];
    let failing = proptest::sample::subsequence(calls.to_vec(), 0..=4);
    prop_oneof![
        8 => (0..n_writers, 1..9usize, 0..700usize)
            .prop_map(|(writer, n, length)| Action::Export(writer, n, length)),
        3 => (0..5000u64).prop_map(Action::Advance),
        1 => (0..5000u64).prop_map(Action::SetBack),
        1 => (0..n_writers).prop_map(Action::Restart),
        2 => (failing, proptest::option::of(0..4000usize))
            .prop_map(|(calls, room)| Action::Fail(calls, room)),
        3 => Just(Action::Mend),
        1 => Just(Action::RenamedByOthers),
        1 => Just(Action::CopiedAndTruncatedByOthers),
    ]
}

/// A writer, and what its pipeline still has to send.
struct Writer {
    file: File,
    unsent: Vec<String>,
}

struct World {
    folder: Folder,
    clock: ManualClock,
    builder: FileBuilder,
    writers: Vec<Writer>,
    /// The twin: every line that was exported, by its writer.
    exported: BTreeMap<usize, Vec<String>>,
    n_torn: usize,
    n_moved: usize,
}

impl World {
    fn new(clock: ManualClock, rotate_bytes: u64, hourly: bool, n_writers: usize) -> Self {
        let folder = Folder::new(&format!("random-{n_writers}"));
        let mut builder = File::builder(folder.file()).rotate_bytes(rotate_bytes);
        if hourly {
            builder = builder.rotate_every(Rotation::Hourly);
        }
        #[cfg(feature = "gzip")]
        let builder = builder.gzip();
        let writer = |_| Writer { file: builder.clone().open().unwrap(), unsent: Vec::new() };
        let writers = (0..n_writers).map(writer).collect();
        let (exported, n_torn, n_moved) = (BTreeMap::new(), 0, 0);
        Self { folder, clock, builder, writers, exported, n_torn, n_moved }
    }

    fn run(&mut self, action: Action) {
        match action {
            Action::Export(at, n, length) => self.export(at, n, length),
            Action::Advance(seconds) => self.clock.advance(Duration::from_secs(seconds)),
            Action::SetBack(seconds) => {
                self.clock.step_wall(self.clock.wall() - Duration::from_secs(seconds));
            }
            Action::Restart(at) => {
                // A start that fails is an error of the program; it tries again.
                faults::fail(&[]);
                self.writers[at].file = self.builder.clone().open().unwrap();
            }
            Action::Fail(calls, room) => {
                faults::fail(&calls);
                faults::leave_room(room.unwrap_or(usize::MAX));
            }
            Action::Mend => {
                faults::fail(&[]);
                faults::leave_room(usize::MAX);
            }
            Action::RenamedByOthers if self.folder.file().exists() => {
                fs::rename(self.folder.file(), self.moved()).unwrap();
            }
            Action::CopiedAndTruncatedByOthers if self.folder.file().exists() => {
                fs::copy(self.folder.file(), self.moved()).unwrap();
                fs::write(self.folder.file(), "").unwrap();
            }
            Action::RenamedByOthers | Action::CopiedAndTruncatedByOthers => {}
        }
        for writer in &self.writers {
            writer.file.appended.lock().compressor.wait();
        }
    }

    fn moved(&mut self) -> PathBuf {
        self.n_moved += 1;
        self.folder.0.join(format!("moved-{}", self.n_moved))
    }

    fn export(&mut self, at: usize, n: usize, length: usize) {
        let exported = self.exported.entry(at).or_default();
        let writer = &mut self.writers[at];
        for _ in 0..n {
            let name = format!("{at}:{}:{}", exported.len(), "x".repeat(length));
            exported.push(name.clone());
            writer.unsent.push(name);
        }
        if writer.unsent.is_empty() {
            return;
        }
        let batch: Batch<_> =
            writer.unsent.iter().map(|name| sample(name)).collect::<Vec<_>>().into();
        writer.unsent = match export_all(&mut writer.file, &batch) {
            Ok(()) => Vec::new(),
            Err(error) => {
                self.n_torn += 1;
                let unsent = error.unsent.unwrap_or(batch);
                unsent.iter().map(|span| span.name().to_owned()).collect()
            }
        };
    }

    /// All lines over all files are exactly the lines exported, whole; in order, as far as the files
    /// have an order.
    fn check(mut self) {
        self.run(Action::Mend);
        for at in 0..self.writers.len() {
            self.run(Action::Export(at, 1, 0));
            assert!(self.writers[at].unsent.is_empty());
        }
        let own = lines_of(&all_of(&self.folder, |name| !name.starts_with("moved-")));
        let moved = lines_of(&all_of(&self.folder, |name| name.starts_with("moved-")));
        for at in 0..self.writers.len() {
            let expected = self.exported.remove(&at).unwrap();
            let of = |lines: &[(usize, String)]| -> Vec<String> {
                lines.iter().filter(|(by, _)| *by == at).map(|(_, name)| name.clone()).collect()
            };
            let mut all = of(&own);
            if self.writers.len() == 1 {
                assert!(all.is_sorted_by_key(|name| place(name)), "not in order");
            }
            all.extend(of(&moved));
            all.sort_by_key(|name| place(name));
            let wrong = all.iter().zip(&expected).find(|(there, expected)| there != expected);
            assert!(wrong.is_none() && all.len() == expected.len(), "{wrong:?}");
        }
        let n_torn = own.iter().chain(&moved).filter(|(_, name)| name == "torn").count();
        assert!(n_torn <= self.n_torn, "{n_torn}");
        // Of two writers that cannot follow a renamed file, both may end a torn line.
        let n_looked_at = if self.writers.len() == 1 { usize::MAX } else { 0 };
        let plain = files(&self.folder.0).into_iter().filter(|name| !name.ends_with(".gz"));
        for name in plain.take(n_looked_at) {
            let text = fs::read_to_string(self.folder.0.join(&name)).unwrap();
            assert!(!text.lines().any(str::is_empty), "an empty line in {name}");
        }
    }
}

fn place(name: &str) -> usize {
    name.split(':').nth(1).unwrap().parse().unwrap()
}

fn all_of(folder: &Folder, keep: impl Fn(&str) -> bool) -> Vec<String> {
    let rotated = files(&folder.0).into_iter().filter(|name| name != "spans.jsonl");
    let rotated = rotated.filter(|name| keep(name));
    let mut all: Vec<String> = rotated.flat_map(|name| names(&folder.0.join(name))).collect();
    if keep("spans.jsonl") {
        all.extend(names(&folder.file()));
    }
    all
}

/// The names in the lines of a file, each with the writer that it names; torn lines as of nobody.
fn lines_of(all: &[String]) -> Vec<(usize, String)> {
    let writer = |name: &String| match name.split_once(':') {
        Some((writer, _)) => (writer.parse().unwrap(), name.clone()),
        None => (usize::MAX, name.clone()),
    };
    all.iter().map(writer).collect()
}

/// Few, because each compressed file waits for the disk; more by `PROPTEST_CASES`.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]
    #[test]
    fn all_lines_over_all_files_are_those_of_a_naive_twin(
        actions in proptest::collection::vec(action(1), 1..60),
        rotate_bytes in 1u64..6000,
        hourly in any::<bool>(),
    ) {
        let clock = ManualClock::new();
        let _entered = clock::enter(Some(clock.clone()));
        let mut world = World::new(clock, rotate_bytes, hourly, 1);
        actions.into_iter().for_each(|action| world.run(action));
        world.check();
    }

    #[test]
    fn all_lines_of_two_writers_are_those_of_their_twins(
        actions in proptest::collection::vec(action(2), 1..60),
        rotate_bytes in 1u64..6000,
        hourly in any::<bool>(),
    ) {
        let clock = ManualClock::new();
        let _entered = clock::enter(Some(clock.clone()));
        let mut world = World::new(clock, rotate_bytes, hourly, 2);
        actions.into_iter().for_each(|action| world.run(action));
        world.check();
    }
}
