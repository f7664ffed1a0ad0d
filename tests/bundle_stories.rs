//! What the bundles' pages say to alert on, told as stories: each expression is quiet while all is
//! well, fires in the trouble that its sentence names, and is quiet again when that is over.
//!
//! The pages speak PromQL. Beside each expression stands the same rule in code, which is evaluated;
//! an expression that is new or changed fails the test until its twin and its story follow.
#![allow(clippy::too_many_lines, reason = "a list of stories, in the order of the page")]

use std::{any::Any, fs, path::Path, time::Duration};

use bellwether::{
    alert::{Condition, Expr, Need, Rule, SampleWindow, Selector, ratio, series},
    bundle::{
        Cache, ConnectionPool, Database, EvictionCause, GrpcClient, GrpcCode, GrpcServer,
        HttpClient, HttpServer, Queue, ThreadPool,
    },
    clock::Ticks,
    context::Outcome,
    label::LabelSet,
    testing::{self, Scope},
};

static SERVER: HttpServer = HttpServer::new();
static CLIENT: HttpClient = HttpClient::new();
static CALLS: GrpcServer = GrpcServer::new();
static STOCK: GrpcClient = GrpcClient::new();
static POOL: ConnectionPool = ConnectionPool::new("pool");
static WORKERS: ThreadPool = ThreadPool::new("workers");
static CACHE: Cache = Cache::new("cache");
static QUEUE: Queue = Queue::new("queue");
static DATABASE: Database = Database::new("postgresql", "database");

const MINUTE: Duration = Duration::from_secs(60);
const FIVE: Duration = Duration::from_secs(300);
const HALF_HOUR: Duration = Duration::from_secs(1800);
/// How often something happens, and the rules are looked at.
const STEP: Duration = Duration::from_secs(10);

/// What is in use for longer than a step.
type Held = Vec<Box<dyn Any>>;
type Step = fn(&Scope, &mut Held);

struct Story {
    expression: &'static str,
    /// All of them must hold.
    twin: Vec<Rule>,
    well: Step,
    trouble: Step,
}

/// By how many seconds a second the sum of a histogram grows: the language of rules has no word for it.
struct SumGrows(Selector, f64);

impl Condition for SumGrows {
    fn evaluate(&self, window: &SampleWindow, _now: Ticks) -> Vec<(LabelSet, f64)> {
        let grows = window.select(&self.0).filter_map(|series| {
            let (_, time) = series.increase(FIVE)?;
            let rate = series.distribution(FIVE)?.sum() / time.as_secs_f64();
            (rate > self.1).then(|| (series.labels().clone(), rate))
        });
        grows.collect()
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::distributions(self.0.clone(), FIVE)]
    }
}

fn story(
    expression: &'static str,
    twin: impl Condition + 'static,
    well: Step,
    trouble: Step,
) -> Story {
    Story { expression, twin: vec![Rule::new("Twin", twin)], well, trouble }
}

fn share(of: Selector, all: Selector, range: Duration, by: &str) -> Expr {
    ratio(of.rate(range).by(&[by]), all.rate(range).by(&[by]))
}

/// A request that takes as long.
fn served(scope: &Scope, code: u16, took: Duration) {
    let request = SERVER.start("GET", "/");
    scope.advance(took);
    request.end(code);
}

fn called(scope: &Scope, code: u16, took: Duration) {
    let request = CLIENT.start("GET", "api.example.com", 443);
    scope.advance(took);
    request.end(code);
}

const QUICK: Duration = Duration::from_millis(2);
const SLOW: Duration = Duration::from_secs(6);

