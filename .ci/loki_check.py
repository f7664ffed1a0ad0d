"""A strict server of Loki's push API, and what it has of `tests/backends/loki`, compared with what was sent.

    loki_check.py serve PORT STORE        takes what Loki takes by its documentation, and nothing else
    loki_check.py check URL SENT          asks the server, and compares
    loki_check.py selftest                what the server refuses

The server wants a tenant and a user, keeps entries in the file STORE, and has Loki's limits and Loki's words for what
is beyond them. When it starts it is busy twice; its fifth answer gets lost. It is stricter than Loki: names of
structured metadata are legal, entries of a stream are in order within a request, and no field is unknown.
"""

import base64
import gzip
import http.server
import json
import re
import sys
import time
import urllib.parse
import urllib.request

NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*\Z")
HOUR = 3_600_000_000_000
TENANT = "our-shop"
USER = "Basic " + base64.b64encode(b"ann:secret").decode()


class Refused(Exception):
    """An answer that is no success."""

    def __init__(self, status, text):
        super().__init__(f"{status}: {text}")
        self.status, self.text = status, text


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def unsnap(data):
    """Snappy's raw format."""
    length, at = varint(data, 0)
    out = bytearray()
    while at < len(data):
        tag = data[at]
        at += 1
        kind, size = tag & 3, tag >> 2
        if kind == 0:
            if size >= 60:
                n_bytes = size - 59
                size = int.from_bytes(data[at : at + n_bytes], "little")
                at += n_bytes
            out += data[at : at + size + 1]
            at += size + 1
            continue
        if kind == 1:
            size, offset = (size & 7) + 4, tag >> 5 << 8 | data[at]
            at += 1
        else:
            n_bytes = 2 if kind == 2 else 4
            size, offset = size + 1, int.from_bytes(data[at : at + n_bytes], "little")
            at += n_bytes
        if not 0 < offset <= len(out):
            raise ValueError("a copy from nowhere")
        for _ in range(size):
            out.append(out[-offset])
    if len(out) != length:
        raise ValueError("another length than it says")
    return bytes(out)


def fields(data):
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            value, at = varint(data, at)
        elif wire == 2:
            length, at = varint(data, at)
            value = data[at : at + length]
            at += length
            if len(value) != length:
                raise ValueError("a field is cut")
        else:
            raise ValueError(f"field {number} is of the wire type {wire}")
        yield number, value


def message(data, shape):
    """A message whose fields have the names and kinds of `shape`; those in lists may be there often."""
    found = {name: [] for name, _, is_list in shape.values() if is_list}
    for number, value in fields(data):
        name, kind, is_list = shape[number]
        value = value.decode() if kind is str else kind(value)
        if is_list:
            found[name].append(value)
        elif found.setdefault(name, value) is not value:
            raise ValueError(f"{name} is there twice")
    return found


TIMESTAMP = {1: ("seconds", int, False), 2: ("nanos", int, False)}
PAIR = {1: ("name", str, False), 2: ("value", str, False)}
ENTRY = {
    1: ("timestamp", lambda data: message(data, TIMESTAMP), False),
    2: ("line", str, False),
    3: ("metadata", lambda data: message(data, PAIR), True),
}
STREAM = {1: ("labels", str, False), 2: ("entries", lambda data: message(data, ENTRY), True)}
REQUEST = {1: ("streams", lambda data: message(data, STREAM), True)}


def of_protobuf(data):
    streams = []
    for stream in message(data, REQUEST)["streams"]:
        entries = []
        for entry in stream["entries"]:
            stamp = entry["timestamp"]
            at = stamp.get("seconds", 0) * 1_000_000_000 + stamp.get("nanos", 0)
            pairs = [(pair["name"], pair.get("value", "")) for pair in entry["metadata"]]
            entries.append((at, entry.get("line", ""), pairs))
        streams.append((stream["labels"], labels(stream["labels"]), entries))
    return streams


