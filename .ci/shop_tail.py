"""Tails a file as a shipper does: `shop_tail.py FILE OUT`, until SIGTERM.

It reads whole lines as they appear; when FILE leads to another file than the one being read, it
reads the old one to its end and goes on with the new one. OUT gets each line, in order, and the
last line printed is the count of lines and of files.
"""

import os
import signal
import sys
import time


def main():
    path, out = sys.argv[1:]
    ending = []
    signal.signal(signal.SIGTERM, lambda *_: ending.append(True))
    lines, files, rest = 0, 0, b""
    reading = None
    with open(out, "wb") as shipped:
        while True:
            # Both are looked at before the read, or what came in between would be missed.
            last_round = bool(ending)
            renamed = reading is not None and leads_elsewhere(path, reading)
            if reading is None and os.path.exists(path):
                reading, files = open(path, "rb"), files + 1
            whole, found, rest = (rest + (reading.read() if reading else b"")).rpartition(b"\n")
            shipped.write(whole + found)
            lines += (whole + found).count(b"\n")
            if renamed:
                assert not rest, f"a renamed file ends in half a line: {rest[:80]!r}"
                reading.close()
                reading = None
            elif last_round:
                break
            else:
                time.sleep(0.02)
    assert not rest, f"the file ends in half a line: {rest[:80]!r}"
    print(f"tailed {lines} lines of {files} files")


def leads_elsewhere(path, reading):
    try:
        there = os.stat(path)
    except FileNotFoundError:
        return False  # Renamed, and not made anew: the writer may still be writing to the old one.
    here = os.fstat(reading.fileno())
    return (there.st_dev, there.st_ino) != (here.st_dev, here.st_ino)


if __name__ == "__main__":
    main()
