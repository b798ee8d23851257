"""Overlays and cut-outs show the picture as people see it, whole and at its own size."""

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from deeplab import render as module
from deeplab.decode import decode
from deeplab.render import render
from deeplab.render_options import RenderOptions
from tests.unit.handler.files import encode, quarters, turned

CAT, PERSON = 8, 15
RED = ((PERSON, (255, 0, 0)),)


def _ids(size: tuple[int, int] = (96, 64)) -> NDArray[np.uint8]:
    """Left third background, then a cat, then a person."""
    ids = np.zeros((size[1], size[0]), dtype=np.uint8)
    ids[:, size[0] // 3 :], ids[:, 2 * size[0] // 3 :] = CAT, PERSON
    return ids


def _drawn(form: RenderOptions, data: bytes | None = None) -> Image.Image:
    decoded = decode(encode(quarters(), "PNG") if data is None else data, 10_000)
    return Image.open(io.BytesIO(render(decoded, _ids(decoded.size), form)))


def test_an_overlay_mixes_colour_and_picture() -> None:
    """By its opacity, of which there are 256 steps, where a class has a colour."""
    plain = np.asarray(quarters().convert("RGB")).astype(float)
    drawn = _drawn(RenderOptions("overlay", opacity=0.25, colours=RED))
    person = _ids() == PERSON
    expected = plain.copy()
    expected[person] = plain[person] * 0.75 + np.array([255, 0, 0]) * 0.25
    assert drawn.mode == "RGB"
    assert np.abs(np.asarray(drawn) - expected).max() <= 1


@pytest.mark.parametrize(("opacity", "colour"), [(0.0, None), (1.0, (255, 0, 0))])
def test_the_ends_of_opacity(opacity: float, colour: tuple[int, int, int] | None) -> None:
    """0 leaves the picture, 1 hides it."""
    drawn = _drawn(RenderOptions("overlay", opacity=opacity, colours=RED))
    expected = colour or quarters().convert("RGB").getpixel((95, 63))
    assert drawn.getpixel((95, 63)) == expected


def test_a_cut_out_keeps_every_object_by_default() -> None:
    """Opaque on things, transparent and black on background."""
    cut = np.asarray(_drawn(RenderOptions("cutout")))
    things = _ids() > 0
    assert cut.shape == (64, 96, 4)
    assert np.array_equal(cut[..., 3] == 255, things)
    assert np.array_equal(cut[things][:, :3], np.asarray(quarters().convert("RGB"))[things])
    assert cut[~things].max() == 0


@pytest.mark.parametrize("wanted", [{PERSON}, {0}, {0, CAT}, set()])
def test_a_cut_out_keeps_the_chosen_classes(wanted: set[int]) -> None:
    """Background may be chosen too."""
    cut = np.asarray(_drawn(RenderOptions("cutout", classes=frozenset(wanted))))
    assert np.array_equal(cut[..., 3] == 255, np.isin(_ids(), [*wanted]))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_picture_is_upright(orientation: int) -> None:
    """EXIF's turn is applied before anything is drawn."""
    drawn = _drawn(
        RenderOptions("cutout", classes=frozenset({0, CAT, PERSON})),
        turned(quarters(), orientation, "PNG"),
    )
    assert drawn.size == (96, 64)
    assert np.array_equal(np.asarray(drawn)[..., :3], np.asarray(quarters().convert("RGB")))


def test_bands_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture drawn in many bands is the one drawn in one."""
    forms = [RenderOptions("overlay", colours=RED), RenderOptions("cutout")]
    whole = [_drawn(form).tobytes() for form in forms]
    monkeypatch.setattr(module, "BAND_PIXELS", 500)
    assert [_drawn(form).tobytes() for form in forms] == whole
