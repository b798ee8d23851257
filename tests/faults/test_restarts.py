"""Services that die while the product runs: restarted, given up, or the end of everything."""

import fcntl
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import httpx
import psutil

from tests.stack import ROOT, Stack, alive, ended, started, stop, wait_until_ready

PHOTO = (ROOT / "ui" / "examples" / "cat.jpg").read_bytes()
PAGE, GATEWAY, AGENT = "streamlit", "gateway", "agent"
TORCHSERVE = "org.pytorch.serve.ModelServer"
WITHIN_S = 60.0
ENDS_WITHIN_S = 90.0
T = TypeVar("T")


def part(stack: Stack, name: str) -> psutil.Process:
    """The process with this word in its command line."""
    return next(each for each in alive(stack.descendants()) if name in each.cmdline())


def kill(stack: Stack, name: str) -> int:
    """Kill a service as the system's out-of-memory killer does; its process id."""
    victim = part(stack, name)
    victim.send_signal(signal.SIGKILL)
    return int(victim.pid)


def line(stack: Stack, text: str) -> str:
    """The first line of the output with this text, once it is there."""
    return until(lambda: next((row for row in stack.output.splitlines() if text in row), ""), text)


def until(look: Callable[[], T], what: str) -> T:
    """What ``look`` returns, once it is true."""
    end = time.monotonic() + WITHIN_S
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(0.05)  # polling other processes
    raise TimeoutError(f"not within {WITHIN_S:.0f} s: {what}")


