"""Values as JSON texts."""

import json
from typing import Any

from ._errors import RuntimeError

# The contract refuses deeper values.
_MAX_DEPTH = 128

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def to_json_text(value: Any, name: str) -> str:
    """The JSON text of a value. Raises `invalid` for what JSON has no form for."""
    try:
        text = _encode(value)
        if text.count("[") + text.count("{") > _MAX_DEPTH and _depth(value) > _MAX_DEPTH:
            raise _too_deep(name)
        if not text.isascii():
            text.encode("utf-8")
        return text
    except UnicodeEncodeError:
        raise RuntimeError("invalid", "{} has a lone surrogate (half of a character), which is not JSON.".format(name)) from None
    except RecursionError:
        raise _too_deep(name) from None
    except (TypeError, ValueError) as error:
        raise RuntimeError("invalid", "{} is not JSON: {}.".format(name, error)) from None


def to_json(value: Any, name: str) -> bytes:
    """The same in UTF-8."""
    return to_json_text(value, name).encode("utf-8")


def _depth(value: Any) -> int:
    """How deep the lists and objects in a value are nested; more than the limit is not counted to its end."""
    level, depth = [value], 0
    while depth <= _MAX_DEPTH:
        level = [one for one in level if isinstance(one, (dict, list, tuple))]
        if not level:
            break
        depth += 1
        level = [inner for one in level for inner in (one.values() if isinstance(one, dict) else one)]
    return depth


def _too_deep(name: str) -> RuntimeError:
    limit = {"name": "maxJsonDepth", "value": _MAX_DEPTH, "unit": "levels"}
    return RuntimeError("invalid", "{} is nested more than {} levels deep (maxJsonDepth).".format(name, _MAX_DEPTH), {"limit": limit})
