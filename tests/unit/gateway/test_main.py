"""`python -m gateway` starts, answers, stops, and says why it cannot start."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx


@contextmanager
def gateway(**settings: str) -> Iterator[subprocess.Popen[str]]:
    """The gateway as a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway"],
        env=os.environ | {f"SEGSERVE_GATEWAY_{name}": value for name, value in settings.items()},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _url(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    for line in process.stderr:
        if found := re.search(r"running on (http://\S+)", line):
            return found[1]
    raise AssertionError("the gateway did not start")


def test_it_answers_and_stops_on_a_signal_without_a_traceback() -> None:
    """A supervisor can start it, ask it and end it."""
    with gateway(PORT="0", INFERENCE_URL="http://127.0.0.1:1") as process:
        url = _url(process)
        assert httpx.get(f"{url}/healthz", trust_env=False).json() == {"status": "ok"}
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=15)
        assert "Traceback" not in log


def test_a_wrong_setting_is_one_message_and_an_exit() -> None:
    """No traceback for an operator's slip."""
    with gateway(PORT="many") as process:
        _, log = process.communicate(timeout=15)
        assert process.returncode == 1
        assert "SEGSERVE_GATEWAY_" in log
        assert "Traceback" not in log