fn of_caches() -> Vec<Story> {
    let lookups = || series("cache.lookups");
    let (result, by) = ("cache.result", "cache.name");
    let hits = share(
        lookups().label(result, "hit"),
        lookups().label_one_of(result, ["hit", "miss"]),
        HALF_HOUR,
        by,
    );
    let evicted = ratio(
        series("cache.evictions").label("cache.eviction.cause", "size").rate(FIVE).by(&[by]),
        lookups().label(result, "miss").rate(FIVE).by(&[by]),
    );
    let all_is_well: Step = |scope, _| {
        (0..9).for_each(|_| CACHE.hit());
        let lookup = CACHE.lookup();
        scope.advance(QUICK);
        lookup.miss();
    };
    vec![
        story(
            r#"sum by (cache_name) (rate(cache_lookups_total{cache_result="hit"}[30m])) / sum by (cache_name) (rate(cache_lookups_total{cache_result=~"hit|miss"}[30m])) < 0.8"#,
            hits.below(0.8),
            all_is_well,
            |_, _| {
                CACHE.hit();
                CACHE.miss();
            },
        ),
        story(
            r#"sum by (cache_name) (rate(cache_evictions_total{cache_eviction_cause="size"}[5m])) / sum by (cache_name) (rate(cache_lookups_total{cache_result="miss"}[5m])) > 0.9"#,
            evicted.above(0.9),
            all_is_well,
            |_, _| {
                CACHE.miss();
                CACHE.inserted(1);
                CACHE.evicted(EvictionCause::Size, 1);
            },
        ),
        story(
            r#"sum by (cache_name) (rate(cache_lookups_total{cache_result="error"}[5m])) > 0"#,
            lookups().label(result, "error").rate(FIVE).by(&[by]).above(0.0),
            all_is_well,
            |_, _| drop(CACHE.lookup()),
        ),
        story(
            "histogram_quantile(0.99, sum by (le, cache_name) (rate(cache_lookup_duration_seconds_bucket[5m]))) > 0.01",
            series("cache.lookup.duration").p99(FIVE).by(&[by]).above(0.01),
            all_is_well,
            |scope, _| {
                let lookup = CACHE.lookup();
                scope.advance(Duration::from_millis(20));
                lookup.hit();
            },
        ),
    ]
}

fn of_databases() -> Vec<Story> {
    let calls = || series("db.client.operation.duration");
    let failed = calls().label_not("error.type", "").label_not("error.type", "cancelled");
    let all_is_well: Step = |scope, _| {
        let call = DATABASE.call("SELECT");
        scope.advance(QUICK);
        call.ok();
        drop(DATABASE.call("SELECT")); // Cancelled.
        let waiting = DATABASE.wait_for_lock();
        scope.advance(QUICK);
        drop(waiting);
    };
    vec![
        story(
            r#"sum by (db_namespace) ( rate(db_client_operation_duration_seconds_count{error_type!~"|cancelled"}[5m])) / sum by (db_namespace) (rate(db_client_operation_duration_seconds_count[5m])) > 0.01"#,
            share(failed, calls(), FIVE, "db.namespace").above(0.01),
            all_is_well,
            |_, _| DATABASE.call("SELECT").error("deadlock"),
        ),
        story(
            "histogram_quantile(0.99, sum by (le, db_namespace, db_operation_name) (rate(db_client_operation_duration_seconds_bucket[5m]))) > 0.5",
            calls().p99(FIVE).by(&["db.namespace", "db.operation.name"]).above(0.5),
            all_is_well,
            |scope, _| {
                let call = DATABASE.call("SELECT");
                scope.advance(SLOW);
                call.ok();
            },
        ),
        story(
            "sum by (db_namespace) (rate(db_client_lock_wait_time_seconds_sum[5m])) > 1",
            SumGrows(series("db.client.lock.wait_time"), 1.0),
            all_is_well,
            |scope, _| {
                let waiting: Vec<_> = (0..4).map(|_| DATABASE.wait_for_lock()).collect();
                scope.advance(SLOW);
                drop(waiting);
            },
        ),
    ]
}

fn of_servers() -> Vec<Story> {
    let requests = || series("http.server.request.duration");
    let failed = requests().label_starts_with("http.response.status_code", "5");
    let all_is_well: Step = |scope, held| {
        held.clear();
        served(scope, 200, QUICK);
        served(scope, 404, QUICK);
    };
    vec![
        story(
            r#"sum(rate(http_server_request_duration_seconds_count{http_response_status_code=~"5.."}[5m])) / sum(rate(http_server_request_duration_seconds_count[5m])) > 0.01"#,
            ratio(failed.rate(FIVE).sum(), requests().rate(FIVE).sum()).above(0.01),
            all_is_well,
            |scope, _| served(scope, 503, QUICK),
        ),
        story(
            "histogram_quantile(0.99, sum by (le, http_route) (rate(http_server_request_duration_seconds_bucket[5m]))) > 1",
            requests().p99(FIVE).by(&["http.route"]).above(1.0),
            all_is_well,
            |scope, _| served(scope, 200, SLOW),
        ),
        story(
            "sum(http_server_active_requests) > 100",
            series("http.server.active_requests").last().sum().above(100.0),
            all_is_well,
            |_, held| held.push(Box::new(SERVER.start("GET", "/"))),
        ),
        story(
            r#"sum(http_server_request_duration_seconds_count{error_type="panic"}) - (sum(http_server_request_duration_seconds_count{error_type="panic"} offset 5m) or vector(0)) > 0"#,
            requests().label("error.type", "panic").increase(FIVE).sum().above(0.0),
            all_is_well,
            |_, _| {
                let handler = || {
                    let _request = SERVER.start("GET", "/");
                    std::panic::resume_unwind(Box::new("out of order")); // Without a message.
                };
                let _ = std::panic::catch_unwind(handler);
            },
        ),
    ]
}

