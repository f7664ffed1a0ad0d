//! What a feature adds can be called when that feature alone is on.
#![allow(clippy::disallowed_methods, reason = "the rule is the library's own")]

/// Telemetry is one for the process: tests that start it take turns.
#[cfg(any(feature = "signals", feature = "prometheus-listener"))]
#[allow(clippy::disallowed_types, reason = "the rule is the library's own")]
fn turn() -> std::sync::MutexGuard<'static, ()> {
    static TURN: std::sync::Mutex<()> = std::sync::Mutex::new(());
    TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(feature = "webhook")]
#[test]
fn a_webhook_checks_its_url() {
    use bellwether::{
        alert::notify::Webhook,
        pipeline::{Sender as _, Setup},
    };

    let start = |url| Webhook::new(url).start(&Setup::default());
    start("https://alerts.example.com/hook").expect("the URL is fine");
    let error = start("http://alerts.example.com/hook").expect_err("plain http was not allowed");
    assert!(error.to_string().contains("http://alerts.example.com"), "{error}");
}

#[cfg(feature = "http-client")]
#[test]
fn a_backend_of_ones_own_checks_its_url() {
    use bellwether::transport::HttpPoster;

    HttpPoster::new("https://lines.example.com").check().expect("the URL is fine");
    let error = HttpPoster::new("http://lines.example.com").check();
    let error = error.expect_err("plain http was not allowed");
    assert!(error.to_string().contains("http://lines.example.com"), "{error}");
}

#[cfg(feature = "otlp")]
#[test]
fn otlp_checks_its_url() {
    use bellwether::{
        export::otlp::Otlp,
        pipeline::{Pipe, Route, Setup},
        trace::SpanRecord,
    };

    let start = |url| Pipe::start(Route::<SpanRecord>::from(Otlp::new(url)), &Setup::default());
    start("https://collector.example.com").expect("the URL is fine");
    let error = start("http://collector.example.com").expect_err("plain http was not allowed");
    assert!(error.to_string().contains("http://collector.example.com"), "{error}");
}

#[cfg(feature = "influx")]
#[test]
fn influx_checks_its_url() {
    use bellwether::{
        export::influx::Influx,
        metric::DataPoint,
        pipeline::{Pipe, Route, Setup},
    };

    let start = |url| {
        let influx = Influx::v2(url, "org", "bucket");
        Pipe::start(Route::<DataPoint>::from(influx), &Setup::default())
    };
    start("https://influx.example.com").expect("the URL is fine");
    let error = start("http://influx.example.com").expect_err("plain http was not allowed");
    assert!(error.to_string().contains("http://influx.example.com"), "{error}");
}

#[cfg(feature = "elasticsearch")]
#[test]
fn elasticsearch_checks_its_url_and_the_names_of_its_indices() {
    use bellwether::{
        export::elasticsearch::Elasticsearch,
        log::LogRecord,
        pipeline::{Pipe, Route, Setup},
    };

    let start = |url, dataset| {
        let elastic = Elasticsearch::new(url).dataset(dataset);
        let route = Route::<LogRecord>::from(elastic);
        Pipe::start(route, &Setup::default()).map(drop).map_err(|error| error.to_string())
    };
    start("https://elastic.example.com", "shop").expect("URL and name are fine");
    let error =
        start("http://elastic.example.com", "shop").expect_err("plain http was not allowed");
    assert!(error.contains("http://elastic.example.com"), "{error}");
    let error = start("https://elastic.example.com", "Shop").expect_err("no index is called so");
    assert_eq!(error, "dataset \"Shop\" is not in lower case");
}

#[cfg(all(feature = "spool", unix))]
#[test]
fn a_spool_keeps_a_payload() {
    use bellwether::pipeline::{Payload, Spool, SpoolSettings};
    let folder = std::env::temp_dir().join(format!("bellwether-feature-{}", std::process::id()));
    let opened = Spool::open(&folder, SpoolSettings::default(), "text.1");
    let (mut writer, mut reader) = opened.expect("a folder of our own");
    let mut payload = Payload::new();
    payload.record(|bytes| bytes.extend_from_slice(b"paid"));
    writer.append(&payload).expect("there is room");
    writer.sync().expect("the disk works");
    assert_eq!(reader.next().expect("it is durable").payload.bytes(), b"paid");
    std::fs::remove_dir_all(&folder).expect("it is ours");
}

#[cfg(all(feature = "signals", unix))]
#[test]
fn signals_are_heeded_by_telemetry_that_starts_and_ends() {
    let _turn = turn();
    let builder = bellwether::builder("shop");
    let limit = std::time::Duration::from_secs(5);
    let telemetry = builder.shutdown_on_signals(limit).start().expect("nothing is in its way");
    assert!(telemetry.shutdown(limit).settled);
}

