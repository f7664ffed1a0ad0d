"""Asks carbon and statsd what arrived of `tests/backends/lines`.

    lines_check.py whisper FOLDER ROUNDS     the files of carbon below FOLDER, without tags
    lines_check.py victoria URL ROUNDS       VictoriaMetrics, with tags
    lines_check.py statsd PORT ROUNDS        the management port of statsd
"""

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


def whisper(folder, rounds):
    def last(name):
        path = os.path.join(folder, "shop", *name.split(".")) + ".wsp"
        since = str(int(time.time()) - 120)
        lines = subprocess.run(["whisper-fetch", f"--from={since}", path], capture_output=True, text=True)
        values = [line.split()[1] for line in lines.stdout.splitlines() if not line.endswith("None")]
        return float(values[-1]) if values else None

    sent = totals(rounds)
    for name in ["load", "in_flight", "time.count", "time.sum"]:
        check(name, last(name), sent[name])
    check("orders of /a b.c", last("orders._a_b_c"), sent["orders"]["/a b.c"])
    check("orders of é", last("orders.é"), sent["orders"]["é"])
    check("time.p99", last("time.p99"), 0.5, within=0.0055)


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


def statsd(port, rounds):
    def ask(what):
        with socket.create_connection(("127.0.0.1", int(port)), timeout=5) as connection:
            connection.sendall(what.encode() + b"\n")
            text = b""
            while not text.rstrip().endswith(b"END"):
                more = connection.recv(65536)
                if not more:
                    sys.exit(f"statsd closed the connection after {text!r}")
                text += more
        # An object as node prints it: keys that are names stand without quotes.
        object = text.decode().rsplit("END", 1)[0].replace("'", '"')
        return json.loads(re.sub(r'([{,]\s*)([A-Za-z_$][\w$]*)\s*:', r'\1"\2":', object))

    counters, gauges, timers = map(ask, ["counters", "gauges", "timers"])
    check("bad lines", counters.get("statsd.bad_lines_seen"), 0)
    check("orders of /a b.c", counters.get("shop.orders._a_b_c"), 3 * rounds)
    # The daemon leaves out of a name what is not ASCII.
    check("orders of é", counters.get("shop.orders."), 4 * rounds)
    check("load", gauges.get("shop.load"), -0.25)
    check("in_flight", gauges.get("shop.in_flight"), -2 * rounds)
    times = timers.get("shop.time", [])
    check("how many times", len(times), rounds)
    for milliseconds in times:
        check("time", milliseconds, 500, within=0.0055)


{"whisper": whisper, "victoria": victoria, "statsd": statsd}[sys.argv[1]](sys.argv[2], int(sys.argv[3]))
