"""Request: model and stream from the path, words from `utterances`."""

import re
from collections.abc import Iterator
from urllib.parse import unquote

from llm_gateway.dialects.conversation import (
    Conversation,
    as_list,
    conversation_hash,
)
from llm_gateway.dialects.paths import NO_PATH_INFO, PathInfo
from llm_gateway.dialects.prompt_size import weigh
from llm_gateway.dialects.request_settings import Settings, Values, count

_path = re.compile(r"/parleys/([^/]+):(talk|talkOn|weigh)/?(?:\?|$)").search


def read_path(path: str) -> PathInfo:
    found = _path(path)
    if found is None:
        return NO_PATH_INFO
    return PathInfo(unquote(found[1]), found[2] == "talkOn")


def read_conversation(values: Values) -> Conversation:
    said = as_list(values.get("utterances"))
    first = said[0].get("words") if said and isinstance(said[0], dict) else None
    return Conversation(weigh(said), len(said), conversation_hash(None, first))


def read_settings(values: Values) -> Settings:
    ceiling = values.get("ceiling", values.get("CEILING"))
    most = count(ceiling.get("words")) if isinstance(ceiling, dict) else -1
    return Settings(max_tokens=most if most >= 0 else None)


def read_extras(values: Values) -> Iterator[tuple[str, object]]:
    """`{"extras": {"search": {}}}`: what is paid for has a place of its own."""
    found = values.get("extras")
    if isinstance(found, dict) and "search" in found:
        yield "web_search", found["search"]
