"""Fuzz all targets, one after the other: python -m tests.fuzz SECONDS (of all together)."""

import re
import subprocess
import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from tests.fuzz.target import Target

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".cache" / "fuzz"
FINDINGS = CACHE / "findings"
TARGETS = ("forms", "images", "masks", "json_bodies", "archives")
LIMITS = ("-timeout=10", "-rss_limit_mb=2048", "-max_len=4096")
STATUS = re.compile(r"^#(\d+)\s.*\bcov: (\d+) ft: \d+ corp: (\d+)/", re.MULTILINE)
SHOWN_LINES = 40


@dataclass(frozen=True)
class Run:
    """The result of fuzzing one target.

    branches: reached branches of the instrumented code. corpus: inputs that reached new ones.
    """

    name: str
    executions: int
    branches: int
    corpus: int
    failed: bool
    output: str


def fuzz(name: str, seconds: int) -> Run:
    """Fuzz one target, starting with the corpus of earlier runs."""
    target: Target = import_module(f"tests.fuzz.{name}").TARGET
    corpus = CACHE / "corpus" / name
    corpus.mkdir(parents=True, exist_ok=True)
    for index, seed in enumerate(target.seeds()):
        (corpus / f"seed-{index:02}").write_bytes(seed)
    words = CACHE / f"{name}.dict"
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in target.words))
    options = [f"-dict={words}", f"-max_total_time={seconds}", *LIMITS]
    options.append(f"-artifact_prefix={FINDINGS}/{name}-")
    process = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.worker", name, str(corpus), *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    return outcome(name, process.returncode, process.stdout.decode("utf-8", "replace"))


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


def outcome(name: str, status: int, output: str) -> Run:
    """Parse libFuzzer's exit status and last status line; a missing line is a failure."""
    lines = STATUS.findall(output)
    executions, branches, corpus = map(int, lines[-1]) if lines else (0, 0, 0)
    return Run(name, executions, branches, corpus, status != 0 or not executions, output)


def report(run: Run, seconds: int) -> None:
    """Print the figures; after a failure also the output and the command to reproduce it."""
    verdict = "FAILED" if run.failed else "passed"
    print(
        f"{run.name:12} {verdict}: {run.executions} executions, "
        f"{run.executions / seconds:.0f} a second, {run.branches} branches, {run.corpus} inputs",
        flush=True,
    )
    if run.failed:
        print("\n".join(run.output.splitlines()[-SHOWN_LINES:]))
        for kept in sorted(FINDINGS.glob(f"{run.name}-*")):
            print(f"See it again: python -m tests.fuzz.{run.name} {kept.relative_to(ROOT)}")


def main() -> int:
    """Fuzz all targets; return 0 if nothing failed."""
    share = max(1, int(sys.argv[1]) // len(TARGETS))
    FINDINGS.mkdir(parents=True, exist_ok=True)
    failed = False
    for name in TARGETS:
        run = fuzz(name, share)
        report(run, share)
        failed |= run.failed
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
