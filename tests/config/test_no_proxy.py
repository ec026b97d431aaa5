"""NO_PROXY: one table, with curl's verdicts; where requests has another one, it says so."""

from tables import each_row

from llm_gateway.config.no_proxy import no_proxy, parse_no_proxy

CASES = [
    # NO_PROXY, host, port, directly
    ("", "example.com", 443, False),
    ("*", "example.com", 443, True),
    ("*", "192.0.2.1", 443, True),
    ("example.com", "example.com", 443, True),
    ("example.com", "api.example.com", 443, True),
    ("example.com", "a.b.example.com", 443, True),
    ("example.com", "notexample.com", 443, False),  # requests: True
    ("example.com", "example.com.evil.test", 443, False),
    ("example.com", "example.org", 443, False),
    (".example.com", "api.example.com", 443, True),
    (".example.com", "example.com", 443, True),  # requests: False
    ("*.example.com", "api.example.com", 443, True),  # as Go has it
    ("*.example.com", "example.com", 443, True),
    ("EXAMPLE.com", "api.example.COM", 443, True),
    ("example.com.", "example.com", 443, True),
    ("example.com", "example.com.", 443, True),
    ("api.example.com", "example.com", 443, False),
    ("com", "example.com", 443, True),
    ("localhost,example.com", "example.com", 443, True),
    ("localhost, example.com", "example.com", 443, True),
    ("localhost example.com", "example.com", 443, True),
    (" , ,example.com,", "example.com", 443, True),
    (",", "example.com", 443, False),
    ("example.com:443", "example.com", 443, True),
    ("example.com:443", "example.com", 8443, False),
    ("example.com:8443", "api.example.com", 8443, True),
    ("192.0.2.1", "192.0.2.1", 443, True),
    ("192.0.2.1", "192.0.2.10", 443, False),
    ("2.1", "192.0.2.1", 443, False),
    ("192.0.2.1:80", "192.0.2.1", 80, True),
    ("192.0.2.1:80", "192.0.2.1", 443, False),
    ("192.0.2.0/24", "192.0.2.77", 443, True),
    ("192.0.2.0/24", "192.0.3.77", 443, False),
    ("192.0.2.7/24", "192.0.2.77", 443, True),
    ("192.0.2.0/24", "name.test", 443, False),
    ("10.0.0.0/8,.corp.test", "git.corp.test", 22, True),
    ("2001:db8::1", "2001:db8::1", 443, True),
    ("[2001:db8::1]", "2001:db8::1", 443, True),
    ("[2001:db8::1]:80", "2001:db8::1", 443, False),
    ("2001:db8::/32", "2001:db8:1::7", 443, True),
    ("2001:db8::/32", "[2001:db8:1::7]", 443, True),
    ("2001:DB8:0::1", "2001:db8::1", 443, True),
    ("192.0.2.1", "::ffff:192.0.2.1", 443, True),
    ("::ffff:192.0.2.0/120", "192.0.2.1", 443, True),
    ("999.0.0.0/8", "example.com", 443, False),
    ("exa*mple.com", "example.com", 443, False),
]  # fmt: skip


@each_row(("entries", "host", "port", "directly"), CASES)
def test_no_proxy(entries: str, host: str, port: int, directly: bool) -> None:
    assert parse_no_proxy(entries).holds(host, port) is directly


def test_a_list_says_the_same_as_a_text() -> None:
    assert no_proxy(["a.test", "10.0.0.0/8:80"]) == parse_no_proxy(
        "a.test 10.0.0.0/8:80"
    )
