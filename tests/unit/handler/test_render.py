"""Overlays and cut-outs show the upright image, whole and at its own size."""

import io
from functools import partial

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from deeplab import render as module
from deeplab.decode import decode
from deeplab.prediction import Prediction
from deeplab.preprocess import upright
from deeplab.render import RENDERS
from deeplab.render_options import RenderOptions
from tests.unit.handler.files import encode, quarters, turned

CAT, PERSON = 8, 15
RED = ((PERSON, (255, 0, 0)),)


def _ids(size: tuple[int, int] = (96, 64)) -> NDArray[np.uint8]:
    """(height, width) uint8: left third background, then a cat, then a person."""
    ids = np.zeros((size[1], size[0]), dtype=np.uint8)
    ids[:, size[0] // 3 :], ids[:, 2 * size[0] // 3 :] = CAT, PERSON
    return ids


def _prediction(ids: NDArray[np.uint8]) -> Prediction:
    """A prediction whose mask is ``ids``."""
    logits = (ids == np.arange(21)[:, np.newaxis, np.newaxis]).astype(np.float32)
    return Prediction(logits, ids.shape, (ids.shape[1], ids.shape[0]), aligned=True)


def _drawn(options: RenderOptions, data: bytes | None = None) -> Image.Image:
    decoded = decode(encode(quarters(), "PNG") if data is None else data, 10_000)
    prediction = _prediction(_ids(decoded.size))
    png = RENDERS[options.render](prediction, options, partial(upright, decoded))
    return Image.open(io.BytesIO(png))


def test_the_mask_drawn_on_is_the_one_given() -> None:
    """The tests below rely on it."""
    assert np.array_equal(np.asarray(_drawn(RenderOptions())), _ids())


def test_an_overlay_blends_colour_and_image() -> None:
    """By its opacity, which has 256 steps, where a class has a colour."""
    plain = np.asarray(quarters().convert("RGB")).astype(float)
    drawn = _drawn(RenderOptions("overlay", opacity=0.25, colours=RED))
    person = _ids() == PERSON
    expected = plain.copy()
    expected[person] = plain[person] * 0.75 + np.array([255, 0, 0]) * 0.25
    assert drawn.mode == "RGB"
    assert np.abs(np.asarray(drawn) - expected).max() <= 1


@pytest.mark.parametrize(("opacity", "colour"), [(0.0, None), (1.0, (255, 0, 0))])
def test_the_ends_of_opacity(opacity: float, colour: tuple[int, int, int] | None) -> None:
    """0 leaves the image, 1 hides it."""
    drawn = _drawn(RenderOptions("overlay", opacity=opacity, colours=RED))
    expected = colour or quarters().convert("RGB").getpixel((95, 63))
    assert drawn.getpixel((95, 63)) == expected


def test_a_cut_out_keeps_every_object_by_default() -> None:
    """Opaque on objects, transparent and black on background."""
    cut = np.asarray(_drawn(RenderOptions("cutout")))
    objects = _ids() > 0
    assert cut.shape == (64, 96, 4)
    assert np.array_equal(cut[..., 3] == 255, objects)
    assert np.array_equal(cut[objects][:, :3], np.asarray(quarters().convert("RGB"))[objects])
    assert cut[~objects].max() == 0


@pytest.mark.parametrize("chosen", [{PERSON}, {0}, {0, CAT}, set()])
def test_a_cut_out_keeps_the_chosen_classes(chosen: set[int]) -> None:
    """Background may be chosen too."""
    cut = np.asarray(_drawn(RenderOptions("cutout", classes=frozenset(chosen))))
    assert np.array_equal(cut[..., 3] == 255, np.isin(_ids(), [*chosen]))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_image_is_upright(orientation: int) -> None:
    """EXIF's orientation is applied before anything is drawn."""
    drawn = _drawn(
        RenderOptions("cutout", classes=frozenset({0, CAT, PERSON})),
        turned(quarters(), orientation, "PNG"),
    )
    assert drawn.size == (96, 64)
    assert np.array_equal(np.asarray(drawn)[..., :3], np.asarray(quarters().convert("RGB")))


def test_bands_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    """An image drawn in many bands equals the one drawn in a single band."""
    requested = [RenderOptions("overlay", colours=RED), RenderOptions("cutout")]
    whole = [_drawn(options).tobytes() for options in requested]
    monkeypatch.setattr(module, "BAND_PIXELS", 500)
    assert [_drawn(options).tobytes() for options in requested] == whole


@pytest.mark.parametrize("render", ["labels", "confidence"])
def test_a_form_without_the_image_does_not_decode_it_again(render: str) -> None:
    """A large image would be decoded twice for nothing."""

    def unneeded() -> NDArray[np.uint8]:
        raise AssertionError("the image was decoded at full size")

    for classes in (None, frozenset({CAT})):
        RENDERS[render](_prediction(_ids()), RenderOptions(render, classes), unneeded)
