"""The example images; examples/SOURCES.md gives their origin and licence."""

import base64
import io
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import streamlit as st
from PIL import Image, ImageOps

from ui import state
from ui.imaging import input_image
from ui.settings import Settings

_FOLDER = Path(__file__).parents[1] / "examples"
_THUMBNAIL_PX = (240, 180)


@dataclass(frozen=True)
class Example:
    """A bundled image; key is part of the names of its button and its file.

    centre: (x, y), 0 to 1, the point that the thumbnail keeps in its middle.
    """

    key: str
    title: str
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


def show(settings: Settings) -> None:
    """Draw a button for each example."""
    st.html(thumbnails_css())
    st.html('<div class="label">Or try an example</div>')
    with st.container(key="examples"):
        columns = st.columns(len(EXAMPLES))
    for column, example in zip(columns, EXAMPLES, strict=True):
        column.button(
            example.title,
            key=f"example-{example.key}",
            width="stretch",
            on_click=_select,
            args=(example, settings),
        )


def _select(example: Example, settings: Settings) -> None:
    data = example.path.read_bytes()
    state.select_example(input_image.load(example.path.name, data, settings.max_pixels))


@cache
def thumbnails_css() -> str:
    """Render the style that puts each example's thumbnail on its button."""
    rules = (
        f".st-key-example-{example.key} button "
        f'{{ background-image: url("data:image/jpeg;base64,{_thumbnail(example)}"); }}'
        for example in EXAMPLES
    )
    return f"<style>{''.join(rules)}</style>"


def _thumbnail(example: Example) -> str:
    with Image.open(example.path) as image:
        small = ImageOps.fit(image.convert("RGB"), _THUMBNAIL_PX, centering=example.centre)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=80)
    return base64.b64encode(buffer.getvalue()).decode("ascii")
