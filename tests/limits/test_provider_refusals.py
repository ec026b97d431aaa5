"""What each provider's refusals mean: bodies and headers as they come, as a table."""

import json
from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st
from tables import each_row

from llm_gateway.dialects import read_error
from llm_gateway.dialects.error_topics import Said
from llm_gateway.domain import Metric, Reset, Window
from llm_gateway.limits.durations import MAX_WAIT_SECONDS
from llm_gateway.limits.provider_refusals import ProviderRefusal, read_refusal
from llm_gateway.limits.values import LimitObservation

NOW = 1_790_000_000.0  # 2026-09-21 14:13:20 UTC, 07:13:20 in Los Angeles
UTC_MIDNIGHT = 1_790_035_200.0
PACIFIC = Reset(zone="America/Los_Angeles")
PACIFIC_MIDNIGHT = 1_790_060_400.0
OCTOBER = 1_790_812_800.0
REQUESTS, TOKENS = Metric.REQUESTS, Metric.TOKENS
MINUTE, DAY, MONTH = Window.MINUTE, Window.DAY, Window.MONTH


def said(
    metric: Metric, window: Window, limit: int | None, **more: object
) -> LimitObservation:
    return LimitObservation(metric, window, NOW, limit, source="body", **more)  # type: ignore[arg-type]


def openai(code: str, kind: str, message: str = "…") -> dict[str, object]:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def anthropic(kind: str, message: str = "…", **more: object) -> dict[str, object]:
    error = {"type": kind, "message": message, **more}
    return {
        "type": "error",
        "error": error,
        "request_id": "req_018EeWyXxfu5pfWkrYcMdjWG",
    }


def google(
    quota: str, value: str | None = None, delay: str | None = None
) -> dict[str, object]:
    violation: dict[str, object] = {
        "quotaMetric": "generativelanguage.googleapis.com/generate_content_free_tier_requests",
        "quotaId": quota,
        "quotaDimensions": {"model": "gemini-2.5-flash", "location": "global"},
    }
    if value is not None:
        violation["quotaValue"] = value
    details: list[object] = [
        {"@type": "type.googleapis.com/google.rpc.Help", "links": []},
        {
            "@type": "type.googleapis.com/google.rpc.QuotaFailure",
            "violations": [violation],
        },
    ]
    if delay is not None:
        details.append(
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}
        )
    message = (
        "You exceeded your current quota, please check your plan and billing details."
    )
    return {
        "error": {
            "code": 429,
            "message": message,
            "status": "RESOURCE_EXHAUSTED",
            "details": details,
        }
    }


def openrouter(
    status: int, message: str, metadata: Mapping[str, object] | None = None
) -> dict[str, object]:
    error: dict[str, object] = {"message": message, "code": status}
    if metadata is not None:
        error["metadata"] = metadata
    return {"error": error, "user_id": "user_3C3QAtWEMasrNQrkXtcoWYAuweQ"}


def refusal(
    parser: str,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    reset: Reset | None = None,
    said: Said = lambda _: False,
) -> ProviderRefusal | None:
    """Read as the pipeline reads it."""
    error = read_error(body, headers)
    return read_refusal(parser, status, headers, error, NOW, reset, said)


GROQ = "Rate limit reached for model `openai/gpt-oss-120b` in organization `org_x` service tier `on_demand` on "
GROQ_LARGE = "Request too large for model `x` in organization `org_x` service tier `on_demand` on "

