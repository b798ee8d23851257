"""Shell examples of a documentation page, run against the running product."""

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.stack import ROOT, Stack


def blocks(page: Path) -> list[str]:
    """The ``bash`` examples that can be run as written."""
    return re.findall(r"```bash\n(.*?)```", page.read_text(), re.DOTALL)


def run_block(
    stack: Stack, block: str, instead: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run one example line by line; ``instead`` replaces the paths and addresses of the page."""
    own = {
        "./segserve build": f"./segserve build --store {stack.model_store}",
        "./segserve": f"{sys.executable} -m scripts",
    }
    for text, other in {**instead, **own}.items():
        block = block.replace(text, other)
    return subprocess.run(
        ["bash", "-ec", block],
        cwd=ROOT,
        # `auto` exports in each precision; the bundled model's archive is built so.
        env={**stack.environment, "SEGSERVE_PRECISION": "fp32"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
