"""Request body: parsed once, rewritten by splicing bytes.

`read` looks at what routing and limits rest on and refuses only what would make them
wrong; everything else is the provider's to judge. `RequestBody.rewritten` changes the spans
that must change and no other byte, so unknown members, the order of members, spacing
and spelling reach the provider as the client wrote them.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import field
from types import MappingProxyType

from llm_gateway.dialects.conversation import Conversation, estimate
from llm_gateway.dialects.extras import MEMBERS, extras, thinking_budget
from llm_gateway.dialects.json_splice import Member, NotAnObject, scan, splice
from llm_gateway.dialects.paths import NO_PATH_INFO
from llm_gateway.dialects.repeated_members import given_twice, given_twice_within
from llm_gateway.dialects.request_settings import count
from llm_gateway.dialects.resources import may_name
from llm_gateway.dialects.spec import DialectSpec, ModelPlace
from llm_gateway.domain import RequestInfo
from llm_gateway.frozen import frozen

MODEL_LENGTH = 200
MOST_TOKENS = 2**53
"""The largest integer that every JSON reader agrees on."""

_unprintable = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]").search
_WITH_EXTRAS = MEMBERS | {"input"}
"""Members in which something may be asked for that is paid for."""
_USAGE_OPTION = b'"include_usage":true'
_ASK_USAGE = b'"stream_options":{' + _USAGE_OPTION + b"}"
_NOTHING: Mapping[str, str] = MappingProxyType({})
_AS_THEY_ARE: Mapping[str, object] = MappingProxyType({})


@frozen
class RequestError:
    """Why a body cannot be served, ready for `error_body`."""

    status: int
    code: str
    message: str
    param: str | None = None


@frozen
class RequestBody:
    """What was asked, in the client's own bytes."""

    dialect: DialectSpec = field(repr=False)
    ask: RequestInfo
    raw: bytes
    members: tuple[Member, ...] = field(default=(), repr=False)
    needs_look: bool = field(default=False, repr=False)
    """It may hold what is mended for everybody, without a quirk."""
    may_name_ids: bool = field(default=False, repr=False)
    """It may name what an account keeps: a file, an answer to go on from."""
    names: frozenset[str] = field(default=frozenset(), repr=False)
    """Those of `members`."""

    def values(self) -> dict[str, object]:
        """The top-level values. Reads the whole body again: for what is rare."""
        members, found = scan(self.raw.decode())
        return {m.key: value for m, value in zip(members, found, strict=True)}

    def rewritten(
        self,
        *,
        model: str | None = None,
        include_usage: bool = False,
        drop: frozenset[str] = frozenset(),
        rename: Mapping[str, str] = _NOTHING,
        replace: Mapping[str, object] = _AS_THEY_ARE,
        max_tokens: int | None = None,
    ) -> bytes:
        """The client's bytes with these changes; the very same object if there are none.

        model          replaces the value of the top-level `model`, or puts it in; where
                       the path names it, only what a body says of it once more
        include_usage  `stream_options.include_usage` becomes true, in streams of the
                       dialects that have it, unless `stream_options` is dropped
        drop           top-level members that are taken out; never `model`
        rename         top-level members that get another name; one whose new name is
                       taken already is dropped
        replace        top-level members that get this JSON value; one that is missing is
                       put in
        """
        edits: list[tuple[int, int, bytes]] = []
        added: list[bytes] = []
        names = self.names
        if self.dialect.model_place is ModelPlace.BODY:
            drop = drop - {"model"}
        elif model is not None:
            edits += self._repeated(model, drop.union(replace))
            if "model" in drop or "model" not in names:
                model = None
        if model is not None and "model" not in names:
            added.append(b'"model":' + json.dumps(model).encode())
        elif model is not None and model != self.ask.model:
            value = json.dumps(model).encode()
            edits += [(m.start, m.end, value) for m in self.members if m.key == "model"]
        if rename:
            drop = drop | {k for k, new in rename.items() if k != new and new in names}
            edits += [
                (m.key_start, m.key_end, json.dumps(rename[m.key]).encode())
                for m in self.members
                if m.key in rename and m.key not in drop
            ]
        if replace:
            replace = {k: v for k, v in replace.items() if k not in drop | {"model"}}
            if max_tokens is not None:
                replace = self._bounded(replace, max_tokens)
            edits += [
                (m.start, m.end, written(replace[m.key]))
                for m in self.members
                if m.key in replace
            ]
            added += [
                json.dumps(rename.get(key, key)).encode() + b":" + written(value)
                for key, value in replace.items()
                if key not in names
            ]
        if max_tokens is not None:
            edits += self._lowered(max_tokens, drop.union(replace))
        if (
            include_usage
            and self.ask.stream
            and not self.ask.wants_usage
            and self.dialect.usage_event is not None
            and "stream_options" not in drop
            and "stream_options" not in replace
        ):
            edit = self._usage_asked()
            if edit is None:
                added.append(_ASK_USAGE)
            else:
                edits.append(edit)
        if added:
            edits.append(self._put_in(b",".join(added), drop))
        if drop:
            edits += self._cuts(drop)
        return splice(self.raw, edits) if edits else self.raw

    def says(self, text: str) -> bool:
        """Does the request, its `model` aside, hold this text (in lower case)?

        Reads the whole body: for the rare error whose words may be the request's own.
        """
        named = [(m.start, m.end, b"0") for m in self.members if m.key == "model"]
        said = splice(self.raw, named).decode("utf-8", "replace")
        if "\\" in said:
            # Escapes spell the same text in many ways.
            said = json.dumps(json.loads(said), ensure_ascii=False)
            said = said.replace('\\"', '"').replace("\\n", "\n")
        return text in said.lower()

    def _lowered(self, most: int, drop: frozenset[str]) -> list[tuple[int, int, bytes]]:
        """The edits after which nothing asks for more than `most` tokens."""
        value = str(most).encode()
        edits = []
        limits = self.dialect.output_limits
        for m in self.members:
            if m.key in drop:
                continue
            if m.key in limits:
                asked = count(json.loads(self.raw[m.start : m.end]))
                if not 0 <= asked <= most:
                    edits.append((m.start, m.end, value))
                continue
            edits += [
                (start, end, value)
                for start, end, asked in _inside(self.raw, m, limits)
                if not 0 <= count(asked) <= most
            ]
        return edits

    def _repeated(
        self, model: str, drop: frozenset[str]
    ) -> list[tuple[int, int, bytes]]:
        """The edits after which nothing in the body names another model."""
        asked, places = self.ask.model, self.dialect.model_repeated
        if model == asked or not places:
            return []
        return [
            (start, end, json.dumps(said.removesuffix(asked) + model).encode())
            for m in self.members
            if m.key not in drop
            for start, end, said in _inside(self.raw, m, places)
            if isinstance(said, str) and said.endswith(asked)
        ]

    def _bounded(
        self, replace: Mapping[str, object], most: int
    ) -> Mapping[str, object]:
        """The same, where nothing asks for more than `most` tokens."""
        limits = self.dialect.output_limits
        return {k: _bounded(k, v, limits, most) for k, v in replace.items()}

    def _usage_asked(self) -> tuple[int, int, bytes] | None:
        """The edit after which `stream_options` asks for usage; None: there is none."""
        for m in self.members:
            if m.key != "stream_options":
                continue
            value = self.raw[m.start : m.end]
            try:
                inner, _ = scan(value.decode())
            except NotAnObject:  # null, or nothing that a provider will take
                return m.key_start, m.end, _ASK_USAGE
            for option in inner:
                if option.key == "include_usage":
                    start, end = m.start + option.start, m.start + option.end
                    return start, end, b"true"
            comma = b"," if inner else b""
            return m.start + 1, m.start + 1, _USAGE_OPTION + comma
        return None

    def _put_in(self, members: bytes, drop: frozenset[str]) -> tuple[int, int, bytes]:
        """The edit that adds members in front of all others."""
        start = self.raw.index(b"{") + 1
        comma = b"," if any(m.key not in drop for m in self.members) else b""
        return start, start, members + comma

    def _cuts(self, drop: frozenset[str]) -> list[tuple[int, int, bytes]]:
        """Each dropped member goes with one comma: the one before it, or, for those
        that stand in front of all that stay, the one after it."""
        cuts = []
        kept = False
        for i, m in enumerate(self.members):
            if m.key not in drop:
                kept = True
            elif kept:
                cuts.append((self.members[i - 1].end, m.end, b""))
            else:
                last = i + 1 == len(self.members)
                end = m.end if last else self.members[i + 1].key_start
                cuts.append((m.key_start, end, b""))
        return cuts


