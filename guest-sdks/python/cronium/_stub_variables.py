"""The variables of the stub, by the rules of the contract; kept in a file between runs when there is one."""

import base64
import json
import os
import re
import sys
from datetime import datetime, timedelta, timezone
from typing import Any, Dict, Mapping, Optional

from ._contract import KeyInfo, KeyPage, Metadata, VariableEntry
from ._errors import RuntimeError
from ._stub_sources import read_json_file

_MAX_BYTES = 1024 * 1024
_MAX_PAGE_SIZE = 1000
_MAX_KEY_CHARACTERS = 255
_MAX_INTEGER = 2**53 - 1


class StubVariables:
    def __init__(self, given: Mapping[str, Any], file: Optional[str]) -> None:
        self._file = file
        kept = _read_state(file) if file is not None and os.path.exists(file) else None
        self._state: Dict[str, Any] = kept or {"cronium": "stub-state", "format": 1, "nextVersion": 1, "variables": {}}
        self._variables: Dict[str, Any] = self._state["variables"]
        for key, value in given.items():
            if self.find(key) is None:
                self._write(_require_key(key), value, None)

    def find(self, key: Any) -> Optional[VariableEntry]:
        stored = self._variables.get(_require_key(key))
        if stored is None:
            return None
        expires_at = stored.get("expiresAt")
        if expires_at is not None and expires_at <= _time():
            del self._variables[key]
            return None
        # A copy: what a script does with it is its own.
        text = json.dumps(stored["value"], ensure_ascii=False, separators=(",", ":"))
        metadata = Metadata(
            version=stored["version"],
            created_at=stored["createdAt"],
            updated_at=stored["updatedAt"],
            updated_by=stored["updatedBy"],
            expires_at=expires_at,
            size=len(text.encode("utf-8")),
        )
        return VariableEntry(json.loads(text), metadata)

    def set(self, key: Any, text: bytes, if_version: Any, if_absent: Any, expires_in_ms: Any) -> str:
        name = _require_key(key)
        require_size(text, "value", "maxValueBytes")
        if if_version is not None and if_absent:
            raise RuntimeError("invalid", "if_version and if_absent exclude each other.")
        if expires_in_ms is not None and (isinstance(expires_in_ms, bool) or not isinstance(expires_in_ms, int) or expires_in_ms < 1):
            raise RuntimeError("invalid", "expires_in_ms is {}; it must be a whole number from 1.".format(expires_in_ms))
        self._require_version(name, if_version, if_absent)
        version = self._write(name, json.loads(text), None if expires_in_ms is None else _time(expires_in_ms))
        self._save()
        return version

    def delete(self, key: Any, if_version: Any) -> bool:
        name = _require_key(key)
        self._require_version(name, if_version, False)
        if self.find(name) is None:
            return False
        del self._variables[name]
        self._save()
        return True

    def list(self, prefix: Any, cursor: Any, limit: Any) -> KeyPage:
        limit = 100 if limit is None else limit
        if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= _MAX_PAGE_SIZE:
            text = "limit is {}; it must be a whole number from 1 to".format(limit)
            raise _over_limit("invalid", text, "maxPageSize", _MAX_PAGE_SIZE, "items")
        keys = sorted(
            (key for key in list(self._variables) if key.startswith(prefix or "") and self.find(key) is not None),
            key=lambda key: key.encode("utf-8"),
        )
        if cursor is not None:
            after = _read_cursor(cursor)
            keys = [key for key in keys if key.encode("utf-8") > after]
        page = keys[:limit]
        items = tuple(KeyInfo(key, self.find(key).metadata) for key in page)  # type: ignore[union-attr]
        more = base64.urlsafe_b64encode(page[-1].encode("utf-8")).decode().rstrip("=") if len(keys) > limit else None
        return KeyPage(items, more)

    def increment(self, key: Any, by: Any) -> Any:
        name = _require_key(key)
        by = 1 if by is None else by
        if isinstance(by, bool) or not isinstance(by, (int, float)) or not _is_finite(by):
            raise RuntimeError("invalid", "by must be a finite number.")
        entry = self.find(name)
        value = 0 if entry is None else entry.value
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise RuntimeError("invalid", "The variable {} is not a number.".format(json.dumps(name)))
        total = value + by
        if not _is_finite(total) or (float(total).is_integer() and abs(total) > _MAX_INTEGER):
            raise RuntimeError("invalid", "The sum {} is beyond ±(2^53−1) or not finite.".format(total))
        if isinstance(total, float) and total.is_integer():
            total = int(total)
        self._write(name, total, None if entry is None else entry.metadata.expires_at)
        self._save()
        return total

    def _require_version(self, key: str, if_version: Any, if_absent: Any) -> None:
        entry = self.find(key)
        current = None if entry is None else entry.metadata.version
        if current is None if if_absent else if_version is None or if_version == current:
            return
        found = "there is no such variable" if current is None else "it has the version " + current
        details = {} if current is None else {"currentVersion": current}
        raise RuntimeError("conflict", "The variable {} is not as expected: {}.".format(json.dumps(key), found), details)

    def _write(self, key: str, value: Any, expires_at: Optional[str]) -> str:
        version = str(self._state["nextVersion"])
        self._state["nextVersion"] += 1
        former = self.find(key)
        now = _time()
        self._variables[key] = {
            "value": value,
            "version": version,
            "createdAt": now if former is None else former.metadata.created_at,
            "updatedAt": now,
            "updatedBy": "stub",
        }
        if expires_at is not None:
            self._variables[key]["expiresAt"] = expires_at
        return version

    def _save(self) -> None:
        """Whole or not at all, and for this user only."""
        if self._file is None:
            return
        draft = "{}.{}.new".format(self._file, os.getpid())
        try:
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
                json.dump(self._state, file, ensure_ascii=False, indent="\t")
                file.write("\n")
            os.replace(draft, self._file)
        except OSError as error:
            message = "CRONIUM_STUB_STATE: {} cannot be written ({}).".format(self._file, type(error).__name__)
            raise RuntimeError("unavailable", message) from None


