"""Rendering onto the image itself, upright and at full size: overlay and cut-out."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deeplab.decode import Decoded
from deeplab.png import bands, encode_png
from deeplab.preprocess import upright
from deeplab.render_options import RenderOptions

# Rows are drawn in bands of about this many pixels: a copy of all of them would double the memory
# that a large image takes.
BAND_PIXELS = 1_000_000


def render(decoded: Decoded, ids: NDArray[np.uint8], options: RenderOptions) -> bytes:
    """The PNG of an overlay (RGB) or a cut-out (RGBA).

    decoded: at full scale; may be drawn into, because it is not needed afterwards.
    ids: (height, width) uint8 class ids at the upright image's size.
    """
    image = upright(decoded)
    if options.render == "cutout":
        return encode_png(_cut_out(image, ids, options))
    return encode_png(_tint(image, ids, options))


def _tint(
    image: NDArray[np.uint8], ids: NDArray[np.uint8], options: RenderOptions
) -> NDArray[np.uint8]:
    """Blend each class's colour into (h, w, 3) uint8 RGB with the opacity asked for, in place."""
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


def _cut_out(
    image: NDArray[np.uint8], ids: NDArray[np.uint8], options: RenderOptions
) -> NDArray[np.uint8]:
    """(h, w, 4) uint8 RGBA: opaque on the chosen classes, black and transparent elsewhere."""
    chosen = range(1, 256) if options.classes is None else options.classes
    opaque = [255 * (class_id in chosen) for class_id in range(256)]
    cut = np.empty((*ids.shape, 4), dtype=np.uint8)
    for band in bands(len(ids), ids.shape[1], BAND_PIXELS):
        alpha = Image.fromarray(ids[band]).point(opaque)
        part = Image.new("RGB", alpha.size)
        part.paste(Image.fromarray(image[band]), mask=alpha)
        part.putalpha(alpha)
        cut[band] = np.asarray(part)
    return cut
