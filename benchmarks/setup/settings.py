"""The environment variables by which the harness configures a competitor's processes."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache" / "benchmarks"

PREFIX = "SEGSERVE_BENCHMARK_"
VARIANT = f"{PREFIX}VARIANT"  # ENGINE or NEWCOMER
ARCHIVE = f"{PREFIX}ARCHIVE"  # folder of an unpacked archive
ARCHITECTURE = f"{PREFIX}ARCHITECTURE"
WEIGHTS = f"{PREFIX}WEIGHTS"  # a checkpoint's path
PORT = f"{PREFIX}PORT"
ENGINE, NEWCOMER = "engine", "newcomer"  # our engine code, or as a newcomer writes it
WORKERS = f"{PREFIX}WORKERS"  # processes that segment
LOAD = f"{PREFIX}LOAD"  # a JSON file that describes the load


def environment(root: Path = ROOT) -> dict[str, str]:
    """This process's environment with a checkout on PYTHONPATH, by default this one."""
    return {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{root / 'handler'}"}
