"""HTTP without sockets: `http.client`, and with it `urllib.request`, over the host's fetch."""

import http.client
import socket
from base64 import b64decode, b64encode
from io import BytesIO
from typing import Any

from _cronium_calls import FETCH, HostError, call, decode_json, encode_json, read_answer, wait_for, wait_until

# http.client makes these for the connection that it thinks it has.
_OWN_HEADERS = frozenset(("connection", "content-length", "transfer-encoding"))
# The host has taken these off the body.
_DECODED = frozenset(("gzip", "x-gzip", "deflate", "br"))
_FRAMING = frozenset(("connection", "content-length", "keep-alive", "transfer-encoding"))
_ERRORS: dict[str, type[Exception]] = {
    "denied": PermissionError,
    "invalid": ValueError,
    "timed-out": TimeoutError,
    "unavailable": ConnectionError,
}

_connection_request = http.client.HTTPConnection.request


class _Failed(BytesIO):
    """An answer that there is not: whoever reads hears why."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    def readline(self, size: int | None = -1, /) -> bytes:
        raise self._error

    read = readline


class _Exchange:
    """Stands where a connection has its socket: collects a request, and is read as its answer."""

    def __init__(self, origin: str, own_hosts: set[str], timeout: float | None) -> None:
        self._origin = origin
        self._own_hosts = own_hosts
        self._timeout = timeout
        self._sent = bytearray()
        self._answer: BytesIO | None = None

    def sendall(self, data: bytes) -> None:
        self._sent += data

    def settimeout(self, timeout: float | None) -> None:
        self._timeout = timeout

    def gettimeout(self) -> float | None:
        return self._timeout

    def setsockopt(self, *_: object) -> None:
        pass

    def shutdown(self, _: int) -> None:
        pass

    def close(self) -> None:
        self._sent.clear()

    def makefile(self, _: str) -> BytesIO:
        """The answer to what has been sent."""
        try:
            answer = self._answer or self.finish()
        except (OSError, ValueError) as error:
            # Where a response is made, and one that is half made complains when it goes.
            answer = _Failed(error)
        self._answer = None
        return answer

    def finish(self) -> BytesIO:
        """Performs the request that has been sent."""
        sent = bytes(self._sent)
        self._sent.clear()
        try:
            self._answer = BytesIO(self._perform(sent))
        except TimeoutError as error:
            self._answer = _Failed(error)
        return self._answer

    def _perform(self, sent: bytes) -> bytes:
        head, _, body = sent.partition(b"\r\n\r\n")
        request_line, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = request_line.split(" ", 2)
        headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        if ("transfer-encoding", "chunked") in ((name.lower(), value) for name, value in headers):
            body = _join_chunks(body)
        given = [pair for pair in headers if not self._is_own(*pair)]
        url = self._origin + target if target.startswith("/") else target
        params = encode_json([url, method, given, "manual"])
        answer = call(FETCH, params, b64encode(body).decode() if body else None)
        if isinstance(answer, int):
            answer = self._wait(answer)
        try:
            return _write_response(method, decode_json(read_answer(answer)))
        except HostError as error:
            raise _ERRORS.get(error.code, OSError)(str(error)) from None

    def _is_own(self, name: str, value: str) -> bool:
        lower = name.lower()
        return lower in _OWN_HEADERS or (lower == "host" and value in self._own_hosts)

    def _wait(self, call_id: int) -> str:
        if self._timeout is None:
            return wait_for(call_id)
        answer = wait_until(call_id, max(1, round(self._timeout * 1000)))
        if answer is None:
            raise TimeoutError("timed out")
        return answer


def _join_chunks(body: bytes) -> bytes:
    parts: list[bytes] = []
    at = 0
    while True:
        line_end = body.index(b"\r\n", at)
        size = int(body[at:line_end].partition(b";")[0], 16)
        if size == 0:
            return b"".join(parts)
        parts.append(body[line_end + 2 : line_end + 2 + size])
        at = line_end + 2 + size + 2


def _write_response(method: str, response: dict[str, Any]) -> bytes:
    """As a server writes it, which http.client then reads. The body is whole and without content encoding."""
    status: int = response["status"]
    body = b64decode(response["body"])
    has_body = method != "HEAD" and status not in (204, 304)
    lines = [f"HTTP/1.1 {status} {response['statusText']}"]
    for name, value in response["headers"]:
        lower = name.lower()
        if lower == "content-encoding" and value.strip().lower() in _DECODED:
            continue
        if has_body and lower in _FRAMING:
            continue
        lines.append(f"{name}: {value}")
    if has_body:
        lines.append(f"Content-Length: {len(body)}")
    head = "\r\n".join(lines) + "\r\n\r\n"
    try:
        return head.encode("latin-1") + body
    except UnicodeEncodeError:
        return head.encode("utf-8") + body


def _connect(self: http.client.HTTPConnection) -> None:
    """Connects to nothing: the host does, when the request is there, to the addresses that the run may reach."""
    if self._tunnel_host:
        raise OSError("The sandbox reaches no proxies: the host connects to the servers of --allow-host itself.")
    scheme = "https" if isinstance(self, HTTPSConnection) else "http"
    names = [f"[{name}]" if ":" in name else name for name in (self.host.encode("idna").decode("ascii"), self.host)]
    own_hosts = {f"{name}:{self.port}" for name in names}
    place = f"{names[0]}:{self.port}"
    if self.port == self.default_port:
        own_hosts.update(names)
        place = names[0]
    timeout = socket.getdefaulttimeout() if self.timeout is socket._GLOBAL_DEFAULT_TIMEOUT else self.timeout
    self.sock = _Exchange(f"{scheme}://{place}", own_hosts, timeout)


def _request(self: http.client.HTTPConnection, *given: Any, **named: Any) -> None:
    """Sends a request, and waits for its answer here: a refusal comes from where a refused connection would."""
    _connection_request(self, *given, **named)
    if isinstance(self.sock, _Exchange):
        self.sock.finish()


class HTTPSConnection(http.client.HTTPConnection):
    """The same with TLS, which the host speaks: certificates are checked there."""

    default_port = http.client.HTTPS_PORT

    def __init__(
        self,
        host: str,
        port: int | None = None,
        *,
        timeout: float | None = socket._GLOBAL_DEFAULT_TIMEOUT,
        source_address: tuple[str, int] | None = None,
        context: object = None,
        blocksize: int = 8192,
    ) -> None:
        super().__init__(host, port, timeout, source_address, blocksize)


HTTPSConnection.__module__ = "http.client"


def install() -> None:
    """To be called before urllib.request is imported, which looks for HTTPSConnection then."""
    http.client.HTTPConnection.connect = _connect
    http.client.HTTPConnection.request = _request
    http.client.HTTPSConnection = HTTPSConnection
    http.client._create_https_context = lambda http_version: None
    if "HTTPSConnection" not in http.client.__all__:
        http.client.__all__.append("HTTPSConnection")
