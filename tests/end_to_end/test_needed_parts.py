"""What a dialect needs and its provider's cannot carry, row by row of the tables: the reason
stands in `/route`, and in the 400 that the client gets; nobody is asked.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from fakes import FakeProvider, answers
from translation.samples import sample
from translation.test_carried import CODECS, PAIRS

from gateway import GatewayProcess, provider
from llm_gateway.translation.carried import Kind, PartName

from .conftest import Start

PATHS = {
    "chat": "/v1/chat/completions",
    "messages": "/v1/messages",
    "responses": "/v1/responses",
    "generateContent": "/v1beta/models/{model}:generateContent",
}
OF_ACCOUNTS = {PartName.STATE, PartName.DOCUMENT_FILE, PartName.IMAGE_FILE}
"""What names something that an account keeps may be refused before that, in other words."""


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeProvider]:
    with FakeProvider(answers.ok("Hello")) as found:
        yield found


@pytest.fixture(scope="module")
def gateway(start_shared: Start, fake: FakeProvider) -> GatewayProcess:
    """A provider of each dialect: the model `on-chat` is where chat alone is spoken."""
    entries = [
        provider(fake, name, f"on-{name}", dialects=[name], free=True)
        for name in CODECS
    ]
    return start_shared({"providers": entries})


def needed(source: str, target: str) -> list[tuple[PartName, str]]:
    """(part, why) of the pair's rows."""
    fates = CODECS[target].fates
    return [
        (part, fates[part].text)
        for part in PartName
        if part in CODECS[source].says and fates[part].kind is Kind.NEEDED
    ]


def asked(source: str, target: str, part: PartName) -> dict[str, Any]:
    return {**sample(source, part), "model": f"on-{target}"}


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_the_reason_is_told(
    gateway: GatewayProcess, fake: FakeProvider, source: str, target: str
) -> None:
    rows = needed(source, target)
    assert rows
    before = len(fake.requests)
    for part, why in rows:
        body = asked(source, target, part)
        model = body["model"]
        question = {"model": model, "dialect": source, "body": body}
        status, _, judged = gateway.post("/route", question)
        assert status == 200, (part, judged)
        [candidate] = judged["candidates"]
        assert candidate["verdict"] == "skipped", part
        reason = candidate["reason"]
        assert reason.startswith("cannot carry: "), part
        assert why in reason, part
        if source == "generateContent":
            del body["model"]
        path = PATHS[source].replace("{model}", model)
        status, _, refused = gateway.post(path, body)
        assert status == 400, (part, refused)
        if part not in OF_ACCOUNTS:
            assert reason in refused["error"]["message"], part
    assert len(fake.requests) == before
