"""Sends calls over connections that are kept, and again where that is safe: a read, or a call with its idempotency key."""

import http.client
import json
import os
import random
import re
import socket
import threading
import time
import uuid
from typing import Any, Dict, List, Mapping, Optional, Tuple

from ._connection import Connection
from ._contract import Operation
from ._credential import Credential
from ._errors import RuntimeError
from ._requests import Call, Reply, to_call, to_result

_VERSION = "0.1.0"
_MAX_TRIES = 5
_FIRST_WAIT = 0.1
_LONGEST_WAIT = 5.0
# A server that asks for more is not waited for.
_PATIENCE = 60.0
_CONNECT_TIMEOUT = 10.0
_MAX_ANSWER_BYTES = 64 * 1024 * 1024
# Answers with a status of 5xx that a repetition would meet again.
_FINAL = frozenset(("timed-out", "tool-failed", "internal", "unsupported"))


class Transport:
    def __init__(self, connection: Connection, environment: Mapping[str, str], timeout: float) -> None:
        self._connection = connection
        self._timeout = timeout
        # Connections that no thread uses now.
        self._idle: List[http.client.HTTPConnection] = []
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._headers = {
            "Accept": "application/json, application/problem+json",
            "User-Agent": "cronium-sdk-python/" + _VERSION,
        }
        traceparent = environment.get("TRACEPARENT", "")
        if re.match(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}\Z", traceparent):
            self._headers["traceparent"] = traceparent
        self._tls: Any = None
        self._credential = Credential(connection, self._renew)

    def perform(self, operation: Operation, given: Tuple[Any, ...]) -> Any:
        return to_result(operation, self._send(to_call(operation, given)))

    def _send(self, call: Call) -> Reply:
        """Raises the error that the server answered, `timed-out` or `unavailable`. A missing thing is a reply."""
        if self._process != os.getpid():
            self._begin_in_child()
        headers = dict(call.headers)
        if call.effect:
            headers["Idempotency-Key"] = str(uuid.uuid4())
        reloaded = False
        tries = 0
        while True:
            tries += 1
            token = self._credential.current()
            try:
                reply = self._try(call, token, headers)
            except RuntimeError as error:
                problem, may_repeat = error, error.code in ("unavailable", "timed-out")
            else:
                if reply.status < 300 or reply.status == 404:
                    return reply
                problem = _read_problem(reply)
                if problem.code == "unauthenticated" and not reloaded and self._credential.reload(token):
                    reloaded = True
                    continue
                may_repeat = reply.status == 429 or (reply.status >= 502 and problem.code not in _FINAL)
            if not may_repeat or tries >= _MAX_TRIES:
                raise problem
            wait = random.uniform(0, min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** (tries - 1)))
            wait = max(wait, (problem.retry_after_ms or 0) / 1000)
            if wait > _PATIENCE:
                raise problem
            time.sleep(wait)

    def close(self) -> None:
        self._credential.close()
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _begin_in_child(self) -> None:
        """After a fork: the parent's connections are the parent's, and its locks may be held by threads that are not here."""
        self._process, self._idle, self._lock = os.getpid(), [], threading.Lock()
        self._credential.begin_in_child()

    def _renew(self, token: str) -> str:
        reply = self._try(Call("POST", "/v1/token", {}, None, False), token, {})
        if reply.status != 200:
            raise _read_problem(reply)
        try:
            token = json.loads(reply.body)["token"]
        except (KeyError, TypeError, ValueError):
            token = None
        if not isinstance(token, str):
            raise RuntimeError("internal", "The server answered with no token.")
        return token

    def _try(self, call: Call, token: str, headers: Dict[str, str]) -> Reply:
        sent = dict(self._headers, **headers)
        sent["Authorization"] = "Bearer " + token
        if call.body is not None:
            sent["Content-Type"] = "application/json"
        elif call.method != "GET":
            sent["Content-Length"] = "0"
        ends = time.monotonic() + self._timeout
        connection: Optional[http.client.HTTPConnection] = None
        keep = False
        try:
            connection = self._connect()
            connection.request(call.method, self._connection.base_path + call.path, body=call.body, headers=sent)
            response = connection.getresponse()
            body = self._read(connection, response, ends)
            keep = not response.will_close
            return Reply(response.status, response.headers, body)
        except socket.timeout:
            raise RuntimeError("timed-out", "The runtime did not answer within {:g} seconds.".format(self._timeout)) from None
        except (OSError, http.client.HTTPException) as error:
            # Its text may hold what was sent.
            reason = getattr(error, "strerror", None) or type(error).__name__
            path = self._connection.socket
            through = " through the socket {}".format(path) if path is not None else ""
            raise RuntimeError("unavailable", "The runtime cannot be reached{}: {}.".format(through, reason)) from None
        finally:
            if keep and connection is not None:
                self._idle.append(connection)
            elif connection is not None:
                connection.close()

    def _read(self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse, ends: float) -> bytes:
        length = response.length
        if length is not None and length <= 65536:
            return response.read()
        chunks, size = [], 0
        while True:
            left = ends - time.monotonic()
            if left <= 0:
                raise socket.timeout()
            if connection.sock is not None:
                connection.sock.settimeout(left)
            chunk = response.read(262144)
            if not chunk:
                break
            chunks.append(chunk)
            size += len(chunk)
            if size > _MAX_ANSWER_BYTES:
                raise RuntimeError("too-large", "The answer has more than {} bytes.".format(_MAX_ANSWER_BYTES))
        if length is not None and size < length:
            raise http.client.IncompleteRead(b"")
        if connection.sock is not None:
            connection.sock.settimeout(self._timeout)
        return b"".join(chunks)

    def _connect(self) -> http.client.HTTPConnection:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        connection = self._open()
        connection.connect()
        if connection.sock is not None:
            connection.sock.settimeout(self._timeout)
        return connection

    def _open(self) -> http.client.HTTPConnection:
        to = self._connection
        if to.secure and self._tls is None:
            self._tls = _create_tls(to)
        if to.socket is not None:
            return _UnixConnection(to.socket, self._tls)
        if to.secure:
            return http.client.HTTPSConnection(to.host, to.port, timeout=_CONNECT_TIMEOUT, context=self._tls)
        return http.client.HTTPConnection(to.host, to.port, timeout=_CONNECT_TIMEOUT)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, tls: Any) -> None:
        super().__init__("localhost", timeout=_CONNECT_TIMEOUT)
        self._path = path
        self._tls = tls

    def connect(self) -> None:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(self.timeout)
        sock.connect(self._path)
        self.sock = self._tls.wrap_socket(sock, server_hostname="localhost") if self._tls is not None else sock


