"""Each wording teaches the quirk that it should, with other names and numbers in it, too."""

import json
from typing import Any

import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from tables import each_row

from llm_gateway.adaptation.kept_state import nothing_kept
from llm_gateway.adaptation.vocabulary import MOST, NO_QUIRKS, Quirks
from llm_gateway.adaptation.wordings import WORDINGS, learn, wording
from llm_gateway.dialects import ProviderError, read_error
from llm_gateway.dialects.chat import CHAT
from llm_gateway.dialects.chat.adapter import adapt

CALL = {
    "id": "call_1",
    "type": "function",
    "index": 0,
    "extra_content": {"google": {"thought_signature": "x"}},
    "function": {"name": "add", "arguments": "{}", "parsed_arguments": None},
}
SENT: dict[str, Any] = {
    "model": "m",
    "messages": [
        {"role": "system", "content": "s"},
        {"role": "user", "content": [{"type": "text", "text": "a"}], "name": "Ann"},
        {
            "role": "assistant",
            "content": None,
            "reasoning_content": "hm",
            "reasoning": "hm",
            "channel": "analysis",
            "refusal": None,
            "copilotMessageSource": "x",
            "made_up": 1,
            "tool_calls": [CALL],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "1", "made_up": 2},
    ],
    "tools": [
        {
            "type": "function",
            "function": {
                "name": "add",
                "strict": True,
                "parameters": {
                    "$schema": "x",
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {"a": {"type": "integer", "exclusiveMinimum": 0}},
                },
            },
        }
    ],
    "temperature": 0.2,
    "top_p": 0.9,
    "frequency_penalty": 0.5,
    "reasoning_effort": "high",
    "max_tokens": 100_000,
    "store": True,
    "stop": ["a"],
    "seed": 1,
    "parallel_tool_calls": False,
    "stream_options": {"include_usage": True},
    "prompt_cache_key": "k" * 80,
    "tool_choice": {"type": "function", "function": {"name": "add"}},
    "made_up": 3,
}
BAD = {**CALL, "id": "call-2!", "function": {"name": "add", "arguments": "{"}}
BARE = {k: v for k, v in CALL.items() if k != "extra_content"}
RICH: dict[str, Any] = {
    **SENT,
    "messages": [
        {"role": "system", "content": "s"},
        {"role": "system", "content": "t"},
        {"role": "user", "content": "a"},
        {"role": "user", "content": "b"},
        {"role": "assistant", "content": "", "tool_calls": [BARE, BAD]},
        {"role": "tool", "tool_call_id": "call_1", "content": "1"},
        {"role": "tool", "tool_call_id": "call-2!", "content": "2"},
        {"role": "tool", "tool_call_id": "nobody's", "content": "3"},
        {"role": "user", "content": "c"},
        {"role": "system", "content": "u"},
    ],
    "tools": [
        *SENT["tools"],
        {
            "type": "function",
            "function": {
                "name": "sub",
                "parameters": {"anyOf": [{"type": "object"}], "type": "object"},
            },
        },
        {"type": "function", "function": {"name": "now"}},
    ],
    "max_tokens": 100_000,
    "response_format": {"type": "json_object"},
    "reasoning_effort": "low",
}
"""Everything at once that some provider refuses."""
FRONT = {"model": "m", "messages": RICH["messages"][:3]}
LONG = {"model": "m", "messages": [{"role": "assistant", "content": "", "tool_calls": [{**CALL, "id": "c" * 41}]}]}  # fmt: skip
PLAIN = {k: v for k, v in SENT.items() if k != "reasoning_effort"}
NO_EFFORT = {**SENT, "reasoning_effort": "none"}
IMAGE = {"model": "m", "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:"}}]}]}  # fmt: skip
PREFILL = {"model": "m", "messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}  # fmt: skip
EMPTY = {"model": "m", "messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": ""}]}  # fmt: skip
DEVELOPER = {"model": "m", "messages": [{"role": "developer", "content": "s"}, {"role": "user", "content": "a"}]}  # fmt: skip
SYSTEM = {"model": "m", "messages": [{"role": "system", "content": "s"}]}
STRINGS = {"model": "m", "messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": None, "tool_calls": [CALL]}]}  # fmt: skip
CACHED = {"model": "m", "messages": [{"role": "user", "content": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]}]}  # fmt: skip
CHOICE_NONE = {**SENT, "tool_choice": "none"}
SMALL = {**SENT, "max_tokens": 1}
KIND = "message:*"


def detail(*loc: object) -> object:
    one = {
        "type": "extra_forbidden",
        "loc": loc,
        "msg": "Extra inputs are not permitted",
    }
    return {
        "object": "error",
        "message": {"detail": [one]},
        "type": "invalid_request_error",
    }


def fastapi(*loc: object) -> object:
    return {"detail": [{"type": "extra_forbidden", "loc": loc, "msg": "Extra inputs are not permitted"}]}  # fmt: skip


