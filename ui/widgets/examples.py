"""The example pictures that the page offers, see examples/SOURCES.md for their origin."""

import base64
import io
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from PIL import Image, ImageOps

_FOLDER = Path(__file__).parents[1] / "examples"
_THUMBNAIL_PX = (240, 180)


@dataclass(frozen=True)
class Example:
    """A picture of ours; key names its button and its file."""

    key: str
    title: str
    # Where the eye should rest when the picture is cropped to a thumbnail: x, y in 0..1.
    centre: tuple[float, float] = (0.5, 0.5)

    @property
    def path(self) -> Path:
        """The JPEG file."""
        return _FOLDER / f"{self.key}.jpg"


EXAMPLES = (
    Example("astronaut", "Astronaut", (0.45, 0.15)),
    Example("cat", "Cat"),
    Example("cameraman", "Cameraman", (0.3, 0.3)),
    Example("coffee", "Coffee"),
)


@cache
def thumbnails_css() -> str:
    """Give the style that puts each example's picture on its button."""
    rules = (
        f".st-key-example-{example.key} button "
        f'{{ background-image: url("data:image/jpeg;base64,{_thumbnail(example)}"); }}'
        for example in EXAMPLES
    )
    return f"<style>{''.join(rules)}</style>"


def _thumbnail(example: Example) -> str:
    with Image.open(example.path) as picture:
        small = ImageOps.fit(picture.convert("RGB"), _THUMBNAIL_PX, centering=example.centre)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=80)
    return base64.b64encode(buffer.getvalue()).decode("ascii")
