//! `/metrics` over HTTP, from a thread of its own.

use std::{fmt, net::SocketAddr, sync::Arc, time::Instant};

use hyper::{
    StatusCode,
    body::Bytes,
    header::{ACCEPT, CONTENT_TYPE, HeaderValue, VARY},
};

use super::{Format, render};
use crate::{
    error::Error,
    metric::Snapshot,
    resource::Resource,
    transport::http_server::{Request, Response, Server, line},
};

/// Takes the snapshot that a scrape is answered with.
pub(crate) type Source = Arc<dyn Fn() -> Snapshot + Send + Sync>;

/// Serves the Prometheus page at `/metrics`; dropping it stops it.
///
/// It binds whatever address it is given, because Prometheus as a rule scrapes from another machine.
/// Whoever reaches the address can read every series and the resource: there is no token and no TLS.
/// Bind `127.0.0.1` where only a local agent scrapes.
pub(crate) struct Listener {
    server: Server,
}

impl Listener {
    /// Serves snapshots from `source` on `addr`, `host:port`.
    ///
    /// # Errors
    ///
    /// Those of [`Server::bind`]: `addr` is no address, or the system refuses it.
    pub(crate) fn start(addr: &str, resource: Resource, source: Source) -> Result<Self, Error> {
        let handler = move |request: &Request| match request.uri.path() {
            "/metrics" => page(request, &resource, &source),
            _ => line(StatusCode::NOT_FOUND, "not found: the metrics are at /metrics\n"),
        };
        Ok(Self { server: Server::bind(addr, Arc::new(handler))? })
    }

    /// Where it listens.
    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.server.local_addr()
    }

    /// Stops, and tells whether every answer under way was taken by `deadline`.
    pub(crate) fn shutdown(&self, deadline: Instant) -> bool {
        self.server.shutdown(deadline)
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").field("local_addr", &self.local_addr()).finish()
    }
}

fn page(request: &Request, resource: &Resource, source: &Source) -> Response {
    // Several headers of one name are one list (RFC 9110, 5.3).
    let accept = request.headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let format = Format::negotiate(Some(&accept.collect::<Vec<_>>().join(",")));
    let mut response = Response::new(Bytes::from(render(&source(), resource, format)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    headers.insert(VARY, HeaderValue::from_static("Accept"));
    response
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead as _, BufReader, Read as _, Write as _},
        net::TcpStream,
    };

    use super::*;
    use crate::{
        label::LabelSet,
        metric::{Family, Kind, Series, SeriesValue, Unit},
    };

    fn listener() -> Listener {
        let source = || {
            let value = SeriesValue::Counter(7);
            let family = Family {
                name: "hits".into(),
                kind: Kind::Counter,
                unit: Unit::NONE,
                help: "Hits".into(),
                series: vec![Series::new(LabelSet::default(), value, crate::clock::now())],
            };
            let now = crate::clock::now();
            Snapshot::new(now, now, vec![family])
        };
        Listener::start("127.0.0.1:0", Resource::service("shop"), Arc::new(source)).unwrap()
    }

    /// The status, the lines of the head, and the body.
    fn get(listener: &Listener, target: &str, headers: &str) -> (String, Vec<String>, String) {
        let mut stream = TcpStream::connect(listener.local_addr()).unwrap();
        let request =
            format!("GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = BufReader::new(stream.take(1 << 20));
        let head: Vec<String> = answer
            .by_ref()
            .lines()
            .map(Result::unwrap)
            .take_while(|line| !line.is_empty())
            .collect();
        let body = answer.lines().map(|line| line.unwrap() + "\n").collect();
        let status = head[0].split(' ').nth(1).unwrap().to_owned();
        (status, head, body)
    }

    #[test]
    fn a_scrape_gets_the_dialect_that_it_asks_for() {
        let listener = listener();
        let stock = "Accept: application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
            application/openmetrics-text;version=0.0.1;q=0.5,\
            text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,\
            */*;q=0.2\r\n";
        let split = "Accept: text/plain;q=0.1\r\nAccept: application/openmetrics-text\r\n";
        let dialects = [
            ("", Format::Text),
            ("Accept: */*\r\n", Format::Text),
            ("Accept: \u{e9}\r\n", Format::Text),
            (stock, Format::OpenMetrics),
            (split, Format::OpenMetrics),
        ];
        for (accept, format) in dialects {
            let (status, head, body) = get(&listener, "/metrics?a=b", accept);
            assert_eq!(status, "200");
            let expected = format!("content-type: {}", format.content_type());
            assert!(head.contains(&expected), "{accept} {head:?}");
            assert!(body.contains("\nhits_total 7\n"), "{body}");
            assert_eq!(body.ends_with("# EOF\n"), format == Format::OpenMetrics, "{body}");
        }
    }

    #[test]
    fn other_paths_are_told_where_the_metrics_are() {
        let listener = listener();
        for path in ["/", "/metrics/", "/Metrics", "/../metrics"] {
            let (status, _, body) = get(&listener, path, "");
            assert_eq!((&*status, &*body), ("404", "not found: the metrics are at /metrics\n"));
        }
    }

    #[test]
    fn an_address_that_cannot_be_had_is_an_error() {
        let listener = listener();
        let addr = listener.local_addr().to_string();
        let source: Source = Arc::new(|| unreachable!());
        let error = Listener::start(&addr, Resource::default(), source).unwrap_err();
        assert!(error.to_string().starts_with(&format!("cannot listen on {addr:?}: ")), "{error}");
        assert!(listener.shutdown(crate::clock::deadline(std::time::Duration::from_secs(10))));
    }
}
