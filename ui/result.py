"""A segmentation as the page shows it: the response, decoded once and limited in size."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from ui.classes import ClassShare, class_shares, see_through_ids
from ui.client.errors import GatewayError, unreadable_mask
from ui.client.gateway_client import GatewayClient
from ui.client.responses import Label, Segmentation
from ui.imaging.encoding import encode
from ui.imaging.input_image import PREVIEW_PX, InputImage
from ui.imaging.mask import BadMaskError, match_size, palette_colours, read_mask, shrink
from ui.imaging.overlay import blend
from ui.imaging.preview import decode_upright

# Every JPEG that has a preview also stays within Settings.max_pixels at this size: the decoder
# halves from 5000 pixels on.
DOWNLOAD_PX = 2500


@dataclass(frozen=True)
class Result:
    """A segmented image.

    mask: mode P, at most PREVIEW_PX on its long side, of the preview's size if there is one.
    mask_size: (width, height) of the mask in the response.
    see_through: the class ids without colour in the overlay.
    no_overlay_reason: a sentence for the visitor; empty if the mask fits the preview.
    """

    image: InputImage
    response: Segmentation
    mask: Image.Image
    mask_size: tuple[int, int]
    classes: Sequence[ClassShare]
    see_through: frozenset[int]
    no_overlay_reason: str

    @property
    def can_overlay(self) -> bool:
        """Whether there is a preview that the mask fits."""
        return self.image.preview is not None and not self.no_overlay_reason


def segment(
    client: GatewayClient, image: InputImage, version: str | None, visitor: str | None = None
) -> Result:
    """Request the segmentation of an image; GatewayError if there is nothing to show."""
    response = client.segment(image.data, version, visitor)
    mask = _mask(response)
    labels = labels_or_empty(client, response.model, response.version)
    shown, no_overlay_reason = _fitted(mask, image)
    return Result(
        image=image,
        response=response,
        mask=shown,
        mask_size=mask.size,
        classes=class_shares(response.class_pixels, labels, palette_colours(mask)),
        see_through=see_through_ids(labels),
        no_overlay_reason=no_overlay_reason,
    )


def _mask(response: Segmentation) -> Image.Image:
    try:
        return read_mask(response.mask_png)
    except BadMaskError as error:
        raise unreadable_mask(str(error), response.request_id) from error


def _fitted(mask: Image.Image, image: InputImage) -> tuple[Image.Image, str]:
    """Resize a mask for the screen; with it the reason if it cannot overlay the preview."""
    if image.preview is None:
        return shrink(mask, PREVIEW_PX), image.no_preview_reason
    try:
        return match_size(mask, image.preview), ""
    except BadMaskError as error:
        return shrink(mask, PREVIEW_PX), str(error)


def labels_or_empty(client: GatewayClient, model: str, version: str) -> tuple[Label, ...]:
    """Request the labels of a version; a mask without class names is still worth showing."""
    try:
        return client.labels(model, version)
    except GatewayError:
        return ()


def segmented_image(result: Result, opacity: float | None) -> bytes:
    """Draw the overlay on the preview (JPEG), or the mask alone (PNG) if opacity is None."""
    if result.image.preview is None or opacity is None:
        return encode(result.mask, "PNG")
    shown = blend(result.image.preview, result.mask, opacity, result.see_through)
    return encode(shown, "JPEG")


def overlay_png(result: Result, opacity: float, max_pixels: int) -> bytes:
    """Draw the overlay to download, at most DOWNLOAD_PX pixels on its long side."""
    image = decode_upright(result.image.data, DOWNLOAD_PX, max_pixels)
    mask = match_size(read_mask(result.response.mask_png), image)
    return encode(blend(image, mask, opacity, result.see_through), "PNG")
