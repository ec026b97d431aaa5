"""What passes to an intercepted host where only what is free may: the table, line by line."""

import pytest
from tables import each_row

from llm_gateway.pipeline.free_passage import billable

FREE = """
GET /v1/models
GET /v1/images/generations
DELETE /v1/files/file-1
GET /api/models/meta%2Fllama
POST /v1/files
POST /v1/files/
POST //v1//files
POST /v1/%66iles
POST /v1/files/file-1/content
POST /openai/v1/files?purpose=x
POST /openai/files
POST /files
POST /v1/uploads
POST /v1/uploads/u_1/parts
POST /v1/uploads/u_1/complete
POST /upload/v1beta/files?upload_id=1
PUT /resumable/upload/v1beta/files
POST /v1/conversations
POST /v1/conversations/c_1/items
POST /v1/messages/count_tokens?beta=true
POST /v1/responses/input_tokens
POST /v1beta/models/gemini-3:countTokens
POST /v1/projects/p/locations/l/publishers/google/models/gemini-3:countTokens
POST /v1/responses/resp_1/cancel
POST /v1/messages/batches/b_1/cancel
POST /v1/batches/b_1/cancel
POST /v1beta/batches/b_1:cancel
POST /v1/fine_tuning/jobs/j_1/cancel
POST /v1/vector_stores/vs_1/file_batches/b_1/cancel
POST /api/event_logging/batch
POST /api/event_logging/v2/batch
POST /v1/traces/ingest
POST /otlp/v1/metrics
POST /backend-api/codex/analytics-events/events
POST /v1/rgstr
POST /telemetry
POST /oauth/token
POST /v1/oauth/token
POST /login/device/code
POST /login/oauth/access_token
POST /api/accounts/deviceauth/usercode
POST /oauth2/v4/token
POST /token
POST /api/claude_cli_feedback
""".strip().splitlines()
BILLED = """
POST /v1/audio/speech
POST /v1/images/generations
POST /v1/vector_stores
POST /v1/vector_stores/vs_1/files
POST /v1/vector_stores/vs_1/files/
POST /v1/vector_stores/vs_1/file_batches
POST /v1/containers/c_1/files
POST /v1beta/fileSearchStores/f/files
POST /v1beta/models/g:generateContent/cancel
POST /v1beta/models/g:batchGenerateContent
POST /v1beta/models/g:predictLongRunning
POST /v1beta/models/g:countTokens:generateContent
POST /v1beta/cachedContents
POST /v1/audio/speech/files
POST /v1/images/generations/v1/files
POST /v1/videos/logs
POST /v1/fine_tuning/jobs/events
POST /v1/models/replicate/token
POST /v1/threads/t/runs/files
POST /v1/evals/e/runs/cancel
POST /v1/chat/completions/files
POST /v1/files/file-1/images/generations
POST /v1/auth/images/generations
POST /v1/images/generations?x=/files
POST /v1/images/generations?/files
PUT /v1/chat/completions
PATCH /v1/images/generations
post /v1/images/generations
QUERY /v1/images/generations
GET /v1/realtime
GET /v1/realtim%65
GET /v1/x/%72ealtime?y
POST /v1/realtime/sessions
""".strip().splitlines()
ODD = """
POST /v1/files/../images/generations
POST /v1/files/./x
POST /v1/files/..%2fimages/generations
POST /v1/files/%2e%2e/images/generations
POST /v1/files/%252e%252e/images/generations
POST /v1/files/.%2E/images/generations
POST /v1/files/..;/images/generations
POST /v1/files/..;x=1/images/generations
POST /v1/files/..\\images/generations
POST /v1/files/..%5cimages/generations
POST /v1/files/x%2Fy
POST /v1/files/x%252Fy
POST /v1/files/x%00
POST /v1/files/%zz
POST /v1/images/generations;/files
POST /v1/files;x=1
POST /v1/images/generations%3F/files
POST /v1/images/generations%23/files
POST /v1/images/generations#/files
POST /v1/messages/batches/../../messages/count_tokens
POST /v1/conversations/../images/generations
POST /v1/uploads/u/../../images/generations
POST /v1/token/../images/generations
GET /v1/files/../x
DELETE /v1/files/%2e%2e/x
""".strip().splitlines()


def asked(line: str) -> str:
    method, path = line.split(" ", 1)
    return billable(method, path, "")


@each_row("line", FREE)
def test_free(line: str) -> None:
    assert asked(line) == ""


@each_row("line", BILLED)
def test_not_known_to_be_free(line: str) -> None:
    assert asked(line) not in ("",)
    assert "plainly" not in asked(line)


@each_row("line", ODD)
def test_a_path_that_is_not_plain_is_none_of_the_table(line: str) -> None:
    assert asked(line).startswith("a path with ")
    assert asked(line).endswith("write it plainly")


@pytest.mark.parametrize(
    "name",
    ["x-http-method-override", "x-http-method", "x-method-override", "x-original-url"],
)
@pytest.mark.parametrize("method", ["GET", "DELETE", "POST"])
def test_no_header_makes_another_request_of_it(name: str, method: str) -> None:
    assert name in billable(method, "/v1/files", "", {name: "POST"})
    assert billable(method, "/v1/files", "", {"x-other": "POST"}) == ""


@pytest.mark.parametrize(
    "query", ["_method=POST", "a=1&_method=post", "$httpMethod=POST"]
)
def test_no_query_makes_another_request_of_it(query: str) -> None:
    assert "query" in billable("GET", f"/v1/images/generations?{query}", "")
