"""generateContent request: model and stream from the path, `contents` -> Conversation."""

import re
from urllib.parse import unquote

from llm_gateway.dialects.conversation import (
    Conversation,
    as_list,
    role_of,
    talk_hashes,
    texts_in,
)
from llm_gateway.dialects.generate_content.members import member, object_in, objects_in
from llm_gateway.dialects.generate_content.weight import weigh_contents
from llm_gateway.dialects.paths import NO_PATH_INFO, PathInfo, plain_path
from llm_gateway.dialects.request_settings import Settings, Values, count

_path = re.compile(
    r"/(?:models/(?P<model>.+)|(?P<tuned>tunedModels/.+))"
    r":(?P<action>generateContent|streamGenerateContent|countTokens)"
).search


def read_path(path: str) -> PathInfo:
    """The model, and whether the answer streams; whatever version or project is before."""
    plain = plain_path(path)
    found = _path(plain)
    if found is None or found.end() != len(plain):
        return NO_PATH_INFO
    name = unquote(found["model"] or found["tuned"])
    return PathInfo(name, found["action"] == "streamGenerateContent")


def read_conversation(values: Values) -> Conversation:
    # To count tokens a whole request may be nested.
    inner = object_in(values, "generateContentRequest")
    if inner:
        values = inner
    contents = as_list(values.get("contents"))
    system = member(values, "systemInstruction")
    said = system if isinstance(system, str) else member(system, "parts")
    first = next((_parts(c) for c in contents if role_of(c) in ("user", "")), None)
    last = contents[-1] if contents else None
    answers_tool = any(
        member(part, "functionResponse") is not None for part in _parts(last)
    )
    conversation, opening = talk_hashes(texts_in(said), first)
    return Conversation(
        weigh_contents([said, contents]),
        len(contents) + (1 if system else 0),
        conversation,
        "agent" if answers_tool or role_of(last) == "model" else "user",
        opening,
    )


def read_settings(values: Values) -> Settings:
    config = object_in(values, "generationConfig")
    most = count(member(config, "maxOutputTokens"))
    return Settings(
        max_tokens=most if most >= 0 else None,
        n=max(1, count(member(config, "candidateCount"))),
    )


def _parts(content: object) -> list[dict[str, object]]:
    return objects_in(content, "parts")
