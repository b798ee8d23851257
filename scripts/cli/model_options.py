"""The flags that choose a model, the same in every command that builds one."""

from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, get_args

import click
from click.core import ParameterSource

from deeplab.spec import Output
from scripts.archives.archive import DEFAULT_VERSION
from scripts.cli.options import FILE, OWN_VERSION, Function, shared
from scripts.export.model_options import DEVICES, PRECISIONS, ModelFlags
from scripts.networks.architectures import ARCHITECTURES
from scripts.networks.given_facts import INTERPOLATIONS, NAMES, RANGES, SIZE_HELP, GivenFacts

OUTPUTS = get_args(Output)

# How a checkpoint is read.
_READING_OPTIONS = (
    shared("--size", metavar="SIZE", help=f"Size that the network sees: {SIZE_HELP}."),
    shared(
        "--mean",
        metavar="NUMBERS",
        help="Mean per channel, in the units of --range and the network's order of channels.",
    ),
    shared("--std", metavar="NUMBERS", help="Standard deviation per channel, as --mean."),
    shared(
        "--range",
        metavar="RANGE",
        type=click.Choice(RANGES),
        help="Values before mean and std: 0..1, 0..255, or -1..1, which needs neither.",
    ),
    shared("--bgr/--no-bgr", default=None, help="The network takes BGR, as OpenCV reads images."),
    shared(
        "--interpolation",
        type=click.Choice(INTERPOLATIONS),
        help="How the picture is resized.",
    ),
    shared(
        "--antialias/--no-antialias",
        default=None,
        help="Whether shrinking averages, as Pillow does, or not, as OpenCV does.",
    ),
    shared(
        "--like",
        metavar="NETWORK",
        help="Network of a library for bare weights, such as smp:DeepLabV3Plus:resnet34.",
    ),
    shared(
        "--output-kind",
        type=click.Choice(OUTPUTS),
        help="What a ready graph gives, where its values on photographs mislead.",
    ),
    shared(
        "--threshold",
        type=click.FloatRange(0, 1, min_open=True, max_open=True),
        metavar="SHARE",
        help="Of a network with one output: the probability above which its class is present. "
        "[default: 0.5]",
    ),
    shared(
        "--trust-pickle",
        is_flag=True,
        help="Run the code in a pickled network, in a child process; only for a file you trust.",
    ),
)
_NETWORK_NAMES = ("like", "output_kind", "threshold", "trust_pickle")
READING_NAMES = (*NAMES, *_NETWORK_NAMES)
_MODEL_OPTIONS = (
    click.argument(
        "checkpoint",
        type=FILE,
        required=False,
        metavar="[WEIGHTS]",
        help="Trained model: a checkpoint, a ready graph, or a folder of Hugging Face's or smp's.",
    ),
    shared(
        "--model",
        type=click.Choice(ARCHITECTURES),
        metavar="NAME",
        former="MODEL",
        help=f"Architecture: {', '.join(ARCHITECTURES)}. [default: the bundled model]",
    ),
    shared(
        "--weights",
        type=FILE,
        former="WEIGHTS",
        help="The same as the argument.",
    ),
    shared(
        "--labels",
        type=FILE,
        former="LABELS",
        help="JSON object of class id to name, or a list of names. [default: Pascal VOC's]",
    ),
    shared(
        "--device",
        type=click.Choice(DEVICES),
        default="auto",
        former="DEVICE",
        help="Where the model will run; auto takes CUDA where there is a device.",
    ),
    shared(
        "--precision",
        type=click.Choice(tuple(PRECISIONS)),
        default="auto",
        former="PRECISION",
        help="Precision of the export; auto takes the fastest that gives the same masks.",
    ),
    shared(
        "--card",
        type=FILE,
        help="Name, purpose, limits: a model.toml. [default: the one beside the weights]",
    ),
    shared(
        "--unproved",
        is_flag=True,
        help="Accept an export whatever masks it gives, for measuring speed.",
    ),
    *_READING_OPTIONS,
)
_MODEL_NAMES = ("model", "weights", "labels", "device", "precision", "card", "unproved")


def model_options(function: Function) -> Any:
    """Add the options that choose a model; the function gets them as one ``model_flags``."""

    @wraps(function)
    def packed(*args: Any, **kwargs: Any) -> Any:
        kwargs["weights"] = _weights(kwargs.pop("checkpoint"), kwargs["weights"])
        reading = _reading(kwargs)
        flags = ModelFlags(**{name: kwargs.pop(name) for name in _MODEL_NAMES}, **reading)
        return function(*args, model_flags=flags, **kwargs)

    return _with(packed, _MODEL_OPTIONS)


def reading_options(function: Function) -> Any:
    """Add the options that say how a checkpoint is read; the function gets them as ``reading``."""

    @wraps(function)
    def packed(*args: Any, **kwargs: Any) -> Any:
        return function(*args, reading=_reading(kwargs), **kwargs)

    return _with(packed, _READING_OPTIONS)


def _reading(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Take the options out; returns those fields of ``ModelFlags`` and of ``ModelChoice``."""
    given = GivenFacts(**{name: kwargs.pop(name) for name in NAMES})
    return {"given": given, **{name: kwargs.pop(name) for name in _NETWORK_NAMES}}


def _with(function: Any, options: Sequence[Callable[[Any], Any]]) -> Any:
    for add in reversed(options):
        function = add(function)
    return function


def _weights(argument: Path | None, flag: Path | None) -> Path | None:
    """The weights, named as an argument or by the flag. Raises UsageError if both were typed."""
    source = click.get_current_context().get_parameter_source("weights")
    if argument and flag and source is ParameterSource.COMMANDLINE:
        raise click.UsageError(f"name the weights once: {argument}, or --weights {flag}")
    return argument or flag


def version_option(**attributes: Any) -> Callable[[Function], Function]:
    """--version of the model that is built."""
    return shared(
        "--version",
        type=OWN_VERSION,
        default=DEFAULT_VERSION,
        help="Version of the model.",
        **attributes,
    )