CLOUDFLARE = "AiError: Bad input: Error: oneOf at '/' not met, 0 matches: required properties at '/' are 'prompt', {} (d9e0)"
GROQ = "'messages.{0}' : for 'role:assistant' the following must be satisfied[('messages.{0}' : property '{1}' is unsupported)]"

LESSONS: list[tuple[Any, tuple[str, ...]]] = [
    # Members of messages: one teaches its kind
    (GROQ.format(1, "reasoning_content"), ("message:reasoning_content", KIND)),
    (GROQ.format(7, "channel"), ("message:channel", KIND)),
    (GROQ.format(2, "copilotMessageSource"), ("message:copilotMessageSource", KIND)),
    ("property 'copilotMessageSource' is unsupported", ("message:copilotMessageSource", KIND)),
    (GROQ.format(2, "made_up"), ("message:made_up", KIND)),  # by an assistant: no client's
    ("'messages.1' : property 'name' is unsupported", ("message:name",)),
    ({"message": "body.messages.2.reasoning_content : property 'body.messages.2.reasoning_content' is unsupported", "code": "wrong_api_format", "param": "validation_error"}, ("message:reasoning_content", KIND)),
    (detail("body", "messages", 2, "assistant", "reasoning_content"), ("message:reasoning_content", KIND)),
    (detail("body", "messages", 2, "assistant", "refusal"), ("message:refusal", KIND)),
    (fastapi("body", "messages", 2, "AssistantMessage", "channel"), ("message:channel", KIND)),
    ("Unknown parameter: 'messages[2].reasoning'.", ("message:reasoning", KIND)),
    ([{"error": {"code": 400, "message": "Invalid JSON payload received. Unknown name \"refusal\" at 'messages[2]': Cannot find field.", "status": "INVALID_ARGUMENT"}}], ("message:refusal", KIND)),
    ("messages.2.reasoning_content: Extra inputs are not permitted", ("message:reasoning_content", KIND)),
    ("Extra inputs are not permitted, field: 'messages[2].reasoning_content', value: 'hm'", ("message:reasoning_content", KIND)),
    ("Additional properties are not allowed ('reasoning_content' was unexpected)", ("message:reasoning_content", KIND)),
    ("Additional properties are not allowed ('channel', 'refusal' were unexpected) - 'messages.2'", ("message:channel", KIND, "message:refusal")),
    ("Extra inputs are not permitted: messages.2.reasoning_content", ("message:reasoning_content", KIND)),
    # … of calls
    ("Unknown parameter: 'messages[2].tool_calls[0].extra_content'.", ("call:extra_content", "call:*")),
    ("'messages.2.tool_calls.0' : property 'index' is unsupported", ("call:index", "call:*")),
    (detail("body", "messages", 2, "assistant", "tool_calls", 0, "extra_content"), ("call:extra_content", "call:*")),
    ("property 'extra_content' is unsupported", ("call:extra_content", "call:*")),
    ("Unknown parameter: 'messages[2].tool_calls[0].function.parsed_arguments'.", ("call:parsed_arguments", "call:*")),
    # … of something inside them: all of it goes
    ("messages.2.tool_calls.0.extra_content.google.thought_signature: Extra inputs are not permitted", ("call:extra_content", "call:*")),
    ("Invalid JSON payload received. Unknown name \"google\" at 'messages[2].tool_calls[0].extra_content': Cannot find field.", ("call:extra_content", "call:*")),
    ((400, "messages.0.content.0.text.cache_control.ephemeral.ttl: Extra inputs are not permitted", CACHED), ("part:cache_control",)),
    # … of tools and their schemas
    ("Unknown parameter: 'tools[0].function.strict'.", ("tool:strict",)),
    (fastapi("body", "tools", 0, "function", "strict"), ("tool:strict",)),
    ("Invalid JSON payload received. Unknown name \"$schema\" at 'tools[0].function_declarations[0].parameters': Cannot find field.", ("schema:$schema",)),
    ("Invalid JSON payload received. Unknown name \"exclusiveMinimum\" at 'tools[0].function_declarations[0].parameters.properties[0].value': Cannot find field.", ("schema:exclusiveMinimum",)),
    # … of the top
    ("Additional properties are not allowed ('store' was unexpected)", ("member:store",)),
    ("Argument not supported on this model: store", ("member:store",)),
    ("parallel_tool_calls is not supported by this model", ("member:parallel_tool_calls",)),
    ((400, "presence_penalty is not supported", {**PLAIN, "presence_penalty": 1}), ("sampling:presence_penalty",)),
    ("messages[1].content: expected string, received array", ("content:text", "content:null")),
    ((400, "Last message must have role `user` or `tool`.", PREFILL), ("role:last=user",)),
    # Ids and contents in other words
    ("Tool call IDs should be alphanumeric strings with length 9!", ("id:call=[a-zA-Z0-9]{9}",)),
    ((500, "Tool call ids must be alphanumeric strings of length 12", SENT), ("id:call=[a-zA-Z0-9]{12}",)),
    ((400, "Input should be a valid string, field: 'messages[1].content', value: None", STRINGS), ("content:null",)),
    ((400, "A conversation must alternate between user and assistant roles.", RICH), ("role:same=merged",)),
    ("Unrecognized request argument supplied: stream_options", ("member:stream_options",)),
    ("Unrecognized request arguments supplied: store, seed", ("member:store", "member:seed")),
    ("unknown field `stream_options`, expected one of `model`, `messages`", ("member:stream_options",)),
    ({"message": "parameter stream_options is not a valid field"}, ("member:stream_options",)),
    (detail("body", "store"), ("member:store",)),
    (fastapi("body", "stream_options"), ("member:stream_options",)),
    ({"title": "Bad Request", "detail": "Validation: Unsupported parameter(s): `reasoning_effort`, `store`"}, ("member:reasoning_effort", "member:store")),
    ("Unsupported parameter: 'parallel_tool_calls' is not supported with this model.", ("member:parallel_tool_calls",)),
    ("Unsupported parameter: 'stop' is not supported with this model.", ("member:stop",)),
    ("property 'seed' is unsupported", ("member:seed",)),
    ("Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.", ("rename:max_tokens=max_completion_tokens",)),
    # Sampling
    ("Unsupported value: 'temperature' does not support 0.1 with this model. Only the default (1) value is supported.", ("sampling:temperature=1",)),
    ("Unsupported value: 'top_p' does not support 0.9 with this model. Only the default (0.95) value is supported.", ("sampling:top_p=0.95",)),
    ("invalid temperature: only 1 is allowed for this model", ("sampling:temperature=1",)),
    ("invalid temperature: only 0.6 is allowed for this model", ("sampling:temperature=0.6",)),
    ("Unsupported parameter: 'top_p' is not supported with this model.", ("sampling:top_p=no_effort",)),
    ((400, "`temperature` is deprecated for this model.", PLAIN), ("sampling:temperature",)),
    ("`temperature` and `top_p` cannot both be specified for this model. Please use only one.", ("sampling:top_p=alone",)),
    ("Penalty is not enabled for this model", ("sampling:frequency_penalty",)),
    # Response format
    ((400, "This response_format type is unavailable now", {"messages": [], "response_format": {"type": "json_schema", "json_schema": {"schema": {}}}}), ("format:json_schema=json_object",)),
    # Effort
    ("Unsupported value: 'reasoning_effort' does not support 'high' with this model. Supported values are: 'medium'.", ("effort:allowed=medium",)),
    ((400, {"error": {"message": "Unsupported value: 'none' is not supported with the 'x' model. Supported values are: 'low', 'medium', and 'high'.", "param": "reasoning_effort", "code": "unsupported_value"}}, NO_EFFORT), ("effort:allowed=low,medium,high",)),
    ("`reasoning_effort` must be one of `none` or `default`", ("effort:allowed=none,default",)),
    ("This model does not support effort level 'high'.", ("effort:allowed=none,minimal,low,medium,xhigh,max",)),
    # Limits
    ("max_tokens is too large: 100000. This model supports at most 16384 completion tokens, whereas you provided 100000.", ("limit:max_tokens<=16384",)),
    ("`max_tokens` must be less than or equal to `32768`, the maximum value for this model", ("limit:max_tokens<=32768",)),
    ("Range of max_tokens should be [1, 8192]", ("limit:max_tokens<=8192",)),
    ("Invalid max_tokens value, the valid range of max_tokens is [1, 4096]", ("limit:max_tokens<=4096",)),
    ("max_tokens: 100000 > 64000, which is the maximum allowed number of output tokens for claude-x", ("limit:max_tokens<=64000",)),
    ("Unable to submit request because it has a maxOutputTokens value of 100000 but the supported range is from 1 (inclusive) to 65537 (exclusive).", ("limit:max_tokens<=65536",)),
    ((400, "Requests with max_tokens > 4096 must have stream=true", RICH), ("limit:plain_max_tokens<=4096",)),
    ((400, "Invalid 'max_tokens': integer below minimum value. Expected a value >= 16, but got 1 instead.", SMALL), ("limit:max_tokens>=16",)),
    ("Invalid 'prompt_cache_key': string too long. Expected a string with maximum length 64, but got a string with length 80 instead.", ("limit:prompt_cache_key<=64",)),
    # Ids
    ({"object": "error", "message": "Tool call id was call_1 but must be a-z, A-Z, 0-9, with a length of 9.", "code": "3280"}, ("id:call=[a-zA-Z0-9]{9}",)),
    ({"object": "error", "message": "Tool call id was call_1 but must be a-z, A-Z, 0-9, with a length of 12.", "code": "3280"}, ("id:call=[a-zA-Z0-9]{12}",)),
    ((400, "Invalid 'messages[2].tool_calls[0].id': string too long. Expected a string with maximum length 40, but got a string with length 41 instead.", LONG), ("id:call=[a-zA-Z0-9_-]{1,40}",)),
    ((400, "messages.1.content.0.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'", RICH), ("id:call=[a-zA-Z0-9_-]+",)),
    # Thoughts and signatures
    ((400, "The reasoning_content in the thinking mode must be passed back to the API.", RICH), ("reasoning:wanted=reasoning_content",)),
    ((400, "The `reasoning_details` in the thinking mode must be passed back to the API.", RICH), ("reasoning:wanted=reasoning_details",)),
    ((400, "thinking is enabled but reasoning_content is missing in assistant tool call message at index 12", RICH), ("reasoning:wanted=reasoning_content",)),
    ((400, [{"error": {"code": 400, "message": "Function call is missing a thought_signature in functionCall parts. This is required for tools to work correctly. Additional data, function call `default_api:add` , position 9.", "status": "INVALID_ARGUMENT"}}], RICH), ("signature:google",)),
    ([{"error": {"code": 400, "message": "Corrupted thought signature."}}], ("signature:google=ours",)),
    # Tools
    ("Thinking mode does not support this tool_choice", ("thinking:off=forced_tool", "thinking:form=type")),
    ("tool_choice 'specified' is incompatible with thinking enabled", ("thinking:off=forced_tool", "thinking:form=type")),
    ("The tool_choice parameter does not support being set to required or object in thinking mode", ("thinking:off=forced_tool", "thinking:form=enable_thinking")),
    ("Tool choice must be auto", ("tool_choice:forced=auto",)),
    ((400, "Tool choice must be auto", CHOICE_NONE), ("tool_choice:none=no_tools",)),
    ("deepseek-reasoner does not support this tool_choice", ("tool_choice:forced=auto",)),
    ("Invalid tool_choice type: 'object'. Supported string values: none, auto, required", ("tool_choice:forced=string",)),
    ((400, "invalid params, function parameters is empty (2013)", RICH), ("tools:parameters",)),
    ((400, "Tools with mixed values for 'strict' are not allowed.", RICH), ("tools:one_strict",)),
    ((400, {"title": "Bad Request", "detail": "This model only supports single tool-calls at once!"}, RICH), ("tools:single",)),
    ((500, "This model only supports single tool-calls at once!", RICH), ("tools:single",)),
    ((400, "This model only supports one tool call per assistant message.", RICH), ("tools:single",)),
    ((400, "model m does not support parallel tool calls", RICH), ("tools:single",)),
    ((400, "Parallel function calling is not supported.", {**RICH, "parallel_tool_calls": True}), ("member:parallel_tool_calls",)),
    ("body/messages/2 must NOT have additional properties", ("message:*",)),
    ("/messages/2/tool_calls/0 must NOT have additional properties", ("call:*",)),
    ((400, "Argument not supported on this model: parallelToolCalls", {**RICH, "parallel_tool_calls": True}), ("member:parallel_tool_calls",)),
    ((400, "invalid params, invalid function arguments json string (2013)", RICH), ("tools:arguments",)),
    ((400, "invalid params, tool result's tool id(call_x) not found (2013)", RICH), ("tools:paired",)),
    ((400, "tools.function.parameters is not a valid moonshot flavored json schema, details: <At path 'properties.a': type should be defined in anyOf items instead of the parent schema>", RICH), ("schema:type=beside_anyOf",)),
    # Roles and order
    ((422, "Failed to deserialize the JSON body into the target type: messages[0].role: unknown variant `developer`, expected one of `system`, `user`", DEVELOPER), ("role:developer=system",)),
    ((422, {"detail": [{"loc": ["body", "messages", 0, "role"], "msg": "Input should be 'system', 'user' or 'assistant'", "type": "literal_error"}]}, DEVELOPER), ("role:developer=system",)),
    ((400, {"error": {"message": "Unsupported value: 'messages[0].role' does not support 'developer' with this model.", "param": "messages[0].role", "code": "unsupported_value"}}, DEVELOPER), ("role:developer=system",)),
    ("Unsupported value: 'messages[0].role' does not support 'system' with this model.", ("role:system=user",)),
    ((400, "Unexpected role 'user' after role 'tool'", RICH), ("role:assistant=after_tool",)),
    ((500, "Jinja Exception: System message must be at the beginning.", RICH), ("role:system=first",)),
    ((400, "Unexpected role 'system' after role 'user'", RICH), ("role:system=first",)),
    ((500, "Jinja Exception: After the optional system message, conversation roles must alternate user/assistant/user/assistant/...", RICH), ("role:same=merged",)),
    ((400, "System role not supported", SENT), ("role:system=user",)),
    ((400, "invalid params, invalid chat setting (2013)", RICH), ("role:system=one",)),
    ((400, "This model does not support assistant message prefill. The conversation must end with a user message.", PREFILL), ("role:last=user",)),
    ((400, "Requests ending with a model turn are not supported.", PREFILL), ("role:last=user",)),
    ((400, "Expected last role User or Tool (or Assistant with prefix True) for serving but got assistant", PREFILL), ("role:last=prefix",)),
    ((400, {"error": {"code": "1214", "message": "The messages parameter is illegal. Please check the documentation."}}, SYSTEM), ("role:user=wanted",)),
    # Content
    ((400, {"errors": [{"message": CLOUDFLARE.format("Type mismatch of '/messages/1/content', 'array' not in 'string'"), "code": 5006}], "success": False}, SENT), ("content:text",)),
    ((400, {"errors": [{"message": CLOUDFLARE.format("Type mismatch of '/messages/2/content', 'null' not in 'string'"), "code": 5006}], "success": False}, SENT), ("content:null",)),
    ((400, {"errors": [{"message": CLOUDFLARE.format("required properties at '/messages/2' are 'role,content'"), "code": 5006}], "success": False}, SENT), ("content:null",)),
    ((422, "messages[1].content: invalid type: sequence, expected a string", SENT), ("content:text", "content:null")),
    ((400, "'messages.1.content' : value must be a string", STRINGS), ("content:null",)),
    ((400, "the message at position 1 with role 'assistant' must not be empty", EMPTY), ("content:empty",)),
    ((400, "messages[0]: unknown variant `image_url`, expected `text`", IMAGE), ("content:images",)),
    # Endpoints
    ("Function tools with reasoning_effort are not supported for gpt-5.4 in /v1/chat/completions. Please use /v1/responses instead.", ("endpoint:tools_with_effort=responses",)),
    ((400, "Function tools with reasoning_effort are not supported for gpt-9.7 in /v1/chat/completions. To use function tools, use /v1/responses or set reasoning_effort to 'none'.", PLAIN), ("endpoint:tools_unless_none=responses",)),
    ((400, "Function tools with reasoning_effort are not supported for gpt-6.1-sol in /v1/chat/completions. Please use /v1/responses instead.", NO_EFFORT), ("endpoint:tools=responses",)),
    ((404, "This model is only supported in v1/responses and not in v1/chat/completions.", SENT), ("endpoint:any=responses",)),
    ((404, "This is not a chat model and thus not supported in the v1/chat/completions endpoint. Did you mean to use v1/completions?", SENT), ("endpoint:any=completions",)),
    ({"error": {"message": 'model "gpt-5.4" is not accessible via the /chat/completions endpoint', "code": "unsupported_api_for_model"}}, ("endpoint:any=responses",)),
    ({"error": {"code": "OperationNotSupported", "message": "The chatCompletion operation does not work with the specified model, gpt-5-pro. Please choose different model and try again."}}, ("endpoint:any=responses",)),
    ("The model 'openai.gpt-5.4' does not support the '/v1/chat/completions' API", ("endpoint:any=responses",)),
    ((404, {"error": {"message": "No endpoints found that support tool use. To learn more about provider routing, visit: …", "code": 404}}, SENT), ("endpoint:tools",)),
    ('"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set', ("endpoint:tools",)),
    ("registry.ollama.ai/library/gemma3 does not support tools", ("endpoint:tools",)),
    ((400, "json mode cannot be combined with tool/function calling", RICH), ("endpoint:tools_with_json",)),
    # Thinking
    ("parameter.enable_thinking must be set to false for non-streaming calls", ("thinking:plain=off",)),
    # In the words of frameworks, as they print what they found
    ("1 validation error for ChatRequest\nmessages.2.reasoning_content\n  Extra inputs are not permitted [type=extra_forbidden, input_value='hm', input_type=str]\n    For further information visit https://errors.pydantic.dev/2.9/v/extra_forbidden", ("message:reasoning_content", KIND)),
    ("2 validation errors:\n  {'type': 'extra_forbidden', 'loc': ('body', 'store'), 'msg': 'Extra inputs are not permitted', 'input': True}", ("member:store",)),
    ("Unevaluated properties are not allowed ('channel', 'refusal' were unexpected)", ("message:channel", KIND, "message:refusal")),
    ("Could not find member 'channel' on object of type 'Message'. Path 'messages[2].channel', line 1", ("message:channel", KIND)),
    ("$.messages[7].channel: is not defined in the schema and the schema does not allow additional properties", ("message:channel", KIND)),
    ("#/store: extraneous key [store] is not permitted", ("member:store",)),
    ({"errors": {"messages[2].reasoning_content": ["unknown field"]}, "title": "One or more validation errors occurred.", "status": 400}, ("message:reasoning_content", KIND)),
    ({"success": False, "error": {"name": "ZodError", "issues": [{"code": "unrecognized_keys", "keys": ["store"], "path": [], "message": "Unrecognized key(s) in object: 'store'"}]}}, ("member:store",)),
    ({"detail": [{"type": "extra_forbidden", "loc": ["body", name], "msg": "Extra inputs are not permitted"} for name in ("store", "seed", "stop")]}, ("member:store", "member:seed", "member:stop")),
    ({"fault": {"faultstring": "Unknown parameter: 'store'."}}, ("member:store",)),
    ({"Error": {"Message": "Unknown parameter: 'store'."}}, ("member:store",)),
    # … with escapes of what is written inside something else
    ({"error": {"message": "Provider returned error", "metadata": {"raw": "{\"message\":\"property \\u0027channel\\u0027 is unsupported\"}"}}}, ("message:channel", KIND)),
    ("upstream said {\\\"error\\\": \\\"property \\\\\\\"channel\\\\\\\" is unsupported\\\"}", ("message:channel", KIND)),
    ("<h1>400</h1><p>Unsupported parameter: &#39;store&#39;</p>", ("member:store",)),
    # What other providers wrote, in whatever words
    ("参数错误：messages[2].reasoning_content不支持，请检查", ("message:reasoning_content", KIND)),
    ("Le champ « channel » n'est pas admis dans les messages", ("message:channel", KIND)),
    ("Please take «messages/2/copilotMessageSource» out", ("message:copilotMessageSource", KIND)),
    ("'$.messages[2].toolCalls[0].extraContent' ist hier nicht erlaubt", ("call:extra_content", "call:*")),
    ("reasoning_content must be omitted from earlier turns", ("message:reasoning_content", KIND)),
    ((400, "流式请求的 stream_options 参数无效", {**SENT, "stream": True}), ("member:stream_options",)),
    # Contents, as servers print what they could not read
    ((422, "Failed to deserialize the JSON body into the target type: messages[1]: missing field `content` at line 1 column 99", STRINGS), ("content:null",)),
    ((400, "'content' is a required property - 'messages.1'", STRINGS), ("content:null",)),
    ((400, "json: cannot unmarshal array into Go struct field ChatRequest.messages.content of type string", SENT), ("content:text", "content:null")),
    ((400, "messages.1.content: str type expected", SENT), ("content:text", "content:null")),
    ((400, "Cannot deserialize value of type `java.lang.String` from Array value (token `JsonToken.START_ARRAY`); (through reference chain: Request[\"messages\"]->java.util.ArrayList[1]->Message[\"content\"])", SENT), ("content:text", "content:null")),
    ((400, "The JSON value could not be converted to System.String. Path: $.messages[1].content | LineNumber: 0", SENT), ("content:text", "content:null")),
    ((400, {"error": {"code": "1214", "message": "messages 参数非法。请检查文档。"}}, SYSTEM), ("role:user=wanted",)),
    # The true error stands inside another
    ({"error": {"message": "Provider returned error", "code": 400, "metadata": {"raw": json.dumps({"message": GROQ.format(2, "reasoning_content")})}}}, ("message:reasoning_content", KIND)),
    ({"error": {"message": "Provider returned error", "code": 400, "metadata": {"raw": json.dumps(detail("body", "messages", 2, "assistant", "refusal"))}}}, ("message:refusal", KIND)),
    ((400, {"error": {"message": "Provider returned error", "code": 400, "metadata": {"raw": json.dumps([{"error": {"message": "Function call is missing a thought_signature in functionCall parts."}}])}}}, RICH), ("signature:google",)),
]  # fmt: skip


