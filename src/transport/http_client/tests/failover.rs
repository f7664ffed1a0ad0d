//! Several endpoints: which one is asked when.

use super::{support::nobody, *};

/// The paths of the requests of a server that have come.
fn n_asked(server: &Server) -> usize {
    std::iter::from_fn(|| server.try_next()).count()
}

#[test]
fn the_next_one_is_asked_where_one_cannot_be_reached_or_is_away() {
    let second = Server::answering([Reply::ok().body("second")]);
    let away = [502, 503, 504].map(|status| Server::answering([Reply::status(status)]));
    let mut firsts: Vec<String> = away.iter().map(|server| server.url("/")).collect();
    firsts.push(format!("http://{}/", nobody()));
    firsts.push("https://127.0.0.1:1/".to_owned());
    firsts.push("http://name.invalid/".to_owned());
    for first in firsts {
        let both = endpoint(&first).or(endpoint(&second.url("/")).header("x-own", "option"));
        let mut client = HttpClient::new(both);
        assert_eq!(post(&mut client, "telemetry").unwrap().body, b"second", "{first}");
        assert_eq!(client.to_string(), second.url(""));
        let request = second.next();
        assert_eq!((request.text(), request.header("x-own")), ("telemetry", Some("option")));
    }
}

#[test]
fn what_an_endpoint_decides_stands() {
    let second = Server::answering([Reply::ok()]);
    for status in [200, 204, 302, 400, 401, 404, 413, 429, 500, 501, 505] {
        let first = Server::answering([Reply::status(status)]);
        let both = endpoint(&first.url("/")).or(endpoint(&second.url("/")));
        assert_eq!(post(&mut HttpClient::new(both), "").unwrap().status, status);
    }
    // It may have arrived.
    let first = Server::answering([Reply::close()]);
    let both = endpoint(&first.url("/")).or(endpoint(&second.url("/")));
    assert!(post(&mut HttpClient::new(both), "").unwrap_err().may_pass);
    assert_eq!(n_asked(&second), 0);
}

#[test]
fn who_answers_is_asked_from_then_on_and_the_first_again_after_a_time() {
    let first = Server::answering([Reply::status(503), Reply::status(503), Reply::ok()]);
    let second = Server::answering([Reply::ok()]);
    let both = endpoint(&first.url("/")).or(endpoint(&second.url("/")));
    let mut client = HttpClient::new(both);
    for _ in 0..3 {
        post(&mut client, "").unwrap();
    }
    assert_eq!((n_asked(&first), n_asked(&second)), (1, 3));
    // The time is over at once: the first is asked, and is still away.
    client.return_now();
    client.return_after = Duration::ZERO;
    post(&mut client, "").unwrap();
    assert_eq!((n_asked(&first), n_asked(&second)), (1, 1));
    for _ in 0..3 {
        post(&mut client, "").unwrap();
    }
    assert_eq!((n_asked(&first), n_asked(&second)), (3, 0));
}

#[test]
fn where_all_are_away_the_answer_is_the_last_one() {
    let away = Server::answering([Reply::slow_down("7").header("x-at", "second")]);
    let third = Server::answering([Reply::status(503)]);
    let first = endpoint(&format!("http://{}/", nobody()));
    let all = first.clone().or(endpoint(&third.url("/")).or(endpoint(&third.url("/"))));
    let answer = post(&mut HttpClient::new(all), "").unwrap();
    assert_eq!((answer.status.as_u16(), n_asked(&third)), (503, 2));
    let answer = post(&mut HttpClient::new(first.or(endpoint(&away.url("/")))), "").unwrap();
    assert_eq!(answer.retry_after(), Some(Duration::from_secs(7)));
}

#[test]
fn one_that_hangs_takes_its_time_limit_and_is_left_for_the_next_request() {
    let first = Server::answering([Reply::silence()]);
    let second = Server::answering([Reply::ok()]);
    let limit = Duration::from_millis(300);
    let both = endpoint(&first.url("/")).timeout(limit).or(endpoint(&second.url("/")));
    let mut client = HttpClient::new(both);
    assert!(post(&mut client, "").unwrap_err().message.ends_with("timed out"));
    assert_eq!((n_asked(&first), n_asked(&second)), (1, 0));
    post(&mut client, "").unwrap();
    assert_eq!((n_asked(&first), n_asked(&second)), (0, 1));
}
