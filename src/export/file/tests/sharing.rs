//! Several files open on one path, on threads that race. Processes that do so are in
//! `tests/file_sharing.rs`.

use std::sync::Barrier;

use super::*;

#[test]
fn threads_that_rotate_one_path_lose_and_double_nothing() {
    const N_THREADS: usize = 4;
    const N_BATCHES: usize = 150;
    let folder = Folder::new("racing");
    let together = Barrier::new(N_THREADS);
    let write = |thread: usize| {
        let builder = File::builder(folder.file()).rotate_bytes(5_000);
        #[cfg(feature = "gzip")]
        let builder = builder.gzip();
        let mut file = builder.open().unwrap();
        // Seconds pass between batches, so that files are compressed beside late writers.
        let clock = ManualClock::new();
        let _entered = clock::enter(Some(clock.clone()));
        together.wait();
        for n in 0..N_BATCHES {
            clock.advance(Duration::from_secs(1));
            let names: Vec<String> =
                (0..5).map(|at| format!("{thread}:{:04}", n * 5 + at)).collect();
            export(&mut file, &names.iter().map(String::as_str).collect::<Vec<_>>());
        }
        let compressor = file.appended.lock().compressor.clone();
        compressor.wait();
    };
    std::thread::scope(|scope| {
        let write = &write;
        (0..N_THREADS).for_each(|thread| drop(scope.spawn(move || write(thread))));
    });
    let all = all_names(&folder);
    for thread in 0..N_THREADS {
        let prefix = format!("{thread}:");
        let mut of = all.iter().filter(|name| name.starts_with(&prefix)).collect::<Vec<_>>();
        of.sort();
        let expected: Vec<_> = (0..N_BATCHES * 5).map(|n| format!("{thread}:{n:04}")).collect();
        assert!(of.into_iter().eq(&expected), "thread {thread}");
    }
    assert_eq!(all.len(), N_THREADS * N_BATCHES * 5);
    assert!(files(&folder.0).len() > 100);
}
