"""Dataclasses that nobody changes.

`frozen` is `dataclass(frozen=True, slots=True)`. Making such a value costs three times as
much as making an open one, thirty times per request; `python -O` leaves the guard out, as it
leaves out asserts. Type checkers and every run without `-O`, tests among them, have it.
"""

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(cls: type[T]) -> type[T]:
    if __debug__:
        return dataclass(frozen=True, slots=True)(cls)
    return dataclass(slots=True, unsafe_hash=True)(cls)
