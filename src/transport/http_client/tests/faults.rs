//! Servers that are late, silent, endless or wrong: each attempt ends in time, and reads no more than it may.

use std::{net::TcpListener, thread, time::Instant};

use super::*;
use crate::clock;

/// The time limit of a request here. A tenth of it has to be more than a loaded machine makes a thread wait.
const LIMIT: Duration = Duration::from_secs(2);

/// What an attempt came to, and when.
struct Ended {
    result: Result<HttpAnswer, HttpFailure>,
    after: Duration,
    n_written: u64,
}

impl Ended {
    fn status(&self) -> u16 {
        self.result.as_ref().unwrap().status.as_u16()
    }

    fn body(&self) -> &[u8] {
        &self.result.as_ref().unwrap().body
    }

    /// The message of a failure that may pass.
    fn failure(&self) -> &str {
        let failure = self.result.as_ref().unwrap_err();
        assert!(failure.may_pass, "{failure:?}");
        &failure.message
    }
}

fn attempt(reply: Reply) -> Ended {
    let server = Server::answering([reply]);
    let mut client = HttpClient::new(endpoint(&server.url("/")).timeout(LIMIT));
    let begun: Instant = clock::real_instant();
    let result = post(&mut client, "telemetry");
    Ended { result, after: begun.elapsed(), n_written: server.n_written() }
}

#[test]
fn an_attempt_ends_at_its_time_limit_whatever_the_server_does() {
    let second = Duration::from_secs(1);
    let late = Reply::ok().after(30 * second);
    let trickle = Reply::ok().body([b'x'; 100]).trickle(second);
    let refused = Reply::status(400).body([b'x'; 100]).trickle(second / 10);
    let hanging = [Reply::silence(), late, trickle, refused].map(|reply| {
        thread::spawn(move || {
            let name = format!("{reply:?}");
            (attempt(reply), name)
        })
    });
    for attempt in hanging {
        let (ended, name) = attempt.join().unwrap();
        match &ended.result {
            // What it said before it got slow is an answer.
            Ok(answer) => assert_eq!(answer.status, 400, "{name}"),
            Err(_) => assert!(ended.failure().ends_with("timed out"), "{name}"),
        }
        assert!(
            ended.after >= LIMIT && ended.after <= LIMIT * 11 / 10,
            "{name}: {:?}",
            ended.after
        );
    }
}

#[test]
fn connecting_has_a_limit_of_its_own() {
    // The system accepts the connection, and nobody answers the handshake.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let limit = Duration::from_secs(1);
    let endpoint = endpoint(&format!("https://{}", listener.local_addr().unwrap()));
    let begun = clock::real_instant();
    let failure = post(&mut HttpClient::new(endpoint.connect_timeout(limit)), "").unwrap_err();
    assert!(failure.may_pass, "{failure:?}");
    assert!(begun.elapsed() >= limit && begun.elapsed() < PATIENCE / 4, "{:?}", begun.elapsed());
}

#[test]
fn a_late_answer_is_an_answer() {
    assert_eq!(attempt(Reply::ok().after(Duration::from_millis(100))).status(), 200);
}

#[test]
fn a_connection_that_ends_too_early_is_a_failure_that_may_pass() {
    let whole = || Reply::ok().body("accepted");
    for reply in [Reply::close(), whole().cut_at(9), whole().cut_at(45), whole().misannounced(3)] {
        let ended = attempt(reply.clone());
        assert!(ended.result.is_err(), "{reply:?}: {:?}", ended.result);
        assert!(ended.failure().contains("the request failed"), "{reply:?}");
    }
}

#[test]
fn what_is_no_http_is_a_failure_that_may_pass() {
    for reply in [Reply::garbage(), Reply::raw("HTTP/1.1 999999 ?\r\n\r\n"), Reply::raw("\r\n\r\n")]
    {
        assert!(attempt(reply.clone()).result.is_err(), "{reply:?}");
    }
}

#[test]
fn bytes_behind_an_answer_are_no_answer_to_the_next_request() {
    let server = Server::answering([Reply::ok().body("accepted").misannounced(-3), Reply::ok()]);
    let mut client = HttpClient::new(endpoint(&server.url("/")));
    assert_eq!(post(&mut client, "one").unwrap().body, b"accep");
    assert_eq!(post(&mut client, "two").unwrap().body, b"");
    assert_eq!(server.n_connections(), 2);
}

#[test]
fn an_answer_of_http_1_0_is_read_to_the_end_of_the_connection() {
    assert_eq!(attempt(Reply::ok().body("accepted").http_1_0()).body(), b"accepted");
}

#[test]
fn an_endless_answer_is_read_to_its_limit_alone() {
    const GIB: u64 = 1 << 30;
    for reply in [Reply::ok().zeros(10 * GIB), Reply::ok().announced_zeros(10 * GIB)] {
        let ended = attempt(reply);
        assert!(ended.failure().contains("has more than 4194304 bytes"), "{}", ended.failure());
        // What is on its way in the buffers of the system counts as written.
        assert!(ended.n_written < 16 << 20, "{}", ended.n_written);
    }
    // The status of an error stands before its body.
    assert_eq!(attempt(Reply::status(503).zeros(10 * GIB)).status(), 503);
    assert_eq!(attempt(Reply::status(400).body("no").cut_at(50)).status(), 400);
    let most = vec![b'x'; MOST_ANSWER];
    assert_eq!(attempt(Reply::ok().body(most.clone())).body(), most);
}

#[test]
fn no_encoding_is_asked_for_and_none_is_undone() {
    let server = Server::answering([Reply::gzip_bomb(16 << 20)]);
    let answer = post(&mut HttpClient::new(endpoint(&server.url("/"))), "").unwrap();
    assert!(answer.body.len() < 1 << 20, "{}", answer.body.len());
    assert_eq!(answer.body[..2], [0x1f, 0x8b]);
    assert_eq!(server.next().header("accept-encoding"), None);
}

#[test]
fn a_name_without_an_address_is_a_failure_that_may_pass_in_the_time_of_connecting() {
    let limit = Duration::from_secs(1);
    let endpoint = endpoint("http://collector.invalid/").connect_timeout(limit);
    let mut client = HttpClient::new(endpoint);
    let begun: Instant = clock::real_instant();
    let failure = post(&mut client, "telemetry").unwrap_err();
    assert!(failure.may_pass, "{failure:?}");
    assert!(failure.to_string().starts_with("http://collector.invalid: "), "{failure}");
    assert!(begun.elapsed() <= limit * 11 / 10, "{:?}", begun.elapsed());
}
