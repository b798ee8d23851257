"""kill -9 of workers during requests: no hang, no wrong mask, fast recovery."""

import io
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import httpx
import numpy as np
import psutil
import pytest
from PIL import Image

from tests.stack import ROOT, WORKERS, Stack, alive, running_stack

REQUESTS, CONNECTIONS = 100, 8
LONGEST_S = 40.0  # the gateway's deadline and some slack
BACK_WITHIN_S = 15.0
ALL_READY_WITHIN_S = 60.0
PICTURES = [
    (ROOT / "ui" / "examples" / f"{name}.jpg").read_bytes() for name in ("cat", "astronaut")
]


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A separate product, because its workers are killed."""
    with running_stack(SEGSERVE_SERVE_UI="false") as running:
        yield running


def workers(stack: Stack) -> list[psutil.Process]:
    """TorchServe's worker processes."""
    found = []
    for process in stack.descendants():
        with suppress(psutil.NoSuchProcess):
            if any("model_service_worker" in part for part in process.cmdline()):
                found.append(process)
    return found


def all_ready(stack: Stack) -> list[psutil.Process]:
    """The worker processes, once all of them are ready."""
    end = time.monotonic() + ALL_READY_WITHIN_S
    while time.monotonic() < end:
        found = workers(stack)
        answer = httpx.get(f"{stack.gateway_url}/readyz", timeout=10)
        if len(found) == WORKERS and answer.json().get("workers") == WORKERS:
            return found
        time.sleep(0.2)  # polling another process
    raise TimeoutError(f"{WORKERS} workers were not ready within {ALL_READY_WITHIN_S:.0f} s")


def ask(stack: Stack, index: int) -> httpx.Response:
    """Segment one of the two images."""
    files = {"file": ("picture.jpg", PICTURES[index % 2])}
    return httpx.post(f"{stack.gateway_url}/segmentation", files=files, timeout=LONGEST_S)


def mask(answer: httpx.Response) -> np.ndarray:
    """The class ids of a response."""
    return np.asarray(Image.open(io.BytesIO(answer.content)))


def seconds_until_served(stack: Stack) -> float:
    """Seconds until a request succeeds."""
    start = time.monotonic()
    while time.monotonic() - start < 2 * BACK_WITHIN_S:
        if ask(stack, 0).status_code == 200:
            return time.monotonic() - start
        time.sleep(0.2)  # polling another process
    return float("inf")


def readiness(stack: Stack) -> httpx.Response:
    """The gateway's readiness."""
    return httpx.get(f"{stack.gateway_url}/readyz", timeout=10)


def resume(processes: list[psutil.Process]) -> None:
    """Let suspended processes go on."""
    for process in processes:
        process.send_signal(signal.SIGCONT)


@contextmanager
def suspended(processes: list[psutil.Process]) -> Iterator[None]:
    """The block in which processes hang."""
    try:
        for process in processes:
            process.send_signal(signal.SIGSTOP)
        yield
    finally:
        resume(processes)


@pytest.mark.parametrize("victims", [1, 2])
def test_killed_workers_harm_only_what_they_had_in_hand(stack: Stack, victims: int) -> None:
    """Failures are 503 with Retry-After, masks are right, and service is back within 15 s."""
    all_ready(stack)
    right = [mask(ask(stack, index)) for index in (0, 1)]
    enough_done = threading.Event()
    done = []

    def one(index: int) -> httpx.Response:
        answer = ask(stack, index)
        done.append(index)
        if len(done) >= REQUESTS // 4:
            enough_done.set()
        return answer

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        futures = [pool.submit(one, index) for index in range(REQUESTS)]
        assert enough_done.wait(60)
        hit = workers(stack)[:victims]
        for process in hit:
            process.send_signal(signal.SIGKILL)
        back = seconds_until_served(stack)
        answers = [future.result(timeout=120) for future in futures]

    assert len(hit) == victims
    assert alive(hit) == []
    assert back <= BACK_WITHIN_S
    for index, answer in enumerate(answers):
        if answer.status_code == 200:
            assert np.array_equal(mask(answer), right[index % 2])
        else:
            assert answer.status_code == 503, answer.text
            assert int(answer.headers["retry-after"]) >= 1
            assert answer.json()["code"] in {"model_unavailable", "overloaded"}
    assert seconds_until_served(stack) <= BACK_WITHIN_S


def test_readiness_follows_the_workers(stack: Stack) -> None:
    """Without workers the gateway is alive but not ready; later it is ready again."""
    for process in all_ready(stack):
        process.send_signal(signal.SIGKILL)
    seen: set[int] = set()
    end = time.monotonic() + 30
    while time.monotonic() < end and not {200, 503} <= seen:
        seen.add(httpx.get(f"{stack.gateway_url}/readyz", timeout=10).status_code)
        assert httpx.get(f"{stack.gateway_url}/healthz", timeout=10).status_code == 200
        if 503 not in seen:
            seen.discard(200)  # the death has not been noticed yet
    assert {200, 503} <= seen


def test_readiness_knows_hung_workers_within_seconds(stack: Stack) -> None:
    """TorchServe calls them ready for a minute; a load balancer has to look elsewhere before."""
    hung = all_ready(stack)
    with ThreadPoolExecutor(16) as pool, suspended(hung):
        start = time.monotonic()
        images = [pool.submit(ask, stack, index) for index in range(8)]
        while (answer := readiness(stack)).status_code == 200:
            assert time.monotonic() - start < 20
            time.sleep(0.2)  # polling another process
        assert answer.json()["code"] == "model_unavailable"
        assert "no worker has answered for" in answer.json()["detail"]
        resume(hung)
        assert {image.result(timeout=120).status_code for image in images} == {200}
        assert readiness(stack).status_code == 200


def test_readiness_finds_hung_workers_without_traffic(stack: Stack) -> None:
    """The probe asks a worker itself; with one of two hanging the product is ready."""
    hung = all_ready(stack)
    time.sleep(3)  # until no recent answer speaks for the workers
    with suspended(hung):
        start = time.monotonic()
        while readiness(stack).status_code == 200:
            assert time.monotonic() - start < 20
            time.sleep(0.2)  # polling another process
        resume(hung[:1])
        while readiness(stack).status_code != 200:
            assert time.monotonic() - start < 40
            time.sleep(0.2)  # polling another process
        end = time.monotonic() + 15
        while time.monotonic() < end:
            assert readiness(stack).status_code == 200
            time.sleep(0.5)  # polling another process
