"""The picture itself, upright and at full size, with a mask laid over it or cut out by it."""

from collections.abc import Iterator
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deeplab.decode import Decoded
from deeplab.form import Form
from deeplab.preprocess import upright

# Rows are worked on in bands of about so many pixels: a copy of all of them would double the
# memory of a large picture.
BAND_PIXELS = 1_000_000
LEVEL = 1  # of compression: the best takes ten times as long for a tenth fewer bytes


def compose(decoded: Decoded, ids: NDArray[np.uint8], form: Form) -> bytes:
    """The PNG of an overlay (RGB) or a cut-out (RGBA).

    decoded: at full scale. ids: (height, width) uint8 at the upright picture's size.
    """
    picture = np.array(upright(decoded))  # (height, width, 3) uint8, ours to write into
    drawn = _cut_out(picture, ids, form) if form.render == "cutout" else _tint(picture, ids, form)
    buffer = BytesIO()
    Image.fromarray(drawn).save(buffer, "PNG", compress_level=LEVEL)
    return buffer.getvalue()


def _bands(height: int, width: int) -> Iterator[slice]:
    step = max(1, BAND_PIXELS // width)
    for start in range(0, height, step):
        yield slice(start, start + step)


def _tint(picture: NDArray[np.uint8], ids: NDArray[np.uint8], form: Form) -> NDArray[np.uint8]:
    """Each class with a colour gets ``opacity`` of it."""
    layer = np.zeros((256, 3), dtype=np.float32)
    share = np.zeros((256, 1), dtype=np.float32)
    for class_id, colour in form.colours:
        layer[class_id], share[class_id] = np.array(colour, np.float32) * form.opacity, form.opacity
    for band in _bands(*ids.shape):
        touched = share[ids[band]][..., 0] > 0
        chosen, pixels = ids[band][touched], picture[band]
        mixed = pixels[touched] * (1 - share[chosen]) + layer[chosen]
        pixels[touched] = mixed.round().astype(np.uint8)
    return picture


def _cut_out(picture: NDArray[np.uint8], ids: NDArray[np.uint8], form: Form) -> NDArray[np.uint8]:
    """Opaque where a wanted class is; black and transparent elsewhere."""
    wanted = np.zeros(256, dtype=np.uint8)
    wanted[1:] = 255
    if form.classes is not None:
        wanted[:] = 0
        wanted[list(form.classes)] = 255
    cut = np.empty((*ids.shape, 4), dtype=np.uint8)
    for band in _bands(*ids.shape):
        alpha = wanted[ids[band]]
        cut[band, :, :3] = picture[band] & alpha[..., np.newaxis]
        cut[band, :, 3] = alpha
    return cut
