"""Has the parser of PyPI's `prometheus_client` read every OpenMetrics page of a folder.

    openmetrics_check.py FOLDER    wants prometheus_client; ends with 1 at the first page refused

The pages are those that `generated_pages_read_back` leaves where BELLWETHER_PAGES says. A label of
each series counts the series of its family, so that one that got lost or doubled is found.
"""

import collections
import pathlib
import sys

from prometheus_client.openmetrics.parser import text_string_to_metric_families


def check(path):
    """The number of samples of the page, which the parser accepts."""
    # Bytes, because a carriage return in a label's value must not become the end of a line.
    families = list(text_string_to_metric_families(path.read_bytes().decode()))
    for family in families:
        seen = collections.Counter((sample.name, frozenset(sample.labels.items()))
                                   for sample in family.samples)
        twice = [key for key, count in seen.items() if count > 1]
        if twice:
            sys.exit(f"FAILED: {path}: twice: {twice[0]}")
    return sum(len(family.samples) for family in families), collections.Counter(
        family.type for family in families)


def main():
    pages, samples, kinds = 0, 0, collections.Counter()
    for path in sorted(pathlib.Path(sys.argv[1]).glob("*.om")):
        try:
            found, types = check(path)
        except ValueError as error:
            sys.exit(f"FAILED: {path}: {error}")
        pages, samples, kinds = pages + 1, samples + found, kinds + types
    if not samples:
        sys.exit("FAILED: no pages")
    print(f"  prometheus_client accepts {pages} pages with {samples} samples: {dict(kinds)}")


if __name__ == "__main__":
    main()