# fmt: off
ROWS = [
    # OpenAI
    (
        "openai",
        429,
        {},
        openai("rate_limit_exceeded", "requests", "Rate limit reached for gpt-4o in organization org-x on requests per min (RPM): Limit 3, Used 3, Requested 1. Please try again in 20s."),
        ProviderRefusal("minute", NOW + 20, "rate_limit_exceeded", (said(REQUESTS, MINUTE, 3, remaining=0, resets_at=NOW + 60, continuous_refill=True),)),
    ),
    ("openai", 429, {"retry-after-ms": "2500", "retry-after": "3"}, openai("rate_limit_exceeded", "tokens"), ProviderRefusal("minute", NOW + 2.5, "rate_limit_exceeded")),
    ("openai", 429, {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "6s"}, openai("rate_limit_exceeded", "tokens"), ProviderRefusal("minute", NOW + 6, "rate_limit_exceeded")),
    ("openai", 429, {}, openai("rate_limit_exceeded", "tokens", "Request too large for gpt-4o in organization org-x on tokens per min (TPM): Limit 30,000, Requested 41,382."), ProviderRefusal("too_large", None, "rate_limit_exceeded", (said(TOKENS, MINUTE, 30000),))),
    *(("openai", 429, {}, openai(code, kind), ProviderRefusal("money", None, code)) for code, kind in (("insufficient_quota", "insufficient_quota"), ("credit_balance_exhausted", "insufficient_quota"), ("organization_spend_limit_exceeded", "rate_limit_error"))),
    ("openai", 503, {}, openai("slow_down", "rate_limit_error"), None),
    # Anthropic
    ("anthropic", 429, {"retry-after": "12"}, anthropic("rate_limit_error", "Number of request tokens has exceeded your per-minute rate limit"), ProviderRefusal("minute", NOW + 12, "rate_limit_error")),
    (
        "anthropic",
        429,
        {},
        anthropic("rate_limit_error", "You have reached your API usage limits: your organization has crossed its monthly API usage threshold, set based on your organization's API tier. You will regain access on 2026-10-01 at 00:00 UTC.", details={"error_code": "enforced_spend_limit_reached"}),
        ProviderRefusal("money", OCTOBER, "enforced_spend_limit_reached"),
    ),
    ("anthropic", 400, {}, anthropic("invalid_request_error", "You have reached your specified workspace API usage limits. You will regain access on 2026-10-01 at 00:00 UTC."), None),
    ("anthropic", 400, {}, anthropic("invalid_request_error", "Your credit balance is too low to access the Anthropic API."), None),
    ("anthropic", 402, {}, anthropic("billing_error"), ProviderRefusal("money", None, "billing_error")),
    ("anthropic", 413, {}, anthropic("request_too_large"), ProviderRefusal("too_large", None, "request_too_large")),
    ("anthropic", 529, {}, anthropic("overloaded_error"), None),
    # Google: a day ends at midnight there, whatever the delay says
    ("google", 429, {}, google("GenerateRequestsPerDayPerProjectPerModel-FreeTier", "20", "38s"), ProviderRefusal("day", PACIFIC_MIDNIGHT, "RESOURCE_EXHAUSTED", (said(REQUESTS, DAY, 20, remaining=0, resets_at=PACIFIC_MIDNIGHT, reset=PACIFIC),))),
    # in a list, as the compatible endpoint does; no value
    ("google", 429, {}, [google("GenerateRequestsPerDayPerProjectPerModel-FreeTier", None, "65205s")], ProviderRefusal("day", PACIFIC_MIDNIGHT, "RESOURCE_EXHAUSTED", (said(REQUESTS, DAY, None, remaining=0, resets_at=PACIFIC_MIDNIGHT, reset=PACIFIC),))),
    ("google", 429, {}, google("GenerateRequestsPerMinutePerProjectPerModel-FreeTier", "5", "4.2s"), ProviderRefusal("minute", NOW + 4.2, "RESOURCE_EXHAUSTED", (said(REQUESTS, MINUTE, 5, remaining=0, resets_at=NOW + 4.2),))),
    ("google", 429, {}, google("GenerateContentInputTokensPerModelPerMinute-FreeTier", "250000", "31s"), ProviderRefusal("minute", NOW + 31, "RESOURCE_EXHAUSTED", (said(TOKENS, MINUTE, 250000, remaining=0, resets_at=NOW + 31, remaining_only=True),))),
    ("google", 429, {}, {"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "Resource exhausted. Please try again later."}}, ProviderRefusal("minute", None, "RESOURCE_EXHAUSTED")),
    ("google", 402, {}, {"error": {"code": 402, "status": "FAILED_PRECONDITION", "message": "…"}}, ProviderRefusal("money", None, "FAILED_PRECONDITION")),
    ("google", 503, {}, {"error": {"code": 503, "status": "UNAVAILABLE", "message": "The model is overloaded."}}, None),
    ("google", 400, {}, {"error": {"code": 400, "status": "INVALID_ARGUMENT", "message": "API key not valid. Please pass a valid API key."}}, None),
    # Groq: its days roll, so the wait it tells is the truth
    ("groq", 429, {"retry-after": "4"}, openai("rate_limit_exceeded", "tokens", GROQ + "tokens per minute (TPM): Limit 8000, Used 6000, Requested 2500. Please try again in 3.75s."), ProviderRefusal("minute", NOW + 4, "rate_limit_exceeded", (said(TOKENS, MINUTE, 8000, remaining=2000, resets_at=NOW + 45, continuous_refill=True),))),
    ("groq", 429, {}, openai("rate_limit_exceeded", "requests", GROQ + "requests per day (RPD): Limit 1000, Used 1000, Requested 1. Please try again in 1m26.4s."), ProviderRefusal("day", NOW + 86.4, "rate_limit_exceeded", (said(REQUESTS, DAY, 1000, remaining=0, resets_at=NOW + 86400, continuous_refill=True),))),
    ("groq", 413, {}, openai("rate_limit_exceeded", "tokens", GROQ_LARGE + "tokens per minute (TPM): Limit 8000, Requested 16175, please reduce your message size and try again."), ProviderRefusal("too_large", None, "rate_limit_exceeded", (said(TOKENS, MINUTE, 8000),))),
    # output alone: no limit of ours
    ("groq", 413, {}, openai("rate_limit_exceeded", "tokens", GROQ_LARGE + "output tokens per minute (OTPM): Limit 1000, Requested 1295."), ProviderRefusal("too_large", None, "rate_limit_exceeded")),
    ("groq", 498, {}, openai("flex_capacity", "capacity"), None),
    # OpenRouter
    (
        "openrouter",
        429,
        {},
        openrouter(
            429,
            "Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 free model requests per day",
            {"headers": {"X-RateLimit-Limit": "50", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1790035200000"}, "error_type": "rate_limit_exceeded", "limit_source": "openrouter_free_tier_daily", "provider_name": None},
        ),
        ProviderRefusal("day", UTC_MIDNIGHT, "openrouter_free_tier_daily", (said(REQUESTS, DAY, 50, remaining=0, resets_at=UTC_MIDNIGHT, scope="tier", reset=Reset()),)),
    ),
    ("openrouter", 429, {}, openrouter(429, "Rate limit exceeded: free-models-per-day-high-balance. "), ProviderRefusal("day", UTC_MIDNIGHT, "429", (said(REQUESTS, DAY, None, remaining=0, resets_at=UTC_MIDNIGHT, scope="tier", reset=Reset()),))),
    (
        "openrouter",
        429,
        {},
        openrouter(429, "Rate limit exceeded: free-models-per-min. ", {"headers": {"X-RateLimit-Limit": "16", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1790000040000"}, "provider_name": None}),
        ProviderRefusal("minute", NOW + 40, "429", (said(REQUESTS, MINUTE, 16, remaining=0, resets_at=NOW + 40, scope="tier"),)),
    ),
    ("openrouter", 429, {}, openrouter(429, "Provider returned error", {"raw": "google/gemma-4-31b-it:free is temporarily rate-limited upstream. Please retry shortly.", "provider_name": "Google AI Studio"}), ProviderRefusal("minute", None, "429")),
    # held for requests in flight: comes back by itself
    (
        "openrouter",
        402,
        {"retry-after": "3"},
        openrouter(402, "This request would exceed your available credits given your current in-flight requests. Retry after in-flight requests settle, or add credits.", {"reason": "in_flight_budget_exhausted", "limit_source": "openrouter_in_flight_budget"}),
        ProviderRefusal("minute", NOW + 3, "openrouter_in_flight_budget"),
    ),
    *(("openrouter", 402, {}, openrouter(402, "Insufficient credits", {"limit_source": source}), ProviderRefusal("money", None, source)) for source in ("openrouter_credits", "openrouter_key_limit")),
    # Copilot
    ("copilot", 402, {"x-quota-snapshot-premium_interactions": "ent=300&ov=0.0&ovPerm=false&rem=0.0&rst=2026-10-01T00%3A00%3A00Z"}, {"error": {"message": "You have no quota", "code": "quota_exceeded"}}, ProviderRefusal("money", OCTOBER, "quota_exceeded")),
    ("copilot", 429, {"retry-after": "30"}, {"message": "rate limit exceeded", "code": "rate_limited"}, ProviderRefusal("minute", NOW + 30, "rate_limited")),
    ("copilot", 403, {"retry-after": "60"}, {"message": "You have exceeded a secondary rate limit.", "documentation_url": "…"}, ProviderRefusal("minute", NOW + 60, "")),
    ("copilot", 403, {}, {"message": "Resource not accessible by integration", "status": "403"}, None),
    # Mistral
    ("mistral", 429, {"retry-after": "2"}, {"object": "error", "message": "Requests rate limit exceeded", "type": "rate_limited", "param": None, "code": "1300"}, ProviderRefusal("minute", NOW + 2, "rate_limited")),
    ("mistral", 429, {}, {"object": "error", "message": "Service tier capacity exceeded for this model.", "type": "service_tier_capacity_exceeded", "param": None, "code": "3505"}, ProviderRefusal("overload", None, "service_tier_capacity_exceeded")),
    # Cerebras
    (
        "cerebras",
        429,
        {"x-ratelimit-remaining-requests-day": "0", "x-ratelimit-reset-requests-day": "33011.38"},
        {"message": "Requests per day limit exceeded - too many requests sent.", "type": "too_many_requests_error", "param": "quota", "code": "request_quota_exceeded"},
        ProviderRefusal("day", NOW + 33011.38, "request_quota_exceeded"),
    ),
    # Azure
    ("azure", 429, {"retry-after": "6", "retry-after-ms": "5500"}, openai("429", "", "Requests to the ChatCompletions_Create Operation have exceeded token rate limit of your current pricing tier. Please retry after 6 seconds."), ProviderRefusal("minute", NOW + 5.5, "429")),
    ("azure", 429, {}, openai("429", "", "Please retry after 6 seconds."), ProviderRefusal("minute", NOW + 6, "429")),
    # Bedrock
    ("bedrock", 429, {"x-amzn-errortype": "ThrottlingException:http://internal/"}, {"message": "Too many tokens, please wait before trying again."}, ProviderRefusal("minute", None, "ThrottlingException")),
    ("bedrock", 429, {}, {"__type": "ThrottlingException", "message": "Too many tokens per day, please wait before trying again."}, ProviderRefusal("day", NOW + 3600, "ThrottlingException")),
    ("bedrock", 429, {"x-amzn-errortype": "ModelNotReadyException"}, {"message": "…"}, ProviderRefusal("overload", None, "ModelNotReadyException")),
    # Cohere
    ("cohere", 429, {}, {"id": "24e32f6d", "message": "You are using a Trial key, which is limited to 20 API calls / minute."}, ProviderRefusal("minute", None, "", (said(REQUESTS, MINUTE, 20, remaining=0),))),
    ("cohere", 429, {}, {"id": "24e32f6d", "message": "You are using a Trial key, which is limited to 1000 API calls / month."}, ProviderRefusal("day", OCTOBER, "", (said(REQUESTS, MONTH, 1000, remaining=0, resets_at=OCTOBER, scope="provider"),))),
    # Together
    ("together", 429, {"x-ratelimit-reset": "3"}, openai("", "dynamic_request_limited"), ProviderRefusal("minute", NOW + 3, "dynamic_request_limited")),
    # Cloudflare
    ("cloudflare", 429, {}, {"success": False, "errors": [{"code": 4006, "message": "you have used up your daily free allocation of 10,000 neurons, please upgrade"}]}, ProviderRefusal("day", UTC_MIDNIGHT, "4006")),
    # NVIDIA, DeepSeek, Moonshot, Z.ai, DashScope, Hugging Face, xAI, Ollama
    ("nvidia", 429, {}, {"status": 429, "title": "Too Many Requests"}, ProviderRefusal("minute", None, "429")),
    ("none", 402, {}, openai("invalid_request_error", "unknown_error", "Insufficient Balance"), ProviderRefusal("money", None, "unknown_error")),
    ("none", 429, {}, openai("", "exceeded_current_quota_error", "Your account is suspended"), ProviderRefusal("money", None, "exceeded_current_quota_error")),
    ("none", 429, {}, openai("", "rate_limit_reached_error", "request reached max request: 3, please try again after 1 seconds"), ProviderRefusal("minute", NOW + 1, "rate_limit_reached_error")),
    ("none", 429, {}, {"error": {"code": "1113", "message": "Insufficient balance or no resource package. Please recharge."}}, ProviderRefusal("money", None, "1113")),
    ("none", 429, {}, {"error": {"code": "1302", "message": "High concurrency usage"}}, ProviderRefusal("minute", None, "1302")),
    ("none", 429, {}, openai("insufficient_quota", "insufficient_quota", "Allocated quota exceeded, please increase your quota limit."), ProviderRefusal("minute", None, "insufficient_quota")),
    ("none", 403, {}, openai("AllocationQuota.FreeTierOnly", "AllocationQuota.FreeTierOnly"), ProviderRefusal("money", None, "AllocationQuota.FreeTierOnly")),
    ("none", 402, {}, {"error": "You have exceeded your monthly included credits for Inference Providers."}, ProviderRefusal("money", None, "")),
    ("none", 403, {}, {"code": "The caller does not have permission", "error": "Your team has either used all available credits or reached its monthly spending limit."}, ProviderRefusal("money", None, "The caller does not have permission")),
    ("none", 429, {}, {"error": "you've reached your weekly usage limit, please upgrade to continue"}, ProviderRefusal("day", NOW + 3600, "")),
    # By a code a 400 may speak of money and days; by its text, which may be the request's, never
    ("none", 400, {}, openai("insufficient_quota", "insufficient_quota"), ProviderRefusal("money", None, "insufficient_quota")),
    ("none", 400, {}, openai("", "Arrearage"), ProviderRefusal("money", None, "Arrearage")),
    ("cloudflare", 400, {}, {"success": False, "errors": [{"code": 4006, "message": "you have used up your daily free allocation"}]}, ProviderRefusal("day", UTC_MIDNIGHT, "4006")),
    ("none", 400, {}, openai("invalid_function_parameters", "invalid_request_error", "Invalid schema for function 'daily': insufficient balance, (RPD): Limit 1, Requested 2. Try again in 12 days."), None),
    # Money for a smaller request there is
    ("openrouter", 402, {}, openrouter(402, "This request requires more credits, or fewer max_tokens. You requested up to 64000 tokens, but can only afford 1234."), ProviderRefusal("too_large", None, "402")),
    ("openrouter", 402, {}, openrouter(402, "Prompt tokens limit exceeded: 9000 > 1000."), ProviderRefusal("too_large", None, "402")),
    # Plans: the provider's own date, in every form
    ("none", 429, {}, {"error": {"code": "1308", "message": "Usage limit reached for 5 hour. Your limit will reset at 2026-09-21 18:13:20"}}, ProviderRefusal("day", NOW + 14400, "1308")),
    ("none", 429, {}, {"error": {"code": "1310", "message": "Weekly/Monthly Limit Exhausted. Your limit will reset at 2026-09-25 14:13:20"}}, ProviderRefusal("day", NOW + 345600, "1310")),
    ("none", 429, {}, {"error": {"code": "1308", "message": "已达到 5 小时的使用上限。您的限额将在 2026-09-21 18:13:20 重置。"}}, ProviderRefusal("day", NOW + 14400, "1308")),
    ("none", 429, {"retry-after": "60"}, {"error": {"type": "UsageLimitError", "message": "Monthly usage limit reached. Resets in 12 days."}}, ProviderRefusal("day", NOW + 12 * 86400, "UsageLimitError")),
    ("none", 429, {}, openai("", "usage_limit_reached") | {"error": {"type": "usage_limit_reached", "resets_in_seconds": 5000}}, ProviderRefusal("day", NOW + 5000, "usage_limit_reached")),
    ("none", 429, {}, openai("", "rate_limit_error", "You have reached your session usage limit. Resets in 5 hours."), ProviderRefusal("day", NOW + 18000, "rate_limit_error")),
    ("none", 429, {}, {"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "You have exhausted your capacity on this model. Your quota will reset after 18h31m10s."}}, ProviderRefusal("day", NOW + 66670, "RESOURCE_EXHAUSTED")),
    # The IETF's fields
    ("none", 429, {"ratelimit": '"default";r=0;t=30'}, None, ProviderRefusal("minute", NOW + 30, "")),
    ("none", 429, {"ratelimit-remaining": "0", "ratelimit-reset": "9"}, None, ProviderRefusal("minute", NOW + 9, "")),
    # Names are no words about limits
    ("none", 429, {}, openai("rate_limit_exceeded", "requests", "Rate limit reached for model `daily-news` in organization `weekly`"), ProviderRefusal("minute", None, "rate_limit_exceeded")),
    # Nothing to read
    ("none", 429, {}, None, ProviderRefusal("minute", None, "")),
    ("none", 429, {"retry-after": "7200"}, None, ProviderRefusal("day", NOW + 7200, "")),
    ("none", 413, {}, None, ProviderRefusal("too_large", None, "")),
    ("none", 402, {}, None, ProviderRefusal("money", None, "")),
    ("none", 403, {}, None, None),
    ("none", 400, {}, openai("context_length_exceeded", "invalid_request_error"), None),
    ("none", 500, {}, openai("insufficient_quota", "insufficient_quota"), None),
]
# fmt: on


@each_row(("parser", "status", "headers", "body", "expected"), ROWS)
def test_refusals(
    parser: str,
    status: int,
    headers: Mapping[str, str],
    body: object,
    expected: ProviderRefusal | None,
) -> None:
    raw = b"<html>nope</html>" if body is None else json.dumps(body).encode()
    assert refusal(parser, status, headers, raw) == expected


def test_money_that_the_request_speaks_of_is_nobodys() -> None:
    body = json.dumps(openai("", "", "Rejected: insufficient balance")).encode()
    money = refusal("none", 429, {}, body)
    assert money is not None
    assert money.kind == "money"
    quoted = refusal("none", 429, {}, body, said=lambda text: "balance" in text)
    assert quoted is not None
    assert quoted.kind == "minute"


def test_a_calendar_of_ones_own_wins() -> None:
    body = json.dumps(
        google("GenerateRequestsPerDayPerProject-FreeTier", "20")
    ).encode()
    got = refusal("google", 429, {}, body, Reset(12, 0, "UTC"))
    assert got is not None
    assert got.until == 1_790_078_400.0  # 2026-09-22 12:00 UTC
    assert got.observations[0].scope == "provider"
    assert got.observations[0].reset == Reset(12, 0, "UTC")


def test_an_html_page_may_still_speak() -> None:
    got = refusal("none", 429, {}, b"<h1>Daily limit reached</h1>")
    assert got == ProviderRefusal("day", NOW + 3600, "")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "error",
                    "errors",
                    "code",
                    "type",
                    "message",
                    "status",
                    "details",
                    "metadata",
                    "headers",
                    "violations",
                    "quotaId",
                    "quotaValue",
                    "retryDelay",
                    "reason",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)
bodies = st.one_of(
    st.binary(max_size=200),
    json_values.map(lambda value: json.dumps(value).encode()),
    st.text(max_size=60).map(
        lambda t: json.dumps(
            openai(t, t, f"(TPM): Limit {t}, Used {t}. try again in {t}")
        ).encode()
    ),
    st.just(b"[" * 100_000),
    st.just(b'{"error": {"code": ' + b"9" * 5000 + b"}}"),
)


@given(
    st.sampled_from(["openai", "google", "openrouter", "copilot", "none"]),
    st.sampled_from([400, 402, 403, 413, 429, 498, 500, 503, 529]),
    bodies,
    st.text(max_size=20),
)
def test_nothing_is_too_strange(
    parser: str, status: int, body: bytes, text: str
) -> None:
    got = refusal(parser, status, {"retry-after": text}, body)
    if got is not None:
        assert got.until is None or NOW < got.until <= NOW + MAX_WAIT_SECONDS + 86_400
        assert len(got.code) <= 100
        assert got.code.isprintable()