def taught(
    said: Any, sent: dict[str, Any] = SENT, known: Quirks = NO_QUIRKS, status: int = 400
) -> tuple[str, ...] | None:
    if isinstance(said, tuple):
        status, said, sent = said
    if isinstance(said, str):
        said = {"error": {"message": said, "type": "invalid_request_error"}}
    error = read_error(json.dumps(said).encode())
    lesson = learn(CHAT.name, status, error, sent, known)
    if lesson is None:
        return None
    assert wording(lesson.wording) is not None
    return tuple(map(str, lesson.quirks))


@each_row(("said", "expected"), LESSONS)
def test_a_wording_teaches(said: Any, expected: tuple[str, ...] | None) -> None:
    if expected is not None:
        assert taught(said) == expected


@each_row(("said", "expected"), LESSONS)
def test_what_is_known_already_is_not_taught_again(
    said: Any, expected: tuple[str, ...] | None
) -> None:
    if expected is not None:
        again = taught(said, known=Quirks.parse(*expected)) or ()
        assert not {*again} & {*expected}


@each_row(("said", "expected"), LESSONS)
def test_a_lesson_changes_what_is_sent(
    said: Any, expected: tuple[str, ...] | None
) -> None:
    sent = said[2] if isinstance(said, tuple) else SENT
    adapted = adapt(sent, Quirks.parse(*(expected or ())), nothing_kept)
    assert adapted.unfit or adapted.changes


