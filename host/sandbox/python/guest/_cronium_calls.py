"""Calls of the host, answers that come later, and `time.sleep`, which is one."""

from collections.abc import Callable
from json import JSONDecoder, JSONEncoder
from math import ceil
from operator import index
from time import monotonic_ns
from typing import Any

from _cronium import call, wait as _wait
from _cronium_operations import OPERATIONS

# Operations of the contract go by their index in its table, the sandbox's own from 1000 on (sandbox-operations.ts).
GET_INPUT, WRITE_LOG = map(tuple(OPERATIONS).index, ("io.get-input", "log.write"))
SLEEP = 1000
CANCEL = 1001
FETCH = 1003

_LONGEST_SLEEP_MS = 2_147_483_647
_LONGEST_SLEEP_NS = 2**63 - 1

encode_json: Callable[[object], str] = JSONEncoder(separators=(",", ":")).encode
decode_json: Callable[[str], Any] = JSONDecoder().decode

_answers: dict[int, str] = {}
_listeners: dict[int, Callable[[str], None]] = {}


class NeverSettled(BaseException):
    """Ends a script that waits for what cannot come any more. No error that a script would handle."""


class HostError(Exception):
    """What the host has refused: a code of the contract, and why."""

    def __init__(self, answer: str) -> None:
        error = decode_json(answer[1:])
        self.code: str = error["code"]
        super().__init__(error["message"])


def ask(operation: int, params: str, body: str | None = None) -> str:
    """Calls the host and waits for its answer. Raises HostError."""
    answer = call(operation, params, body)
    return read_answer(wait_for(answer) if isinstance(answer, int) else answer)


def read_answer(answer: str) -> str:
    """An error begins with what no JSON text begins with."""
    if answer[:1] == "!":
        raise HostError(answer)
    return answer


def wait_for(call_id: int) -> str:
    """The late answer to a call, which is there for nobody else afterwards."""
    while call_id not in _answers:
        _receive_next()
    return _answers.pop(call_id)


def wait_until(call_id: int, milliseconds: int) -> str | None:
    """The same; None, and the call is cancelled, when it takes longer."""
    timer = start_sleep(milliseconds)
    while call_id not in _answers:
        if timer in _answers:
            del _answers[timer]
            cancel(call_id)
            return None
        _receive_next()
    cancel(timer)
    return _answers.pop(call_id)


def listen(call_id: int, listener: Callable[[str], None]) -> None:
    """Has the late answer to a call handed to `listener`, whoever waits for something then."""
    if call_id in _answers:
        listener(_answers.pop(call_id))
    else:
        _listeners[call_id] = listener


def count_listeners() -> int:
    return len(_listeners)


def receive(block: bool) -> bool:
    """Takes the next late answer. False: there is none, or with `block` there can be none."""
    late = _wait(block)
    if late is None:
        return False
    call_id, answer = late
    listener = _listeners.pop(call_id, None)
    if listener is None:
        _answers[call_id] = answer
    else:
        listener(answer)
    return True


def _receive_next() -> None:
    if not receive(True):
        raise NeverSettled("The script waits for an answer that cannot come: no call to the host is pending.")


def cancel(call_id: int) -> None:
    """Forgets a call. Its answer may be on its way already."""
    _listeners.pop(call_id, None)
    if _answers.pop(call_id, None) is None:
        call(CANCEL, f"[{call_id}]", None)
        while receive(False):
            pass
        _answers.pop(call_id, None)


def start_sleep(milliseconds: int) -> int:
    """Begins a wait and tells its call."""
    answer = call(SLEEP, f"[{min(milliseconds, _LONGEST_SLEEP_MS)}]", None)
    if isinstance(answer, str):
        raise HostError(answer)
    return answer


def sleep(seconds: float, /) -> None:
    """Delay execution for a given number of seconds. The argument may be a floating-point number for subsecond precision."""
    if isinstance(seconds, float):
        if seconds != seconds:
            raise ValueError("Invalid value NaN (not a number)")
        nanoseconds = ceil(seconds * 1e9) if abs(seconds) < _LONGEST_SLEEP_NS else _LONGEST_SLEEP_NS + 1
    else:
        nanoseconds = index(seconds) * 1_000_000_000
    if abs(nanoseconds) > _LONGEST_SLEEP_NS:
        raise OverflowError("timestamp too large to convert to C PyTime_t")
    if nanoseconds < 0:
        raise ValueError("sleep length must be non-negative")
    # The host's timers may ring a millisecond early.
    ends = monotonic_ns() + nanoseconds
    while (left := ends - monotonic_ns()) > 0:
        wait_for(start_sleep(-(-left // 1_000_000)))
