"""Gemini's own API, as far as it only passes: its path, and the usage of its answers.

What lives here: `model_in`, the model that a `…:generateContent` path names, and
`read_answer` for one answer, plain, as a JSON list or as a stream of events. Counts are
turned into the same disjoint classes as everybody's (see `usage`).

What this file does not know: prices, who asks.
"""

import json
import re
from collections.abc import Iterator, Mapping
from urllib.parse import unquote

from llm_gateway.dialects.billed import count
from llm_gateway.domain import Usage
from llm_gateway.streaming.sse import data_of, raw_events

_METHOD = re.compile(
    r"/models/([^/:?]+):(?:generateContent|streamGenerateContent)$"
).search

Counts = Mapping[str, object]


def model_in(method: str, path: str) -> str | None:
    """The model of a request line that asks for an answer; None: it is another one."""
    if method != "POST":
        return None
    found = _METHOD(path.partition("?")[0].rstrip("/"))
    return unquote(found[1])[:200] if found else None


def read_answer(body: bytes) -> Usage:
    """The last usage that it reports; `unknown` when it reports none."""
    last: Counts | None = None
    searched = 0
    model = None
    for part in _parts(body):
        if isinstance(name := part.get("modelVersion"), str) and name:
            model = name
        if isinstance(found := part.get("usageMetadata"), dict):
            last = found
        searched = max(searched, _searches(part))
    if last is None:
        return Usage(model=model)
    cached = min(
        count(last.get("cachedContentTokenCount")), count(last.get("promptTokenCount"))
    )
    prompt = count(last.get("promptTokenCount")) - cached
    prompt += count(last.get("toolUsePromptTokenCount"))
    output = count(last.get("candidatesTokenCount"))
    cached_audio = min(_of(last, "cacheTokensDetails", "AUDIO"), cached)
    audio = max(0, _of(last, "promptTokensDetails", "AUDIO") - cached_audio)
    classes = (
        ("cached_audio", cached_audio),
        ("input_audio", min(audio, prompt)),
        ("output_audio", min(_of(last, "candidatesTokensDetails", "AUDIO"), output)),
        ("output_image", min(_of(last, "candidatesTokensDetails", "IMAGE"), output)),
        # Searches are billed per prompt or per query, as the model's price list has it.
        ("server_tool", searched),
    )
    return Usage(
        input_tokens=prompt,
        cached_tokens=cached,
        output_tokens=output,
        reasoning_tokens=count(last.get("thoughtsTokenCount")),
        source="reported",
        model=model,
        classes=tuple((name, number) for name, number in classes if number),
    )


def _of(usage: Counts, details: str, modality: str) -> int:
    found = usage.get(details)
    return sum(
        count(one.get("tokenCount"))
        for one in (found if isinstance(found, list) else ())
        if isinstance(one, dict) and one.get("modality") == modality
    )


def _searches(part: Counts) -> int:
    candidates = part.get("candidates")
    found = 0
    for one in candidates if isinstance(candidates, list) else ():
        grounding = one.get("groundingMetadata") if isinstance(one, dict) else None
        queries = (
            grounding.get("webSearchQueries") if isinstance(grounding, dict) else None
        )
        found += len(queries) if isinstance(queries, list) else 0
    return found


def _parts(body: bytes) -> Iterator[Counts]:
    if body.lstrip()[:1] in (b"{", b"["):
        value = _json(body)
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, dict):
                yield part
        return
    for event in raw_events(body):
        part = _json(data_of(event))
        if isinstance(part, dict):
            yield part


def _json(data: bytes) -> object:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None
