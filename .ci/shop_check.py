"""Compares what was sent to `shop` with what its pages, its spans and Prometheus say of it.

    shop_check.py spans LOAD...                   prints how many spans the loads made
    shop_check.py page LOAD SPANS TEXT            the text page against the requests and the spans
    shop_check.py prometheus URL LOAD SPANS TEXT  Prometheus against the page and the spans
    shop_check.py dialects TEXT OPENMETRICS       one page in both dialects; wants prometheus_client
    shop_check.py rotated LOAD REPORT SHIPPED FILE...  the rotated files against the report

Each ends with an exit code of 1 and a message at the first thing that is not so.
"""

import collections
import json
import math
import re
import sys
import urllib.parse
import urllib.request

REQUESTS = "http_server_request_duration_seconds"
INNER = ("GET", "/inventory", 200)  # One for each checkout.
# A bucket may hold values that are at most this much above its bound: a cell of the histogram.
ABOVE = 1.011
SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')


def check(right, message):
    if not right:
        sys.exit(f"FAILED: {message}")


def read_load(*paths):
    """Durations in nanoseconds, as the clients saw them, by (method, route, status)."""
    load = collections.defaultdict(list)
    for path in paths:
        with open(path) as file:
            for method, route, status, nanos, _ in json.load(file)["requests"]:
                load[method, route, status].append(nanos)
    return load


def read_spans(*paths):
    spans = []
    for path in paths:
        with open(path, "rb") as file:
            spans += [json.loads(line) for line in file]
    return spans


def observed_durations(spans):
    """Durations in nanoseconds by (name, outcome): what `#[observe]` gave span and histogram."""
    durations = collections.defaultdict(list)
    for span in spans:
        if span["kind"] == "internal":
            durations[span["name"], span["outcome"]].append(span["duration_nanos"])
    return durations


def histogram_of(name):
    """The histogram of what `#[observe]` named, as Prometheus calls it."""
    return name.replace(".", "_") + "_duration_seconds"


def server_durations(spans):
    """Durations in nanoseconds of the servers' spans, by (method, route, status)."""
    durations = collections.defaultdict(list)
    for span in spans:
        if span["kind"] == "server":
            has = span["attributes"]
            request = (has["http.request.method"], has["http.route"],
                       has.get("http.response.status_code"))  # None if it was cancelled.
            check(span["name"] == f"{request[0]} {request[1]}", f"a span {span['name']}: {request}")
            durations[request].append(span["duration_nanos"])
    return durations


def read_page(path):
    """The samples of a text page: (name, labels) to value; `le` as the number it is."""
    page = {}
    with open(path) as file:
        for line in file.read().splitlines():
            if line.startswith("#"):
                continue
            match = SAMPLE.fullmatch(line)
            check(match, f"no sample: {line!r}")
            name, labels, value = match.groups()
            key = name, canonical(dict(LABEL.findall(labels or "")))
            check(key not in page, f"twice on the page: {key}")
            page[key] = float(value)
    return page


def canonical(labels):
    labels = {key: value for key, value in labels.items() if value != ""}
    if "le" in labels:
        labels["le"] = float(labels["le"])
    return frozenset(labels.items())


def series(page, name):
    return [(dict(labels), value) for (n, labels), value in page.items() if n == name]


def buckets(page, name):
    """Of each series of a histogram, without `le`: the cumulative counts by bound, ascending."""
    histograms = collections.defaultdict(dict)
    for labels, value in series(page, name + "_bucket"):
        bound = labels.pop("le")
        histograms[frozenset(labels.items())][bound] = value
    return {labels: dict(sorted(counts.items())) for labels, counts in histograms.items()}


def of_request(labels):
    labels = dict(labels)
    return (labels["http_request_method"], labels["http_route"],
            int(labels["http_response_status_code"]))


def request_counts(page):
    return {of_request(labels): value for labels, value in series(page, REQUESTS + "_count")}


def nearest_rank(values, q):
    return sorted(values)[math.ceil(q * len(values)) - 1]


def bucket_of(bounds, seconds):
    """The place of the bucket that a value falls into: (bounds[i - 1], bounds[i]]."""
    return next(place for place, bound in enumerate(bounds) if seconds <= bound)


def surrounding(bounds, low, high):
    """The bounds of the buckets that count what lies between two values."""
    first, last = bucket_of(bounds, low / ABOVE), bucket_of(bounds, high)
    return bounds[first - 1] if first else 0.0, bounds[last]


def expected_counts(load):
    counts = {request: len(durations) for request, durations in load.items()}
    counts[INNER] = counts["GET", "/checkout", 200]
    return counts


