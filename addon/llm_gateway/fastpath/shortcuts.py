"""Small things that mitmproxy does many times per request, done in less time.

Each takes the place of one function (see known.py) and returns the same values. What they
save was measured with py-spy: see benchmarks/README.md.
"""

import copy
import functools
import logging
import random
import time
from collections.abc import Callable
from typing import Any

from mitmproxy import flow, hooks, http, log, optmanager
from mitmproxy.addons import tlsconfig
from mitmproxy.coretypes import multidict
from mitmproxy.net import check
from mitmproxy.net.http import url
from mitmproxy.proxy import commands, context
from mitmproxy.utils import asyncio_utils

from llm_gateway.fastpath.header_index import table
from llm_gateway.mitm_compat.fingerprints import replace

_HEADERS = (
    http.Headers.get_all,
    http.Headers._reduce_values,
    http.Headers._kconv,
    multidict._MultiDict.get_all,
    multidict._MultiDict.__getitem__,
)
_AUTHORITY = (url.parse_authority, check.is_valid_host, check.is_valid_port)


def install() -> None:
    """Put all of them in place, once per process. The digests hold for mitmproxy 11.0.2
    to 12.3.1; under `python -O` the first of the originals does not exist at all."""
    replace(http.MessageData, "__post_init__", unchecked, {"f65088e2"})
    replace(asyncio_utils, "set_task_debug_info", name_task, {"fb5346b5"})
    both = (context.Context.fork, context.Context.__init__)
    replace(context.Context, "fork", fork, {"bc023c41"}, relies_on=both)
    replace(optmanager._Option, "current", current, {"6859c2d9"})
    values = (optmanager.OptManager.__getattr__, _current)
    replace(
        optmanager.OptManager, "__getattr__", option, {"0b661337"}, relies_on=values
    )
    replace(http.Headers, "get", get, {"eb7ce5ef"}, relies_on=_HEADERS)
    replace(http.Headers, "__contains__", contains, {"eb7ce5ef"}, relies_on=_HEADERS)
    replace(url, "parse_authority", parse_authority, {"9a1ba211"}, relies_on=_AUTHORITY)
    replace(tlsconfig.TlsConfig, "crl_path", crl_path, {"a9041d30"})
    replace(flow, "uuid", Ids, {"7c7b602c"}, relies_on=(flow.Flow.__init__,))
    replace(
        commands.StartHook,
        "__new__",
        staticmethod(_made),
        {"5dfd692f"},
        relies_on=(commands.StartHook.__new__, hooks.Hook.__new__),
    )
    formatter = log.MitmFormatter
    replace(formatter, "formatTime", time_of, {"811403f1"}, relies_on=(formatter,))


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


class Ids:
    """`uuid`, for flows: names for as long as they live, and no secrets. Python's own are
    a call to the kernel each, during which another thread takes the lock."""

    @staticmethod
    def uuid4() -> str:
        text = f"{random.getrandbits(128):032x}"
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"


def _made(cls: type[Any], *_: object, **__: object) -> Any:
    """A hook, without the question whether its class may be made at all."""
    return object.__new__(cls)


_PLAIN = frozenset({bool, int, str, type(None)})


def current(self: Any) -> Any:
    """Without copying values that cannot be changed."""
    value = self._default if self.value is optmanager.unset else self.value
    return value if type(value) in _PLAIN else copy.deepcopy(value)


_current: Any = optmanager._Option.current


def option(self: Any, name: str) -> Any:
    """The value of an option: mitmproxy asks for some twenty per connection."""
    known = self.__dict__.get("_options", {}).get(name)
    if known is None:
        raise AttributeError(f"No such option: {name}")
    return current(known)


def get(self: http.Headers, key: str | bytes, default: Any = None) -> Any:
    """A look-up instead of five calls per field."""
    found = table(self).get(_lower(key))
    return default if found is None else found.decode("utf-8", "surrogateescape")


def contains(self: http.Headers, key: Any) -> bool:
    return _lower(key) in table(self)


@functools.lru_cache(maxsize=512)
def _lower(key: str | bytes) -> bytes:
    raw = key if isinstance(key, bytes) else key.encode("utf-8", "surrogateescape")
    return raw.lower()


Authority = tuple[str, int | None]
_parse_authority: Callable[[Any, bool], Authority] = url.parse_authority
_remembered = functools.lru_cache(maxsize=256)(_parse_authority)

LONGEST_AUTHORITY = 255
"""Longer ones are not remembered: clients decide what they send."""


def parse_authority(authority: str | bytes, check: bool) -> Authority:
    """Clients name the same few hosts all the time; their names are looked at once."""
    if len(authority) > LONGEST_AUTHORITY:
        return _parse_authority(authority, check)
    return _remembered(authority, check)


def time_of(self: Any, record: logging.LogRecord, datefmt: str | None = None) -> str:
    """`12:34:56.789`. Many lines have the same second, which is put into words once."""
    return f"{_clock(int(record.created))}.{int(record.msecs):03d}"


@functools.lru_cache(maxsize=4)
def _clock(second: int) -> str:
    return time.strftime("%H:%M:%S", time.localtime(second))


_crl_path: Callable[[Any], str] = getattr(tlsconfig.TlsConfig, "crl_path", str)


def crl_path(self: Any) -> str:
    """Asked for each request; the serial number of a CA does not change."""
    ca = self.certstore.default_ca
    found: tuple[Any, str] = self.__dict__.get("_crl_path_of", (None, ""))
    if found[0] is not ca:
        found = self.__dict__["_crl_path_of"] = (ca, _crl_path(self))
    return found[1]
