"""A client whose calls are coroutines: several may be under way at one time."""

import asyncio
from typing import Any, Optional, Tuple

from ._aio_calls import AsyncCalls
from ._client import Client, Log
from ._contract import Operation
from ._performer import Performer, current_sandbox

# Calls that are under way at one time; more wait for their turn.
_THREADS = 16


class AsyncClient(AsyncCalls):
    """The helpers of one run as coroutines. Takes the arguments of `cronium.Client`.

    >>> async with AsyncClient(url="https://cronium.example:8443", token_file="token") as client:
    ...     await client.set_variable("seen", True)
    """

    def __init__(self, **settings: Any) -> None:
        # Knows the names of the settings.
        self._client = Client(**settings)
        sandbox = current_sandbox()
        self._threads: Optional[_Threads] = None
        if sandbox is not None:
            self._perform = sandbox.perform_later
        else:
            self._threads = _Threads(self._client._performer)
            self._perform = self._threads.perform
        self.log = Log(self.write_log)

    async def close(self) -> None:
        """Waits for the calls under way."""
        if self._threads is not None:
            await self._threads.close()
        self._client.close()

    async def __aenter__(self) -> "AsyncClient":
        return self

    async def __aexit__(self, *_: Any) -> None:
        await self.close()


class _Threads:
    """Each call is performed in a thread."""

    def __init__(self, performer: Performer) -> None:
        from concurrent.futures import ThreadPoolExecutor

        self._performer = performer
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="cronium")

    async def perform(self, operation: Operation, given: Tuple[Any, ...]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._performer.perform, operation, given)

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(None, self._threads.shutdown)


_default: Optional[AsyncClient] = None


def default_client() -> AsyncClient:
    """The client of the module's functions: made by the environment when the first of them is called."""
    global _default
    if _default is None:
        _default = AsyncClient()
    return _default


log = Log(lambda level, message, fields: default_client().write_log(level, message, fields))
