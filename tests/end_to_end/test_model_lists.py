"""Models from a provider's own list: offered, followed while the gateway runs, kept over a
restart; and what is left of an account, asked of it.

One gateway for all of it: a fake OpenRouter whose list and quota change.
"""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from fakes import FakeProvider, answers
from gateway import GatewayProcess, chat

FREE = {"prompt": "0", "completion": "0", "request": "0", "image": "0"}
PAID = {"prompt": "0.000002", "completion": "0.000004", "request": "0", "image": "0"}


def entry(name: str, pricing: dict[str, str], **more: Any) -> dict[str, Any]:
    return {
        "id": name,
        "pricing": pricing,
        "context_length": 32_768,
        "top_provider": {"context_length": 32_768, "max_completion_tokens": 4_096},
        "architecture": {"output_modalities": ["text"]},
        **more,
    }


@dataclass
class OpenRouter:
    """What the fake says when it is asked."""

    models: list[dict[str, Any]]
    key: Any = field(default_factory=dict)
    status: int = 200

    def answer(self, request: Any) -> Any:
        if request.method == "POST":
            return answers.ok()
        if request.path.endswith("/models"):
            return answers.Answer.json(self.status, {"data": self.models})
        return answers.Answer.json(200, {"data": self.key})


@pytest.fixture(scope="module")
def router() -> OpenRouter:
    return OpenRouter(
        [
            entry("a/one:free", FREE),
            entry("a/one", PAID),
            entry("b/two:free", FREE),
            entry("c/guard:free", FREE),
            entry("d/embed-1", FREE, architecture={"output_modalities": ["embeddings"]}),
        ]
    )
