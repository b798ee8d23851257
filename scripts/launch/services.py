"""Starting each service with the addresses of the others."""

import os
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from scripts.launch.processes import Child, start
from scripts.launch.seed_notice import SeedNotice
from scripts.launch.settings import Settings
from scripts.launch.supervision import Service

NODE = "local"
# Those of SEGSERVE_SERVE_* that are the agent's.
AGENT_SETTINGS = (
    *("inference_port", "management_port", "metrics", "metrics_port"),
    *("grpc_inference_port", "grpc_management_port", "workers", "heap"),
    *("max_request_bytes", "max_response_bytes"),
)


@dataclass(frozen=True)
class Seed:
    """The archive of this start.

    stable_for: a text that no other start has, where the model was chosen for this start and so
    must be stable; empty where it is only what is served if nothing else is.
    """

    archive: Path
    stable_for: str = ""


def services_of(settings: Settings, seed: Seed, logs: Path) -> list[Service]:
    """The services in the order of their start: TorchServe, the gateway and, unless off, the page.

    TorchServe's agent starts it again, and has it load what it served.
    """
    name = seed.archive.name
    notice = SeedNotice(name, settings.desired_file, is_chosen=bool(seed.stable_for)).look
    services = [
        Service(
            "TorchServe", partial(start_agent, settings, seed, logs), f" with {name}", notice=notice
        ),
        Service("the gateway", partial(start_gateway, settings, logs)),
    ]
    if settings.ui:
        page = partial(start_page, settings, logs)
        services.append(Service("the page", page, is_needed=False))
    return services


def start_agent(settings: Settings, seed: Seed, logs: Path) -> Child:
    """Start the agent, which starts TorchServe and offers the gateway the archive of this start."""
    env = {
        **os.environ,
        "SEGSERVE_AGENT_GATEWAY_URLS": f"http://{_reachable(settings.host)}:{settings.gateway_port}",
        "SEGSERVE_AGENT_NODE": NODE,
        "SEGSERVE_AGENT_NODE_TOKEN_FILE": str(settings.data_dir / "node-token"),
        "SEGSERVE_AGENT_FOLDER": str(settings.server_dir),
        "SEGSERVE_AGENT_SEEDS": str(seed.archive),
        "SEGSERVE_AGENT_SEED_IS_STABLE": seed.stable_for,
        "SEGSERVE_AGENT_TORCHSERVE_HOST": settings.torchserve_host,
        **{
            f"SEGSERVE_AGENT_{name.upper()}": str(getattr(settings, name))
            for name in AGENT_SETTINGS
        },
        **({} if settings.min_memory_mb else {"SEGSERVE_AGENT_CHECK_MEMORY": "false"}),
    }
    return start("TorchServe", module("agent"), env, logs / "torchserve.log")


def _reachable(host: str) -> str:
    """An address of this machine at which a service that listens on ``host`` answers."""
    return "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104 - compared only


def start_gateway(settings: Settings, logs: Path) -> Child:
    """Start the gateway, which keeps its registry in the data folder."""
    env = {
        **os.environ,
        "SEGSERVE_GATEWAY_HOST": settings.host,
        "SEGSERVE_GATEWAY_PORT": str(settings.gateway_port),
        "SEGSERVE_GATEWAY_DATA_DIR": str(settings.data_dir),
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
