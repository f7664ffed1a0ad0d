"""Compares what a Pushgateway keeps, and what Prometheus scraped of it, with the page of who pushed.

    pushgateway_check.py kept GATEWAY PAGE         its own page has each sample of PAGE, and no other of the group
    pushgateway_check.py scraped PROMETHEUS PAGE   so has Prometheus
    pushgateway_check.py gone GATEWAY              the group is not there
"""

import json
import re
import sys
import urllib.parse
import urllib.request

from prometheus_client.parser import text_string_to_metric_families

GROUP = {"job": "nightly", "instance": "é/1 "}
OURS = re.compile("shop_|target_info")


def get(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


def samples(text):
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if OURS.match(sample.name):
                found[key(sample.name, sample.labels)] = repr(float(sample.value))
    return found


def key(name, labels):
    # Prometheus writes each bound as a float.
    labels = {label: repr(float(text)) if label == "le" else text for label, text in labels.items()}
    return name, tuple(sorted(labels.items()))


def pushed(path):
    """The samples of a page, with the labels that a push gives them."""
    with open(path, newline="\n") as page:
        found = samples(page.read())
    out = {}
    for (name, labels), value in found.items():
        labels = {"exported_" + label if label in GROUP else label: text for label, text in labels}
        out[key(name, {**labels, **GROUP})] = value
    return out


def scraped(url):
    query = urllib.parse.urlencode({"query": '{__name__=~"shop_.*|target_info"}'})
    result = json.loads(get(f"{url}/api/v1/query?{query}"))["data"]["result"]
    return {
        key(one["metric"].pop("__name__"), one["metric"]): repr(float(one["value"][1])) for one in result
    }


def compare(there, sent):
    for one in sorted(set(there) | set(sent)):
        if there.get(one) != sent.get(one):
            sys.exit(f"{one}: {there.get(one)}, and {sent.get(one)} was pushed")
    if len(sent) < 20:
        sys.exit(f"the page has {len(sent)} samples")
    print(f"{len(sent)} samples are those of the page")


match sys.argv[1:]:
    case ["kept", url, page]:
        compare(samples(get(f"{url}/metrics")), pushed(page))
    case ["scraped", url, page]:
        compare(scraped(url), pushed(page))
    case ["gone", url]:
        if samples(get(f"{url}/metrics")):
            sys.exit("the group is still there")
        print("the group is gone")
    case _:
        sys.exit(__doc__)
