"""Versions of a model on the real product: added, selected, promoted, scaled, removed."""

import io
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from PIL import Image

from gateway.masks.renders import RENDERS
from tests.archives import renumbered
from tests.e2e.rolling import SECOND, large_photograph, roll
from tests.stack import ROOT, Stack
from tests.torchserve import loaded

CAT = (ROOT / "ui" / "examples" / "cat.jpg").read_bytes()

CATALOGUE_S = 2.0  # the gateway follows a change of versions within this time


@pytest.fixture
def second(stack: Stack, tmp_path: Path) -> Iterator[Path]:
    """An archive of a second version; afterwards 1.0 serves alone again."""
    yield renumbered(stack.model_store / "deeplabv3-1.0.mar", tmp_path / "new.mar", SECOND)
    stack.versions("default", "1.0")
    stack.versions("alias", "canary", "--remove")
    stack.versions("remove", SECOND)


def served_by(gateway: httpx.Client, query: str = "") -> str:
    """The version that responds."""
    answer = gateway.post(f"/segmentation{query}", files={"file": ("cat.jpg", CAT)})
    assert answer.status_code == 200, answer.text
    return answer.headers["x-model-version"]


def wait_for_default(gateway: httpx.Client, version: str) -> None:
    """Wait until the gateway sends requests without a version to this one."""
    done = threading.Event()
    for _ in range(int(CATALOGUE_S / 0.1)):
        if served_by(gateway) == version:
            return
        done.wait(0.1)
    pytest.fail(f"version {version} did not become the default within {CATALOGUE_S} s")


def test_second_version_serves_beside_the_first(
    stack: Stack, gateway: httpx.Client, second: Path
) -> None:
    """add, ?version=, default, scale and remove work, and every response names its version."""
    added = stack.versions("add", str(second), "--workers", "1")
    assert (added.returncode, added.stderr) == (0, "")
    assert (served_by(gateway), served_by(gateway, f"?version={SECOND}")) == ("1.0", SECOND)

    assert stack.versions("default", SECOND).returncode == 0
    wait_for_default(gateway, SECOND)
    assert served_by(gateway, "?version=1.0") == "1.0"
    assert gateway.get("/readyz").json()["version"] == SECOND

    assert stack.versions("scale", SECOND, "2").returncode == 0
    listed = stack.versions("list").stdout
    row = next(line.split() for line in listed.splitlines() if line.startswith(SECOND))
    assert row[1:5] == ["stable", "local", "2/2", "ready"]

    refused = stack.versions("remove", SECOND)
    assert refused.returncode == 1
    assert f"{SECOND} is stable" in refused.stderr

    assert stack.versions("rollback").stdout == "version 1.0 is stable again\n"
    wait_for_default(gateway, "1.0")
    assert stack.versions("remove", SECOND).returncode == 0
    answer = gateway.post(f"/segmentation?version={SECOND}", files={"file": ("cat.jpg", CAT)})
    assert answer.status_code == 404
    assert "1.0" in answer.json()["detail"]


def test_swap_of_the_default_loses_no_request(
    stack: Stack, gateway: httpx.Client, second: Path
) -> None:
    """Requests in flight during a change of the default are answered by either version."""
    assert stack.versions("add", str(second)).returncode == 0
    stop = threading.Event()

    def ask() -> list[str]:
        with httpx.Client(base_url=stack.gateway_url, timeout=60.0) as client:
            found = [served_by(client)]
            while not stop.is_set():
                found.append(served_by(client))
            return [*found, served_by(client)]  # after the change, however long the last one took

    with ThreadPoolExecutor(3) as pool:
        clients = [pool.submit(ask) for _ in range(3)]
        try:
            assert stack.versions("default", SECOND).returncode == 0
            wait_for_default(gateway, SECOND)
        finally:
            stop.set()
    assert {version for client in clients for version in client.result()} == {"1.0", SECOND}


