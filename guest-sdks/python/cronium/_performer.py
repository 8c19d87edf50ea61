"""What performs the calls of a client: the sandbox, a connection to the runtime, or the stub."""

import os
from typing import Any, Mapping, Optional, Protocol, Tuple

from ._contract import Operation
from ._errors import RuntimeError


class Performer(Protocol):
    def perform(self, operation: Operation, given: Tuple[Any, ...]) -> Any:
        """Returns what the runtime answers. Raises the errors of the contract."""

    def close(self) -> None:
        """Called when no call will come any more."""


class Sandbox(Performer, Protocol):
    async def perform_later(self, operation: Operation, given: Tuple[Any, ...]) -> Any:
        """The same without a thread."""


_sandbox: Optional[Sandbox] = None


def enter_sandbox(sandbox: Sandbox) -> None:
    """Called by the sandbox before there is a script: there each client is one of the run itself."""
    global _sandbox
    _sandbox = sandbox


def current_sandbox() -> Optional[Sandbox]:
    return _sandbox


def create_performer(settings: Mapping[str, Optional[str]], environment: Mapping[str, str], timeout: float) -> Performer:
    """In the sandbox its own, whatever the environment says: a script may have read an `.env` that is for another place."""
    if _sandbox is not None:
        given = [name for name, value in settings.items() if value]
        if given:
            text = "{} cannot be used in the sandbox, which has no connections: a client is one of this run there. In container mode it can."
            raise RuntimeError("unsupported", text.format(", ".join(given)))
        return _sandbox
    from ._connection import resolve_connection

    connection = resolve_connection(settings, environment)
    if connection is None:
        from ._stub import Stub

        return Stub(environment)
    from ._transport import Transport

    return Transport(connection, environment, timeout)


if os.environ.get("CRONIUM_SOCKET") or os.environ.get("CRONIUM_API_URL"):
    # Now: a script that has used up its descriptors can load nothing any more, and still has to tell how it ends.
    from . import _transport  # noqa: F401
