"""Tests of deploy/serving.py, the start of the serving container, without Docker."""

import os
from pathlib import Path

from deploy.serving import SEEDS, environment


def test_the_archives_of_the_image_are_offered(tmp_path: Path) -> None:
    """In the order of their names; nothing else in the folder is one."""
    for name in ("deeplabv3-2.0.mar", "deeplabv3-1.0.mar", "notes.txt"):
        (tmp_path / name).touch()
    expected = os.pathsep.join(str(tmp_path / f"deeplabv3-{each}.mar") for each in ("1.0", "2.0"))
    assert environment(tmp_path, {"HOME": "/tmp"}) == {"HOME": "/tmp", SEEDS: expected}  # noqa: S108


def test_named_archives_are_offered_instead(tmp_path: Path) -> None:
    """An empty variable names none."""
    (tmp_path / "deeplabv3-1.0.mar").touch()
    assert environment(tmp_path, {SEEDS: "/data/other.mar"}) == {SEEDS: "/data/other.mar"}
    assert environment(tmp_path, {SEEDS: ""}) == {SEEDS: str(tmp_path / "deeplabv3-1.0.mar")}
