"""Editing the script while requests run, and silence longer than `tcp_timeout`.

Both need a mitmdump of their own.
"""

import json
import os
import shutil
from pathlib import Path

import pytest
from fakes import FakeProvider, Gate, MitmProcess, Way, answers, reach
from mitmproxy.options import Options

from transport.conftest import ADDON, CHAT, HERE


async def test_reload_harms_no_request_in_flight(tmp_path: Path, confdir: Path) -> None:
    """One is being held, one is being delivered: what they need is not in the script."""
    script = tmp_path / "layer_script.py"
    shutil.copy(HERE / "layer_script.py", script)
    gate = Gate()
    streaming = answers.stream(["one", "two"], gate=gate)
    env = {"PYTHONPATH": str(ADDON)}
    with (
        FakeProvider(streaming) as provider,
        MitmProcess(script, confdir=confdir, env=env) as mitm,
    ):
        order = {"to": [["http", provider.host, provider.port]], "idle": 30}
        plan = [("x-plan", json.dumps(order))]
        async with reach(Way.BASE, mitm.port) as one, reach(Way.BASE, mitm.port) as two:
            gate.release()
            delivered = await one.ask(CHAT, b"{}", plan)
            await delivered.until(b'"one"')
            await two.send(CHAT, b"{}", plan)  # type: ignore[attr-defined]
            await gate.arrival(3)
            loading = f"Loading script {script}"
            assert mitm.log().count(loading) == 1
            later = script.stat().st_mtime + 60
            os.utime(script, (later, later))
            await mitm.logged(loading, times=2)
            gate.open()
            held = await two.answer()  # type: ignore[attr-defined]
            for answered in (delivered, held):
                assert (await answered.body()).endswith(answers.DONE)
        assert "crashed" not in mitm.log()


@pytest.mark.skipif(
    not hasattr(Options(), "tcp_timeout"),
    reason="this mitmproxy's is 600 s, and no option",
)
async def test_silence_longer_than_tcp_timeout(confdir: Path) -> None:
    """mitmproxy closes a client after that long without a sign; a wait is a sign."""
    with (
        FakeProvider(answers.silence()) as silent,
        FakeProvider() as good,
        MitmProcess(
            HERE / "layer_script.py",
            confdir=confdir,
            env={"PYTHONPATH": str(ADDON)},
            options={"tcp_timeout": "1"},
        ) as mitm,
    ):
        to = [["http", p.host, p.port] for p in (silent, good)]
        plan = [("x-plan", json.dumps({"to": to, "first": 2.5}))]
        async with reach(Way.BASE, mitm.port) as session:
            answered = await session.ask(CHAT, b"{}", plan)
            assert answered.status == 200
            await answered.body()
