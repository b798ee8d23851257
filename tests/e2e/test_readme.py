"""The README's examples, run as they stand."""

import re
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from tests.stack import ROOT, Stack

BLOCKS = re.findall(r"```bash\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
CURLS = [
    line for block in BLOCKS for line in block.splitlines() if line.strip().startswith("curl ")
]


def test_readme_shows_a_curl_line() -> None:
    """A newcomer can copy one."""
    assert CURLS


@pytest.mark.parametrize("line", CURLS)
def test_curl_line_works(stack: Stack, tmp_path: Path, line: str) -> None:
    """The line works against the running product; what it writes is a mask."""
    command = line.replace("http://127.0.0.1:8000", stack.gateway_url)
    command = command.replace("@ui/", f"@{ROOT}/ui/")
    done = subprocess.run(
        ["bash", "-c", f"set -e; {command.replace('curl ', 'curl --fail --silent ', 1)}"],
        cwd=tmp_path,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for written in tmp_path.glob("*.png"):
        assert Image.open(written).mode in {"P", "RGB", "RGBA", "L"}
