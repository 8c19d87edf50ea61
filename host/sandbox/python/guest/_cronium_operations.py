# Generated from wit/ by "npm run generate". Do not edit.
"""The operations in the order in which the host counts them, and how their parameters travel to it."""

from typing import NamedTuple


class Parameter(NamedTuple):
    """A parameter of a function of the SDK."""

    name: str
    kind: str
    """`plain`: a member of the array of parameters; `option`: a field of the object at its end; `json`: the body."""
    field: str
    """The name of an option as the contract has it."""
    required: bool


OPERATIONS = {
    "io.get-input": (),
    "io.set-output": (
        Parameter("value", "json", "", True),
    ),
    "variables.get": (
        Parameter("key", "plain", "", True),
    ),
    "variables.get-entry": (
        Parameter("key", "plain", "", True),
    ),
    "variables.set": (
        Parameter("key", "plain", "", True),
        Parameter("value", "json", "", True),
        Parameter("if_version", "option", "ifVersion", False),
        Parameter("if_absent", "option", "ifAbsent", False),
        Parameter("expires_in_ms", "option", "expiresInMs", False),
    ),
    "variables.delete": (
        Parameter("key", "plain", "", True),
        Parameter("if_version", "option", "ifVersion", False),
    ),
    "variables.list": (
        Parameter("prefix", "option", "prefix", False),
        Parameter("cursor", "option", "cursor", False),
        Parameter("limit", "option", "limit", False),
    ),
    "variables.increment": (
        Parameter("key", "plain", "", True),
        Parameter("by", "plain", "", False),
    ),
    "condition.set": (
        Parameter("value", "plain", "", True),
    ),
    "condition.get": (),
    "event.get-context": (),
    "log.write": (
        Parameter("level", "plain", "", True),
        Parameter("message", "plain", "", True),
        Parameter("fields", "json", "", False),
    ),
}