NOTHING: list[Any] = [
    # What every request needs, and what a call is made of
    *(f"property '{k}' is unsupported" for k in ("model", "messages", "tools")),
    *(f"Unknown parameter: '{k}'." for k in ("input", "contents", "model")),
    *(GROQ.format(2, k) for k in ("role", "content", "tool_calls")),
    "Unknown parameter: 'messages[2].tool_calls[0].function'.",
    "Unknown parameter: 'messages[2].tool_calls[0].id'.",
    "Unknown parameter: 'tools[0].function.parameters'.",
    "Unknown parameter: 'messages[2].tool_calls[0].function.arguments.x'.",
    "Unknown parameter: 'messages[2].role.x'.",
    "tools.0.function.parameters.properties.strict.type: Extra inputs are not permitted",
    "response_format.json_schema.strict: Extra inputs are not permitted",
    "Invalid JSON payload received. Unknown name \"properties\" at 'tools[0].function_declarations[0].parameters': Cannot find field.",
    # The client's own mistakes
    "Unknown parameter: 'made_up'.",
    "'messages.3' : for 'role:tool' the following must be satisfied[('messages.3' : property 'made_up' is unsupported)]",
    "temperature must be between 0 and 2",
    "Invalid type for 'temperature': expected a decimal, but got a string instead.",
    "[] is too short - 'messages'",
    "Invalid type for 'tools': expected an array of objects, but got a string instead.",
    "max_tokens must be at least 1",
    "max_tokens must be less than or equal to 200000",
    "tool_choice is not one of [1, 8192]",
    "max_tokens is too large: 100000. This model supports at most 200000 completion tokens",
    "Invalid 'max_tokens': integer below minimum value. Expected a value >= 1, but got 0 instead.",
    # What did not stand there: a resend would be the same
    GROQ.format(2, "annotations"),
    "Unsupported: user",
    "property 'logprobs' is unsupported",
    "Invalid value: 'xhigh'. Supported values are: 'low', 'medium', and 'high'.",
    # Values that the client chose
    {
        "object": "error",
        "message": {
            "detail": [
                {
                    "type": "float_parsing",
                    "loc": ["body", "temperature"],
                    "msg": "Input should be a valid number, unable to parse string as a number",
                    "input": "hot",
                }
            ]
        },
        "type": "invalid_request_error",
    },
    [
        {
            "error": {
                "code": 400,
                "message": "Invalid value at 'generation_config.temperature' (TYPE_FLOAT), \"hot\"",
                "status": "INVALID_ARGUMENT",
            }
        }
    ],
    {
        "errors": [
            {
                "message": "AiError: Bad input: Error: Type mismatch of '/temperature', 'string' not in 'number'",
                "code": 5006,
            }
        ],
        "success": False,
    },
    {
        "title": "Bad Request",
        "detail": "Validation: temperature must be a number, got 'hot'",
    },
    "Invalid 'messages[0].role': 'foo'. Input should be 'system', 'user' or 'assistant'",
    "This model does not support tools when streaming is on",
    # What a server takes, named behind what it does not take
    "unknown field `made_up`, expected one of `model`, `reasoning_content`, `stream_options`",
    "Unknown parameter: 'made_up'. Known parameters: model, stream_options, max_tokens.",
    "Unknown parameter: 'made_up'. Supported are: reasoning_content, channel.",
    # The request, quoted
    "temperature: too hot. Got: {'messages': [{'role': 'assistant', 'reasoning_content': 'hm'}]}",
    "The stream_options parameter is only allowed when stream is enabled.",
    "messages.0.content: str type expected",
    # Wanted, not refused
    "messages[2].reasoning_content is missing",
    "messages[2].reasoning_details is required",
    # About something else
    "Conversation state 0x1F7 cannot be resumed at this node.",
    "The server is overloaded.",
    "Rate limit reached for model `m`",
    "DEGRADED function cannot be invoked",
    "This model's maximum context length is 8192 tokens.",
]


