"""What is said of a script that has failed: its own frames only, by the names that its author knows."""

import linecache
import re
import sys
import traceback
from itertools import islice
from types import TracebackType

from _cronium_calls import NeverSettled
from _cronium_refusals import describe_missing_module

ROOT = "/script/"
_MAX_MESSAGE = 8 * 1024
_MAX_STACK = 16 * 1024
_MAX_FRAMES = 64
_MAX_RELATED = 8
_MAX_LINE = 256
_SDK_ERRORS = "cronium._errors"
_WHEEL = re.compile(r"\.whl(?:/|$)", re.IGNORECASE)

type Failure = dict[str, str]


def describe(error: BaseException) -> Failure:
    """The failure that an uncaught error is. Never raises, whatever the error's own methods do."""
    if isinstance(error, MemoryError):
        # The frames hold what has filled the memory.
        traceback.clear_frames(error.__traceback__)
        return {"kind": "memory", "name": "MemoryError", "message": "Python has no memory left.", **_stack_of(error)}
    try:
        return _describe(error)
    except BaseException:
        return {"kind": "error", "name": _name_of(error), "message": f"{_name_of(error)} cannot be described."}


def _describe(error: BaseException) -> Failure:
    if isinstance(error, NeverSettled):
        return {"kind": "never-settled", "message": str(error), **_stack_of(error)}
    if isinstance(error, SyntaxError):
        described = _describe_syntax_error(error)
        if described is not None:
            return described
    name, message = _name_of(error), _cut(_message_of(error), _MAX_MESSAGE)
    if isinstance(error, RecursionError):
        return {"kind": "recursion", "name": name, "message": message, **_stack_of(error)}
    if isinstance(error, ModuleNotFoundError) and isinstance(error.name, str) and error.name not in sys.modules:
        if message == f"No module named {error.name!r}":
            message = describe_missing_module(error.name)
        return {"kind": "import", "name": name, "message": message, **_stack_of(error)}
    if isinstance(error, ImportError):
        return {"kind": "import", "name": name, "message": message, **_stack_of(error)}
    failure = {"kind": "error", "name": name, "message": message, **_stack_of(error)}
    if type(error).__module__ == _SDK_ERRORS and isinstance(error.code, str):
        failure["code"] = error.code
    return failure


def _describe_syntax_error(error: SyntaxError) -> Failure | None:
    """Of a file of the script; what `eval` or `ast.parse` raise is an error as any other."""
    shown = _shown(error.filename)
    if shown is None:
        return None
    place = ":".join(str(part) for part in (shown, error.lineno, error.offset) if part)
    message = _cut(f"{place}: {error.msg}", _MAX_MESSAGE)
    lines = traceback.TracebackException(type(error), error, None).format_exception_only()
    shown_line = "".join(list(lines)[:-1]).replace(f'"{error.filename}"', f'"{shown}"', 1).rstrip("\n")
    frames = _stack_of(error).get("stack")
    stack = _cut(f"{frames}\n{shown_line}" if frames else shown_line, _MAX_STACK)
    return {"kind": "syntax", "name": type(error).__name__, "message": message, "stack": stack}


def _name_of(error: BaseException) -> str:
    kind = type(error)
    module = kind.__module__
    return kind.__qualname__ if module in ("builtins", "__main__", _SDK_ERRORS) else f"{module}.{kind.__qualname__}"


def _message_of(error: BaseException) -> str:
    """What Python prints behind the name, suggestions and notes included; of an error of `cronium`, whose code is told beside it, the message."""
    message = getattr(error, "message", None)
    if type(error).__module__ == _SDK_ERRORS and isinstance(message, str):
        return message
    try:
        described = traceback.TracebackException(type(error), error, error.__traceback__, limit=-1, lookup_lines=False)
        text = "".join(described.format_exception_only()).rstrip("\n")
    except Exception:
        text = f": {error}"
    return text.partition(": ")[2] or _name_of(error)


def _stack_of(error: BaseException) -> Failure:
    try:
        parts = [_frames_of(error.__traceback__)]
        seen = {id(error)}
        _add_related(error, parts, seen)
        text = "\n".join(part for part in parts if part)
    except BaseException:
        return {}
    return {"stack": _cut(text, _MAX_STACK)} if text else {}


def _add_related(error: BaseException, parts: list[str], seen: set[int]) -> None:
    """The errors that led to this one, then those that it is a group of."""
    related: list[tuple[str, BaseException | None]] = []
    if error.__cause__ is not None:
        related.append(("caused by", error.__cause__))
    elif not error.__suppress_context__:
        related.append(("raised while handling", error.__context__))
    if isinstance(error, BaseExceptionGroup):
        related.extend(("with", one) for one in error.exceptions[:_MAX_RELATED])
    for relation, other in related:
        if other is None or id(other) in seen or len(seen) > _MAX_RELATED:
            continue
        seen.add(id(other))
        parts.append(f"{relation} {_name_of(other)}: {_cut(_message_of(other), 1024)}")
        parts.append(_frames_of(other.__traceback__))
        _add_related(other, parts, seen)


def _frames_of(trace: TracebackType | None) -> str:
    """The last frames in files of the script, as a traceback shows them."""
    own = []
    while trace is not None:
        if _shown(trace.tb_frame.f_code.co_filename) is not None:
            own.append((trace.tb_frame, trace.tb_lineno, trace.tb_lasti))
        trace = trace.tb_next
    summary = traceback.StackSummary()
    for frame, line_number, instruction in own[-_MAX_FRAMES:]:
        code = frame.f_code
        _, end_line_number, column, end_column = next(islice(code.co_positions(), instruction // 2, None), (None,) * 4)
        line = linecache.getline(code.co_filename, line_number)
        if len(line) > _MAX_LINE:
            line, end_line_number, column, end_column = f"{line[:_MAX_LINE]}…", None, None, None
        summary.append(
            traceback.FrameSummary(
                _shown(code.co_filename),
                line_number,
                code.co_name,
                lookup_line=False,
                line=line,
                end_lineno=end_line_number,
                colno=column,
                end_colno=end_column,
            )
        )
    return "".join(summary.format()).rstrip("\n")


def _shown(filename: object) -> str | None:
    """The name by which the author knows a file of the script; None for any other, a wheel's among them."""
    if not isinstance(filename, str) or not filename.startswith(ROOT) or _WHEEL.search(filename):
        return None
    return filename[len(ROOT) :]


def _cut(text: str, limit: int) -> str:
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return whole if len(whole) <= limit else f"{whole[:limit]}… (cut)"
