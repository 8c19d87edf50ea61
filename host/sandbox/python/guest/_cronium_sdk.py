"""The helpers of a script: the SDK, whose calls go to the host at once and not over a connection."""

from collections.abc import Callable
from json import JSONDecoder, loads
from typing import Any, NamedTuple

import cronium.aio  # noqa: F401
from _cronium import call
from _cronium_loop import answer as answer_later
from _cronium_loop import wait_for
from _cronium_operations import OPERATIONS, Parameter
from cronium import _contract
from cronium._aio_client import default_client as default_aio_client
from cronium._client import default_client
from cronium._contract import Operation, VariableEntry, read_metadata
from cronium._errors import RuntimeError
from cronium._json import to_json_text
from cronium._performer import enter_sandbox

_scan = JSONDecoder().scan_once


class _Form(NamedTuple):
    """How an operation travels."""

    number: int
    parameters: tuple[Parameter, ...]
    takes_key: bool
    """Its one parameter is a text, which needs no JSON to cross."""
    read: Callable[[Any], Any] | None
    """Makes the result of what the answer says, when that is not the result itself."""


class _Sandbox:
    def perform(self, operation: Operation, given: tuple[Any, ...]) -> Any:
        form = _forms[operation.id]
        answer = call(form.number, *_write(form, given))
        if answer.__class__ is int:
            answer = wait_for(answer)
        return _read(form, answer)

    async def perform_later(self, operation: Operation, given: tuple[Any, ...]) -> Any:
        form = _forms[operation.id]
        answer = call(form.number, *_write(form, given))
        if answer.__class__ is int:
            answer = await answer_later(answer)
        return _read(form, answer)

    def close(self) -> None:
        """There is nothing to close."""


def _write(form: _Form, given: tuple[Any, ...]) -> tuple[str, str | None]:
    """The parameters of a call as the host takes them, and its body. Raises `invalid` for arguments that have no form there."""
    if not given:
        return "[]", None
    if form.takes_key and given[0].__class__ is str and given[0].isascii():
        return "=" + given[0], None
    members: list[str] = []
    options: list[str] = []
    body = None
    for (name, kind, field, required), value in zip(form.parameters, given):
        if kind == "json":
            if required or value is not None:
                body = to_json_text(value, name)
        elif value is None:
            if required:
                raise RuntimeError("invalid", f"{name} is missing.")
        elif kind == "option":
            options.append(f'"{field}":{to_json_text(value, name)}')
        else:
            members.append(to_json_text(value, name))
    if options:
        members.append("{" + ",".join(options) + "}")
    return "[" + ",".join(members) + "]", body


def _read(form: _Form, answer: str) -> Any:
    """What the host has answered: nothing, a result, or an error behind a mark that no JSON begins with."""
    if answer == "":
        return None
    if answer[0] == "!":
        error = loads(answer[1:])
        raise RuntimeError(error["code"], error["message"], error.get("details"))
    try:
        value, _ = _scan(answer, 0)
    except (StopIteration, ValueError):
        value = _read_slowly(answer)
    return value if form.read is None else form.read(value)


def _read_slowly(answer: str) -> Any:
    """Values are kept as they were written: with white space before them, or with more digits than Python reads."""
    try:
        return loads(answer)
    except ValueError as error:
        raise RuntimeError("unavailable", f"The answer cannot be read: {error}.") from None


def _read_entry(given: Any) -> VariableEntry:
    return VariableEntry(given["value"], read_metadata(given["metadata"]))


def _create_form(number: int, operation: Operation, parameters: tuple[Parameter, ...]) -> _Form:
    takes_key = len(parameters) == 1 and parameters[0].kind == "plain"
    return _Form(number, parameters, takes_key, _read_entry if operation.result == "entry" else operation.read)


_operations = {operation.id: operation for operation in _contract.OPERATIONS}
_forms = {
    name: _create_form(number, _operations[name], parameters)
    for number, (name, parameters) in enumerate(OPERATIONS.items())
}

enter_sandbox(_Sandbox())
# Made now, as a part of the image.
default_client()
default_aio_client()
