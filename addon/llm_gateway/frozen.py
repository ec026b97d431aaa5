"""Dataclasses that nobody changes.

`frozen` is `dataclass(frozen=True, slots=True)`. Making such a value costs three times as
much as making an open one, thirty times per request. So the process that serves requests
(mitmproxy's) leaves the guard out, as `python -O` leaves out asserts. Type checkers and
every other process, tests and commands among them, have it.
"""

import sys
from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")

GUARDED = __debug__ and "mitmproxy.tools.main" not in sys.modules
"""To set a field of a value that is there raises FrozenInstanceError."""


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(cls: type[T]) -> type[T]:
    if GUARDED:
        return dataclass(frozen=True, slots=True)(cls)
    return dataclass(slots=True, unsafe_hash=True)(cls)