OFF: list[tuple[str, dict[str, Any]]] = [
    ("'top_p' is not allowed to be negative", {"top_p": -1}),
    ("parameter top_p is not a valid param: a number is wanted", {"top_p": "high"}),
    ("'temperature' is not permitted above 2", {"temperature": 9}),
    ("`presence_penalty` is not supported", {"presence_penalty": -3}),
    ("max_tokens: value not allowed", {"max_tokens": 0}),
    ("max_tokens: unexpected type bool", {"max_tokens": True}),
]
"""Refusals of a value that nobody takes, in words that refuse members elsewhere."""


@pytest.mark.parametrize(("said", "more"), OFF)
def test_a_value_that_nobody_takes_teaches_nothing_of_its_member(
    said: str, more: dict[str, Any]
) -> None:
    assert taught((400, said, {**PLAIN, **more})) is None


@each_row("said", NOTHING)
@each_row("status", [400, 422, 404, 500])
def test_teaches_nothing(said: Any, status: int) -> None:
    assert taught(said, status=status) is None


@pytest.mark.parametrize("status", [200, 401, 402, 403, 408, 429, 502, 503, 529])
def test_other_statuses_teach_nothing(status: int) -> None:
    for said, _ in LESSONS:
        if not isinstance(said, tuple):
            assert taught(said, status=status) is None


