"""A dialect that exists nowhere: a folder and a row, as somebody would add the next one.

Unlike all built-in ones it names the model and whether it streams in the path, nests its
output limit, and has members, usage, ends and errors of its own.

    POST …/parleys/MODEL:talk          {"utterances": [{"who", "words"}], "ceiling": {"words": 50}}
    -> {"speaker": MODEL, "spoken": [{"words"}], "tolls": {"heard": 7, "said": 3}}
    POST …/parleys/MODEL:talkOn        the same -> events: hello, words …, bye with the tolls
    errors                             {"oops": {"status", "sort", "why"}}
"""

import re

from llm_gateway.dialects.spec import Action, DialectSpec, ModelPlace, StreamEnd
from llm_gateway.dialects.stream_patterns import open_strings, strings
from llm_gateway.domain import Dialect

from .answer import failed, has_content, is_last
from .errors import error_body, stream_error
from .request import read_conversation, read_path, read_settings
from .usage import find_usage, read_usage

PARLEY = DialectSpec(
    name=Dialect("parley"),
    endpoint="the test's /v1/parleys",
    ends=(":talk", ":talkOn"),
    free_paths={":weigh": ":weigh"},
    path="/parleys/{model}:{action}",
    actions=(Action("talk"), Action("talkOn", "as=events")),
    model_place=ModelPlace.PATH,
    read_path=read_path,
    read_conversation=read_conversation,
    read_settings=read_settings,
    counts=(),
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
