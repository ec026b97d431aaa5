"""A dialect that exists nowhere: a folder and a row, as somebody would add the next one.

It names the model and whether it streams in the path, nests its output limit and what is
paid for, spells members in two ways, streams an array unless it is told otherwise, and has
usage, ends, errors and a header for keys of its own.

    POST …/parleys/MODEL:talk          {"utterances": [{"who", "words"}], "ceiling": {"words": 50}}
    -> {"speaker": MODEL, "spoken": [{"words"}], "tolls": {"heard": 7, "said": 3}}
    POST …/parleys/MODEL:talkOn        the same -> an array: hello, words …, bye with the tolls
    POST …/parleys/MODEL:talkOn?as=events         the same as events
    POST …/parleys/MODEL:sing          is not routed
    errors                             {"oops": {"status", "sort", "why"}}
"""

import re

from llm_gateway.dialects.extras import PlacedExtras
from llm_gateway.dialects.spec import (
    Action,
    DialectSpec,
    ModelPlace,
    StreamEnd,
    Unrouted,
)
from llm_gateway.dialects.stream_patterns import open_strings, strings
from llm_gateway.domain import Dialect

from .answer import failed, has_content, is_last
from .errors import error_body, stream_error
from .request import read_conversation, read_extras, read_path, read_settings
from .usage import find_usage, read_usage

PARLEY = DialectSpec(
    name=Dialect("parley"),
    endpoint="the test's /v1/parleys",
    ends=(":talk", ":talkOn"),
    free_paths={":weigh": ":weigh"},
    unrouted=(
        Unrouted(re.compile(".*:sing"), "is not routed here: parleys are spoken."),
    ),
    key_headers=("x-parley-key",),
    path="/parleys/{model}:{action}",
    actions=(Action("talk"), Action("talkOn", "as=events")),
    array_unless="as=events",
    model_place=ModelPlace.PATH,
    model_repeated=("about.model",),
    read_path=read_path,
    read_conversation=read_conversation,
    read_settings=read_settings,
    counts=(),
    output_limits=("ceiling.words", "CEILING.words"),
    one_name=str.lower,
    placed_extras=PlacedExtras(frozenset({"extras"}), read_extras),
    forwards=frozenset({b"x-parley-mood"}),
    headers=((b"x-parley-version", b"7"),),
    example={"utterances": [{"who": "me", "words": "Hello!"}]},
    event_has_content=has_content,
    event_failed=failed,
    failure_hint=re.compile(b"oops"),
    answer_failed=failed,
    stream_end=StreamEnd(re.compile(b'"bye"').search, is_last),
    stream_text=strings("words"),
    open_text=open_strings("words"),
    content_member="spoken",
    model_member="speaker",
    usage_key=b'"tolls"',
    usage_object=re.compile(rb'"tolls"\s*:\s*\{'),
    find_usage=find_usage,
    read_usage=read_usage,
    error_body=error_body,
    stream_error=stream_error,
)
