"""`logging` into the log of the run."""

import logging
import sys
from typing import Any

from _cronium_calls import WRITE_LOG, HostError, ask, encode_json

# Longer messages are cut before they cross; no maxLogLineBytes is larger, so the host cuts again and says so.
_MAX_MESSAGE = 1024 * 1024

_basic_config = logging.basicConfig


class RunLogHandler(logging.Handler):
    """Writes to the log of the run, with the level of the record; the name of its logger is a field."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = self.format(record)[: _MAX_MESSAGE + 1].encode("utf-16", "surrogatepass").decode("utf-16", "replace")
            fields = None if record.name == "root" else encode_json({"logger": record.name})
            try:
                ask(WRITE_LOG, encode_json([_level_of(record.levelno), message]), fields)
            except HostError as error:
                print(f"{message} [not in the log of the run: {error}]", file=sys.stderr)
        except Exception:
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:
        """Says where in the script the record is from, and not who has written it."""
        if not logging.raiseExceptions:
            return
        error = sys.exception()
        print(
            f"--- Logging error ---\n{type(error).__name__}: {error}\n  File \"{record.pathname}\", line {record.lineno}\n"
            f"Message: {record.msg!r}\nArguments: {record.args}",
            file=sys.stderr,
        )


def _level_of(number: int) -> str:
    if number >= logging.ERROR:
        return "error"
    if number >= logging.WARNING:
        return "warn"
    return "info" if number >= logging.INFO else "debug"


def _configure(**given: Any) -> None:
    """logging.basicConfig, whose handler writes to the log of the run when the script does not say where it should."""
    if not any(given.get(name) is not None for name in ("stream", "filename", "handlers")):
        handler = RunLogHandler()
        if "format" not in given:
            # The log has the level and the time beside the message.
            handler.setFormatter(logging.Formatter("%(message)s"))
        given = {name: value for name, value in given.items() if name not in ("stream", "filename")} | {"handlers": [handler]}
    _basic_config(**given)


def install() -> None:
    logging.basicConfig = _configure
    logging.lastResort = RunLogHandler(logging.WARNING)
