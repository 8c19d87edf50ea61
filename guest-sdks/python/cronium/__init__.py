"""The helpers of a Cronium script: input, output, variables, condition, event and log, wherever the script runs.

>>> import cronium
>>> orders = cronium.get_input()
>>> cronium.set_variable("seen", len(orders))

The same names are coroutines in `cronium.aio`.
"""

from ._client import Client, log
from ._contract import EventContext, ExecutionContext, KeyInfo, KeyPage, Metadata, ServerContext, VariableEntry
from ._errors import RuntimeError
from ._functions import *  # noqa: F401,F403
from ._functions import __all__ as _functions

__version__ = "0.1.0"

# `RuntimeError` is left out: an import of everything must not replace the built-in one.
__all__ = [
    *_functions,
    "Client",
    "EventContext",
    "ExecutionContext",
    "KeyInfo",
    "KeyPage",
    "Metadata",
    "ServerContext",
    "VariableEntry",
    "log",
]
