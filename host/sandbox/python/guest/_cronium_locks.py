"""Waiting for another thread, of which there are none: with a time it is a sleep, without one it never ends."""

import queue
import threading

from _cronium_calls import NeverSettled, sleep


def _wait(self: threading.Condition, timeout: float | None = None) -> bool:
    """Wait until notified or until a timeout occurs."""
    if not self._is_owned():
        raise RuntimeError("cannot wait on un-acquired lock")
    if timeout is None:
        raise NeverSettled("The script waits for another thread to notify it, and there are no threads in the sandbox.")
    if timeout > 0:
        sleep(timeout)
    return False


def install() -> None:
    threading.Condition.wait = _wait
    # The one in C waits on a lock.
    queue.SimpleQueue = queue._PySimpleQueue
