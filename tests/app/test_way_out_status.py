"""How the way out does: each trouble is told once, and once that it is over."""

from llm_gateway.app.way_out_status import WayOutStatus
from llm_gateway.config.proxy_url import ProxyServer

PROXY = ProxyServer("http", "10.0.0.1", 3128)
OTHER = ProxyServer("socks5h", "10.0.0.2", 1080)


class Machine:
    def __init__(self) -> None:
        self.network = True
        self.asked = 0
        self.told: list[tuple[str, str]] = []
        self.status = WayOutStatus(
            lambda subject, message: self.told.append((subject, message)), self.look
        )

    def look(self) -> bool:
        self.asked += 1
        return self.network


def test_a_proxy_that_fails_and_comes_back() -> None:
    machine = Machine()
    for _ in range(3):
        machine.status.record(PROXY, "outbound proxy 10.0.0.1:3128 refuses connections")
    machine.status.record(OTHER, "")
    assert machine.status.degraded == (
        "outbound proxy 10.0.0.1:3128 refuses connections",
    )
    for _ in range(2):
        machine.status.record(PROXY, "")
    assert machine.status.degraded == ()
    assert machine.told == [
        ("outbound proxy", "10.0.0.1:3128 refuses connections"),
        ("outbound proxy", "10.0.0.1:3128 works again"),
    ]


def test_a_proxy_that_the_configuration_names_no_longer() -> None:
    machine = Machine()
    machine.status.record(PROXY, "outbound proxy 10.0.0.1:3128 went away")
    machine.status.keep([OTHER])
    assert machine.status.degraded == ()


def test_a_machine_that_loses_its_network_and_has_it_again() -> None:
    machine = Machine()
    assert not machine.status.is_offline()
    machine.network = False
    for _ in range(3):
        assert machine.status.is_offline()
        assert machine.status.degraded == ("this machine has no network",)
    machine.network = True
    assert machine.status.degraded == ()
    assert [subject for subject, _ in machine.told] == ["network", "network"]
    asked = machine.asked
    assert machine.status.degraded == ()
    assert machine.asked == asked  # where all is well nobody looks