fn of_clients() -> Vec<Story> {
    let requests = || series("http.client.request.duration");
    let code = "http.response.status_code";
    let failed = requests().label_not("error.type", "").label_not(code, "404");
    let refused = requests().label_one_of(code, ["401", "403", "429"]);
    let by = "server.address";
    let all_is_well: Step = |scope, held| {
        held.clear();
        called(scope, 200, QUICK);
        called(scope, 404, QUICK);
    };
    vec![
        story(
            r#"sum by (server_address) (rate(http_client_request_duration_seconds_count{error_type!="", http_response_status_code!~"4.."}[5m])) / sum by (server_address) (rate(http_client_request_duration_seconds_count[5m])) > 0.05"#,
            share(failed, requests(), FIVE, by).above(0.05),
            all_is_well,
            |_, _| CLIENT.start("GET", "api.example.com", 443).set_error("connection_refused"),
        ),
        story(
            "histogram_quantile(0.99, sum by (le, server_address) (rate(http_client_request_duration_seconds_bucket[5m]))) > 2",
            requests().p99(FIVE).by(&[by]).above(2.0),
            all_is_well,
            |scope, _| called(scope, 200, SLOW),
        ),
        story(
            "sum by (server_address) (http_client_active_requests) > 50",
            series("http.client.active_requests").last().by(&[by]).above(50.0),
            all_is_well,
            |_, held| held.push(Box::new(CLIENT.start("GET", "api.example.com", 443))),
        ),
        story(
            r#"sum by (server_address) (rate( http_client_request_duration_seconds_count{http_response_status_code=~"401|403|429"}[5m])) > 0"#,
            refused.rate(FIVE).by(&[by]).above(0.0),
            all_is_well,
            |scope, _| called(scope, 429, QUICK),
        ),
    ]
}

/// A gRPC call that takes as long, on both sides.
fn called_by_grpc(scope: &Scope, code: GrpcCode, took: Duration) {
    let sides = (CALLS.start("shop.Orders/Get"), STOCK.start("shop.Stock/Take", "stock", 443));
    scope.advance(took);
    sides.0.end(code);
    sides.1.end(code);
}

fn of_calls() -> Vec<Story> {
    let (answered, by) = (|| series("rpc.server.call.duration"), "rpc.method");
    let (made, by_server) = (|| series("rpc.client.call.duration"), "server.address");
    let failed = answered().label_not("error.type", "").label_not("error.type", "cancelled");
    let codes = ["UNAVAILABLE", "DEADLINE_EXCEEDED", "INTERNAL", "UNKNOWN"];
    let refused = made().label_one_of("rpc.response.status_code", codes);
    let all_is_well: Step = |scope, held| {
        held.clear();
        called_by_grpc(scope, GrpcCode::Ok, QUICK);
        called_by_grpc(scope, GrpcCode::NotFound, QUICK);
    };
    vec![
        story(
            r#"sum by (rpc_method) (rate(rpc_server_call_duration_seconds_count{error_type!~"|cancelled"}[5m])) / sum by (rpc_method) (rate(rpc_server_call_duration_seconds_count[5m])) > 0.01"#,
            share(failed, answered(), FIVE, by).above(0.01),
            all_is_well,
            |scope, _| called_by_grpc(scope, GrpcCode::Internal, QUICK),
        ),
        story(
            "histogram_quantile(0.99, sum by (le, rpc_method) (rate(rpc_server_call_duration_seconds_bucket[5m]))) > 1",
            answered().p99(FIVE).by(&[by]).above(1.0),
            all_is_well,
            |scope, _| called_by_grpc(scope, GrpcCode::Ok, SLOW),
        ),
        story(
            "sum(rpc_server_call_active) > 100",
            series("rpc.server.call.active").last().sum().above(100.0),
            all_is_well,
            |_, held| held.push(Box::new(CALLS.start("shop.Orders/Get"))),
        ),
        story(
            r#"sum by (server_address) (rate(rpc_client_call_duration_seconds_count{ rpc_response_status_code=~"UNAVAILABLE|DEADLINE_EXCEEDED|INTERNAL|UNKNOWN"}[5m])) / sum by (server_address) (rate(rpc_client_call_duration_seconds_count[5m])) > 0.05"#,
            share(refused, made(), FIVE, by_server).above(0.05),
            all_is_well,
            |scope, _| called_by_grpc(scope, GrpcCode::Unavailable, QUICK),
        ),
        story(
            "histogram_quantile(0.99, sum by (le, server_address) (rate(rpc_client_call_duration_seconds_bucket[5m]))) > 2",
            made().p99(FIVE).by(&[by_server]).above(2.0),
            all_is_well,
            |scope, _| called_by_grpc(scope, GrpcCode::Ok, SLOW),
        ),
    ]
}

