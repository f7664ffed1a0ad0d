//! Requests through proxies, and which address the policy concerns then.

use std::{env, process::Command};

use super::{
    support::{Certificate, ROOT_PEM},
    *,
};
use crate::transport::Secret;

#[test]
fn plain_http_is_asked_of_the_proxy_itself() {
    let proxy = Server::answering([Reply::ok().body("by proxy")]);
    // Nobody resolves the name of the endpoint but the proxy.
    let base = || endpoint("http://collector.invalid:4318/v1/traces").bearer(Secret::new("abc"));
    let mut client = HttpClient::new(base().proxy(&proxy.url("")));
    assert_eq!(post(&mut client, "telemetry").unwrap().body, b"by proxy");
    let request = proxy.next();
    assert_eq!(request.path, "http://collector.invalid:4318/v1/traces");
    assert_eq!(request.header("authorization"), Some("Bearer abc"));
    assert_eq!(request.header("proxy-authorization"), None);
    let with = format!("http://Aladdin:open%20sesame@{}", proxy.address());
    let secret = Scratch::new("proxy");
    secret.write("open sesame\n");
    let from_file = Secret::from_file(&secret.0);
    let expected = Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    post(&mut HttpClient::new(base().proxy(&with)), "").unwrap();
    assert_eq!(proxy.next().header("proxy-authorization"), expected);
    let own = base().proxy(&proxy.url("")).proxy_basic("Aladdin", from_file);
    let mut own = HttpClient::new(own);
    post(&mut own, "").unwrap();
    assert_eq!(proxy.next().header("proxy-authorization"), expected);
    secret.write("changed\n");
    post(&mut own, "").unwrap();
    assert_ne!(proxy.next().header("proxy-authorization"), expected);
}

#[test]
fn https_goes_through_the_proxy_unread() {
    let target = Server::over_tls(Certificate::Good, |_| Reply::ok());
    let far = target.address();
    let proxy = Server::by(move |_| Reply::tunnel(far));
    let client = endpoint("https://localhost:4318/v1/traces").root_certificates(ROOT_PEM);
    let with = format!("http://Aladdin:open%20sesame@{}", proxy.address());
    let mut client = HttpClient::new(client.bearer(Secret::new("abc")).proxy(&with));
    post(&mut client, "telemetry").unwrap();
    let connect = proxy.next();
    assert_eq!((&*connect.method, &*connect.path), ("CONNECT", "localhost:4318"));
    assert_eq!(connect.header("authorization"), None);
    assert!(connect.header("proxy-authorization").is_some());
    let request = target.next();
    assert_eq!((&*request.path, request.text()), ("/v1/traces", "telemetry"));
    assert_eq!(request.header("proxy-authorization"), None);
}

#[test]
fn a_proxy_that_says_no_is_a_failure_that_may_pass() {
    for reply in [Reply::status(407), Reply::status(503), Reply::close(), Reply::garbage()] {
        let proxy = Server::answering([reply]);
        let client = endpoint("https://localhost:4318/").proxy(&proxy.url(""));
        let failure = post(&mut HttpClient::new(client), "canary").unwrap_err();
        assert!(failure.may_pass, "{failure:?}");
    }
}

#[test]
fn the_policy_concerns_the_address_of_the_proxy() {
    let check = |endpoint: Endpoint| HttpClient::new(endpoint).check();
    let private = || Endpoint::new("https://10.0.0.1/");
    assert!(check(private()).is_err());
    check(private().proxy("https://1.1.1.1:3128/")).unwrap();
    check(private().proxy("http://proxy.example.com:3128/")).unwrap();
    for proxy in ["http://127.0.0.1:3128/", "https://[::1]/", "http://169.254.169.254/"] {
        let public = || Endpoint::new("https://1.1.1.1/").proxy(proxy);
        let error = check(public()).unwrap_err().to_string();
        assert!(error.contains("no public address"), "{error}");
        check(public().allow_private()).unwrap();
    }
    // By its name, too.
    let named = Endpoint::new("https://collector.example.com/").proxy("http://localhost:1/");
    let failure = post(&mut HttpClient::new(named), "").unwrap_err();
    assert!(failure.message.contains("no public address"), "{}", failure.message);
    for proxy in ["socks5://1.1.1.1/", "file:///x", "no url"] {
        assert!(check(Endpoint::new("https://1.1.1.1/").proxy(proxy)).is_err(), "{proxy}");
    }
}

/// Names the proxy in the process of its own in which the test looks at its environment.
const PROXY: &str = "BELLWETHER_TEST_PROXY";

#[test]
fn the_environment_is_asked_for_a_proxy_by_choice_alone() {
    let url = "http://collector.invalid/v1/traces";
    if let Ok(proxy) = env::var(PROXY) {
        let plain = || Endpoint::new(url).allow_plain_http();
        let mut by_choice = HttpClient::new(plain().proxy_from_env());
        assert_eq!(post(&mut by_choice, "").unwrap().body, b"by proxy", "{proxy}");
        post(&mut HttpClient::new(plain()), "").unwrap_err();
        let spared = Endpoint::new("http://spared.invalid/").allow_plain_http().proxy_from_env();
        post(&mut HttpClient::new(spared), "").unwrap_err();
        return;
    }
    let proxy = Server::answering([Reply::ok().body("by proxy")]);
    let with = format!("http://Aladdin:open%20sesame@{}", proxy.address());
    let name = "the_environment_is_asked_for_a_proxy_by_choice_alone";
    let status = Command::new(env::current_exe().unwrap())
        .args([&format!("transport::http_client::tests::proxies::{name}"), "--exact"])
        .env("http_proxy", &with)
        .env("no_proxy", "spared.invalid")
        .env_remove("REQUEST_METHOD")
        .env(PROXY, &with)
        .status();
    assert!(status.unwrap().success());
    let request = proxy.next();
    assert_eq!(request.path, url);
    let expected = Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    assert_eq!(request.header("proxy-authorization"), expected);
    assert!(proxy.try_next().is_none());
}
