"""How the runtime is reached: explicit settings, else a socket, else a URL, else nothing (the stub)."""

import re
from typing import Dict, List, Mapping, NamedTuple, Optional, Tuple
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
    token_file_name: str
    ca_cert: Optional[str]
    client_cert: Optional[str]
    client_key: Optional[str]

    def __repr__(self) -> str:
        # The token is nobody's to print.
        where = self.socket or "{}:{}".format(self.host, self.port)
        return "Connection({!r})".format(where)


def resolve_connection(settings: Mapping[str, Optional[str]], environment: Mapping[str, str]) -> Optional[Connection]:
    """Raises `invalid`, naming all that is missing, when only a part of a group is there."""
    given = {name: settings[name] for name in _NAMES if settings.get(name)}
    label = {name: name for name in _NAMES}
    if not given:
        label = _NAMES
        given = {name: environment[variable] for name, variable in _NAMES.items() if environment.get(variable)}
    if not given:
        return None
    missing = [" or ".join(label[name] for name in names) for names in _find_missing(given)]
    if missing:
        verb, present = "are" if len(missing) > 1 else "is", ", ".join(label[name] for name in given)
        raise RuntimeError("invalid", "{} {} missing; there is {}.".format(", and ".join(missing), verb, present))
    files = {name: given.get(name) for name in ("token", "token_file", "ca_cert", "client_cert", "client_key")}
    files["token_file_name"] = label["token_file"]
    if files["token"]:
        files["token"] = read_token(files["token"], label["token"])
        files["token_file"] = None
    if "socket" in given:
        return Connection("ca_cert" in given, given["socket"], "localhost", None, "", **files)
    return _read_url(given["url"], label["url"], files)


def _find_missing(given: Mapping[str, str]) -> List[Tuple[str, ...]]:
    """What has to be there and is not, as alternatives. TLS on a socket is with certificates of both sides, since no public issuer vouches for
    a socket; a URL may do without."""
    wanted: List[Tuple[str, ...]] = [("url", "socket"), ("token", "token_file")]
    certificates = ("ca_cert", "client_cert", "client_key") if "socket" in given else ("client_cert", "client_key")
    if any(name in given for name in certificates):
        wanted.extend((name,) for name in certificates)
    return [names for names in wanted if not any(name in given for name in names)]


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