fn of_connections() -> Vec<Story> {
    let by = "db.client.connection.pool.name";
    let used = series("db.client.connection.count").label("db.client.connection.state", "used");
    let all_is_well: Step = |scope, held| {
        held.clear();
        POOL.set_max(10);
        let waiting = POOL.wait();
        scope.advance(QUICK);
        let used = waiting.acquired();
        scope.advance(QUICK);
        drop(used);
    };
    vec![
        story(
            r#"sum by (db_client_connection_pool_name) ( db_client_connection_count{db_client_connection_state="used"}) / sum by (db_client_connection_pool_name) (db_client_connection_max) > 0.9"#,
            ratio(used.last().by(&[by]), series("db.client.connection.max").last().by(&[by]))
                .above(0.9),
            all_is_well,
            |_, held| {
                if held.len() < 10 {
                    held.push(Box::new(POOL.wait().acquired()));
                }
            },
        ),
        story(
            "sum by (db_client_connection_pool_name) (increase(db_client_connection_timeouts_total[5m])) > 0",
            series("db.client.connection.timeouts").increase(FIVE).by(&[by]).above(0.0),
            all_is_well,
            |_, _| POOL.wait().timed_out(),
        ),
        story(
            "histogram_quantile(0.99, sum by (le, db_client_connection_pool_name) (rate(db_client_connection_wait_time_seconds_bucket[5m]))) > 0.1",
            series("db.client.connection.wait_time").p99(FIVE).by(&[by]).above(0.1),
            all_is_well,
            |scope, _| {
                let waiting = POOL.wait();
                scope.advance(SLOW);
                drop(waiting.acquired());
            },
        ),
        story(
            "histogram_quantile(0.99, sum by (le, db_client_connection_pool_name) (rate(db_client_connection_use_time_seconds_bucket[5m]))) > 5",
            series("db.client.connection.use_time").p99(FIVE).by(&[by]).above(5.0),
            all_is_well,
            |scope, _| {
                let used = POOL.wait().acquired();
                scope.advance(SLOW);
                drop(used);
            },
        ),
    ]
}

fn of_threads() -> Vec<Story> {
    let by = "thread_pool.name";
    let used = series("thread_pool.thread.count").label("thread_pool.thread.state", "used");
    let all_is_well: Step = |scope, held| {
        held.clear();
        WORKERS.set_max(4);
        let waiting = WORKERS.wait();
        scope.advance(QUICK);
        drop(waiting.acquired());
    };
    vec![
        story(
            r#"sum by (thread_pool_name) (thread_pool_thread_count{thread_pool_thread_state="used"}) / sum by (thread_pool_name) (thread_pool_thread_max) > 0.95"#,
            ratio(used.last().by(&[by]), series("thread_pool.thread.max").last().by(&[by]))
                .above(0.95),
            all_is_well,
            |_, held| {
                if held.len() < 4 {
                    held.push(Box::new(WORKERS.wait().acquired()));
                }
            },
        ),
        story(
            "histogram_quantile(0.99, sum by (le, thread_pool_name) (rate(thread_pool_task_wait_time_seconds_bucket[5m]))) > 0.1",
            series("thread_pool.task.wait_time").p99(FIVE).by(&[by]).above(0.1),
            all_is_well,
            |scope, _| {
                let waiting = WORKERS.wait();
                scope.advance(SLOW);
                drop(waiting.acquired());
            },
        ),
        story(
            "sum by (thread_pool_name) (increase(thread_pool_task_timeouts_total[5m])) > 0",
            series("thread_pool.task.timeouts").increase(FIVE).by(&[by]).above(0.0),
            all_is_well,
            |_, _| WORKERS.wait().timed_out(),
        ),
    ]
}

