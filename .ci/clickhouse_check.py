"""ClickHouse's engine, of PyPI's `chdb`, behind an HTTP face; and what arrived of `tests/backends/clickhouse`.

    clickhouse_check.py serve PORT FOLDER          users, settings, compression and exceptions as in ClickHouse's
                                                   documentation of its HTTP interface; each third insert is done and
                                                   not answered
    clickhouse_check.py check URL SENT             every row is as it was sent, once
"""

import gzip
import http.server
import json
import os
import re
import sys
import tempfile
import threading
import urllib.parse
import urllib.request

PASSWORDS = {"ann": "secret"}
SETTINGS = {
    "insert_deduplication_token",
    "input_format_skip_unknown_fields",
    "deduplicate_blocks_in_dependent_materialized_views",
}
STATUS = {516: 403, 497: 403, 60: 404, 81: 404, 27: 400, 62: 400, 115: 400, 241: 500, 252: 500}


def serve(port, folder):
    from chdb import session

    engine = session.Session(folder)
    one_at_a_time = threading.Lock()
    inserts = 0

    class Face(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            nonlocal inserts
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            if PASSWORDS.get(self.headers.get("x-clickhouse-user")) != self.headers.get("x-clickhouse-key"):
                return self.exception(516, "Authentication failed")
            arguments = urllib.parse.parse_qs(urllib.parse.urlparse(self.path).query)
            query = arguments.pop("query", [""])[0]
            unknown = set(arguments) - SETTINGS
            if unknown:
                return self.exception(115, f"Unknown setting {unknown}")
            try:
                with one_at_a_time:
                    if query.upper().startswith("INSERT"):
                        answer = self.insert(query, arguments, body)
                        inserts += 1
                        if inserts % 3 == 0:
                            self.close_connection = True
                            return
                    else:
                        answer = engine.query(query + body.decode(), "JSONEachRow")
            except Exception as error:
                code = re.search(r"Code: (\d+)", str(error))
                return self.exception(int(code[1]) if code else 1002, str(error))
            self.answer(200, (answer and answer.bytes()) or b"")

        def insert(self, query, arguments, body):
            into, form = re.fullmatch(r"(INSERT INTO .*) FORMAT (\w+)", query, re.S).groups()
            settings = ", ".join(f"{name} = '{value[0]}'" for name, value in arguments.items())
            with tempfile.NamedTemporaryFile(delete=False) as file:
                file.write(body)
            try:
                return engine.query(f"{into} FROM INFILE '{file.name}' SETTINGS {settings} FORMAT {form}")
            finally:
                os.unlink(file.name)

        def exception(self, code, text):
            body = f"Code: {code}. DB::Exception: {text}".encode()
            self.answer(STATUS.get(code, 500), body, [("X-ClickHouse-Exception-Code", str(code))])

        def answer(self, status, body, headers=()):
            self.send_response(status)
            for header in [*headers, ("Content-Length", str(len(body)))]:
                self.send_header(*header)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Face).serve_forever()


def ask(url, query):
    headers = {"x-clickhouse-user": "ann", "x-clickhouse-key": "secret"}
    request = urllib.request.Request(url, query.encode(), headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        # Not `splitlines`, to which hostile texts have line breaks.
        return [json.loads(line) for line in answer.read().decode().split("\n") if line]


def compare(what, found, wanted):
    if found != wanted:
        sys.exit(f"{what}: {str(found)[:500]}, and {str(wanted)[:500]} was sent")
    print(f"{what}: {str(found)[:120]}")


def same(what, found, wanted):
    by_row = lambda rows: sorted(json.dumps(row, sort_keys=True) for row in rows)
    found, wanted = by_row(found), by_row(wanted)
    if found != wanted:
        sys.exit(f"{what}: {len(found)} rows, and {len(wanted)} were sent; {set(found) ^ set(wanted)}"[:2000])
    print(f"{what}: {len(found)} rows, each as it was sent")


def check(url, path):
    with open(path) as file:
        sent = json.load(file)
    time = "toUInt64(toUnixTimestamp64Nano(Timestamp)) AS Time"
    numbers = "SETTINGS output_format_json_quote_64bit_integers = 0"
    spans = ask(url, f"SELECT {time}, TraceId, SpanId, Duration, SpanName, SpanAttributes['cart'] AS Cart FROM otel_traces {numbers}")
    same("spans", spans, sent["spans"])
    logs = ask(url, f"SELECT {time}, Body, ScopeName, SeverityNumber, LogAttributes AS Attributes FROM otel_logs {numbers}")
    for log in logs:
        log["Attributes"].pop("truncated_texts", None)  # The longest text is cut by the crate itself.
    same("logs", logs, sent["logs"])
    [row] = ask(url, f"SELECT count() AS n, uniqExact(tuple(MetricName, Attributes, Timestamp)) AS distinct FROM otel_samples {numbers}")
    compare("samples", row, {"n": sent["sent"]["metrics"], "distinct": sent["sent"]["metrics"]})
    rounds = sent["rounds"]
    last = ask(url, f"SELECT Attributes['route'] AS route, max(Value) AS total FROM otel_samples WHERE MetricName = 'orders' GROUP BY route {numbers}")
    wanted = {'/a b,c="d"': 3 * rounds, "é": 4 * rounds, "a\nb\\": rounds, "'; DROP TABLE x": 2 * rounds}
    compare("orders", {row["route"]: row["total"] for row in last}, wanted)
    [row] = ask(url, "SELECT max(Sum) AS sum, max(Value) AS count, max(P50) AS p50, max(arraySum(Counts)) AS counts FROM otel_samples WHERE MetricName = 'time' " + numbers)
    compare("time", {**row, "p50": round(row["p50"], 2)}, {"sum": 0.5 * rounds, "count": rounds, "p50": 0.5, "counts": rounds})
    [row] = ask(url, f"SELECT any(isInfinite(Value)) AS odd FROM otel_samples WHERE MetricName = 'odd' {numbers}")
    compare("odd", row, {"odd": 1})
    # The queries of the module's page, each by another way as well.
    [row] = ask(url, f"SELECT sum(Sum) / sum(Samples) AS mean FROM otel_minutes WHERE MetricName = 'load' {numbers}")
    compare("load by minute", round(row["mean"] * 1e7, 6), -1.0)
    [row] = ask(url, f"SELECT sum(Samples) AS n FROM otel_minutes {numbers}")
    compare("samples by minute", row["n"], sent["sent"]["metrics"])
    [row] = ask(url, f"SELECT countIf(StatusCode = 'Error') / count() AS share FROM otel_traces WHERE ParentSpanId = '' AND Timestamp > now() - INTERVAL 1 HOUR {numbers}")
    compare("share of errors", row["share"], 1)
    [row] = ask(url, f"SELECT quantile(0.99)(Duration) / 1e9 AS p99 FROM otel_traces {numbers}")
    durations = [span["Duration"] for span in sent["spans"]]
    assert 0.99 * min(durations) <= row["p99"] * 1e9 <= 1.01 * max(durations)
    one = sent["spans"][7]
    rows = ask(url, f"SELECT SpanId FROM otel_traces WHERE TraceId = '{one['TraceId']}' ORDER BY Timestamp")
    compare("a trace", rows, [{"SpanId": one["SpanId"]}])


match sys.argv[1:]:
    case ["serve", port, folder]:
        serve(port, folder)
    case ["check", url, path]:
        check(url, path)
    case _:
        sys.exit(__doc__)
