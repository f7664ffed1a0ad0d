//! `/metrics` over HTTP, from its own thread.

use std::{
    fmt,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use hyper::{
    StatusCode,
    body::Bytes,
    header::{
        ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue, VARY,
    },
};

use super::{Dialect, Page, PageOptions, accepts_gzip, gzip};
use crate::{
    clock,
    error::Error,
    metric::Registry,
    resource::Resource,
    sync::Mutex,
    transport::http_server::{Request, Response, Server, line},
};

/// Serves the Prometheus page at `/metrics`, and at `/metrics/`; dropping it stops it.
///
/// It binds any address that it is given, because Prometheus usually scrapes from another machine.
/// There is no token and no TLS: everyone who can reach the address can read every series and the
/// resource. If only a local agent scrapes, bind `127.0.0.1`.
pub(crate) struct Listener {
    server: Server,
}

impl Listener {
    /// Serves the series of `registry` on `addr`, `host:port` or `:port`.
    ///
    /// # Errors
    ///
    /// Those of [`Server::bind`]: `addr` is not an address, or the system refuses it.
    pub(crate) fn start(
        addr: &str,
        options: PageOptions,
        resource: Resource,
        registry: Registry,
    ) -> Result<Self, Error> {
        let pages = Pages { options, resource, registry, kept: Mutex::default() };
        let handler = move |request: &Request| match request.uri.path() {
            "/metrics" | "/metrics/" => pages.answer(request),
            _ => line(StatusCode::NOT_FOUND, "not found: the metrics are at /metrics\n"),
        };
        Ok(Self { server: Server::bind(addr, Arc::new(handler))? })
    }

    /// The address where it listens.
    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.server.local_addr()
    }

    /// Stops; returns whether every response under way was sent by `deadline`.
    pub(crate) fn shutdown(&self, deadline: Instant) -> bool {
        self.server.shutdown(deadline)
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").field("local_addr", &self.local_addr()).finish()
    }
}

/// The pages that are kept between scrapes.
struct Pages {
    options: PageOptions,
    resource: Resource,
    registry: Registry,
    /// Pages that are not being rendered, the last used at the end; no lock is taken inside it.
    kept: Mutex<Vec<Page>>,
}

/// How many pages are kept. A Prometheus always requests one dialect; others occur while a set of
/// scrapers is upgraded. For more dialects than that, a page is built for each scrape.
const KEPT: usize = 4;

impl Pages {
    fn answer(&self, request: &Request) -> Response {
        let dialect = Dialect::negotiate(Some(&list(request, ACCEPT)));
        let is_compressed = accepts_gzip(Some(&list(request, ACCEPT_ENCODING)));
        // Taken out while it is rendered, so that simultaneous scrapes do not wait for each other.
        let mut page = self.take(dialect);
        let by = time_for_callbacks(request).map(clock::deadline);
        let bytes = page.render_by(by, &self.registry, &self.resource);
        let body = match is_compressed {
            true => Bytes::from(gzip(bytes)),
            false => Bytes::copy_from_slice(bytes),
        };
        self.keep(page);

        let mut response = Response::new(body);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(dialect.content_type()));
        headers.insert(VARY, HeaderValue::from_static("Accept, Accept-Encoding"));
        if is_compressed {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        response
    }

    fn take(&self, dialect: Dialect) -> Page {
        let mut kept = self.kept.lock();
        match kept.iter().position(|page| page.dialect() == dialect) {
            Some(place) => kept.remove(place),
            None => Page::with_options(dialect, self.options),
        }
    }

    fn keep(&self, page: Page) {
        let mut kept = self.kept.lock();
        kept.push(page);
        if kept.len() > KEPT {
            kept.remove(0);
        }
    }
}

/// How much of the scraper's time-out callbacks may take; the rest is for rendering and sending the
/// page. A time-out that cannot be read counts as absent.
fn time_for_callbacks(request: &Request) -> Option<Duration> {
    let seconds = request.headers.get("x-prometheus-scrape-timeout-seconds")?.to_str().ok()?;
    let timeout = Duration::try_from_secs_f64(seconds.trim().parse().ok()?).ok()?;
    // Half a second is what Prometheus' own exporters leave; for a short time-out it is a quarter.
    let rest = (timeout / 4).min(Duration::from_millis(500));
    (!timeout.is_zero()).then(|| timeout - rest)
}

