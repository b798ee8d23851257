"""``segserve bench``: hands over to the benchmarks."""

import os
import sys

import click

from scripts.cli.command import Command

MODULES = {
    "compare": "benchmarks",
    "scaling": "benchmarks.scaling",
    "gateway": "benchmarks.gateway_pair",
    "gpu": "benchmarks.gpu",
}
EPILOG = """\b
Examples:
  segserve bench --quick
  segserve bench compare --models bundled --servers prototype --rounds 3
  segserve bench scaling --seconds 5
  segserve bench gateway --against ../segserve-of-last-week
  segserve bench gpu
  segserve bench compare -- --help
"""


@click.command(cls=Command, epilog=EPILOG, context_settings={"ignore_unknown_options": True})
@click.argument(
    "arguments",
    nargs=-1,
    type=click.UNPROCESSED,
    metavar="[compare|scaling|gateway|gpu] [FLAGS]",
    help="What is measured, and the flags of that benchmark.",
)
def bench(arguments: tuple[str, ...]) -> None:
    """Measure the speed of the product and of others.

    compare (two hours, or minutes with --quick) measures the product side by side with other
    servers, scaling how its cost grows with workers, images and load, gateway this checkout's
    gateway side by side with another checkout's, gpu the model's handler on a CUDA device.
    Results go to benchmarks/results/.
    """
    name, *rest = arguments if arguments and arguments[0] in MODULES else ("compare", *arguments)
    command = [sys.executable, "-m", MODULES[name], *(each for each in rest if each != "--")]
    os.execv(sys.executable, command)  # noqa: S606 - no shell
