"""Which ports a start needs."""

import socket

import pytest

from scripts.launch.preflight import PreflightError, check, ports_of
from scripts.launch.settings import Settings
from tests.stack import free_ports

NAMES = ("gateway", "inference", "management", "metrics", "grpc_inference", "grpc_management")


def _settings(*, metrics: bool, **ports: int) -> Settings:
    return Settings(ui=False, metrics=metrics, min_memory_mb=0, **ports)  # type: ignore[arg-type]


@pytest.mark.parametrize("metrics", [False, True])
def test_the_port_of_metrics_matters_only_with_metrics(metrics: bool) -> None:
    """Nothing listens there without."""
    ports = dict(zip((f"{each}_port" for each in NAMES), free_ports(len(NAMES)), strict=True))
    settings = _settings(metrics=metrics, **ports)
    assert ("METRICS_PORT" in {name for name, _, _ in ports_of(settings)}) == metrics
    with socket.create_server(("127.0.0.1", ports["metrics_port"])):
        if metrics:
            with pytest.raises(PreflightError, match="SEGSERVE_SERVE_METRICS_PORT"):
                check(settings)
        else:
            check(settings)
