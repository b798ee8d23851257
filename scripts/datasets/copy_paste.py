"""More pictures of rare classes: cut-out objects pasted into photographs, with exact masks.

The command copies a VOC folder and adds pictures. Its table is JSON, class name -> files below
ROOT: pictures with an alpha channel, or photographs of one object, which the bundled network cuts
out whatever it takes it for. Objects of the class "background" are what the network must not find,
a zebra in a network that knows horses.
"""

import io
import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageOps
from tqdm import tqdm

from scripts.datasets.imagenet_classifier import voc_ids
from scripts.datasets.split import TRUSTED
from scripts.datasets.voc import IGNORE, IMAGES, MASKS, DataError, LabelledImage, list_pairs
from scripts.export.eager import EagerModel
from scripts.networks.architectures import ModelChoice
from scripts.readers.chain import load_checkpoint

SIDE = 400  # pixels, the long side of the added pictures at most
EACH = 4  # pictures of each object
SHARES = (0.3, 1.7)  # the object's long side in the picture's short side; some are seen in part
SOLID, CLEAR = 0.9, 0.1  # alpha: between the two lies an edge, which is ignored
JPEG_QUALITY = 92
OPAQUE = 255


def add_cutouts(
    data: Path, table: Mapping[str, Sequence[str]], root: Path, output: Path, *, each: int = EACH
) -> int:
    """Copy ``data`` to ``output`` and add ``each`` pictures of every object; how many were added.

    Raises DataError for a class or file that does not exist.
    """
    ids = voc_ids()
    files = list(_files(table, ids, root))
    grounds = [pair for pair in list_pairs(data) if _is_empty(pair)]
    if not grounds:
        raise DataError(f"{data} has no picture without an object to paste into")
    shutil.copytree(data, output, dirs_exist_ok=True)
    random = np.random.default_rng(0)
    found = EagerModel(load_checkpoint(ModelChoice())).predict
    added = []
    for name, file in tqdm(files, "pasting", disable=None):
        cutout = read_cutout(file, found)
        for index in range(each):
            ground = grounds[random.integers(len(grounds))].read_image()
            picture, mask = paste(cutout, ids[name], ground, random)
            stem = f"cutout_{name}_{file.stem}_{index}"
            picture.save(output / IMAGES / f"{stem}.jpg", quality=JPEG_QUALITY)
            Image.fromarray(mask).save(output / MASKS / f"{stem}.png")
            added.append(stem)
    if (output / TRUSTED).exists():  # without it all masks are trusted alike
        _add_lines(output / TRUSTED, added)
    return len(added)


def read_cutout(file: Path, found: Callable[[bytes], NDArray[np.uint8]]) -> Image.Image:
    """Read an object as upright RGBA, cropped to its visible part. DataError if there is none.

    found: bytes of a photograph -> its class ids; asked for pictures without transparent parts.
    """
    with Image.open(file) as opened:
        picture = ImageOps.exif_transpose(opened).convert("RGBA")
    if picture.getchannel("A").getextrema()[0] == OPAQUE:
        jpeg = io.BytesIO()
        picture.convert("RGB").save(jpeg, "JPEG", quality=JPEG_QUALITY)
        there = Image.fromarray((found(jpeg.getvalue()) > 0).astype(np.uint8) * OPAQUE)
        picture.putalpha(there.filter(ImageFilter.GaussianBlur(max(picture.size) / SIDE)))
    box = picture.getchannel("A").point(lambda alpha: OPAQUE * (alpha > CLEAR * OPAQUE)).getbbox()
    if box is None:
        raise DataError(f"{file}: there is no object in it")
    return picture.crop(box)


def paste(
    cutout: Image.Image, class_id: int, ground: Image.Image, random: np.random.Generator
) -> tuple[Image.Image, NDArray[np.uint8]]:
    """Paste the object at random into ``ground``; (RGB picture, (h, w) uint8 class ids)."""
    picture = ImageOps.contain(ground.convert("RGB"), (SIDE, SIDE))
    long_side = random.uniform(*SHARES) * min(picture.size)
    scale = long_side / max(cutout.size)
    size = (max(2, round(cutout.width * scale)), max(2, round(cutout.height * scale)))
    placed = cutout.resize(size, Image.Resampling.BICUBIC)
    if random.random() < 0.5:
        placed = ImageOps.mirror(placed)
    left = _place(picture.width - size[0], random)
    # Things stand on the ground: the lower half of what is free.
    free = picture.height - size[1]
    top = int(random.integers(free // 2, free + 1)) if free > 0 else _place(free, random)
    layer = Image.new("RGBA", picture.size)
    layer.paste(placed, (left, top))
    picture.paste(layer, (0, 0), layer)
    alpha = np.asarray(layer.getchannel("A")) / np.float32(OPAQUE)
    mask = np.zeros(alpha.shape, dtype=np.uint8)
    mask[alpha > CLEAR] = IGNORE
    mask[alpha > SOLID] = class_id
    return picture, mask


def _place(free: int, random: np.random.Generator) -> int:
    """A random offset of an object; one without room begins outside the image."""
    return int(random.integers(min(free, 0), max(free, 0) + 1))


def _add_lines(path: Path, lines: Sequence[str]) -> None:
    """Append lines to a text file that may lack its last newline."""
    text = path.read_text()
    with path.open("a") as file:
        if text and not text.endswith("\n"):
            file.write("\n")
        file.writelines(f"{line}\n" for line in lines)


def _is_empty(pair: LabelledImage) -> bool:
    """Whether the mask has background only."""
    return not pair.read_mask().any()


def _files(
    table: Mapping[str, Sequence[str]], ids: Mapping[str, int], root: Path
) -> Iterator[tuple[str, Path]]:
    for name, files in table.items():
        if name not in ids:
            raise DataError(f"{name} is no class: {', '.join(ids)}")
        for file in files:
            if not (root / file).is_file():
                raise DataError(f"{root / file} does not exist")
            yield name, root / file


def read_table(path: Path) -> dict[str, list[str]]:
    table = json.loads(path.read_text())
    if not isinstance(table, dict) or not all(isinstance(each, list) for each in table.values()):
        raise DataError(f'{path} is no table of class to files: {{"cow": ["cow.png"]}}')
    return {str(name): [str(file) for file in files] for name, files in table.items()}
