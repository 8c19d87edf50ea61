"""asyncio on the answers of the host."""

import asyncio
import time
from asyncio import events
from collections.abc import Callable
from concurrent.futures import Executor
from math import ceil
from typing import NoReturn

from _cronium_calls import NeverSettled, cancel, count_listeners, listen, receive, start_sleep, wait_for
from _cronium_refusals import NO_PROCESSES, NO_SOCKETS, NO_THREADS

__all__ = ("SandboxEventLoop", "answer", "install", "wait_for")

ROOT = "/script/"
_MAX_PLACES = 5

type _Arrival = tuple[asyncio.Future[str], str]


async def answer(call_id: int) -> str:
    """The late answer to a call; other tasks run until it comes. A task that is cancelled cancels the call."""
    loop = asyncio.get_running_loop()
    if not isinstance(loop, SandboxEventLoop):
        raise RuntimeError(f"{type(loop).__name__} does not hear the host's answers; asyncio.run() makes the event loop that does.")
    future = loop.create_future()
    arrived = loop._selector.arrived
    listen(call_id, lambda text: arrived.append((future, text)))
    try:
        return await future
    except asyncio.CancelledError:
        cancel(call_id)
        raise


class _Arrivals:
    """Stands where other event loops have a selector: what becomes ready here are answers of the host."""

    def __init__(self) -> None:
        self.arrived: list[_Arrival] = []
        self._timer: int | None = None
        self._timer_ends = 0.0

    def select(self, timeout: float | None) -> list[_Arrival]:
        if timeout == 0 or self.arrived:
            # The timer need not be heard: the loop reads the clock.
            while count_listeners() > (self._timer is not None) and receive(False):
                pass
        elif timeout is None:
            self._stop_timer()
            while not self.arrived:
                if not receive(True):
                    raise NeverSettled(_describe_wait())
        else:
            self._start_timer(timeout)
            while self._timer is not None and not self.arrived and receive(True):
                pass
        arrived = self.arrived[:]
        self.arrived.clear()
        return arrived

    def close(self) -> None:
        self._stop_timer()

    def _start_timer(self, seconds: float) -> None:
        """Each wait is a call of the host, whose number is limited: one that is under way and ends no later will do."""
        ends = time.monotonic() + seconds
        if self._timer is not None:
            if self._timer_ends <= ends:
                return
            self._stop_timer()
        self._timer = start_sleep(ceil(seconds * 1000))
        self._timer_ends = ends
        listen(self._timer, self._ring)

    def _ring(self, _: str) -> None:
        self._timer = None

    def _stop_timer(self) -> None:
        if self._timer is not None:
            cancel(self._timer)
            self._timer = None


def _describe_wait() -> str:
    tasks = asyncio.all_tasks(events._get_running_loop())
    places = sorted({place for task in tasks if (place := _place_of(task))})
    waiting = "1 task waits" if len(tasks) == 1 else f"{len(tasks)} tasks wait"
    where = f" ({'; '.join(places[:_MAX_PLACES])})" if places else ""
    return f"{waiting}{where} for something that cannot come: no timer runs and no call to the host is pending."


def _place_of(task: asyncio.Task[object]) -> str | None:
    """The innermost line of the script's own on which a task waits."""
    awaited: object = task.get_coro()
    place = None
    while (frame := getattr(awaited, "cr_frame", None)) is not None:
        if frame.f_code.co_filename.startswith(ROOT):
            place = f"{frame.f_code.co_filename.removeprefix(ROOT)}, line {frame.f_lineno}"
        awaited = awaited.cr_await
    return place


def _refuse(text: str, kind: type[Exception]) -> Callable[..., NoReturn]:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise kind(text)

    return refuse


class SandboxEventLoop(asyncio.BaseEventLoop):
    """One task at a time, as everywhere; while none is ready, the script is suspended until the host answers."""

    def __init__(self) -> None:
        super().__init__()
        self._selector = _Arrivals()

    def run_in_executor[T](self, executor: Executor | None, func: Callable[..., T], *args: object) -> asyncio.Future[T]:
        if executor is None:
            raise RuntimeError(NO_THREADS)
        return super().run_in_executor(executor, func, *args)

    def close(self) -> None:
        super().close()
        self._selector.close()

    def _process_events(self, event_list: list[_Arrival]) -> None:
        for future, text in event_list:
            if not future.done():
                future.set_result(text)

    def _write_to_self(self) -> None:
        """Wakes a loop that waits, for other threads: there are none."""


for _name in (
    "getaddrinfo getnameinfo create_connection create_server create_datagram_endpoint create_unix_connection create_unix_server"
    " connect_accepted_socket start_tls sendfile sock_recv sock_recv_into sock_recvfrom sock_recvfrom_into sock_sendall sock_sendto"
    " sock_connect sock_accept sock_sendfile add_reader add_writer remove_reader remove_writer connect_read_pipe connect_write_pipe"
).split():
    setattr(SandboxEventLoop, _name, _refuse(NO_SOCKETS, OSError))
for _name in ("subprocess_exec", "subprocess_shell"):
    setattr(SandboxEventLoop, _name, _refuse(NO_PROCESSES, OSError))


class _Policy(events._BaseDefaultEventLoopPolicy):
    _loop_factory = SandboxEventLoop


def install() -> None:
    """Makes it the event loop of `asyncio.run` and of whoever asks for one."""
    asyncio.EventLoop = asyncio.SelectorEventLoop = SandboxEventLoop
    events._set_event_loop_policy(_Policy())
