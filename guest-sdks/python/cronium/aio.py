"""The helpers of a Cronium script as coroutines.

>>> from cronium import aio
>>> orders = await aio.get_input()
"""

from ._aio_client import AsyncClient, log
from ._aio_functions import *  # noqa: F401,F403
from ._aio_functions import __all__ as _functions
from ._errors import RuntimeError

# `RuntimeError` is left out: an import of everything must not replace the built-in one.
__all__ = [*_functions, "AsyncClient", "log"]
