//! The journal where the system lets nobody make a file in memory, as some sandboxes do: an entry that fits into no
//! datagram is refused, and the others arrive.
#![cfg(all(feature = "journal", target_os = "linux", target_arch = "x86_64"))]
#![allow(unsafe_code, reason = "a filter of system calls is set by libc")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::{os::unix::net::UnixDatagram, thread, time::Duration};

use bellwether::{
    export::journal::Journal,
    log::{LogRecord, LogSeverity},
    pipeline::{DropReason, Pipe, Setup},
};

const PATIENCE: Duration = Duration::from_secs(20);

/// Lets `memfd_create` fail from now on in this thread and in those that it starts.
fn forbid_files_in_memory() {
    let step = |code: u32, jump_true: u8, jump_false: u8, k: u32| libc::sock_filter {
        code: code as u16,
        jt: jump_true,
        jf: jump_false,
        k,
    };
    let forbidden = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;
    let mut program = [
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0), // The number of the call.
        step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, libc::SYS_memfd_create as u32),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, forbidden),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let filter = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    // SAFETY: it is asked for by numbers alone.
    assert_eq!(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }, 0);
    let filter = &raw const filter;
    // SAFETY: the program outlives the call, which copies it, and changes no memory of the process.
    let set = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, filter) };
    assert_eq!(set, 0);
}

#[test]
fn an_entry_too_large_for_a_datagram_is_refused_and_the_others_arrive() {
    forbid_files_in_memory();
    let path = std::env::temp_dir().join(format!("bellwether-no-files-{}", std::process::id()));
    let journald = UnixDatagram::bind(&path).unwrap();
    let received = thread::spawn(move || {
        let mut room = vec![0; 1 << 20];
        let mut entry = || {
            let n = journald.recv(&mut room).unwrap();
            String::from_utf8_lossy(&room[..n]).into_owned()
        };
        [entry(), entry()]
    });
    let pipe = Pipe::start(Journal::new().socket(&path).into(), &Setup::default()).unwrap();
    let record = |body: String| LogRecord::new(LogSeverity::INFO, body);
    let large = "x".repeat(4 << 20);
    pipe.push(vec![record("before".to_owned()), record(large), record("after".to_owned())]);
    assert!(pipe.flush(PATIENCE), "{}", pipe.report());
    let report = pipe.shutdown(PATIENCE);
    let refused = report.dropped.get(DropReason::Rejected);
    assert_eq!((report.offered, report.delivered, refused), (3, 2, 1), "{report}");
    assert!(report.last_error.unwrap().contains("no file may be passed"));
    let [before, after] = received.join().unwrap();
    assert!(before.contains("MESSAGE=before") && after.contains("MESSAGE=after"));
    std::fs::remove_file(&path).unwrap();
}
