"""Small things that mitmproxy does many times per request, done in less time.

Each takes the place of one function (see known.py) and returns the same values. What they
save was measured with py-spy: see benchmarks/README.md.
"""

import copy
import time
from typing import Any

from mitmproxy import http, optmanager
from mitmproxy.coretypes import multidict
from mitmproxy.proxy import context
from mitmproxy.utils import asyncio_utils

from llm_gateway.edge.known import replace

_HEADERS = (
    http.Headers.get_all,
    http.Headers._reduce_values,
    http.Headers._kconv,
    multidict._MultiDict.get_all,
    multidict._MultiDict.__getitem__,
)


def install() -> None:
    """Put all of them in place, once per process. The digests hold for mitmproxy 11.0.2
    to 12.3.1; under `python -O` the first of the originals does not exist at all."""
    replace(http.MessageData, "__post_init__", unchecked, {"f65088e2"})
    replace(asyncio_utils, "set_task_debug_info", name_task, {"fb5346b5"})
    both = (context.Context.fork, context.Context.__init__)
    replace(context.Context, "fork", fork, {"bc023c41"}, relies_on=both)
    replace(optmanager._Option, "current", current, {"6859c2d9"})
    replace(http.Headers, "get", get, {"eb7ce5ef"}, relies_on=_HEADERS)
    replace(http.Headers, "__contains__", contains, {"eb7ce5ef"}, relies_on=_HEADERS)


def unchecked(self: Any) -> None:
    """Types of a message's fields are not checked again, as under `python -O`."""


def name_task(task: Any, *, name: str, client: Any = None) -> None:
    """Without a look at the environment, where only a test run leaves something."""
    task.created = time.time()
    task.set_name(name)
    if client:
        task.client = client


def fork(self: context.Context) -> context.Context:
    """Without the Server object that the original makes and throws away."""
    other = context.Context.__new__(context.Context)
    other.client = self.client
    other.options = self.options
    other.server = self.server
    other.layers = self.layers.copy()
    return other


_PLAIN = frozenset({bool, int, str, type(None)})


def current(self: Any) -> Any:
    """Without copying values that cannot be changed."""
    value = self._default if self.value is optmanager.unset else self.value
    return value if type(value) in _PLAIN else copy.deepcopy(value)


def get(self: http.Headers, key: str | bytes, default: Any = None) -> Any:
    """One walk over the fields instead of five calls per field."""
    wanted = _lower(key)
    found = [value for name, value in self.fields if name.lower() == wanted]
    if not found:
        return default
    return ", ".join([value.decode("utf-8", "surrogateescape") for value in found])


def contains(self: http.Headers, key: Any) -> bool:
    wanted = _lower(key)
    for name, _ in self.fields:  # noqa: SIM110, a generator costs as much as the walk
        if name.lower() == wanted:
            return True
    return False


def _lower(key: str | bytes) -> bytes:
    raw = key if isinstance(key, bytes) else key.encode("utf-8", "surrogateescape")
    return raw.lower()
