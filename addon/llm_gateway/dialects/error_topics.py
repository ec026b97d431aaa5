"""Classifies a provider's error: what is it about? Codes first, whole sentences second.

A failure may be the model's, the key's, the account's, the route's or the request's own,
and only the first four say anything to other requests. So two grades of evidence are kept
apart:

    code       `error.code`, `type`, `param`: words that a request cannot put there
    sentence   one that a provider is known to write, at the beginning of a sentence, and
               only when the request does not say the same itself

Tables of codes and sentences live here, as data. What this file does not know: what is
done about it (routing/failure_policy.py), limits and waits (`limits/provider_refusals.py`).
"""

import re
from collections.abc import Callable
from enum import Enum
from functools import lru_cache
from re import Pattern

from llm_gateway.dialects.access_refusals import ACCESS, speaks_of_account
from llm_gateway.dialects.error_parts import VAGUE
from llm_gateway.dialects.provider_errors import ProviderError
from llm_gateway.frozen import frozen
from llm_gateway.late_patterns import LatePattern

Said = Callable[[str], bool]
"""Does the request itself hold this text (in lower case)?"""


class About(Enum):
    UNKNOWN = "not known"
    TOO_LONG = "a prompt that is too long for this model"
    MODEL = "a model that is not there"
    ENDPOINT = "a model that is not served in this dialect"
    KEY = "the key"
    MONEY = "money"
    FLAGGED = "content that is not allowed"
    NAMED = "something that the request named or asked for"
    ROUTE = "the path"


class By(Enum):
    """How it is known, the best first."""

    CODE = "a code, a type or a parameter"
    NAME = "the text names the model that was sent"
    SENTENCE = "a sentence that providers write"
    NOTHING = "nothing"


@frozen
class Topic:
    about: About = About.UNKNOWN
    by: By = By.NOTHING


UNKNOWN = Topic()


@frozen
class Signs:
    about: About
    codes: frozenset[str] = frozenset()
    sentences: LatePattern | None = None
    forgeable: bool = True
    """A sentence that the request says itself does not count."""


def _sentences(*patterns: str) -> LatePattern:
    """Any of these at the start of a sentence, or behind a label and a colon."""
    return LatePattern(r"(?:^|[.,:;!?>\n]\s*|[\"(\[]\s*)(" + "|".join(patterns) + ")")


_N = r"~?\d[\d,_.]*"
_NOT_OF_ACCOUNT = (
    r"(?![^.!?\n\"]{0,60}\b(?:account|api key|organi[sz]ation|workspace|access)\b"
    r"[^.!?\n\"]{0,20}\b(?:suspended|disabled|banned|terminated|deactivated|revoked|blocked)\b)"
)
"""An account that is shut for what it did is not a request that is stopped."""
_OBJECT = (
    r"(?:file|upload|container|vector ?store|conversation|batch|cached ?content|tuned ?model"
    r"|tunedmodels/|fine-?tun\w+|skill|thread|assistant|prompt template|response|session"
    r"|image|document|dataset|corpus|connector|resource)"
)
"""What a request names by an id."""
TOO_LONG = _sentences(
    # OpenAI, vLLM, DeepSeek, OpenRouter
    rf"this (?:model|endpoint)'s maximum context length is {_N}",
    r"your input exceeds the context window",
    rf"input tokens exceed the configured limit of {_N}",
    # Copilot
    rf"prompt token count of {_N} exceeds the limit of {_N}",
    # Anthropic, Bedrock, Kimi, Fireworks
    r"input length and `?max_tokens`? exceed context limit",
    r"(?:the )?prompt is too long\b",
    r"(?:the )?input is too long\b",
    # Gemini
    rf"the input token count(?: \({_N}\))? exceeds the maximum number of tokens",
    # Groq, Cerebras
    r"please reduce the length of (?:the |your )?(?:messages|prompt|input|completion)",
    rf"current length is {_N} while limit is {_N}",
    # xAI
    rf"this model's maximum prompt length is {_N}",
    # llama.cpp, LM Studio, Ollama
    r"the request exceeds the available context size",
    r"(?:request|input|prompt) \(\d+ tokens\) exceeds the available context size",
    r"trying to keep the first \d+ tokens when context",
    r"the input length exceeds the context length",
    # SGLang, vLLM
    rf"the (?:input|prompt) \((?:length )?{_N}(?: tokens)?\) is longer than",
    r"requested token count exceeds the model's maximum context length",
    rf"the decoder prompt \(length {_N}\) is longer than the maximum model length",
    # TGI, Hugging Face, Together
    r"`?inputs`? tokens \+ `?max_new_tokens`? must be <=",
    rf"`?inputs`? must have less than {_N} tokens",
    # Moonshot, MiniMax, Mistral, Cohere, Qwen, Z.ai
    r"your request exceeded model token limit",
    r"context window exceeds limit",
    rf"prompt contains {_N} tokens\b.{{0,60}} too large for model",
    r"too many tokens: total number of tokens in the prompt cannot exceed",
    r"too many input tokens",
    rf"range of input length should be \[\d+, {_N}\]",
    r"prompt exceeds max length",
    r"the model has reached its context window limit",
    # Cloudflare
    rf"the estimated number of input and maximum output tokens(?: \({_N}\))? exceeded",
    # in other words
    r"(?:the |your |this )?(?:maximum )?context (?:length|window|size|limit)"
    r"(?: of [\w ,]{1,40})? (?:was |is |has been )?exceeded",
    r"[^.!?\n\"]{0,80}\b(?:prompt|input|messages?|request(?:ed)?|tokens|conversation)\b"
    r"[^.!?\n\"]{0,80}\b(?:exceed(?:s|ed|ing)?|(?:long|larg|great)er than|too (?:long|large)"
    r"|overflow(?:s|ed)?)\b[^.!?\n\"]{0,80}\b(?:context|model'?s? token limit"
    r"|max(?:imum)?[ _-](?:model[ _-]len|prompt|input)|limit of \d[\d,]* tokens"
    r"|max(?:imum)? (?:allowed )?(?:number of )?(?:input |prompt |total )?tokens)",
)

