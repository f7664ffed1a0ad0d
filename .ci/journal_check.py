"""Takes entries as systemd's journal does, and compares what came of `tests/backends/syslog` with what was sent.

    journal_check.py serve SOCKET FILE       a strict reader of the native protocol; entries go to FILE as JSON lines
    journal_check.py entries SENT FILE       FILE is of the reader above
    journal_check.py journald SENT FILE      FILE is what `journalctl -o json --all` says
"""

import base64
import datetime
import fcntl
import json
import os
import re
import signal
import socket
import struct
import sys

F_GET_SEALS = 1034
ALL_SEALS = 0xF  # Seal, shrink, grow, write.
NAME = re.compile(rb"[A-Z][A-Z0-9_]{0,63}")


def read(entry):
    """The fields of an entry; fails on anything that the protocol does not have."""
    fields = []
    while entry:
        line, _, rest = entry.partition(b"\n")
        name, equals, value = line.partition(b"=")
        if not equals:
            (length,) = struct.unpack_from("<Q", rest)
            value, end, rest = rest[8 : 8 + length], rest[8 + length : 9 + length], rest[9 + length :]
            assert len(value) == length and end == b"\n", name
        assert NAME.fullmatch(name), name
        fields.append((name.decode(), base64.b64encode(value).decode()))
        entry = rest
    assert 0 < len(fields) <= 1024
    return fields


def serve(path, file):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if os.path.exists(path):
        os.remove(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind(path)
    with open(file, "a") as out:
        while True:
            entry, files, flags, _ = socket.recv_fds(listener, 1 << 20, 4)
            assert not flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC)
            if files:
                assert not entry and len(files) == 1, "a file comes alone"
                assert fcntl.fcntl(files[0], F_GET_SEALS) == ALL_SEALS, "it can be changed"
                entry = os.pread(files[0], os.fstat(files[0]).st_size, 0)
                os.close(files[0])
            print(json.dumps([len(files), read(entry)]), file=out, flush=True)


def severity(number):
    for least, code in [(24, 0), (21, 1), (18, 2), (17, 3), (13, 4), (10, 5), (9, 6)]:
        if number >= least:
            return code
    return 7


def expected(sent):
    """The fields that a record has to be."""
    time = datetime.datetime.fromtimestamp(sent["nanos"] // 10**9, datetime.timezone.utc)
    fields = {
        "MESSAGE": sent["body"],
        "PRIORITY": str(severity(sent["severity"])),
        "SYSLOG_IDENTIFIER": "shop",
        "SYSLOG_FACILITY": "16",
        "TIMESTAMP": f"{time:%Y-%m-%dT%H:%M:%S}.{sent['nanos'] % 10**9:09}Z",
        "TARGET": sent["target"],
        "EVENT_NAME": sent["event"],
        "TRACE_ID": sent["trace_id"],
        "SPAN_ID": sent["span_id"],
    }
    fields = {name: value for name, value in fields.items() if value}
    if sent["severity_text"] not in ["DEBUG", "INFO", "WARN", "ERROR"]:
        fields["SEVERITY_TEXT"] = sent["severity_text"]
    for key, value in sent["attributes"].items():
        fields[re.sub("[^A-Z0-9]", "_", key.upper())] = value
    return fields


def of_reader(line):
    fields = json.loads(line)[1]
    assert len(dict(fields)) == len(fields), "a field is there twice"
    return {name: base64.b64decode(value).decode() for name, value in fields}


def of_journald(line):
    """What is not readable as text is an array of bytes there; fields of the journal's own begin with `_`."""
    text = lambda value: bytes(value).decode() if isinstance(value, list) else value
    return {name: text(value) for name, value in json.loads(line).items() if not name.startswith("_")}


def compare(sent_file, file, reader):
    sent = json.load(open(sent_file))["records"]
    lines = open(file).read().splitlines()
    got = [fields for fields in map(reader, lines) if fields.get("SYSLOG_IDENTIFIER") == "shop"]
    wanted = [expected(record) for record in sent]
    # Not in their order: the journal itself shows entries of one microsecond in any.
    number = lambda fields: int(fields["N"])
    if sorted(map(number, got)) != list(map(number, wanted)):
        sys.exit(f"{len(got)} entries, and {len(wanted)} were sent")
    for is_there, was in zip(sorted(got, key=number), wanted):
        if is_there != was:
            different = {name for name in {*is_there, *was} if is_there.get(name) != was.get(name)}
            sys.exit("\n".join(f"{n}: {is_there.get(n)!r:.300} and was {was.get(n)!r:.300}" for n in different))
    n_files = sum(json.loads(line)[0] for line in lines) if reader is of_reader else "some"
    print(f"{len(got)} entries arrived, equal and once; {n_files} as files")


match sys.argv[1:]:
    case ["serve", path, file]:
        serve(path, file)
    case ["entries", sent, file]:
        compare(sent, file, of_reader)
    case ["journald", sent, file]:
        compare(sent, file, of_journald)
