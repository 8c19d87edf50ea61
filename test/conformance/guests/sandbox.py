"""Runs the guest of the other doors in the sandbox, where nobody is at the other end of its streams: it reads the calls of one case, and tells its results at the end."""

import json
import sys
import time
from pathlib import Path

import cronium

order = json.loads(Path("order.json").read_text())
results = []


def resolve(given, labelled):
    """Puts the results of former calls in the place of references."""
    if isinstance(given, list):
        return [resolve(one, labelled) for one in given]
    if not isinstance(given, dict):
        return given
    if "$result" in given:
        found = labelled[given["$result"]]
        for name in filter(None, given["path"].split(".")):
            found = found[name]
        return found
    return {name: resolve(one, labelled) for name, one in given.items()}


def read_requests():
    """The lines of the guest's standard input."""
    yield json.dumps({"environment": {}})
    results.clear()
    labelled = {}
    for step in order["steps"]:
        if "waitMs" in step:
            time.sleep(step["waitMs"] / 1000)
            continue
        call = resolve(step, labelled)
        yield json.dumps(call)
        if "as" in call and "text" in results[-1]:
            labelled[call["as"]] = json.loads(results[-1]["text"])


class Answers:
    """The guest's standard output."""

    def write(self, line):
        results.append(json.loads(line))

    def flush(self):
        pass


sys.stdin, sys.stdout = read_requests(), Answers()
import guest  # noqa: E402, F401

report = json.dumps(results, ensure_ascii=False)
if order["reportTo"] == "output":
    cronium.set_output(report)
else:
    cronium.log.debug("results " + report)
