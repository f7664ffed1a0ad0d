//! What a server says, and what follows.

use super::*;
use crate::transport::http_client::tests::matrix;

/// A payload of three series, and the ends that send it.
fn three(server: Receiver, change: fn(RemoteWrite) -> RemoteWrite) -> (Ends, Payload) {
    let mut ends = Ends::with(server, |one| change(one.without_target_info()));
    let all = (1..=3).map(|n| series(&[("n", &n.to_string())], SeriesValue::Counter(n)));
    let families = vec![family("hits", Kind::Counter, Unit::NONE, "", all.collect())];
    let payload = ends.encoded(1, families);
    (ends, payload)
}

/// What becomes of three series at a server with these answers, and how often it was asked.
fn delivered(answers: Vec<String>, change: fn(RemoteWrite) -> RemoteWrite) -> (QueueReport, usize) {
    let server = Receiver::answering(answers);
    delivered_to(&server, change)
}

fn delivered_to(server: &Receiver, change: fn(RemoteWrite) -> RemoteWrite) -> (QueueReport, usize) {
    let route = Route::from(change(RemoteWrite::new(server.endpoint("/")))).settings(|settings| {
        settings.batch_delay = Duration::ZERO;
        let millisecond = Duration::from_millis(1);
        settings.retry = Retry { initial: millisecond, max: millisecond, ..Retry::default() };
    });
    let pipe = Pipe::start(route, &Setup::new(shop())).unwrap();
    let registry = crate::metric::Registry::new();
    let hits = registry.counter("hits", "").keys(&["n"]).build().unwrap();
    for n in ["1", "2", "3"] {
        hits.with_labels(&[("n", n)]).inc();
    }
    pipe.push(registry.snapshot().data_points(Temporality::Cumulative));
    assert!(pipe.flush(LONG));
    let n_requests = server.rest().len();
    (pipe.shutdown(LONG), n_requests)
}

fn v1(one: RemoteWrite) -> RemoteWrite {
    one.version(RemoteWriteVersion::V1)
}

#[test]
fn any_success_is_a_delivery() {
    // [handle_200_ok, handle_204_no_content, ignore_response_body_on_success, handle_empty_response,
    //  handle_malformed_response]
    for status in [200, 202, 204] {
        let body = if status == 204 { "" } else { "{\"error\": [\"garbage" };
        let (report, n) = delivered(vec![answer(status, "", body)], v1);
        assert_eq!((report.delivered, n), (3, 1), "{status}");
        let large = answer(200, "", &"x".repeat(1 << 20));
        assert_eq!(delivered(vec![large], v1).0.delivered, 3);
        let (report, n) = delivered(vec![written(status, 4)], |one| one);
        assert_eq!((report.delivered, n), (3, 1), "{status}");
    }
}

#[test]
fn what_may_pass_is_tried_again() {
    // [retry_on_500, retry_on_502, retry_on_503, retry_on_504, may_retry_on_429,
    //  sender_continues_after_errors, handle_invalid_status_code]
    for status in [429, 500, 502, 503, 504, 599] {
        let answers = vec![answer(status, "", "later"), answer(status, "", ""), written(204, 9)];
        let (report, n) = delivered(answers, |one| one);
        assert_eq!((report.delivered, report.retries, n), (3, 2, 3), "{status}");
    }
}

#[test]
fn each_status_is_a_delivery_a_retry_a_cut_or_a_refusal_whatever_the_server_asks_for() {
    let (ends, payload) = three(taking(), |one| one);
    let is_listed = |status| status == 429 || status >= 500;
    for version in [RemoteWriteVersion::V1, RemoteWriteVersion::V2] {
        let post = Post::new(HttpClient::new(ends.server.endpoint("/")), Some(version));
        // A success says how much was written in 2.0.
        matrix::check(is_listed, |answer| match version {
            RemoteWriteVersion::V2 if answer.is_success() => Ok(()),
            _ => post.judge(&payload, answer),
        });
    }
}

#[test]
fn a_connection_that_is_closed_or_refused_or_talks_nonsense_is_tried_again() {
    // [handle_connection_refused, handle_malformed_response, handle_timeout]
    for broken in ["", "HTTP/9.9 nonsense\r\n\r\n", "\u{0}\u{1}garbage\r\n\r\n"] {
        let (report, n) = delivered(vec![broken.to_owned(), written(200, 9)], |one| one);
        assert_eq!((report.delivered, n), (3, 2), "{broken:?}");
    }
    let (mut ends, payload) = three(taking(), |one| one);
    let nobody = Endpoint::new("http://127.0.0.1:1/").allow_plain_http().allow_private();
    ends.post = Post::new(HttpClient::new(nobody), None);
    assert!(ends.send(&payload).unwrap_err().is_retry());
}

#[test]
fn a_server_that_hangs_costs_the_time_of_the_attempt() {
    // [handle_timeout]
    let server = taking();
    server.answer([None, Some(written(200, 9).into_bytes())]);
    let (mut ends, payload) = three(server, |one| one);
    let limited = ends.server.endpoint("/").timeout(Duration::from_millis(50));
    ends.post = Post::new(HttpClient::new(limited), None);
    let error = ends.send(&payload).unwrap_err();
    assert!(error.is_retry() && error.to_string().ends_with("timed out"), "{error}");
    let patient = ends.server.endpoint("/");
    ends.post = Post::new(HttpClient::new(patient), None);
    ends.send(&payload).unwrap();
}

