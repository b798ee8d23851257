"""The README's examples, run as written."""

import re
from pathlib import Path

import pytest
from PIL import Image

from tests.e2e.pages import blocks, run_block
from tests.stack import ROOT, Stack

MODES = {"mask.png": "P", "person.png": "RGBA"}
README = ROOT / "README.md"


def test_first_screen_shows_how_to_send_a_photograph() -> None:
    """The first screen has a command to copy."""
    assert "curl -F file=@" in "\n".join(README.read_text().splitlines()[:40])


@pytest.mark.usefixtures("version_removed")
@pytest.mark.parametrize("block", blocks(README), ids=lambda block: block.split("\n")[0])
def test_block_works_line_by_line(stack: Stack, tmp_path: Path, pictures: Path, block: str) -> None:
    """Every command succeeds against the running product; its output is a mask."""
    instead = {
        "http://127.0.0.1:8000": stack.gateway_url,
        "--data images/val": f"--gateway {stack.gateway_url} --data {pictures}",
        "-o ": f"-o {tmp_path}/",
        "curl ": "curl --fail --silent ",
    }
    done = run_block(stack, block, instead)
    assert done.returncode == 0, done.stderr
    written = {path.name: Image.open(path).mode for path in tmp_path.glob("*.png")}
    assert written == {name: MODES[name] for name in re.findall(r"-o (\S+)", block)}
