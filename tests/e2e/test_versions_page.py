"""The page on versions, executed command by command."""

import itertools
import json
from collections import Counter
from pathlib import Path

import httpx
import pytest

from gateway.traffic.identity import SESSION_HEADER
from tests.e2e.pages import blocks, run_block
from tests.stack import ROOT, Stack
from tests.torchserve import loaded

PAGE = ROOT / "docs" / "versions.md"
CAT = (ROOT / "ui" / "examples" / "cat.jpg").read_bytes()
REQUESTS = 110  # a few more than the gate wants of a canary


def be_tried(stack: Stack, version: str) -> None:
    """Have a canary answer as many images as the gate wants, as the clients on its side do."""
    answers = Counter[str]()
    with httpx.Client(base_url=stack.gateway_url, timeout=60.0) as client:
        visitors = map(str, itertools.count())
        visitor = next(visitors)
        while answers[version] < REQUESTS:
            answer = client.post(
                "/segmentation",
                files={"file": ("cat.jpg", CAT)},
                headers={SESSION_HEADER: visitor},
            )
            assert answer.status_code == 200
            answers[answer.headers["X-Model-Version"]] += 1
            if answer.headers["X-Model-Version"] != version:
                visitor = next(visitors)
                assert answers.total() < 1000, answers


@pytest.mark.usefixtures("version_removed")
def test_the_page_works_command_by_command(stack: Stack, pictures: Path, tmp_path: Path) -> None:
    """Each command succeeds, and 1.0 serves alone afterwards; the history has it all."""
    instead = {
        "--data pictures/val": f"--gateway {stack.gateway_url} --data {pictures}",
        "registry.backup": str(tmp_path / "registry.backup"),
    }
    printed = []
    for block in blocks(PAGE):
        if "promote canary" in block:
            be_tried(stack, "1.1")
        done = run_block(stack, block, instead)
        assert done.returncode == 0, (block, done.stdout, done.stderr)
        printed.append(done.stdout)
    add, measure, share, promote, rest, _ = printed
    assert "version 1.1 is added: local has 2 workers" in add
    assert "labels: (the same)" in add
    assert measure.count("recorded for version 1.") == 2
    assert "10 % of clients" in share
    assert "version 1.1 is stable; before it was 1.0" in promote
    assert "version 1.0 is stable again" in promote
    assert "thin objects are lost" in promote
    assert "version 1.1 is removed" in rest
    assert loaded(stack) == {"deeplabv3": ["1.0"]}
    assert (tmp_path / "registry.backup").stat().st_size > 0
    history = json.loads(stack.versions("history", "--json").stdout)
    assert {"promote", "rollback", "place", "traffic"} <= {each["action"] for each in history}