SIGNS = (
    Signs(
        About.TOO_LONG,
        frozenset(
            {
                "context_length_exceeded",
                "model_max_prompt_tokens_exceeded",
                "exceed_context_size_error",
                "context_window_exceeded",
                "model_context_window_exceeded",
                "context_limit_exceeded",
                "prompt_too_long",
                "input_too_long",
                "tokens_limit_reached",
                "1261",
                "5021",
            }
        ),
        TOO_LONG,
        # An agent may well talk of such errors; a larger window harms nobody.
        forgeable=False,
    ),
    Signs(
        About.FLAGGED,
        frozenset(
            {
                "content_filter",
                "content_policy_violation",
                "moderation_blocked",
                "responsibleaipolicyviolation",
                "data_inspection_failed",
                "datainspectionfailed",
                "1301",
            }
        ),
        _sentences(
            rf"{_NOT_OF_ACCOUNT}[^.!?\n\"]{{0,80}}\b(?:violat\w+|against|breach\w*|contravene\w*)"
            r"\b[^.!?\n\"]{0,60}\b(?:polic(?:y|ies)|guidelines?|terms|rules|safety|standards)\b",
            rf"{_NOT_OF_ACCOUNT}(?:[^.!?\n\"]{{0,60}}\b)?(?:content|inputs?|prompts?|requests?"
            r"|messages?|images?|text|outputs?|data|query|generation)\b[^.!?\n\"]{0,60}\b(?:"
            r"flagged|moderat\w+|unsafe|inappropriate|sensitive|harmful|disallowed|prohibited"
            r"|(?:blocked|rejected|refused|stopped)[^.!?\n\"]{0,40}\b(?:safety|content|filter"
            r"|guardrails?|moderation|polic(?:y|ies)))\b",
            r"your (?:input|prompt|request|message) (?:was|has been) (?:flagged|blocked)"
            r"(?! by (?:a |the |our )?(?:web application )?(?:firewall|waf)\b)",
            r"(?:failed check: )?safety_check",
            r"(?:flagged|blocked|rejected|stopped) by (?:our |the )?(?:content |safety )?"
            r"(?:moderation|safety|guardrails?|content filter)",
            r"[^.!?\n\"]{0,80}\b(?:requires moderation|(?:content|safety|moderation) (?:filter"
            r"|polic(?:y|ies)|guidelines?|checks?|system|management polic(?:y|ies)))\b",
        ),
        forgeable=False,
    ),
    Signs(
        About.NAMED,
        frozenset(
            {
                "previous_response_not_found",
                "invalid_encrypted_content",
                "file_not_found",
                "vector_store_not_found",
                "access_terminated_error",
                "tool_use_failed",
            }
        ),
        _sentences(
            r"no endpoints found (?:that|matching|which|supporting)\b",
            r"no allowed providers are available",
            r"previous response with id\b",
            r"item with id\b",
            r"input item id does not belong\b",
            r"(?:no such )?(?:file|container|vector store|conversation|batch|cached ?content)"
            r"s?\b[^.!?\n]{0,80}\b(?:not found|does not exist|was not found|expired)",
            r"no such (?:file|container|vector store|conversation|batch|tool)\b",
            # permission to something that the request names, and servers of its own tools
            r"[^.!?\n\"]{0,80}\b(?:permission|access|authori[sz]ed|allowed)\b[^.!?\n\"]{0,30}"
            rf"\b(?:to|for|of)\b (?:\w+ )?(?:the |this |that |an? )?[`'\"]?{_OBJECT}",
            rf"{_OBJECT}s?\b[^.!?\n\"]{{0,80}}\b(?:permission denied|access denied)",
            r"[^.!?\n\"]{0,80}\bmust be verified to (?!(?:use|access) (?:the |this )?model)\w+",
            r"[^.!?\n\"]{0,120}\bmcp\b",
            r"[^.!?\n\"]{0,120}\bauthorization_token\b",
            r"[^.!?\n\"]{0,80}\bonly available for coding agents\b",
            r"[^.!?\n\"]{0,80}\bdoes(?: not|n't) support (?:tool|function|image|audio|video"
            r"|file|vision|json|structured|stream|reasoning|thinking|logprobs|parallel)",
            # 5xx and 400 that a history or a body caused: templates, tracebacks
            r"(?:error rendering prompt with jinja template|jinja exception)\b",
            r"(?:after the optional system message, )?conversation roles must alternate",
            r"system message must be at the beginning",
            r"'[\w.]+' object (?:has no attribute|is not)\b",
            r"'[<>=]+' not supported between instances of\b",
            r"failed to (?:parse|deserialize)(?: the)?"
            r" (?:tool call|json|request|messages|input)",
        ),
        forgeable=False,
    ),
    Signs(
        About.ENDPOINT,
        frozenset({"unsupported_api_for_model", "operationnotsupported"}),
        _sentences(
            r"this model is only supported in v1/\w+",
            r"this is not a chat model and thus not supported\b",
            r"the model '[^']{1,200}' does not support the '/\S+' api",
            r"model \"?[^\"\s]{1,200}\"? is not accessible via the /\S+ endpoint",
            r"the \w+ operation does not work with the specified model",
        ),
    ),
    Signs(
        About.MODEL,
        frozenset(
            {
                "model_not_found",
                "model_not_supported",
                "model_not_available",
                "model_not_exist",
                "model_decommissioned",
                "model_deprecated",
                "modelnotfound",
                "unknown_model",
                "invalid_model",
                "deploymentnotfound",
                "resourcenotfoundexception",
                "1211",
            }
        ),
        _sentences(
            r"(?:the |requested |unknown |invalid )*model[: ]+[`'\"]?\S{1,200}[`'\"]? "
            r"(?:does not exist|is not found|not found|was not found|has been decommissioned"
            r"|is not a valid model|is no longer (?:available|supported)|is not available)",
            r"no such model\b",
            r"(?:unknown|invalid) model[:. ]",
            r"the requested model is not (?:supported|available)",
            r"\S{1,200} is not a valid model(?: id| name)?\b",
            r"(?:models|publishers/[\w-]+/models)/\S{1,200} is not found\b",
            r"no endpoints found for \S+",
            r"(?:your |the )?(?:project|organization|team|account|key|you)\b[^.!?\n\"]{0,60}"
            r"\bdo(?:es)? not have access to (?:the )?model\b",
            r"(?:function id '[^']{1,80}': )?degraded function cannot be invoked",
        ),
    ),
    Signs(
        About.KEY,
        frozenset(
            {
                "invalid_api_key",
                "api_key_invalid",
                "invalid_authentication",
                "authentication_error",
                "invalid_authentication_error",
                "missing_api_key",
                "unauthenticated",
                "key_expired",
                "api_key_expired",
                "api_key_service_blocked",
                "unsupported_country",
                "unsupported_country_region_territory",
            }
        ),
        _sentences(
            r"(?:the |your )?api key (?:not valid|is invalid|is not valid|expired|has expired)",
            r"(?:invalid|incorrect|unknown|no|missing) api key\b",
        ),
    ),
    Signs(
        About.MONEY,
        frozenset(
            {
                "insufficient_quota",
                "insufficient_balance",
                "insufficient_credits",
                "credit_balance_exhausted",
                "billing_error",
                "billing_not_active",
                "billing_hard_limit_reached",
                "organization_spend_limit_exceeded",
                "enforced_spend_limit_reached",
                "arrearage",
                "allocationquota.freetieronly",
                "1113",
            }
        ),
        _sentences(
            r"your credit balance is too low\b",
            r"you have reached your specified (?:workspace )?api usage limits",
            r"insufficient (?:balance|credits?|funds|quota)\b",
            r"(?:your )?(?:billing|account) is not active\b",
            r"billing hard limit has been reached",
        ),
    ),
)
"""Asked in this order; a code anywhere wins over a sentence."""

