"""The usual queries of dashboards, as Prometheus answers them over `shop`, beside the exact figures.

    dashboard_check.py URL FIRST LOAD SPANS

FIRST and LOAD are two loads, with a scrape between them and another after them; SPANS is the file of
spans. Prints each query with Prometheus' answer, the exact figure, and what the answer may be; ends
with 1 at the first answer that is something else.

Exact are the requests that the clients sent and the durations of spans. The answers may differ:

- Prometheus' `rate` is the increase between the first and the last scrape in its range, over the time
  between the two: the rest of the range is taken to have been like it. So requests are counted between
  these two scrapes. Where both lie outside of the load, this is exact. The range begins 1 ms before the
  first of them, and a series that is zero there is not extended over that millisecond: quantiles, which
  compare series with each other, may be off by as much of their rank.
- The page is read at some time during a scrape: while requests come in, the counts at its begin and at
  its end are the limits, and `SLACK` more for the instants, which Prometheus rounds.
- A quantile is interpolated within a classic bucket: it lies in the bucket of the nearest rank.
- A value at most 1.1 % above a bucket's bound may be inside.
- A request lasts longer than its span, and the client's wait longer than the request. What is timed by
  `#[observe]` lasts as long as its span.
"""

import bisect
import collections
import json
import sys

from shop_check import ABOVE, INNER, REQUESTS, ask, check, expected_counts, histogram_of, \
    nearest_rank, query, read_load, read_spans, surrounding

QUANTILES = (0.5, 0.9, 0.99)
OBJECTIVE = 0.1
CHECKOUT, SLOW = "checkout.place_order", "report.answer_slowly"  # What these routes do.
SLACK = 0.05  # Seconds.
RANGE = 5  # Seconds: five scrapes.
FLOATS = 1e-9  # The relative error of Prometheus' arithmetic.


def by_route(requests):
    """Adds up what is kept by (method, route, status)."""
    routes = {}
    for (_, route, _), of_request in requests.items():
        routes[route] = routes[route] + of_request if route in routes else of_request
    return routes


def waits(*load_paths):
    """What the clients waited, in seconds, by route; as long as its checkout for an inventory."""
    load = read_load(*load_paths)
    load[INNER] = load["GET", "/checkout", 200]
    return {route: [n * 1e-9 for n in nanos] for route, nanos in by_route(load).items()}


def durations(spans, kind, key):
    """Durations of spans in seconds."""
    found = collections.defaultdict(list)
    for span in spans:
        if span["kind"] == kind:
            found[key(span)].append(span["duration_nanos"] * 1e-9)
    return dict(found)


def route_of(span):
    return span["attributes"]["http.route"]


def name_of(span):
    return span["name"]


def everything(by_key):
    return [value for values in by_key.values() for value in values]


class Scrapes:
    """When the shop was scraped: instants in milliseconds, and how long each scrape took."""

    def __init__(self, url):
        [found] = ask(url, "query", query='scrape_duration_seconds{job="shop"}[1h]')["result"]
        self.took = {round(at * 1000): float(took) for at, took in found["values"]}
        self.instants = sorted(self.took)

    def around(self, begin, end):
        """The last one before the load and the first one after it."""
        before = max(at for at in self.instants if at / 1000 + self.took[at] < begin)
        return before, min(at for at in self.instants if at / 1000 > end)

    def within(self, begin, end):
        """An instant whose range is within the load, with its first and last scrape.

        It is no scrape's. No scrape is missing, for Prometheus extends a rate over no wide gap; the
        counters are no longer near zero, for it does not extend one to before its beginning.
        """
        for last in self.instants:
            at = last + 300
            inside = [one for one in self.instants if at - RANGE * 1000 < one <= at]
            if begin + RANGE + 2 < at / 1000 < end and len(inside) == RANGE:
                return at, inside[0], inside[-1]
        sys.exit("FAILED: the load was too short for a range within it")


class Counted:
    """How many requests of each route a scrape can have seen."""

    def __init__(self, load_paths, spans):
        self.answered, self.ended = collections.defaultdict(list), collections.defaultdict(list)
        for path in load_paths:
            with open(path) as file:
                for _, route, _, _, at in json.load(file)["requests"]:
                    self.answered[route].append(at * 1e-9)
        self.answered[INNER[1]] = list(self.answered["/checkout"])
        for span in spans:
            if span["kind"] == "server":
                end = span["start_unix_nanos"] + span["duration_nanos"]
                self.ended[route_of(span)].append(end * 1e-9)
        for times in (*self.answered.values(), *self.ended.values()):
            times.sort()

    def between(self, route, first, last, took):
        """The requests between two scrapes: by their spans, at least, and at most."""
        few, exact, many = zip(*(self.by(route, at / 1000, took[at]) for at in (first, last)))
        return exact[1] - exact[0], few[1] - many[0], many[1] - few[0]

    def by(self, route, instant, took):
        ended = self.ended[route]
        return (bisect.bisect(self.answered[route], instant - SLACK), bisect.bisect(ended, instant),
                bisect.bisect(ended, instant + took + SLACK))


