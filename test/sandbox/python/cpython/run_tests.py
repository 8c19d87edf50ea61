"""Runs tests of CPython in the sandbox: their names are the arguments, what became of them is one line of JSON at the end."""

import io
import json
import sys
import unittest

from test import support


def cases(suite):
    for one in suite:
        if isinstance(one, unittest.TestSuite):
            yield from cases(one)
        else:
            yield one


class Result(unittest.TestResult):
    def __init__(self):
        super().__init__()
        self.failed = {}

    def addSubTest(self, test, subtest, error):
        if error is not None:
            self.note(test, error)

    def addError(self, test, error):
        self.note(test, error)

    addFailure = addError

    def addUnexpectedSuccess(self, test):
        self.failed.setdefault(test.id(), "it was expected to fail")

    def note(self, test, error):
        self.failed.setdefault(test.id(), f"{error[0].__name__}: {error[1]}"[:500])


excluded, *names = sys.argv[1:]
excluded = json.loads(excluded)
# Without the tests that CPython's own runner leaves out unless they are asked for, because they take long or much memory.
support.use_resources = ()
result = Result()
printed = sys.stdout
# Tests print, too.
sys.stdout = sys.stderr = io.StringIO()
loaded = unittest.defaultTestLoader.loadTestsFromNames(names)
unittest.TestSuite(
    case for case in cases(loaded) if not any(case.id() == name or case.id().startswith(name + ".") for name in excluded)
)(result)
print(json.dumps({"ran": result.testsRun, "skipped": len(result.skipped), "failed": result.failed}), file=printed)
