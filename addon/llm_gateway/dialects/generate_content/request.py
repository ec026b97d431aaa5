"""generateContent request: model and stream from the path, `contents` -> Conversation."""

import re
from collections.abc import Iterator
from urllib.parse import unquote

from llm_gateway.dialects.conversation import Conversation, talk_hashes, texts_in
from llm_gateway.dialects.generate_content.members import (
    listed,
    member,
    object_in,
    objects_in,
    role_in,
)
from llm_gateway.dialects.generate_content.weight import weigh_contents
from llm_gateway.dialects.paths import NO_PATH_INFO, PathInfo, plain_path
from llm_gateway.dialects.request_settings import Settings, Values, count

_path = re.compile(
    r"(?P<before>.*):(?P<action>generateContent|streamGenerateContent|countTokens)"
).fullmatch
_VERSION = r"v\d+(?:(?:alpha|beta)\d*)?"
_NAME = r"/(?:(?:publishers/[^/]+/)?models/(?P<name>.+)|(?P<tuned>tunedModels/.+))"
_is_version = re.compile(_VERSION).fullmatch
_behind_version = re.compile(f"/{_VERSION}{_NAME}").search
_anywhere = re.compile(_NAME).search


def read_path(path: str) -> PathInfo:
    """The model, and whether the answer streams; whatever version or project is before."""
    found = _path(plain_path(path))
    if found is None:
        return NO_PATH_INFO
    name = _name_in(found["before"])
    return PathInfo(name, found["action"] == "streamGenerateContent")


def _name_in(path: str) -> str | None:
    """Right behind the version; else all that stands there, as the AI SDK puts no `models/`
    before a name with a slash in it; else wherever `models/` is: `/v1/projects/P/…`."""
    named = _behind_version(path)
    segments = path.split("/")
    if named is None and segments[-1] and "projects" not in segments:
        for at in range(len(segments) - 3, 0, -1):
            if _is_version(segments[at]):
                return unquote("/".join(segments[at + 1 :]))
    named = named or _anywhere(path)
    return unquote(named["name"] or named["tuned"]) if named is not None else None


def read_conversation(values: Values) -> Conversation:
    # To count tokens a whole request may be nested.
    inner = object_in(values, "generateContentRequest")
    values = inner or values
    contents = listed(values.get("contents"))
    system = member(values, "systemInstruction")
    said = system if isinstance(system, str) else member(system, "parts")
    if isinstance(question := values.get("contents"), str):
        contents = [{"parts": [{"text": question}]}]
    first = next((_parts(c) for c in contents if role_in(c) in ("user", "")), None)
    last = contents[-1] if contents else None
    answers_tool = any(
        member(part, "functionResponse") is not None for part in _parts(last)
    )
    conversation, opening = talk_hashes(texts_in(said), first)
    return Conversation(
        weigh_contents([said, contents, inner.get("tools")]),
        len(contents) + (1 if system else 0),
        conversation,
        "agent" if answers_tool or role_in(last) == "model" else "user",
        opening,
    )


def read_settings(values: Values) -> Settings:
    config = object_in(values, "generationConfig")
    most = count(member(config, "maxOutputTokens"))
    return Settings(
        max_tokens=most if most >= 0 else None,
        n=max(1, count(member(config, "candidateCount"))),
        thinking_budget=max(
            0, count(member(object_in(config, "thinkingConfig"), "thinkingBudget"))
        ),
    )


def read_extras(values: Values) -> Iterator[tuple[str, object]]:
    """What an answer is to be made of."""
    yield (
        "modalities",
        member(object_in(values, "generationConfig"), "responseModalities"),
    )


def _parts(content: object) -> list[dict[str, object]]:
    return objects_in(content, "parts")