fn of_queues() -> Vec<Story> {
    let by = "queue.name";
    let processed = || series("queue.processing.duration");
    let (ways_in, ways_out) = (series("queue.in"), series("queue.out"));
    let catches_up =
        ratio(ways_in.rate(3 * FIVE).by(&[by]), ways_out.clone().rate(3 * FIVE).by(&[by]));
    let stands = vec![
        Rule::new("Waits", series("queue.length").last().by(&[by]).above(0.0)),
        Rule::new("Stands", ways_out.rate(FIVE).by(&[by]).equal_to(0.0)),
    ];
    let all_is_well: Step = |scope, held| {
        held.clear();
        QUEUE.set_oldest(Duration::ZERO);
        let ticket = QUEUE.enter();
        scope.advance(QUICK);
        ticket.leave().end(Outcome::Ok);
    };
    vec![
        story(
            "histogram_quantile(0.99, sum by (le, queue_name) (rate(queue_lag_seconds_bucket[5m]))) > 30",
            series("queue.lag").p99(FIVE).by(&[by]).above(30.0),
            all_is_well,
            |_, _| QUEUE.take(Some(MINUTE)).end(Outcome::Ok),
        ),
        Story {
            expression: "sum by (queue_name) (queue_length) > 0 and sum by (queue_name) (rate(queue_out_total[5m])) == 0",
            twin: stands,
            well: all_is_well,
            trouble: |_, held| held.push(Box::new(QUEUE.enter())),
        },
        story(
            "max by (queue_name) (queue_oldest_age_seconds) > 60",
            series("queue.oldest.age").last().by(&[by]).above(60.0),
            all_is_well,
            |_, _| QUEUE.set_oldest(FIVE),
        ),
        story(
            "sum by (queue_name) (rate(queue_in_total[15m])) > 1.1 * sum by (queue_name) (rate(queue_out_total[15m]))",
            catches_up.above(1.1),
            all_is_well,
            |_, held| {
                held.push(Box::new(QUEUE.enter()));
                QUEUE.enter().leave().end(Outcome::Ok);
            },
        ),
        story(
            "sum by (queue_name) (increase(queue_dropped_total[5m])) > 0",
            series("queue.dropped").increase(FIVE).by(&[by]).above(0.0),
            |scope, _| {
                let ticket = QUEUE.enter();
                scope.advance(QUICK);
                ticket.leave().end(Outcome::Ok);
            },
            |_, _| drop(QUEUE.enter()),
        ),
        story(
            r#"sum by (queue_name) (rate(queue_processing_duration_seconds_count{outcome=~"error|panic"}[5m])) / sum by (queue_name) (rate(queue_processing_duration_seconds_count[5m])) > 0.05"#,
            share(processed().label_one_of("outcome", ["error", "panic"]), processed(), FIVE, by)
                .above(0.05),
            all_is_well,
            |_, _| QUEUE.enter().leave().end(Outcome::Error),
        ),
    ]
}

/// Whether the rules hold after each of three parts: well, in trouble, well again.
fn told(story: Story) -> [bool; 3] {
    let scope = testing::scope();
    let (n_rules, mut held) = (story.twin.len(), Held::new());
    let mut alerts = scope.alerts(story.twin).expect("rules that are sound");
    let mut part = |step: Step| {
        // Longer than the longest range.
        for _ in 0..2 * HALF_HOUR.as_secs() / STEP.as_secs() {
            step(&scope, &mut held);
            scope.advance(STEP);
            alerts.tick();
        }
        let firing = alerts.alerts().into_iter();
        firing.filter(|alert| alert.state().as_str() == "firing").count() >= n_rules
    };
    let (well, trouble) = (story.well, story.trouble);
    [part(well), part(trouble), part(well)]
}

fn stories() -> Vec<Story> {
    let all = [
        of_caches(),
        of_databases(),
        of_servers(),
        of_clients(),
        of_calls(),
        of_connections(),
        of_threads(),
        of_queues(),
    ];
    all.into_iter().flatten().collect()
}

#[test]
fn each_expression_fires_in_its_trouble_and_at_no_other_time() {
    for story in stories() {
        let expression = story.expression;
        assert_eq!(told(story), [false, true, false], "{expression}");
    }
}

#[test]
fn every_expression_of_the_bundles_pages_has_a_story() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bundle");
    let mut documented = Vec::new();
    for file in fs::read_dir(folder).expect("a readable folder") {
        let text = fs::read_to_string(file.expect("a readable entry").path()).expect("a source");
        for block in text.split("/// ```promql\n").skip(1) {
            let (block, _) = block.split_once("/// ```").expect("the end of a block");
            let words = |part: &str| {
                let part = part.replace("///", " ");
                part.split_whitespace().collect::<Vec<_>>().join(" ")
            };
            documented.extend(block.split("\n///\n").map(words));
        }
    }
    let mut told: Vec<String> = stories().iter().map(|s| s.expression.to_owned()).collect();
    documented.sort();
    told.sort();
    assert_eq!(documented, told);
}
