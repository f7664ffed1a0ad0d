#!/usr/bin/env python3
"""What arrived of what `examples/send.rs` of `tests/backends/otlp` sent by OTLP.

otlp_check.py sink PORT FILE           receives OTLP over HTTP, and appends what it decodes to FILE
otlp_check.py forwarded SENT FILE NAME...
                                       compares all of SENT with what a collector forwarded to the sink, but
                                       for the metrics of these names
otlp_check.py prometheus SENT URL      compares the metrics of SENT with what Prometheus answers
otlp_check.py otelite SENT URL         compares spans and logs of SENT with what otelite answers
"""

import base64
import json
import math
import sys
import urllib.parse
import urllib.request


def sink(port, path):
    import gzip
    import http.server

    from google.protobuf.json_format import MessageToDict, Parse
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    requests = {
        "/v1/traces": ExportTraceServiceRequest,
        "/v1/logs": ExportLogsServiceRequest,
        "/v1/metrics": ExportMetricsServiceRequest,
    }

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            message = requests[self.path]()
            # As protobuf maps to JSON, but for the ids: these are hex, and stay so as they are no base64.
            if self.headers.get("Content-Type") == "application/json":
                Parse(body, message)
            else:
                message.ParseFromString(body)
            with open(path, "a") as file:
                file.write(json.dumps(MessageToDict(message)) + "\n")
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Handler).serve_forever()


def value_of(any_value):
    """A value as JSON has it, of one as OTLP has it."""
    [(kind, value)] = any_value.items() or [("", None)]
    if kind == "intValue":
        return int(value)
    if kind == "arrayValue":
        return [value_of(item) for item in value.get("values", [])]
    return value


def attributes_of(message):
    return {each["key"]: value_of(each["value"]) for each in message.get("attributes", [])}


def hex_of(text):
    if text and len(text) in (16, 32):
        return text
    return base64.b64decode(text).hex() if text else None


def span_of(span):
    return {
        "trace": hex_of(span["traceId"]),
        "id": hex_of(span["spanId"]),
        "parent": hex_of(span.get("parentSpanId")),
        "name": span["name"],
        "kind": span["kind"],
        "start": span["startTimeUnixNano"],
        "end": span["endTimeUnixNano"],
        "attributes": attributes_of(span),
        "error": span.get("status", {}).get("code") == "STATUS_CODE_ERROR",
        "events": [attributes_of(event) for event in span.get("events", [])],
    }


def log_of(log):
    names = ["UNSPECIFIED"]
    for level in ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"]:
        names += [level, level + "2", level + "3", level + "4"]
    return {
        "body": value_of(log["body"]),
        "severity": names.index(log["severityNumber"].removeprefix("SEVERITY_NUMBER_")),
        "text": log["severityText"],
        "time": log["timeUnixNano"],
        "event": log.get("eventName"),
        "attributes": attributes_of(log),
    }


def points_of(metric):
    for kind in ["sum", "gauge"]:
        for point in metric.get(kind, {}).get("dataPoints", []):
            value = float(point.get("asDouble", point.get("asInt", 0)))
            yield {"name": metric["name"], "labels": attributes_of(point), "value": value}
    for point in metric.get("exponentialHistogram", {}).get("dataPoints", []):
        positive = point.get("positive", {})
        counts = map(int, positive.get("bucketCounts", []))
        buckets = enumerate(counts, positive.get("offset", 0))
        value = {
            "count": int(point["count"]),
            "sum": point["sum"],
            "scale": point.get("scale", 0),
            "zero": int(point.get("zeroCount", 0)),
            "buckets": [[index, count] for index, count in buckets if count],
        }
        yield {"name": metric["name"], "labels": attributes_of(point), "value": value}


def forwarded(sent_path, path, *left_out):
    arrived = {"spans": [], "logs": [], "metrics": []}
    with open(path) as lines:
        for line in map(json.loads, lines):
            for signal, resources, scopes, records in [
                ("spans", "resourceSpans", "scopeSpans", "spans"),
                ("logs", "resourceLogs", "scopeLogs", "logRecords"),
                ("metrics", "resourceMetrics", "scopeMetrics", "metrics"),
            ]:
                for resource in line.get(resources, []):
                    assert attributes_of(resource["resource"])["service.name"] == "shop"
                    for scope in resource[scopes]:
                        assert scope["scope"]["name"] == "bellwether", scope["scope"]
                        arrived[signal] += scope[records]
    found = {
        "spans": list(map(span_of, arrived["spans"])),
        "logs": list(map(log_of, arrived["logs"])),
        "metrics": [point for metric in arrived["metrics"] for point in points_of(metric)],
    }
    sent = json.load(open(sent_path))
    for records in [sent["metrics"], found["metrics"]]:
        records[:] = [record for record in records if record["name"] not in left_out]
    compare(sent, found)


