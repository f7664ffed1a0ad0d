"""What arrived of `tests/backends/sql` in a database: each record as it was sent, and once.

    sql_check.py sqlite PATH SENT            by Python's own SQLite
    sql_check.py postgres URL SENT           by psql
    sql_check.py mysql URL SENT              by MariaDB's client

The queries of the module's page are asked as they stand there, and their answers computed from the records.
"""

import collections
import json
import math
import sqlite3
import subprocess
import sys
import urllib.parse

KIND, PLACE, SENT = sys.argv[1:]


def ask(query):
    """The rows of a query, as texts."""
    if KIND == "sqlite":
        with sqlite3.connect(PLACE) as file:
            return [["" if value is None else str(value) for value in row] for row in file.execute(query)]
    if KIND == "postgres":
        out = run(["psql", PLACE, "-XAt", "-F", "\t", "-c", query])
    else:
        url = urllib.parse.urlparse(PLACE)
        out = run(["mariadb", "--no-defaults", "-NB", "--default-character-set=utf8mb4", f"-h{url.hostname}",
                   f"-P{url.port}", f"-u{url.username}", f"-p{url.password}", url.path[1:], "-e", query])
    return [line.split("\t") for line in out.splitlines()]


def run(command):
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if result.returncode:
        sys.exit(f"{command[0]}: {result.stderr}")
    return result.stdout


def columns(names, rest):
    """The rows of these columns with every byte of their texts: in hexadecimal digits on the way."""
    digits = {
        "sqlite": "hex(CAST({0} AS TEXT))",
        "postgres": "encode(convert_to({0}::text, 'UTF8'), 'hex')",
        "mysql": "hex(CAST({0} AS CHAR))",
    }[KIND]
    whole = "CASE WHEN {0} IS NULL THEN 'null' ELSE " + digits + " END"
    rows = ask(f"SELECT {', '.join(whole.format(name) for name in names)} FROM {rest}")
    read = lambda text: None if text == "null" else bytes.fromhex(text).decode()
    return [tuple(read(text) for text in row) for row in rows]


def same(what, found, wanted):
    found, wanted = collections.Counter(found), collections.Counter(wanted)
    if found != wanted:
        there, here = (found - wanted).most_common(3), (wanted - found).most_common(3)
        sys.exit(f"{what}: {found.total()} rows, and {wanted.total()} were sent; only there, only here: {there}, {here}"[:3000])
    print(f"{what}: {found.total()} rows, each as it was sent")


def near(what, found, wanted):
    close = len(found) == len(wanted) and all(
        a == b or isinstance(b, float) and math.isclose(float(a), b, rel_tol=1e-9) for a, b in zip(found, wanted)
    )
    if not close:
        sys.exit(f"{what}: {found}, and {wanted} was computed")
    print(f"{what}: {str(found)[:100]}")


def documented(begin):
    """The statements of the page's block that begins with this comment."""
    with open("src/export/sql/mod.rs") as page:
        lines = [line.removeprefix("//!").removeprefix(" ").rstrip("\n") for line in page if line.startswith("//!")]
    start = next(place for place, line in enumerate(lines) if line.startswith(begin)) + 1
    block = "\n".join(lines[start : lines.index("```", start)])
    return [text.strip() for text in block.split(";") if text.strip()]


def stored(text):
    """PostgreSQL has no U+0000 in its texts."""
    return text.replace("\0", "\ufffd") if KIND == "postgres" and text is not None else text


def cart_of(attributes):
    cart = json.loads(attributes).get("cart")
    return cart if cart is None or isinstance(cart, str) else str(cart)


def spans(sent):
    names = ["trace_id", "span_id", "start", "duration", "name", "status", "status_message", "attributes"]
    found = [
        (trace, span, int(start), int(duration), name, status, message, cart_of(attributes), json.loads(attributes).get("http.route"))
        for trace, span, start, duration, name, status, message, attributes in columns(names, "bellwether_spans")
    ]
    wanted = [
        (trace, span, start, duration, stored(name), status, stored(message) or None, stored(cart), route)
        for trace, span, start, duration, name, status, message, cart, route in sent["spans"]
    ]
    same("spans", found, wanted)
    events = columns(["events"], "bellwether_spans WHERE name = 'check \"out\"' LIMIT 1")
    assert json.loads(events[0][0])[0]["name"] == "retry\t", events


