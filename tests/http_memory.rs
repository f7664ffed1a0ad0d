//! What a server answers takes no more memory than an answer may have.

#![expect(unsafe_code, reason = "a global allocator that counts")]

mod support;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use bellwether::{
    collect::{JsonPoll, Source, poll::JsonField},
    metric::Registry,
    transport::Endpoint,
};
use support::{Reply, Server};

/// Knows how many bytes are allocated, and how many were at most.
struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: hands each call on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Relaxed) + layout.size();
        MOST.fetch_max(now, Relaxed);
        // SAFETY: the caller keeps what `alloc` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the pointer is of `alloc` with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const LIMIT: usize = 4 << 20;

#[test]
fn an_answer_takes_at_most_what_it_may_have() {
    const GIB: u64 = 1 << 30;
    let bomb = Reply::gzip_bomb(16 << 20);
    for (reply, most) in [
        (Reply::ok().zeros(10 * GIB), LIMIT),
        (Reply::ok().announced_zeros(10 * GIB), 0),
        (bomb, 0),
        (Reply::garbage(), 0),
    ] {
        let server = Server::answering([Reply::ok().body("{}"), reply.clone()]);
        let endpoint = Endpoint::new(&server.url("/")).allow_plain_http().allow_private();
        let poll = JsonPoll::new("upstream", endpoint).limit(LIMIT);
        let source = Source::new("upstream", poll.field(JsonField::gauge("/x", "upstream.x")));
        let registered = source.register(&Registry::new()).unwrap();
        // The first request makes what lasts: the client, its threads.
        registered.refresh();
        server.next();
        let before = NOW.load(Relaxed);
        MOST.store(before, Relaxed);
        registered.refresh();
        server.next();
        let grown = MOST.load(Relaxed) - before;
        // The client's buffer of what it reads, and the server's own, are less than a MiB.
        assert!(grown < most + (1 << 20), "{reply:?}: {grown} bytes");
    }
}
