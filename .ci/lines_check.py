"""Asks carbon and statsd what arrived of `tests/backends/lines`.

    lines_check.py graphite FOLDER ROUNDS    the files of carbon below FOLDER, of paths without tags
    lines_check.py tagged FOLDER ROUNDS      the same, of paths with tags
    lines_check.py victoria URL ROUNDS       VictoriaMetrics, with tags
    lines_check.py passed_on FOLDER ROUNDS   the files of carbon, of what statsd has passed on
    lines_check.py bad_lines PORT N          the management port of statsd
"""

import hashlib
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request


def check(what, found, wanted, within=0.0):
    if found is None or abs(found - wanted) > within * abs(wanted):
        sys.exit(f"{what}: {found}, and {wanted} was sent")
    print(f"{what} {found}")


def totals(rounds):
    """The names and values of totals and gauges after some rounds."""
    return {
        "orders": {"/a b.c": 3 * rounds, "é": 4 * rounds},
        "load": -0.25,
        "in_flight": -2 * rounds,
        "time.count": rounds,
        "time.sum": 0.5 * rounds,
    }


def values_of(path):
    """All values that a file has of the last two minutes, in order."""
    since = str(int(time.time()) - 120)
    lines = subprocess.run(["whisper-fetch", f"--from={since}", path], capture_output=True, text=True)
    return [float(line.split()[1]) for line in lines.stdout.splitlines() if not line.endswith("None")]


def untagged(folder, name):
    return values_of(os.path.join(folder, *name.split(".")) + ".wsp")


def with_tags(folder, name, **tags):
    """carbon's own name for the file of a series: by the hash of the path with its tags, sorted by their keys."""
    metric = name + "".join(f";{key}={value}" for key, value in sorted(tags.items()))
    hash = hashlib.sha256(metric.encode()).hexdigest()
    return values_of(os.path.join(folder, "_tagged", hash[:3], hash[3:6], hash) + ".wsp")


def every(what, found, each):
    """Compares all values of a total; of those of one second the last is kept."""
    if not found or found[-1] != each[-1] or [value for value in each if value in found] != found:
        sys.exit(f"{what}: {found}, and {each} was sent")
    print(f"{what} {found}")


def of_rounds(rounds, each):
    return [each * n for n in range(1, rounds + 1)]


def graphite(folder, rounds):
    last = lambda name: (untagged(folder, f"shop.{name}") or [None])[-1]
    check("load", last("load"), -0.25)
    for name, each in [("in_flight", -2), ("time.count", 1), ("time.sum", 0.5)]:
        every(name, untagged(folder, f"shop.{name}"), of_rounds(rounds, each))
    every("orders of /a b.c", untagged(folder, "shop.orders._a_b_c"), of_rounds(rounds, 3))
    every("orders of é", untagged(folder, "shop.orders.é"), of_rounds(rounds, 4))
    check("time.p99", last("time.p99"), 0.5, within=0.0055)


def tagged(folder, rounds):
    found = lambda name, **tags: with_tags(folder, f"shop.{name}", service="shop", **tags)
    check("load", (found("load") or [None])[-1], -0.25)
    for name, each in [("in_flight", -2), ("time.count", 1), ("time.sum", 0.5)]:
        every(name, found(name), of_rounds(rounds, each))
    every("orders of /a b.c", found("orders", route="/a_b.c"), of_rounds(rounds, 3))
    every("orders of é", found("orders", route="é"), of_rounds(rounds, 4))


def victoria(url, rounds):
    urllib.request.urlopen(f"{url}/internal/force_flush").read()
    query = urllib.request.urlopen(f"{url}/api/v1/export?match[]=%7Bservice=%22shop%22%7D").read()
    series = {}
    for line in query.decode().splitlines():
        one = json.loads(line)
        labels = one["metric"]
        # Of two values of one second it keeps both, in no order: the total is the larger one.
        series[labels["__name__"], labels.get("route")] = max(one["values"], key=abs)
    sent = totals(rounds)
    for name in ["load", "in_flight", "time.count", "time.sum"]:
        check(name, series.get((f"shop.{name}", None)), sent[name])
    for route, total in sent["orders"].items():
        check(f"orders of {route}", series.get(("shop.orders", route.replace(" ", "_"))), total)


def passed_on(folder, rounds):
    """What statsd has counted in each of its own intervals adds up to what was sent."""
    count = lambda name: sum(untagged(folder, f"stats.counters.shop.{name}.count"))
    last = lambda name: (untagged(folder, f"stats.gauges.shop.{name}") or [None])[-1]
    check("orders of /a b.c", count("orders._a_b_c"), 3 * rounds)
    check("load", last("load"), -0.25)
    check("in_flight", last("in_flight"), -2 * rounds)
    times = untagged(folder, "stats.timers.shop.time.count")
    check("how many times", sum(times), rounds)
    for value in untagged(folder, "stats.timers.shop.time.upper"):
        if value:
            check("time", value, 500, within=0.0055)


def bad_lines(port, n):
    with socket.create_connection(("127.0.0.1", int(port)), timeout=5) as connection:
        connection.sendall(b"stats\n")
        text = b""
        while b"END" not in text:
            text += connection.recv(65536) or sys.exit(f"statsd closed the connection after {text!r}")
    [found] = re.findall(r"bad_lines_seen: (\d+)", text.decode())
    check("bad lines", int(found), n)


checks = {check.__name__: check for check in [graphite, tagged, victoria, passed_on, bad_lines]}
checks[sys.argv[1]](sys.argv[2], int(sys.argv[3]))
