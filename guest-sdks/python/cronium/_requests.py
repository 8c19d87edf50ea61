"""Calls as requests, and answers as results."""

import json
import math
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, NamedTuple, Optional, Tuple
from urllib.parse import quote

from ._contract import Metadata, Operation, Place, VariableEntry
from ._errors import RuntimeError
from ._json import to_json

if TYPE_CHECKING:
    # Loaded by those who connect.
    from http.client import HTTPMessage


class Call(NamedTuple):
    """A request to the runtime API. The path is percent-encoded."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Optional[bytes]
    effect: bool


class Reply(NamedTuple):
    """An answer of the server: a success, or `not-found`."""

    status: int
    headers: "HTTPMessage"
    body: bytes


def to_call(operation: Operation, given: Tuple[Any, ...]) -> Call:
    """The request of a call. Raises `invalid` for arguments that have no form in one."""
    path, query, headers = operation.path, [], {}  # type: Tuple[str, List[str], Dict[str, str]]
    body = None
    members: List[bytes] = []
    for place, value in zip(operation.places, given):
        name = place.name or place.parameter
        if place.where == "body":
            if place.name is None:
                if value is not None or place.parameter == "value":
                    body = to_json(value, place.parameter)
            elif value is not None:
                members.append(to_json(name, name) + b":" + to_json(value, name))
        elif value is None:
            if place.where == "path":
                raise RuntimeError("invalid", "{} is missing.".format(place.parameter))
        elif place.where == "header":
            _set_header(headers, place, value)
        else:
            text = _encode(place.parameter, value)
            if place.where == "path":
                path = path.replace("{" + name + "}", text)
            else:
                query.append(name + "=" + text)
    if members:
        body = b"{" + b",".join(members) + b"}"
    if query:
        path += "?" + "&".join(query)
    return Call(operation.method, path, headers, body, operation.effect)


def to_result(operation: Operation, reply: Reply) -> Any:
    """What a call returns, made of its answer."""
    if reply.status == 404:
        if reply.headers.get("Content-Type", "").startswith("application/problem+json"):
            return None
        raise RuntimeError("unavailable", "The server does not have the runtime API at this URL (404).")
    if operation.result == "none":
        return None
    try:
        value = json.loads(reply.body)
    except ValueError:
        raise RuntimeError("unavailable", "The answer of the server is not JSON.") from None
    if operation.result == "entry":
        return VariableEntry(value, _read_metadata(reply))
    return operation.read(value) if operation.read is not None else value


def _read_metadata(reply: Reply) -> Metadata:
    headers = reply.headers
    return Metadata(
        version=headers.get("ETag", "").strip('"'),
        created_at=headers.get("Cronium-Created-At", ""),
        updated_at=headers.get("Cronium-Updated-At", ""),
        updated_by=headers.get("Cronium-Updated-By", ""),
        expires_at=headers.get("Cronium-Expires-At"),
        size=len(reply.body),
    )


def _set_header(headers: Dict[str, str], place: Place, value: Any) -> None:
    name = str(place.name)
    if place.form == "star":
        if not isinstance(value, bool):
            raise RuntimeError("invalid", "{} must be True or False.".format(place.parameter))
        if value:
            headers[name] = "*"
        return
    # Nothing that could end a header.
    if not isinstance(value, str) or not value or any(not "!" <= one <= "~" or one == '"' for one in value):
        raise RuntimeError("invalid", "{} must be a version, as a call has returned it.".format(place.parameter))
    headers[name] = '"' + value + '"'


def _encode(name: str, value: Any) -> str:
    """Everything but unreserved characters is percent-encoded."""
    if name in ("key", "prefix", "cursor"):
        if not isinstance(value, str):
            raise RuntimeError("invalid", "{} must be a text; it is a {}.".format(name, type(value).__name__))
    elif isinstance(value, bool) or not isinstance(value, (int, float)):
        raise RuntimeError("invalid", "{} must be a number; it is a {}.".format(name, type(value).__name__))
    elif isinstance(value, float) and not math.isfinite(value):
        raise RuntimeError("invalid", "{} must be a finite number.".format(name))
    try:
        return quote(str(value), safe="", encoding="utf-8", errors="strict")
    except UnicodeEncodeError:
        raise RuntimeError("invalid", "{} has a lone surrogate (half of a character).".format(name)) from None
