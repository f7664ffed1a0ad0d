//! What the bundles' pages say to alert on is on the page: every name in their expressions.
//!
//! The expressions are also written to `target/tmp/bundle_alerts.yml`, one rule each, for
//! `promtool check rules`.

use std::{collections::BTreeSet, fs, path::Path};

use bellwether::{
    bundle::{
        Cache, ConnectionPool, Database, GrpcClient, GrpcCode, GrpcServer, HttpClient, HttpServer,
        Queue, ThreadPool,
    },
    context::Outcome,
    export::prometheus::{Format, render},
    metric::Registry,
    resource::Resource,
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

#[test]
fn every_name_in_an_expression_is_on_the_page() {
    use_everything();
    let _in_flight = SERVER.start("GET", "/");
    let page = render(&Registry::global().snapshot(), &Resource::service("test"), Format::Text);
    let page = String::from_utf8(page).expect("text");
    let on_page: BTreeSet<String> = names(&page).collect();
    let expressions = expressions();
    assert!(expressions.len() >= 20, "only {} expressions found", expressions.len());
    for expression in &expressions {
        for name in names(&without_texts(expression)).filter(|name| name.contains('_')) {
            let is_function = ["histogram_quantile"].contains(&name.as_str());
            assert!(is_function || on_page.contains(&name), "{name} of {expression}\n{page}");
        }
    }
    fs::write(
        Path::new(env!("CARGO_TARGET_TMPDIR")).join("bundle_alerts.yml"),
        rules(&expressions),
    )
    .unwrap();
}

fn use_everything() {
    SERVER.start("GET", "/").end(500);
    CLIENT.start("GET", "localhost", 80).end(200);
    CALLS.start("shop.Orders/Get").end(GrpcCode::Internal);
    STOCK.start("shop.Stock/Take", "localhost", 80).end(GrpcCode::Ok);
    POOL.set_max(1);
    drop(POOL.wait().acquired());
    WORKERS.set_max(1);
    drop(WORKERS.wait().acquired());
    CACHE.lookup().miss();
    QUEUE.set_oldest(std::time::Duration::ZERO);
    QUEUE.enter().leave().end(Outcome::Ok);
    DATABASE.call("SELECT").ok();
    DATABASE.call("SELECT").error("23505"); // A label without a value is not on the page.
    drop(DATABASE.wait_for_lock());
}

/// The blocks of PromQL in the bundles' pages; an empty line is between two expressions.
fn expressions() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bundle");
    let mut expressions = Vec::new();
    for file in fs::read_dir(folder).expect("a readable folder") {
        let path = file.expect("a readable entry").path();
        let text = fs::read_to_string(path).expect("a readable source file");
        for block in text.split("/// ```promql\n").skip(1) {
            let (block, _) = block.split_once("/// ```").expect("the end of a block");
            let expression = |part: &str| part.replace("///", "").trim().replace('\n', " ");
            expressions.extend(block.split("\n///\n").map(expression));
        }
    }
    expressions
}

/// Every word that could be a name: of a metric, a label or a function.
fn names(text: &str) -> impl Iterator<Item = String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with(|c: char| c.is_ascii_lowercase())).map(str::to_owned)
}

/// The expression without what stands in quotes.
fn without_texts(expression: &str) -> String {
    expression.split('"').step_by(2).collect()
}

fn rules(expressions: &[String]) -> String {
    let rule = |(n, expression): (usize, &String)| {
        format!("  - alert: Bundle{n}\n    expr: '{}'\n", expression.replace('\'', "''"))
    };
    let rules: String = expressions.iter().enumerate().map(rule).collect();
    format!("groups:\n- name: bundles\n  rules:\n{rules}")
}
