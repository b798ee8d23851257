"""`segserve bench`: the flags reach the chosen benchmark."""

import subprocess
import sys

import pytest

from scripts.archives.paths import ROOT
from scripts.bench import MODULES

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("arguments", "usage"),
    [
        (["--models", "nonsense"], "usage: benchmarks "),
        (["compare", "--models", "nonsense"], "usage: benchmarks "),
        (["scaling", "--seconds", "soon"], "usage: scaling.py "),
        (["gpu", "--seconds", "soon"], "usage: __main__.py "),
    ],
)
def test_a_benchmark_gets_its_flags(arguments: list[str], usage: str) -> None:
    """An invalid flag is refused by the benchmark itself, with its exit status."""
    done = subprocess.run(
        [sys.executable, "-m", "scripts", "bench", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith(usage)
    assert arguments[-1] in done.stderr


def test_the_help_names_every_benchmark() -> None:
    """In the usage."""
    done = subprocess.run(
        [sys.executable, "-m", "scripts", "bench", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert f"[{'|'.join(MODULES)}]" in done.stdout
