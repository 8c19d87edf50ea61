# Generated from wit/ by "npm run generate". Do not edit.
"""The functions of the contract."""

from typing import Any, Callable, Mapping, Optional, Tuple

from . import _contract
from ._contract import EventContext, KeyPage, VariableEntry


class Calls:
    """The helpers of one run. How a call is performed is up to the client."""

    _perform: Callable[[_contract.Operation, Tuple[Any, ...]], Any]

    def get_input(self) -> Any:
        """Returns the input of the run, or `None` when it has none.

        Errors: `denied` without the scope `input:read`.
        """
        return self._perform(_contract.IO_GET_INPUT, ())

    def set_output(self, value: Any) -> None:
        """Sets the output of the run. The last call wins, and the output is kept when the script fails afterwards.
        A value that the script returns, other than `undefined`, counts as the last call.

        Errors: `denied` without the scope `output:write`; `invalid` when the value is not JSON;
        `too-large` over `maxOutputBytes`.
        """
        self._perform(_contract.IO_SET_OUTPUT, (value,))

    def get_variable(self, key: str) -> Any:
        """Returns the value, or none when the key does not exist. Costs no retry.

        Errors: `denied` without the scope `variables:read`; `invalid` for a malformed key.
        """
        return self._perform(_contract.VARIABLES_GET, (key,))

    def get_variable_entry(self, key: str) -> Optional[VariableEntry]:
        """Returns the value and its metadata, or none when the key does not exist: tells `None` from missing.

        Errors: as `get`.
        """
        result: Optional[VariableEntry] = self._perform(_contract.VARIABLES_GET_ENTRY, (key,))
        return result

    def set_variable(self, key: str, value: Any, *, if_version: Optional[str] = None, if_absent: Optional[bool] = None, expires_in_ms: Optional[int] = None) -> str:
        """Writes the value and returns its new version. Durable and visible to every run when it returns.

        Errors: `denied` without the scope `variables:write`; `invalid` for a malformed key or value, or when both
        conditions are given; `too-large` over `maxValueBytes`; `conflict` when the condition does not hold.
        """
        result: str = self._perform(_contract.VARIABLES_SET, (key, value, if_version, if_absent, expires_in_ms,))
        return result

    def delete_variable(self, key: str, *, if_version: Optional[str] = None) -> bool:
        """Deletes the key. Returns true, or false when there was none.

        Errors: `denied` without the scope `variables:write`; `invalid` for a malformed key; `conflict` when the
        condition does not hold.
        """
        result: bool = self._perform(_contract.VARIABLES_DELETE, (key, if_version,))
        return result

    def list_variables(self, *, prefix: Optional[str] = None, cursor: Optional[str] = None, limit: Optional[int] = None) -> KeyPage:
        """Lists keys and their metadata, a page at a time.

        Errors: `denied` without the scope `variables:read`; `invalid` for a malformed cursor or limit.
        """
        result: KeyPage = self._perform(_contract.VARIABLES_LIST, (prefix, cursor, limit,))
        return result

    def increment_variable(self, key: str, by: Optional[float] = None) -> float:
        """Adds to a number atomically and returns the sum. A missing key starts at 0; 1 is added when `by` is not given.
        An expiry that was set before stays.

        Errors: `denied` without the scope `variables:write`; `invalid` when the value is not a number, or when the
        sum is not finite or is an integer beyond ±(2^53−1).
        """
        result: float = self._perform(_contract.VARIABLES_INCREMENT, (key, by,))
        return result

    def set_condition(self, value: bool) -> None:
        """Sets the condition. It survives a script that fails afterwards.

        Errors: `denied` without the scope `condition:write`.
        """
        self._perform(_contract.CONDITION_SET, (value,))

    def get_condition(self) -> Optional[bool]:
        """Returns the condition, or none when it is unset.

        Errors: `denied` without the scope `condition:read`.
        """
        result: Optional[bool] = self._perform(_contract.CONDITION_GET, ())
        return result

    def get_event_context(self) -> EventContext:
        """Returns the event and the run.

        Errors: `denied` without the scope `context:read`.
        """
        result: EventContext = self._perform(_contract.EVENT_GET_CONTEXT, ())
        return result

    def write_log(self, level: str, message: str, fields: Optional[Mapping[str, Any]] = None) -> None:
        """Writes a line to the log of the run. Lines keep their order; they become durable with the end of the
        run or after `logFlushMs`, whichever comes first. Over `maxLogBytes` one marker is left, later lines are
        dropped, and the run goes on.

        Errors: `denied` without the scope `log:write`; `invalid` when `fields` is not a JSON object.
        """
        self._perform(_contract.LOG_WRITE, (level, message, fields,))