def of_json(data):
    def no_doubles(pairs):
        if len({name for name, _ in pairs}) < len(pairs):
            raise ValueError("a key is there twice")
        return dict(pairs)

    streams = []
    for stream in json.loads(data, object_pairs_hook=no_doubles)["streams"]:
        entries = []
        for value in stream["values"]:
            at, line, *metadata = value
            if not isinstance(at, str) or not isinstance(line, str) or len(metadata) > 1:
                raise ValueError("an entry is [time, line] or [time, line, metadata]")
            pairs = list(metadata[0].items()) if metadata else []
            if not all(isinstance(value, str) for _, value in pairs):
                raise ValueError("structured metadata is text")
            entries.append((int(at), line, pairs))
        own = stream["stream"]
        text = "{" + ", ".join(f"{name}={json.dumps(value)}" for name, value in sorted(own.items())) + "}"
        if any("\ufffd" in value for value in own.values()):
            raise bad_labels(text, "invalid UTF-8 rune")
        streams.append((text, own, entries))
    return streams


def bad_labels(text, what):
    return Refused(400, f"Error parsing labels '{text}' with error: {what}")


def labels(text):
    """Labels as they stand in a query."""
    if not (text.startswith("{") and text.endswith("}")):
        raise bad_labels(text, "no braces")
    found, at = {}, 1
    pair = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"((?:[^"\\\n\ufffd]|\\.)*)"\s*(,|(?=\}\Z))')
    while at < len(text) - 1:
        match = pair.match(text, at)
        if not match:
            raise bad_labels(text, f"1:{at + 1}: parse error")
        if match[1] in found:
            raise Refused(400, f"stream '{text}' has duplicate label name: '{match[1]}'")
        found[match[1]] = re.sub(r"\\(x[0-9a-f]{2}|u[0-9a-f]{4}|.)", unescaped, match[2])
        at = match.end()
    return found


def unescaped(match):
    code = match[1]
    short = {"n": "\n", "r": "\r", "t": "\t", "a": "\a", "b": "\b", "f": "\f", "v": "\v", '"': '"', "\\": "\\"}
    if code[0] in "xu" and len(code) > 1:
        return chr(int(code[1:], 16))
    if code not in short:
        raise Refused(400, f"unknown escape sequence {code}")
    return short[code]


def check_labels(text, own):
    own = {name: value for name, value in own.items() if value}
    if not own:
        raise Refused(400, "error at least one label pair is required per stream")
    if len(own) - ("service_name" in own) > 15:
        raise Refused(400, f"entry for stream '{text}' has {len(own)} label names; limit 15")
    for name, value in own.items():
        if not NAME.match(name) or name.startswith("__"):
            raise bad_labels(text, f"the name {name}")
        if len(name) > 1024:
            raise Refused(400, f"stream '{text}' has label name too long: '{name}'")
        if len(value.encode()) > 2048:
            raise Refused(400, f"stream '{text}' has label value too long: '{value}'")
    return own


def rfc3339(nanos):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(nanos // 1_000_000_000))


def of_go(nanos):
    seconds, nanos = divmod(nanos, 1_000_000_000)
    fraction = f".{nanos:09}".rstrip("0").rstrip(".")
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(seconds)) + fraction + " +0000 UTC"


def check_entry(text, entry, now):
    at, line, pairs = entry
    oldest = now - 7 * 24 * HOUR
    if at < oldest:
        found, oldest = rfc3339(at), rfc3339(oldest)
        raise Refused(400, f"entry for stream '{text}' has timestamp too old: {found}, oldest acceptable timestamp is: {oldest}")
    if at > now + HOUR // 6:
        raise Refused(400, f"entry for stream '{text}' has timestamp too new: {rfc3339(at)}")
    size = len(line.encode())
    if size > 256 << 10:
        raise Refused(400, f"Max entry size '{256 << 10}' bytes exceeded for stream '{text}' while adding an entry with length '{size}' bytes")
    size = sum(len(name.encode()) + len(value.encode()) for name, value in pairs)
    if size > 64 << 10:
        raise Refused(400, f"stream '{text}' has structured metadata too large: '{size}' bytes, limit: '{64 << 10}' bytes.")
    if len(pairs) > 128:
        raise Refused(400, f"stream '{text}' has too many structured metadata labels: '{len(pairs)}', limit: '128'.")


