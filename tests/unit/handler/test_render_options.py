"""The header with the render options is parsed strictly."""

import json

import pytest

from deeplab.render import RENDERS
from deeplab.render_options import (
    DEFAULT_OPTIONS,
    InvalidRenderOptionsError,
    RenderOptions,
    read_render_options,
)


def test_no_options_mean_the_mask() -> None:
    """An empty object gives the defaults."""
    assert (
        read_render_options("{}", RENDERS)
        == DEFAULT_OPTIONS
        == RenderOptions(render="labels", classes=None)
    )


def test_every_option_is_parsed() -> None:
    """As the gateway writes it."""
    text = json.dumps(
        {
            "render": "overlay",
            "classes": [15, 8],
            "opacity": 0.25,
            "colours": {"15": "0f78d2"},
            "confidence": True,
        }
    )
    assert read_render_options(text, RENDERS) == RenderOptions(
        render="overlay",
        classes=frozenset({8, 15}),
        opacity=0.25,
        colours=((15, (15, 120, 210)),),
        confidence=True,
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "1",
        "null",
        "{",
        "[" * 100_000,
        '{"render": "heat"}',
        '{"render": []}',
        '{"classes": 5}',
        '{"classes": [256]}',
        '{"classes": [-1]}',
        '{"classes": ["person"]}',
        '{"opacity": 1.01}',
        '{"opacity": "NaN"}',
        '{"opacity": []}',
        '{"colours": []}',
        '{"colours": {"15": "0f78"}}',
        '{"colours": {"15": "0f78d2ff"}}',
        '{"colours": {"15": 5}}',
        '{"colours": {"x": "0f78d2"}}',
    ],
    ids=lambda text: text[:30],
)
def test_anything_else_is_rejected(text: str) -> None:
    """With one kind of error for every fault."""
    with pytest.raises(InvalidRenderOptionsError, match="form of the answer"):
        read_render_options(text, RENDERS)
