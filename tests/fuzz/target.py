"""What a fuzzer needs to know of a piece of code, and how a finding of its is looked at."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Target:
    """One piece of code that strangers' bytes reach.

    check: takes any bytes; raises what must not happen.
    seeds: valid inputs to begin with.
    words: what inputs of this kind are made of.
    """

    check: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]
    words: tuple[bytes, ...] = ()


def replay(target: Target) -> None:
    """Run the files named on the command line; the first that fails ends it with its traceback."""
    for name in sys.argv[1:]:
        target.check(Path(name).read_bytes())
        print(f"{name}: nothing wrong")
