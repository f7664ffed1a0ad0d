//! A disk in memory that knows what is durable and what is not, loses power, and fails at will.
//!
//! What was written and not synced is a list of changes. A loss of power keeps any of them: of a write any
//! of its sectors of 512 bytes, in any order; of what was created, renamed and removed in a folder, any
//! part. A sync that fails forgets what it could not write, and the next one knows nothing of it.

use std::{
    any::Any,
    collections::{BTreeMap, BTreeSet},
    fmt, io,
    sync::Arc,
};

use super::{
    DiskFile, DiskFolder,
    changes::{Change, Contents, Entry, NameChange, Names},
};
use crate::sync::{Mutex, MutexGuard};

/// A disk. Clones are the same one.
#[derive(Clone)]
pub(in crate::pipeline) struct ModelDisk(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    files: BTreeMap<usize, Contents>,
    n_files: usize, // That there ever were.
    folders: Vec<Names>,
    locks: BTreeSet<usize>, // By folder.
    epoch: u64,             // Of the process; what an earlier one has open is dead.
    calls: u64,
    fault: Option<(u64, u64, Fault)>, // From this call on, how many, and what.
    dies_at: u64,                     // No call from this one on succeeds.
    written: u64,
    room: u64, // How much may ever be written.
    size: u64,
    random: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Fault {
    Eio,
    Enospc,
    Short,
    Eintr,
    Emfile,
}

impl Fault {
    pub(in super::super) const ALL: [Self; 5] =
        [Self::Eio, Self::Enospc, Self::Short, Self::Eintr, Self::Emfile];

    fn error(self) -> io::Error {
        let number = match self {
            Self::Eio | Self::Short => libc::EIO,
            Self::Enospc => libc::ENOSPC,
            Self::Eintr => libc::EINTR,
            Self::Emfile => libc::EMFILE,
        };
        io::Error::from_raw_os_error(number)
    }

    /// Whether a call of this kind can fail like that.
    fn concerns(self, call: Call) -> bool {
        match self {
            Self::Eio => true,
            Self::Enospc => matches!(call, Call::Create | Call::Write | Call::Sync),
            Self::Short => call == Call::Write,
            Self::Eintr => matches!(call, Call::Read | Call::Write | Call::Sync | Call::Open),
            Self::Emfile => matches!(call, Call::Create | Call::Open),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Call {
    Open,
    Create,
    Read,
    Write,
    Sync,
    Name,
}

impl ModelDisk {
    pub(in crate::pipeline) fn new(seed: u64) -> Self {
        let inner = Inner {
            folders: vec![Names::default()],
            dies_at: u64::MAX,
            room: u64::MAX,
            size: u64::MAX,
            random: seed | 1,
            ..Inner::default()
        };
        Self(Arc::new(Mutex::new(inner)))
    }

    /// The folder of a spool, for a process that begins now.
    pub(in crate::pipeline) fn root(&self) -> Arc<dyn DiskFolder> {
        let epoch = self.0.lock().epoch;
        Arc::new(ModelFolder { disk: self.clone(), folder: 0, epoch })
    }

    /// The process has ended. What it wrote is there.
    pub(in super::super) fn kill(&self) {
        let mut inner = self.0.lock();
        inner.epoch += 1;
        inner.locks.clear();
        inner.fault = None;
    }

    /// The power has gone, and come back.
    pub(in super::super) fn lose_power(&self) {
        // Sometimes nearly all of it is there, and sometimes nothing.
        let odds = [0, 3, 7, 8][(next(&mut self.0.lock().random) % 4) as usize];
        self.lose(odds);
    }

    /// The power has gone, and nothing is there but what is durable.
    #[cfg(bellwether_loom)]
    pub(in crate::pipeline) fn lose_all(&self) {
        self.lose(0);
    }

    /// Of eight changes that are not durable, so many are kept.
    fn lose(&self, odds: u64) {
        self.kill();
        let mut inner = self.0.lock();
        let inner = &mut *inner;
        inner.dies_at = u64::MAX;
        let random = &mut inner.random;
        let mut keeps = || next(random) % 8 < odds;
        for file in inner.files.values_mut() {
            let mut bytes = std::mem::take(&mut file.durable);
            for change in std::mem::take(&mut file.pending) {
                change.apply_torn(&mut bytes, &mut keeps);
            }
            // The length may be durable, and what is there not.
            if keeps() {
                bytes.resize(bytes.len().max(file.now.len()), 0);
            }
            (file.now, file.durable) = (bytes.clone(), bytes);
        }
        for folder in &mut inner.folders {
            let mut names = std::mem::take(&mut folder.durable);
            for change in std::mem::take(&mut folder.pending) {
                if keeps() {
                    change.apply(&mut names);
                }
            }
            (folder.now, folder.durable) = (names.clone(), names);
        }
    }

    /// `count` calls fail, the first one after `after` more that can.
    pub(in super::super) fn fail(&self, fault: Fault, after: u64, count: u64) {
        self.0.lock().fault = Some((after, count, fault));
    }

    /// Whether a fault is still to come.
    pub(in super::super) fn is_faulty(&self) -> bool {
        self.0.lock().fault.is_some()
    }

    /// The power goes after so many more calls.
    pub(in super::super) fn die(&self, after: u64) {
        let mut inner = self.0.lock();
        inner.dies_at = inner.calls + after;
    }

    pub(in super::super) fn is_dead(&self) -> bool {
        let inner = self.0.lock();
        inner.calls >= inner.dies_at
    }

    pub(in super::super) fn calls(&self) -> u64 {
        self.0.lock().calls
    }

    /// So much may be written from now on.
    pub(in super::super) fn set_room(&self, room: u64) {
        let mut inner = self.0.lock();
        inner.room = inner.written.saturating_add(room);
    }

    /// How large the disk is, with all that is on it.
    pub(in super::super) fn set_size(&self, size: u64) {
        self.0.lock().size = size;
    }

    /// The names of the files and folders in a folder, `""` or that of a sub-folder.
    pub(in super::super) fn names(&self, folder: &str) -> Vec<String> {
        let inner = self.0.lock();
        inner.folder(folder).now.keys().cloned().collect()
    }

    /// Changes what is in a file of the root, durably.
    pub(in super::super) fn change(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut inner = self.0.lock();
        let Some(&Entry::File(file)) = inner.folders[0].now.get(name) else {
            panic!("no file {name}");
        };
        let file = inner.file(file);
        change(&mut file.now);
        file.durable = file.now.clone();
        file.pending.clear();
    }

    pub(in super::super) fn read(&self, name: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.change(name, |now| bytes.clone_from(now));
        bytes
    }

    /// Puts a file into the root, durably.
    pub(in super::super) fn put(&self, name: &str, bytes: &[u8]) {
        let mut inner = self.0.lock();
        let (now, durable) = (bytes.to_vec(), bytes.to_vec());
        let entry = Entry::File(inner.add(Contents { now, durable, ..Contents::default() }));
        inner.folders[0].now.insert(name.to_owned(), entry);
        inner.folders[0].durable.insert(name.to_owned(), entry);
    }
}

impl Inner {
    fn folder(&self, name: &str) -> &Names {
        match self.folders[0].now.get(name) {
            Some(&Entry::Folder(folder)) => &self.folders[folder],
            _ => &self.folders[0],
        }
    }

    fn file(&mut self, file: usize) -> &mut Contents {
        self.files.entry(file).or_default()
    }

    fn add(&mut self, contents: Contents) -> usize {
        self.n_files += 1;
        self.files.insert(self.n_files, contents);
        self.n_files
    }

    /// Forgets the files that were removed from a folder, unless they are open.
    fn forget_removed(&mut self, folder: usize) {
        let names = &self.folders[folder];
        for change in &names.pending {
            let NameChange::Take(name) = change else { continue };
            let Some(&Entry::File(file)) = names.durable.get(name) else { continue };
            let is_open = self.files.get(&file).is_some_and(|contents| contents.n_open > 0);
            if !is_open && !names.now.contains_key(name) {
                self.files.remove(&file);
            }
        }
    }

    /// Counts a call, which may fail.
    fn call(&mut self, call: Call, epoch: u64) -> Result<(), Fault> {
        self.calls += 1;
        if epoch != self.epoch || self.calls > self.dies_at {
            return Err(Fault::Eio);
        }
        let Some((after, count, fault)) = &mut self.fault else {
            return Ok(());
        };
        if !fault.concerns(call) {
            return Ok(());
        }
        if *after > 0 {
            *after -= 1;
            return Ok(());
        }
        let fault = *fault;
        *count -= 1;
        if *count == 0 {
            self.fault = None;
        }
        Err(fault)
    }
}

#[derive(Clone)]
struct ModelFolder {
    disk: ModelDisk,
    folder: usize,
    epoch: u64,
}

impl ModelFolder {
    fn call(&self, call: Call) -> io::Result<MutexGuard<'_, Inner>> {
        let mut inner = self.disk.0.lock();
        inner.call(call, self.epoch).map_err(Fault::error)?;
        Ok(inner)
    }

    fn of(&self, inner: &Inner, name: &str) -> io::Result<Entry> {
        let entry = inner.folders[self.folder].now.get(name).copied();
        entry.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn open_file(&self, inner: &mut Inner, file: usize) -> Box<dyn DiskFile> {
        inner.file(file).n_open += 1;
        Box::new(ModelFile { disk: self.disk.clone(), file, epoch: self.epoch })
    }
}

impl fmt::Debug for ModelFolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ModelFolder({})", self.folder)
    }
}

impl DiskFolder for ModelFolder {
    fn names(&self, each: &mut dyn FnMut(&str)) -> io::Result<()> {
        let inner = self.call(Call::Open)?;
        inner.folders[self.folder].now.keys().for_each(|name| each(name));
        Ok(())
    }

    fn length(&self, name: &str) -> io::Result<u64> {
        let mut inner = self.call(Call::Name)?;
        match self.of(&inner, name)? {
            Entry::File(file) => Ok(inner.file(file).now.len() as u64),
            Entry::Folder(_) => Ok(0),
        }
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let mut inner = self.call(Call::Create)?;
        if self.of(&inner, name).is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let file = inner.add(Contents::default());
        inner.folders[self.folder].change(NameChange::Put(name.to_owned(), Entry::File(file)));
        Ok(self.open_file(&mut inner, file))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let mut inner = self.call(Call::Open)?;
        match self.of(&inner, name)? {
            Entry::File(file) => Ok(self.open_file(&mut inner, file)),
            Entry::Folder(_) => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    fn sub_folder(&self, name: &str, creates: bool) -> io::Result<Arc<dyn DiskFolder>> {
        let mut inner = self.call(if creates { Call::Create } else { Call::Open })?;
        let folder = match self.of(&inner, name) {
            Ok(Entry::Folder(folder)) => folder,
            Ok(Entry::File(_)) => return Err(io::ErrorKind::InvalidData.into()),
            Err(_) if creates => {
                inner.folders.push(Names::default());
                let entry = Entry::Folder(inner.folders.len() - 1);
                inner.folders[self.folder].now.insert(name.to_owned(), entry);
                inner.folders[self.folder].durable.insert(name.to_owned(), entry);
                inner.folders.len() - 1
            }
            Err(error) => return Err(error),
        };
        Ok(Arc::new(Self { folder, ..self.clone() }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut inner = self.call(Call::Name)?;
        self.of(&inner, from)?;
        let change = NameChange::Rename(from.to_owned(), to.to_owned());
        inner.folders[self.folder].change(change);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut inner = self.call(Call::Name)?;
        self.of(&inner, name)?;
        inner.folders[self.folder].change(NameChange::Take(name.to_owned()));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut inner = self.call(Call::Sync)?;
        inner.forget_removed(self.folder);
        let folder = &mut inner.folders[self.folder];
        folder.durable = folder.now.clone();
        folder.pending.clear();
        Ok(())
    }

    fn lock(&self, _: &str) -> io::Result<Option<Box<dyn Any + Send + Sync>>> {
        let mut inner = self.call(Call::Open)?;
        let is_free = inner.locks.insert(self.folder);
        Ok(is_free.then(|| Box::new(ModelLock(self.clone())) as _))
    }

    fn room(&self) -> io::Result<(u64, u64)> {
        let inner = self.call(Call::Name)?;
        Ok((inner.room - inner.written.min(inner.room), inner.size))
    }
}

struct ModelLock(ModelFolder);

impl Drop for ModelLock {
    fn drop(&mut self) {
        let mut inner = self.0.disk.0.lock();
        if inner.epoch == self.0.epoch {
            inner.locks.remove(&self.0.folder);
        }
    }
}

struct ModelFile {
    disk: ModelDisk,
    file: usize,
    epoch: u64,
}

impl fmt::Debug for ModelFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ModelFile({})", self.file)
    }
}

impl Drop for ModelFile {
    fn drop(&mut self) {
        self.disk.0.lock().file(self.file).n_open -= 1;
    }
}

impl DiskFile for ModelFile {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut inner = self.disk.0.lock();
        inner.call(Call::Read, self.epoch).map_err(Fault::error)?;
        let now = &inner.file(self.file).now;
        let rest = now.get(offset as usize..).unwrap_or_default();
        let n = rest.len().min(bytes.len());
        bytes[..n].copy_from_slice(&rest[..n]);
        Ok(n)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let mut inner = self.disk.0.lock();
        let called = inner.call(Call::Write, self.epoch);
        let left =
            usize::try_from(inner.room - inner.written.min(inner.room)).unwrap_or(usize::MAX);
        let n = match called {
            Ok(()) => bytes.len().min(left),
            // A part of it may be written all the same.
            Err(_) if inner.epoch == self.epoch => (bytes.len() / 2).min(left),
            Err(fault) => return Err(fault.error()),
        };
        let change = Change::Write(offset as usize, bytes[..n].to_vec());
        inner.written += n as u64;
        let file = inner.file(self.file);
        change.apply(&mut file.now);
        file.pending.push(change);
        match called {
            Ok(()) | Err(Fault::Short) if n > 0 => Ok(n),
            Ok(()) | Err(Fault::Short) => Err(Fault::Enospc.error()),
            Err(fault) => Err(fault.error()),
        }
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        let mut inner = self.disk.0.lock();
        inner.call(Call::Name, self.epoch).map_err(Fault::error)?;
        let change = Change::Cut(length as usize);
        let file = inner.file(self.file);
        change.apply(&mut file.now);
        file.pending.push(change);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut inner = self.disk.0.lock();
        let called = inner.call(Call::Sync, self.epoch);
        if inner.epoch != self.epoch || inner.calls > inner.dies_at {
            return Err(Fault::Eio.error());
        }
        let inner = &mut *inner;
        let (random, file) = (&mut inner.random, inner.files.entry(self.file).or_default());
        let mut durable = std::mem::take(&mut file.durable);
        for change in std::mem::take(&mut file.pending) {
            match called {
                Ok(()) => change.apply(&mut durable),
                Err(_) => change.apply_torn(&mut durable, || next(random).is_multiple_of(2)),
            }
        }
        file.durable = durable;
        called.map_err(Fault::error)
    }
}

/// The next number of a xorshift generator.
fn next(random: &mut u64) -> u64 {
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    *random
}