def test_a_template_error_teaches_whatever_its_status() -> None:
    for status in (400, 422, 500):
        said = "Jinja Exception: System message must be at the beginning."
        assert taught(said, RICH, status=status) == ("role:system=first",)
    assert taught(GROQ.format(2, "channel"), status=500) is None


STEPS: list[tuple[str, dict[str, Any], tuple[str, ...], tuple[str, ...] | None]] = [
    ("Thinking mode does not support this tool_choice", SENT, ("thinking:off=forced_tool", "thinking:form=type"), ("tool_choice:forced=auto",)),
    ("Thinking mode does not support this tool_choice", SENT, ("thinking:off=forced_tool", "tool_choice:forced=auto"), None),
    ("System message must be at the beginning", RICH, ("role:system=first",), ("role:system=one",)),
    ("System message must be at the beginning", FRONT, (), ("role:system=one",)),
    ("System message must be at the beginning", RICH, ("role:system=one",), ("role:system=user",)),
    ("System message must be at the beginning", SENT, ("role:system=user",), None),
    ("This model does not support effort level 'high'.", SENT, ("effort:allowed=low,high,max",), ("effort:allowed=low,max",)),
    ("This model does not support effort level 'high'.", SENT, ("effort:allowed=high",), None),
    ("Unsupported parameter: 'top_p' is not supported with this model.", PLAIN, ("sampling:top_p=no_effort",), ("sampling:top_p",)),
    (GROQ.format(2, "channel"), SENT, ("message:reasoning_content",), ("message:channel", KIND)),
    (GROQ.format(2, "reasoning"), SENT, (KIND, "reasoning:as=reasoning"), ("reasoning:out",)),
    (GROQ.format(2, "reasoning_content"), SENT, ("reasoning:wanted=reasoning_content",), None),
    ("Unrecognized request argument supplied: max_tokens", {**SENT, "max_completion_tokens": 5}, (), ("member:max_tokens",)),
]  # fmt: skip


