"""One segmentation as the page shows it: the answer, decoded once and bounded in size."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from ui.client.errors import GatewayError, UnexpectedAnswerError
from ui.client.gateway_client import GatewayClient
from ui.client.responses import Label, Segmentation
from ui.imaging import overlay
from ui.imaging.preview import CannotShowError, load_upright
from ui.widgets import legend

# What a large screen shows; a download is for closer looks. At 2500, every JPEG that has a preview
# also stays within Settings.max_pixels for the download: the decoder halves from 5000 pixels on.
SHOWN_PX = 1280
DOWNLOAD_PX = 2500


@dataclass(frozen=True)
class Picture:
    """What a person chose: the file as it came, and its upright preview or why there is none."""

    name: str
    data: bytes
    preview: Image.Image | None
    words: str = ""


@dataclass(frozen=True)
class Result:
    """A segmented picture; mask is mode P, bounded, and of the preview's size if there is one."""

    picture: Picture
    answer: Segmentation
    size: tuple[int, int]
    mask: Image.Image
    rows: Sequence[legend.Row]
    clear: frozenset[int]
    words: str

    @property
    def can_overlay(self) -> bool:
        """Whether there is a preview that the mask fits."""
        return self.picture.preview is not None and not self.words


def choose(name: str, data: bytes, max_pixels: int) -> Picture:
    """Decode a chosen file for showing; the gateway judges it, not the page."""
    try:
        return Picture(name, data, load_upright(data, SHOWN_PX, max_pixels))
    except CannotShowError as error:
        return Picture(name, data, None, str(error))


def segment(client: GatewayClient, picture: Picture, version: str | None) -> Result:
    """Have a picture segmented; GatewayError when there is nothing to show."""
    answer = client.segment(picture.data, version)
    mask = _mask(answer)
    labels = labels_or_none(client, answer.model, answer.version)
    shown, words = _fitted(mask, picture)
    return Result(
        picture=picture,
        answer=answer,
        size=mask.size,
        mask=shown,
        rows=legend.rows(answer.class_pixels, labels, overlay.palette_colours(mask)),
        clear=legend.clear_ids(labels),
        words=words,
    )


def _mask(answer: Segmentation) -> Image.Image:
    try:
        return overlay.read_mask(answer.mask_png)
    except overlay.BadMaskError as error:
        title = "The gateway gave an answer that this page does not understand"
        raise UnexpectedAnswerError(title, str(error), answer.request_id) from error


def labels_or_none(client: GatewayClient, model: str, version: str) -> tuple[Label, ...]:
    """Ask for the names of the classes; a mask without names is still worth showing."""
    try:
        return client.labels(model, version)
    except GatewayError:
        return ()


def segmented_image(result: Result, opacity: float | None) -> bytes:
    """Draw the classes over the preview (JPEG), or by themselves (PNG) if opacity is None."""
    if result.picture.preview is None or opacity is None:
        return overlay.encode(result.mask, "PNG")
    shown = overlay.blend(result.picture.preview, result.mask, opacity, result.clear)
    return overlay.encode(shown, "JPEG")


def overlay_png(result: Result, opacity: float, max_pixels: int) -> bytes:
    """Make the overlay for downloading, up to DOWNLOAD_PX pixels on its long side."""
    picture = load_upright(result.picture.data, DOWNLOAD_PX, max_pixels)
    mask = overlay.matched(overlay.read_mask(result.answer.mask_png), picture)
    return overlay.encode(overlay.blend(picture, mask, opacity, result.clear), "PNG")


def _fitted(mask: Image.Image, picture: Picture) -> tuple[Image.Image, str]:
    if picture.preview is None:
        return overlay.bounded(mask, SHOWN_PX), picture.words
    try:
        return overlay.matched(mask, picture.preview), ""
    except overlay.BadMaskError as error:
        return overlay.bounded(mask, SHOWN_PX), str(error)