#[cfg(feature = "stream")]
#[test]
fn stream_gives_a_stream_a_span() {
    use std::{
        pin::{Pin, pin},
        task::{Context, Poll, Waker},
    };

    use bellwether::{span, testing, trace::StreamInSpan};
    use futures_core::Stream;

    struct Nothing;

    impl Stream for Nothing {
        type Item = ();

        fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<()>> {
            assert!(bellwether::current().span().is_valid());
            Poll::Ready(None)
        }
    }

    let scope = testing::scope();
    let stream = pin!(Nothing.in_span(span("rows").start()));
    assert!(stream.poll_next(&mut Context::from_waker(Waker::noop())).is_ready());
    assert_eq!(scope.spans().len(), 1);
}

#[cfg(feature = "http")]
#[test]
fn a_context_goes_through_a_header_map() {
    use bellwether::{extract, trace::inject_context};

    let text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let mut incoming = http::HeaderMap::new();
    incoming.insert("traceparent", http::HeaderValue::from_static(text));
    let mut outgoing = http::HeaderMap::new();
    inject_context(&extract(&incoming), &mut outgoing);
    assert_eq!(outgoing["traceparent"], text);
}

#[cfg(feature = "hdrhistogram")]
#[test]
fn a_snapshot_becomes_an_hdr_histogram() {
    static SIZE: bellwether::Histogram = bellwether::Histogram::new("features.size", "Sizes");
    [1.0, 2.0, 4.0].into_iter().for_each(|size| SIZE.record(size));
    let hdr = SIZE.snapshot().to_hdr(1_000.0, 3).expect("three digits are legal");
    assert_eq!(hdr.len(), 3);
    assert!(hdr.value_at_quantile(0.5).abs_diff(2_000) <= 20);
}

#[cfg(feature = "serde")]
#[test]
fn a_snapshot_is_written_and_read_and_a_view_is_read() {
    use bellwether::metric::{Registry, Snapshot, Unit, View};

    let registry = Registry::new();
    let counter = registry.counter("features.read", "Reads").build().expect("legal");
    counter.add(7);
    let text = serde_json::to_string(&registry.snapshot()).expect("it is written");
    let read: Snapshot = serde_json::from_str(&text).expect("it is read");
    assert_eq!(read.value("features.read", &[]).expect("it is there").as_f64(), 7.0);

    let text = r#"{"instrument": "features.*", "drop": true}"#;
    let view: View = serde_json::from_str(text).expect("a view");
    assert_eq!(view, View::new("features.*").drop());
}

#[cfg(any(feature = "prometheus", feature = "prometheus-listener", feature = "gzip"))]
#[test]
fn a_page_is_rendered() {
    use bellwether::{
        export::prometheus::{Format, render},
        metric::Registry,
        resource::Resource,
    };

    static HITS: bellwether::Counter = bellwether::Counter::new("features.hits", "Hits");
    HITS.add(7);
    let snapshot = Registry::global().snapshot();
    let page = render(&snapshot, &Resource::service("features"), Format::Text);
    let page = String::from_utf8(page).expect("text is UTF-8");
    assert!(page.lines().any(|line| line == "features_hits_total 7"), "{page}");
}

#[cfg(feature = "gzip")]
#[test]
fn a_rotated_file_can_be_compressed() {
    use bellwether::export::File;

    let folder = std::env::temp_dir().join(format!("bellwether-gzip-{}", std::process::id()));
    let builder = File::builder(folder.join("app.jsonl")).create_folder().rotate_bytes(1000).gzip();
    assert!(builder.open().is_ok());
    std::fs::remove_dir_all(folder).expect("the folder was made");
}

#[cfg(feature = "gzip")]
#[test]
fn a_page_is_compressed() {
    use bellwether::export::prometheus::{accepts_gzip, gzip};

    assert!(accepts_gzip(Some("gzip")));
    assert!(gzip(&[b'a'; 1000]).len() < 100);
}

