//! Compresses rotated files on a thread of its own, which lives while there is something to do: the
//! worker that writes lines does not wait for it.

use std::{io, mem, path::PathBuf, sync::Arc};

use super::gzip;
use crate::{
    context::mute,
    diagnostics,
    sync::Mutex,
    util::{catch::catch, process},
};

#[derive(Clone, Debug, Default)]
pub(super) struct Compressor {
    /// Held for a few instructions. No lock is taken inside it.
    work: Arc<Mutex<Work>>,
}

#[derive(Debug, Default)]
struct Work {
    waiting: Vec<PathBuf>,
    /// The process whose thread is at work: a forked child does not have it.
    at_work_in: Option<u32>,
    has_failed: bool,
}

impl Compressor {
    /// Has the files `plain` compressed, in place of those that still wait.
    pub(super) fn compress(&self, plain: Vec<PathBuf>) -> io::Result<()> {
        let generation = Some(process::generation());
        let mut work = self.work.lock();
        work.waiting = plain;
        if work.waiting.is_empty() || work.at_work_in == generation {
            return Ok(());
        }
        let (compressor, thread) = (self.clone(), std::thread::Builder::new());
        let spawned = thread.name("bellwether-gzip".to_owned()).spawn(move || compressor.run());
        work.at_work_in = if spawned.is_ok() { generation } else { None };
        spawned.map(drop)
    }

    fn run(&self) {
        let _muted = mute();
        while let Some(plain) = self.next() {
            // A panic is none that we know of; the plain file stays.
            let compressed =
                catch(|| gzip::compress(&plain)).unwrap_or_else(|text| Err(io::Error::other(text)));
            let failed = compressed.is_err();
            let had_failed = mem::replace(&mut self.work.lock().has_failed, failed);
            if let Err(error) = compressed
                && !had_failed
            {
                let text = format_args!("cannot compress {plain:?}: {error}; it stays as it is");
                diagnostics::report("file", text);
            }
        }
    }

    /// The oldest file that waits; without one, the thread ends.
    fn next(&self) -> Option<PathBuf> {
        let mut work = self.work.lock();
        if work.waiting.is_empty() {
            work.at_work_in = None;
            return None;
        }
        Some(work.waiting.remove(0))
    }

    /// Waits until nothing is left to do.
    #[cfg(test)]
    pub(super) fn wait(&self) {
        while self.work.lock().at_work_in.is_some() {
            std::thread::yield_now();
        }
    }
}
