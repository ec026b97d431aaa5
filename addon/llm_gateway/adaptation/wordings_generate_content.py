"""Wordings of refusals of Google's generateContent: Gemini's generations, Gemma, Vertex.

Read 2026-11-28 in Google's pages and in threads of clients; none was asked live. What a
function of a row needs of the body is in `generate_content_lessons.py`.
"""

from llm_gateway.adaptation import chat_lessons
from llm_gateway.adaptation import generate_content_lessons as lessons
from llm_gateway.adaptation.wording import ELSEWHERE, Wording, rows_of
from llm_gateway.domain import Dialect

_Q = r"[`'\"]?"
"""A quote, or none."""
_NOT = r"(?:is not (?:enabled|supported|allowed)|(?:is )?unsupported)"
_row = rows_of(Dialect("generateContent"))


_MEMBERS = (
    _row(
        600,
        r"unknown name \\?[`'\"](?P<name>[\w$.-]{1,120})\\?[`'\"](?: at [`'\"](?P<at>[^`'\"]{0,200})[`'\"])?",
        lessons.unknown_name,
        "Google, Vertex (`id` of calls); gemini-cli, pi",
    ),
)

_SAMPLING = (
    _row(
        605,
        rf"penalty {_NOT}",
        lessons.penalties,
        "Gemini from 2.5 on; ai.google.dev",
    ),
    _row(
        606,
        rf"{_Q}(?P<name>temperature|top_?[pk]|seed|(?:presence|frequency)_?penalty){_Q}(?: parameter)? {_NOT}",
        lessons.sampling,
        "Gemini from 3.6 on; ai.google.dev, whats-new-gemini-3.6",
    ),
    *(
        _row(
            number + 580,
            pattern,
            lessons.most_output,
            source,
            frozenset({400, 413, 422}),
        )
        for number, source, pattern in chat_lessons.LARGEST_OUTPUT
    ),
)

_THINKING = (
    _row(
        620,
        rf"thinking level (?P<level>minimal|low|medium|high|xhigh) {_NOT}",
        lessons.not_this_level,
        "Gemini 3; ai.google.dev, thinking",
    ),
    _row(
        621,
        rf"thinking[ _]?level {_NOT}",
        lessons.no_levels,
        "Gemini 2.5; ai.google.dev, thinking",
    ),
    _row(
        622,
        r"budget -?\d+ is invalid\W.{0,40}between (?P<least>\d{1,6}) and (?P<most>\d{1,6})",
        lessons.budget_range,
        "Gemini 2.5 and later",
    ),
    _row(
        623,
        r"budget 0 is invalid|only works in thinking mode",
        lessons.always_on,
        "Gemini 2.5 Pro and later",
    ),
    _row(
        624,
        rf"thinking[ _]?budget {_NOT}",
        lessons.no_budget,
        "models that know levels alone",
    ),
    _row(
        625,
        rf"thinking(?:[ _]?config)? {_NOT}|does not support thinking\b",
        lessons.no_thinking,
        "Gemini 2.0, Gemma; gemini-cli",
    ),
)

_HISTORY = (
    _row(
        630,
        r"missing a [`'\"]?thought_signature",
        lessons.signature_missing,
        "Gemini 3 and later; ai.google.dev, thought-signatures",
    ),
    _row(
        631,
        r"(?:corrupted|invalid) thought[ _]signature|thought[ _]signature is not valid",
        lessons.signature_strange,
        "Gemini; pi, gemini-cli",
    ),
    _row(
        632,
        r"requests ending with a model turn",
        lessons.prefill,
        "Gemini from 3.6 on",
    ),
    _row(
        633,
        r"function response parts is equal to the number of function call parts|function call turn comes immediately after a user turn|function response turn comes immediately after a function call turn",
        lessons.apart,
        "Gemini, Vertex; gemini-cli",
    ),
    _row(
        634,
        rf"(?:developer instruction|system[ _]?instruction) {_NOT}",
        lessons.no_system,
        "Gemma",
    ),
)

_TOOLS = (
    _row(
        640,
        rf"function calling with a response mime type\W.{{0,40}}{_NOT}",
        lessons.no_json_beside_tools,
        "Gemini before 3",
    ),
    _row(
        641,
        rf"(?<!with.)function calling {_NOT}|does not support function calling|tool use {_NOT}",
        lessons.no_tools,
        "Gemma, image models",
        ELSEWHERE,
    ),
    _row(
        642,
        r"tool use with function calling|built-in tools .{0,80}function calling cannot be combined|multiple tools are supported only when they are all search tools|cannot be combined with function",
        lessons.served_alone,
        "Gemini before 3, Vertex; gemini-cli",
    ),
    _row(
        643,
        r"should be non-empty for object type",
        lessons.bare_parameters,
        "Gemini; ai.google.dev, function calling",
    ),
)

WORDINGS: tuple[Wording, ...] = (
    *_MEMBERS,
    *_HISTORY,
    *_TOOLS,
    *_THINKING,
    *_SAMPLING,
)