def test_rolling_back_under_load_loses_no_request(stack: Stack, tmp_path: Path) -> None:
    """What a worker computes is waited for; ``python -m tests.e2e.rolling 20`` does more rounds."""
    bundled = stack.model_store / "deeplabv3-1.0.mar"
    outcomes = roll(stack, renumbered(bundled, tmp_path / "new.mar", SECOND), rounds=2)
    assert {status for status, _ in outcomes} == {200}, set(outcomes)
    assert {version for _, version in outcomes} == {"1.0", SECOND}


@pytest.mark.parametrize(
    "command", [("remove", SECOND), ("scale", SECOND, "1")], ids=lambda c: c[0]
)
def test_what_a_worker_computes_is_finished_first(
    stack: Stack, second: Path, command: tuple[str, ...]
) -> None:
    """Also for clients that name the version, which no other version could answer."""
    assert stack.versions("add", str(second), "--workers", "2").returncode == 0
    slow = large_photograph()
    with ThreadPoolExecutor(12) as pool:
        asked = [pool.submit(_segment, stack, slow, SECOND) for _ in range(12)]
        threading.Event().wait(0.3)  # by then some are computed, others wait
        assert stack.versions(*command).returncode == 0
        assert [future.result().status_code for future in asked] == [200] * 12


def test_two_commands_that_add_one_version_do_not_unload_each_other(
    stack: Stack, second: Path
) -> None:
    """One adds it, the other finds it there, and the version serves."""
    with ThreadPoolExecutor(2) as pool:
        commands = [pool.submit(stack.versions, "add", str(second)) for _ in range(2)]
        done = [each.result() for each in commands]
    assert [each.returncode for each in done] == [0, 0], done
    told = sorted(each.stdout.partition(":")[0] for each in done)
    assert told == [f"version {SECOND} is added", f"version {SECOND} was there already"]
    assert _segment(stack, CAT, SECOND).status_code == 200


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("states", [("", "fetching"), ("loading",)], ids=["added", "loading"])
def test_an_interrupted_add_leaves_nothing(
    stack: Stack, second: Path, number: signal.Signals, states: tuple[str, ...]
) -> None:
    """One line at most, and the version is retired and unloaded."""
    command = [sys.executable, "-m", "scripts", "versions"]
    command += ["add", str(second), "--gateway", stack.gateway_url]
    with subprocess.Popen(
        command, cwd=ROOT, env=stack.environment, stderr=subprocess.PIPE, text=True
    ) as process:
        while _state(stack, SECOND) not in (*states, "loading"):
            assert process.poll() is None
            threading.Event().wait(0.02)
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert errors.count("\n") <= 1
    assert SECOND not in stack.versions("list").stdout
    _wait_until_unloaded(stack, SECOND)


def _state(stack: Stack, version: str) -> str | None:
    """The state of an available version on the node; empty before the node has it."""
    token = (stack.data_dir / "admin-token").read_text()
    answer = httpx.get(
        f"{stack.gateway_url}/v1/admin/models/deeplabv3/versions/{version}",
        headers={"Authorization": f"Bearer {token}"},
        timeout=30.0,
    )
    if not answer.is_success or answer.json()["state"] == "retired":
        return None
    return "".join(each["state"] for each in answer.json()["nodes"])


def _wait_until_unloaded(stack: Stack, version: str) -> None:
    done = threading.Event()
    for _ in range(150):
        if version not in loaded(stack)["deeplabv3"]:
            return
        done.wait(0.1)
    pytest.fail(f"version {version} is still loaded: {loaded(stack)}")


