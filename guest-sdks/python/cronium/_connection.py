"""How the runtime is reached: explicit settings, else a socket, else a URL, else nothing (the stub)."""

import re
from typing import Dict, Mapping, NamedTuple, Optional
from urllib.parse import urlsplit

from ._errors import RuntimeError

_NAMES = {
    "url": "CRONIUM_API_URL",
    "socket": "CRONIUM_SOCKET",
    "token": "CRONIUM_EXECUTION_TOKEN",
    "token_file": "CRONIUM_EXECUTION_TOKEN_FILE",
    "ca_cert": "CRONIUM_CA_CERT",
    "client_cert": "CRONIUM_CLIENT_CERT",
    "client_key": "CRONIUM_CLIENT_KEY",
}


class Connection(NamedTuple):
    """A server, and the files that are needed to talk to it."""

    secure: bool
    socket: Optional[str]
    host: str
    port: Optional[int]
    base_path: str
    token: Optional[str]
    token_file: Optional[str]
    ca_cert: Optional[str]
    client_cert: Optional[str]
    client_key: Optional[str]

    def __repr__(self) -> str:
        # The token is nobody's to print.
        where = self.socket or "{}:{}".format(self.host, self.port)
        return "Connection({!r})".format(where)


def resolve_connection(settings: Mapping[str, Optional[str]], environment: Mapping[str, str]) -> Optional[Connection]:
    """Raises `invalid`, naming what is missing, when only a part of a group is there."""
    given = {name: value for name, value in settings.items() if value}
    label = {name: name for name in _NAMES}
    if not given:
        label = _NAMES
        given = {name: environment[variable] for name, variable in _NAMES.items() if environment.get(variable)}
    if not given:
        return None

    def missing(*names: str) -> RuntimeError:
        wanted = " or ".join(label[name] for name in names)
        return RuntimeError("invalid", "{} is missing; there is {}.".format(wanted, ", ".join(label[name] for name in given)))

    if ("client_cert" in given) != ("client_key" in given):
        raise missing("client_key" if "client_cert" in given else "client_cert")
    if "token" not in given and "token_file" not in given:
        raise missing("token", "token_file")
    files = {name: given.get(name) for name in ("token", "token_file", "ca_cert", "client_cert", "client_key")}
    if files["token"]:
        files["token"] = read_token(files["token"], label["token"])
        files["token_file"] = None
    if "socket" in given:
        secure = "ca_cert" in given or "client_cert" in given
        if secure and "client_cert" not in given:
            raise missing("client_cert")
        if secure and "ca_cert" not in given:
            raise missing("ca_cert")
        return Connection(secure, given["socket"], "localhost", None, "", **files)
    if "url" not in given:
        raise missing("url", "socket")
    return _read_url(given["url"], label["url"], files)


def _read_url(text: str, name: str, files: Dict[str, Optional[str]]) -> Connection:
    try:
        url = urlsplit(text)
        host, port = url.hostname, url.port
    except ValueError:
        url, host, port = None, None, None
    if url is None or url.scheme not in ("http", "https") or not host or url.username or url.query or url.fragment:
        raise RuntimeError("invalid", "{} must be the URL of a server, such as https://cronium.example:8443.".format(name))
    if url.scheme == "http" and not (host in ("localhost", "::1") or _is_loopback(host)):
        message = "{} is http: beyond this machine, where the token would travel in clear; use https:."
        raise RuntimeError("invalid", message.format(name))
    return Connection(url.scheme == "https", None, host, port, url.path.rstrip("/"), **files)


def _is_loopback(host: str) -> bool:
    parts = host.split(".")
    return len(parts) == 4 and parts[0] == "127" and all(part.isdigit() for part in parts)


_TOKEN = re.compile(r"[ \t-\r]*([A-Za-z0-9._~+/=-]+)[ \t-\r]*")


def read_token(text: str, name: str) -> str:
    """A token without the white space around it. What is none would be quoted by the error of http.client, which prints headers it refuses."""
    found = _TOKEN.fullmatch(text)
    if found is None:
        raise RuntimeError("invalid", "{} has no token: a token is of A-Z, a-z, 0-9 and ._~+/=- only.".format(name))
    return found.group(1)


def read_file(path: str, name: str) -> str:
    """The text of a file that a setting names."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise RuntimeError("invalid", "{}: {} cannot be read ({}).".format(name, path, type(error).__name__)) from None
