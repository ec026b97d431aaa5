"""Wordings of refusals of chat completions: members that are not taken, wherever they stand.

Read 2026-11-28 in vendors' pages and in threads of clients; none was asked live. What a
function of a row needs of the body is in `chat_lessons.py`.
"""

from functools import partial

from llm_gateway.adaptation import chat_lessons as lessons
from llm_gateway.adaptation.named_extras import extras_named
from llm_gateway.adaptation.refused_member import extras_at, left_out, listed
from llm_gateway.adaptation.wording import Wording, words
from llm_gateway.domain import Dialect

_CHAT = frozenset({Dialect("chat")})
_left_out = partial(left_out, lessons.SHAPE)
_listed = partial(listed, lessons.SHAPE)

_START = r"(?<![\w.\[\]$-])"
"""Of a name that nothing stands in front of: it is looked at once, however long it is."""
_NAME = r"[`'\"]?(?P<name>[\w.\[\]$-]{1,120})[`'\"]?"
_NOT_TAKEN = (
    r"(?:not supported|unsupported|not permitted|not allowed|not recogni[sz]ed|forbidden"
    r"|not a valid (?:field|param|parameter)|not (?:yet )?implemented|unknown|deprecated)"
)
_FIELD = r"(?:field|param|parameter|property|properties|key|argument|member|input)"

WORDINGS: tuple[Wording, ...] = (
    Wording(
        120,
        _CHAT,
        words(
            r"(?:[`'\"](?P<at>[\w.\[\]-]{1,120})[`'\"]\s*:\s*)?property [`'\"](?P<name>[^`'\"]{1,120})[`'\"] (?:is )?"
            + _NOT_TAKEN
        ),
        _left_out,
        "Groq, Cerebras (wrong_api_format)",
    ),
    Wording(
        121,
        _CHAT,
        words(r"'extra_forbidden'.{0,20}?'loc':\s*[\[(](?P<name>[^\])]{1,200})[\])]"),
        _listed,
        "Mistral (422); vLLM, as Python writes it",
    ),
    Wording(
        122,
        _CHAT,
        words(
            _START + r"(?P<name>[\w.\[\]$-]{1,200}):? extra inputs are not permitted"
        ),
        _left_out,
        "FastAPI servers, Claude",
    ),
    Wording(
        123,
        _CHAT,
        words(r"extra inputs are not permitted, field: " + _NAME),
        _left_out,
        "Fireworks",
    ),
    Wording(
        124,
        _CHAT,
        words(
            r"unknown name \\?[`'\"](?P<name>[\w$.-]{1,120})\\?[`'\"](?: at [`'\"](?P<at>[^`'\"]{0,200})[`'\"])?"
        ),
        _left_out,
        "Gemini's OpenAI path",
    ),
    Wording(
        125,
        _CHAT,
        words(r"unsupported parameter\(s\):\s*(?P<names>[^\n:;()]{1,300})"),
        _left_out,
        "NVIDIA NIM",
    ),
    Wording(
        126,
        _CHAT,
        words(
            r"unrecognized request arguments? supplied:\s*(?P<names>[^\n:;()]{1,200})"
        ),
        _left_out,
        "OpenAI",
    ),
    Wording(
        127,
        _CHAT,
        words(
            r"unrecognized key(?:s|\(s\))?(?: in object)?:\s*(?P<names>[^\n:;()]{1,200})"
        ),
        _left_out,
        "servers that check with zod",
    ),
    Wording(
        133,
        _CHAT,
        words(
            r"(?:additional|unevaluated) properties are not allowed \((?P<names>[^()\n]{1,300}?) (?:was|were) unexpected\)"
        ),
        _left_out,
        "servers that check a JSON schema in Python",
    ),
    Wording(
        137,
        _CHAT,
        words(
            r"(?<![\w./\[\]-])(?P<at>[\w./\[\]-]{1,120})[`'\"]? must not have additional properties"
        ),
        partial(extras_at, lessons.SHAPE),
        "servers that check a JSON schema in JavaScript",
    ),
    Wording(
        134,
        _CHAT,
        words(r"extra inputs are not permitted: " + _NAME),
        _left_out,
        "several",
    ),
    Wording(
        135,
        _CHAT,
        words(
            r"(?:argument|parameter|field)s? not supported(?: (?:on|by|for|with) this model)?: (?P<names>[^\n:;()]{1,300})"
        ),
        _left_out,
        "xAI",
    ),
    Wording(
        136,
        _CHAT,
        words(
            rf"(?<![\w.\[\]-])(?P<name>[a-z]+(?:[_.][a-z]+)+) (?:is|are) {_NOT_TAKEN}"
        ),
        _left_out,
        "several, without quotes",
    ),
    Wording(
        128,
        _CHAT,
        words(
            rf"(?:unknown|unrecogni[sz]ed|unsupported|unexpected|invalid|extra|additional|disallowed)(?: (?:request|keyword|body|input))? {_FIELD}s?\b\W{{0,4}}{_NAME}"
        ),
        _left_out,
        "OpenAI, Rust and Python servers",
    ),
    Wording(
        129,
        _CHAT,
        words(rf"{_FIELD} {_NAME} (?:is|are|was) {_NOT_TAKEN}"),
        _left_out,
        "several",
    ),
    Wording(
        130,
        _CHAT,
        words(
            rf"[`'\"](?P<name>[\w.\[\]$-]{{1,120}})[`'\"](?: (?:parameter|field|option))? (?:is|are|was) {_NOT_TAKEN}"
        ),
        _left_out,
        "Claude behind chat endpoints, several",
    ),
    Wording(
        131,
        _CHAT,
        words(rf"does not support (?:the )?(?:{_FIELD}s? )?{_NAME}"),
        _left_out,
        "several",
    ),
    Wording(
        138,
        _CHAT,
        words(
            rf"(?:could not find member|(?:unsupported|unknown) attribute|(?:invalid|extraneous) (?:key|keyword|element)):? \W{{0,2}}{_NAME}"
            r"|(?P<at>)"
            + _START
            + r"(?P<names>[\w.\[\]$-]{1,120}):? is not defined in the schema"
        ),
        _left_out,
        ".NET and Java servers",
    ),
    Wording(
        132,
        _CHAT,
        words(
            r"unsupported|not supported|unrecogni[sz]ed|unknown|unexpected|extra|not permitted|not allowed|forbidden|not compatible|additional propert"
        ),
        lessons.named_somewhere,
        "whoever refuses what the gateway itself puts in, in words of its own",
    ),
    Wording(
        139,
        _CHAT,
        words(r"stream_?options"),
        lessons.asked_for_usage,
        "whoever refuses what the gateway itself puts in, in any language",
    ),
    Wording(
        140,
        _CHAT,
        words(r"\S"),
        partial(extras_named, lessons.SHAPE),
        "whoever names what another provider wrote, in words of its own or any language",
    ),
)