def compare(sent, found):
    def ordered(records):
        return sorted(json.dumps(record, sort_keys=True) for record in records)

    for signal, records in sent.items():
        for record in records:
            if isinstance(record.get("value"), int):
                record["value"] = float(record["value"])
        expected, actual = ordered(records), ordered(found[signal])
        wrong = [pair for pair in zip(expected, actual) if pair[0] != pair[1]]
        assert len(expected) == len(actual), f"{signal}: sent {len(expected)}, found {len(actual)}"
        assert not wrong, f"{signal}: {len(wrong)} differ; the first: {wrong[0][0]} {wrong[0][1]}"
        print(f"{signal}: {len(actual)} arrived, all equal")


def prometheus(sent_path, url):
    def series(query):
        query = urllib.parse.urlencode({"query": query})
        with urllib.request.urlopen(f"{url}/api/v1/query?{query}", timeout=5) as answer:
            return json.load(answer)["data"]["result"]

    def labels_of(one):
        labels = dict(one["metric"])
        assert (labels.pop("job"), labels.pop("instance")) == ("shop", "one"), one
        labels.pop("__name__")
        return {key: value for key, value in labels.items() if not key.startswith("otel_scope_")}

    names = {
        "shop.orders": "shop_orders_total",
        "shop.open": "shop_open",
        "shop.level": "shop_level",
        "shop.latency": "shop_latency_seconds",
    }
    found = []
    for name, of_prometheus in names.items():
        for one in series(of_prometheus):
            labels = labels_of(one)
            if "histogram" in one:
                value = histogram_of(one["histogram"][1])
            else:
                value = float(one["value"][1])
            found.append({"name": name, "labels": labels, "value": value})
    sent = {"metrics": json.load(open(sent_path))["metrics"]}
    for point in sent["metrics"]:
        if isinstance(point["value"], dict):
            value = point["value"]
            base = 2 ** (2 ** -value["scale"])
            value["buckets"] = [[bound(base ** (index + 1)), n] for index, n in value["buckets"]]
            del value["scale"], value["zero"]
    compare(sent, {"metrics": found})


def text_of(value):
    """A value as otelite keeps it: as a text."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value)


def texts_of(attributes):
    """Attributes without those of the scope, which otelite adds."""
    own = {key: value for key, value in attributes.items() if not key.startswith("otel.scope.")}
    return {key: text_of(value) for key, value in own.items()}


def otelite(sent_path, url):
    def ask(path):
        with urllib.request.urlopen(url + path) as answer:
            return json.load(answer)

    sent = json.load(open(sent_path))
    spans = []
    for trace in sorted({span["trace"] for span in sent["spans"]}):
        for span in ask(f"/api/traces/{trace}")["spans"]:
            spans.append([
                span["trace_id"], span["span_id"], span["parent_span_id"], span["name"],
                f"SPAN_KIND_{span['kind'].upper()}", str(span["start_time"]), str(span["end_time"]),
                span["status"]["code"] == "Error", texts_of(span["attributes"]), len(span["events"]),
            ])
    wanted = [
        [
            span["trace"], span["id"], span["parent"], span["name"], span["kind"], span["start"], span["end"],
            span["error"], texts_of(span["attributes"]), len(span["events"]),
        ]
        for span in sent["spans"]
    ]
    logs = [
        [str(log["timestamp"]), log["severity_text"], log["body"], texts_of(log["attributes"])]
        for log in ask("/api/logs?start_time=0&limit=1000")["logs"]
    ]
    wanted_logs = [
        [log["time"], log["text"], log["body"], texts_of(log["attributes"])] for log in sent["logs"]
    ]
    for what, found, expected in [("spans", spans, wanted), ("logs", logs, wanted_logs)]:
        found, expected = (sorted(each, key=lambda one: json.dumps(one, sort_keys=True)) for each in (found, expected))
        for one, other in zip(found, expected):
            if one != other:
                sys.exit(f"{what}: {json.dumps(one)}\nwas sent as {json.dumps(other)}")
        if len(found) != len(expected):
            sys.exit(f"{what}: {len(found)} of {len(expected)}")
        print(f"{len(found)} {what}, each as it was sent")


def histogram_of(histogram):
    """Without the bucket around zero; a bucket by its upper bound."""
    buckets = [[float(upper), float(lower), int(n)] for _, lower, upper, n in histogram["buckets"]]
    return {
        "count": int(histogram["count"]),
        "sum": float(histogram["sum"]),
        "buckets": [[bound(upper), n] for upper, lower, n in buckets if lower > 0],
    }


def bound(value):
    return f"{value:.9g}" if math.isfinite(value) else str(value)


if __name__ == "__main__":
    {"sink": sink, "forwarded": forwarded, "prometheus": prometheus, "otelite": otelite}[sys.argv[1]](*sys.argv[2:])
