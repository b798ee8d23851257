"""Networks of other libraries, behind their own preprocessing."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dataset import Compose
from PIL import Image
from torch import Tensor

from scripts.networks.facts import MEAN, STD
from tests.formats import hugging_face_files, mmseg_files, smp_files
from tests.formats.fitting import fit
from tests.formats.makers.answers import Author, Masks, Network, by_torchvision, long_side
from tests.formats.photographs import Pixels

SMP_LONG_SIDE, SMP_MULTIPLE = 512, 32  # the library saves no size


def _smp_author(network: Any, encoder: str) -> Author:
    own = smp_files.preprocessing(encoder)

    def prepare(picture: Pixels) -> Tensor:
        pixels = by_torchvision(picture, long_side(picture, SMP_LONG_SIDE, SMP_MULTIPLE))
        return torch.from_numpy(own(pixels).astype(np.float32)).permute(2, 0, 1)[None]

    return Network(prepare, network)


def smp_folder(path: Path) -> Author:
    """What save_pretrained writes."""
    made = smp_files.make("v3")
    made.network.save_pretrained(path)
    return _smp_author(made.network, made.encoder)


def smp_weights(path: Path) -> Author:
    """What a training loop writes: the weights, and nothing about the network."""
    import segmentation_models_pytorch as smp

    torch.manual_seed(0)
    network = smp.DeepLabV3Plus("resnet34", encoder_weights=None, classes=smp_files.CLASSES)
    centre, spread = (torch.tensor(each).view(1, 3, 1, 1) for each in (MEAN, STD))
    fit(network, network.segmentation_head[0], lambda images: (images - centre) / spread)
    torch.save(network.state_dict(), path)
    return _smp_author(network, "resnet34")


@dataclass(frozen=True)
class Transformer:
    """A model behind its processor, which does not crop.

    size: of a model that takes one size only.
    """

    model: Any
    processor: Any
    size: dict[str, int] | None

    def masks(self, picture: Pixels) -> Masks:
        """(height, width, 3) uint8 RGB -> its masks."""
        flags: dict[str, Any] = {"do_center_crop": False}
        if self.size:
            flags["size"] = self.size
        inputs = self.processor(Image.fromarray(picture), return_tensors="pt", **flags)
        with torch.no_grad():
            outputs = self.model(**inputs)
        sizes = (tuple(inputs["pixel_values"].shape[2:]), picture.shape[:2])
        upsample = self.processor.post_process_semantic_segmentation
        found = (np.asarray(upsample(outputs, [size])[0], dtype=np.uint8) for size in sizes)
        return Masks(*found)


def transformers(kind: str) -> Callable[[Path], Author]:
    """A maker of a folder of transformers."""

    def make(path: Path) -> Author:
        model, processor = hugging_face_files.save(kind, path)
        size = None if kind == "segformer" else hugging_face_files.SQUARE
        return Transformer(model, processor, size)

    return make


@dataclass(frozen=True)
class Mmseg:
    """A network of mmsegmentation behind the test pipeline of its configuration."""

    network: Any

    def masks(self, picture: Pixels) -> Masks:
        """(height, width, 3) uint8 RGB -> its masks."""
        steps = [dict(each) for each in self.network.cfg.test_pipeline[1:]]
        steps = [each for each in steps if each["type"] != "LoadAnnotations"]
        load = {"type": "LoadImageFromNDArray"}
        data = Compose([load, *steps])({"img": np.ascontiguousarray(picture[:, :, ::-1])})
        sample = data["data_samples"]
        large = self._run(data)
        sample.set_metainfo({"ori_shape": sample.metainfo["img_shape"]})
        return Masks(self._run(data), large)

    def _run(self, data: dict[str, Any]) -> Pixels:
        batch = {"inputs": [data["inputs"]], "data_samples": [data["data_samples"].clone()]}
        with torch.no_grad():
            (result,) = self.network.test_step(batch)
        ids: Pixels = result.pred_sem_seg.data[0].numpy().astype(np.uint8)
        return ids


def mmseg(config: str) -> Callable[[Path], Author]:
    """A maker of a checkpoint of mmsegmentation."""

    def make(path: Path) -> Author:
        made = mmseg_files.make(path.parent, config)
        made.path.rename(path)
        return Mmseg(made.network)

    return make


def labels_file(path: Path, classes: int) -> None:
    """The names of so many classes."""
    path.write_text(json.dumps({str(each): f"kind {each}" for each in range(classes)}))