// The only test that starts telemetry, of which a process has one.
#[cfg(feature = "prometheus-listener")]
#[test]
fn a_page_is_served() {
    use std::{
        io::{Read as _, Write as _},
        net::TcpStream,
        time::Duration,
    };

    static SERVED: bellwether::Counter = bellwether::Counter::new("features.served", "Served");
    SERVED.inc();
    let _turn = turn();
    let telemetry = bellwether::builder("features").prometheus("127.0.0.1:0").start();
    let telemetry = telemetry.expect("a port is free");
    let address = telemetry.local_addrs()[0];

    let mut stream = TcpStream::connect(address).expect("it listens");
    let request = b"GET /metrics HTTP/1.1\r\nHost: features\r\nConnection: close\r\n\r\n";
    stream.write_all(request).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers and closes");
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(answer.contains("features_served_total 1"), "{answer}");

    telemetry.shutdown(Duration::from_secs(20));
    assert!(TcpStream::connect(address).is_err(), "nobody listens any more");
}

#[cfg(feature = "process")]
#[test]
fn the_process_is_read() {
    use bellwether::{collect, metric::Registry};

    let registry = Registry::new();
    let _process = collect::process().register(&registry).expect("the names are free");
    let resident = registry.snapshot().value("process.resident_memory", &[]).map(|v| v.as_f64());
    assert_eq!(resident.is_some_and(|bytes| bytes > 0.0), cfg!(target_os = "linux"));
}

#[cfg(feature = "host")]
#[test]
fn the_host_is_read() {
    use bellwether::{collect, metric::Registry};

    let registry = Registry::new();
    for source in collect::host() {
        source.register(&registry).expect("the names are free").keep();
    }
    let memory = registry.snapshot().value("system.memory.limit", &[]).map(|v| v.as_f64());
    assert_eq!(memory.is_some_and(|bytes| bytes > 0.0), cfg!(target_os = "linux"));
}

#[cfg(feature = "tokio-runtime")]
#[test]
fn a_runtime_is_read() {
    use bellwether::{collect::TokioRuntimes, metric::Registry};

    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let registry = Registry::new();
    let source = TokioRuntimes::new().runtime("main", runtime.handle()).source();
    let _runtime = source.register(&registry).expect("the names are free");
    let workers = registry.snapshot().value("tokio.workers", &[("runtime", "main")]).cloned();
    assert_eq!(workers.expect("a series").as_f64(), 1.0);
}

#[cfg(feature = "zstd")]
#[test]
fn an_endpoint_compresses_by_zstd() {
    use bellwether::transport::{Compression, Endpoint};

    let endpoint = Endpoint::new("https://collector.example.com").compression(Compression::Zstd);
    assert!(format!("{endpoint:?}").contains("Zstd"));
}

#[cfg(feature = "otlp-grpc")]
#[test]
fn an_endpoint_is_made() {
    let endpoint = bellwether::transport::Endpoint::new("https://collector.example.com:4317/x");
    assert_eq!(endpoint.to_string(), "https://collector.example.com:4317");
}

#[cfg(feature = "poll-json")]
#[test]
fn a_poll_checks_its_url() {
    use bellwether::{
        collect::{JsonPoll, Source},
        metric::Registry,
    };

    let poll = JsonPoll::new("upstream", "http://stats.example.com/?key=canary");
    let error = Source::from(poll).register(&Registry::new()).expect_err("plain http");
    assert!(error.to_string().starts_with("http://stats.example.com is plain"), "{error}");
}

#[cfg(feature = "log")]
#[test]
fn records_of_log_have_a_bridge() {
    bellwether::integration::log::install().expect("the first logger");
    assert!(bellwether::integration::log::install().is_err());
}

#[cfg(feature = "tower")]
#[test]
fn a_request_through_a_layer_has_a_span_and_is_measured() {
    use std::{
        convert::Infallible,
        future::{Future as _, Ready, ready},
        pin::pin,
        task::{Context, Poll, Waker},
    };

    use bellwether::{integration::tower::ServerLayer, testing};
    use http::{Request, Response};
    use tower_layer::Layer as _;
    use tower_service::Service;

    struct Empty;

    impl Service<Request<String>> for Empty {
        type Response = Response<String>;
        type Error = Infallible;
        type Future = Ready<Result<Response<String>, Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Request<String>) -> Self::Future {
            ready(Ok(Response::new(String::new())))
        }
    }

    #[cfg(feature = "axum")]
    let layer = ServerLayer::axum();
    #[cfg(not(feature = "axum"))]
    let layer = ServerLayer::new();
    let scope = testing::scope();
    let response = layer.layer(Empty).call(Request::new(String::new()));
    assert!(pin!(response).poll(&mut Context::from_waker(Waker::noop())).is_ready());
    assert_eq!(scope.spans().len(), 1);
    let snapshot = scope.snapshot();
    let served = snapshot.family("http.server.request.duration").expect("it was recorded");
    assert_eq!(served.series().len(), 1);
}