def _create_tls(to: Connection) -> Any:
    # Loaded by those who need it.
    import ssl

    try:
        context = ssl.create_default_context(cafile=to.ca_cert)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if to.client_cert is not None:
            context.load_cert_chain(to.client_cert, to.client_key)
        return context
    except (OSError, ssl.SSLError) as error:
        raise RuntimeError("invalid", "The certificates cannot be read ({}).".format(type(error).__name__)) from None


def _read_problem(reply: Reply) -> RuntimeError:
    """The error that an answer means. What is not the runtime's own (a proxy's page) is not quoted."""
    after = reply.headers.get("Retry-After", "")
    details: Dict[str, Any] = {"retryAfterMs": int(after) * 1000} if re.match(r"\d{1,9}\Z", after) else {}
    try:
        problem = json.loads(reply.body)
        if isinstance(problem["code"], str) and isinstance(problem["detail"], str):
            details.update({name: problem[name] for name in ("limit", "currentVersion", "retryAfterMs") if name in problem})
            return RuntimeError(problem["code"], problem["detail"], details)
    except (KeyError, TypeError, ValueError):
        pass
    code = "unavailable" if reply.status in (429, 502, 503, 504) else "internal"
    return RuntimeError(code, "The server answered with status {} and no problem details.".format(reply.status), details)


