"""What a browser gets at the gateway's own address."""

import re
from html import unescape

import pytest

from llm_gateway.admin.start_page import start_page, wants_page


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", True),
        ("TEXT/HTML", True),
        ("*/*", False),
        ("application/json", False),
        ("", False),
    ],
)
def test_who_gets_it(accept: str, wanted: bool) -> None:
    assert wants_page(accept) is wanted


def test_it_leads_to_everything() -> None:
    answer = start_page(8081, 8001, ["a/b c", "d"], "1.2")
    text = answer.body.decode()
    links = [unescape(link) for link in re.findall(r'href="([^"]*)"', text)]
    assert links == [
        "http://127.0.0.1:8001/-/gateway",
        *("/v1/models", "/health", "/usage/current", "/route?model=a%2Fb%20c"),
    ]
    assert "http://127.0.0.1:8081/v1" in text
    assert dict(answer.headers)["content-security-policy"].startswith(
        "default-src 'none'"
    )


def test_where_there_is_no_dashboard_and_no_model() -> None:
    text = start_page(8080, 0, [], "1.2").body.decode()
    assert "/-/gateway" not in text
    assert "/route" not in text


def test_names_are_text() -> None:
    text = start_page(8080, 0, ["<script>alert(1)</script>"], "1.2").body.decode()
    assert "<script" not in text
