"""Asks a receiver of remote write, Prometheus or VictoriaMetrics, for what was sent.

remote_write_check.py present URL PAGE [native] [exemplars] [native_exemplars] [decimal]: each sample of PAGE, an OpenMetrics page, is
there, exactly; with `native`, histograms are too, with the counts of their page.
remote_write_check.py ended URL: no series is there any more.
"""

import json
import re
import sys
import urllib.parse
import urllib.request

OURS = '{__name__=~"shop_.*|target_info"}'
TARGET = {"job": "eu/shop", "instance": "i-1"}


def get(url, path, **query):
    with urllib.request.urlopen(f"{url}{path}?{urllib.parse.urlencode(query)}", timeout=10) as answer:
        return json.load(answer)["data"]


def instant(url, query):
    return get(url, "/api/v1/query", query=query)["result"]


def key(labels):
    return tuple(sorted(labels.items()))


def page_samples(path):
    """The samples and the exemplars by the labels of their series."""
    samples, exemplars = {}, {}
    escapes = {"\\n": "\n", '\\"': '"', "\\\\": "\\"}
    label = r'([A-Za-z_][A-Za-z0-9_]*)="((?:[^"\\]|\\.)*)"'

    def labels_of(text):
        unescape = lambda value: re.sub(r"\\.", lambda m: escapes[m.group()], value)
        return {name: unescape(value) for name, value in re.findall(label, text)}

    line_form = re.compile(
        r'([A-Za-z_:][A-Za-z0-9_:]*)(\{(?:[^"}]|"(?:[^"\\]|\\.)*")*\})? (\S+)(?: # (\{.*\}) (\S+) (\S+))?'
    )
    with open(path, newline="\n") as lines:
        for line in lines.read().split("\n"):
            match = line_form.fullmatch(line)
            if not match or not re.match("shop_|target_info", line):
                continue
            name, labels, value, exemplar, of_exemplar, _ = match.groups()
            if name.endswith("_created"):
                continue
            labels = labels_of(labels or "")
            for own in TARGET:
                if own in labels:
                    labels["exported_" + own] = labels.pop(own)
            labels = {"__name__": name, **labels, **TARGET}
            samples[key(labels)] = float(value)
            if exemplar:
                exemplars[key(labels)] = (labels_of(exemplar), float(of_exemplar))
    return samples, exemplars


def present(url, path, *more):
    expected, exemplars = page_samples(path)
    result = instant(url, OURS)
    there = {key(one["metric"]): float(one["value"][1]) for one in result if "value" in one}
    if "decimal" in more:
        there = {labels: decimal(expected.get(labels), value) for labels, value in there.items()}
    if not expected or there != expected:
        for labels in sorted(set(expected) | set(there)):
            if expected.get(labels) != there.get(labels):
                print(f"{dict(labels)}: expected {expected.get(labels)}, there {there.get(labels)}")
        sys.exit(1)
    print(f"{len(there)} series as on the page")
    if "native" in more:
        native(url, expected, [one for one in result if "histogram" in one])
    if "exemplars" in more:
        same_exemplars(url, exemplars, "native_exemplars" in more)


def decimal(expected, there):
    """What was expected, where that is there but for the digits that a receiver of decimals leaves out."""
    if expected is None or expected == there:
        return there
    left_out = abs(expected - there)
    return expected if left_out <= 2e-16 * abs(expected) or left_out < 1e-300 else there


def native(url, expected, histograms):
    for one in histograms:
        labels, histogram = one["metric"], one["histogram"][1]
        part = lambda suffix: expected[key({**labels, "__name__": labels["__name__"] + suffix})]
        buckets = histogram["buckets"]
        count = sum(float(bucket[3]) for bucket in buckets)
        assert float(histogram["count"]) == part("_count") == count, one
        assert float(histogram["sum"]) == part("_sum"), one
        print(f"{labels['__name__']}: native, {len(buckets)} buckets, count {count:g}")
    assert len(histograms) == 2, histograms
    [p90] = instant(url, "histogram_quantile(0.9, shop_wait_seconds)")
    assert abs(float(p90["value"][1]) / 0.899 - 1) < 0.012, p90


def same_exemplars(url, expected, native_too):
    found = get(url, "/api/v1/query_exemplars", query='{__name__=~"shop_.*"}', start="0", end="9999999999")
    there = {
        key(one["seriesLabels"]): (one["exemplars"][-1]["labels"], float(one["exemplars"][-1]["value"]))
        for one in found
    }
    native = [labels for labels in there if dict(labels)["__name__"] == "shop_wait_seconds"]
    of_native = [there.pop(labels) for labels in native]
    assert len(expected) == 2 and there == expected, (there, expected)
    if native_too:
        assert of_native and of_native[0] in expected.values(), of_native
    print(f"{len(there)} exemplars as on the page")


def ended(url):
    left = instant(url, OURS)
    if left:
        sys.exit(f"{len(left)} series have not ended: {left[:2]}")
    print("all series have ended")


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
