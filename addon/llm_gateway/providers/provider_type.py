"""What is known about one type of provider: the shape of a row.

What lives here: `ProviderType` and the small values it is made of. The rows
themselves are in `table.py`.

What this file does not know: any provider's name, the user's config, a socket.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from llm_gateway.adaptation.makers import Scope
from llm_gateway.dialects import SPECS
from llm_gateway.dialects.billed import Bill
from llm_gateway.dialects.chat import CHAT as _chat
from llm_gateway.dialects.completions import COMPLETIONS as _completions
from llm_gateway.dialects.embeddings import EMBEDDINGS as _embeddings
from llm_gateway.dialects.generate_content import GENERATE_CONTENT as _generate_content
from llm_gateway.dialects.messages import MESSAGES as _messages
from llm_gateway.dialects.responses import RESPONSES as _responses
from llm_gateway.domain import Dialect, Reset
from llm_gateway.providers.paid_extras import Paid, Unpaid
from llm_gateway.providers.published import AccountFact, FreePreset, ModelFact

StreamUsage = Literal["ask", "always", "reject"]

CHAT, COMPLETIONS, EMBEDDINGS = _chat.name, _completions.name, _embeddings.name
RESPONSES, MESSAGES = _responses.name, _messages.name
GENERATE_CONTENT = _generate_content.name
"""Names of the dialects, for the rows."""


def speaks(*dialects: Dialect) -> Mapping[Dialect, str]:
    """These dialects, at the usual paths."""
    return {dialect: SPECS[dialect].path for dialect in dialects}


OPENAI = speaks(CHAT, COMPLETIONS, EMBEDDINGS, RESPONSES)


@dataclass(frozen=True, slots=True)
class Variant:
    """Another address of the same type, chosen by a field of the config."""

    when: str
    """Config key that chooses it: `apiVersion`, `location`."""
    value: str | None
    """The value that chooses it; None: any value."""
    base_url: str
    paths: Mapping[Dialect, str] | None = None
    """None: the row's. `{model}` stands for the name that is sent."""
    query: str = ""
    empty_path: str | None = None
    """What a `baseURL` without a path gets; None: as the row says."""


@dataclass(frozen=True, slots=True)
class QuotaRoute:
    """Where a provider is asked what is left of an account; the question costs nothing."""

    path: str
    """From the host's root; `github`: GitHub's API, with the OAuth token."""
    shape: str
    """How the answer is spelt: a shape of `quota_readers`."""
    hosts: tuple[str, ...] = ()
    """Only these hosts have it; empty: every host of the type, and whatever `baseURL`
    names."""
    base: str = ""
    """Only where the base's path begins so."""
    member: tuple[str, ...] = ()
    """Shape `balance`: where in the answer the money stands."""
    per_dollar: int = 1
    """What of its unit makes a dollar."""
    elsewhere: tuple[str, ...] = ()
    """Hosts that tell money in another currency: of theirs, only that nothing is left."""
    what: str = ""
    """What is told, for people."""
    source: str = ""
    """Where the facts come from."""


