"""Renders: the forms in which the handler draws a result, one function each, listed in RENDERS."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deeplab.confidence import grey_levels
from deeplab.png import bands, encode_png
from deeplab.postprocess import encode_mask
from deeplab.prediction import Prediction
from deeplab.render_options import RenderOptions

# Rows are drawn in bands of about this many pixels: a copy of all of them would double the memory
# that a large image takes.
BAND_PIXELS = 1_000_000

# Returns the upright image at full size, (height, width, 3) uint8 RGB, which may be drawn into. To
# be called only if needed, as it may decode the image a second time.
FullSizeImage = Callable[[], NDArray[np.uint8]]
Render = Callable[[Prediction, RenderOptions, FullSizeImage], bytes]


def _labels(prediction: Prediction, options: RenderOptions, _image: FullSizeImage) -> bytes:
    """8-bit grey PNG of class ids."""
    if options.classes is None:
        return encode_mask(prediction.mask)
    return encode_mask(prediction.mask_of(options.classes))


def _confidence(prediction: Prediction, options: RenderOptions, _image: FullSizeImage) -> bytes:
    """8-bit grey PNG of confidences, 0..255; black outside the chosen classes."""
    levels = grey_levels(prediction.confidences(), prediction.size)
    if options.classes is not None:
        levels = levels * np.isin(prediction.mask.ids, [*options.classes])
    return encode_png(levels)


def _overlay(prediction: Prediction, options: RenderOptions, image: FullSizeImage) -> bytes:
    """RGB PNG of the image, tinted in the colours of the classes."""
    return encode_png(_tint(image(), prediction.mask.ids, options))


def _cutout(prediction: Prediction, options: RenderOptions, image: FullSizeImage) -> bytes:
    """RGBA PNG of the image, transparent outside the chosen classes (default: all objects)."""
    chosen = range(1, 256) if options.classes is None else options.classes
    return encode_png(_transparent_outside(image(), prediction.mask.ids, [*chosen]))


# Name in a request -> function. To add a form, write its function and list it here.
RENDERS: dict[str, Render] = {
    "labels": _labels,
    "confidence": _confidence,
    "overlay": _overlay,
    "cutout": _cutout,
}


def _tint(
    image: NDArray[np.uint8], ids: NDArray[np.uint8], options: RenderOptions
) -> NDArray[np.uint8]:
    """Blend the classes' colours into (h, w, 3) uint8 RGB, in place. ids: (h, w) uint8."""
    palette = np.zeros((256, 3), dtype=np.uint8)
    alpha = [0] * 256  # of 255
    for class_id, colour in options.colours:
        palette[class_id], alpha[class_id] = colour, round(options.opacity * 255)
    for band in bands(len(ids), ids.shape[1], BAND_PIXELS):
        classes, part = Image.fromarray(ids[band]), Image.fromarray(image[band])
        mask = classes.point(alpha)
        classes.putpalette(palette.tobytes())
        part.paste(classes.convert("RGB"), mask=mask)
        image[band] = np.asarray(part)
    return image


def _transparent_outside(
    image: NDArray[np.uint8], ids: NDArray[np.uint8], chosen: list[int]
) -> NDArray[np.uint8]:
    """(h, w, 3) uint8 RGB -> (h, w, 4) uint8 RGBA, black and transparent outside ``chosen``."""
    opaque = [255 * (class_id in chosen) for class_id in range(256)]
    cut = np.empty((*ids.shape, 4), dtype=np.uint8)
    for band in bands(len(ids), ids.shape[1], BAND_PIXELS):
        alpha = Image.fromarray(ids[band]).point(opaque)
        part = Image.new("RGB", alpha.size)
        part.paste(Image.fromarray(image[band]), mask=alpha)
        part.putalpha(alpha)
        cut[band] = np.asarray(part)
    return cut
