"""Stands for CloudWatch's agent, and reads strictly what `tests/backends/lines` sent to it.

    emf_check.py serve PORT FILE      appends each line that comes over TCP
    emf_check.py check FILE ROUNDS    every line is a document of the specification, and the sums are those
"""

import json
import socketserver
import sys
from collections import Counter

UNITS = {"Seconds", "Bytes", "Count", "None", "Percent"}  # Of those that are sent.


def serve(port, path):
    class Agent(socketserver.StreamRequestHandler):
        def handle(self):
            for line in self.rfile:
                with open(path, "ab") as file:
                    file.write(line)

    socketserver.ThreadingTCPServer.allow_reuse_address = True
    socketserver.ThreadingTCPServer.daemon_threads = True
    socketserver.ThreadingTCPServer(("127.0.0.1", int(port)), Agent).serve_forever()


def unique(pairs):
    keys = [key for key, _ in pairs]
    assert len(keys) == len(set(keys)), f"a key twice: {keys}"
    return dict(pairs)


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= 2.0**360


def samples(line):
    """The metrics of a document: name, dimensions, value."""
    assert len(line) <= 256 << 10
    root = json.loads(line, object_pairs_hook=unique, parse_constant=lambda word: sys.exit(f"{word} is no JSON"))
    meta = root["_aws"]
    assert isinstance(meta["Timestamp"], int) and meta["LogGroupName"] == "/shop/metrics"
    for directive in meta["CloudWatchMetrics"]:
        assert directive["Namespace"] == "Shop" and directive["Dimensions"]
        assert 1 <= len(directive["Metrics"]) <= 100
        for dimensions in directive["Dimensions"]:
            assert len(dimensions) <= 30
            values = {name: root[name] for name in dimensions}
            for text in [*values, *values.values()]:
                assert text.strip() and text.isascii() and text.isprintable() and len(text) <= 1024, text
            for metric in directive["Metrics"]:
                assert metric["Unit"] in UNITS, metric
                value = root[metric["Name"]]
                if isinstance(value, dict):
                    numbers, counts = value["Values"], value["Counts"]
                    assert 1 <= len(numbers) == len(counts) <= 100
                    assert all(map(is_number, numbers + counts))
                    assert value["Count"] == sum(counts), value
                    assert value["Min"] <= value["Max"] and is_number(value["Sum"]), value
                else:
                    assert is_number(value), value
                yield metric["Name"], tuple(sorted(values.items())), value


def check(path, rounds):
    counts, levels, times = Counter(), {}, Counter()
    with open(path) as lines:
        for line in lines:
            for name, dimensions, value in samples(line):
                if isinstance(value, dict) and name == "time":
                    times.update(dict(zip(value["Values"], value["Counts"])))
                elif name == "orders":
                    counts[dict(dimensions)["route"]] += value
                elif name in ("load", "in_flight"):
                    levels[name] = value
    found = dict(counts), levels, sum(times.values())
    wanted = {"/a b.c": 3 * rounds, "_": 4 * rounds}, {"load": -0.25, "in_flight": -2 * rounds}, rounds
    if found != wanted:
        sys.exit(f"{found}, and {wanted} was sent")
    assert all(abs(time - 0.5) < 0.0028 for time in times), times
    print(*found)


match sys.argv[1:]:
    case ["serve", port, path]:
        serve(port, path)
    case ["check", path, rounds]:
        check(path, int(rounds))
    case _:
        sys.exit(__doc__)
