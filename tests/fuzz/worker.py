"""Fuzz one target with libFuzzer's options: python -m tests.fuzz.worker NAME [OPTION ...]."""

import sys
from contextlib import suppress
from importlib import import_module

import atheris

from tests.fuzz.target import Target

# Modules whose branches guide the fuzzer; Pillow's C libraries run without instrumentation.
INSTRUMENTED = ["gateway", "deeplab", "PIL", "python_multipart", "defusedxml"]


def main() -> None:
    """Fuzz until the time is over; exits with libFuzzer's status, 0 without a failure."""
    name, *options = sys.argv[1:]
    with atheris.instrument_imports(include=INSTRUMENTED):
        target: Target = import_module(f"tests.fuzz.{name}").TARGET
        for seed in target.seeds():
            # Trigger lazy imports; failures are reported by the fuzzer below.
            with suppress(Exception):
                target.check(seed)
    atheris.Setup([sys.argv[0], *options], target.check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
