"""Two tiny networks whose masks differ, their archives, and the image whose masks are known."""

import io
import json
import zipfile
from pathlib import Path
from typing import Final

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from scripts.archives.archive import MODEL
from scripts.export import build_archive
from scripts.export.fingerprint import Archive
from scripts.export.model_options import ExportTarget
from scripts.networks.architectures import ModelChoice
from scripts.networks.checkpoints import Checkpoint
from tests.archives import renumbered
from tests.unit.tiny import tiny_checkpoint

SIDE: Final = 96  # pixels; of the network's input too, so that nothing is resized
_HALF: Final = SIDE // 2
_UNSURE: Final = 8  # pixels beside a border of two colours, where masks may be any
# Quarters of the image, and the class of each by the first network.
_COLOURS: Final = ((128, 128, 128), (220, 20, 20), (20, 220, 20), (20, 20, 220))
PADDING: Final = "padding.bin"


class Colours:
    """Archives of two networks: they name the colours in opposite order."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._sources = [_built(folder / str(index), index) for index in (0, 1)]
        self.image = _png()

    def archive(self, version: str, network: int, padding: int = 0) -> Path:
        """An archive of the first network (0) or the second (1).

        padding: bytes that make it larger, and slower to send.
        """
        path = self._folder / f"{MODEL}-{version}.mar"
        renumbered(self._sources[network], path, version)
        if padding:
            with zipfile.ZipFile(path, "a") as file:
                entry = zipfile.ZipInfo(PADDING)  # of a fixed time
                file.writestr(entry, np.random.default_rng(7).bytes(padding))
        return path

    def network_of(self, mask: bytes) -> int | None:
        """The network that a mask comes from; None if from neither."""
        with Image.open(io.BytesIO(mask)) as image:
            ids = np.asarray(image)
        known = [index for index in (0, 1) if _matches(ids, index)]
        return known[0] if known else None


def changed(source: Path, target: Path, member: str, content: bytes | None) -> Path:
    """A copy of an archive with another content of one member; None: without it."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            if name != member:
                new.writestr(name, old.read(name))
        if content is not None:
            new.writestr(member, content)
    return target


def manifest(source: Path, **facts: str) -> bytes:
    """The manifest of an archive with other facts of its model."""
    with zipfile.ZipFile(source) as file:
        read = json.loads(file.read("MAR-INF/MANIFEST.json"))
    read["model"].update(facts)
    return json.dumps(read).encode()


def _checkpoint(index: int) -> Checkpoint:
    """The tiny network, or one that names blue what this one names red."""
    known = tiny_checkpoint()
    if index == 1:
        convolution = known.network[1]  # type: ignore[index]  # a sequence of two
        assert isinstance(convolution, nn.Conv2d)
        with torch.no_grad():
            order = torch.tensor([0, 3, 2, 1])
            convolution.weight.copy_(convolution.weight[order].clone())
    return known


def _built(store: Path, index: int) -> Path:
    archive = Archive(ModelChoice(), ExportTarget("openvino"), MODEL, "1.0", store)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build_archive, "load_checkpoint", lambda _choice: _checkpoint(index))
        build_archive.build(archive)
    return archive.path


def _png() -> bytes:
    pixels = np.zeros((SIDE, SIDE, 3), np.uint8)
    for quarter, colour in enumerate(_COLOURS):
        pixels[_place(quarter, 0)] = colour
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def _place(quarter: int, margin: int) -> tuple[slice, slice]:
    top, left = _HALF * (quarter // 2), _HALF * (quarter % 2)
    return (
        slice(top + margin, top + _HALF - margin),
        slice(left + margin, left + _HALF - margin),
    )


def _matches(ids: NDArray[np.uint8], index: int) -> bool:
    """Whether a mask of class ids is that of a network, away from the borders."""
    golden = (0, 1, 2, 3) if index == 0 else (0, 3, 2, 1)
    return ids.shape == (SIDE, SIDE) and all(
        bool((ids[_place(quarter, _UNSURE)] == class_id).all())
        for quarter, class_id in enumerate(golden)
    )
