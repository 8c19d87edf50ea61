"""Text: lines that are built, searched by regular expressions and counted."""

import re
from collections import Counter


def run():
    lines = [f"2026-01-{i % 28 + 1:02d} host-{i % 17} GET /orders/{i * 7919 % 10007}?page={i % 9} {i * 31 % 977} ms" for i in range(15000)]
    pattern = re.compile(r"(?P<day>\d{4}-\d\d-\d\d) (?P<host>\S+) GET /orders/(?P<order>\d+)\?page=(\d+) (?P<took>\d+) ms")
    found = [pattern.fullmatch(line) for line in lines]
    hosts = Counter(match["host"] for match in found)
    slow = ", ".join(match["order"].zfill(6) for match in found if int(match["took"]) > 900)
    words = "\n".join(lines).replace("GET", "get").upper().split()
    return [hosts.most_common(3), len(slow), slow[:40], len(set(words))]