@dataclass(frozen=True, slots=True)
class ProviderType:
    """One row: how a type of provider is reached and what it is like."""

    type: str
    """What the config calls it."""
    title: str
    """What people call it."""
    base_url: str = ""
    """Stands before the dialect's path; `{key}` is filled from the config. Empty: the
    config has to give `baseURL`."""
    paths: Mapping[Dialect, str] = field(default_factory=dict)
    """Path after the base for each dialect it speaks. `{model}` stands for the name that is
    sent; with `{publisher}` before it, for what follows the name's slash."""
    bases: Mapping[Dialect, str] = field(default_factory=dict)
    """Dialects that are spoken beside the base URL: what stands in place of its path, on
    hosts whose base has the path of `base_url` (`/anthropic/v1` for `/v1`)."""
    cut_base: Mapping[Dialect, str] = field(default_factory=dict)
    """Dialects that are spoken above the base URL: the end of its path that theirs has not
    (`/openai`). A base without that end stays whole."""
    native: Dialect | None = None
    """What apps of its hosts speak first, and expect errors in; None: the first of `paths`."""
    auth: str = "bearer"
    """`bearer`, `none`, or the header that carries the key."""
    auth_for: Mapping[Dialect, str] = field(default_factory=dict)
    """Dialects with another form than `auth`."""
    key_variables: tuple[str, ...] = ()
    """Environment variables in which its SDK and other tools look for a key, the usual one
    first."""
    setting_variables: Mapping[str, str] = field(default_factory=dict)
    """Keys of the config that it needs besides -> the variables usual for them."""
    needs_key: bool = True
    """Without a key it is not configured."""
    credential: Literal["key", "copilot", "token"] = "key"
    """Where the key comes from: the config as it stands; GitHub, for the OAuth token;
    an access token, from the config or a file that is renewed."""
    headers: tuple[tuple[str, str], ...] = ()
    """Sent with every request, unless the config's `headers` say otherwise."""
    request_headers: tuple[str, ...] = ()
    """Headers whose value depends on the request: keys of `outbound.PER_REQUEST`."""
    forwarded: frozenset[bytes] = frozenset()
    """The client's headers that may pass, besides those of the dialect (lower case)."""
    forwarded_direct: frozenset[bytes] = frozenset()
    """Those that belong to a key, an organization's name for one: they pass only from
    clients of the base URL. An intercepted app means its own key by them."""
    forwarded_query: frozenset[str] = frozenset()
    """Parameters of the client's query that may pass."""
    support_ids: frozenset[bytes] = frozenset()
    """Headers of its answers by which its support finds a request (lower case), besides
    `x-request-id` and `request-id`: they reach the client under their own names."""
    stream_usage: StreamUsage = "ask"
    """`ask`: usage comes if `stream_options.include_usage` asks for it; `always`: it
    comes anyway; `reject`: asking is an error."""
    limit_headers: str = "none"
    """Parser of `limits.words` (and `limits.refusals`) that reads its announcements."""
    day: Reset | None = None
    """When its days begin; None: 24 rolling hours."""
    month: Reset | None = None
    """When its months begin; None: calendar months, UTC."""
    genai: str | None = None
    """Its id in genai-prices; None: it is not there."""
    hosts: tuple[str, ...] = ()
    """API hosts that are decrypted when an app names them; `*` is a wildcard. Left out
    where a host carries much that is no LLM request."""
    drops: frozenset[str] = frozenset()
    """Top-level keys of a body that it rejects."""
    renames: Mapping[str, str] = field(default_factory=dict)
    """Top-level keys that it knows under another name."""
    reasoning_excluded: bool = False
    """Its `completion_tokens` leave the reasoning tokens out."""
    bills: tuple[Bill, ...] = ()
    """Where its answers say what they cost: that wins over every price."""
    paid: tuple[Paid, ...] = ()
    """Members that cost extra here, besides `paid_extras.EVERYWHERE`."""
    maker: Scope = "address"
    """Who reads the signatures and encrypted reasoning that it issues: see `makers`."""
    unpaid: tuple[Unpaid, ...] = ()
    """Those of EVERYWHERE that cost nothing here."""
    free_quota: str = ""
    """What the ids of quotas of its free tier hold; "": its refusals do not tell."""
    free_key: str = ""
    """Where a key that is marked free here may be billed all the same: how to tell."""
    model_facts: tuple[ModelFact, ...] = ()
    """Windows, largest outputs and prices of its models, out of `catalog.json`."""
    models_path: str | None = "/models"
    """Where it lists its models; None: nowhere, or not under the names it is sent."""
    models_cut: str = ""
    """The end of the base's path that stands not before `models_path`."""
    models_shape: str = "openai"
    """How its list is spelt: a shape of `list_readers`."""
    lists_prices: bool = False
    """Its list says what each model costs: what costs nothing is free."""
    models_auth: str = ""
    """How the key is sent for the list, where that is not as for its first dialect."""
    quota: QuotaRoute | None = None
    """Where it says what is left, at no cost; None: nowhere, or not to a normal key."""
    empty_path: str = ""
    """What a `baseURL` without a path gets."""
    variants: tuple[Variant, ...] = ()
    presumed: frozenset[Dialect] = frozenset()
    """Dialects of `paths` that not every server of this kind speaks: asked for what came in
    them, and nothing is translated to them. The config's `dialects` says that it does."""
    takes: frozenset[str] = frozenset()
    """Parts that it takes in a dialect that knows them, and not everybody does:
    `documents`, `audio`."""
    keeps: frozenset[str] | None = frozenset()
    """What it keeps for an account, by the paths of its dialects' resources: `files`. None:
    whatever those have, since nobody knows what such a server offers."""
    local: bool = False
    """Runs on the user's own machine: at a loopback address nobody sends a bill."""
    builtin: bool = False
    """Answered by the gateway's own simulator, whose port is known once it listens."""
    free_presets: tuple[FreePreset, ...] = ()
    """Its free tiers, out of `catalog.json`."""
    ended_tiers: tuple[FreePreset, ...] = ()
    """What was free there once."""
    counted_by: AccountFact | None = None
    """Whose use it counts; None: each key's own, as far as is known."""
    notes: str = ""
    """For people: what is special, in one or two sentences."""
    source: str = ""
    """Where the row's facts come from."""

    def auth_of(self, dialect: Dialect) -> str:
        return self.auth_for.get(dialect, self.auth)
