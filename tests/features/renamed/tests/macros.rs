//! Each macro under another name of the crate: there is no `::bellwether` here.

/// The dependency is called `observed`.
mod renamed {
    use observed::{Counter, Labels, count, gauge, histogram, observe, time};

    #[derive(Labels)]
    #[label(crate = observed)]
    struct Req<'a> {
        method: Method,
        #[label(range = 0..=3)]
        shard: u8,
        #[label(values = ["a", "b"])]
        zone: &'a str,
        #[label(intern = 4)]
        table: &'a str,
        #[label(flatten, prefix = "peer.")]
        peer: Peer,
    }

    #[derive(Labels)]
    #[label(crate = "observed", rename_all = "kebab-case")]
    enum Method {
        Get,
    }

    #[derive(Labels)]
    #[label(crate = ::observed)]
    struct Peer {
        local: bool,
    }

    static REQUESTS: Counter<Req<'static>> = Counter::new("renamed.static", "Requests");

    #[observe(crate = observed, name = "renamed.sync", fields(number))]
    fn sync(number: u8) -> Result<u8, std::num::ParseIntError> {
        let text = format!("{number}");
        text.parse::<u8>()?;
        text.parse()
    }

    #[observe(crate = "observed", name = "renamed.async", kind = client)]
    async fn wait(number: Option<u8>) -> Option<u8> {
        Some(std::future::ready(number).await?)
    }

    #[observe(name = "renamed.future", crate = observed, parent = observed::current())]
    fn future(number: u8) -> impl Future<Output = u8> {
        let number = number + 1;
        async move { number }
    }

    #[test]
    fn every_macro_finds_the_crate() {
        let scope = observed::testing::scope();
        let peer = Peer { local: true };
        let req = Req { method: Method::Get, shard: 1, zone: "a", table: "t", peer };
        REQUESTS.with(req).inc();
        count!("renamed.count", route = "/a");
        gauge!("renamed.gauge", 1.0, a = 1, b = 'c');
        histogram!("renamed.histogram", 1.0);
        count!(crate = observed, "renamed.count", route = "/a");
        assert_eq!(time!("renamed.time", sync(1)), Ok(1));
        let mut task = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(std::pin::pin!(wait(Some(1))).poll(&mut task).is_ready());
        assert!(std::pin::pin!(future(1)).poll(&mut task).is_ready());
        for name in ["sync", "async", "future", "time"] {
            scope.assert_value(&format!("renamed.{name}.duration"), &[("outcome", "ok")], 1.0);
        }
        scope.assert_value("renamed.count", &[("route", "/a")], 2.0);
        let labels = [
            ("method", "get"),
            ("peer.local", "true"),
            ("shard", "1"),
            ("table", "t"),
            ("zone", "a"),
        ];
        scope.assert_value("renamed.static", &labels, 1.0);
    }
}

/// The crate is reached through another.
mod shown_on {
    use bellwether_renamed::{
        own::{Labels, count, observe, time},
        requests, telemetry,
    };

    #[derive(Labels)]
    #[label(crate = bellwether_renamed::telemetry)]
    struct Req {
        method: Method,
    }

    #[derive(Labels)]
    #[label(crate = telemetry)]
    enum Method {
        Get,
    }

    #[observe(crate = bellwether_renamed::telemetry, name = "shown.sync", fields(number))]
    fn sync(number: u8) -> Option<u8> {
        Some(Some(number)?)
    }

    #[test]
    fn every_macro_finds_the_crate() {
        static REQUESTS: telemetry::Counter<Req> = telemetry::Counter::new("shown.static", "");
        let scope = telemetry::testing::scope();
        REQUESTS.with(Req { method: Method::Get }).inc();
        requests!("/a");
        count!("shown.count");
        assert_eq!(time!("shown.time", sync(1)), Some(1));
        for name in ["sync", "time"] {
            scope.assert_value(&format!("shown.{name}.duration"), &[("outcome", "ok")], 1.0);
        }
        scope.assert_value("renamed.requests", &[("route", "/a")], 1.0);
        scope.assert_value("shown.static", &[("method", "get")], 1.0);
    }
}