#[cfg(feature = "metrics")]
#[test]
fn a_recorder_of_the_metrics_facade_is_installed_once() {
    bellwether::integration::metrics::install().expect("nobody else has installed one");
    assert!(bellwether::integration::metrics::install().is_err());
}

#[cfg(feature = "reqwest")]
#[test]
fn a_client_of_reqwest_is_traced() {
    use bellwether::{context::Outcome, integration::reqwest::TracedClient, testing};

    let scope = testing::scope();
    drop(TracedClient::default().get("http://127.0.0.1:1/").send());
    assert_eq!(scope.span("GET").outcome(), Outcome::Cancelled);
}

#[cfg(feature = "tracing")]
#[test]
fn a_span_of_tracing_is_a_span() {
    use bellwether::{integration::tracing::layer, testing};
    use tracing_subscriber::layer::SubscriberExt as _;

    let scope = testing::scope();
    let subscriber = tracing_subscriber::registry().with(layer());
    tracing::subscriber::with_default(subscriber, || {
        tracing::info_span!("order", items = 3).in_scope(|| {
            let _paid = bellwether::span("paid").enter();
        });
    });
    let (order, paid) = (scope.span("order"), scope.span("paid"));
    assert_eq!(paid.parent_span_id(), Some(order.span_id()));
}

#[cfg(feature = "opentelemetry")]
#[test]
fn a_provider_of_opentelemetrys_tracers_is_made() {
    let provider = bellwether::integration::opentelemetry::tracer_provider();
    assert!(format!("{provider:?}").starts_with("OtelTracerProvider"));
}

#[cfg(feature = "statsd")]
#[test]
fn metrics_are_sent_to_statsd() {
    use bellwether::{export::statsd::Statsd, metric::DataPoint, pipeline::Route};

    let route = Route::<DataPoint>::from(Statsd::udp("127.0.0.1:8125"));
    assert_eq!(route.name(), "statsd");
}

#[cfg(feature = "graphite")]
#[test]
fn metrics_are_sent_to_graphite() {
    use bellwether::{export::graphite::Graphite, metric::DataPoint, pipeline::Route};

    let route = Route::<DataPoint>::from(Graphite::new("127.0.0.1:2003"));
    assert_eq!(route.name(), "graphite");
}

#[cfg(feature = "clickhouse")]
#[test]
fn rows_are_sent_to_clickhouse() {
    use bellwether::{export::clickhouse::ClickHouse, metric::DataPoint, pipeline::Route};

    let clickhouse = ClickHouse::new("https://clickhouse.example.com:8443");
    assert_eq!(clickhouse.schema().len(), 5);
    assert_eq!(Route::<DataPoint>::from(clickhouse).name(), "clickhouse");
}

#[cfg(feature = "redis")]
#[test]
fn messages_are_sent_to_redis() {
    use bellwether::{export::redis::Redis, metric::DataPoint, pipeline::Route};

    let redis = Redis::streams("redis://redis.example.com").keyed().max_length(1_000);
    assert_eq!(Route::<DataPoint>::from(redis).name(), "redis");
}

#[cfg(feature = "redis-cluster")]
#[test]
fn messages_are_sent_to_a_cluster_of_redis() {
    use bellwether::{export::redis::Redis, pipeline::Route, trace::SpanRecord};

    let redis = Redis::streams("redis://a.example.com").cluster(["redis://b.example.com"]);
    assert!(format!("{redis:?}").contains("redis://b.example.com:6379"));
    assert_eq!(Route::<SpanRecord>::from(redis).name(), "redis");
}

#[cfg(feature = "nats")]
#[test]
fn messages_are_sent_to_nats() {
    use bellwether::{export::nats::Nats, pipeline::Route, trace::SpanRecord};

    let nats = Nats::new("nats://nats.example.com").create_stream("TELEMETRY");
    assert_eq!(Route::<SpanRecord>::from(nats).name(), "nats");
}

#[cfg(feature = "rabbitmq")]
#[test]
fn messages_are_sent_to_rabbitmq() {
    use bellwether::{export::rabbitmq::RabbitMq, log::LogRecord, pipeline::Route};

    let rabbitmq = RabbitMq::new("amqp://rabbitmq.example.com/%2f").declare();
    assert_eq!(Route::<LogRecord>::from(rabbitmq).name(), "rabbitmq");
}

#[cfg(all(feature = "broker", feature = "otlp"))]
#[test]
fn messages_are_of_otlp() {
    use bellwether::{
        export::{message::MessageFormat, otlp::OtlpMessages},
        trace::SpanRecord,
    };

    let format = OtlpMessages::protobuf();
    let content_type = MessageFormat::<SpanRecord>::content_type(&format);
    assert_eq!(content_type, "application/x-protobuf");
}

