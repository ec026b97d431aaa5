"""What an account keeps: request lines about it, and where requests name it by id."""

import json

import pytest
from tables import each_row

from llm_gateway.dialects import SPECS, is_request_path, match_resource
from llm_gateway.dialects.openai_resources import VECTOR_STORES
from llm_gateway.dialects.resources import (
    MOST_IDS,
    Resource,
    ResourcePath,
    made_ids,
    may_name,
    named_ids,
)

A, G = {"anthropic-version": "2023-06-01"}, {"x-goog-api-key": "k"}

LINES = [
    ("/v1/files", {}, ("chat", "files", "", "")),
    ("/files/", {}, ("chat", "files", "", "")),
    ("//v1//files/file-1", {}, ("chat", "files", "file-1", "")),
    ("/openai/v1/files/file-1/content?x=1", {}, ("chat", "files", "file-1", "/content")),
    ("/v1/files/file_1", A, ("messages", "files", "file_1", "")),
    ("/v1beta/files/abc", G, ("generateContent", "files", "abc", "")),
    ("/v1beta/files/abc", {}, ("generateContent", "files", "abc", "")),
    ("/v1/files/abc", G, ("generateContent", "files", "abc", "")),
    ("/upload/v1beta/files", G, ("generateContent", "files", "", "")),
    ("/upload/V1alpha/files", {}, ("generateContent", "files", "", "")),
    ("/v1beta/openai/files", {}, ("chat", "files", "", "")),
    ("/v1beta/uploads", {}, None),
    ("/v1/uploads/upload_1/parts", {}, ("chat", "uploads", "upload_1", "/parts")),
    ("/v1/conversations", {}, ("responses", "conversations", "", "")),
    ("/v1/conversations/conv_1/items/i", {}, ("responses", "conversations", "conv_1", "/items/i")),
    ("/v1/vector_stores/vs_1/files/file-1", {}, ("responses", "vector_stores", "vs_1", "/files/file-1")),
    ("/v1/containers/cntr_1/files/f/content", {}, ("responses", "containers", "cntr_1", "/files/f/content")),
    ("/v1beta/cachedContents", {}, ("generateContent", "cachedContents", "", "")),
    ("/v1beta/cachedContents/a%2fb", {}, ("generateContent", "cachedContents", "a/b", "")),
    ("/v1/profiles", {}, None),
    ("/v1/filesystem/x", {}, None),
    ("/v1/models/files", {}, None),
    ("/v1/models/m/files", {}, None),
    ("/v1/chat/completions", {}, None),
    ("/v1/responses/resp_1", {}, None),
    ("/", {}, None),
]  # fmt: skip


@each_row(("path", "headers", "expected"), LINES)
def test_lines_about_resources(
    path: str, headers: dict[str, str], expected: tuple[str, ...] | None
) -> None:
    found = match_resource(path, headers)
    if expected is None:
        assert found is None
        return
    assert found is not None
    spec, line = found
    assert (spec.name, line.resource.path, line.id, line.below) == expected
    assert is_request_path(path.partition("?")[0].rstrip("/").replace("//", "/"))