class Table:
    """Asks Prometheus at one instant, prints its answers beside the figures, and compares them."""

    def __init__(self, url, at, when):
        self.url, self.at, self.compared = url, f"{at / 1000:.3f}", 0
        print(f"  {when:<34} {'Prometheus':>12} {'exact':>12}   may be")

    def compare(self, expression, expected, form):
        """`expected` has for each route (exact, least, most); or for "all", if it is one answer."""
        print(f"  {expression}")
        answers = {}
        for labels, value in query(self.url, expression, time=self.at).items():
            answers[dict(labels).get("http_route", "all")] = value
        check(answers.keys() == expected.keys(), f"series {set(answers)}, expected {set(expected)}")
        for route, (exact, least, most) in sorted(expected.items()):
            theirs = answers[route]
            print(f"    {route:<32} {theirs:>12{form}} {exact:>12{form}}"
                  f"   {least:{form}} to {most:{form}}")
            check(least * (1 - FLOATS) <= theirs <= most * (1 + FLOATS),
                  f"{route}: {theirs} is not between {least} and {most}")
        self.compared += len(expected)


def compare_counts(table, counts, millis):
    """Exactly, over the time between two scrapes that were taken while no request was under way."""
    count, exact = f"{REQUESTS}_count", {route: (n, n, n) for route, n in counts.items()}
    table.compare(f"sum by (http_route) ({count} - {count} offset {millis}ms)", exact, ".0f")
    rates = {route: (n * 1000 / millis,) * 3 for route, n in counts.items()}
    table.compare(f"sum by (http_route) (rate({count}[{millis + 1}ms]))", rates, ".3f")


def compare_quantiles(table, bounds, millis, spans, clients):
    window, error = f"{millis + 1}ms", 1 / millis
    servers, observed = durations(spans, "server", route_of), durations(spans, "internal", name_of)
    for q in QUANTILES:
        buckets = f"sum by (le, http_route) (rate({REQUESTS}_bucket[{window}]))"
        expected = {route: quantile(bounds, inner, clients[route], q, error)
                    for route, inner in servers.items()}
        table.compare(f"histogram_quantile({q}, {buckets})", expected, ".6f")
    for name in (CHECKOUT, SLOW):
        for q in QUANTILES:
            buckets = f"sum by (le) (rate({histogram_of(name)}_bucket[{window}]))"
            expected = {"all": quantile(bounds, observed[name], observed[name], q, error)}
            table.compare(f"histogram_quantile({q}, {buckets})", expected, ".6f")


def quantile(bounds, inner, outer, q, error):
    """The spans' nearest rank, and the bounds of its bucket, or of those up to the clients'."""
    low, high = nearest_rank(inner, q - error), nearest_rank(outer, q + error)
    return nearest_rank(inner, q), *surrounding(bounds, low, high)


def compare_objective(table, spans, clients, function="{}"):
    """The share of what took at most 0.1 s: of all requests, of one route, and of its work."""
    servers = durations(spans, "server", route_of)
    slow = durations(spans, "internal", name_of)[SLOW]
    for name, matchers, inner, outer in (
            (REQUESTS, [], everything(servers), everything(clients)),
            (REQUESTS, ['http_route="/slow"'], servers["/slow"], clients["/slow"]),
            (histogram_of(SLOW), [], slow, slow)):
        within = function.format(select(f"{name}_bucket", *matchers, f'le="{OBJECTIVE}"'))
        total = function.format(select(f"{name}_count", *matchers))
        table.compare(f"sum({within}) / sum({total})", {"all": share(inner, outer)}, ".6f")


def select(name, *matchers):
    return f"{name}{{{','.join(matchers)}}}" if matchers else name


def share(inner, outer):
    exact = sum(seconds <= OBJECTIVE for seconds in inner)
    # A span's duration is cut to whole nanoseconds.
    least = sum(seconds + 1e-9 <= OBJECTIVE for seconds in outer)
    most = sum(seconds <= OBJECTIVE * ABOVE for seconds in inner)
    check(0 < least and most < len(inner), "the load has no requests on both sides of the objective")
    return exact / len(inner), least / len(inner), most / len(inner)


def compare_rates(table, counted, took, first, last):
    seconds = (last - first) / 1000
    rates = {route: tuple(n / seconds for n in counted.between(route, first, last, took))
             for route in counted.ended}
    table.compare(f"sum by (http_route) (rate({REQUESTS}_count[{RANGE}s]))", rates, ".3f")


def main(url, first_path, load_path, spans_path):
    with open(load_path) as file:
        requests = json.load(file)["requests"]
    begin = min(at - took for *_, took, at in requests) * 1e-9
    end = max(at for *_, at in requests) * 1e-9
    scrapes, spans = Scrapes(url), read_spans(spans_path)
    before, after = scrapes.around(begin, end)
    millis = after - before
    of_load = [span for span in spans if span["start_unix_nanos"] > before * 1_000_000]

    table = Table(url, after, "at a scrape after the load")
    compare_counts(table, by_route(expected_counts(read_load(load_path))), millis)
    bounds = sorted(dict(labels)["le"] for labels in query(url, f"sum by (le) ({REQUESTS}_bucket)"))
    compare_quantiles(table, bounds, millis, of_load, waits(load_path))
    compare_objective(table, spans, waits(first_path, load_path))
    compare_objective(table, of_load, waits(load_path), f"rate({{}}[{millis + 1}ms])")

    at, *inside = scrapes.within(begin, end)
    during = Table(url, at, "during the load")
    compare_rates(during, Counted((first_path, load_path), spans), scrapes.took, *inside)
    print(f"  {table.compared + during.compared} answers agree with the exact figures")


if __name__ == "__main__":
    main(*sys.argv[1:])
