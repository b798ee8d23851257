"""Runs of Schemathesis' command against a gateway, and their reports."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.stack import ROOT

HERE = Path(__file__).parent
PHASES = ("examples", "coverage", "fuzzing", "stateful")
SECONDS = 240


@dataclass(frozen=True)
class Run:
    """A finished run: its report and output."""

    report: dict[str, Any]
    output: str

    @property
    def cases(self) -> int:
        """The number of generated requests."""
        return int(self.report["test_cases"]["generated"])

    @property
    def unfinished_phases(self) -> list[str]:
        """The phases that did not end successfully."""
        phases = self.report["phases"]
        return [name for name in PHASES if phases[name]["status"] != "success"]

    @property
    def never_accepted(self) -> list[str]:
        """The operations that accepted no valid request."""
        return [
            name
            for name, phases in self.report["valid_rates"].items()
            if not sum(counts["accepted"] for counts in phases.values())
        ]


def schemathesis(
    url: str, folder: Path, hooks: str, files: tuple[str, ...], examples: int, **env: str
) -> Run:
    """Run Schemathesis, configured by these files of this folder.

    examples: the most examples of each operation.
    """
    config, report = folder / "schemathesis.toml", folder / "report.json"
    parts = [(HERE / f"{name}.toml").read_text() for name in ("every_run", *files)]
    config.write_text(f'hooks = "{hooks}"\n' + "".join(parts))
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "--no-color"]
    command += ["run", f"{url}/openapi.json", "--max-examples", str(examples)]
    command += ["--report", "json", "--report-json-path", str(report)]
    process = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'handler'}", **env},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    output = process.stdout + process.stderr
    assert report.exists(), output
    return Run(json.loads(report.read_text()), output)
