"""A deployment of docker-compose.yml under a name, ports and volumes of its own."""

import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.compose.commands import run
from tests.compose.engine import ROOT
from tests.stack import free_ports

BUILD_S = 1200
UP_S = 240
SERVICES = ("serving", "gateway", "ui")


def _free_port() -> int:
    return free_ports(1)[0]


@dataclass(frozen=True)
class Stack:
    """The deployment; figures collects what the run measured, for the summary."""

    compose: list[str]
    project: str
    base_image: str
    gateway_port: int = field(default_factory=_free_port)
    ui_port: int = field(default_factory=_free_port)
    figures: dict[str, str] = field(default_factory=dict)

    @property
    def gateway_url(self) -> str:
        """The published address of the gateway."""
        return f"http://127.0.0.1:{self.gateway_port}"

    @property
    def ui_url(self) -> str:
        """The published address of the page."""
        return f"http://127.0.0.1:{self.ui_port}"

    @property
    def file(self) -> Path:
        """The file of the deployment."""
        return ROOT / "docker-compose.yml"

    @property
    def environment(self) -> dict[str, str]:
        """The environment of Compose: nothing of this machine's settings."""
        return {
            **{name: value for name, value in os.environ.items() if "SEGSERVE_" not in name},
            "SEGSERVE_BASE_IMAGE": self.base_image,
            "SEGSERVE_GATEWAY_PUBLISH_PORT": str(self.gateway_port),
            "SEGSERVE_UI_PUBLISH_PORT": str(self.ui_port),
        }

    @property
    def command(self) -> list[str]:
        """Compose with what names this deployment."""
        place = ["--project-directory", str(ROOT), "--project-name", self.project]
        return [*self.compose, *place, "--ansi", "never", "--progress", "plain"]

    def call(self, *arguments: str, timeout_s: float = 60) -> str:
        """Run a command of Compose on this deployment and return its output."""
        return run([*self.command, *arguments], timeout_s=timeout_s, env=self.environment)

    def build(self) -> None:
        """Build the three images."""
        self.measure("build", "build", timeout_s=BUILD_S)
        for service in SERVICES:
            image = f"{self.project}-{service}"
            size = run(["docker", "image", "inspect", "-f", "{{.Size}}", image], timeout_s=30)
            self.figures[f"image {service}"] = f"{int(size) / 1e6:.0f} MB"

    def up(self, name: str = "up") -> None:
        """Start everything and wait until it is healthy; record the duration under a name."""
        wait = ["--wait", "--wait-timeout", str(UP_S)]
        self.measure(name, "up", "--detach", "--no-build", *wait, timeout_s=UP_S + 30)

    def down(self) -> None:
        """Remove containers, networks, volumes and images of this deployment."""
        self.call("down", "--volumes", "--rmi", "local", "--remove-orphans", timeout_s=120)

    def measure(self, name: str, *arguments: str, timeout_s: float) -> None:
        """Run a command of Compose and record its duration."""
        start = time.monotonic()
        self.call(*arguments, timeout_s=timeout_s)
        self.figures[name] = f"{time.monotonic() - start:.1f} s"

    def python(self, service: str, code: str) -> str:
        """Run a line of Python in a service's container."""
        return self.call("exec", "--no-TTY", service, "python", "-c", code).strip()

    def inspect(self, service: str) -> dict[str, Any]:
        """The engine's description of a service's container."""
        name = self.call("ps", "--all", "--quiet", service).strip()
        found: list[dict[str, Any]] = json.loads(run(["docker", "inspect", name], timeout_s=30))
        return found[0]

    def leftovers(self) -> list[str]:
        """Containers, networks, volumes and images that still have this deployment's name."""
        label = ["--quiet", "--filter", f"label=com.docker.compose.project={self.project}"]
        lists = (["ps", "--all"], ["network", "ls"], ["volume", "ls"], ["image", "ls"])
        found = [run(["docker", *what, *label], timeout_s=30) for what in lists]
        return [name for names in found for name in names.split()]