def print_spans(*load_paths):
    """A server span for each request; within, one of the work, if it was begun; a checkout has three
    calls more, and for each fourth order a look into the database."""
    counts = expected_counts(read_load(*load_paths))
    work = sum(n for (_, _, status), n in counts.items() if status not in (400, 405))
    orders = counts["GET", "/checkout", 200]
    print(sum(counts.values()) + work + 3 * orders + math.ceil(orders / 4))


def check_page(load_path, spans_path, page_path):
    load, page = read_load(load_path), read_page(page_path)
    spans = read_spans(spans_path)
    expected = expected_counts(load)
    answers = {request[1:] for request in expected}
    check(answers == {("/catalog", 200), ("/catalog", 405), ("/checkout", 200), ("/fail", 500),
                      ("/inventory", 200), ("/slow", 200), ("/slow", 400)}, f"answers: {answers}")
    check(request_counts(page) == expected, f"page {request_counts(page)}, sent {expected}")
    for (method, route, status), count in sorted(expected.items()):
        print(f"  {method:<4} {route:<10} {status}  sent {count:>6}  on the page {count:>6}")
    active = series(page, "http_server_active_requests")
    check(active and not any(value for _, value in active), f"requests still active: {active}")

    bounds = 0
    for (name, outcome), nanos in sorted(observed_durations(spans).items()):
        counts = buckets(page, histogram_of(name))[frozenset({("outcome", outcome)})]
        for bound, count in counts.items():
            # The span's duration is cut to whole nanoseconds, so an edge has two sides.
            fewest = sum((n + 1) * 1e-9 <= bound for n in nanos) if bound < math.inf else len(nanos)
            most = sum(n * 1e-9 <= bound * ABOVE for n in nanos)
            check(fewest <= count <= most, f"{name} le={bound}: {count}, spans {fewest}..{most}")
            bounds += 1
    print(f"  {bounds} buckets of what is observed are within the counts of the spans' durations")

    bounds, servers = 0, server_durations(spans)
    for labels, counts in buckets(page, REQUESTS).items():
        inner, outer = around(of_request(labels), servers, load)
        for bound, count in counts.items():
            fewest = sum(n * 1e-9 <= bound for n in outer)
            most = sum(n * 1e-9 <= bound * ABOVE for n in inner)
            check(fewest <= count <= most, f"{dict(labels)} {bound}: {count} in {fewest}..{most}")
            bounds += 1
    print(f"  {bounds} buckets of the requests lie between the clients' and the spans' counts")


def around(request, servers, load):
    """What a request's duration contains, and what contains it, in nanoseconds.

    The bundle starts before the server's span and stops after it; the client starts before the
    bundle and stops after it.
    """
    outer = load["GET", "/checkout", 200] if request == INNER else load[request]
    return servers[request], outer


def ask(url, path, **parameters):
    query = urllib.parse.urlencode(parameters)
    with urllib.request.urlopen(f"{url}/api/v1/{path}?{query}", timeout=10) as answer:
        return json.load(answer)["data"]


def query(url, expression, **at):
    """The values of an instant query by label set, without the labels of the target."""
    found = {}
    for sample in ask(url, "query", query=expression, **at)["result"]:
        labels = {key: value for key, value in sample["metric"].items()
                  if key not in ("__name__", "job", "instance")}
        found[canonical(labels)] = float(sample["value"][1])
    return found


def check_prometheus(url, load_path, spans_path, page_path):
    load, page = read_load(load_path), read_page(page_path)
    spans = read_spans(spans_path)
    observed, servers = observed_durations(spans), server_durations(spans)
    names = {name for name, _ in page
             if re.search("_duration_seconds_(count|sum|bucket)$", name)}
    compared = 0
    for name in sorted(names):
        here = {labels: value for (n, labels), value in page.items() if n == name}
        check(query(url, name) == here, f"{name}: Prometheus {query(url, name)}, page {here}")
        compared += len(here)
    print(f"  {compared} samples of {len(names)} names equal those of the page, counts, sums, buckets")
    counts = {of_request(labels): value for labels, value in query(url, REQUESTS + "_count").items()}
    check(counts == expected_counts(load), f"Prometheus {counts}")
    print(f"  {REQUESTS}_count: {sum(counts.values()):.0f} in {len(counts)} series,"
          " as sent (and one /inventory for each /checkout)")

    bounds = sorted({labels["le"] for labels, _ in series(page, REQUESTS + "_bucket")})
    print("  P99 in ms: nearest rank of the spans' durations, histogram_quantile of the same")
    for (name, outcome), nanos in sorted(observed.items()):
        selector = f'{histogram_of(name)}_bucket{{outcome="{outcome}"}}'
        expression = f"histogram_quantile(0.99, {selector})"
        compare_p99(url, name, expression, bounds, nanos, nanos)
    print("  P99 in ms: spans (within the request), histogram_quantile of the requests, clients")
    for request in sorted(expected_counts(load)):
        method, route, status = request
        inner, outer = around(request, servers, load)
        chosen = (f'http_request_method="{method}",http_route="{route}",'
                  f'http_response_status_code="{status}"')
        expression = f"histogram_quantile(0.99, {REQUESTS}_bucket{{{chosen}}})"
        compare_p99(url, f"{method} {route} {status}", expression, bounds, inner, outer)
        if (route, status) == ("/slow", 200):  # Far from an edge, so all three are in one.
            low, high = nearest_rank(inner, 0.99) * 1e-9, nearest_rank(outer, 0.99) * 1e-9
            check(bucket_of(bounds, high) - bucket_of(bounds, low / ABOVE) <= 1,
                  f"/slow: {low} and {high}")


