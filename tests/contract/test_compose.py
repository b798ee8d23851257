"""The defaults in docker-compose.yml work on every machine."""

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
SERVICES: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
SERVING = SERVICES["serving"]
README = (ROOT / "deploy" / "README.md").read_text()


def default_of(value: str) -> str:
    """The default that Compose substitutes for an unset variable."""
    match = re.fullmatch(r"\$\{\w+:-(.+)\}", value)
    assert match is not None, value
    return match[1]


def documented(variable: str) -> str:
    """The default in the variable's row of deploy/README.md."""
    match = re.search(rf"^\| `{variable}` \| `(.+?)` \|", README, re.MULTILINE)
    assert match is not None, variable
    return match[1]


def test_workers_are_limited_as_their_memory_is() -> None:
    """The default number of workers fits the default memory limit; one per two cores might not."""
    workers = default_of(str(SERVING["environment"]["SEGSERVE_AGENT_WORKERS"]))
    memory = default_of(SERVING["mem_limit"])
    assert workers == documented("SEGSERVE_SERVE_WORKERS")
    assert memory == documented("SEGSERVE_SERVING_MEMORY")
    # 1.6 GB with two workers and large images, plus the memory of each further worker.
    assert 1.6 + 0.4 * (int(workers) - 2) < float(memory.removesuffix("g"))


def test_what_the_containers_guide_runs_without_docker_is_set_up_first() -> None:
    """Its commands set up what they need, and build for the CPU of the containers."""
    commands = re.findall(r"^\./segserve (.+)$", README, re.MULTILINE)
    builds = [each for each in commands if each.startswith("build ")]
    assert builds
    assert [each for each in builds if not each.startswith("build --device cpu ")] == []
    assert re.findall(r"^.*\.venv/.*$", README, re.MULTILINE) == []
