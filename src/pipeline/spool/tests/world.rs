//! A spool on a model disk, with a caller that does what the promises say, and counts.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::*;
use crate::pipeline::spool::{disk::model::Fault, format::frame_length, reader::SAVED_AFTER};

/// What a caller does, or what happens to it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Action {
    Append {
        n_records: usize,
        length: usize,
    },
    Sync,
    Next,
    Done,
    Save,
    Kill,
    LosePower,
    /// In the middle of something, after so many calls.
    Die {
        after: u64,
    },
    Fail {
        fault: Fault,
        after: u64,
        count: u64,
    },
}

pub(super) struct World {
    pub(super) disk: ModelDisk,
    settings: SpoolSettings,
    halves: Option<(SpoolWriter, SpoolReader)>,
    payloads: BTreeMap<u64, Payload>,
    held: VecDeque<u64>, // Appended, and not durable: the caller's still.
    acked: BTreeSet<u64>,
    delivered: BTreeMap<u64, u64>,
    excused: BTreeMap<u64, u64>, // How often it may have been delivered beyond once.
    in_flight: VecDeque<(SpoolPosition, u64)>,
    done: Vec<(u64, u64)>, // What this process is done with, and how many bytes that was.
    is_strict: bool,       // No fault but loss of power.
    n_refused: u64,        // Errors that the caller got.
}

impl World {
    pub(super) fn new(seed: u64, segment_bytes: u64) -> Self {
        let disk = ModelDisk::new(seed);
        let settings = small(segment_bytes);
        let halves = Some(open(&disk, &settings));
        Self {
            disk,
            settings,
            halves,
            payloads: BTreeMap::new(),
            held: VecDeque::new(),
            acked: BTreeSet::new(),
            delivered: BTreeMap::new(),
            excused: BTreeMap::new(),
            in_flight: VecDeque::new(),
            done: Vec::new(),
            is_strict: true,
            n_refused: 0,
        }
    }

    pub(super) fn act(&mut self, action: &Action) {
        match *action {
            Action::Append { n_records, length } => {
                let id = self.payloads.len() as u64;
                self.payloads.insert(id, payload(id, n_records, length));
                self.append(id);
            }
            Action::Sync => self.sync(),
            Action::Next => self.next(),
            Action::Done => self.done(),
            Action::Save => self.reader().save(),
            Action::Kill => self.kill(),
            Action::LosePower => self.lose_power(),
            Action::Die { after } => self.disk.die(after),
            Action::Fail { fault, after, count } => {
                self.is_strict = false;
                self.disk.fail(fault, after, count);
            }
        }
        if self.disk.is_dead() {
            self.lose_power();
        }
    }

    /// How many failures this process was shown or counted.
    pub(super) fn n_failures(&mut self) -> u64 {
        let figures = self.reader().handle().figures();
        self.n_refused + figures.failed_writes + figures.failed_reads + figures.failed_cursors
    }

    /// The power goes, all is read, and nothing that was acknowledged is missing.
    pub(super) fn end(mut self) {
        self.lose_power();
        while self.read_one() {
            self.done();
        }
        for id in &self.acked {
            assert!(self.delivered.contains_key(id), "payload {id} was acknowledged and is lost");
        }
        for (id, n) in &self.delivered {
            let most = 1 + self.excused.get(id).copied().unwrap_or(0);
            assert!(!self.is_strict || *n <= most, "payload {id} came {n} times, not {most}");
        }
        // All of it is done with, durably so after a save.
        self.reader().save();
        self.disk.lose_power();
        let (_, mut reader) = open(&self.disk, &self.settings);
        assert!(reader.next().is_none());
        drop(reader);
        assert_eq!(segments(&self.disk).len(), 0);
    }

    fn writer(&mut self) -> &mut SpoolWriter {
        &mut self.halves.as_mut().expect("open").0
    }

    fn reader(&mut self) -> &mut SpoolReader {
        &mut self.halves.as_mut().expect("open").1
    }

    fn append(&mut self, id: u64) {
        let mut to_append = VecDeque::from([id]);
        let mut n_tries = 0;
        while let Some(id) = to_append.pop_front() {
            let payload = self.payloads[&id].clone();
            match self.writer().append(&payload) {
                Ok(()) => self.held.push_back(id),
                Err(error) => {
                    assert!(!error.is_too_large());
                    n_tries += 1;
                    if n_tries < 4 {
                        to_append.push_front(id);
                    }
                    self.take_back(&error, &mut to_append);
                }
            }
            self.settle();
        }
    }

    fn sync(&mut self) {
        if let Err(error) = self.writer().sync() {
            let mut to_append = VecDeque::new();
            self.take_back(&error, &mut to_append);
            to_append.into_iter().for_each(|id| self.append(id));
        }
        self.settle();
    }

    /// What an error hands back comes first.
    fn take_back(&mut self, error: &SpoolError, to_append: &mut VecDeque<u64>) {
        self.n_refused += 1;
        for _ in 0..error.unkept() {
            let id = self.held.pop_back().expect("what is not kept was appended");
            *self.excused.entry(id).or_default() += 1;
            if !self.disk.is_dead() {
                to_append.push_front(id);
            }
        }
    }

    /// What is durable by now is acknowledged.
    fn settle(&mut self) {
        while self.held.len() > self.writer().unsynced() {
            self.acked.extend(self.held.pop_front());
        }
    }

    fn next(&mut self) {
        self.read_one();
    }

    fn read_one(&mut self) -> bool {
        let Some(entry) = self.reader().next() else {
            return false;
        };
        let id = id(&entry.payload);
        *self.delivered.entry(id).or_default() += 1;
        self.in_flight.push_back((entry.position, id));
        true
    }

    /// Done with the oldest that is in flight.
    fn done(&mut self) {
        let Some((position, id)) = self.in_flight.pop_front() else {
            return;
        };
        self.reader().done(&position);
        match self.disk.is_dead() {
            true => *self.excused.entry(id).or_default() += 1,
            false => {
                let length = frame_length(&self.payloads[&id], FORM).expect("it was written");
                self.done.push((id, length));
            }
        }
    }

    fn kill(&mut self) {
        self.disk.kill();
        self.begin_again();
    }

    fn lose_power(&mut self) {
        self.power_off();
        self.begin_again();
    }

    fn power_off(&mut self) {
        let mut left = SAVED_AFTER;
        for (id, length) in self.done.drain(..).rev() {
            *self.excused.entry(id).or_default() += 1;
            match left.checked_sub(length) {
                Some(less) => left = less,
                None => break,
            }
        }
        self.disk.lose_power();
    }

    fn begin_again(&mut self) {
        for (_, id) in self.in_flight.drain(..) {
            *self.excused.entry(id).or_default() += 1;
        }
        // The caller has ended too: what was not acknowledged is nobody's.
        self.held.clear();
        self.halves = None;
        while self.halves.is_none() {
            match Spool::on(self.disk.root(), &self.settings, FORM) {
                Ok(halves) => self.halves = Some(halves),
                Err(_) if self.disk.is_dead() => self.power_off(), // In the middle of the start.
                Err(error) => panic!("{error}"),
            }
        }
    }
}
