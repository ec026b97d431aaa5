"""Ids of Responses items: each type's begin with its own letters."""

from collections.abc import Mapping
from types import MappingProxyType

PREFIXES: Mapping[str, str] = MappingProxyType(
    {
        "message": "msg",
        "reasoning": "rs",
        "function_call": "fc",
        "function_call_output": "fc",
        "custom_tool_call": "ctc",
        "custom_tool_call_output": "ctc",
        "additional_tools": "at",
        "tool_search_call": "tsc",
        "compaction": "cmp",
        "web_search_call": "ws",
        "file_search_call": "fs",
        "code_interpreter_call": "ci",
        "image_generation_call": "ig",
        "computer_call": "cu",
    }
)
"""Type of an item -> what its id begins with. Source: openai/openai-openapi (2026-08) and
the API's own refusals (`Expected an ID that begins with 'ctc'`)."""


def is_own(kind: str, id_: object) -> bool:
    """An id that the API itself could have given to an item of this type."""
    prefix = PREFIXES.get(kind)
    return prefix is None or (isinstance(id_, str) and id_.startswith(f"{prefix}_"))
