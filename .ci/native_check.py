"""Asks Prometheus what it makes of native histograms and exemplars.

    native_check.py serve PORT PAGE               serves a protobuf page at /metrics, until killed
    native_check.py known URL KNOWN               the histogram of that page against its values
    native_check.py shop URL LOAD SPANS OPENMETRICS   the histograms of `shop` against its spans

A native histogram answers a quantile from the bucket that the nearest rank of the values falls into:
that is checked, with the bounds that Prometheus itself states. So the error is at most the width of a
bucket, which must be that of schema 3 or finer. Each ends with 1 at the first thing that is not so.
"""

import http.server
import json
import math
import re
import sys

from shop_check import ask, check, expected_counts, histogram_of, nearest_rank, observed_durations, \
    of_request, read_load, read_spans

CONTENT_TYPE = ("application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily;"
                " encoding=delimited")
QUANTILES = (0.1, 0.5, 0.9, 0.99, 0.999)
WIDEST = 2 ** (1 / 8)  # Schema 3.


def serve(port, path):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            with open(path, "rb") as file:
                page = file.read()
            self.send_response(200)
            self.send_header("Content-Type", CONTENT_TYPE)
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, *_):
            pass

    http.server.HTTPServer(("127.0.0.1", int(port)), Handler).serve_forever()


def histograms(url, selector):
    """The native histograms of a selector: (labels, count, sum, buckets as (left, right, count))."""
    found = []
    for sample in ask(url, "query", query=selector)["result"]:
        check("histogram" in sample, f"{selector} is not native: {str(sample)[:200]}")
        value = sample["histogram"][1]
        buckets = [tuple(map(float, bucket[1:])) for bucket in value.get("buckets", [])]
        found.append((sample["metric"], float(value["count"]), float(value["sum"]), buckets))
    return found


def bucket_of(buckets, value):
    """The bucket that holds a value; a nanosecond of rounding may put it beside an edge."""
    return [bucket for bucket in buckets
            if bucket[0] - 1e-9 <= value <= bucket[1] + 1e-9 and bucket[2] > 0]


def check_quantiles(url, selector, buckets, values):
    """The widest error of the quantiles, relative to the nearest rank."""
    widest = 0.0
    regular = [bucket for bucket in buckets if bucket[0] > 0]
    check(all(right / left < WIDEST * 1.0000001 for left, right, _ in regular), "a coarse schema")
    for q in QUANTILES:
        [answer] = ask(url, "query", query=f"histogram_quantile({q}, {selector})")["result"]
        theirs, ours = float(answer["value"][1]), nearest_rank(values, q)
        check(any(left <= theirs <= right for left, right, _ in bucket_of(buckets, ours)),
              f"{selector} {q}: {theirs} is not in the bucket of {ours}")
        widest = max(widest, abs(theirs / ours - 1))
    return widest


def check_known(url, path):
    with open(path) as file:
        known = json.load(file)
    values = known["values"]
    [(labels, count, total, buckets)] = histograms(url, "known_duration_seconds")
    check(labels["route"] == '/a"b', labels)
    check(count == len(values), f"{count} of {len(values)}")
    check(math.isclose(total, sum(values), rel_tol=1e-12), f"sum {total}, {sum(values)}")
    for left, right, inside in buckets:
        zero = left < 0
        expected = sum((value <= right) if zero else (left < value <= right) for value in values)
        # Bounds are floats that Prometheus computed: none of the values lies that near to one.
        check(inside == expected, f"({left}, {right}]: {inside}, values {expected}")
    widest = check_quantiles(url, "known_duration_seconds", buckets, values)
    print(f"  {len(buckets)} native buckets have the counts of the {len(values)} values;"
          f" quantiles {QUANTILES} are off by {widest:.2%} at most")
    classic = ask(url, "query", query='known_duration_seconds_bucket{le="+Inf"}')["result"]
    check(len(classic) == 1 and float(classic[0]["value"][1]) == len(values), f"classic: {classic}")

    found = exemplars(url, "known_duration_seconds")
    at = sorted({float(one["value"]) for one in found})
    check(at == known["exemplars"], f"exemplars {at}")
    for one in found:
        labels = {key: known[key] for key in ("trace_id", "span_id")}
        check(one["labels"] == labels, f"{one}")
    print(f"  exemplars at {', '.join(map(str, at))}, each with its trace and span")


def exemplars(url, selector):
    found = ask(url, "query_exemplars", query=selector, start="1577836000", end="4000000000")
    return [one for series in found for one in series["exemplars"]]


def check_shop(url, load_path, spans_path, page_path):
    load, spans = read_load(load_path), observed_durations(read_spans(spans_path))
    counts = {of_request(labels): count for labels, count, _, _ in
              histograms(url, "http_server_request_duration_seconds")}
    check(counts == expected_counts(load), f"Prometheus {counts}, sent {expected_counts(load)}")
    print(f"  {sum(counts.values()):.0f} requests in {len(counts)} native histograms, as sent")
    for (name, outcome), nanos in sorted(spans.items()):
        selector = f'{histogram_of(name)}{{outcome="{outcome}"}}'
        [(_, count, _, buckets)] = histograms(url, selector)
        check(count == len(nanos), f"{selector}: {count}, spans {len(nanos)}")
        widest = check_quantiles(url, selector, buckets, [n * 1e-9 for n in nanos])
        print(f"  {selector:<45} {len(buckets):>3} buckets, quantiles off by {widest:.2%} at most")
    with open(page_path) as file:
        traces = set(re.findall(r' # \{trace_id="([0-9a-f]{32})"', file.read()))
    check(traces, "no exemplars on the page of shop")
    there = {one["labels"]["trace_id"] for one in
             exemplars(url, '{__name__=~".+_duration_seconds(_bucket)?"}')}
    check(traces & there, f"of {len(traces)} exemplars on the page none is in Prometheus")
    print(f"  {len(traces & there)} of the {len(traces)} traces of the page's exemplars are there")


COMMANDS = {"serve": serve, "known": check_known, "shop": check_shop}

if __name__ == "__main__":
    COMMANDS[sys.argv[1]](*sys.argv[2:])
