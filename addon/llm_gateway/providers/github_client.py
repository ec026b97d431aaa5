"""One HTTPS request to GitHub, in a thread.

What lives here: `GitHub`, which sends a `GitHubRequest` and returns status and body.
No redirects, bounded answers; by way of the outbound proxy, if there is one.
What the answers mean is `copilot_protocol.py`'s.

`LLM_GATEWAY_GITHUB_URL` and `LLM_GATEWAY_GITHUB_API_URL` point it at a GitHub
Enterprise host, or at a loopback server.
"""

import asyncio
import http.client
from collections.abc import Mapping
from dataclasses import dataclass, field

from llm_gateway.config.urls import parse_base_url
from llm_gateway.network import way_out
from llm_gateway.network.proxy_rules import ProxyRules
from llm_gateway.providers.copilot_protocol import GITHUB, GITHUB_API, GitHubRequest

TIMEOUT = 10.0
"""Seconds for each wait: connecting, sending, reading."""
LIMIT = 256 * 1024
"""Bytes of an answer; GitHub's are of a few kilobytes."""


@dataclass(frozen=True, slots=True)
class GitHub:
    web: str = GITHUB
    api: str = GITHUB_API
    ways: ProxyRules | None = field(default=None, compare=False)
    """Outbound proxies of a provider of its own; None: the gateway's."""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "GitHub":
        """Raises ValueError for an address that a token must not be sent to."""
        found = {}
        for name, default in (
            ("LLM_GATEWAY_GITHUB_URL", GITHUB),
            ("LLM_GATEWAY_GITHUB_API_URL", GITHUB_API),
        ):
            found[name] = environ.get(name) or default
            try:
                parse_base_url(found[name])
            except ValueError as reason:
                raise ValueError(f"{name} {reason}") from None
        return cls(found["LLM_GATEWAY_GITHUB_URL"], found["LLM_GATEWAY_GITHUB_API_URL"])

    async def send(self, request: GitHubRequest) -> tuple[int, bytes]:
        """Status and body. Raises OSError when GitHub cannot be reached."""
        return await asyncio.to_thread(self.send_blocking, request)

    def send_blocking(self, request: GitHubRequest) -> tuple[int, bytes]:
        """The same, for a thread.

        Raises:
            OSError: GitHub cannot be reached; ConnectionError when it broke off.
        """
        origin = parse_base_url(self.api if request.of_api else self.web)
        connection = way_out.http_connection(
            origin.scheme, origin.host, origin.port, timeout=TIMEOUT, ways=self.ways
        )
        try:
            connection.request(
                request.method,
                origin.path + request.path,
                body=request.body or None,
                headers=dict(request.headers),
            )
            answer = connection.getresponse()
            return answer.status, answer.read(LIMIT)
        except http.client.HTTPException as e:
            raise ConnectionError(
                f"{origin.host} broke off ({type(e).__name__})"
            ) from e
        finally:
            connection.close()
