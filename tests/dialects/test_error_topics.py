"""What an error is about: sentences as providers write them, and what only looks alike."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tables import each_row

from llm_gateway.dialects import CHAT, RequestBody, read, read_error
from llm_gateway.dialects.error_topics import About, By, Topic, topic_of


def topic(
    message: str, status: int = 400, *, model: str = "m-1", **error: object
) -> Topic:
    body = json.dumps({"error": {"message": message, **error}}).encode()
    return topic_of(status, read_error(body), model=model)


TOO_LONG = [
    # OpenAI, and who speaks like it
    "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.",
    "This endpoint's maximum context length is 131072 tokens. However, you requested about 140000 tokens",
    "Your input exceeds the context window of this model. Please adjust your input and try again.",
    "Input tokens exceed the configured limit of 272000 tokens. Your messages resulted in 300000 tokens.",
    "prompt token count of 125516 exceeds the limit of 64000",
    # Anthropic, Bedrock, Kimi
    "input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000, decrease input length",
    "prompt is too long: 209353 tokens > 199999 maximum",
    "Input is too long for requested model.",
    "The prompt is too long: 140000, model maximum context length: 131071",
    # Gemini
    "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
    "The input token count exceeds the maximum number of tokens allowed 1048576.",
    # Groq, Cerebras
    "Please reduce the length of the messages or completion.",
    "Please reduce the length of the messages or completion. Current length is 9000 while limit is 8192",
    # xAI, Moonshot, MiniMax, Mistral, Cohere, Qwen, Z.ai
    "This model's maximum prompt length is 131072 but the request contains 200000 tokens.",
    "Invalid request: Your request exceeded model token limit: 131072 (requested: 140000)",
    "invalid params, context window exceeds limit (2013)",
    "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length",
    "too many tokens: total number of tokens in the prompt cannot exceed 4081 - received 5000.",
    "<400> InternalError.Algo.InvalidParameter: Range of input length should be [1, 30720]",
    "Prompt exceeds max length",
    "The model has reached its context window limit.",
    # local servers
    "the request exceeds the available context size. try increasing the context size or enable context shift",
    "request (9000 tokens) exceeds the available context size (8192 tokens), try increasing it",
    "Trying to keep the first 5000 tokens when context the overflows. However, the model is loaded with context length of only 4096 tokens",
    "the input length exceeds the context length",
    "The input (9000 tokens) is longer than the model's context length (8192 tokens).",
    "Requested token count exceeds the model's maximum context length of 8192 tokens.",
    "The decoder prompt (length 9000) is longer than the maximum model length of 8192.",
    # Hugging Face, Cloudflare
    "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000 `inputs` tokens",
    "Input validation error: `inputs` must have less than 1024 tokens. Given: 2000",
    "AiError: The estimated number of input and maximum output tokens (140000) exceeded this model context window limit (131072).",
    # in other words
    "Context length exceeded",
    "The maximum context length of 4096 was exceeded.",
    "Your messages exceed this model's context window",
    "The conversation is too long for the model's context length",
    # inside another error, as OpenRouter passes it on
    '{"type":"error","error":{"message":"prompt is too long: 9 tokens > 8 maximum"}}',
]  # fmt: skip


@each_row("message", TOO_LONG)
@each_row("status", [400, 413, 422, 500])
def test_too_long(message: str, status: int) -> None:
    assert topic(message, status) == Topic(About.TOO_LONG, By.SENTENCE)


@pytest.mark.parametrize(
    "code",
    ["context_length_exceeded", "model_max_prompt_tokens_exceeded", "input_too_long"],
)
def test_too_long_by_its_code(code: str) -> None:
    assert topic("…", code=code) == Topic(About.TOO_LONG, By.CODE)


NOT_TOO_LONG = [
    "max_tokens: 70000 > 64000, which is the maximum allowed number of output tokens",
    "max_tokens is too large: 70000. This model supports at most 16384 completion tokens",
    "Invalid 'input[149].call_id': string too long. Expected a string with maximum length 64",
    "messages.0.content.1.image: image exceeds 5 MB maximum",
    "Invalid value for 'stop': the text is the context window",
    "a max of 128 tools can be supported",
]


@pytest.mark.parametrize("message", NOT_TOO_LONG)
def test_not_too_long(message: str) -> None:
    assert topic(message).about is not About.TOO_LONG


NOTHING_SAID = [
    "Invalid schema for function 'get_billing_info': In context=(), 'required' is needed",
    "Invalid schema for function 'your credit balance is too low': x",
    "Unsupported parameter: 'temperature' is not supported with this model.",
    "Unsupported value: 'reasoning_effort' does not support 'high' with this model.",
    "Function tools with reasoning_effort are not supported for m-1 in /v1/chat/completions. Please use /v1/responses instead.",
    "tools.3.name: the model does not exist in this list of animals",
    "'messages' must contain the word 'json'",
    "billing",
    "flagged",
]


@pytest.mark.parametrize("message", NOTHING_SAID)
@pytest.mark.parametrize("status", [400, 422])
def test_a_bad_request_is_about_itself(message: str, status: int) -> None:
    assert topic(message, status).about is About.UNKNOWN


@pytest.mark.parametrize(
    ("message", "model", "named"),
    [
        ("The model `m-1` does not exist", "m-1", True),
        ("The model `m-1` does not exist", "M-1", True),
        ("models/m-1 is not found for API version v1beta", "models/m-1", True),
        ("No endpoints found for vendor/m:free.", "vendor/m:free", True),
        ("No endpoints found for vendor/m:free.", "vendor/m", False),
        ("The model `m-10` does not exist", "m-1", False),
        ("The model `x-m-1` does not exist", "m-1", False),
        ("The model `m-1.5` does not exist", "m-1", False),
        ("Not here: POST /v1/chat/completions", "chat", False),
        ("Not here: POST /v1/chat/completions", "v1", False),
    ],
)
def test_a_model_is_named_by_its_whole_name(
    message: str, model: str, named: bool
) -> None:
    found = topic(message, 404, model=model)
    assert (found == Topic(About.MODEL, By.NAME)) is named


def request(**more: object) -> RequestBody:
    body = {"model": "m-1", "messages": [{"role": "user", "content": "hi"}], **more}
    found = read(CHAT, json.dumps(body).encode())
    assert isinstance(found, RequestBody)
    return found


QUOTED = "Your credit balance is too low"


@pytest.mark.parametrize(
    ("said", "about"),
    [
        ({}, About.MONEY),
        ({"user": QUOTED}, About.UNKNOWN),
        ({"user": QUOTED.upper()}, About.UNKNOWN),
        ({"tools": [{"function": {"description": f"a\n{QUOTED}"}}]}, About.UNKNOWN),
    ],
)
@pytest.mark.parametrize("escaped", [False, True])
def test_what_the_request_says_itself_is_no_evidence(
    said: dict[str, object], about: About, escaped: bool
) -> None:
    asked = request(**said)
    if escaped:
        raw = asked.raw.replace(b"credit", b"\\u0063redit")
        again = read(CHAT, raw)
        assert isinstance(again, RequestBody)
        asked = again
    error = read_error(json.dumps({"error": {"message": QUOTED}}).encode())
    assert topic_of(400, error, model="m-1", said=asked.says).about is about


def test_its_model_is_not_what_a_request_says() -> None:
    assert not request().says("m-1")
    assert request(previous_response_id="m-1").says("m-1")


@pytest.mark.parametrize(
    ("code", "about"),
    [
        ("model_not_found", About.MODEL),
        ("DeploymentNotFound", About.MODEL),
        ("unsupported_api_for_model", About.ENDPOINT),
        ("invalid_api_key", About.KEY),
        ("insufficient_quota", About.MONEY),
        ("content_filter", About.FLAGGED),
        ("invalid_encrypted_content", About.NAMED),
    ],
)
def test_codes_come_first(code: str, about: About) -> None:
    for place in ("code", "type"):
        found = topic("Prompt is too long", 400, **{place: code})
        assert found == Topic(about, By.CODE)


ACCESS = {
    # content that was stopped: words of moderation, safety, guidelines
    About.FLAGGED: [
        "Content violates usage guidelines. Team: abc, API key ID: def, Model: m, Failed check: SAFETY_CHECK_TYPE_BIO",
        "Failed check: SAFETY_CHECK_TYPE_DATA_LEAKAGE",
        "Input was flagged by moderation",
        "Your chosen model requires moderation and your input was flagged",
        "Your request was rejected as a result of our safety system.",
        "The request was blocked by the content filter.",
        "This request violates our usage policy.",
        "Prompt goes against our community standards",
        "The prompt contains sensitive content",
        "Generation blocked: the image was found unsafe",
    ],
    # something that the request named, or a server that its own tool reaches
    About.NAMED: [
        "You do not have permission to access tuned model tunedModels/x.",
        "You do not have permission to access the File abc or it may not exist.",
        "CachedContent not found (or permission denied)",
        "Your organization does not have access to the container: container_abc",
        "Project proj_1 does not have access to vector store vs_1",
        "This API key is not authorized to use skill sk_1",
        "Your organization must be verified to stream this model. Please go to: https://x",
        "Your organization must be verified to generate reasoning summaries.",
        "Authentication error while communicating with MCP server 'x'. Please check your authorization token.",
        "mcp_servers.0: authorization_token is not valid",
    ],
    # who may and who pays
    About.KEY: [
        "",
        "Forbidden",
        "Access denied.",
        "Incorrect API key provided: sk-***",
        "User not found.",
        "No auth credentials found",
        "Your account has been suspended for violating our terms of service",
        "Your account was disabled because it breached our usage policies",
        "Generative Language API has not been used in project 12 before or it is disabled.",
        "The caller does not have permission",
        "Your current plan does not include this",
        "Requests from your country are not served",
        "令牌已过期或验证不正确",
    ],
    # nobody knows
    About.UNKNOWN: [
        "Request blocked by Web Application Firewall",
        "Something in what you sent is odd to us",
        "This action may not be done here",
    ],
}


@each_row("status", [401, 403])
@each_row(
    ("about", "text"), [(about, text) for about, of in ACCESS.items() for text in of]
)
def test_an_access_refusal_speaks_of_the_account_or_of_the_request(
    about: About, text: str, status: int
) -> None:
    found = topic(text, status)
    assert found.about is about
    assert found.by is not By.CODE


def test_a_page_with_a_403_is_a_firewalls() -> None:
    page = b"<!DOCTYPE html><h1>Sorry, you have been blocked</h1><p>Your account</p>"
    assert topic_of(403, read_error(page)).about is About.UNKNOWN
    assert topic_of(401, read_error(page)).about is About.KEY


def test_a_tools_own_server_is_not_the_account_whatever_the_code() -> None:
    said = "Error communicating with MCP server 'x': invalid token"
    found = topic(said, 401, type="authentication_error")
    assert found.about is About.NAMED


@given(
    st.text(max_size=80) | st.sampled_from(TOO_LONG).map(lambda text: text[5:]),
    st.integers(400, 599),
    st.text(max_size=10),
)
def test_any_text_has_a_topic(message: str, status: int, model: str) -> None:
    assert isinstance(topic(message, status, model=model), Topic)


def test_a_long_text_is_read_quickly() -> None:
    """No pattern tries a text in ever new ways: a hostile error costs milliseconds."""
    for unit in (
        "prompt ",
        "input exceed ",
        "a. ",
        "model x ",
        "[[",
        "'",
        "not found ",
    ):
        assert isinstance(topic((unit * 4096)[:4096], 404), Topic)