_ROUTE_CODES = frozenset(
    {"unknown_url", "invalid_url", "route_not_found", "method_not_allowed"}
)
_BARE_CODES = frozenset(
    {"404", "405", "410", "not_found", "notfound", "not_found_error", "notfounderror"}
    | {"invalid_request_error", "error", "not_allowed", "gone"}
)
_TOOLS_OWN_SERVER = re.compile(r"\bmcp\b|\bauthorization_token\b")
"""It was reached with a token of the request's."""
_BARE = re.compile(
    r"(?:error )?(?:40[45]|410)?[ :.-]*(?:the )?(?:requested )?"
    r"(?:url|path|page|route|resource|endpoint|api)?[ :]*"
    r"(?:could |was |is )?(?:not (?:be )?found|not allowed|gone|unknown)?"
    r"(?:on this server|here)?[. ]*(?:404|405)?"
    r"|method not allowed[^\n]{0,80}"
)
"""What a server says of any path that it does not know."""
_NO_SUCH_PATH = re.compile(
    r"(?:invalid|unrecognized request|unknown request) url\b|cannot post /"
    r"|no route matched with those values|no static resource |no handler found for "
    r"|the requested url was not found|path \S+ not found|not found: /"
)
"""How a sentence begins that speaks of the path, whatever its codes."""


