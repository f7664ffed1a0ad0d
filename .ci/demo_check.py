"""Reads what the demonstration of `shop` printed, prints it, and checks it as a reader would.

No line is wider than a terminal; the alert is pending, then firing, then resolved, each beside its
threshold; the table has its quantiles and a trace its bars; the account on the last line adds up.
"""

import re
import sys

WIDTH = 80


def check(right, message):
    if not right:
        sys.exit(f"FAILED: {message}")


text = sys.stdin.read()
print(text, end="")
lines = text.splitlines()
wide = [line for line in lines if len(line) > WIDTH]
check(not wide, f"wider than {WIDTH} columns: {wide}")
check("\x1b" not in text, "colour where there is no terminal")
alerts = re.findall(r"^alert RequestsFail is (\w+): .*> 0\.05 .*$", text, re.MULTILINE)
check(alerts == ["pending", "firing", "resolved"], f"alerts: {alerts}")
check(re.search(r"route +rate +errors +P50 +P90 +P99$", text, re.MULTILINE), "no table of routes")
for route in ("/catalog", "/checkout", "/inventory", "/slow"):
    check(re.search(rf"^  {route} .*/s .* %", text, re.MULTILINE), f"no row of {route}")
check(re.search(r"INSERT orders +client .*█.* error$", text, re.MULTILINE), "no trace of a failure")
account = re.fullmatch(r"offered=(\d+) delivered=(\d+) held=0 spooled=0 dropped=0", lines[-1])
check(account and account[1] == account[2], f"the last line: {lines[-1]}")
