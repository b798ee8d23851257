"""``segserve predict``: files through the running gateway."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click
from segserve_client.models.segment_palette import SegmentPalette
from segserve_client.models.segment_render import SegmentRender

from scripts.cli.command import Command
from scripts.cli.errors import CommandError, StoppedError, reporting, say
from scripts.cli.options import FILE, GATEWAY, VERSION, gateway_options, option
from scripts.prediction.images import Found, ImageFile, find_images

if TYPE_CHECKING:
    from scripts.prediction.run import Job

# From the OpenAPI document, by the client that is generated from it.
RENDERS = get_args(SegmentRender)
PALETTES = get_args(SegmentPalette)
EPILOG = """\b
Examples:
  segserve predict photo.jpg --out masks
  segserve predict "photos/**/*.jpg" --out masks --resume
  segserve predict photos --out overlays --render overlay --palette voc
  segserve predict photos --out cats --render cutout --classes cat,dog
  segserve predict photos --out facts --json
"""


@click.command(cls=Command, epilog=EPILOG)
@click.argument("images", nargs=-1, required=True, help="Files, folders, or patterns in quotes.")
@option("--out", type=FILE, required=True, help="Folder for the results; made if it is not there.")
@gateway_options
@option("--version", type=VERSION, help="Version of the model. [default: the gateway's]")
@option("--render", type=click.Choice(RENDERS), default="colour", help="What the PNGs show.")
@option("--palette", type=click.Choice(PALETTES), default="seed", help="Colours of the classes.")
@option("--classes", help="Names or ids with commas between; all else is background.")
@option("--json", is_flag=True, help="Write a JSON document for each image instead.")
@option("--concurrency", type=click.IntRange(1, 64), default=4, help="Requests at the same time.")
@option("--resume", is_flag=True, help="Skip images whose result is there already.")
@option("--force", is_flag=True, help="Overwrite results that are there already.")
def predict(
    images: tuple[str, ...],
    out: Path,
    gateway: str | None,
    key: str | None,
    resume: bool,
    force: bool,
    **form: Any,
) -> None:
    """Segment files through the running gateway.

    The tree of folders is kept below --out. Each image that has no result is named on standard
    error and makes the exit status 1; the others go on. A busy gateway is asked again when it
    says so.
    """
    if resume and force:
        raise click.UsageError("--resume and --force exclude each other")
    from scripts.prediction.run import Job, PredictionError, check_gateway

    job = Job((gateway or GATEWAY).rstrip("/"), key, out, **form)
    found = find_images(images, out)
    for problem in found.problems:
        say(problem)
    left = _without_results(job, found.images, resume=resume, force=force)
    if left:
        with reporting(PredictionError):
            check_gateway(job)
    failed = len(found.problems) + _segment(job, found, left)
    if failed:
        click.get_current_context().exit(1)


def _without_results(
    job: "Job", images: Sequence[ImageFile], *, resume: bool, force: bool
) -> list[ImageFile]:
    """The images that are to be segmented. Raises CommandError where files would be lost."""
    sources = {image.path.resolve() for image in images}
    there = [image for image in images if job.target(image).exists()]
    for image in there:
        if job.target(image).resolve() in sources:
            raise CommandError(f"{job.target(image)} is an image itself: choose another --out")
    if there and not (resume or force):
        more = f" and {len(there) - 1} more" if len(there) > 1 else ""
        raise CommandError(
            f"{job.target(there[0])} is there already{more}: "
            "--resume skips such images, --force overwrites"
        )
    return [image for image in images if force or image not in there]


def _segment(job: "Job", found: Found, left: Sequence[ImageFile]) -> int:
    """Segment with a progress bar and a line at the end; how many images have no result."""
    from scripts.prediction.run import segment_all

    failed: list[ImageFile] = []
    began, is_terminal = time.monotonic(), sys.stderr.isatty()
    bar = click.progressbar(
        length=len(left), label="segmenting", file=sys.stderr, hidden=not is_terminal
    )
    with bar:

        def report(image: ImageFile, problem: Exception | None) -> None:
            if problem is not None:
                failed.append(image)
                click.echo("\r\x1b[K" if is_terminal else "", err=True, nl=False)
                say(f"{image.path}: {problem}")
            bar.update(1)

        try:
            segment_all(job, left, report)
        except KeyboardInterrupt as exc:
            done = bar.pos - len(failed)
            raise StoppedError(
                f"stopped; {done} of {len(left)} images are done, --resume goes on with the others"
            ) from exc
    counts = {
        f"results in {job.out}": len(left) - len(failed),
        "without a result": len(failed) + len(found.problems),
        "there already": len(found.images) - len(left),
        "files are no images": len(found.left_out),
    }
    counted = [f"{n} {what}" for what, n in counts.items() if n or what.startswith("results")]
    click.echo(f"{', '.join(counted)} ({time.monotonic() - began:.1f} s)")
    return len(failed)
