"""Overlay of a mask's colours on the image it was made from."""

from collections.abc import Collection

from PIL import Image


def blend(
    image: Image.Image, mask: Image.Image, opacity: float, see_through: Collection[int]
) -> Image.Image:
    """Blend the classes' colours into an image.

    image: RGB; mask: mode P of the same size; opacity: 0 (image) to 1 (colours); see_through: the
    class ids that are left without colour. Returns RGB.
    """
    alpha = [0 if class_id in see_through else round(255 * opacity) for class_id in range(256)]
    return Image.composite(mask.convert("RGB"), image, mask.point(alpha, "L"))
