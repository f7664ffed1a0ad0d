"""What a broker has of `tests/backends/brokers`, read by a client of Python, beside what was sent.

    brokers_check.py redis URL SENT [once]         entries of the streams
    brokers_check.py channel URL SIGNAL FILE       writes what is published to the channel, until it is ended
    brokers_check.py nats URL SENT                 messages of the stream
    brokers_check.py rabbitmq URL SENT PREFIX      messages of the queues, which are empty then

Each record is there, once but for messages with one id; with `once`, and in NATS, no id is there twice. The records of a
trace, and the messages of a key, are in order.
"""

import collections
import datetime
import json
import sys

SIGNALS = ["spans", "metrics", "logs"]


def read_redis(url):
    import redis

    server = redis.Redis.from_url(url)
    for signal in SIGNALS:
        place = "-"
        while entries := server.xrange(f"telemetry:{signal}", place, "+", 1000):
            for at, fields in entries:
                headers = {name.decode(): value.decode() for name, value in fields.items()}
                yield signal, headers.pop("id"), headers.pop("body"), headers
            place = "(" + at.decode()


def read_nats(url):
    import asyncio

    import nats
    from nats.js.api import AckPolicy, ConsumerConfig

    async def read():
        connection = await nats.connect(url)
        stream = connection.jetstream()
        found = []
        for signal in SIGNALS:
            info = await stream.stream_info("TELEMETRY", subjects_filter=f"telemetry.{signal}")
            n = (info.state.subjects or {}).get(f"telemetry.{signal}", 0)
            config = ConsumerConfig(ack_policy=AckPolicy.NONE)
            reader = await stream.pull_subscribe(f"telemetry.{signal}", config=config)
            while n > 0:
                messages = await reader.fetch(min(n, 200), timeout=20)
                n -= len(messages)
                for message in messages:
                    headers = dict(message.headers)
                    found.append((signal, headers.pop("Nats-Msg-Id"), message.data.decode(), headers))
        await connection.close()
        return found

    return asyncio.run(read())


def read_rabbitmq(url, prefix):
    import pika

    channel = pika.BlockingConnection(pika.URLParameters(url)).channel()
    for signal in SIGNALS:
        while True:
            method, properties, body = channel.basic_get(prefix + signal, auto_ack=True)
            if method is None:
                break
            if properties.delivery_mode != 2:
                sys.exit(f"a message of {signal} is not persistent")
            headers = {**properties.headers, "signal": properties.type, "content-type": properties.content_type}
            yield signal, properties.message_id, body.decode(), headers


def same(what, found, wanted):
    found, wanted = collections.Counter(map(str, found)), collections.Counter(map(str, wanted))
    if found != wanted:
        sys.exit(f"{what}: too many {str(found - wanted)[:600]}, missing {str(wanted - found)[:600]}")
    print(f"{what}: {found.total()}, each as it was sent")


def micros(date):
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
    return (datetime.datetime.fromisoformat(date.replace("Z", "+00:00")) - epoch) // datetime.timedelta(microseconds=1)


def check(messages, path, is_once):
    with open(path) as file:
        sent = json.load(file)
    records, ids, keys = {signal: [] for signal in SIGNALS}, set(), collections.defaultdict(list)
    n_messages, n_doubled = 0, 0
    for signal, id, body, headers in messages:
        n_messages += 1
        if id in ids:
            n_doubled += 1
            continue
        ids.add(id)
        if (headers["signal"], headers["content-type"]) != (signal, "application/x-ndjson"):
            sys.exit(f"{signal}: the headers are {headers}")
        lines = [json.loads(line) for line in body.removesuffix("\n").split("\n")]
        if any(line["signal"] != signal or line["service.name"] != "shop" for line in lines):
            sys.exit(f"{signal}: the body is {body[:500]}")
        of_trace = [line for line in lines if line.get("trace_id")]
        if signal != "metrics" and of_trace:
            traces, parent = {line["trace_id"] for line in lines}, headers["traceparent"].split("-")
            if traces != {headers["key"]} or parent[1] not in traces or parent[2] != lines[0]["span_id"]:
                sys.exit(f"{signal}: the headers are {headers}, and the traces {traces}")
        elif signal == "metrics":
            series = {json.dumps([line["name"], line["labels"]], sort_keys=True) for line in lines}
            if len(series) != 1 or "traceparent" in headers:
                sys.exit(f"{signal}: the headers are {headers}, and the series {series}")
            keys[headers["key"]].append(series.pop())
        elif "key" in headers:
            sys.exit(f"{signal}: records of no trace have a key: {headers}")
        records[signal] += lines
    if is_once and n_doubled:
        sys.exit(f"{n_doubled} of {n_messages} messages are there twice")
    print(f"messages: {n_messages}, of which {n_doubled} were there with their id before")

    n = lambda line: str(line["attributes"]["n"])
    spans = [[line["trace_id"], line["span_id"], line["name"], n(line)] for line in records["spans"]]
    same("spans", spans, sent["spans"])
    logs = [[line.get("trace_id"), micros(line["timestamp"]), line["message"], n(line)] for line in records["logs"]]
    same("log records", logs, [[trace, nanos // 1000, *rest] for trace, nanos, *rest in sent["logs"]])
    by_trace = collections.defaultdict(list)
    for trace, _, _, place in spans:
        by_trace[trace].append(int(place))
    if wrong := [places for places in by_trace.values() if places != sorted(places)]:
        sys.exit(f"spans of a trace are not in order: {wrong[:5]}")
    print(f"traces: {len(by_trace)}, each in order")

    # A series has one key, and a key one series; its times ascend.
    if any(len(set(series)) != 1 for series in keys.values()) or len(keys) != len({s[0] for s in keys.values()}):
        sys.exit(f"keys and series: {dict(keys)}")
    points = collections.defaultdict(list)
    for line in records["metrics"]:
        points[json.dumps([line["name"], line["labels"]], sort_keys=True)].append(line["unix_nanos"])
    if any(times != sorted(set(times)) for times in points.values()):
        sys.exit("points of a series are doubled, or not in order")
    same("points", range(len(records["metrics"])), range(sent["sent"]["metrics"]))
    rounds, totals = sent["rounds"], {}
    for line in records["metrics"]:
        if line["name"] == "orders":
            totals[line["labels"]["route"]] = line["value"]
    wanted = {'/a b,c="d"': 3 * rounds, "é\r\n$5\r\n": 4 * rounds, "a\nb\\": rounds, "'; DROP TABLE x": 2 * rounds}
    if totals != wanted:
        sys.exit(f"orders: {totals}, and not {wanted}")
    print(f"orders: {totals}")


def channel(url, signal, path):
    import redis

    reader = redis.Redis.from_url(url).pubsub()
    reader.subscribe(f"telemetry:{signal}")
    with open(path, "wb", buffering=0) as file:
        for message in reader.listen():
            file.write(b"" if message["type"] == "subscribe" else message["data"])
            print(message["type"], flush=True)


match sys.argv[1:]:
    case ["redis", url, sent, *once]:
        check(read_redis(url), sent, bool(once))
    case ["channel", url, signal, path]:
        channel(url, signal, path)
    case ["nats", url, sent]:
        check(read_nats(url), sent, True)
    case ["rabbitmq", url, sent, prefix]:
        check(read_rabbitmq(url, prefix), sent, False)
    case _:
        sys.exit(__doc__)
