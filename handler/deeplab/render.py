"""The picture itself, upright and at full size, with a mask laid over it or cut out by it."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deeplab.decode import Decoded
from deeplab.png import bands, encode_png
from deeplab.preprocess import upright
from deeplab.render_options import Form

# Rows are worked on in bands of about so many pixels: a copy of all of them would double the
# memory of a large picture.
BAND_PIXELS = 1_000_000


def compose(decoded: Decoded, ids: NDArray[np.uint8], form: Form) -> bytes:
    """The PNG of an overlay (RGB) or a cut-out (RGBA).

    decoded: at full scale; it may be drawn into, nobody needs it afterwards.
    ids: (height, width) uint8 at the upright picture's size.
    """
    picture = upright(decoded)
    drawn = _cut_out(picture, ids, form) if form.render == "cutout" else _tint(picture, ids, form)
    return encode_png(drawn)


def _tint(picture: NDArray[np.uint8], ids: NDArray[np.uint8], form: Form) -> NDArray[np.uint8]:
    """Each class with a colour gets ``opacity`` of it."""
    palette = np.zeros((256, 3), dtype=np.uint8)
    share = [0] * 256  # of 255
    for class_id, colour in form.colours:
        palette[class_id], share[class_id] = colour, round(form.opacity * 255)
    for band in bands(len(ids), ids.shape[1], BAND_PIXELS):
        classes, part = Image.fromarray(ids[band]), Image.fromarray(picture[band])
        mask = classes.point(share)
        classes.putpalette(palette.tobytes())
        part.paste(classes.convert("RGB"), mask=mask)
        picture[band] = np.asarray(part)
    return picture


def _cut_out(picture: NDArray[np.uint8], ids: NDArray[np.uint8], form: Form) -> NDArray[np.uint8]:
    """Opaque where a wanted class is; black and transparent elsewhere."""
    wanted = range(1, 256) if form.classes is None else form.classes
    opaque = [255 * (class_id in wanted) for class_id in range(256)]
    cut = np.empty((*ids.shape, 4), dtype=np.uint8)
    for band in bands(len(ids), ids.shape[1], BAND_PIXELS):
        alpha = Image.fromarray(ids[band]).point(opaque)
        part = Image.new("RGB", alpha.size)
        part.paste(Image.fromarray(picture[band]), mask=alpha)
        part.putalpha(alpha)
        cut[band] = np.asarray(part)
    return cut
