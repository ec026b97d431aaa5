"""`cluster` of a configuration: addresses, names, and what is wrong with them."""

import pytest

from llm_gateway.config.cluster_url import parse_cluster_url
from llm_gateway.config.edit import mask
from llm_gateway.config.load import parse_config
from llm_gateway.config.problems import ConfigError

GOOD = {
    "redis://h": ("redis", "h", 6379, "", 0, "", ""),
    "valkey://h:1/2": ("redis", "h", 1, "", 2, "", ""),
    "rediss://u:p%40@h": ("rediss", "h", 6379, "", 0, "u", "p@"),
    "valkeys://h": ("rediss", "h", 6379, "", 0, "", ""),
    "redis://:p@[::1]:7": ("redis", "::1", 7, "", 0, "", "p"),
    "unix:///run/v.sock?db=3": ("unix", "", 6379, "/run/v.sock", 3, "", ""),
    "unix://u:p@/run/v.sock": ("unix", "", 6379, "/run/v.sock", 0, "u", "p"),
}


@pytest.mark.parametrize("url", GOOD)
def test_addresses(url: str) -> None:
    found = parse_cluster_url(url)
    assert GOOD[url] == (
        found.scheme,
        found.host,
        found.port,
        found.path,
        found.database,
        found.user,
        found.password,
    )
    assert "p@" not in repr(found)


@pytest.mark.parametrize(
    ("cluster", "said"),
    [
        ('{"url": "http://h"}', "is no address of a Valkey or Redis server"),
        ('{"url": "redis://"}', "names no host"),
        ('{"url": "redis://h:99999"}', "has no valid host or port"),
        ('{"url": "redis://h/x"}', "a database that is no number"),
        ('{"url": "unix://"}', "names no socket"),
        ('{"url": "redis://h?password=SECRET"}', "a password stands before the host"),
        ('{"url": "redis://h", "name": "a b"}', "is no name for it"),
        ('{"url": "redis://h", "member": ""}', "is empty"),
        ('{"url": "redis://h", "whenAway": "paid"}', "whenAway"),
        ('{"url": "redis://h", "timeoutSeconds": 11}', "timeoutSeconds"),
        ('{"name": "x"}', "url"),
    ],
)
def test_what_is_wrong_is_said(cluster: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse_config(f'{{"providers": [], "cluster": {cluster}}}', {})
    assert said in str(error.value)
    assert "SECRET" not in str(error.value)


def test_a_password_in_the_address_is_masked() -> None:
    text = '{"providers": [], "cluster": {"url": "redis://u:SECRET@h"}}'
    assert "SECRET" not in str(mask(text, "config.jsonc"))
    plain = '{"providers": [], "cluster": {"url": "redis://h"}}'
    assert "redis://h" in str(mask(plain, "config.jsonc"))
