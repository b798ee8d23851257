"""Virtual environments of the competitors, as their requirements contradict each other.

PyTorch, OpenVINO, NumPy and the decoders come from the product's own environment, so that all run
on the very same builds.
"""

import hashlib
import subprocess
import sys
import sysconfig
from pathlib import Path

from benchmarks.setup.settings import CACHE, ROOT

REQUIREMENTS = ROOT / "benchmarks" / "requirements"


class InstallationError(RuntimeError):
    """The packages could not be installed; the text is pip's last line."""


def interpreter_of(name: str) -> Path:
    """The Python of ``benchmarks/requirements/<name>.txt``, installed if it is not there yet."""
    wanted = REQUIREMENTS / f"{name}.txt"
    folder = CACHE / "environments" / name
    python, stamp = folder / "bin" / "python", folder / "installed"
    digest = hashlib.sha256(wanted.read_bytes() + sys.executable.encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == digest:
        return python
    _run([sys.executable, "-m", "venv", "--clear", str(folder)])
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([*pip, "-r", str(wanted)])
    ours = sysconfig.get_path("purelib")
    inside = folder / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
    (inside / "product.pth").write_text(f"{ours}\n")  # after its own packages
    stamp.write_text(digest)
    return python


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise InstallationError(f"{' '.join(command)}: {' '.join(last)}")