def compare_p99(url, what, expression, bounds, inner, outer):
    """Prometheus' P99 is in the bucket of the nearest rank, or between two that surround it."""
    [theirs] = query(url, expression).values()
    low, high = nearest_rank(inner, 0.99) * 1e-9, nearest_rank(outer, 0.99) * 1e-9
    below, above = surrounding(bounds, low, high)
    upper = f" {high * 1e3:>8.3f}" if outer is not inner else ""
    print(f"  {what:<23} {low * 1e3:>8.3f} {theirs * 1e3:>8.3f}{upper}"
          f"   in ({below * 1e3:.3f}, {above * 1e3:.3f}]")
    check(below <= theirs <= above, f"{what}: {theirs} is not in ({below}, {above}]")


def check_dialects(text_path, openmetrics_path):
    from prometheus_client.openmetrics.parser import text_string_to_metric_families
    text = read_page(text_path)
    with open(openmetrics_path) as file:
        families = list(text_string_to_metric_families(file.read()))
    samples, kinds = {}, collections.Counter(family.type for family in families)
    for family in families:
        for sample in family.samples:
            if not sample.name.endswith("_created"):
                samples[sample.name, canonical(sample.labels)] = sample.value
    check(samples.keys() == text.keys(), f"in one only: {samples.keys() ^ text.keys()}")
    # The figures of the process are read anew, once a second at most, and that is counted.
    moving = ("process_", "telemetry_source_readings_total")
    still = [key for key in text if not key[0].startswith(moving)]
    different = {key: (text[key], samples[key]) for key in still if text[key] != samples[key]}
    check(not different, f"text and OpenMetrics: {different}")
    print(f"  prometheus_client reads {len(families)} families ({dict(kinds)});"
          f" {len(still)} of {len(samples)} samples equal those of the text page,"
          " the others are the process's, and how often these were read")


def check_rotated(load_path, report_path, shipped_path, *files):
    with open(load_path) as file:
        load = json.load(file)
    answered = collections.Counter(
        (method, route, status) for method, route, status, *_ in load["requests"])
    by_file = [len(read_spans(path)) for path in files]
    spans, shipped = read_spans(*files), read_spans(shipped_path)
    with open(report_path) as file:
        last = file.read().splitlines()[-1]
    report = {key: int(value) for key, value in (part.split("=") for part in last.split())}
    print(f"  {last}")
    print(f"  lines in {len(files)} files: {' + '.join(map(str, by_file))} = {len(spans)}")
    check(report["delivered"] == len(spans), "delivered is not the number of lines")
    check(report["offered"] == report["delivered"] and report["held"] == 0, "not all delivered")
    ids = [span["span_id"] for span in spans]
    check(len(set(ids)) == len(ids), "a span is there twice")
    check(sorted(ids) == sorted(span["span_id"] for span in shipped), "the shipper's differ")
    check(len(files) < 2 or all(by_file), "a file is empty: the rotation was not under load")
    served = {request: len(nanos) for request, nanos in server_durations(spans).items()}
    missing = {request: n for request, n in answered.items() if served.get(request, 0) < n}
    check(not missing, f"answered without a span: {missing}")
    # A request that was cut off by the end was served, or was never begun: one on each connection.
    beyond = sum(served.values()) - served.get(INNER, 0) - sum(answered.values())
    check(beyond <= load["closed"], f"{beyond} spans beyond the answers")
    print(f"  {sum(answered.values())} answered requests have each a span, {beyond} unanswered too;"
          f" the shipper read the same {len(shipped)}")


COMMANDS = {"spans": print_spans, "page": check_page, "prometheus": check_prometheus, "dialects": check_dialects,
            "rotated": check_rotated}

if __name__ == "__main__":
    COMMANDS[sys.argv[1]](*sys.argv[2:])
