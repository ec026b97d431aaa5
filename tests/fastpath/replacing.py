"""What a module would replace of mitmproxy, and whether it knows the texts of that."""

from llm_gateway.mitm_compat import fingerprints


def replacements(monkeypatch, module, may_lack=frozenset()):
    """A list that `module.install()` fills: (name, is its original one that is known).

    may_lack: names whose original need not be there.
    """
    seen = []

    def replace(owner, name, new, digests, relies_on=()):
        lacks = name in may_lack and not hasattr(owner, name)
        is_known = (
            lacks
            or fingerprints.digest(*(relies_on or (getattr(owner, name),))) in digests
        )
        seen.append((name, is_known))

    monkeypatch.setattr(module, "replace", replace)
    return seen
