"""Several limits at once look at one block, and none of them costs the worker."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from deeplab.looks import looking

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3] / "handler")}
# As a worker does it: an engine that has used the processor's matrix registers, if there are any.
BOTH_LIMITS = """
import sys, time
from pathlib import Path
import numpy as np
from deeplab.cpu_limit import cpu_limit
from deeplab.engines import load_engine
from deeplab.memory_limit import memory_limit
from deeplab.spec import read_spec

folder = Path(sys.argv[1])
engine = load_engine(folder / "network", read_spec(folder / "model.json"), threads=1)
engine.logits(np.zeros((1, 33, 33, 3), dtype=np.uint8))
stopped = 0
for _ in range(5):
    try:
        with cpu_limit(0.1, lambda: KeyError("too long")):
            with memory_limit(1 << 30, lambda: MemoryError("too much")):
                while True:
                    sum(range(1000))
    except KeyError:
        stopped += 1
print(stopped)
"""


def _spin(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def test_a_block_is_looked_at_by_all_who_want_to() -> None:
    """The inner ones as long as their block lasts, the outer ones before and after it."""
    outer, inner = [], []
    with looking(lambda: outer.append(1)):
        with looking(lambda: inner.append(1)):
            _spin(0.2)
        seen = len(outer), len(inner)
        _spin(0.2)
    assert min(seen) >= 5
    assert len(inner) == seen[1]
    assert len(outer) >= seen[0] + 5
    _spin(0.1)
    assert (len(outer), len(inner)) == (len(outer), seen[1])


def test_nothing_is_left_behind() -> None:
    """Neither the timer nor the signal's handler, also after an error."""
    before = signal.getsignal(signal.SIGPROF)

    def fail() -> None:
        raise KeyError("found")

    with pytest.raises(KeyError, match="found"), looking(lambda: None), looking(fail):
        _spin(5)
    assert signal.getsignal(signal.SIGPROF) == before
    assert signal.getitimer(signal.ITIMER_PROF) == (0, 0)


def test_two_limits_at_once_do_not_kill_a_worker(unpacked: Path) -> None:
    """With AMX a signal's frame is as large as the stack that OpenVINO makes for one of them."""
    program = [sys.executable, "-c", BOTH_LIMITS, str(unpacked)]
    done = subprocess.run(
        program, env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout.strip()) == (0, "5"), done.stderr
