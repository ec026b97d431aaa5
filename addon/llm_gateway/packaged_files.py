"""Files that ship with the gateway: beside the clone's `addon/`, else in the package."""

from importlib.resources import files
from pathlib import Path


def shipped(name: str) -> Path:
    """`config.example.jsonc` or `datasette-metadata.json`, wherever they lie."""
    beside = Path(__file__).parents[2] / name
    if beside.is_file():
        return beside
    return Path(str(files("llm_gateway") / "data" / name))


def example_config() -> str:
    return shipped("config.example.jsonc").read_text("utf-8")
