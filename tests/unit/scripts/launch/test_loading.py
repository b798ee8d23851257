"""Whether a start ends because of workers that cannot load their archive."""

import json
from pathlib import Path

import pytest

from scripts.launch.loading import Loading
from scripts.launch.supervision import ServeError

FAILED = [
    "Failed to load model deeplabv3, exception Exception from core.cpp:132:",
    "RuntimeError: Incorrect weights in bin file!",
]
DIED = ["Backend worker error"]


def write(log: Path, version: str, messages: list[str], stream: str = "-stdout") -> Path:
    """What workers of a version wrote, as TorchServe logs it."""
    thread = f"W-9001-deeplabv3_{version}{stream}"
    stamp = "2026-11-29T18:40:28,776 INFO  MODEL_LOG"
    log.write_text("".join(f"{stamp} {thread} - {each}\n" for each in messages))
    return log


def desired(folder: Path, default: str | None) -> Path:
    """The agent's file."""
    path = folder / "desired.json"
    path.write_text(json.dumps({"generation": 3, "models": {"deeplabv3": {"default": default}}}))
    return path


@pytest.mark.parametrize(
    ("version", "messages", "stream", "words"),
    [
        ("1.0", FAILED, "-stdout", "delete it to have it built again"),
        ("2.0", FAILED, "-stdout", "start another --version"),
        ("1.0", DIED * 3, "", "delete it to have it built again"),
    ],
)
def test_the_version_that_clients_get_must_load(
    tmp_path: Path, version: str, messages: list[str], stream: str, words: str
) -> None:
    """One line names it, the reason and the log, and says what to do."""
    log = write(tmp_path / "torchserve.log", version, messages, stream)
    with pytest.raises(ServeError) as caught:
        Loading(log, desired(tmp_path, version), "1.0").check()
    assert f"cannot serve the archive of version {version}" in str(caught.value)
    assert ("Incorrect weights" in str(caught.value)) == (messages is FAILED)
    assert words in str(caught.value)
    assert str(log) in str(caught.value)


@pytest.mark.parametrize("default", ["1.0", "7", "7x0", "17.0", None])
def test_another_version_may_fail(tmp_path: Path, default: str | None) -> None:
    """Also one with a similar name, and while nobody knows what clients get."""
    log = write(tmp_path / "torchserve.log", "7.0", FAILED + DIED * 3)
    Loading(log, desired(tmp_path, default), "1.0").check()


def test_a_worker_may_die_twice(tmp_path: Path) -> None:
    """TorchServe starts it again."""
    log = write(tmp_path / "torchserve.log", "1.0", DIED * 2, "")
    Loading(log, desired(tmp_path, "1.0"), "1.0").check()


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"models": null}', '{"models": {"a": 1}}'])
def test_without_a_desired_state_nothing_is_known(tmp_path: Path, content: str) -> None:
    """Before the first answer of a gateway, or in a damaged file, or without a log."""
    log = write(tmp_path / "torchserve.log", "1.0", FAILED)
    Loading(log, tmp_path / "missing.json", "1.0").check()
    (tmp_path / "desired.json").write_text(content)
    Loading(log, tmp_path / "desired.json", "1.0").check()
    Loading(tmp_path / "missing.log", desired(tmp_path, "1.0"), "1.0").check()


def test_the_log_is_read_as_it_grows(tmp_path: Path) -> None:
    """Deaths are counted from look to look, those of each version."""
    log = write(tmp_path / "torchserve.log", "1.0", DIED, "")
    loading = Loading(log, desired(tmp_path, "1.0"), "1.0")
    one = log.read_text()
    for version in ("1.0", "2.0"):
        loading.check()
        loading.check()
        with log.open("a") as file:
            file.write(one.replace("deeplabv3_1.0", f"deeplabv3_{version}"))
    loading.check()
    with log.open("a") as file:
        file.write(one)
    with pytest.raises(ServeError, match=r"version 1\.0 "):
        loading.check()
