"""Access refusals: does a 401, 402 or 403 speak of the key and its account, or of this request?

Providers answer so for a bad key, but also for content that a moderation stopped, an object
that somebody else owns, the token of a tool's own server, a page of a firewall. Only the
first kind says anything to other requests.

    nothing, or a word or two       the status speaks: the account
    a sentence about access         the account: key, organization, plan, money, region
    any other sentence or page      not known: it may be this request's own doing
"""

import re
from collections.abc import Iterable

from llm_gateway.dialects.provider_errors import ProviderError

ACCESS = frozenset({401, 402, 403})
"""Statuses that speak of access."""
_FEW = 3
"""Words: with fewer a text says no more than its status does."""
_WORD = re.compile(r"[a-z]{2,}")
_ACCOUNT = re.compile(
    r"\b(?:api[ _-]?keys?|key|credentials?|auth|authenticat\w+|unauthenticated"
    r"|unauthori[sz]ed|authori[sz]ation|accounts?|organi[sz]ation|workspace|tenant|team"
    r"|projects?|membership|subscri\w+|plan|tier|billing|balance|payments?|pay|paid"
    r"|credits?|quota|spending|funds|suspended|deactivated|banned|terminated|revoked|expired"
    r"|log(?:ged)? ?-?in|sign(?:ed)? ?-?in|country|countries|region|territory|location"
    r"|ip address|whitelist\w*|allowlist\w*|not been used|not (?:been )?enabled"
    r"|(?:access|api|bearer|jwt|session|your|invalid|missing|bad|the|no) token"
    r"|token (?:is|has|was|not|expired|invalid|missing)|user not found"
    r"|caller does not have permission)\b"
)
"""What a provider says of who pays and who may."""


def speaks_of_account(status: int, error: ProviderError) -> bool:
    """The account's own trouble, as far as the words tell. A page with a 403 is a
    firewall's, who looks at requests."""
    text = error.text.strip()
    if text[:1] == "<":
        return status != 403
    if not text.isascii() or len(_WORD.findall(text)) < _FEW:
        return True
    return _ACCOUNT.search(text) is not None


_OF_HEADERS = ACCESS | {404}
"""Whoever names another organization is refused, or finds no such model there."""


def may_be_of_headers(
    status: int, error: ProviderError, headers: Iterable[str], *, sure: bool
) -> bool:
    """May the refusal be about these headers of the client's, which say whose account it
    means (`openai-organization`)? Where it is `sure` of something else by a code, only if
    its words name them."""
    if status not in _OF_HEADERS:
        return False
    if not sure:
        return True
    words = {word for name in headers for word in (name, name.rpartition("-")[2])}
    return any(word in error.text for word in words)
