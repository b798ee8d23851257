"""The README's examples, run as they stand."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from scripts.places import MODEL_STORE
from tests.stack import ROOT, Stack

README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```bash\n(.*?)```", README, re.DOTALL)


def test_first_screen_shows_how_to_send_a_photograph() -> None:
    """A newcomer can copy a line."""
    assert "curl -F file=@" in "\n".join(README.splitlines()[:40])


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.split("\n")[0])
def test_block_works_line_by_line(stack: Stack, tmp_path: Path, block: str) -> None:
    """Every command succeeds against the running product; what it writes is a mask."""
    script = (
        block.replace("http://127.0.0.1:8000", stack.gateway_url)
        .replace("-o mask.png", f"-o {tmp_path}/mask.png")
        .replace(".venv/bin/python", sys.executable)
        .replace("curl ", "curl --fail --silent ")
    )
    try:
        done = subprocess.run(
            ["bash", "-ec", script],
            cwd=ROOT,
            env={**os.environ, "SEGSERVE_SERVE_MANAGEMENT_PORT": str(stack.ports["MANAGEMENT"])},
            capture_output=True,
            timeout=120,
            check=False,
        )
    finally:
        (MODEL_STORE / "deeplabv3-1.1.mar").unlink(missing_ok=True)
    assert done.returncode == 0, done.stderr
    if "-o mask.png" in block:
        assert Image.open(tmp_path / "mask.png").mode == "P"