def test_batch_of_mixed_sizes_answers_each_item_by_itself(
    stack: Stack, gateway: httpx.Client, tmp_path: Path
) -> None:
    """With batching, a bad image gets its own 4xx and the others their masks."""
    batching = renumbered(
        stack.model_store / "deeplabv3-1.0.mar", tmp_path / "batching.mar", "4.0", batch=4
    )
    pictures = {size: _resized(size) for size in ((640, 480), (200, 300), (33, 50))}
    try:
        assert stack.versions("add", str(batching), "--workers", "1").returncode == 0
        with ThreadPoolExecutor(4) as pool:
            asked = [
                (size, pool.submit(_segment, stack, data, "4.0"))
                for _ in range(4)
                for size, data in [*pictures.items(), (None, CAT[:2000])]
            ]
            answers = [(size, future.result()) for size, future in asked]
    finally:
        stack.versions("remove", "4.0")
    for size, answer in answers:
        if size is None:
            assert (answer.status_code, answer.json()["code"]) == (422, "unreadable_image")
        else:
            assert answer.status_code == 200, answer.text
            assert Image.open(io.BytesIO(answer.content)).size == size
            assert "8=" in answer.headers["x-class-pixels"]


def _resized(size: tuple[int, int]) -> bytes:
    buffer = io.BytesIO()
    Image.open(io.BytesIO(CAT)).resize(size).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def _segment(stack: Stack, data: bytes, version: str) -> httpx.Response:
    url = f"{stack.gateway_url}/segmentation?version={version}"
    return httpx.post(url, files={"file": ("picture.jpg", data)}, timeout=60.0)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("add", "missing.mar"), "does not exist"),
        (("add", "README.md"), "is not a model archive"),
        (("default", "9.9"), "there is no version 9.9; there are: 1.0"),
        (("remove", "1.0"), "1.0 is stable"),
        (("scale", "1.0", "0"), "needs at least 1 worker"),
    ],
)
def test_refusals_say_why(stack: Stack, arguments: tuple[str, ...], words: str) -> None:
    """One line on standard error, status 1, nothing changed."""
    done = stack.versions(*arguments)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert words in done.stderr


def test_archive_whose_workers_fail_leaves_nothing_loaded(
    stack: Stack, gateway: httpx.Client, tmp_path: Path
) -> None:
    """A version that cannot start is unloaded again, and the first keeps serving."""
    broken = renumbered(
        stack.model_store / "deeplabv3-1.0.mar", tmp_path / "broken.mar", "3.0", broken=True
    )
    done = stack.versions("add", str(broken))
    assert done.returncode == 1
    assert "3.0 cannot be served on local: " in done.stderr
    assert "3.0" not in stack.versions("list").stdout
    _wait_until_unloaded(stack, "3.0")
    assert served_by(gateway) == "1.0"


def test_a_version_that_computes_nan_is_unavailable_on_every_route(
    stack: Stack, gateway: httpx.Client, tmp_path: Path
) -> None:
    """503 with the version named, never NaN in an answer; the default version serves on."""
    source = stack.model_store / "deeplabv3-1.0.mar"
    diverged = renumbered(source, tmp_path / "diverged.mar", "5.0", diverged=True)
    try:
        assert stack.versions("add", str(diverged), "--workers", "1").returncode == 0
        files = {"file": ("cat.jpg", CAT)}
        paths = ["/segmentation?", "/v1/segment?"]
        for path in paths + [f"/v1/segment?render={render}&" for render in RENDERS]:
            answer = gateway.post(f"{path}version=5.0", files=files)
            assert (answer.status_code, answer.json()["code"]) == (503, "model_unavailable"), path
            assert "Version 5.0" in answer.json()["detail"]
            assert answer.headers["x-model-version"] == "5.0"
            assert "nan" not in f"{answer.headers}{answer.text}".lower()
        batch = gateway.post("/v1/segment/batch?version=5.0", files=files)
        assert [json.loads(line)["problem"]["code"] for line in batch.text.splitlines()] == [
            "model_unavailable"
        ]
        assert served_by(gateway) == "1.0"
        assert "nan" not in gateway.get("/metrics").text.lower()
    finally:
        stack.versions("remove", "5.0")
