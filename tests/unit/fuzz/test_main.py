"""The fuzzing run: its report, and the replay of a finding."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.__main__ import ROOT, outcome, report
from tests.fuzz.masks import seeds

OUTPUT = """INFO: Seed: 7
#2\tINITED cov: 12 ft: 14 corp: 2/11b exec/s: 0 rss: 70Mb
#900\tDONE   cov: 315 ft: 820 corp: 112/20Kb lim: 4096 exec/s: 300 rss: 80Mb
Done 900 runs in 3 second(s)
"""


def test_the_last_status_line_counts() -> None:
    """Executions, covered branches, and size of the corpus."""
    run = outcome("masks", 0, OUTPUT)
    assert (run.executions, run.branches, run.corpus, run.failed) == (900, 315, 112, False)


@pytest.mark.parametrize(
    ("status", "output"), [(77, OUTPUT), (70, OUTPUT), (0, ""), (1, "No module named 'atheris'")]
)
def test_what_did_not_run_to_its_end_has_failed(
    status: int, output: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A crash, a timeout, or no execution at all; the fuzzer's output is shown."""
    run = outcome("masks", status, output)
    report(run, 3)
    printed = capsys.readouterr().out
    assert run.failed
    assert "FAILED" in printed
    assert output in printed


def test_a_kept_input_can_be_replayed(tmp_path: Path) -> None:
    """Without a fuzzer, by the command in the report."""
    kept = tmp_path / "masks-crash"
    kept.write_bytes(seeds()[0])
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.masks", str(kept)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "nothing wrong" in done.stdout
