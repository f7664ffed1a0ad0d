"""Says whether a shipper got each span of `examples/file_rotation` once: SHIPPED N."""

import collections
import json
import sys

path, wanted = sys.argv[1], int(sys.argv[2])
seen, torn = collections.Counter(), 0
for line in open(path, encoding="utf-8"):
    try:
        record = json.loads(line)
    except ValueError:
        torn += 1
        continue
    if record["signal"] == "spans":
        seen[record["attributes"]["n"]] += 1
missing = [n for n in range(wanted) if n not in seen]
doubled = [n for n, count in seen.items() if count > 1]
print(f"shipped: {len(seen)} spans, {len(missing)} missing, {len(doubled)} doubled, {torn} lines torn")
sys.exit(bool(missing or doubled or torn))
