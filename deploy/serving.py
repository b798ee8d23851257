"""Start of the serving container: become the agent, which offers the image's archives as seeds."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

APP = Path("/app")
SEEDS = "SEGSERVE_AGENT_SEEDS"


def environment(archives: Path, given: Mapping[str, str]) -> dict[str, str]:
    """The agent's environment: it offers the archives of a folder, unless others are named."""
    seeds = os.pathsep.join(str(path) for path in sorted(archives.glob("*.mar")))
    return {**given, SEEDS: given.get(SEEDS) or seeds}


def main() -> None:
    """Replace this process by the agent."""
    os.chdir(APP)
    variables = environment(APP / "archives", os.environ)
    os.execve(sys.executable, [sys.executable, "-m", "agent"], variables)  # noqa: S606


if __name__ == "__main__":
    main()
