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


class Balancer:
    """A load balancer: requests at a steady rate, as long as the gateway says that it is ready."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._outcomes: Counter[str] = Counter()

    def _send(self) -> None:
        headers = {"Content-Type": "image/jpeg"}
        try:
            answer = httpx.post(
                f"{self._url}/v1/segment",
                content=PHOTO,
                headers=headers,
                timeout=60,
                trust_env=False,
            )
            self._outcomes[str(answer.status_code)] += 1
        except httpx.HTTPError as exc:
            self._outcomes[repr(exc)] += 1

    def _is_ready(self) -> bool:
        try:
            return httpx.get(f"{self._url}/readyz", timeout=60, trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

    def run(self, stop: threading.Timer) -> Counter[str]:
        """Send while the gateway is ready; ``stop`` ends it. The outcomes of all requests."""
        stop.start()
        threads = []
        while self._is_ready():
            thread = threading.Thread(target=self._send)
            thread.start()
            threads.append(thread)
            time.sleep(1 / RATE_PER_S)
        for thread in threads:
            thread.join()
        stop.join()
        return self._outcomes


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_product_stops_without_losing_a_request(tmp_path: Path, number: signal.Signals) -> None:
    """Every request that was sent before readiness went down is answered with its mask."""
    with started(tmp_path, SEGSERVE_SERVE_UI="false") as stack:
        wait_until_ready(stack)
        stop = threading.Timer(2.0, stack.process.send_signal, [number])
        outcomes = Balancer(stack.gateway_url).run(stop)
        stack.process.wait(60)
    assert set(outcomes) == {"200"}
    assert outcomes["200"] >= 5


def test_a_gateway_alone_stops_without_losing_a_request(tmp_path: Path) -> None:
    """TorchServe goes on; another gateway may take over."""
    with started(tmp_path, SEGSERVE_SERVE_UI="false") as stack:
        wait_until_ready(stack)
        with gateway_process(stack) as (url, process):
            stop = threading.Timer(2.0, process.terminate)
            outcomes = Balancer(url).run(stop)
            process.wait(60)
    assert set(outcomes) == {"200"}
    assert outcomes["200"] >= 5
