"""A real Prometheus on a free port, which scrapes and reckons as the one of an operator does."""

import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from scripts.launch.processes import end_with_parent
from tests.stack import free_ports

ROOT = Path(__file__).parents[2]
DEPLOYED = ROOT / "deploy" / "prometheus"
PATIENCE_S = 30.0


class Prometheus:
    """Its HTTP API."""

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=url, trust_env=False)

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series of an instant query; raises for an expression that is wrong."""
        answer = self._http.get("/api/v1/query", params={"query": expression})
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["data"]["result"]
        return found

    def values(self, expression: str) -> list[float]:
        """Their values."""
        return [float(each["value"][1]) for each in self.query(expression)]

    def wait_for(self, expression: str, fits: Callable[[list[float]], bool]) -> list[float]:
        """The values, once they fit."""
        end = time.monotonic() + PATIENCE_S
        while not fits(found := self.values(expression)):
            if time.monotonic() > end:
                raise TimeoutError(f"{expression} is {found}; targets: {self.targets()}")
            time.sleep(0.3)  # polling another process
        return found

    def targets(self) -> list[dict[str, Any]]:
        """What is scraped, and what came of it."""
        found: list[dict[str, Any]] = self._http.get("/api/v1/targets").json()["data"][
            "activeTargets"
        ]
        return found

    def rules(self) -> list[dict[str, Any]]:
        """Every rule as it was evaluated last."""
        groups = self._http.get("/api/v1/rules").json()["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]

    def is_ready(self) -> bool:
        """Whether it answers queries."""
        try:
            return self._http.get("/-/ready").status_code == 200
        except httpx.HTTPError:
            return False


def _configuration(gateway_port: int) -> str:
    """The deployed one, but for the gateway's port, and faster."""
    found = yaml.safe_load((DEPLOYED / "prometheus.yml").read_text())
    found["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    found["rule_files"] = [str(DEPLOYED / name) for name in found["rule_files"]]
    jobs = [job for job in found["scrape_configs"] if job["job_name"] == "segserve"]
    jobs[0]["static_configs"] = [{"targets": [f"127.0.0.1:{gateway_port}"]}]
    return yaml.safe_dump({**found, "scrape_configs": jobs})


@contextmanager
def prometheus(gateway_port: int) -> Iterator[Prometheus]:
    """A Prometheus that scrapes a gateway on this machine; it keeps nothing."""
    (port,) = free_ports(1)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "prometheus.yml").write_text(_configuration(gateway_port))
        process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={folder}/prometheus.yml",
                f"--storage.tsdb.path={folder}/data",
                f"--web.listen-address=127.0.0.1:{port}",
                "--log.level=warn",
            ],
            preexec_fn=end_with_parent,  # tests that are killed leave nothing behind
        )
        try:
            found = Prometheus(f"http://127.0.0.1:{port}")
            _wait_until_ready(found, process)
            yield found
        finally:
            process.terminate()
            process.wait(30)


def _wait_until_ready(found: Prometheus, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not found.is_ready():
        assert process.poll() is None, "prometheus ended while starting"
        assert time.monotonic() < end, "prometheus was not ready in time"
        time.sleep(0.1)  # polling another process
