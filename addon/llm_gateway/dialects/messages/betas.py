"""Betas of Anthropic's API (`anthropic-beta`) and the members of a body that each allows.

A beta and its members travel together or not at all: a provider that is not told of the
beta refuses the member, and one that does not know the beta refuses the header.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from llm_gateway.adaptation.adapted import ListHeader
from llm_gateway.adaptation.vocabulary import Quirk, Quirks
from llm_gateway.dialects.conversation import as_list
from llm_gateway.dialects.request_draft import Draft

HEADER = "anthropic-beta"
IN_BODY = ("anthropic_beta", "betas")
"""Members that hold the same list: Bedrock's and Google Cloud's, the SDKs'."""
BINDING = "thinking-binding-controls-2026-08-01"

MEMBERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "context-management-*": ("member:context_management",),
        "compact-*": ("member:context_management",),
        "mcp-client-*": ("member:mcp_servers", "tool_type:mcp_toolset=out"),
        "code-execution-*": ("member:container", "tool_type:code_execution_*=out"),
        "skills-*": ("member:container",),
        "files-api-*": ("source:file=unfit", "block:container_upload=unfit"),
        "fast-mode-*": ("member:speed",),
        "server-side-fallback-*": ("member:fallbacks",),
        "fine-grained-tool-streaming-*": ("tool:eager_input_streaming",),
        "advanced-tool-use-*": (
            *("tool:defer_loading", "tool:allowed_callers", "tool:input_examples"),
            "tool_type:tool_search_tool_*=out",
        ),
        "tool-search-tool-*": (
            "tool:defer_loading",
            "tool_type:tool_search_tool_*=out",
        ),
        "prompt-caching-scope-*": ("cache_control:scope",),
        "extended-cache-ttl-*": ("cache_control:ttl",),
        "thinking-binding-controls-*": ("thinking:block_binding=out",),
    }
)
"""Beta -> quirks that leave its members out. Betas without members are not here.
Source: platform.claude.com, beta headers and the pages of each feature (2026-10)."""

BETAS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        text: tuple(beta for beta, texts in MEMBERS.items() if text in texts)
        for text in dict.fromkeys(text for texts in MEMBERS.values() for text in texts)
    }
)
"""The other way round: some members have several betas, each of which allows them."""


def with_members(quirks: Quirks) -> Quirks:
    """The quirks, and those that follow from a beta that is not sent."""
    refused = quirks.names("beta")
    if not refused:
        return quirks
    only = _only(quirks)
    follow = []
    for text, betas in BETAS.items():
        named = any(_same(beta, name) for beta in betas for name in refused - {"*"})
        if named or (only is not None and not _any_of(betas, only)):
            follow.append(Quirk.parse(text))
    return Quirks(follow) | quirks


def edit_betas(draft: Draft, quirks: Quirks, add: tuple[str, ...] = ()) -> None:
    """The lists of betas, in the header and in the body."""
    drop = [name for name in quirks.names("beta") if name != "*"]
    drop += [beta for beta, texts in MEMBERS.items() if _left_out(texts, quirks)]
    only = _only(quirks)
    if not drop and not add and only is None:
        return
    edit = ListHeader(HEADER, add, tuple(sorted(set(drop))), only)
    draft.header(edit)
    for name in IN_BODY:
        given = draft.get(name)
        kept = [b for b in as_list(given) if isinstance(b, str) and edit.keeps(b)]
        if not isinstance(given, list) or len(kept) == len(given):
            continue
        if kept:
            draft.put(name, kept, HEADER)
        else:
            draft.drop(name, HEADER)


def _only(quirks: Quirks) -> tuple[str, ...] | None:
    """What may be sent; None: anything."""
    value = quirks.value("beta", "*")
    return None if value is None else tuple(filter(None, value.split(",")))


def _left_out(texts: Iterable[str], quirks: Quirks) -> bool:
    """The first of a beta's members is what it is for."""
    first = Quirk.parse(next(iter(texts)))
    return quirks.value(first.kind, first.name) == first.value and first.kind not in (
        "source",
        "block",
    )


def _any_of(betas: Iterable[str], names: Iterable[str]) -> bool:
    return any(_same(beta, name) for beta in betas for name in names)


def _same(beta: str, name: str) -> bool:
    """One of our patterns, and a name or pattern of somebody else's."""
    stem = beta.removesuffix("*")
    return name.startswith(stem) or (
        name.endswith("*") and stem.startswith(name.removesuffix("*"))
    )
