"""The execution token of a client: renewed before it expires, also while nobody calls, and kept in memory only."""

import base64
import json
import threading
import time
from typing import Callable, Optional, Tuple

from ._connection import Connection, read_file, read_token
from ._errors import RuntimeError

# A token is renewed when less of its lifetime is left than this part.
_RENEWAL_PART = 0.25
# A renewal that failed is tried again after this time, in seconds.
_RETRY = 5.0
# So old a token is at most that has just been made: it says so in whole seconds.
_JUST_MADE = 1.0


class Credential:
    def __init__(self, connection: Connection, renew: Callable[[str], str]) -> None:
        self._file = connection.token_file
        self._file_name = connection.token_file_name
        self._renew = renew
        self._lock = threading.Lock()
        self._timer: Optional[threading.Timer] = None
        self._token = connection.token or self._read()
        self._renew_at = self._expires_at = float("inf")
        self._schedule()

    def current(self) -> str:
        """The token to call with."""
        if time.time() >= self._renew_at:
            self._renew_now()
        return self._token

    def reload(self, refused: str) -> bool:
        """After the token was refused: whether there is another one by now, in its file."""
        if self._token != refused:
            return True
        if self._file is None:
            return False
        token = self._read()
        if token == refused:
            return False
        self._token = token
        self._schedule()
        return True

    def close(self) -> None:
        self._renew_at = float("inf")
        if self._timer is not None:
            self._timer.cancel()

    def _read(self) -> str:
        text = read_file(str(self._file), self._file_name)
        return read_token(text, "{}: {}".format(self._file_name, self._file))

    def begin_in_child(self) -> None:
        """After a fork, which takes no other threads along."""
        self._lock, self._timer = threading.Lock(), None
        self._schedule()

    def _renew_now(self) -> None:
        # Several threads renew once. A failure is not told: the token may still be good, and the call will say if it is not.
        with self._lock:
            if time.time() < self._renew_at:
                return
            try:
                self._token = read_token(self._renew(self._token), "the answer")
            except RuntimeError:
                self._renew_at = time.time() + _RETRY
                if self._renew_at < self._expires_at:
                    self._wake(_RETRY)
                return
            self._schedule(_JUST_MADE)

    def _schedule(self, max_age: float = float("inf")) -> None:
        """By the clock here, which need not be that of the host: a token lasts as long as it says, from when it came. How old it was then is what this clock says, within what can be."""
        times = _read_times(self._token)
        if times is None:
            self._renew_at = self._expires_at = float("inf")
            return
        made, expires = times
        lifetime, now = expires - made, time.time()
        self._expires_at = now - max(0.0, min(max_age, now - made)) + lifetime
        self._renew_at = self._expires_at - lifetime * _RENEWAL_PART
        self._wake(max(0.0, self._renew_at - time.time()))

    def _wake(self, wait: float) -> None:
        """A script that waits for longer than its token lasts has a good one afterwards; it does not wait for the timer."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = threading.Timer(min(wait, threading.TIMEOUT_MAX), self._renew_now)
        self._timer.daemon = True
        self._timer.start()


def _read_times(token: str) -> Optional[Tuple[float, float]]:
    """When a token was made and when it expires; none for one that does not say."""
    try:
        part = token.split(".")[1]
        payload = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        return float(payload["iat"]), float(payload["exp"])
    except (IndexError, KeyError, TypeError, ValueError):
        return None