def topic_of(
    status: int, error: ProviderError, *, model: str = "", said: Said = lambda _: False
) -> Topic:
    """What an error answer is about.

    `model` is the name that the provider was sent; `said` tells whether the request (its
    model aside) holds a text.
    """
    text, name = error.text, model.lower()
    for signs in SIGNS:
        if signs.codes & error.codes:
            if signs.about is About.KEY and _TOOLS_OWN_SERVER.search(text):
                return Topic(About.NAMED, By.SENTENCE)
            return Topic(signs.about, By.CODE)
    gone = status in (404, 405, 410)
    for signs in SIGNS:
        if signs.sentences is None or not (found := signs.sentences.search(text)):
            continue
        if signs.forgeable and said(found[1]):
            continue
        named = signs.about is About.MODEL and _names(name, text)
        return Topic(signs.about, By.NAME if named else By.SENTENCE)
    if status in ACCESS and speaks_of_account(status, error):
        return Topic(About.MONEY if status == 402 else About.KEY)
    if not gone:
        return UNKNOWN
    if error.param.lower() == "model":
        return Topic(About.MODEL, By.CODE)
    if _is_bare(error):
        return Topic(About.ROUTE, By.SENTENCE)
    if _names(name, text) and not said(name):
        return Topic(About.MODEL, By.NAME)
    return Topic(About.NAMED, By.NOTHING)


_REFUSING_CODES = {
    **dict.fromkeys(("400", "invalid_argument", "badrequesterror", "bad_request"), 400),
    **dict.fromkeys(("422", "unprocessable_entity"), 422),
    "invalid_request_error": 400,
    # MiniMax and Z.ai have numbers of their own: wrong parameters
    **dict.fromkeys(("2013", "1210", "1213", "1214", "1215"), 400),
}
_OF_ANSWERS = frozenset(
    {"tool_use_failed", "output_parse_failed", "json_validate_failed"}
)
"""Codes of refusals of what the model wrote."""
_OF_REQUESTS = frozenset({About.UNKNOWN, About.TOO_LONG, About.FLAGGED, About.NAMED})


def refusing_status(error: ProviderError) -> int | None:
    """Status of a request that is refused, where an error says so that came inside an answer
    with another one (a 200, a stream); None: it is about something else, or says nothing."""
    if error.codes & _OF_ANSWERS or topic_of(400, error).about not in _OF_REQUESTS:
        return None
    if all(map(VAGUE.fullmatch, error.text.split("\n"))):
        return None
    found = [_REFUSING_CODES[c] for c in error.codes & _REFUSING_CODES.keys()]
    return max(found, default=None)


def _is_bare(error: ProviderError) -> bool:
    """It says that there is nothing at this path, and no more."""
    if error.codes & _ROUTE_CODES or _NO_SUCH_PATH.match(error.text.lstrip()):
        return True
    if error.codes - _BARE_CODES:
        return False
    if error.text.lstrip()[:1] == "<":  # a page
        return True
    return all(_BARE.fullmatch(line.strip()) for line in error.text.split("\n"))


def _names(model: str, text: str) -> bool:
    return bool(model) and _mention(model).search(text) is not None


@lru_cache(maxsize=256)
def _mention(model: str) -> Pattern[str]:
    """The whole name, not a part of another one or of a path."""
    bare = re.escape(model.removeprefix("models/"))
    return re.compile(
        r"(?<![\w.:@/-])(?:(?:models|deployments|publishers/[\w-]+/models)/)?"
        + bare
        + r"(?![\w@/-]|[.:]\w)"
    )