@pytest.mark.parametrize(("said", "sent", "known", "expected"), STEPS)
def test_what_did_not_help_teaches_its_next_step(
    said: str,
    sent: dict[str, Any],
    known: tuple[str, ...],
    expected: tuple[str, ...] | None,
) -> None:
    assert taught(said, sent, Quirks.parse(*known)) == expected


def test_a_members_name_may_be_any_text() -> None:
    for name in ("x/y", "a.b", "思考", "x y_z", "a~b_c", "[0]_", "(?_", "constructor_"):
        turn = {"role": "assistant", "content": "", name: 1}
        sent = {"model": "m", "messages": [{"role": "user", "content": "a"}, turn]}
        found = taught((400, f"no: '{name}' !", sent))
        assert found in ((f"message:{name}", KIND), None)
        if found:
            adapted = adapt(sent, Quirks.parse(*found), nothing_kept)
            assert name not in json.dumps(adapted.replaced, ensure_ascii=False)


def test_what_is_learned_is_bounded() -> None:
    many = Quirks.parse(*(f"message:m{n}" for n in range(MOST)))
    assert taught(GROQ.format(2, "channel"), known=many) is None
    most = Quirks.parse(*(f"message:m{n}" for n in range(MOST - 1)))
    assert taught(GROQ.format(2, "channel"), known=most) == ("message:channel",)


