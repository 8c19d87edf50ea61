"""What was set for the stub."""

import json
import os
import re
from typing import Any, Dict, Mapping, NamedTuple, Optional

from ._errors import RuntimeError

_LOCAL_FILE = "cronium.local.json"


class StubSettings(NamedTuple):
    """What the stub answers with. `state_file` is where variables are kept between runs."""

    input: Any
    variables: Mapping[str, Any]
    event: Mapping[str, Any]
    condition: Optional[bool]
    state_file: Optional[str]


def read_stub_settings(environment: Mapping[str, str]) -> StubSettings:
    """The later sources win: a recorded fixture, `cronium.local.json`, `.env` and the environment (`CRONIUM_STUB_*`). Raises `invalid` naming the source
    that is malformed."""
    env = _read_dot_env(".env")
    env.update({name: value for name, value in environment.items() if name.startswith("CRONIUM_STUB_") and value})
    given: Dict[str, Any] = {"input": None, "variables": {}, "event": {}, "condition": None}

    def take(source: Mapping[str, Any], origin: str) -> None:
        if "input" in source:
            given["input"] = source["input"]
        if source.get("variables") is not None:
            given["variables"] = dict(given["variables"], **_require_object(source["variables"], "variables in " + origin))
        if source.get("event") is not None:
            given["event"] = _require_object(source["event"], "event in " + origin)
        if "condition" in source:
            given["condition"] = _require_condition(source["condition"], "condition in " + origin)

    fixture, file = env.get("CRONIUM_STUB_FIXTURE"), env.get("CRONIUM_STUB_FILE")
    if fixture:
        recorded = _require_object(read_json_file(fixture, "CRONIUM_STUB_FIXTURE"), fixture)
        if recorded.get("cronium") != "fixture" or recorded.get("format") != 1:
            raise RuntimeError("invalid", "{} is not a fixture of format 1, as cronium run --record writes it.".format(fixture))
        take(recorded, fixture)
    if file:
        take(_require_object(read_json_file(file, "CRONIUM_STUB_FILE"), file), file)
    elif os.path.exists(_LOCAL_FILE):
        take(_require_object(read_json_file(_LOCAL_FILE, _LOCAL_FILE), _LOCAL_FILE), _LOCAL_FILE)
    for member in ("input", "variables", "event", "condition"):
        name = "CRONIUM_STUB_" + member.upper()
        if name in env:
            take({member: _read_value(env[name], name)}, name)
    state = env.get("CRONIUM_STUB_STATE")
    return StubSettings(state_file=os.path.abspath(state) if state else None, **given)


def read_json_file(path: str, name: str) -> Any:
    """The value in a JSON file."""
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise RuntimeError("invalid", "{}: {} cannot be read ({}).".format(name, path, type(error).__name__)) from None
    try:
        return json.loads(text)
    except ValueError as error:
        raise RuntimeError("invalid", "{}: {} is not JSON: {}.".format(name, path, error)) from None


def _read_value(text: str, name: str) -> Any:
    """JSON, or `@file`."""
    if text.startswith("@"):
        return read_json_file(text[1:], name)
    try:
        return json.loads(text)
    except ValueError as error:
        raise RuntimeError("invalid", "{} is not JSON: {}.".format(name, error)) from None


def _read_dot_env(path: str) -> Dict[str, str]:
    """`NAME=value` a line; of others than the stub's own nothing is taken."""
    found: Dict[str, str] = {}
    try:
        with open(path, encoding="utf-8") as file:
            lines = file.read().splitlines()
    except FileNotFoundError:
        return found
    for number, line in enumerate(lines, 1):
        match = re.match(r"\s*(?:export\s+)?(CRONIUM_STUB_\w+)\s*=\s*(.*?)\s*$", line)
        if not match:
            continue
        name, value = match.groups()
        if value[:1] in ("'", '"'):
            end = value.rfind(value[0])
            if end == 0:
                raise RuntimeError("invalid", "{}, line {}: the value of {} has no closing quote.".format(path, number, name))
            inner = value[1:end]
            value = inner if value[0] == "'" else re.sub(r'\\(["\\$`])', r"\1", inner).replace("\\n", "\n")
        else:
            value = re.sub(r"\s+#.*$", "", value)
        if value:
            found[name] = value
    return found


def _require_object(value: Any, name: str) -> Dict[str, Any]:
    if isinstance(value, dict):
        return value
    raise RuntimeError("invalid", "{} must be a JSON object.".format(name))


def _require_condition(value: Any, name: str) -> Optional[bool]:
    if value is None or isinstance(value, bool):
        return value
    raise RuntimeError("invalid", "{} must be true, false or null.".format(name))
