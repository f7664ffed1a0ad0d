"""Drives a bounded load at `shop` and tells what was sent: `shop_load.py HOST:PORT REQUESTS OUT`.

Four connections, each a thread that sends its requests one after the other. OUT is a JSON object:
`requests`, a list of [method, route, status, nanoseconds, when it was answered] of each answered
request, the last in nanoseconds since 1970; `closed`, how many connections the service closed before
they were through; `seconds`.
Load goes to the loopback only, and ends after REQUESTS or two minutes.
"""

import json
import random
import socket
import sys
import threading
import time

CONNECTIONS = 4
SECONDS_AT_MOST = 120
# Of `/slow`, in milliseconds: most are short, so that many buckets fill; one of twenty is near 100 ms,
# on both sides, for an objective of 0.1 s.
WAITS = 19 * (1, 1, 1, 2, 2, 3, 5, 8, 20, 40) + (50, 60, 80, 90, 99, 100, 120, 120, 150, 150)
EACH_KIND = (("GET", "/catalog"), ("GET", "/checkout"), ("GET", "/fail"), ("GET", "/slow?ms=1"),
             ("GET", "/slow?ms=long"), ("POST", "/catalog"))


def requests(count, seed):
    """Each kind once, then a mix of all."""
    yield from EACH_KIND[:count]
    rng = random.Random(seed)
    for _ in range(count - len(EACH_KIND)):
        share = rng.random()
        if share < 0.60:
            yield "GET", "/catalog"
        elif share < 0.80:
            yield "GET", "/checkout"
        elif share < 0.88:
            yield "GET", "/fail"
        elif share < 0.98:
            yield "GET", f"/slow?ms={rng.choice(WAITS)}"
        elif share < 0.99:
            yield "GET", "/slow?ms=long"  # 400, before the handler.
        else:
            yield "POST", "/catalog"  # 405, likewise.


class Closed(Exception):
    """The service closed the connection."""


class Connection:
    """One HTTP/1.1 connection that is kept, with as little work per request as Python allows."""

    def __init__(self, host, port):
        self.socket = socket.create_connection((host, port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.host, self.received = host.encode(), b""

    def status(self, method, target):
        length = b"Content-Length: 0\r\n" if method == "POST" else b""
        line = f"{method} {target} HTTP/1.1\r\n".encode()
        try:
            self.socket.sendall(line + b"Host: " + self.host + b"\r\n" + length + b"\r\n")
            while b"\r\n\r\n" not in self.received:
                self.receive()
            head, self.received = self.received.split(b"\r\n\r\n", 1)
            body = 0
            for field in head.split(b"\r\n")[1:]:
                name, value = field.split(b":", 1)
                body = int(value) if name.lower() == b"content-length" else body
            while len(self.received) < body:
                self.receive()
        except (BrokenPipeError, ConnectionResetError) as error:
            raise Closed from error
        self.received = self.received[body:]
        return int(head.split(b" ", 2)[1])

    def receive(self):
        part = self.socket.recv(65536)
        if not part:
            raise Closed
        self.received += part


def main():
    address, count, out = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    host, port = address.rsplit(":", 1)
    assert host in ("127.0.0.1", "[::1]", "localhost"), f"{host} is not the loopback"
    answered = [[] for _ in range(CONNECTIONS)]
    unfinished = [True] * CONNECTIONS  # Until its client has got each answer.
    closed = [False] * CONNECTIONS
    begin = time.perf_counter()

    def client(number):
        connection = Connection(host, int(port))
        try:
            for method, target in requests(count // CONNECTIONS, number):
                start = time.perf_counter_ns()
                if start > (begin + SECONDS_AT_MOST) * 1e9:
                    return
                status = connection.status(method, target)
                took, at = time.perf_counter_ns() - start, time.time_ns()
                answered[number].append((method, target.split("?")[0], status, took, at))
        except Closed:
            closed[number] = True
        unfinished[number] = False

    clients = [threading.Thread(target=client, args=(number,)) for number in range(CONNECTIONS)]
    for thread in clients:
        thread.start()
    for thread in clients:
        thread.join()
    assert not any(unfinished), "a client failed, or the load took too long"
    seconds = time.perf_counter() - begin
    everything = [request for of_client in answered for request in of_client]
    with open(out, "w") as file:
        json.dump({"requests": everything, "closed": sum(closed), "seconds": seconds}, file)
    print(f"{len(everything)} requests answered in {seconds:.1f} s,"
          f" {len(everything) / seconds:.0f} a second; connections closed early: {sum(closed)}")


if __name__ == "__main__":
    main()
