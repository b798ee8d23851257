"""``segserve evaluate``: the metrics of a model on labelled images."""

from typing import Any

import click

from scripts.cli.command import Command
from scripts.cli.errors import reporting
from scripts.cli.model_options import READING_NAMES, reading_options
from scripts.cli.options import FILE, GATEWAY, VERSION, gateway_options, option
from scripts.cli.settings_options import serve_settings
from scripts.launch.settings import SettingError
from scripts.networks.architectures import ARCHITECTURES

EPILOG = """\b
Examples:
  segserve evaluate --data pictures/val --version 2.0 --record
  segserve evaluate --data pictures/val --archive model_store/deeplabv3-2.0.mar
  segserve evaluate --data pictures/val --weights trained/model.safetensors
  segserve evaluate --data pictures/val --weights my.onnx --size 256 --range=-1..1
  segserve evaluate --data pictures --names trained/validation.txt --report report.html
"""


@click.command(cls=Command, epilog=EPILOG)
@option("--data", type=FILE, required=True, help="Folder in Pascal VOC's layout.")
@option("--names", type=FILE, help="File of names, one a line: measure these pictures only.")
@gateway_options
@option(
    "--version", type=VERSION, help="Version behind the gateway. [default: its default version]"
)
@option("--archive", type=FILE, help="Measure a .mar file, without a gateway.")
@option("--weights", type=FILE, help="Measure a checkpoint, without a gateway.")
@option(
    "--model",
    type=click.Choice(ARCHITECTURES),
    metavar="NAME",
    help="Architecture of the checkpoint. [default: as its weights tell]",
)
@option("--labels", type=FILE, help="JSON object of class id to name; must be the model's.")
@reading_options
@option("--json", type=FILE, help="File for the figures.")
@option("--report", type=FILE, help="HTML file with the worst pictures first.")
@option("--model-card", type=FILE, help="Markdown file: a card with Hugging Face's metadata.")
@option("--about", type=FILE, help="The model.toml whose texts go into the card.")
@option("--record", is_flag=True, help="Keep the figures of the version, for its promotion.")
@option("--worst", type=click.IntRange(min=0), default=50, help="Pictures in the report.")
def evaluate(gateway: str | None, record: bool, **flags: Any) -> None:
    """Measure a model on labelled pictures.

    Asks the running gateway for every picture in DATA/JPEGImages, compares with the mask in
    DATA/SegmentationClass (PNG of class ids, 255 is ignored), and prints the IoU of each class.
    --archive, --weights and --model measure without a gateway.
    """
    _check_source(record, flags)
    from scripts.evaluation.recording import Record
    from scripts.evaluation.run import FAILURES, EvaluationOptions, run

    with reporting(*FAILURES, SettingError):
        url = gateway or GATEWAY
        place = None
        if record:
            settings = serve_settings(click.get_current_context())
            place = Record(url, flags["key"], settings.data_dir)
        run(EvaluationOptions(gateway=url, record=place, **flags))


def _check_source(record: bool, flags: dict[str, Any]) -> None:
    """Refuse two sources at once: a checkpoint must not answer for a version of the gateway."""
    if flags["archive"] and flags["weights"]:
        raise click.UsageError("--archive is not allowed with --weights: name one of them")
    without_gateway = flags["archive"] or flags["weights"] or flags["model"]
    if record and (flags["weights"] or flags["model"]):
        raise click.UsageError("a checkpoint is no version: record the figures of its --archive")
    if without_gateway and (flags["version"] or (_was_typed("gateway") and not record)):
        raise click.UsageError(
            "--version and --gateway are of a gateway: leave out --archive, --weights and --model "
            "(make: VERSION, GATEWAY, ARCHIVE, WEIGHTS, MODEL, exported ones too), or them"
        )
    typed = next((name for name in READING_NAMES if _was_typed(name)), None)
    if typed and not (flags["weights"] or flags["model"]):
        flag = typed.replace("_", "-")
        raise click.UsageError(f"--{flag} says how a checkpoint is read: name it by --weights")


def _was_typed(name: str) -> bool:
    """Whether a flag was given for this run, not once for all in the environment or the file."""
    source = click.get_current_context().get_parameter_source(name)
    return source is click.core.ParameterSource.COMMANDLINE
