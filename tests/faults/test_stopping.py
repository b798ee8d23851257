"""Stopping the product and its gateway under load loses no request."""

import signal
import threading
import time
from collections import Counter
from pathlib import Path

import httpx
import pytest

from tests.e2e.gateways import gateway_process
from tests.stack import ROOT, started, wait_until_ready

RATE_PER_S = 20
PHOTO = (ROOT / "ui" / "examples" / "cat.jpg").read_bytes()


class Load:
    """Requests at a steady rate, each on a connection of its own."""

    def __init__(self, url: str) -> None:
        self.outcomes: Counter[str] = Counter()
        self._url = url
        self._ended = threading.Event()
        self._lock = threading.Lock()

    def _send(self) -> None:
        try:
            answer = httpx.post(
                f"{self._url}/v1/segment",
                content=PHOTO,
                headers={"Content-Type": "image/jpeg"},
                timeout=60,
                trust_env=False,
            )
            outcome = str(answer.status_code)
        except httpx.ConnectError:
            outcome = "refused"  # a balancer sends it to another gateway
        except httpx.HTTPError as exc:
            outcome = repr(exc)
        with self._lock:
            self.outcomes[outcome] += 1

    def run(self, stop: "threading.Timer", seconds: float) -> Counter[str]:
        """Send for some seconds while ``stop`` fires; the outcomes of all requests."""
        stop.start()
        threads = []
        for _ in range(round(seconds * RATE_PER_S)):
            thread = threading.Thread(target=self._send)
            thread.start()
            threads.append(thread)
            time.sleep(1 / RATE_PER_S)
        for thread in threads:
            thread.join()
        stop.join()
        return self.outcomes


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_product_stops_without_losing_a_request(tmp_path: Path, number: signal.Signals) -> None:
    """Every request that was accepted is answered with its mask."""
    with started(tmp_path, SEGSERVE_SERVE_UI="false") as stack:
        wait_until_ready(stack)
        stop = threading.Timer(2.0, stack.process.send_signal, [number])
        outcomes = Load(stack.gateway_url).run(stop, 5.0)
        stack.process.wait(60)
    assert set(outcomes) == {"200", "refused"}
    assert outcomes["200"] >= 2 * RATE_PER_S


def test_a_gateway_alone_stops_without_losing_a_request(tmp_path: Path) -> None:
    """TorchServe goes on; another gateway may take over."""
    with started(tmp_path, SEGSERVE_SERVE_UI="false") as stack:
        wait_until_ready(stack)
        with gateway_process(stack) as (url, process):
            stop = threading.Timer(2.0, process.terminate)
            outcomes = Load(url).run(stop, 5.0)
            process.wait(60)
    assert set(outcomes) == {"200", "refused"}
    assert outcomes["200"] >= 2 * RATE_PER_S
