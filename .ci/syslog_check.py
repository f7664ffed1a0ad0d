"""Compares what rsyslog wrote of `tests/backends/syslog` with what was sent.

    syslog_check.py exact SENT FILE     every message is there once, in order, and equal
    syslog_check.py flood SENT FILE     none is there twice, they are in order, those that were lost are one row, and it says how many

FILE has an object of JSON for each message, with rsyslog's own properties. Structured data is read here anew.
"""

import datetime
import json
import re
import sys

FACILITY = 16  # local0


def severity(number):
    """Syslog's severity of OpenTelemetry's number, as the module's page says."""
    for least, code in [(24, 0), (21, 1), (18, 2), (17, 3), (13, 4), (10, 5), (9, 6)]:
        if number >= least:
            return code
    return 7


def params(data):
    """The id and the parameters of structured data with one element."""
    id, rest = re.match(r'\[([!-~]+?)((?: [!-~]+?="(?:[^"\\\]]|\\["\\\]])*")*)\]$', data, re.DOTALL).groups()
    found = re.findall(r' ([!-~]+?)="((?:[^"\\\]]|\\["\\\]])*)"', rest, re.DOTALL)
    return id, [(name, re.sub(r'\\(["\\\]])', r"\1", value)) for name, value in found]


def expected(sent):
    """What a record has to be in rsyslog's eyes."""
    id = sent["event"] or sent["target"]
    wanted = [(key, sent[key]) for key in ["trace_id", "span_id"] if sent[key]]
    wanted += sorted(sent["attributes"].items())
    if sent["target"] and (sent["event"] or not re.fullmatch("[!-~]{1,32}", sent["target"])):
        wanted.append(("target", sent["target"]))
    if sent["severity_text"] not in ["DEBUG", "INFO", "WARN", "ERROR"]:
        wanted.append(("severity_text", sent["severity_text"]))
    wanted.append(("service.instance.id", "i-1"))
    time = datetime.datetime.fromtimestamp(sent["nanos"] // 10**9, datetime.timezone.utc)
    return {
        "pri": str(8 * FACILITY + severity(sent["severity"])),
        "time": f"{time:%Y-%m-%dT%H:%M:%S}.{sent['nanos'] // 1000 % 10**6:06}Z",
        "host": "eu-1.example.com",
        "app": "shop",
        "id": re.sub("[^!-~]", "_", id)[:32] or "-",
        "element": "bellwether@32473",
        "params": sorted(wanted),
        "text": sent["body"],
    }


def arrived(line, process):
    message = json.loads(line)
    if message.pop("process") != str(process):
        sys.exit(f"another process: {line}")
    element, found = params(message.pop("data"))
    return {**message, "element": element, "params": sorted(found)}


def number(message):
    return int(dict(message["params"])["n"])


def main(how, sent_file, file):
    sent = json.load(open(sent_file))
    lines = open(file, encoding="utf-8").read().splitlines()
    # What is not of the sender is rsyslog's own.
    got = [arrived(line, sent["process"]) for line in lines if '"app":"shop"' in line.replace(" ", "")]
    wanted = [expected(record) for record in sent["records"]]
    numbers = [number(message) for message in got]
    by_number = {number(message): message for message in wanted}
    for message in got:
        if message != by_number[number(message)]:
            sys.exit(f"arrived {message}\nand was {by_number[number(message)]}")
    if numbers != sorted(set(numbers)):
        sys.exit(f"messages are there twice, or in another order: {numbers}")
    n_lost = len(wanted) - len(got)
    if how == "exact" and n_lost:
        missing = sorted(set(by_number) - set(numbers))
        sys.exit(f"{len(got)} of {len(wanted)} messages arrived; missing: {missing[:20]}")
    lost = sorted(set(by_number) - set(numbers))
    if lost and lost[-1] - lost[0] + 1 != n_lost:
        sys.exit(f"messages were lost that were not on their way together: {lost}")
    n_bytes = sum(len(json.dumps(by_number[n])) for n in lost)
    print(f"{len(got)} of {len(wanted)} messages arrived, equal, once and in order" +
          (f"; {n_lost} in a row were lost, of about {n_bytes >> 10} KiB" if n_lost else ""))


main(*sys.argv[1:])
