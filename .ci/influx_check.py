"""Asks a server what arrived of `tests/backends/influx`, and compares it with what was sent.

    influx_check.py influx URL DATABASE SENT     InfluxDB 1
    influx_check.py victoria URL SENT            VictoriaMetrics
"""

import json
import re
import sys
import urllib.parse
import urllib.request


def check(what, found, wanted):
    if found != wanted:
        sys.exit(f"{what}: {found!r}, and {wanted!r} was sent")
    print(f"{what}: {found!r}")


def shown(text, has_quote):
    """What a text in a tag is: controls and a last backslash are `_`, and in a line with a quote one before a
    character that is escaped."""
    text = re.sub(r"\\$", "_", re.sub(r"[\x00-\x1f\x7f]", "_", text))
    return re.sub(r"(?<!\\)((?:\\\\)*)\\(?=[ ,=])", r"\1_", text) if has_quote else text


ROUTES = {'/a b,c="d"': 3, "é": 4, "a\nb\\": 1, '\\ \\="': 2}


def query(url, database, text):
    arguments = urllib.parse.urlencode({"db": database, "epoch": "ns", "q": text})
    answer = json.load(urllib.request.urlopen(f"{url}/query?{arguments}"))
    series = answer["results"][0].get("series", [])
    return {one["name"]: [dict(zip(one["columns"], row)) for row in one["values"]] for one in series}


def influx(url, database, path):
    with open(path) as file:
        sent = json.load(file)
    rounds = sent["rounds"]
    found = query(url, database, "SELECT * FROM /.*/")
    own = found.pop("conflict", [])
    n = {"spans": len(found.pop("spans")), "logs": len(found.pop("logs"))}
    n["metrics"] = sum(len(rows) for rows in found.values()) + len([row for row in own if row["value"] != 0.5])
    for signal, account in sent["sent"].items():
        check(f"points of {signal}", n[signal], account["delivered"])
    readings = len(found["load"])
    conflicts = readings if any(row["value"] == 0.5 for row in own) else 0
    check("refused points", sent["sent"]["metrics"]["rejected"], conflicts)
    for route, step in ROUTES.items():
        rows = [row for row in found["orders"] if row["route"] == shown(route, '"' in route)]
        rows = [row["value"] for row in sorted(rows, key=lambda row: row["time"])]
        wanted = [step * count for count in range(1, rounds + 1)]
        check(f"orders of {route!r}", rows[:rounds], wanted)
        check("and at the end", set(rows[rounds - 1 :]), {wanted[-1]})
    for row in found["time"]:
        assert row["sum"] == 0.5 * row["count"] and row["min"] == row["max"] == 0.5, row
    check("load", {row["value"] for row in found["load"]}, {-1e-7})
    check("tags", {(row["service.name"], row["host.name"]) for row in found["load"]}, {("shop", "here")})
    rows = query(url, database, "SELECT * FROM spans")["spans"]
    keys = ["time", "trace_id", "span_id", "duration_nano", "span.name"]
    arrived = [{key: row[key] for key in keys} for row in rows]
    check("spans", sorted(arrived, key=lambda it: it["time"]), sorted(sent["spans"], key=lambda it: it["time"]))
    for row in rows:
        assert row["otel.status_description"] == 'no "money"\\nat all\\', row
        assert json.loads(row["attributes"]) == {"cart": int(row["cart"])}, row
        assert json.loads(row["events"])[0]["name"] == "retry", row
    rows = query(url, database, "SELECT * FROM logs")["logs"]
    keys = ["time", "body", "target", "severity_number"]
    arrived = [{key: row[key] for key in keys} for row in rows]
    for log in sent["logs"]:
        log["body"], log["target"] = log["body"].replace("\n", "\\n"), shown(log["target"], True)
    check("logs", sorted(arrived, key=lambda it: it["time"]), sorted(sent["logs"], key=lambda it: it["time"]))


def victoria(url, path):
    with open(path) as file:
        sent = json.load(file)
    rounds = sent["rounds"]
    urllib.request.urlopen(f"{url}/internal/force_flush").read()
    names = "(orders|load|in_flight|time|conflict)_.*|spans_duration_nano"
    arguments = urllib.parse.urlencode({"match[]": f'{{__name__=~"{names}"}}'})
    series = {}
    for line in urllib.request.urlopen(f"{url}/api/v1/export?{arguments}").read().decode().splitlines():
        one = json.loads(line)
        labels = one["metric"]
        key = labels["__name__"], labels.get("route") or labels.get("cart")
        series[key] = [value for _, value in sorted(zip(one["timestamps"], one["values"]))]
    readings = len(series["load_value", None])
    check("refused points", sent["sent"]["metrics"]["rejected"], 0)
    for route, step in ROUTES.items():
        values = series["orders_value", shown(route, '"' in route)]
        check(f"orders of {route!r}", values[:rounds], [step * count for count in range(1, rounds + 1)])
        check("readings", len(values), readings)
    check("load", set(series["load_value", None]), {-1e-7})
    check("conflict", series["conflict_value", None][:rounds], list(range(1, rounds + 1)))
    check("in_flight", series["in_flight_value", None][-1], -2 * rounds)
    check("time", [series[f"time_{it}", None][-1] for it in ["count", "sum", "max"]], [rounds, 0.5 * rounds, 0.5])
    durations = [series["spans_duration_nano", str(cart)][0] for cart in range(1, rounds + 1)]
    check("durations of spans", durations, [span["duration_nano"] for span in sent["spans"]])


{"influx": influx, "victoria": victoria}[sys.argv[1]](*sys.argv[2:])
