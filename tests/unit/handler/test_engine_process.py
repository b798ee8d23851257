"""An engine's effects on its process: bounded memory, no telemetry, and survived signals."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.stack import ROOT

pytestmark = pytest.mark.slow

SIZES = 150
# More than 200 without the limit on OpenVINO's cache. With AMX it caches more for each size.
HAS_AMX = "amx_tile" in Path("/proc/cpuinfo").read_text()
LARGEST_GROWTH_MB = 140 if HAS_AMX else 100

PROGRAM = f"""
import sys
from pathlib import Path
import numpy as np, psutil
from deeplab.engines import load_engine
from deeplab.spec import read_spec
root = Path(sys.argv[1])
engine = load_engine(root / "network", read_spec(root / "model.json"), threads=2)
resident = []
for step in range({SIZES}):
    height, width = (300 - step, 300) if step % 2 else (300, 300 - step)
    engine.logits(np.zeros((1, height, width, 3), dtype=np.uint8))
    resident.append(psutil.Process().memory_info().rss)
print((resident[-1] - resident[10]) / 1e6)
"""

# As in a worker: an engine that has used the CPU's matrix registers, if there are any.
BOTH_LIMITS = """
import sys
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


def _printed(program: str, *arguments: Path) -> str:
    """What the program prints in a process of its own, which must exit with 0."""
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        env={"PYTHONPATH": str(ROOT / "handler")},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_many_image_sizes_cost_no_more_memory_than_few(unpacked: Path) -> None:
    """A public page gets images of every size: a worker must not grow with each."""
    assert float(_printed(PROGRAM, unpacked)) < LARGEST_GROWTH_MB


def test_openvino_is_loaded_without_its_telemetry() -> None:
    """Importing OpenVINO the usual way starts a process that reports to its vendor."""
    program = (
        "import sys\n"
        "from deeplab.engines import import_openvino\n"
        "import_openvino().Core()\n"
        "print([name for name, module in sys.modules.items()"
        " if name.startswith('openvino_telemetry') and module is not None])"
    )
    assert _printed(program) == "[]"


def test_a_signal_after_two_engines_is_survived(unpacked: Path) -> None:
    """OpenVINO's cores replace the main thread's signal stack: there may be only one core."""
    program = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from deeplab.engines import load_engine\n"
        "from deeplab.spec import read_spec\n"
        "root = Path(sys.argv[1])\n"
        "spec = read_spec(root / 'model.json')\n"
        "first = load_engine(root / 'network', spec, threads=1)\n"
        "second = load_engine(root / 'network', spec, threads=1)\n"
        "del first\n"
        "del second\n"
        "signal.signal(signal.SIGTERM, lambda *_: print('survived'))\n"
        "os.kill(os.getpid(), signal.SIGTERM)\n"
    )
    assert _printed(program, unpacked) == "survived"


def test_two_limits_at_once_do_not_kill_a_worker(unpacked: Path) -> None:
    """With AMX one signal's frame fills the signal stack that OpenVINO allocates."""
    assert _printed(BOTH_LIMITS, unpacked) == "5"