#[cfg(feature = "sqlite")]
#[test]
fn rows_are_written_to_sqlite() {
    use bellwether::{export::sql::Sql, metric::DataPoint, pipeline::Route};

    let sql = Sql::sqlite("telemetry.db");
    assert!(sql.schema().iter().any(|text| text.contains("bellwether_samples")));
    assert_eq!(Route::<DataPoint>::from(sql).name(), "sqlite");
}

#[cfg(feature = "postgres")]
#[test]
fn rows_are_written_to_postgresql() {
    use bellwether::{export::sql::Sql, metric::DataPoint, pipeline::Route, transport::Secret};

    let sql = Sql::postgres("postgres://shop@db.example.com/telemetry", Secret::new("x"));
    assert!(sql.schema().iter().any(|text| text.contains("JSONB")));
    assert_eq!(Route::<DataPoint>::from(sql.hypertables()).name(), "postgres");
}

#[cfg(feature = "mysql")]
#[test]
fn rows_are_written_to_mysql() {
    use bellwether::{export::sql::Sql, metric::DataPoint, pipeline::Route, transport::Secret};

    let sql = Sql::mysql("mysql://shop@db.example.com/telemetry", Secret::new("x"));
    assert!(sql.schema().iter().any(|text| text.contains("InnoDB")));
    assert_eq!(Route::<DataPoint>::from(sql).name(), "mysql");
}

#[cfg(feature = "emf")]
#[test]
fn metrics_are_sent_to_cloudwatch() {
    use bellwether::{export::emf::Emf, metric::DataPoint, pipeline::Route};

    let route = Route::<DataPoint>::from(Emf::stdout("Shop"));
    assert_eq!(route.name(), "emf");
}

#[cfg(feature = "pushgateway")]
#[test]
fn metrics_are_pushed_to_a_pushgateway() {
    use bellwether::{
        export::prometheus::pushgateway::Pushgateway, metric::DataPoint, pipeline::Route,
    };

    let route = Route::<DataPoint>::from(Pushgateway::new("https://pushgateway.example.com"));
    assert_eq!(route.name(), "pushgateway");
}

#[cfg(feature = "loki")]
#[test]
fn logs_are_sent_to_loki() {
    use bellwether::{export::loki::Loki, log::LogRecord, pipeline::Route};

    let route = Route::<LogRecord>::from(Loki::new("https://loki.example.com"));
    assert_eq!(route.name(), "loki");
}

#[cfg(feature = "syslog")]
#[test]
fn logs_are_sent_to_syslog() {
    use bellwether::{export::syslog::Syslog, log::LogRecord, pipeline::Route};

    let route = Route::<LogRecord>::from(Syslog::tcp("127.0.0.1:601"));
    assert_eq!(route.name(), "syslog");
}

#[cfg(feature = "syslog-tls")]
#[test]
fn syslog_over_tls_checks_its_certificates() {
    use bellwether::{
        export::syslog::{Syslog, SyslogTls},
        log::LogRecord,
        pipeline::{Pipe, Route, Setup},
    };

    let receiver = SyslogTls::new("logs.example.com:6514").root_certificates("none");
    let route = Route::<LogRecord>::from(Syslog::tls(receiver));
    let error = Pipe::start(route, &Setup::default()).expect_err("there is no root");
    assert!(error.to_string().contains("tls://logs.example.com:6514"), "{error}");
}

#[cfg(feature = "journal")]
#[test]
fn logs_are_sent_to_the_journal_of_linux() {
    use bellwether::{
        export::journal::Journal,
        log::LogRecord,
        pipeline::{Pipe, Route, Setup},
    };

    let started = Pipe::start(Route::<LogRecord>::from(Journal::new()), &Setup::default());
    assert_eq!(started.is_ok(), cfg!(target_os = "linux"));
}

#[cfg(feature = "zipkin")]
#[test]
fn spans_are_sent_to_zipkin() {
    use bellwether::{export::zipkin::Zipkin, pipeline::Route, trace::SpanRecord};

    let route = Route::<SpanRecord>::from(Zipkin::new("https://zipkin.example.com"));
    assert_eq!(route.name(), "zipkin");
}

#[cfg(feature = "remote-write")]
#[test]
fn metrics_are_sent_by_remote_write() {
    use bellwether::{export::remote_write::RemoteWrite, metric::DataPoint, pipeline::Route};

    let remote_write = RemoteWrite::new("https://mimir.example.com/api/v1/push");
    assert_eq!(Route::<DataPoint>::from(remote_write).name(), "remote-write");
}
