"""The one error of the contract."""

import builtins
from typing import Any, Mapping, Optional


class RuntimeError(builtins.RuntimeError):
    """What every helper raises. `code` never changes its meaning, and is the same in every language."""

    def __init__(self, code: str, message: str, details: Optional[Mapping[str, Any]] = None) -> None:
        super().__init__(message)
        self.code = code
        """One of a closed set: `denied`, `conflict`, `invalid`, …"""
        self.message = message
        given = details or {}
        self.limit: Optional[Mapping[str, Any]] = given.get("limit")
        """The limit that was exceeded: its name, value and unit."""
        self.current_version: Optional[str] = given.get("currentVersion")
        """With `conflict`: the version that the variable has now."""
        self.retry_after_ms: Optional[int] = given.get("retryAfterMs")
        """How many milliseconds to wait before trying again."""

    def __str__(self) -> str:
        return "{}: {}".format(self.code, self.message)

    def __reduce__(self) -> Any:
        details = {"limit": self.limit, "currentVersion": self.current_version, "retryAfterMs": self.retry_after_ms}
        return (type(self), (self.code, self.message, details))