/// The values of a header; several headers of one name are one list (RFC 9110, 5.3).
fn list(request: &Request, name: HeaderName) -> String {
    let values = request.headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead as _, BufReader, Read as _, Write as _},
        net::TcpStream,
    };

    use super::{
        super::{Escaping, Format},
        *,
    };
    use crate::metric::Observations;

    fn listener() -> Listener {
        let registry = Registry::new();
        registry.counter("hits", "Hits").build().unwrap().add(7);
        let (options, resource) = (PageOptions::default(), Resource::service("shop"));
        Listener::start("127.0.0.1:0", options, resource, registry).unwrap()
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
            ("", Format::Text.into()),
            ("Accept: */*\r\n", Format::Text.into()),
            ("Accept: \u{e9}\r\n", Format::Text.into()),
            (stock, Dialect::new(Format::OpenMetrics, Escaping::AllowUtf8)),
            (split, Format::OpenMetrics.into()),
        ];
        for (accept, dialect) in dialects {
            let (status, head, body) = get(&listener, "/metrics?a=b", accept);
            assert_eq!(status, "200");
            let expected = format!("content-type: {}", dialect.content_type());
            assert!(head.contains(&expected), "{accept} {head:?}");
            assert!(body.contains("\nhits_total 7\n"), "{body}");
            assert_eq!(
                body.ends_with("# EOF\n"),
                dialect.format() == Format::OpenMetrics,
                "{body}"
            );
            assert!(!head.iter().any(|line| line.starts_with("content-encoding")), "{head:?}");
        }
    }

    #[test]
    fn a_scrape_that_takes_gzip_gets_it() {
        let listener = listener();
        let mut stream = TcpStream::connect(listener.local_addr()).unwrap();
        let request = "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
            Accept-Encoding: gzip\r\n\r\n";
        stream.write_all(request.as_bytes()).unwrap();
        let answer: Vec<u8> =
            BufReader::new(stream.take(1 << 20)).bytes().map(Result::unwrap).collect();
        let body = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap() + 4;
        let head = String::from_utf8_lossy(&answer[..body]);
        for line in ["content-encoding: gzip\r\n", "vary: Accept, Accept-Encoding\r\n"] {
            assert!(head.contains(line), "{head}");
        }
        let page = BufReader::new(flate2::read::GzDecoder::new(&answer[body..]).take(1 << 20));
        assert!(page.lines().any(|line| line.unwrap() == "hits_total 7"));
    }

    #[test]
    fn few_pages_are_kept_whatever_is_asked_for() {
        let (options, resource) = (PageOptions::default(), Resource::default());
        let registry = Registry::new();
        let pages = Pages { options, resource, registry, kept: Mutex::default() };
        for escaping in ["underscores", "dots", "values", "allow-utf-8"] {
            for version in ["1.0.0", "0.0.4"] {
                let accept = format!("text/plain;version={version};escaping={escaping}");
                pages.keep(pages.take(Dialect::negotiate(Some(&accept))));
            }
        }
        assert_eq!(pages.kept.lock().len(), KEPT);
        let oldest = pages.kept.lock()[0].dialect();
        pages.keep(pages.take(oldest));
        assert_eq!(pages.kept.lock().len(), KEPT);
    }

    #[test]
    fn other_paths_are_told_where_the_metrics_are() {
        let listener = listener();
        for path in ["/", "/metrics//", "//metrics", "/metrics/x", "/Metrics", "/../metrics"] {
            let (status, _, body) = get(&listener, path, "");
            assert_eq!((&*status, &*body), ("404", "not found: the metrics are at /metrics\n"));
        }
    }

    #[test]
    fn a_slash_at_the_end_makes_no_difference() {
        let listener = listener();
        for target in ["/metrics", "/metrics/", "/metrics/?name[]=hits", "http://x/metrics/"] {
            let (status, _, body) = get(&listener, target, "");
            assert_eq!(status, "200", "{target}");
            assert!(body.contains("\nhits_total 7\n"), "{target}: {body}");
        }
    }

    #[test]
    fn a_scrape_is_answered_within_its_own_time_out() {
        let registry = Registry::builder().callback_patience(Duration::from_secs(3600)).build();
        registry.counter("hits", "Hits").build().unwrap().add(7);
        let (release, stuck) = std::sync::mpsc::channel::<()>();
        let stuck = Mutex::new(stuck);
        let observe = move |to: &mut Observations| {
            let _ = stuck.lock().recv(); // Until the test is over.
            to.observe(1.0, &[]);
        };
        let observer = registry.gauge("stuck", "").observe(observe).unwrap();
        let (options, resource) = (PageOptions::default(), Resource::service("shop"));
        let listener = Listener::start("127.0.0.1:0", options, resource, registry).unwrap();
        // Each would take an hour; the second waits for one that is running already.
        for accept in ["application/openmetrics-text", "application/vnd.google.protobuf"] {
            let headers =
                format!("Accept: {accept}\r\nX-Prometheus-Scrape-Timeout-Seconds: 0.2\r\n");
            let (status, _, _) = get(&listener, "/metrics", &headers);
            assert_eq!(status, "200");
        }
        drop((release, observer));
    }

    #[test]
    fn the_time_for_callbacks_is_what_a_time_out_leaves() {
        let time = |value: &str| {
            let request = hyper::Request::builder();
            let request = request.header("X-Prometheus-Scrape-Timeout-Seconds", value).body(());
            time_for_callbacks(&request.unwrap().into_parts().0)
        };
        let millis = |millis| Some(Duration::from_millis(millis));
        assert_eq!(time("10"), millis(9_500));
        assert_eq!(time(" 15.000000 "), millis(14_500));
        assert_eq!(time("1"), millis(750));
        assert_eq!(time("0.2"), millis(150));
        assert_eq!(time("1000000"), millis(999_999_500));
        for none in ["", "soon", "0", "-1", "NaN", "inf", "1e300", "10s"] {
            assert_eq!(time(none), None, "{none}");
        }
    }

    #[test]
    fn an_address_that_cannot_be_had_is_an_error() {
        let listener = listener();
        let addr = listener.local_addr().to_string();
        let error =
            Listener::start(&addr, PageOptions::default(), Resource::default(), Registry::new())
                .unwrap_err();
        assert!(error.to_string().starts_with(&format!("cannot listen on {addr:?}: ")), "{error}");
        assert!(listener.shutdown(clock::deadline(Duration::from_secs(10))));
    }
}
