"""From a decoded image to the network's input: resized, upright, 8-bit RGB on white."""

import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn import functional as F

from deeplab.decode import SIDEWAYS, Decoded, MinLongSide
from deeplab.opencv_resize import resize_as_opencv
from deeplab.spec import InputSize

MIN_SIDE = 32  # pixels; the short side of a very long image is not resized below this
CLOSE_ENOUGH = 2  # times the target's size: what a reduced decoding must have at least
REDUCING_GAP = 3.0  # Pillow first shrinks by an integer factor, to at least three times the target
# EXIF orientations that need a horizontal and a vertical flip, once the sides are swapped.
MIRRORED, UPSIDE_DOWN = (2, 3, 6, 7), (3, 4, 7, 8)

SLACK = 1e-6  # pixels; for products such as 519.9999999
ROUNDED: dict[str, Callable[[float], int]] = {
    "auto": round,
    "down": lambda side: math.floor(side + SLACK),
    "nearest": lambda side: math.floor(side + 0.5),
    "up": lambda side: math.ceil(side - SLACK),
}


def preprocess(decoded: Decoded, input_size: InputSize) -> NDArray[np.uint8]:
    """Resize and turn upright: (1, h, w, 3) uint8 RGB, 0..255, the graph's input."""
    size = decoded.decoded_size if input_size.fit == "long_side" else decoded.size
    if input_size.fit == "long_side" and decoded.orientation in SIDEWAYS:
        size = size[::-1]
    return resize_upright(decoded, network_size(size, input_size), input_size)[np.newaxis]


def resize_upright(
    decoded: Decoded, size: tuple[int, int], input_size: InputSize
) -> NDArray[np.uint8]:
    """Resize to (width, height) as the network wants it, and turn upright: (h, w, 3) uint8 RGB."""
    if not input_size.antialias:
        # What is left out depends on the corner where counting begins: OpenCV turns first.
        return resize_as_opencv(upright(decoded), size, input_size.interpolation)
    target = size[::-1] if decoded.orientation in SIDEWAYS else size
    is_large = max(decoded.decoded_size) > REDUCING_GAP * max(target)
    if _reduces(input_size) and (is_large or not decoded.is_rgb):
        # Pillow's reduction by an integer factor adds 32-bit levels up in 32 bits, which wrap.
        image = decoded.image
        gap = None if image.mode in ("I", "F") and not decoded.is_16_bit else REDUCING_GAP
        small = image.resize(target, Image.Resampling.BILINEAR, reducing_gap=gap)
        rgb = np.array(_on_white(_to_8_bit(small, is_16_bit=decoded.is_16_bit)))
    else:
        pixels = decoded.pixels if decoded.is_rgb else _rgb(decoded)
        rgb = _resize_rgb(pixels, target, input_size)
    return _turn_upright(rgb, decoded.orientation)


def _reduces(input_size: InputSize) -> bool:
    """Whether a large image may be shrunk by an integer factor before it is resized.

    The bundled networks were trained so, and archives of before ``exact`` are served so.
    """
    averages = input_size.antialias and input_size.interpolation == "bilinear"
    return averages and input_size.fit == "long_side" and not input_size.exact


def upright(decoded: Decoded) -> NDArray[np.uint8]:
    """(h, w, 3) uint8 RGB on white, turned upright, at the scale at which it was decoded.

    For a baseline JPEG that is upright already this is the decoded array itself.
    """
    return _turn_upright(_rgb(decoded), decoded.orientation)


def _rgb(decoded: Decoded) -> NDArray[np.uint8]:
    """(h, w, 3) uint8 RGB on white, as stored and at the scale at which it was decoded."""
    if isinstance(decoded.pixels, np.ndarray):
        return decoded.pixels
    return np.array(_on_white(_to_8_bit(decoded.pixels, is_16_bit=decoded.is_16_bit)))


def _turn_upright(rgb: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Apply EXIF's orientation: (h, w, 3) uint8 as stored -> (h', w', 3) uint8 as displayed."""
    if orientation == 1:
        return rgb
    # As an array of three-byte pixels, so that each pixel moves as a whole.
    pixels = np.ascontiguousarray(rgb).view("V3")[:, :, 0]
    if orientation in SIDEWAYS:
        pixels = pixels.T
    if orientation in MIRRORED:
        pixels = pixels[:, ::-1]
    if orientation in UPSIDE_DOWN:
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)[:, :, np.newaxis].view(np.uint8)


def _resize_rgb(
    pixels: Image.Image | NDArray[np.uint8], size: tuple[int, int], input_size: InputSize
) -> NDArray[np.uint8]:
    """Resize RGB to (width, height), averaging: (h, w, 3) uint8.

    Within one level of 255 of what Pillow computes, in a sixth of the time.
    """
    width, height = size
    array = pixels if isinstance(pixels, np.ndarray) else np.array(pixels)
    if input_size.interpolation == "bicubic":  # PyTorch is two levels off here and there
        resized = Image.fromarray(array).resize(size, Image.Resampling.BICUBIC)
        return np.array(resized)
    if input_size.interpolation == "nearest":
        rows, columns = (
            _nearest_centres(outputs, inputs)
            for outputs, inputs in zip((height, width), array.shape[:2], strict=True)
        )
        return array[rows[:, np.newaxis], columns]
    planes = torch.from_numpy(array).unsqueeze(0).permute(0, 3, 1, 2)
    small = F.interpolate(planes, (height, width), mode="bilinear", antialias=True)
    rgb: NDArray[np.uint8] = small[0].permute(1, 2, 0).numpy()
    return rgb