NAMED = [
    ("responses", {"previous_response_id": "resp_1"}, {("answer", "resp_1")}),
    ("responses", {"conversation": "conv_1"}, {("conversation", "conv_1")}),
    ("responses", {"conversation": {"id": "conv_1"}}, {("conversation", "conv_1")}),
    ("responses", {"conversation": None, "previous_response_id": 5}, set()),
    ("responses", {"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "file-1"}]}]}, {("file", "file-1")}),
    ("responses", {"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "file-1"}]}]}, {("file", "file-1")}),
    ("responses", {"tools": [{"type": "file_search", "vector_store_ids": ["vs_1", "vs_2"]}]}, {("vector store", "vs_1"), ("vector store", "vs_2")}),
    ("responses", {"tools": [{"type": "code_interpreter", "container": "cntr_1"}]}, {("container", "cntr_1")}),
    ("responses", {"tools": [{"type": "code_interpreter", "container": {"type": "auto", "file_ids": ["file-1"]}}]}, {("file", "file-1")}),
    ("chat", {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "file-1"}}]}]}, {("file", "file-1")}),
    ("messages", {"messages": [{"role": "user", "content": [{"type": "document", "source": {"type": "file", "file_id": "file_1"}}]}]}, {("file", "file_1")}),
    ("messages", {"messages": [{"role": "user", "content": [{"type": "container_upload", "file_id": "file_1"}]}]}, {("file", "file_1")}),
    ("messages", {"container": "container_1"}, {("container", "container_1")}),
    ("messages", {"container": {"id": "container_1", "skills": []}}, {("container", "container_1")}),
    ("generateContent", {"cachedContent": "cachedContents/abc"}, {("cache", "cachedContents/abc")}),
    ("generateContent", {"cached_content": "cachedContents/abc"}, {("cache", "cachedContents/abc")}),
    ("generateContent", {"contents": [{"parts": [{"fileData": {"fileUri": "https://g.example/v1beta/files/abc?x=1"}}]}]}, {("file", "files/abc")}),
    ("generateContent", {"contents": [{"parts": [{"file_data": {"file_uri": "files/abc"}}]}]}, {("file", "files/abc")}),
    ("chat", {"messages": [{"role": "user", "content": "my file_id is file-1"}]}, set()),
    ("chat", {"messages": [{"role": "tool", "content": "{\"file_id\": \"file-1\"}"}]}, set()),
    ("chat", {"messages": [{"content": [{"file_id": "x" * 300}, {"file_id": 7}, {"file_id": ""}]}]}, set()),
    ("messages", {"container": ["a"]}, set()),
]  # fmt: skip


@each_row(("dialect", "body", "expected"), NAMED)
def test_what_a_request_names(
    dialect: str, body: dict[str, object], expected: set[tuple[str, str]]
) -> None:
    members = next(s for n, s in SPECS.items() if n == dialect).id_members
    assert members is not None
    assert set(named_ids(body, members)) == expected
    if expected:
        assert may_name(json.dumps(body).encode(), frozenset(body), members)


def test_depth_and_number_are_the_senders_choice() -> None:
    members = SPECS[next(n for n in SPECS if n == "chat")].id_members
    assert members is not None
    deep: object = {"file_id": "file-1"}
    for _ in range(100_000):
        deep = [deep]
    assert [one.id for one in named_ids({"messages": deep}, members)] == ["file-1"]
    many = [{"file_id": f"file-{n}"} for n in range(10_000)]
    assert len(named_ids({"messages": many}, members)) == MOST_IDS


MADE = [
    ({"id": "file-1"}, "id", ("file-1",)),
    ({"id": "upload_1", "file": {"id": "file-1"}}, "id", ("upload_1", "file-1")),
    ({"id": "upload_1", "file": None}, "id", ("upload_1",)),
    ({"name": "cachedContents/a", "id": "x"}, "name", ("cachedContents/a",)),
    ({"file": {"name": "files/a"}}, "name", ("files/a",)),
    ({"id": "x" * 300}, "id", ()),
    ({"id": 4}, "id", ()),
    (["id"], "id", ()),
    (None, "id", ()),
]


@pytest.mark.parametrize(("answer", "member", "expected"), MADE)
def test_what_an_answer_made(
    answer: object, member: str, expected: tuple[str, ...]
) -> None:
    assert made_ids(answer, Resource("things", "thing", id_member=member)) == expected


@pytest.mark.parametrize(
    ("method", "below", "free"),
    [
        ("GET", "", True),
        ("GET", "/files", True),
        ("DELETE", "", True),
        ("DELETE", "/files/file-1", True),
        ("POST", "/file_batches/b_1/cancel", True),
        ("POST", "", False),
        ("POST", "/files", False),
        ("POST", "/file_batches", False),
        ("POST", "/search", False),
        ("PATCH", "", False),
        ("PUT", "/files", False),
        ("POST", "/cancelled", False),
    ],
)
def test_what_of_a_billed_resource_is_free(method, below, free):
    line = ResourcePath(VECTOR_STORES, "vs_1", below)
    assert line.is_free(method) is free
