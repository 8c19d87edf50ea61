"""The standard streams: what a script prints goes to the log of its run, what it reads is the run's input."""

import io
import sys
from collections.abc import Buffer

from _cronium_calls import GET_INPUT, HostError, ask, decode_json


class _Input(io.RawIOBase):
    """The input of the run as text. The host is asked for it when something is read."""

    name = "<stdin>"

    def __init__(self) -> None:
        self._text: io.BytesIO | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        if self._text is None:
            self._text = io.BytesIO(_read_input())
        return self._text.readinto(buffer)


def _read_input() -> bytes:
    """A JSON string as its text, anything else as JSON; nothing for a run that has no input."""
    try:
        text = ask(GET_INPUT, "[]")
    except HostError as error:
        raise PermissionError(str(error)) from None
    if text in ("", "null"):
        return b""
    shown = decode_json(text) if text[0] == '"' else text
    return shown.encode("utf-8", "surrogatepass")


def _open_output(number: int, name: str) -> io.TextIOWrapper:
    raw = io.FileIO(number, "w", closefd=False)
    raw.name = name
    return io.TextIOWrapper(io.BufferedWriter(raw), "utf-8", "backslashreplace", line_buffering=True)


def install() -> None:
    sys.stdin = sys.__stdin__ = io.TextIOWrapper(io.BufferedReader(_Input()), "utf-8")
    sys.stdout = sys.__stdout__ = _open_output(1, "<stdout>")
    sys.stderr = sys.__stderr__ = _open_output(2, "<stderr>")
