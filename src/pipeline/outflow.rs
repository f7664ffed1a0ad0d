//! The second half of a route with a spool: what the worker put on disk is read back and sent, by a thread
//! of its own.
//!
//! ```text
//! queue ─► worker: encode, append, sync ─► spool ─► sender's thread: next, attempts, done
//!   held                                 spooled       │ delivered, dropped
//! ```
//!
//! While the disk takes nothing, and nothing is on it, frames pass from the one thread to the other, and a
//! failed attempt gives them back ([`Passage`]).
//!
//! A record is settled for the queue as soon as it is durable. From there on it is counted by a second
//! queue, which holds nothing: its records are on disk, and it lends one load at a time. Attempts, pauses,
//! flushes and shutdowns are those of any queue; but what is in flight when a shutdown ends goes back to the
//! disk, for a later process.

use std::{
    convert::Infallible,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use super::{
    Batch, Deadline, DropReason, Encoder, ExportError, Payload, QueueReport, Route, Settings,
    Signal, Spool, SpoolError, SpoolFigures, SpoolFolder, SpoolHandle, SpoolPosition, SpoolReader,
    SpoolReport, SpoolWriter, Watch,
    delivery::{Delivery, Encoded, Load, Prepare, Sending, Spawn, Wire},
    limits::Limits,
    outlet::{Outlet, OutletLabel},
    passage::{LOOKS_EVERY, Passage},
    queue::{Queue, Ticket},
    route::AnyExporter,
    state::{Kept, Passed},
    threads,
};
use crate::{
    clock, context, diagnostics,
    error::{Error, ErrorKind},
    util::catch::catch,
};

impl<S: Signal> Route<S> {
    /// Keeps what is sent in a folder of its own below `folder`, unless it has one.
    pub(crate) fn kept_below(mut self, folder: &SpoolFolder) -> Self {
        if matches!(self.exporter, AnyExporter::Wire(..)) && self.settings.spool.is_none() {
            let name = format!("{}-{}", S::NAME, self.name);
            self.settings.spool =
                Some(SpoolFolder { path: folder.path.join(name), ..folder.clone() });
        }
        self
    }
}

/// A queue of records that are on disk.
type OnDisk = Queue<Infallible>;

/// The sending half as a pipe sees it.
pub(super) struct Outflow {
    queue: Arc<OnDisk>,
    spool: SpoolHandle,
}

/// The first half: puts batches on disk.
pub(super) struct Spooling<S> {
    encoder: Box<dyn Encoder<S>>,
    writer: SpoolWriter,
    on_disk: Arc<OnDisk>,
    frame_records: usize,
    passage: Arc<Passage>,
    /// What went past the disk in the last attempt.
    passed: Passed,
    /// How many records came to the disk in it.
    n_kept: usize,
    /// Whether the last attempt went past it.
    is_passing: bool,
    label: OutletLabel,
}

/// The second half.
struct Outgoing<S: Signal> {
    outlet: Outlet<Infallible>,
    sending: Sending,
    reader: SpoolReader,
    in_hand: Option<SpoolPosition>,
    passage: Arc<Passage>,
    /// The queue of the first half.
    memory: Arc<Queue<S>>,
    /// How often it is looked for what other processes left, and when the next time is.
    adopts_every: Duration,
    adopts_at: Instant,
}

/// As many frames as a batch has, one group commit for all of them.
const FRAMES: usize = 16;

/// The limits of the queue before a route with these settings.
pub(super) fn limits(settings: &Settings) -> Result<Limits, Error> {
    let frames = if settings.has_spool() { FRAMES } else { 1 };
    let limits = Limits::checked(settings)?;
    let batch_items = limits.batch_items.saturating_mul(frames).min(limits.max_items);
    Ok(Limits { batch_items, ..limits })
}

/// Starts the worker that encodes, and with a spool the thread that sends.
///
/// `worker` makes the worker, with whoever hears of its attempts: that is for the attempts to send.
pub(super) fn spawn<S: Signal, W: Spawn<S>>(
    worker: impl FnOnce(Option<Watch>) -> W,
    wire: Wire<S>,
    (label, queue): (&OutletLabel, &Arc<Queue<S>>),
    settings: &Settings,
    watch: Option<Watch>,
) -> Result<Option<Outflow>, Error> {
    let Some(folder) = &settings.spool else {
        worker(watch).spawn(wire)?;
        return Ok(None);
    };
    let Wire { encoder, sending: Sending(sender) } = wire;
    if encoder.format().is_empty() {
        let message = format!(
            "exporter \"{}\" cannot have a spool: its encoder does not name its format",
            label.name
        );
        return Err(Error::new(ErrorKind::InvalidOption, message));
    }
    let (writer, reader) = Spool::open(&folder.path, folder.settings.clone(), encoder.format())?;
    let on_disk = Arc::new(OnDisk::of_disk(Limits::checked(settings)?));
    let outflow = Outflow { queue: on_disk.clone(), spool: writer.handle() };
    let frame_records = settings.batch_items;
    let passage = Arc::new(Passage::new());
    let first_half = Spooling {
        encoder,
        writer,
        on_disk: on_disk.clone(),
        frame_records,
        passage: passage.clone(),
        passed: Passed::default(),
        n_kept: 0,
        is_passing: false,
        label: label.clone(),
    };
    let outlet = Outlet::new(label.clone(), on_disk, settings, watch);
    let (sending, in_hand, memory) = (Sending(sender), None, queue.clone());
    let adopts_every = folder.adopts_every;
    let adopts_at = clock::deadline(adopts_every);
    let second_half =
        Outgoing { outlet, sending, reader, in_hand, passage, memory, adopts_every, adopts_at };
    second_half.spawn()?;
    worker(None).spawn(first_half).inspect_err(|_| {
        queue.end(); // The second half waits for it.
        outflow.close(clock::real_instant());
    })?;
    Ok(Some(outflow))
}

impl<S: Signal> Prepare<S> for Spooling<S> {
    fn prepare(&mut self, batch: Batch<S>) -> Frames {
        let mut frames = Vec::new();
        let mut rest = batch;
        while !rest.is_empty() {
            let batch = rest.first(self.frame_records);
            frames.push(Encoded::of(self.encoder.encode(&batch), batch.len()));
            rest = rest.skip(self.frame_records);
        }
        Frames(frames)
    }
}

impl<S: Signal> Delivery for Spooling<S> {
    type Load = Frames;

    /// Appends all frames, and makes them durable by one group commit.
    fn attempt(&mut self, load: &Frames, deadline: &Deadline) -> Result<(), ExportError<Frames>> {
        let Frames(frames) = load;
        refuse_miscounted(frames)?;
        let mut n_kept = 0;
        let mut failure = None;
        for frame in frames {
            match self.writer.append(&frame.payload) {
                Ok(()) => n_kept += 1,
                Err(error) => {
                    n_kept -= error.unkept().min(n_kept);
                    failure = Some((n_kept, trouble(&error)));
                    break;
                }
            }
        }
        if let Err(error) = self.writer.sync() {
            n_kept -= error.unkept().min(n_kept);
            failure = Some((n_kept, trouble(&error)));
        }
        let n_records = frames[..n_kept].iter().map(Load::len).sum();
        self.on_disk.note_kept(n_records, lost(&self.writer.handle()));
        self.n_kept = n_records;
        let Some((n_kept, error)) = failure else {
            self.is_passing = false;
            return Ok(());
        };
        self.on_disk.note_refusal();
        let left = match error.is_retry() {
            true => self.pass(&frames[n_kept..], &error, deadline),
            false => frames[n_kept..].to_vec(),
        };
        if left.is_empty() { Ok(()) } else { Err(error.unsent(Frames(left))) }
    }

    fn settled(&mut self, is_ours: bool) {
        self.on_disk.note_passed(&std::mem::take(&mut self.passed), is_ours);
        let n_kept = std::mem::take(&mut self.n_kept);
        if !is_ours {
            self.on_disk.note_disowned(n_kept);
        }
    }
}

/// How long a frame waits for a sender that has something else to do. Arbitrary.
const OFFERED_FOR: Duration = Duration::from_secs(1);

impl<S> Spooling<S> {
    /// Hands frames that the disk does not take to the sender, for as long as that sends them. Returns the
    /// others.
    fn pass(
        &mut self,
        frames: &[Encoded],
        why: &ExportError<Frames>,
        deadline: &Deadline,
    ) -> Vec<Encoded> {
        let was_passing = std::mem::replace(&mut self.is_passing, true);
        for (place, frame) in frames.iter().enumerate() {
            let patience = clock::deadline(OFFERED_FOR);
            self.passage.offer(frame.clone());
            self.writer.handle().wake();
            let left =
                self.passage.wait(|| deadline.is_over() || clock::real_instant() >= patience);
            let passed = self.on_disk.take_passed();
            self.on_disk.begin_passed(passed.n_records());
            self.passed.add(&passed);
            if !left.is_empty() {
                return left.into_iter().chain(frames[place + 1..].iter().cloned()).collect();
            }
        }
        if !was_passing {
            let OutletLabel { name, signal } = &self.label;
            let text = format_args!("sent without having been on disk: {why}");
            diagnostics::report("spool", format_args!("exporter \"{name}\" of {signal}: {text}"));
        }
        Vec::new()
    }
}

/// Refuses the frames that have not a record for each of their batch, and has the others tried again.
fn refuse_miscounted(frames: &[Encoded]) -> Result<(), ExportError<Frames>> {
    let fault = frames.iter().find_map(|frame| frame.check::<Frames>().err());
    let Some(fault) = fault else { return Ok(()) };
    let good = frames.iter().filter(|frame| frame.check::<Frames>().is_ok());
    let good = Frames(good.cloned().collect());
    let n_bad = frames.iter().map(Load::len).sum::<usize>() - good.len();
    if good.len() == 0 {
        return Err(fault);
    }
    Err(ExportError::retry(fault).unsent(good).rejected(n_bad))
}

fn trouble(error: &SpoolError) -> ExportError<Frames> {
    match error.is_too_large() {
        true => ExportError::too_large(error),
        false => ExportError::retry(error),
    }
}

/// How many records of this process the spool has lost.
fn lost(spool: &SpoolHandle) -> u64 {
    let figures = spool.figures();
    figures.dropped_records - figures.dropped_inherited + figures.skipped_own
}

/// The frames of a batch.
#[derive(Clone)]
pub(super) struct Frames(pub(super) Vec<Encoded>);

impl Load for Frames {
    fn len(&self) -> usize {
        self.0.iter().map(Load::len).sum()
    }

    /// What is too large for the disk is alone at last.
    fn payload(&self) -> Option<&Payload> {
        match &self.0[..] {
            [frame] => frame.payload(),
            _ => None,
        }
    }

    fn first(&self, n: usize) -> Self {
        let mut left = n;
        let mut first = Vec::new();
        for frame in &self.0 {
            if left == 0 {
                break;
            }
            let part = frame.first(left);
            left -= part.len();
            first.push(part);
        }
        Self(first)
    }

    fn skip(&self, n: usize) -> Self {
        let mut to_skip = n;
        let mut rest = Vec::new();
        for frame in &self.0 {
            let part = frame.skip(to_skip);
            to_skip -= frame.len() - part.len();
            if part.len() > 0 {
                rest.push(part);
            }
        }
        Self(rest)
    }
}

impl<S: Signal> Outgoing<S> {
    fn spawn(self) -> Result<(), Error> {
        let name = self.outlet.label.name.clone();
        let thread = thread::Builder::new().name(format!("bellwether-{name}-send"));
        thread.spawn(move || self.run()).map(drop).map_err(|error| {
            let message =
                format!("the thread that empties the spool of \"{name}\" cannot be started");
            Error::new(ErrorKind::Io, message).with_source(error)
        })
    }

    fn run(mut self) {
        threads::claim(threads::identity(&self.memory));
        let _muted = context::mute();
        loop {
            match catch(|| self.step()) {
                Ok(true) => {}
                Ok(false) => break,
                Err(panic) => {
                    self.outlet.lose_batch("exporter panicked", format_args!("panicked: {panic}"));
                    self.passage.answer(Vec::new());
                    // It would panic again; but what a shutdown has given back to the disk stays there.
                    let is_returned = self.outlet.queue.take_back();
                    if let Some(position) = self.in_hand.take().filter(|_| !is_returned) {
                        self.reader.done(&position);
                    }
                }
            }
        }
        let Self { outlet, sending, mut reader, passage, .. } = self;
        passage.close();
        reader.save();
        drop(reader); // Gives the folder's lock back, now that the first half has ended.
        outlet.let_go(sending);
        outlet.queue.end();
    }

    /// Sends one payload, or waits for one; `false` at the end.
    fn step(&mut self) -> bool {
        let closing = self.outlet.queue.closing();
        if closing.is_some_and(|deadline| clock::real_instant() >= deadline) {
            return false;
        }
        // Asked before the spool, which the first half fills to its end.
        let is_last = closing.is_some() && self.memory.has_ended();
        if closing.is_none() && clock::real_instant() >= self.adopts_at {
            self.reader.adopt();
            self.adopts_at = clock::deadline(self.adopts_every);
        }
        let Some(entry) = self.reader.next() else {
            self.outlet.queue.note_kept(0, lost(&self.reader.handle()));
            if self.has_nothing_on_disk()
                && let Some(frame) = self.passage.take()
            {
                self.pass(frame);
                return true;
            }
            let looks_at = clock::deadline(LOOKS_EVERY);
            let is_some =
                self.reader.wait(if closing.is_some() { looks_at } else { self.adopts_at });
            self.outlet.queue.note_kept(0, lost(&self.reader.handle()));
            return !is_last || is_some;
        };
        let (n_records, n_bytes) = (entry.payload.len(), entry.payload.bytes().len());
        self.in_hand = Some(entry.position.clone());
        self.outlet.queue.lend(n_records, n_bytes, entry.is_inherited);
        self.outlet.deliver(&mut self.sending, Encoded::of(entry.payload, n_records));
        if self.outlet.queue.take_back() {
            return false;
        }
        self.in_hand = None;
        self.reader.done(&entry.position);
        true
    }

    /// Whether nothing waits there that is to be sent first. It may be there and not be read just now.
    fn has_nothing_on_disk(&self) -> bool {
        let figures = self.reader.handle().figures();
        figures.pending_records == 0 && figures.uncounted_bytes == 0
    }

    /// Sends a frame that was never on disk.
    fn pass(&mut self, frame: Encoded) {
        if self.outlet.is_put_off() {
            return self.passage.answer(vec![frame]);
        }
        self.outlet.queue.lend_past(frame.len(), frame.payload.bytes().len());
        let left = self.outlet.deliver_once(&mut self.sending, frame);
        self.outlet.queue.release();
        self.passage.answer(left);
    }
}

impl Outflow {
    /// Everything that is on disk by now; the sender hurries.
    pub(super) fn begin_flush(&self, deadline: Option<Instant>) -> Ticket {
        self.queue.begin_flush(deadline)
    }

    pub(super) fn wait_settled(&self, ticket: Ticket, deadline: Instant) -> bool {
        self.queue.wait_settled(ticket, deadline)
    }

    /// The sender hurries with what it has past the disk, which is held by the first half.
    pub(super) fn hurry(&self, deadline: Option<Instant>) {
        if self.queue.is_passing() {
            self.queue.begin_flush(deadline);
        }
    }

    /// Ends what began with this deadline.
    pub(super) fn end_flush(&self, deadline: Instant) {
        self.queue.end_flush(deadline);
    }

    /// The sender has until `deadline`.
    pub(super) fn close(&self, deadline: Instant) {
        self.queue.close(deadline);
        self.spool.wake();
    }

    /// Waits for the sender to end after [`close`](Self::close).
    pub(super) fn await_end(&self, name: &str, deadline: Instant) {
        threads::await_end(name, &self.queue, deadline);
    }

    /// What became of everything, where `memory` is what the first half says.
    ///
    /// Each record is in one place: `memory` is read last, so that it knows of each that the second half
    /// has settled; but that may be settled before the first half has counted that it is on disk.
    pub(super) fn report(&self, memory: impl FnOnce() -> QueueReport) -> QueueReport {
        let (figures, disk) = (self.spool.figures(), self.queue.report("", ""));
        let memory = memory();
        let kept = self.queue.kept();
        let inherited = kept.inherited + figures.dropped_inherited;
        let arrived = memory.delivered + inherited;
        let mut dropped = disk.dropped;
        dropped.add(DropReason::SpoolFull, figures.dropped_records as usize);
        dropped.add(DropReason::SpoolDamaged, figures.skipped_own as usize);
        let gone = disk.delivered + dropped.total();
        for (reason, n) in memory.dropped.iter() {
            dropped.add(reason, n as usize);
        }
        QueueReport {
            name: memory.name,
            signal: memory.signal,
            offered: memory.offered + inherited,
            inherited,
            held: memory.held.saturating_sub(gone.saturating_sub(arrived)),
            held_bytes: memory.held_bytes,
            max_items: memory.max_items,
            max_bytes: memory.max_bytes,
            spooled: arrived.saturating_sub(gone),
            dropped,
            retries: memory.retries + disk.retries,
            last_error: disk.last_error.or(memory.last_error),
            panics: memory.panics + disk.panics,
            spool: Some(report_of(&figures, &kept)),
            ..disk
        }
    }
}

fn report_of(figures: &SpoolFigures, kept: &Kept) -> SpoolReport {
    SpoolReport {
        bytes: figures.bytes,
        backlog_bytes: figures.uncounted_bytes,
        skipped_bytes: figures.skipped_bytes,
        segments_set_aside: figures.segments_set_aside,
        syncs: figures.syncs,
        sync_time: figures.sync_time,
        passed: kept.n_passed,
        failed_writes: kept.refusals,
        failed_reads: figures.failed_reads,
        failed_cursors: figures.failed_cursors,
    }
}