def is_healthy(url: str) -> bool:
    """Whether an address answers 200."""
    try:
        return httpx.get(url, timeout=5, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def segment(stack: Stack) -> int:
    """Status of a request with a photograph."""
    url = f"{stack.gateway_url}/v1/segment"
    headers = {"Content-Type": "image/jpeg"}
    return httpx.post(url, content=PHOTO, headers=headers, timeout=60).status_code


@contextmanager
def occupied(port: int) -> Iterator[None]:
    """Another program listens on the port."""
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        until(lambda: _binds(holder, port), f"port {port}")
        holder.listen()
        yield


def _binds(holder: socket.socket, port: int) -> bool:
    try:
        holder.bind(("127.0.0.1", port))
    except OSError:
        return False
    return True


@contextmanager
def held_by_another(folder: Path) -> Iterator[None]:
    """Another agent holds the folder, so that none can be started in it."""
    with (folder / "agent.lock").open("rb") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        yield


def test_page_and_gateway_are_started_again(tmp_path: Path) -> None:
    """The API answers while the page is down; both are back, and no zombie is left."""
    with started(tmp_path) as stack:
        wait_until_ready(stack)
        page = kill(stack, PAGE)
        statuses = []
        while not is_healthy(f"{stack.ui_url}/_stcore/health"):
            statuses.append(segment(stack))
        assert set(statuses) == {200}
        died = line(stack, f"page (process {page}) ended (status -9, SIGKILL)")
        assert "restart 1 of 5 in 0.5 s" in died
        assert f"the page was started again (process {part(stack, PAGE).pid})" in stack.output
        gateway = kill(stack, GATEWAY)
        line(stack, f"gateway (process {gateway}) ended (status -9, SIGKILL)")
        line(stack, "the gateway was started again")
        until(lambda: is_healthy(f"{stack.gateway_url}/readyz"), "the gateway")
        assert segment(stack) == 200
        parts = stack.descendants()
        assert len(alive(parts)) == len(parts)
        status, output = stop(stack)
    assert status == 0, output
    assert output.count("was started again") == 2
    assert alive(parts) == []


def test_a_service_that_cannot_run_any_more_is_given_up(tmp_path: Path) -> None:
    """Without the page the API goes on; without the gateway the product ends."""
    with started(tmp_path) as stack:
        wait_until_ready(stack)
        kill(stack, PAGE)
        with occupied(stack.ports["UI"]):
            given_up = line(stack, "after 5 restarts; the API goes on without the page")
            assert "ended (status 1)" in given_up
        assert segment(stack) == 200
        parts = stack.descendants()
        kill(stack, GATEWAY)
        with occupied(stack.ports["GATEWAY"]):
            status, output = ended(stack, ENDS_WITHIN_S)
    assert status == 1
    last = output.splitlines()[-1]
    assert last.startswith("segserve: cannot run: gateway (process ")
    assert last.endswith("after 5 restarts")
    assert alive(parts) == []


def test_an_order_to_stop_does_not_wait_for_a_restart(tmp_path: Path) -> None:
    """Ctrl-C between two starts of the page ends everything at once, with status 0."""
    with started(tmp_path) as stack:
        wait_until_ready(stack)
        kill(stack, PAGE)
        with occupied(stack.ports["UI"]):
            line(stack, "restart 5 of 5 in 8 s")
            parts = stack.descendants()
            began = time.monotonic()
            status, output = stop(stack)
            took = time.monotonic() - began
        assert status == 0, output
        assert took < 7
        assert output.splitlines()[-1] == "segserve: stopping"
        assert alive(parts) == []


def test_torchserve_is_started_again_with_what_it_served(tmp_path: Path) -> None:
    """By its agent, which says how it ended; gateway and page are those from before."""
    with started(tmp_path) as stack:
        wait_until_ready(stack)
        others = {name: part(stack, name).pid for name in (AGENT, GATEWAY, PAGE)}
        died = part(stack, TORCHSERVE)
        workers = died.children(recursive=True)
        kill(stack, TORCHSERVE)
        until(lambda: segment(stack) == 200, "an answer")
        assert part(stack, TORCHSERVE).pid != died.pid
        assert alive(workers) == []
        assert {name: part(stack, name).pid for name in others} == others
        log = (tmp_path / "logs" / "latest" / "torchserve.log").read_text()
        assert "agent: TorchServe ended (signal 9); it is started again" in log
        parts = stack.descendants()
        status, output = stop(stack)
    assert status == 0, output
    assert "ended" not in output
    assert alive(parts) == []


def test_an_agent_is_started_again_with_its_torchserve(tmp_path: Path) -> None:
    """Nothing of the one before is left, and the versions are there again."""
    with started(tmp_path, SEGSERVE_SERVE_UI="false") as stack:
        wait_until_ready(stack)
        before = [part(stack, AGENT), *part(stack, AGENT).children(recursive=True)]
        agent = kill(stack, AGENT)
        died = line(stack, f"TorchServe (process {agent}) ended (status -9, SIGKILL)")
        assert "restart 1 of 5 in 0.5 s" in died
        until(lambda: "TorchServe was started again" in stack.output, "a restart")
        until(lambda: segment(stack) == 200, "an answer")
        assert alive(before) == []
        parts = stack.descendants()
        status, output = stop(stack)
    assert status == 0, output
    assert alive(parts) == []


def test_the_log_of_a_crash_outlives_the_next_start(tmp_path: Path) -> None:
    """The log that is named when everything ends is not changed by the next start."""
    with started(tmp_path, SEGSERVE_SERVE_UI="false") as stack:
        wait_until_ready(stack)
        parts = stack.descendants()
        kill(stack, AGENT)
        with held_by_another(tmp_path / f"agent-{stack.ports['MANAGEMENT']}"):
            status, output = ended(stack, ENDS_WITHIN_S)
    assert status == 1
    assert alive(parts) == []
    reason = output.splitlines()[-1]
    assert "cannot run: TorchServe (process " in reason
    log = Path(reason.rpartition("; see ")[2].partition(", after ")[0])
    before = log.read_bytes()
    assert b"Model server started" in before
    with started(tmp_path, SEGSERVE_SERVE_UI="false") as stack:
        wait_until_ready(stack)
        assert (tmp_path / "logs" / "latest" / log.name).resolve() != log
        assert log.read_bytes() == before