def logs(sent):
    names = ["time", "body", "target", "severity", "event_name", "severity_text", "attributes"]
    found = [
        (int(time), body, target, int(severity), event, word, cart_of(attributes))
        for time, body, target, severity, event, word, attributes in columns(names, "bellwether_logs")
    ]
    wanted = [
        (time, stored(body), stored(target), severity, stored(event), stored(word), stored(cart))
        for time, body, target, severity, event, word, cart in sent["logs"]
    ]
    same("logs", found, wanted)


def metrics(sent):
    joined = "bellwether_samples JOIN bellwether_series ON id = series"
    n = int(ask(f"SELECT count(*) FROM {joined}")[0][0])
    near("samples", [n], [sent["sent"][f"{KIND} metrics"]])
    assert ask("SELECT count(*) FROM bellwether_resources") == [["1"]]
    found = {}
    for name, labels, value, total, count, p50, buckets in columns(
        ["name", "labels", "value", "sum", "count", "p50", "buckets"], f"{joined} ORDER BY time"
    ):
        found[name, json.dumps(json.loads(labels), sort_keys=True)] = value, total, count, p50, buckets
    last = lambda name, labels: found[name, json.dumps(labels, sort_keys=True)]
    rounds = sent["rounds"]
    for route, by in {'/a b,c="d"': 3, "é": 4, "a\nb\\": 1, "'; DROP TABLE x": 2}.items():
        near(f"orders {route!r}", [last("orders", {"route": route})[0]], [float(by * rounds)])
    value, total, count, p50, buckets = last("time", {})
    near("time", [total, float(count), p50], [0.5 * rounds, float(rounds), float(p50)])
    assert value is None and abs(float(p50) - 0.5) < 0.01
    assert [bucket[2] for bucket in json.loads(buckets)] == [rounds], buckets
    texts = {json.loads(labels).get("text", "") for name, labels in found if name == "texts"}
    wanted = {stored(text[:200]) for text in sent["hostile"]}
    assert texts == wanted, texts ^ wanted
    odd = [row for row in found if row[0] == "odd"]
    assert len(odd) == (0 if KIND == "mysql" else 1), odd
    if odd:
        assert float(found[odd[0]][0]) == math.inf, found[odd[0]]
    # The plain table has the same numbers, by the text of their series.
    plain = {}
    for source, value in columns(["source", "value"], "monitor_data ORDER BY timestamp"):
        plain[source] = float(value)
    near("plain orders", [plain['orders{route="/a b,c=\\"d\\""}']], [float(3 * rounds)])
    near("plain time", [plain["time.sum"], plain["time.count"]], [0.5 * rounds, float(rounds)])
    instants = ask("SELECT count(DISTINCT timestamp) FROM monitor_data WHERE source = 'load'")
    n_load = ask("SELECT count(*) FROM monitor_data WHERE source = 'load'")
    assert instants == n_load, (instants, n_load)


def queries(sent):
    begin = {"sqlite": "-- SQLite", "postgres": "-- PostgreSQL", "mysql": "-- MySQL"}[KIND]
    by_minute, of_errors, by_route = documented(begin)
    [of_trace] = documented("-- All")
    means = {}
    for time, value in columns(["time", "value"], "bellwether_samples JOIN bellwether_series ON id = series WHERE name = 'load'"):
        means.setdefault(int(time) // 60_000_000_000, []).append(float(value))
    wanted = [sum(values) / len(values) for _, values in sorted(means.items())]
    near("load by minute", [row[1] for row in ask(by_minute)], wanted)
    statuses = [row[5] for row in sent["spans"]]
    near("share of errors", ask(of_errors)[0], [statuses.count("error") / len(statuses)])
    routes = {}
    for row in sent["spans"]:
        if row[8] is not None:
            routes.setdefault(row[8], []).append(row[3])
    found = {row[0]: float(row[1]) for row in ask(by_route) if row[0] in routes}
    assert len(found) == len(routes) == 3, found
    for route, durations in routes.items():
        durations.sort()
        near(f"P99 of {route}", [found[route]], [durations[math.ceil(len(durations) * 0.99) - 1] / 1e9])
    trace, span = sent["spans"][7][:2]
    before, _, after = of_trace.split("'")
    rows = ask(f"{before}'{trace}'{after}")
    assert [row[1] for row in rows] == [span], rows


with open(SENT) as file:
    sent = json.load(file)
spans(sent)
logs(sent)
metrics(sent)
queries(sent)