class Store:
    """Entries by stream, and a file of them."""

    def __init__(self, path):
        self.streams, self.seen = {}, set()
        self.file = open(path, "a+")
        self.file.seek(0)
        for line in self.file:
            own, at, text, metadata = json.loads(line)
            self.keep(tuple(map(tuple, own)), at, text, tuple(map(tuple, metadata)))

    def keep(self, key, at, line, metadata):
        """Whether it is new: an equal entry is the same one."""
        if (key, at, line, metadata) in self.seen:
            return False
        self.seen.add((key, at, line, metadata))
        self.streams.setdefault(key, []).append((at, line, metadata))
        return True

    def push(self, streams, now):
        if not streams:
            raise Refused(422, "error at least one valid stream is required for ingestion")
        invalid, last = {}, None
        good = []
        for text, own, entries in streams:
            own, kept = check_labels(text, own), []
            if [at for at, _, _ in entries] != sorted(at for at, _, _ in entries):
                raise Refused(400, f"strict: stream {text} is not in the order of times")
            for entry in entries:
                for name, _ in entry[2]:
                    if not NAME.match(name) or name.startswith("_") or name in own:
                        raise Refused(400, f"strict: {name!r} is no name of structured metadata")
                if len({name for name, _ in entry[2]}) < len(entry[2]):
                    raise Refused(400, "strict: a name of structured metadata is there twice")
                try:
                    check_entry(text, entry, now)
                    kept.append(entry)
                except Refused as refused:
                    invalid[refused.text] = invalid.get(refused.text, 0) + 1
            good.append((text, tuple(sorted(own.items())), kept))
        for text, key, entries in good:
            if entries:
                last = self.ingest(text, key, entries)
        self.file.flush()
        if last:
            raise last
        if invalid:
            many = len(invalid) > 1 or max(invalid.values()) > 1
            parts = [f"{n} errors like: {what}" if many else what for what, n in invalid.items()]
            raise Refused(400, "; ".join(parts))

    def ingest(self, text, key, entries):
        """What an ingester does with a stream; what it refuses is the answer only if no other stream follows."""
        newest = max((at for at, _, _ in self.streams.get(key, [])), default=None)
        ignored = []
        for at, line, pairs in entries:
            # Loki takes U+FFFD out.
            metadata = tuple((name, value.replace("\ufffd", "")) for name, value in sorted(pairs))
            if newest is not None and at < newest - HOUR:
                oldest = rfc3339(newest - HOUR)
                ignored.append(f"entry with timestamp {of_go(at)} ignored, reason: 'entry too far behind, entry timestamp is: {rfc3339(at)}, oldest acceptable timestamp is: {oldest}',\n")
                continue
            newest = max(newest or at, at)
            if self.keep(key, at, line, metadata):
                self.file.write(json.dumps([key, at, line, metadata]) + "\n")
        if not ignored:
            return None
        total = f"user '{TENANT}', total ignored: {len(ignored)} out of {len(entries)} for stream: {text}"
        return Refused(400, "".join(ignored[:10]) + total)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    n_pushes = 0

    def log_message(self, *_):
        pass

    def answer(self, status, text="", headers=()):
        body = text.encode()
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if status != 204:
            self.wfile.write(body)

    def may(self):
        if self.headers.get("Authorization") != USER:
            self.answer(401, "who are you?")
        elif self.headers.get("X-Scope-OrgID") != TENANT:
            self.answer(401, "no org id")
        else:
            return True
        return False

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if not self.may():
            return
        if self.path != "/loki/api/v1/push":
            self.answer(404, "404 page not found")
            return
        Handler.n_pushes += 1
        if Handler.n_pushes <= 2:
            self.answer(429, "Ingestion rate limit exceeded for user our-shop (limit: 1 bytes/sec)", [("Retry-After", "0")])
            return
        try:
            self.server.store.push(self.streams(body), time.time_ns())
            status, text = 204, ""
        except Refused as refused:
            status, text = refused.status, refused.text + "\n"
        except Exception as error:
            status, text = 400, f"couldn't parse push request: {error!r}\n"
        print(f"{status}: {text[:300]!r}", flush=True)
        if Handler.n_pushes == 5:
            print("an answer gets lost", flush=True)
            self.close_connection = True
            return
        self.answer(status, text)

    def streams(self, body):
        encoding = self.headers.get("Content-Encoding", "")
        if encoding not in ("", "snappy", "gzip"):
            raise ValueError(f'Content-Encoding "{encoding}" not supported')
        if encoding == "gzip":
            body = gzip.decompress(body)
        if self.headers["Content-Type"] == "application/json":
            return of_json(body)
        if self.headers["Content-Type"] != "application/x-protobuf":
            raise ValueError("another content type")
        return of_protobuf(unsnap(body))

    def do_GET(self):
        url = urllib.parse.urlparse(self.path)
        if url.path == "/ready":
            self.answer(200, "ready\n")
        elif url.path == "/loki/api/v1/query_range" and self.may():
            wanted = labels(urllib.parse.parse_qs(url.query)["query"][0])
            result = []
            for key, entries in self.server.store.streams.items():
                if wanted.items() <= dict(key).items():
                    values = [[str(at), line, {"structuredMetadata": dict(pairs)}] for at, line, pairs in sorted(entries)]
                    result.append({"stream": dict(key), "values": values})
            data = {"resultType": "streams", "result": result}
            self.answer(200, json.dumps({"status": "success", "data": data}))


