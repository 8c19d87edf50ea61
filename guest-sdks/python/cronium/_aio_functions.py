# Generated from wit/ by "npm run generate". Do not edit.
"""The functions of the contract, as coroutines, on a client that the environment connects."""

from typing import Any, Mapping, Optional

from ._contract import EventContext, KeyPage, VariableEntry
from ._aio_client import default_client as client

__all__ = ["get_input", "set_output", "get_variable", "get_variable_entry", "set_variable", "delete_variable", "list_variables", "increment_variable", "set_condition", "get_condition", "get_event_context", "write_log"]


async def get_input() -> Any:
    """Returns the input of the run, or `None` when it has none.

    Errors: `denied` without the scope `input:read`.
    """
    return await client().get_input()


async def set_output(value: Any) -> None:
    """Sets the output of the run. The last call wins, and the output is kept when the script fails afterwards.
    A value that the script returns, other than `undefined`, counts as the last call.

    Errors: `denied` without the scope `output:write`; `invalid` when the value is not JSON;
    `too-large` over `maxOutputBytes`.
    """
    await client().set_output(value)


async def get_variable(key: str) -> Any:
    """Returns the value, or none when the key does not exist. Costs no retry.

    Errors: `denied` without the scope `variables:read`; `invalid` for a malformed key.
    """
    return await client().get_variable(key)


async def get_variable_entry(key: str) -> Optional[VariableEntry]:
    """Returns the value and its metadata, or none when the key does not exist: tells `None` from missing.

    Errors: as `get`.
    """
    return await client().get_variable_entry(key)


async def set_variable(key: str, value: Any, *, if_version: Optional[str] = None, if_absent: Optional[bool] = None, expires_in_ms: Optional[int] = None) -> str:
    """Writes the value and returns its new version. Durable and visible to every run when it returns.

    Errors: `denied` without the scope `variables:write`; `invalid` for a malformed key or value, or when both
    conditions are given; `too-large` over `maxValueBytes`; `conflict` when the condition does not hold.
    """
    return await client().set_variable(key, value, if_version=if_version, if_absent=if_absent, expires_in_ms=expires_in_ms)


async def delete_variable(key: str, *, if_version: Optional[str] = None) -> bool:
    """Deletes the key. Returns true, or false when there was none.

    Errors: `denied` without the scope `variables:write`; `invalid` for a malformed key; `conflict` when the
    condition does not hold.
    """
    return await client().delete_variable(key, if_version=if_version)


async def list_variables(*, prefix: Optional[str] = None, cursor: Optional[str] = None, limit: Optional[int] = None) -> KeyPage:
    """Lists keys and their metadata, a page at a time.

    Errors: `denied` without the scope `variables:read`; `invalid` for a malformed cursor or limit.
    """
    return await client().list_variables(prefix=prefix, cursor=cursor, limit=limit)


async def increment_variable(key: str, by: Optional[float] = None) -> float:
    """Adds to a number atomically and returns the sum. A missing key starts at 0; 1 is added when `by` is not given.
    An expiry that was set before stays.

    Errors: `denied` without the scope `variables:write`; `invalid` when the value is not a number, or when the
    sum is not finite or is an integer beyond ±(2^53−1).
    """
    return await client().increment_variable(key, by)


async def set_condition(value: bool) -> None:
    """Sets the condition. It survives a script that fails afterwards.

    Errors: `denied` without the scope `condition:write`.
    """
    await client().set_condition(value)


async def get_condition() -> Optional[bool]:
    """Returns the condition, or none when it is unset.

    Errors: `denied` without the scope `condition:read`.
    """
    return await client().get_condition()


async def get_event_context() -> EventContext:
    """Returns the event and the run.

    Errors: `denied` without the scope `context:read`.
    """
    return await client().get_event_context()


async def write_log(level: str, message: str, fields: Optional[Mapping[str, Any]] = None) -> None:
    """Writes a line to the log of the run. Lines keep their order; they become durable with the end of the
    run or after `logFlushMs`, whichever comes first. Over `maxLogBytes` one marker is left, later lines are
    dropped, and the run goes on.

    Errors: `denied` without the scope `log:write`; `invalid` when `fields` is not a JSON object.
    """
    await client().write_log(level, message, fields)
