//! Several files open on one path, on threads that race. Processes that do so are in
//! `tests/file_sharing.rs`.

use std::sync::Barrier;

use super::*;

#[test]
fn threads_that_rotate_and_compress_one_path_lose_and_double_nothing() {
    const N_THREADS: usize = 4;
    const N_ROUNDS: usize = 4;
    const N_BATCHES: usize = 40; // Of each thread and round.
    let folder = Folder::new("racing");
    let together = Barrier::new(N_THREADS);
    let write = |thread: usize| {
        let builder = File::builder(folder.file()).rotate_bytes(5_000);
        #[cfg(feature = "gzip")]
        let builder = builder.gzip();
        let mut file = builder.open().unwrap();
        let clock = ManualClock::new();
        let _entered = clock::enter(Some(clock.clone()));
        let mut n_lines = 0;
        for _ in 0..N_ROUNDS {
            // Nobody writes now; what was rotated so far is compressed by all of them from here on.
            together.wait();
            clock.advance(Duration::from_secs(10));
            for _ in 0..N_BATCHES {
                let names: Vec<String> =
                    (n_lines..n_lines + 5).map(|n| format!("{thread}:{n:04}")).collect();
                n_lines += 5;
                export(&mut file, &names.iter().map(String::as_str).collect::<Vec<_>>());
            }
        }
        let compressor = file.appended.lock().compressor.clone();
        compressor.wait();
    };
    std::thread::scope(|scope| {
        let write = &write;
        (0..N_THREADS).for_each(|thread| drop(scope.spawn(move || write(thread))));
    });
    let mut all: Vec<String> = all_names(&folder);
    all.sort();
    let of = |thread| (0..N_ROUNDS * N_BATCHES * 5).map(move |n| format!("{thread}:{n:04}"));
    assert!(all.into_iter().eq((0..N_THREADS).flat_map(of)));
    let there = files(&folder.0);
    assert!(there.len() > 100, "{}", there.len());
    let n_compressed = there.iter().filter(|name| name.ends_with(".gz")).count();
    assert_eq!(n_compressed > 50, cfg!(feature = "gzip"), "{n_compressed}");
    assert!(!there.iter().any(|name| name.ends_with(".tmp")), "{there:?}");
}