def serve(port, path):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Handler)
    server.daemon_threads = True
    server.store = Store(path)
    server.serve_forever()


def same(what, found, wanted):
    if found != wanted:
        sys.exit(f"{what}: {found!r}, and {wanted!r} was sent")
    print(f"{what}: {found!r}"[:200])


OWN = "trace_id span_id level severity_text severity_number target event_name code_file_path code_line_number observed_timestamp dropped_attributes_count truncated_texts repeated suppressed line_bytes cut_values".split()
LEVELS = ["trace", "debug", "info", "warn", "error", "fatal"]


def legal(key):
    name = re.sub(r"[^a-zA-Z0-9]", "_", key)
    return ("key_" if not key or key[0] in "0123456789" else "key" if name[0] == "_" else "") + name


def cut(text, most):
    return text.encode()[:most].decode(errors="ignore")


def expected(log, kind):
    """The stream and the entry that a record has to be, by the page of the module."""
    level = LEVELS[(log["severity"] - 1) // 4]
    attributes = dict(log["attributes"])
    own = {"service_name": "shop"}
    pairs = {"service_instance_id": "i-1", "host_name": "here"}
    environment = 'test "1"\n'
    if kind == "protobuf":
        own |= {"level": level, "deployment_environment_name": environment}
        route = attributes.get("route", "")
        if route and "\ufffd" not in route:
            own["route"] = route
    else:
        pairs |= {"level": level, "deployment_environment_name": environment}
    reserved = set(OWN) | set(pairs) | {"service_name"}
    if kind == "protobuf":
        reserved |= {"level", "deployment_environment_name", "route"}
    for key, value in log["attributes"]:
        if key == "route" and "route" in own:
            continue
        name, n = legal(key), 1
        while name in reserved:
            n += 1
            name = f"{legal(key)}_{n}"
        reserved.add(name)
        pairs[name] = value
    if (log["severity"] - 1) % 4:
        pairs["severity_number"] = str(log["severity"])
    for name in ["trace_id", "span_id", "event_name"]:
        if log[name] is not None:
            pairs[name] = log[name]
    if log["target"]:
        pairs["target"] = log["target"]
    if log["observed"] != log["time"]:
        pairs["observed_timestamp"] = str(log["observed"])
    line = cut(log["body"], 1000)
    if line != log["body"]:
        pairs["line_bytes"] = str(len(log["body"].encode()))
    pairs = {name: value.replace("\ufffd", "") for name, value in pairs.items()}
    return tuple(sorted(own.items())), log["time"], line, tuple(sorted(pairs.items()))


def check(url, path):
    with open(path) as file:
        sent = json.load(file)
    query = urllib.parse.urlencode({"query": '{service_name="shop"}', "direction": "forward", "limit": 1_000_000})
    headers = {"Authorization": USER, "X-Scope-OrgID": TENANT, "X-Loki-Response-Encoding-Flags": "categorize-labels"}
    request = urllib.request.Request(f"{url}/loki/api/v1/query_range?{query}", headers=headers)
    answer = json.load(urllib.request.urlopen(request))
    found = []
    for stream in answer["data"]["result"]:
        key = tuple(sorted(stream["stream"].items()))
        for at, line, more in stream["values"]:
            found.append((key, int(at), line, tuple(sorted(more["structuredMetadata"].items()))))
    kind, begin = sent["kind"], sent["begin"]
    same("entries that are there twice", len(found) - len(set(found)), 0)
    is_odd = lambda at: not begin - HOUR < at < begin + HOUR
    wanted = [expected(log, kind) for log in sent["logs"]]
    same("records", len(wanted), 700 * sent["rounds"])
    usual = {entry for entry in wanted if not is_odd(entry[1])}
    for entry in sorted(usual - set(found))[:1]:
        near = [other for other in found if other[1] == entry[1]]
        sys.exit(f"missing: {entry}\nthere is: {near}")
    same("entries that nobody sent", len(set(found) - set(wanted)), 0)
    same("entries", len(found), sent["delivered"])
    odd = [entry for entry in wanted if is_odd(entry[1])]
    n_there = len(set(odd) & set(found))
    same("refused entries", sent["rejected"], len(odd) - n_there)
    same("offered", sent["delivered"] + sent["rejected"], len(wanted))
    if not sent["rejected"] or kind == "protobuf" and n_there:
        sys.exit(f"of {len(odd)} entries that are to be refused, {n_there} are there")
    print("streams:", len(answer["data"]["result"]))


def selftest():
    now = time.time_ns()
    store = Store("/dev/null")

    def said(streams):
        try:
            store.push(streams, now)
        except Refused as refused:
            return refused.text
        return "taken"

    good = '{a="b"}'
    entry = lambda at=now, line="x", pairs=(): (at, line, list(pairs))
    one = lambda *entries, text=good: [(text, labels(text), list(entries))]
    many = "{" + ", ".join(f'l{n}="x"' for n in range(16)) + "}"
    for streams, words in [
        (one(entry()), "taken"),
        ([], "at least one valid stream"),
        (one(entry(now - 8 * 24 * HOUR)), "entry for stream '{a=\"b\"}' has timestamp too old"),
        (one(entry(now - 8 * 24 * HOUR), entry(now - 8 * 24 * HOUR)), "2 errors like: entry for stream"),
        (one(entry(now + HOUR)), "too new"),
        (one(entry(now - 2 * HOUR)), "total ignored: 1 out of 1 for stream: {a"),
        (one(entry(now + 1), entry(now)), "not in the order"),
        (one(entry(line="x" * (256 << 10) + "x")), "Max entry size"),
        (one(entry(pairs=[("a.b", "x")])), "no name"),
        (one(entry(pairs=[("a", "x")])), "no name"),
        (one(entry(pairs=[("x", "1"), ("x", "2")])), "twice"),
        (one(entry(pairs=[("x", "y" * (64 << 10))])), "too large"),
        (one(entry(pairs=[(f"x{n}", "y") for n in range(129)])), "too many"),
        (one(entry(), text=many), "16 label names; limit 15"),
        (one(entry(), text=f'{{a="{"x" * 2049}"}}'), "label value too long"),
        (one(entry(), text='{__a="x"}'), "Error parsing labels"),
        (one(entry(), text='{a=""}'), "at least one label pair"),
    ]:
        assert words in said(streams), (words, said(streams))
    for text in ['{a="b"', '{a="b" c="d"}', '{a="\n"}', '{a="\ufffd"}', '{1="x"}', '{a="b", a="c"}', '{a="\\q"}']:
        try:
            labels(text)
        except Refused:
            continue
        raise AssertionError(text)
    assert labels('{a="\\"\\\\\\n\\x01", c="\\u00e9,}"}') == {"a": '"\\\n\x01', "c": "é,}"}
    assert unsnap(b"\x0b\x04ab\x11\x02\x00c") == b"abababababc"
    for data in [b'{"streams":[{"stream":{"a":"b"},"values":[[1,"x"]]}]}', b'{"streams":[{"stream":{"a":"b","a":"c"},"values":[]}]}', b'{"streams":[{"stream":{"a":"b"},"values":[["1","x",{"k":1}]]}]}']:
        try:
            of_json(data)
        except ValueError:
            continue
        raise AssertionError(data)
    print("the server refuses what Loki refuses")


{"serve": serve, "check": check, "selftest": selftest}[sys.argv[1]](*sys.argv[2:])
