"""Members of generateContent's JSON, in either of their spellings, alone or in a list.

Protocol buffers are read with `inlineData` as well as `inline_data`; Google's own examples
and SDKs write both, sometimes in one body. They also write one object where a list is meant
(`"parts": {"text": "Hi"}`), and roles in capitals.
"""

import re
from collections.abc import Mapping
from functools import lru_cache

Json = Mapping[str, object]

_humps = re.compile("[A-Z]")


@lru_cache(maxsize=256)
def snake(name: str) -> str:
    """`inlineData` -> `inline_data`."""
    return _humps.sub(lambda found: "_" + found[0].lower(), name)


@lru_cache(maxsize=256)
def camel(name: str) -> str:
    """`inline_data` -> `inlineData`."""
    head, *rest = name.split("_")
    return head + "".join(word[:1].upper() + word[1:] for word in rest)


def spelled(value: Json, name: str) -> str | None:
    """How the member is spelled there, if it is: as asked for, or in the other spelling."""
    if name in value:
        return name
    plain = name.replace("_", "").lower()
    return next((k for k in value if k.replace("_", "").lower() == plain), None)


def member(value: object, name: str) -> object:
    """The member of this (camel case) name; None where there is none, or no object."""
    if not isinstance(value, dict):
        return None
    found = value.get(name)
    return value.get(snake(name)) if found is None else found


def object_in(value: object, name: str) -> Json:
    """The same where it is an object, else an empty one."""
    found = member(value, name)
    return found if isinstance(found, dict) else {}


def objects_in(value: object, name: str) -> list[dict[str, object]]:
    """The objects of a list; a single one stands for a list of one."""
    return [item for item in listed(member(value, name)) if isinstance(item, dict)]


def listed(value: object) -> list[object]:
    """A list; a single object stands for a list of one."""
    if isinstance(value, dict):
        return [value]
    return value if isinstance(value, list) else []


def texts_in(value: object, name: str) -> list[str]:
    """The texts of a list; a single one stands for a list of one."""
    found = member(value, name)
    if isinstance(found, str):
        return [found]
    return [one for one in listed(found) if isinstance(one, str)]


def role_in(content: object) -> str:
    """`user`, `model`: in small letters, as some write `USER`. "": there is none."""
    return text_in(content, "role").lower()


def text_in(value: object, name: str) -> str:
    found = member(value, name)
    return found if isinstance(found, str) else ""
