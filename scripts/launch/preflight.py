"""Start-up checks: free ports and memory."""

import socket
from pathlib import Path

from scripts.launch.settings import Settings

CGROUP = Path("/sys/fs/cgroup")


class PreflightError(RuntimeError):
    """Starting would fail; the text says what to do."""


def check(settings: Settings) -> None:
    """Raise PreflightError unless all ports are free and there is enough memory."""
    for name, host, port in ports_of(settings):
        _check_port(name, host, port)
    available = available_memory_mb()
    if available is not None and available < settings.min_memory_mb:
        raise PreflightError(
            f"only {available} MB of memory are free, {settings.min_memory_mb} MB are needed: end "
            "other programs, or set SEGSERVE_SERVE_WORKERS=1 and SEGSERVE_SERVE_MIN_MEMORY_MB"
        )


def ports_of(settings: Settings) -> list[tuple[str, str, int]]:
    """(setting without its prefix, host, port) of every listener."""
    inside = settings.torchserve_host
    ports = [
        ("GATEWAY_PORT", settings.host, settings.gateway_port),
        ("INFERENCE_PORT", inside, settings.inference_port),
        ("MANAGEMENT_PORT", "127.0.0.1", settings.management_port),
        ("GRPC_INFERENCE_PORT", "127.0.0.1", settings.grpc_inference_port),
        ("GRPC_MANAGEMENT_PORT", "127.0.0.1", settings.grpc_management_port),
    ]
    if settings.metrics:
        ports.append(("METRICS_PORT", inside, settings.metrics_port))
    if settings.ui:
        ports.append(("UI_PORT", settings.host, settings.ui_port))
    return ports


def _check_port(name: str, host: str, port: int) -> None:
    problem = why_not_usable(host, port)
    if problem is not None:
        raise PreflightError(
            f"port {port} on {host} cannot be used ({problem}): end what uses it, "
            f"or choose another with SEGSERVE_SERVE_{name}"
        )


def why_not_usable(host: str, port: int) -> str | None:
    """The system's reason why the port cannot be bound; None if it can."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError) as exc:
            return str(exc.strerror) if isinstance(exc, OSError) else str(exc)
    return None


def available_memory_mb() -> int | None:
    """Memory available without swapping, in MB; None where the system does not report it.

    In a container with a limit, what is left of the limit, if that is less.
    """
    try:
        rows = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    kilobytes = next((row.split()[1] for row in rows if row.startswith("MemAvailable:")), None)
    if kilobytes is None:
        return None
    left = _left_of_the_limit_mb(CGROUP)
    return int(kilobytes) // 1024 if left is None else min(int(kilobytes) // 1024, left)


def _left_of_the_limit_mb(group: Path) -> int | None:
    """What the container's limit leaves, in MB; file caches count as free. None without one."""
    try:
        limit, used = ((group / f"memory.{name}").read_text() for name in ("max", "current"))
        rows = dict(row.split() for row in (group / "memory.stat").read_text().splitlines())
        return max(0, int(limit) - int(used) + int(rows["inactive_file"])) // 2**20
    except (OSError, ValueError, KeyError):  # "max" is not a number: no limit
        return None