def test_numbers_are_for_good() -> None:
    numbers = [row.number for row in WORDINGS]
    assert len({*numbers}) == len(numbers)
    assert all(row.source for row in WORDINGS)


def test_long_words_are_read_quickly_and_nothing_raises() -> None:
    for text in ("'messages.", "property '", "[" * 3, "a-z, " * 9, "tool_calls ", "\\", "max_tokens: "):  # fmt: skip
        error = ProviderError(message=text * 600, text=text * 600, param=text * 9)
        learn(CHAT.name, 400, error, SENT, NO_QUIRKS)
        learn(CHAT.name, 400, error, {"messages": 1, "tools": {"a": []}}, NO_QUIRKS)


WORDS = st.sampled_from(
    [
        *("property '", "' is unsupported", "Unknown parameter: '", "messages[", "2", "]."),
        *("messages", "model", "tools", "input", "contents", "role", "content", "max_tokens"),
        *("tool_calls[0].", "extra_content", "made_up", "'. ", ": Extra inputs are not "),
        *("permitted", "body.", "\n", "Unsupported parameter(s): `", "`, `", '"loc": [', "],"),
        *("must be passed back", "reasoning_content", "temperature", "Unknown name \"", "\""),
        *(" must be less than or equal to ", "0", "99999999999", "Supported values are: 'a'"),
    ]
)  # fmt: skip


@examples(300)
@given(st.lists(WORDS, max_size=12).map("".join), st.sampled_from([400, 404, 422, 500]))
def test_no_words_take_away_what_every_request_needs(text: str, status: int) -> None:
    error = ProviderError(message=text, text=text.lower())
    lesson = learn(CHAT.name, status, error, SENT, NO_QUIRKS)
    if lesson is None:
        return
    adapted = adapt(SENT, Quirks(lesson.quirks), nothing_kept)
    assert adapted.unfit or adapted.changes, lesson
    gone = adapted.dropped | adapted.renamed.keys()
    assert not gone & {"model", "messages", "tools", "input", "contents"}
    messages: Any = adapted.replaced.get("messages", SENT["messages"])
    assert [m["role"] for m in messages][-3:] == ["user", "assistant", "tool"]


@pytest.mark.parametrize("sent", [{}, {"messages": None}, {"messages": [1, None, {"role": 3, "tool_calls": 4, "content": {}}], "tools": ["x", {"function": 5}]}])  # fmt: skip
def test_bodies_that_are_no_chat_raise_nothing(sent: dict[str, Any]) -> None:
    for said, _ in LESSONS:
        taught(said[1] if isinstance(said, tuple) else said, sent)
