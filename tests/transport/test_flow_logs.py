"""mitmproxy's own records for each connection: silent, unless someone looks at flows."""

import logging
from types import SimpleNamespace

import pytest

from llm_gateway.transport import flow_logs


@pytest.fixture(autouse=True)
def server():
    """The logger of mitmproxy's connections, as it was before."""
    server = logging.getLogger("mitmproxy.proxy.server")
    level = server.level
    server.setLevel(logging.INFO)
    yield server
    server.setLevel(level)


def master(*addons, **options):
    return SimpleNamespace(
        addons=SimpleNamespace(lookup=dict.fromkeys(addons)),
        options=SimpleNamespace(**options),
    )


@pytest.mark.parametrize(
    ("who", "wanted"),
    [
        (master("core", termlog_verbosity="info"), False),
        (master("core", termlog_verbosity="warn"), False),
        (master("core"), False),
        (master("core", termlog_verbosity="debug"), True),
        (master("core", "view", termlog_verbosity="info"), True),
        (master("core", "eventstore", termlog_verbosity="info"), True),
    ],
)
def test_records_per_connection_come_only_where_someone_wants_them(who, wanted, server):
    flow_logs.silence(who)
    assert server.isEnabledFor(logging.INFO) is wanted
    assert server.isEnabledFor(logging.WARNING)