def require_size(text: bytes, what: str, limit: str) -> None:
    """Values and outputs are as large as the runtime takes them when its operator has changed nothing."""
    if len(text) > _MAX_BYTES:
        raise _over_limit("too-large", "{} has {} bytes; the limit is".format(what, len(text)), limit, _MAX_BYTES, "bytes")


def _is_finite(number: float) -> bool:
    """Also for whole numbers that no double can hold."""
    return abs(number) <= sys.float_info.max


def _over_limit(code: str, text: str, name: str, value: int, unit: str) -> RuntimeError:
    return RuntimeError(code, "{} {} ({}).".format(text, value, name), {"limit": {"name": name, "value": value, "unit": unit}})


def _time(later_ms: int = 0) -> str:
    now = datetime.now(timezone.utc)
    try:
        now += timedelta(milliseconds=later_ms)
    except OverflowError:
        now = datetime.max.replace(tzinfo=timezone.utc)
    return now.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _read_state(path: str) -> Dict[str, Any]:
    state = read_json_file(path, "CRONIUM_STUB_STATE")
    if isinstance(state, dict) and state.get("cronium") == "stub-state" and state.get("format") == 1:
        return state
    raise RuntimeError("invalid", "CRONIUM_STUB_STATE: {} is not a state of format 1.".format(path))


def _read_cursor(cursor: Any) -> bytes:
    try:
        key = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        if key and base64.urlsafe_b64encode(key).decode().rstrip("=") == cursor:
            return key
    except (TypeError, ValueError):
        pass
    raise RuntimeError("invalid", "cursor is not one that a page had.")


def _require_key(key: Any) -> str:
    if not isinstance(key, str):
        raise RuntimeError("invalid", "key must be a text.")
    if re.search("[\x00-\x1f\x7f-\x9f]", key):
        raise RuntimeError("invalid", "key {} has a control character.".format(json.dumps(key)))
    if not 1 <= len(key) <= _MAX_KEY_CHARACTERS:
        text = "key has {} characters; it must have 1 to".format(len(key))
        raise _over_limit("invalid", text, "maxKeyCharacters", _MAX_KEY_CHARACTERS, "characters")
    if key in (".", ".."):
        raise RuntimeError("invalid", 'key must not be "{}".'.format(key))
    return key
