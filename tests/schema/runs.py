"""Runs Schemathesis, as its command, against a gateway and reads what it reports."""

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
    """A finished run: its report, and what it printed."""

    report: dict[str, Any]
    output: str

    @property
    def cases(self) -> int:
        """Requests that were generated."""
        return int(self.report["test_cases"]["generated"])

    @property
    def unfinished_phases(self) -> list[str]:
        """Phases that did not come to their end without a failure."""
        phases = self.report["phases"]
        return [name for name in PHASES if phases[name]["status"] != "success"]

    @property
    def never_accepted(self) -> list[str]:
        """Operations of which no valid request was accepted: nothing behind them was reached."""
        return [
            name
            for name, phases in self.report["valid_rates"].items()
            if not sum(counts["accepted"] for counts in phases.values())
        ]


def schemathesis(
    url: str, folder: Path, hooks: str, files: tuple[str, ...], examples: int, **env: str
) -> Run:
    """A run with a configuration of these files of this folder; examples: of each operation."""
    config, report = folder / "schemathesis.toml", folder / "report.json"
    parts = [(HERE / f"{name}.toml").read_text() for name in ("every_run", *files)]
    config.write_text(f'hooks = "{hooks}"\n' + "".join(parts))
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "--no-color"]
    command += ["run", f"{url}/openapi.json", "--max-examples", str(examples)]
    command += ["--report", "json", "--report-json-path", str(report)]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'handler'}", **env},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    output = done.stdout + done.stderr
    assert report.exists(), output
    return Run(json.loads(report.read_text()), output)