def _nearest_centres(outputs: int, inputs: int) -> NDArray[np.intp]:
    """(outputs,) the input position at each output's centre, rounded as Pillow does."""
    steps = np.full(outputs, inputs / outputs)  # Pillow adds them up
    steps[0] /= 2
    return np.minimum(np.cumsum(steps).astype(np.intp), inputs - 1)


def network_size(size: tuple[int, int], input_size: InputSize) -> tuple[int, int]:
    """(width, height) for the network of an upright image of (width, height).

    No side is below MIN_SIDE, and no side exceeds ``long_side`` by more than rounding; only
    "fixed" is as it stands. On a grid both sides are rounded to its nearest point: there the
    network's coarse output starts on the first pixel and ends on the last, so that upsampling it
    shifts nothing.
    """
    if input_size.fit == "fixed":
        return input_size.width, input_size.height
    grid, unit = input_size.grid, input_size.multiple
    sides = _scaled(size, input_size)
    rounding = _rounding(input_size)
    if grid > 1 or (input_size.fit == "long_side" and unit == 1 and rounding == "auto"):
        steps = math.ceil((MIN_SIDE - 1) / grid)
        width, height = (max(steps, round((side - 1) / grid)) * grid + 1 for side in sides)
        return width, height
    rounded = ROUNDED[rounding]
    least = math.ceil(MIN_SIDE / unit)
    width, height = (max(least, rounded(side / unit)) * unit for side in sides)
    return width, height


def _rounding(input_size: InputSize) -> str:
    if input_size.rounding != "auto" or input_size.multiple > 1 or input_size.fit == "long_side":
        return input_size.rounding
    return "down"


def _scaled(size: tuple[int, int], input_size: InputSize) -> tuple[float, float]:
    """(width, height) for the network, before rounding."""
    if (input_size.fit, input_size.rounding) == ("short_side", "down"):
        return _cut(size, input_size)
    scale = _scale(size, input_size)
    return size[0] * scale, size[1] * scale


def _cut(size: tuple[int, int], input_size: InputSize) -> tuple[int, int]:
    """(width, height) by the arithmetic of torchvision and transformers.

    Where the bound of the long side counts, transformers rounds the short one.
    """
    shortest, longest = min(size), max(size)
    short = float(input_size.short_side)
    if longest / shortest * short > input_size.long_side:
        short = input_size.long_side * shortest / longest
    sides = round(short), int(short * longest / shortest)
    return sides if size[0] == shortest else sides[::-1]


def _scale(size: tuple[int, int], input_size: InputSize) -> float:
    """Pixels of the network's input for one of the image."""
    longest = input_size.long_side / max(size)
    if input_size.fit == "long_side":
        return longest
    wanted = 1.0 if input_size.fit == "native" else input_size.short_side / min(size)
    return min(wanted, longest)


def min_long_side(input_size: InputSize) -> MinLongSide:
    """The least long side to which an image may be decoded for the network."""
    if _reduces(input_size) and input_size.multiple == 1:
        return input_size.long_side  # known without the image's size
    return lambda size: decoded_long_side(size, network_size(size, input_size), input_size)


def decoded_long_side(size: tuple[int, int], target: tuple[int, int], input_size: InputSize) -> int:
    """The least long side to which an image of (width, height) may be decoded for a target size.

    A JPEG's reduced decoding averages pixels, in another way than resizing: half of the network's
    pixels are a few levels off, of a decoding at twice the target's size too. Where pixels are left
    out instead of averaged, nothing of the image would be the same.
    """
    averages = input_size.antialias and input_size.interpolation != "nearest"
    if input_size.exact or not averages:
        return max(size)
    scale = max(wanted / side for wanted, side in zip(target, size, strict=True))
    factor = 1 if _reduces(input_size) else CLOSE_ENOUGH
    return min(max(size), math.ceil(max(size) * scale * factor))


def _to_8_bit(image: Image.Image, *, is_16_bit: bool) -> Image.Image:
    """Modes I and F to L: 16-bit levels by their high byte, others from darkest to brightest."""
    if image.mode not in ("I", "F"):
        return image
    levels = np.asarray(image, dtype=np.float64)
    if is_16_bit:
        return Image.fromarray((levels / 256).clip(0, 255).astype(np.uint8))
    finite = np.nan_to_num(levels, nan=0.0, posinf=0.0, neginf=0.0)
    span = max(float(np.ptp(finite)), np.finfo(np.float64).tiny)
    return Image.fromarray(((finite - finite.min()) / span * 255).astype(np.uint8))


def _on_white(image: Image.Image) -> Image.Image:
    """RGB, with transparent parts composited on white."""
    if image.mode not in ("LA", "RGBA"):
        return image.convert("RGB")
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")
