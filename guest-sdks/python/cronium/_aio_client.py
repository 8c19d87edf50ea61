"""A client whose calls are coroutines: each is performed in a thread, so that several are under way at one time."""

import asyncio
from typing import Any, Optional, Tuple

from ._aio_calls import AsyncCalls
from ._client import Client, Log
from ._contract import Operation

# Calls that are under way at one time; more wait for their turn.
_THREADS = 16


class AsyncClient(AsyncCalls):
    """The helpers of one run as coroutines. Takes the arguments of `cronium.Client`.

    >>> async with AsyncClient(url="https://cronium.example:8443", token_file="token") as client:
    ...     await client.set_variable("seen", True)
    """

    def __init__(self, **settings: Any) -> None:
        from concurrent.futures import ThreadPoolExecutor

        self._client = Client(**settings)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="cronium")
        self.log = Log(self.write_log)

    async def _perform(self, operation: Operation, given: Tuple[Any, ...]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._client._perform, operation, given)

    async def close(self) -> None:
        """Waits for the calls under way."""
        await asyncio.get_running_loop().run_in_executor(None, self._threads.shutdown)
        self._client.close()

    async def __aenter__(self) -> "AsyncClient":
        return self

    async def __aexit__(self, *_: Any) -> None:
        await self.close()


_default: Optional[AsyncClient] = None


def default_client() -> AsyncClient:
    """The client of the module's functions: made by the environment when the first of them is called."""
    global _default
    if _default is None:
        _default = AsyncClient()
    return _default


log = Log(lambda level, message, fields: default_client().write_log(level, message, fields))
