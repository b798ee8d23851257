"""``segserve train``: a network on labelled pictures."""

import math
from pathlib import Path
from typing import Any

import click

from scripts.cli.command import Command
from scripts.cli.errors import StoppedError, reporting
from scripts.cli.options import FILE, option
from scripts.networks.architectures import ARCHITECTURES, VOC_LABELS
from scripts.training.options import BEST, DEFAULT, LAST, SCALE, Plan, TrainingOptions

MOST_SCALE = 8.0
PLAN = Plan()
EPILOG = """\b
Examples:
  segserve train --data pictures --output trained
  segserve train --data pictures --output trained --labels labels.json --epochs 40
  segserve train --data more --val pictures/val --init imagenet --crop 385
"""


class Share(click.FloatRange):
    """A number up to 1; "nan" is refused."""

    def __init__(self, *, zero: bool) -> None:
        super().__init__(min=0, max=1, min_open=not zero)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The number. Raises BadParameter."""
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"nan is not in the range {self._describe_range()}.", param, ctx)
        return number


class Scale(click.ParamType[tuple[float, float]]):
    """Two factors with a comma between, the smaller first."""

    name = "least,most"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, float]:
        """The factors. Raises BadParameter."""
        try:
            least, most = (float(part) for part in value.split(","))
        except (AttributeError, ValueError):
            self.fail(f"{value!r} is invalid: two factors, such as 0.6,1.6", param, ctx)
        if not 0 < least <= most <= MOST_SCALE:
            self.fail(f"two factors up to {MOST_SCALE:g}, the smaller first", param, ctx)
        return least, most


@click.command(cls=Command, epilog=EPILOG)
@option("--data", type=FILE, required=True, help="VOC folder, or a folder with train/ and val/.")
@option("--val", type=FILE, help="VOC folder to validate with.")
@option("--output", type=FILE, default=Path("trained"), help="Folder for the results.")
@option("--labels", type=FILE, default=VOC_LABELS, help="JSON object of class id to name.")
@option(
    "--model",
    type=click.Choice(ARCHITECTURES),
    metavar="NAME",
    help="Architecture of the network. [default: that of --init]",
)
@option("--init", default=DEFAULT, help="default, imagenet, random, or a checkpoint's path.")
@option("--epochs", type=click.IntRange(1), default=PLAN.epochs, help="Passes over the folder.")
@option("--batch", type=click.IntRange(2), default=PLAN.batch, help="Samples a step.")
@option("--crop", type=click.IntRange(33), default=PLAN.crop, help="Side of a sample, pixels.")
@option("--scale", type=Scale(), default=f"{SCALE[0]},{SCALE[1]}", help="Scale of a sample.")
@option(
    "--head-rate", type=Share(zero=False), default=PLAN.head_rate, help="Learning rate of the head."
)
@option(
    "--backbone-rate",
    type=Share(zero=False),
    default=PLAN.backbone_rate,
    help="Learning rate of the backbone.",
)
@option(
    "--adjustment",
    type=Share(zero=True),
    default=PLAN.adjustment,
    help="How strongly rare classes are preferred.",
)
@option(
    "--patience",
    type=click.IntRange(1),
    default=PLAN.patience,
    help="Epochs without a better mIoU after which it stops.",
)
@option(
    "--keep",
    type=click.Choice((BEST, LAST)),
    default=BEST,
    help="The epoch whose weights are written.",
)
@option("--seed", type=click.IntRange(0), default=PLAN.seed, help="Seed of samples and dropout.")
def train(**flags: Any) -> None:
    """Train a network on labelled pictures.

    Without --init it trains the bundled model further. The folder has Pascal VOC's layout:
    JPEGImages/ holds pictures, SegmentationClass/ a PNG of class ids for each, 255 meaning
    ignore. OUTPUT/model.safetensors and OUTPUT/labels.json are what `segserve build` takes as
    --weights and --labels. Started again with the same flags, an interrupted training goes on
    where it was.
    """
    options = options_from(flags)
    from scripts.training.interrupt import Interrupted
    from scripts.training.run import FAILURES, train

    try:
        with reporting(*FAILURES):
            train(options)
    except Interrupted as stopped:
        raise StoppedError(f"{stopped}; the same command goes on from there") from stopped


def options_from(flags: dict[str, Any]) -> TrainingOptions:
    """Collect the options of a training, with its plan, from the flags."""
    plan = {name: flags.pop(name) for name in tuple(flags) if hasattr(PLAN, name)}
    return TrainingOptions(**flags, plan=Plan(**plan))
