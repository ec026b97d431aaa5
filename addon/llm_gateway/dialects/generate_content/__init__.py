"""Google's generateContent: Gemini's own API, streamed as events or as a JSON array.

    POST …/models/NAME:generateContent         an answer
    POST …/models/NAME:streamGenerateContent   its events: `?alt=sse`, else a JSON array
    POST …/models/NAME:countTokens             takes none
    GET  …/v1beta/models[/NAME]                what can be asked

The path names the model and says whether the answer streams; members may be spelled
`systemInstruction` or `system_instruction`, as every JSON of a protocol buffer.
"""

import re

from llm_gateway.dialects.extras import PlacedExtras
from llm_gateway.dialects.generate_content.adapter import adapt, may_have_marks
from llm_gateway.dialects.generate_content.answer import (
    STREAM_END,
    broke_off,
    has_content,
    holds_answer,
    is_last,
)
from llm_gateway.dialects.generate_content.codecs import CODECS
from llm_gateway.dialects.generate_content.errors import (
    error_body,
    quota_body,
    stream_error,
)
from llm_gateway.dialects.generate_content.kept import (
    GenerateContentStream,
    history_calls,
    read_plain,
)
from llm_gateway.dialects.generate_content.members import camel
from llm_gateway.dialects.generate_content.model_list import model_entry, model_page
from llm_gateway.dialects.generate_content.request import (
    read_conversation,
    read_extras,
    read_path,
    read_settings,
)
from llm_gateway.dialects.generate_content.usage import (
    find_usage,
    read_classes,
    read_usage,
)
from llm_gateway.dialects.resources import IdMembers, Resource
from llm_gateway.dialects.spec import (
    Action,
    DialectSpec,
    ModelLists,
    ModelPlace,
    Unrouted,
)
from llm_gateway.dialects.stream_patterns import open_strings, strings
from llm_gateway.domain import Dialect

TEXT = ("text",)
"""Members of events that hold text."""

_VERSIONS = frozenset({"v1beta", "v1alpha"})
_GIVEN_ONCE = frozenset(
    {
        *("systemInstruction", "generationConfig", "generateContentRequest"),
        *("cachedContent", "maxOutputTokens", "candidateCount", "responseModalities"),
        *("thinkingConfig", "thinkingBudget"),
    }
)
_PRIVATE = Unrouted(
    re.compile(r"(?:/[^/]+)*/v1internal:.*", re.IGNORECASE),
    "is not routed here: it is private to apps that are signed in with Google. Give the app "
    "an API key, and it asks /v1beta/models/NAME:generateContent.",
)
_UNROUTED = Unrouted(
    re.compile(
        r".*:(?:embedContent|batchEmbedContents|asyncBatchEmbedContent"
        r"|batchGenerateContent|batchEmbedText|embedText|generateMessage|generateText"
        r"|countMessageTokens|countTextTokens|computeTokens|generateAnswer|predict"
        r"|predictLongRunning|fetchPredictOperation|rawPredict|streamRawPredict"
        r"|serverStreamingPredict|bidiGenerateContent)"
        # what Google's own versions of the path have, but for the list of models
        r"|(?:/(?:resumable/)?(?:upload|download))?/v1(?:beta|alpha)\d*"
        r"/(?!models(?:/[^:]*)?\Z|openai/"
        r"|.*:(?:generateContent|streamGenerateContent|countTokens)\Z).*"
        r"|/ws/google\.(?:ai\.generativelanguage|cloud\.aiplatform)\..*",
        re.IGNORECASE,
    ),
    "is not routed here: of Google's API only generateContent, streamGenerateContent, "
    "countTokens, cachedContents and the list of models are. Embeddings are routed as "
    "OpenAI's /v1/embeddings; for files, batches and live sessions ask Google itself.",
)

GENERATE_CONTENT = DialectSpec(
    name=Dialect("generateContent"),
    endpoint="Google's /v1beta/models/NAME:generateContent",
    apps=("Gemini CLI", "google-genai", "LangChain's and AI SDK's Google classes"),
    ends=(":generateContent", ":streamGenerateContent"),
    free_paths={":countTokens": ":countTokens"},
    count_answer=lambda tokens: b'{"totalTokens": %d}' % tokens,
    unrouted=(_PRIVATE, _UNROUTED),
    foreign_path=_PRIVATE.paths,
    key_headers=("x-goog-api-key",),
    key_parameter="key",
    path="/models/{model}:{action}",
    actions=(Action("generateContent"), Action("streamGenerateContent", "alt=sse")),
    array_unless="alt=sse",
    model_place=ModelPlace.PATH,
    other_collections=("tunedModels/",),
    model_repeated=(
        "generateContentRequest.model",
        "generate_content_request.model",
    ),
    model_lists=ModelLists(
        versions=frozenset({"v1beta", "v1alpha"}),
        header="x-goog-api-key",
        page=model_page,
        entry=model_entry,
    ),
    read_path=read_path,
    read_conversation=read_conversation,
    read_settings=read_settings,
    counts=(),
    output_limits=(
        "generationConfig.maxOutputTokens",
        "generation_config.max_output_tokens",
        "generationConfig.max_output_tokens",
        "generation_config.maxOutputTokens",
    ),
    schemas=frozenset({"tools", "generationConfig", "generation_config"}),
    one_name=camel,
    given_once=_GIVEN_ONCE,
    placed_extras=PlacedExtras(
        frozenset({"generationConfig", "generation_config"}), read_extras
    ),
    example={"contents": [{"role": "user", "parts": [{"text": "Hello!"}]}]},
    adapt=adapt,
    needs_look=may_have_marks,
    event_has_content=has_content,
    broke_off=broke_off,
    holds_answer=holds_answer,
    stream_end=STREAM_END,
    stream_text=strings(*TEXT),
    open_text=open_strings(*TEXT),
    content_member="candidates",
    model_member="modelVersion",
    observe=GenerateContentStream,
    read_plain=read_plain,
    history_member="contents",
    history_calls=history_calls,
    usage_key=b'"usageMetadata"',
    usage_object=re.compile(rb'"usageMetadata"\s*:\s*\{'),
    find_usage=find_usage,
    read_usage=read_usage,
    usage_whole=is_last,
    read_classes=read_classes,
    resources=(
        Resource(
            "cachedContents",
            "cache",
            versions=_VERSIONS,
            bills=True,
            id_member="name",
            model_member="model",
        ),
        Resource(
            "files",
            "file",
            header="x-goog-api-key",
            versions=_VERSIONS,
            id_member="name",
            is_made=False,
        ),
    ),
    id_members=IdMembers(
        {"cachedContent": "cache", "cached_content": "cache"},
        {"fileUri": "file", "file_uri": "file"},
        (b"files/",),
    ),
    codecs=CODECS,
    error_body=error_body,
    quota_body=quota_body,
    stream_error=stream_error,
)
