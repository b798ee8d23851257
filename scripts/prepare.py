"""``segserve prepare``: labelled pictures before a training."""

from pathlib import Path

import click

from scripts.cli.command import Group
from scripts.cli.errors import reporting
from scripts.cli.options import FILE, option

COPY_PASTE = """\b
Example:
  segserve prepare copy-paste --data voc --table cutouts.json --root cutouts --output more
"""
FILTER = """\b
Example:
  segserve prepare filter-pseudo-labels --data predicted --output filtered
"""


@click.group(cls=Group)
def prepare() -> None:
    """Prepare labelled pictures for a training.

    Both commands copy a folder in Pascal VOC's layout and leave the original as it is.
    """


@prepare.command("copy-paste", epilog=COPY_PASTE)
@option("--data", type=FILE, required=True, help="Folder in Pascal VOC's layout.")
@option("--table", type=FILE, required=True, help="JSON object of class name to its files.")
@option("--root", type=FILE, required=True, help="Folder of these files.")
@option("--output", type=FILE, required=True, help="The new folder of that layout.")
@option("--each", type=click.IntRange(1), default=4, help="Pictures made of each object.")
def copy_paste(data: Path, table: Path, root: Path, output: Path, each: int) -> None:
    """Add pictures of rare classes: cut-out objects pasted into photographs, with exact masks.

    Objects have an alpha channel, or are photographs of one object, which the bundled network
    cuts out. Those of the class "background" are what a network must not find.
    """
    from scripts.datasets.copy_paste import add_cutouts, read_table
    from scripts.datasets.voc import DataError

    with reporting(DataError, OSError, ValueError):
        added = add_cutouts(data, read_table(table), root, output, each=each)
    click.echo(f"{added} pictures added in {output}")


@prepare.command("filter-pseudo-labels", epilog=FILTER)
@option(
    "--data", type=FILE, required=True, help="Folder in its layout, with the classes of Pascal VOC."
)
@option("--output", type=FILE, required=True, help="The new folder of that layout.")
def filter_pseudo_labels(data: Path, output: Path) -> None:
    """Correct predicted masks with an ImageNet classifier.

    Where the classifier is sure of something else, an object's pixels become 255 (ignore), or
    the animal that it is sure of. Masks of pictures in DATA/real.txt stay as they are.
    """
    from scripts.datasets.filter_pseudo_labels import filter_folder, table
    from scripts.datasets.voc import DataError
    from scripts.networks.imagenet_backbones import BackboneError

    with reporting(BackboneError, DataError, OSError):
        became = filter_folder(data, output)
    click.echo(table(became))
