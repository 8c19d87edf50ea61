"""Stands in for the runtime while a script is written: the same answers and errors, from files and the environment."""

import copy
import json
import re
import sys
import threading
from datetime import datetime, timedelta, timezone
from typing import Any, Dict, List, Mapping, Tuple

from ._contract import Operation, read_event_context
from ._errors import RuntimeError
from ._json import to_json
from ._requests import to_call
from ._stub_sources import read_stub_settings
from ._stub_variables import StubVariables, require_size

_NOTICE = "no connection is configured; this is the stub (nothing leaves this process)"


class Stub:
    def __init__(self, environment: Mapping[str, str]) -> None:
        _print(_NOTICE)
        self._settings = read_stub_settings(environment)
        self._variables = StubVariables(self._settings.variables, self._settings.state_file)
        self._condition = self._settings.condition
        self._started = datetime.now(timezone.utc)
        self._lock = threading.Lock()

    def perform(self, operation: Operation, given: Tuple[Any, ...]) -> Any:
        """Does what the runtime would, and returns what it would answer."""
        # Arguments that have no form in a request are refused as they would be there.
        body = to_call(operation, given).body
        if body is not None:
            json.loads(body, object_pairs_hook=_require_unique)
        with self._lock:
            return getattr(self, "_" + operation.name)(*given)

    def close(self) -> None:
        """There is nothing to close."""

    def _get_input(self) -> Any:
        return copy.deepcopy(self._settings.input)

    def _set_output(self, value: Any) -> None:
        text = to_json(value, "value")
        require_size(text, "output", "maxOutputBytes")
        _print("output " + text.decode("utf-8"))

    def _get_variable(self, key: Any) -> Any:
        entry = self._variables.find(key)
        return None if entry is None else entry.value

    def _get_variable_entry(self, key: Any) -> Any:
        return self._variables.find(key)

    def _set_variable(self, key: Any, value: Any, if_version: Any, if_absent: Any, expires_in_ms: Any) -> str:
        text = to_json(value, "value")
        version = self._variables.set(key, text, if_version, if_absent, expires_in_ms)
        _print("variable {} = {}".format(json.dumps(key, ensure_ascii=False), text.decode("utf-8")))
        return version

    def _delete_variable(self, key: Any, if_version: Any) -> bool:
        deleted = self._variables.delete(key, if_version)
        if deleted:
            _print("variable {} deleted".format(json.dumps(key, ensure_ascii=False)))
        return deleted

    def _list_variables(self, prefix: Any, cursor: Any, limit: Any) -> Any:
        return self._variables.list(prefix, cursor, limit)

    def _increment_variable(self, key: Any, by: Any) -> Any:
        total = self._variables.increment(key, by)
        _print("variable {} = {}".format(json.dumps(key, ensure_ascii=False), json.dumps(total)))
        return total

    def _set_condition(self, value: Any) -> None:
        if not isinstance(value, bool):
            raise RuntimeError("invalid", "value must be True or False.")
        self._condition = value
        _print("condition " + json.dumps(value))

    def _get_condition(self) -> Any:
        return self._condition

    def _get_event_context(self) -> Any:
        execution = {
            "id": "stub",
            "namespace": "stub",
            "mode": "external",
            "attempt": 1,
            "startedAt": _time(self._started),
            "deadlineAt": _time(self._started + timedelta(days=1)),
        }
        return read_event_context(dict(self._settings.event, execution=execution))

    def _write_log(self, level: Any, message: Any, fields: Any) -> None:
        if level not in ("debug", "info", "warn", "error"):
            raise RuntimeError("invalid", 'level must be "debug", "info", "warn" or "error".')
        if not isinstance(message, str):
            raise RuntimeError("invalid", "message must be a text.")
        if fields is not None and not isinstance(fields, Mapping):
            raise RuntimeError("invalid", "fields must be a JSON object.")
        details = "" if fields is None else " " + to_json(fields, "fields").decode("utf-8")
        _print("{} {}{}".format(level, message, details))


def _require_unique(members: List[Tuple[str, Any]]) -> Dict[str, Any]:
    """Names that differ in Python, such as 1 and "1", may be one in JSON."""
    read = dict(members)
    if len(read) < len(members):
        raise RuntimeError("invalid", "An object has a member twice.")
    return read


def _time(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _print(text: str) -> None:
    """Nothing in it can drive a terminal."""
    unsafe = "[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
    escaped = re.sub(unsafe, lambda found: "\\u{:04x}".format(ord(found.group())), text)
    sys.stderr.buffer.write("cronium: {}\n".format(escaped).encode("utf-8"))
    sys.stderr.flush()
