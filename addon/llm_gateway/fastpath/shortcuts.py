"""Small things that mitmproxy does many times per request, done in less time.

Each takes the place of one function (see mitm_compat/sites.py) and returns the same values. What they
save was measured with py-spy: see benchmarks/README.md.
"""

import copy
import functools
import logging
import random
import time
from collections.abc import Callable
from typing import Any

from mitmproxy import flow, http, log, optmanager
from mitmproxy.addons import tlsconfig
from mitmproxy.net.http import url
from mitmproxy.proxy import commands, context
from mitmproxy.utils import asyncio_utils

from llm_gateway.fastpath.header_index import table
from llm_gateway.fastpath.replacing import replace


def install() -> None:
    """Put all of them in place, once per process; where `SMALL` is known (mitm_compat)."""
    if hasattr(http.MessageData, "__post_init__"):  # not under `python -O`
        replace(http.MessageData, "__post_init__", unchecked)
    replace(asyncio_utils, "set_task_debug_info", name_task)
    replace(context.Context, "fork", fork)
    replace(optmanager._Option, "current", current)
    replace(optmanager.OptManager, "__getattr__", option)
    replace(http.Headers, "get", get)
    replace(http.Headers, "__contains__", contains)
    replace(url, "parse_authority", parse_authority)
    if hasattr(tlsconfig.TlsConfig, "crl_path"):  # from mitmproxy 12.2 on
        replace(tlsconfig.TlsConfig, "crl_path", crl_path)
    replace(flow, "uuid", Ids)
    replace(commands.StartHook, "__new__", staticmethod(_made))
    replace(log.MitmFormatter, "formatTime", time_of)


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
