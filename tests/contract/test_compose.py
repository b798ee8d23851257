"""What docker-compose.yml says can be true on every machine."""

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
SERVING: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"][
    "serving"
]
README = (ROOT / "deploy" / "README.md").read_text()


def default_of(value: str) -> str:
    """What Compose puts in where the variable is not set."""
    found = re.fullmatch(r"\$\{\w+:-(.+)\}", value)
    assert found is not None, value
    return found[1]


def documented(variable: str) -> str:
    """The default in the variable's row."""
    found = re.search(rf"^\| `{variable}` \| `(.+?)` \|", README, re.MULTILINE)
    assert found is not None, variable
    return found[1]


def test_workers_are_limited_as_their_memory_is() -> None:
    """Both have a number by default: with one worker for each pair of cores, none would fit."""
    workers = default_of(str(SERVING["environment"]["SEGSERVE_SERVE_WORKERS"]))
    memory = default_of(SERVING["mem_limit"])
    assert workers == documented("SEGSERVE_SERVE_WORKERS")
    assert memory == documented("SEGSERVE_SERVING_MEMORY")
    # 1.6 GB with two workers and large pictures, and what each further one takes.
    assert 1.6 + 0.4 * (int(workers) - 2) < float(memory.removesuffix("g"))


def test_what_the_containers_guide_runs_without_docker_is_set_up_first() -> None:
    """Whoever has only Docker has no environment yet; what is made in it suits the containers."""
    (command,) = re.findall(r"^(?:.*(?:\.venv/|\./segserve)\S*).*$", README, re.MULTILINE)[-1:]
    assert command.startswith("./segserve build --device cpu ")  # it sets up what it needs
    assert re.findall(r"^.*\.venv/.*$", README, re.MULTILINE) == []
