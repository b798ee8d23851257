"""The description of a fuzzing target, and the replay of findings."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Target:
    """Code that processes untrusted bytes.

    check: accepts any bytes; raises on a violation.
    seeds: valid inputs to start with.
    words: tokens of the input format.
    """

    check: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]
    words: tuple[bytes, ...] = ()


def replay(target: Target) -> None:
    """Run the files named on the command line; the first failure ends it with a traceback."""
    for name in sys.argv[1:]:
        target.check(Path(name).read_bytes())
        print(f"{name}: nothing wrong")
