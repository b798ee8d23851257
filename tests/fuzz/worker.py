"""Fuzzes one target with libFuzzer's options: python -m tests.fuzz.worker NAME [OPTION ...]."""

import sys
from contextlib import suppress
from importlib import import_module

import atheris

from tests.fuzz.target import Target

# Whose branches guide the fuzzer; the C libraries behind Pillow are run, not seen.
INSTRUMENTED = ["gateway", "deeplab", "PIL", "python_multipart", "defusedxml"]


def main() -> None:
    """Ends the process: with 0 when the time is over, else with what libFuzzer calls the end."""
    name, *options = sys.argv[1:]
    with atheris.instrument_imports(include=INSTRUMENTED):
        target: Target = import_module(f"tests.fuzz.{name}").TARGET
        for seed in target.seeds():
            # To import what is imported only when it is needed; failures are found and kept below.
            with suppress(Exception):
                target.check(seed)
    atheris.Setup([sys.argv[0], *options], target.check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