#[test]
fn what_the_server_asks_for_is_the_pause() {
    // [backoff_required, exponential_backoff_on_retries, backoff_max_delay, backoff_with_jitter]
    let (mut ends, payload) =
        three(Receiver::answering([answer(503, "retry-after: 7\r\n", "")]), |one| one);
    let error = ends.send(&payload).unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
    // Without it, the pauses are those of `Retry`, drawn from a range that doubles up to a bound.
    let (mut ends, payload) = three(Receiver::of_status(503), |one| one);
    let error = ends.send(&payload).unwrap_err();
    assert_eq!((error.retry_after(), error.is_retry()), (None, true));
    let Retry { initial, max, .. } = Retry::default();
    assert_eq!((initial, max), (Duration::from_secs(1), Duration::from_secs(5)));
}

#[test]
fn a_refusal_is_not_tried_again_and_its_reason_is_the_error() {
    // [no_retry_on_400, no_retry_on_401, no_retry_on_404, log_error_messages_verbatim]
    for status in [301, 307, 400, 401, 403, 404, 409, 415, 422] {
        let reason = "out of order sample: \"hits_total\" {n=1}";
        let (report, n) = delivered(vec![answer(status, "", reason)], v1);
        assert_eq!((report.dropped.get(DropReason::Rejected), n), (3, 1), "{status}");
        let error = report.last_error.unwrap();
        assert!(
            error.contains(&format!("answered {status}")) && error.ends_with(reason),
            "{error}"
        );
    }
}

#[test]
fn what_is_too_large_is_cut_and_not_tried_again_as_it_is() {
    // [no_retry_on_413]
    let (mut ends, payload) = three(Receiver::of_status(413), |one| one);
    let error = ends.send(&payload).unwrap_err();
    assert!(!error.is_retry() && format!("{error:?}").contains("Cut"), "{error:?}");
}

#[test]
fn a_large_reason_is_cut_and_half_of_one_is_enough() {
    // [handle_large_error_body, handle_large_error_response]
    let body = "x".repeat(5 << 20);
    for (status, is_retry) in [(400, false), (500, true)] {
        let (mut ends, payload) =
            three(Receiver::answering([answer(status, "", &body)]), |one| one);
        let error = ends.send(&payload).unwrap_err();
        assert_eq!(error.is_retry(), is_retry);
        // What is announced to be so long is not read.
        assert!(error.to_string().contains(&format!("answered {status}")), "{error}");
        // The connection is closed before the end of the body.
        let half =
            format!("HTTP/1.1 {status} X\r\ncontent-length: 99\r\nconnection: close\r\n\r\nhalf");
        let server = taking();
        server.answer([Some(half.into_bytes()), Some(Vec::new())]);
        let (mut ends, payload) = three(server, |one| one);
        let error = ends.send(&payload).unwrap_err();
        assert_eq!(error.is_retry(), is_retry, "{error}");
    }
}

#[test]
fn what_was_not_written_counts_as_rejected_and_the_rest_as_delivered() {
    // [handle_partial_write, handle_partial_write_response, process_written_count_headers]
    for (status, n_written, n_delivered) in
        [(400, 2, 2), (400, 0, 0), (200, 2, 2), (200, 0, 0), (204, 3, 3), (422, 1, 1)]
    {
        let answers = vec![written(status, n_written)];
        let change = |one: RemoteWrite| one.without_target_info();
        let (report, n) = delivered(answers, change);
        let n_rejected = report.dropped.get(DropReason::Rejected);
        assert_eq!(
            (report.delivered, n_rejected, n),
            (n_delivered, 3 - n_delivered, 1),
            "{status}"
        );
        if (1..3).contains(&n_written) {
            let error = report.last_error.unwrap();
            assert!(error.ends_with(&format!("{n_written} of 3 samples were written")), "{error}");
        }
    }
}

#[test]
fn a_server_that_does_not_know_the_second_version_gets_the_first_from_then_on() {
    // [fallback_on_415_unsupported_media_type, retry_with_different_version, fallback_header_changes,
    //  accept_success_after_fallback, persistent_fallback_choice, handle_missing_written_headers]
    for first in [answer(415, "", "unknown"), answer(204, "", ""), answer(200, "", "ok")] {
        let server = Receiver::answering([first, answer(204, "", "")]);
        let (mut ends, payload) = three(server, |one| one);
        ends.send(&payload).unwrap();
        ends.send(&payload).unwrap();
        let requests = ends.server.rest();
        let versions: Vec<_> = (requests.iter())
            .map(|one| one.header("x-prometheus-remote-write-version").unwrap())
            .collect();
        assert_eq!(versions, ["2.0.0", "0.1.0", "0.1.0"]);
        assert_eq!(requests[2].header("content-type"), Some("application/x-protobuf"));
        let all: Vec<All> = requests.iter().map(decoded).collect();
        assert!(all.iter().all(|one| keys(one) == keys(&all[0]) && one.len() == 3));
    }
}

#[test]
fn a_version_that_was_chosen_is_kept() {
    let second = |one: RemoteWrite| one.version(RemoteWriteVersion::V2);
    for answer in [answer(415, "", ""), answer(200, "", "")] {
        let (mut ends, payload) = three(Receiver::answering([answer]), second);
        let error = ends.send(&payload).unwrap_err();
        assert!(!error.is_retry() && error.as_unsent().is_none(), "{error:?}");
        assert_eq!(ends.server.rest().len(), 1);
    }
}
