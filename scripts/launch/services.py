"""Starting each service with the addresses of the others."""

import os
import sys
from functools import partial
from pathlib import Path

from scripts.launch import torchserve
from scripts.launch.processes import Child, start
from scripts.launch.settings import Settings
from scripts.launch.supervision import Service


def services_of(settings: Settings, archive: str, scratch: Path, logs: Path) -> list[Service]:
    """The services in the order of their start: TorchServe, the gateway and, unless off, the page.

    TorchServe is not restarted: it would silently forget versions that were added by hand, and
    which of them is the default.
    """
    server = partial(start_torchserve, settings, archive, scratch, logs)
    services = [
        Service("TorchServe", server, f" with {archive}, {settings.workers} workers", 0),
        Service("the gateway", partial(start_gateway, settings, logs)),
    ]
    if settings.ui:
        page = partial(start_page, settings, logs)
        services.append(Service("the page", page, is_needed=False))
    return services


def start_torchserve(settings: Settings, archive: str, scratch: Path, logs: Path) -> Child:
    """Start TorchServe with one archive; it starts the workers itself."""
    configuration = torchserve.write_configuration(settings, [archive])
    command = torchserve.command(settings, configuration, scratch)
    return start("TorchServe", command, torchserve.environment(), logs / "torchserve.log")


def start_gateway(settings: Settings, logs: Path) -> Child:
    """Start the gateway with TorchServe's addresses."""
    inside = settings.torchserve_host
    env = {
        **os.environ,
        "SEGSERVE_GATEWAY_HOST": settings.host,
        "SEGSERVE_GATEWAY_PORT": str(settings.gateway_port),
        "SEGSERVE_GATEWAY_INFERENCE_URL": f"http://{inside}:{settings.inference_port}",
        "SEGSERVE_GATEWAY_MANAGEMENT_URL": f"http://{inside}:{settings.management_port}",
        "SEGSERVE_GATEWAY_TORCHSERVE_TOKENS": str(settings.tokens_file),
    }
    return start("gateway", module("gateway"), env, logs / "gateway.log")


def start_page(settings: Settings, logs: Path) -> Child:
    """Start the page with the gateway's address."""
    env = {
        **os.environ,
        "SEGSERVE_UI_HOST": settings.host,
        "SEGSERVE_UI_PORT": str(settings.ui_port),
        "SEGSERVE_UI_GATEWAY_URL": f"http://{settings.host}:{settings.gateway_port}",
    }
    return start("page", module("ui"), env, logs / "page.log")


def module(name: str) -> list[str]:
    """The command that runs a module with this interpreter."""
    return [sys.executable, "-m", name]
