"""A client whose calls wait for their answers."""

import json
import os
from typing import Any, Callable, Mapping, Optional

from ._calls import Calls
from ._errors import RuntimeError
from ._performer import create_performer


class Client(Calls):
    """The helpers of one run, over one connection a thread.

    Connects by its arguments, else by the environment (`CRONIUM_SOCKET`, `CRONIUM_API_URL`, …), else to the stub. Raises `invalid`, naming what is
    missing, when the settings are not complete. In the sandbox there is no connection: `Client()` is the run, and arguments that connect are `unsupported`.

    >>> with Client(url="https://cronium.example:8443", token_file="token") as client:
    ...     client.set_variable("seen", True)
    """

    def __init__(
        self,
        *,
        url: Optional[str] = None,
        socket: Optional[str] = None,
        token: Optional[str] = None,
        token_file: Optional[str] = None,
        ca_cert: Optional[str] = None,
        client_cert: Optional[str] = None,
        client_key: Optional[str] = None,
        timeout: float = 30.0,
    ) -> None:
        settings = {
            "url": url,
            "socket": socket,
            "token": token,
            "token_file": token_file,
            "ca_cert": ca_cert,
            "client_cert": client_cert,
            "client_key": client_key,
        }
        self._performer = create_performer(settings, os.environ, timeout)
        self._perform = self._performer.perform
        self.log = Log(self.write_log)

    def close(self) -> None:
        """Closes this thread's connection. Without it it is closed with the process."""
        self._performer.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


class Log:
    """Writes structured lines to the log of the run."""

    def __init__(self, write: Callable[..., Any]) -> None:
        self._write = write

    def debug(self, message: Any, fields: Optional[Mapping[str, Any]] = None) -> Any:
        """For the author of the script."""
        return self._write("debug", to_text(message), to_fields(fields))

    def info(self, message: Any, fields: Optional[Mapping[str, Any]] = None) -> Any:
        """Normal."""
        return self._write("info", to_text(message), to_fields(fields))

    def warn(self, message: Any, fields: Optional[Mapping[str, Any]] = None) -> Any:
        """Something to look at."""
        return self._write("warn", to_text(message), to_fields(fields))

    def error(self, message: Any, fields: Optional[Mapping[str, Any]] = None) -> Any:
        """Something failed."""
        return self._write("error", to_text(message), to_fields(fields))


def to_text(message: Any) -> str:
    """A lone surrogate becomes U+FFFD, as it would when printed."""
    return str(message).encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def to_fields(fields: Optional[Mapping[str, Any]]) -> Optional[Mapping[str, Any]]:
    """What JSON has no form for is written as text: a log line is not refused for it."""
    if fields is None:
        return None
    described = json.loads(json.dumps(fields, default=str), parse_constant=str)
    return described  # type: ignore[no-any-return]


# Seconds after the import until the module's client connects by itself.
_EARLY = 30.0

_default: Optional[Client] = None


def default_client() -> Client:
    """The client of the module's functions: made by the environment when the first of them is called."""
    global _default
    if _default is None:
        _default = Client()
    return _default


def _connect_early() -> None:
    """A script may work for longer than its token lasts before it calls anything: somebody has to renew it until then."""
    try:
        default_client()
    except RuntimeError:
        # The first call says it.
        pass


if os.environ.get("CRONIUM_EXECUTION_TOKEN"):
    import threading

    _timer = threading.Timer(_EARLY, _connect_early)
    _timer.daemon = True
    _timer.start()

log = Log(lambda level, message, fields: default_client().write_log(level, message, fields))