def _bounded(name: str, value: object, limits: tuple[str, ...], most: int) -> object:
    """A member's new value, or the one inside it, no larger than `most`."""
    if name in limits:
        return value if 0 <= count(value) <= most else most
    if not isinstance(value, dict):
        return value
    too_much = {
        k: most
        for k, v in value.items()
        if f"{name}.{k}" in limits and not 0 <= count(v) <= most
    }
    return value | too_much if too_much else value


def _inside(
    raw: bytes, outer: Member, names: tuple[str, ...]
) -> list[tuple[int, int, object]]:
    """(start, end, value) of the members of a top-level object that are named there, as
    `generationConfig.maxOutputTokens`."""
    inside = f"{outer.key}."
    wanted = {name[len(inside) :] for name in names if name.startswith(inside)}
    if not wanted:
        return []
    try:
        inner, values = scan(raw[outer.start : outer.end].decode())
    except NotAnObject:
        return []
    return [
        (outer.start + m.start, outer.start + m.end, value)
        for m, value in zip(inner, values, strict=True)
        if m.key in wanted
    ]


def read(
    dialect: DialectSpec, body: bytes, *, path: str = ""
) -> RequestBody | RequestError:
    """A body, or what is wrong with it. Never raises.

    A body without `model` takes the one that `path` names, as Azure's do; where the
    dialect names the model in the path, the body has a say only if the path names none.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError as e:
        return _bad(f"The request body is not UTF-8 (byte {e.start}).")
    if text.startswith("\ufeff"):
        return _bad("The request body starts with a byte order mark; send plain UTF-8.")
    try:
        members, found = scan(text)
    except NotAnObject as e:
        return _bad(f"The request body is not a JSON object: {e}.")
    values = {m.key: value for m, value in zip(members, found, strict=True)}
    may_repeat = len(values) != len(members) or dialect.one_name is not str
    if may_repeat and (twice := given_twice(dialect, members)):
        return _bad(f"`{twice}` is given twice.", twice)
    placed = dialect.placed_extras
    if (
        not _WITH_EXTRAS.isdisjoint(values)
        or (placed is not None and not placed.members.isdisjoint(values))
    ) and (inner := given_twice_within(dialect, body, members)):
        return _bad(
            "`{1}` is given twice in one object of `{0}`.".format(*inner), inner[0]
        )
    said = NO_PATH_INFO
    if dialect.model_place is ModelPlace.BODY and "model" in values:
        model = values["model"]
    else:
        said = dialect.read_path(path)
        model = values.get("model") if said.model is None else said.model
    if (problem := _bad_model(dialect, model)) or (
        problem := _bad_numbers(dialect, values)
    ):
        return problem
    cached = ""
    if b'"cache_control"' in body:
        cached = "1h" if b'"1h"' in body else "5m"
    conversation = dialect.read_conversation(values)
    ask = _ask(dialect, str(model), said.stream, members, values, conversation, cached)
    beside = _beside(body, members, conversation.mere_text)
    look, ids = dialect.needs_look, dialect.id_members
    return RequestBody(
        dialect,
        ask,
        body,
        tuple(members),
        needs_look=look is not None and look(beside),
        may_name_ids=ids is not None and may_name(beside, values.keys(), ids),
        names=frozenset(values),
    )


def _beside(body: bytes, members: list[Member], mere_text: str) -> bytes:
    """The body without its conversation, where that is nothing but text: the most of a
    large body, and searched for nothing."""
    spans = [m for m in members if m.key == mere_text]
    if len(spans) != 1:
        return body
    return body[: spans[0].start] + body[spans[0].end :]


def _bad_model(dialect: DialectSpec, model: object) -> RequestError | None:
    if model is None and dialect.model_place is ModelPlace.PATH:
        form = dialect.path.replace("{model}", "NAME")
        form = form.replace(
            "{action}", dialect.actions[0].word if dialect.actions else ""
        )
        return _bad(f"The path names no model; write e.g. {form}.", "model")
    if model is None:
        return _bad('`model` is missing; write e.g. "model": "gpt-4o-mini".', "model")
    if not isinstance(model, str) or not model:
        return _bad('`model` is not a name; write e.g. "gpt-4o-mini".', "model")
    if len(model) > MODEL_LENGTH:
        return _bad(f"`model` is longer than {MODEL_LENGTH} characters.", "model")
    if _unprintable(model):
        return _bad("`model` holds a character that cannot be printed.", "model")
    return None


def _bad_numbers(
    dialect: DialectSpec, values: Mapping[str, object]
) -> RequestError | None:
    stream = values.get("stream")
    if stream is not None and not isinstance(stream, bool):
        return _bad("`stream` is neither true nor false.", "stream")
    for key in dialect.counts:
        value = values.get(key)
        if value is not None and not _is_count(value):
            return _bad(f"`{key}` is not a whole number below 2**53.", key)
    return None


def _ask(
    dialect: DialectSpec,
    model: str,
    stream: bool | None,
    members: list[Member],
    values: dict[str, object],
    conversation: Conversation,
    cached: str,
) -> RequestInfo:
    settings = dialect.read_settings(values)
    schemas = dialect.schemas
    schema = sum(m.end - m.start for m in members if m.key in schemas)
    return RequestInfo(
        dialect=dialect.name,
        model=model,
        stream=settings.stream if stream is None else stream,
        max_tokens=settings.max_tokens,
        wants_usage=settings.wants_usage,
        input_estimate=estimate(conversation, schema),
        conversation=conversation.conversation,
        opening=conversation.opening,
        initiator=conversation.initiator,
        has_images=conversation.weight.images > 0,
        n=settings.n,
        extras=extras(
            values,
            conversation.weight,
            cached=cached,
            placed=dialect.placed_extras,
        ),
        thinking_budget=settings.thinking_budget or thinking_budget(values),
    )


def _is_count(value: object) -> bool:
    if isinstance(value, float):
        return value.is_integer() and abs(value) <= MOST_TOKENS
    return type(value) is int and abs(value) <= MOST_TOKENS


def written(value: object) -> bytes:
    """JSON, compact; characters as they are, but for halves of pairs, which UTF-8 has not."""
    try:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()


def _bad(message: str, param: str | None = None) -> RequestError:
    return RequestError(400, "invalid_request", message, param)
