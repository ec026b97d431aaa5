"""Which way a connection takes: directly, or by way of an outbound proxy. Pure.

    config              `network.proxy`, `network.noProxy`; a provider's `proxy` wins over both
    environment         `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`, lower case first
    always directly     this machine, its links, providers of a local type

What this file does not know: files, sockets, what a proxy answers.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from llm_gateway.config.addresses import is_here
from llm_gateway.config.no_proxy import NOTHING, NoProxy, no_proxy, parse_no_proxy
from llm_gateway.config.proxy_url import ProxyServer, parse_proxy_url
from llm_gateway.frozen import frozen

VARIABLES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")
OWN_PORT = (
    "{source} points at this gateway itself and is left out: providers are reached "
    "directly. It is meant for the apps; an outbound proxy goes into network.proxy."
)
OWN_PORT_OF_PROVIDER = (
    'The proxy of provider "{source}" is this gateway itself and is left out.'
)


@frozen
class ProxyRules:
    """`choose` is asked for each connection that leaves."""

    https: ProxyServer | None = None
    """For TLS, and for what is spoken in tunnels of apps."""
    http: ProxyServer | None = None
    without: NoProxy = NOTHING
    source: str = ""
    """Where it was said: `network.proxy`, `HTTPS_PROXY`, `--mode upstream`."""
    own_tls: bool = False
    """Also TLS to this machine goes by way of it, as in mitmproxy's upstream mode."""
    always: bool = False
    """Whatever the host: it was said of this provider alone."""
    ours: frozenset[ProxyServer] = frozenset()
    """Those that were named, by whomever, and are this gateway itself."""

    def choose(self, scheme: str, host: str, port: int) -> ProxyServer | None:
        """None: directly."""
        proxy = self.http if scheme == "http" else self.https
        if proxy is None or self.without.holds(host, port):
            return None
        if (
            not self.always
            and is_here(host)
            and not (self.own_tls and scheme != "http")
        ):
            return None
        return proxy

    def proxies(self) -> tuple[ProxyServer, ...]:
        """Each once."""
        return tuple(dict.fromkeys(p for p in (self.https, self.http) if p))


DIRECT = ProxyRules()


def only(proxy: ProxyServer) -> ProxyRules:
    """One provider's own proxy."""
    return ProxyRules(proxy, proxy, source="proxy", always=True)


def from_environment(env: Mapping[str, str]) -> tuple[ProxyRules, tuple[str, ...]]:
    """The rules, and what cannot be read of the variables, as lines for a log."""
    found: dict[str, ProxyServer | None] = {}
    complaints = []
    for name in VARIABLES:
        text = (env.get(name.lower()) or env.get(name) or "").strip()
        found[name] = None
        if text:
            try:
                found[name] = parse_proxy_url(text, from_environment=True)
            except ValueError as reason:
                complaints.append(f"{name} {reason}. It is left out.")
    both = found["ALL_PROXY"]
    without = env.get("no_proxy") or env.get("NO_PROXY") or ""
    source = next(
        (n for n in ("HTTPS_PROXY", "ALL_PROXY", "HTTP_PROXY") if found[n]), ""
    )
    rules = ProxyRules(
        found["HTTPS_PROXY"] or both,
        found["HTTP_PROXY"] or both,
        parse_no_proxy(without),
        source,
    )
    return rules, tuple(complaints)


def without_ours(
    rules: ProxyRules,
    of_providers: Mapping[str, ProxyServer],
    is_ours: Callable[[ProxyServer], bool],
) -> tuple[ProxyRules, tuple[str, ...]]:
    """Nobody is their own way out: people export our address for their apps in the shell
    from which the gateway is started. The rules without it, and what was left out, as
    lines for a log. `of_providers`: what providers name as their own, by id."""
    ours = {p for p in (*rules.proxies(), *of_providers.values()) if is_ours(p)}
    if not ours:
        return rules, ()
    told = [OWN_PORT.format(source=rules.source)] if ours & {*rules.proxies()} else []
    told += [
        OWN_PORT_OF_PROVIDER.format(source=id)
        for id, proxy in of_providers.items()
        if proxy in ours
    ]
    rest = replace(
        rules,
        https=None if rules.https in ours else rules.https,
        http=None if rules.http in ours else rules.http,
        ours=frozenset(ours),
    )
    return rest, tuple(told)


def configured(
    setting: str, without: tuple[str, ...], env: Mapping[str, str]
) -> tuple[ProxyRules, tuple[str, ...]]:
    """`network` of the config: `setting` is `env`, `none` or a URL that was checked."""
    if setting == "none":
        return DIRECT, ()
    if setting == "env":
        rules, complaints = from_environment(env)
        if without:
            own = no_proxy(without)
            rules = replace(rules, without=_both(rules.without, own))
        return rules, complaints
    proxy = parse_proxy_url(setting)
    return ProxyRules(proxy, proxy, no_proxy(without), "network.proxy"), ()


def _both(one: NoProxy, other: NoProxy) -> NoProxy:
    return NoProxy(
        one.everything or other.everything,
        one.names | other.names,
        (*one.networks, *other.networks),
    )
