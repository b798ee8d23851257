"""A real Prometheus on a free port, with the deployed configuration."""

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
TIMEOUT_S = 30.0


class Prometheus:
    """A client of Prometheus' HTTP API."""

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=url, trust_env=False)

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series of an instant query; raises AssertionError for an invalid expression."""
        response = self._http.get("/api/v1/query", params={"query": expression})
        assert response.status_code == 200, response.text
        series: list[dict[str, Any]] = response.json()["data"]["result"]
        return series

    def values(self, expression: str) -> list[float]:
        """The values of an instant query."""
        return [float(each["value"][1]) for each in self.query(expression)]

    def wait_for(self, expression: str, matches: Callable[[list[float]], bool]) -> list[float]:
        """The values of a query, once they match; raises TimeoutError."""
        end = time.monotonic() + TIMEOUT_S
        while not matches(values := self.values(expression)):
            if time.monotonic() > end:
                raise TimeoutError(f"{expression} is {values}; targets: {self.targets()}")
            time.sleep(0.3)  # polling another process
        return values

    def targets(self) -> list[dict[str, Any]]:
        """The scrape targets and their state."""
        targets: list[dict[str, Any]] = self._http.get("/api/v1/targets").json()["data"][
            "activeTargets"
        ]
        return targets

    def rules(self) -> list[dict[str, Any]]:
        """All rules with their last evaluation."""
        groups = self._http.get("/api/v1/rules").json()["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]

    def is_ready(self) -> bool:
        """Whether the server responds to queries."""
        try:
            return self._http.get("/-/ready").status_code == 200
        except httpx.HTTPError:
            return False


def _configuration(gateway_port: int) -> str:
    """The deployed configuration with the gateway's port and short intervals."""
    configuration = yaml.safe_load((DEPLOYED / "prometheus.yml").read_text())
    configuration["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    configuration["rule_files"] = [str(DEPLOYED / name) for name in configuration["rule_files"]]
    jobs = [job for job in configuration["scrape_configs"] if job["job_name"] == "segserve"]
    jobs[0]["static_configs"] = [{"targets": [f"127.0.0.1:{gateway_port}"]}]
    return yaml.safe_dump({**configuration, "scrape_configs": jobs})


@contextmanager
def prometheus(gateway_port: int) -> Iterator[Prometheus]:
    """Run a Prometheus that scrapes a gateway on this machine, with temporary storage."""
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
            server = Prometheus(f"http://127.0.0.1:{port}")
            _wait_until_ready(server, process)
            yield server
        finally:
            process.terminate()
            process.wait(30)


def _wait_until_ready(server: Prometheus, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + TIMEOUT_S
    while not server.is_ready():
        assert process.poll() is None, "prometheus ended while starting"
        assert time.monotonic() < end, "prometheus was not ready in time"
        time.sleep(0.1)  # polling another process
