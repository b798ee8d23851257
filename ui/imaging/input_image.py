"""The image that a visitor selects: the file and its preview."""

from dataclasses import dataclass

from PIL import Image

from ui.imaging.preview import PreviewError, decode_upright

# What a large screen shows; the downloaded overlay is for a closer look.
PREVIEW_PX = 1280


@dataclass(frozen=True)
class InputImage:
    """A selected file.

    name, data: the file as it was uploaded.
    preview: RGB, upright, at most PREVIEW_PX on its long side; None if the page cannot decode it.
    no_preview_reason: a sentence for the visitor; empty if there is a preview.
    """

    name: str
    data: bytes
    preview: Image.Image | None
    no_preview_reason: str = ""


def load(name: str, data: bytes, max_pixels: int) -> InputImage:
    """Decode a file for its preview; whether it is accepted is the gateway's decision."""
    try:
        return InputImage(name, data, decode_upright(data, PREVIEW_PX, max_pixels))
    except PreviewError as error:
        return InputImage(name, data, None, str(error))
