"""What is said of a name that nobody has."""

import time

from tables import each_row

from llm_gateway.providers.model_index import unknown_model

NAMES = ["gpt-4o", "llama-3.3-70b-versatile", "mistral-large", "coder", "fast"]
MANY = [f"vendor-{n}/model-{n}-instruct" for n in range(5_000)]


@each_row("names", [NAMES, [*MANY, *NAMES]], ids=["few", "many"])
@each_row(
    ("asked", "meant"),
    [
        ("gpt-4", "gpt-4o"),
        ("gtp-4o", "gpt-4o"),
        ("GPT_4o", "gpt-4o"),
        ("llama-3.3-70b", "llama-3.3-70b-versatile"),
        ("mistrl-large", "mistral-large"),
        ("codr", "coder"),
        ("nope", None),
        ("", None),
        ("/:-", None),
        ("gpt-4o" * 100, None),
    ],
)
def test_the_name_that_was_meant(
    asked: str, meant: str | None, names: list[str]
) -> None:
    said = unknown_model(asked, names)
    assert said.startswith(f"The model {asked!r} does not exist here.")
    assert said.partition("here.")[2] == (f" Did you mean {meant!r}?" if meant else "")


def test_a_long_list_costs_little() -> None:
    """It is looked for on the event loop."""
    began = time.process_time()
    unknown_model("vendor-x/model-instruct-preview", MANY)
    assert time.process_time() - began < 0.25
