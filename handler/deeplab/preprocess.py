"""From a decoded picture to the network's input: resized, upright, 8-bit RGB on white."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn import functional as F

from deeplab.decode import SIDEWAYS, Decoded
from deeplab.spec import InputSize

MIN_SIDE = 32  # pixels; a very long, thin picture is not resized below this
REDUCING_GAP = 3.0  # Pillow shrinks by whole factors first, down to three times the wanted size
# EXIF orientations in whose pictures, once sides are swapped, left is right and up is down.
MIRRORED, UPSIDE_DOWN = (2, 3, 6, 7), (3, 4, 7, 8)


def preprocess(decoded: Decoded, wanted: InputSize) -> NDArray[np.uint8]:
    """Resize (bilinear) and turn upright: (1, h, w, 3) uint8 RGB, 0..255, for the graph."""
    target = network_size(decoded.decoded_size, wanted)
    if decoded.is_rgb and max(decoded.decoded_size) <= REDUCING_GAP * max(target):
        rgb = _resize_rgb(decoded.pixels, target)
    else:
        small = decoded.picture.resize(target, Image.Resampling.BILINEAR, reducing_gap=REDUCING_GAP)
        rgb = np.array(_on_white(_eight_bits(small, deep=decoded.deep)))
    return _turned(rgb, decoded.orientation)[np.newaxis]


def upright(decoded: Decoded) -> NDArray[np.uint8]:
    """(h, w, 3) uint8 RGB on white, as people see it, at the scale at which it was decoded.

    An ordinary JPEG's own array, where it is upright already.
    """
    if isinstance(decoded.pixels, np.ndarray):
        return _turned(decoded.pixels, decoded.orientation)
    rgb = np.array(_on_white(_eight_bits(decoded.pixels, deep=decoded.deep)))
    return _turned(rgb, decoded.orientation)


def _turned(rgb: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """(h, w, 3) as stored -> as EXIF's orientation wants it shown."""
    if orientation == 1:
        return rgb
    # Each pixel moves as a whole, not number by number.
    pixels = np.ascontiguousarray(rgb).view("V3")[:, :, 0]
    if orientation in SIDEWAYS:
        pixels = pixels.T
    if orientation in MIRRORED:
        pixels = pixels[:, ::-1]
    if orientation in UPSIDE_DOWN:
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)[:, :, np.newaxis].view(np.uint8)


def _resize_rgb(
    pixels: Image.Image | NDArray[np.uint8], size: tuple[int, int]
) -> NDArray[np.uint8]:
    """What Pillow computes, to one level of 255, in a sixth of the time: (h, w, 3) uint8."""
    width, height = size
    array = pixels if isinstance(pixels, np.ndarray) else np.array(pixels)
    planes = torch.from_numpy(array).unsqueeze(0).permute(0, 3, 1, 2)
    small = F.interpolate(planes, (height, width), mode="bilinear", antialias=True)
    rgb: NDArray[np.uint8] = small[0].permute(1, 2, 0).numpy()
    return rgb


def network_size(size: tuple[int, int], wanted: InputSize) -> tuple[int, int]:
    """(width, height) with the long side as wanted and the aspect kept, down to MIN_SIDE.

    Both are the nearest that the grid has: there the network's coarse output starts on the first
    pixel and ends on the last, so that its upsampling shifts nothing.
    """
    scale, grid = wanted.long_side / max(size), wanted.grid
    least = math.ceil((MIN_SIDE - 1) / grid)
    width, height = (max(least, round((side * scale - 1) / grid)) * grid + 1 for side in size)
    return width, height


def _eight_bits(picture: Image.Image, *, deep: bool) -> Image.Image:
    """Modes I and F to L: 16-bit levels by their high byte, others from darkest to brightest."""
    if picture.mode not in ("I", "F"):
        return picture
    levels = np.asarray(picture, dtype=np.float64)
    if deep:
        return Image.fromarray((levels / 256).clip(0, 255).astype(np.uint8))
    finite = np.nan_to_num(levels, nan=0.0, posinf=0.0, neginf=0.0)
    span = max(float(np.ptp(finite)), np.finfo(np.float64).tiny)
    return Image.fromarray(((finite - finite.min()) / span * 255).astype(np.uint8))


def _on_white(picture: Image.Image) -> Image.Image:
    """RGB, with transparent parts composited on white."""
    if picture.mode not in ("LA", "RGBA"):
        return picture.convert("RGB")
    white = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(white, picture.convert("RGBA")).convert("RGB")
