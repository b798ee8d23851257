"""Checkpoints of real mmsegmentation networks, saved as its runner does."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mmseg
import numpy as np
from mmengine.config import Config
from mmengine.logging import MessageHub
from mmengine.registry import MODELS, init_default_scope
from mmengine.runner import save_checkpoint, set_random_seed
from mmseg.apis import inference_model
from mmseg.utils import register_all_modules
from torch import Tensor

from tests.formats.fitting import fit
from tests.formats.photographs import Pixels

CONFIGS = Path(mmseg.__file__).parent / ".mim" / "configs"
CLASSES = ("road", "sky", "tree", "wall")
PALETTE = [[128, 64, 128], [70, 130, 180], [107, 142, 35], [102, 102, 156]]
SCALE = (384, 96)  # the most for the long side, and the short side
WIDTH = 16  # of the head: the published 512 would take minutes


@dataclass(frozen=True)
class Made:
    """A checkpoint and the network that was saved."""

    path: Path
    network: Any

    def mask(self, picture: Pixels) -> Pixels:
        """What mmseg's own inference gives for an RGB picture, which it expects in BGR."""
        result = inference_model(self.network, np.ascontiguousarray(picture[:, :, ::-1]))
        ids: Pixels = result.pred_sem_seg.data[0].numpy().astype(np.uint8)
        return ids


def make(folder: Path, config: str, changes: dict[str, Any] | None = None) -> Made:
    """Build the network of a published configuration, with a narrow head, and save it."""
    register_all_modules()
    init_default_scope("mmseg")
    set_random_seed(0)
    whole = Config.fromfile(CONFIGS / config)
    whole.merge_from_dict(
        {
            "model.pretrained": None,
            "model.decode_head.channels": WIDTH,
            "model.decode_head.num_classes": len(CLASSES),
            "model.auxiliary_head.channels": WIDTH,
            "model.auxiliary_head.num_classes": len(CLASSES),
            **(changes or {}),
        }
    )
    whole.test_pipeline = _small(whole.test_pipeline)
    network = MODELS.build(whole.model)
    network.cfg = whole
    network.dataset_meta = {"classes": CLASSES, "palette": PALETTE}
    preprocessor = network.data_preprocessor
    fit(
        network,
        network.decode_head.conv_seg,
        lambda images: (
            (_ordered(images, preprocessor) * 255 - preprocessor.mean) / preprocessor.std
        ),
    )
    path = folder / "iter_1000.pth"
    save_checkpoint(_checkpoint(network, whole), str(path))
    return Made(path, network)


def _ordered(images: Tensor, preprocessor: Any) -> Tensor:
    """RGB as the network gets it: OpenCV's BGR, turned round by most configurations."""
    return images if preprocessor.channel_conversion else images.flip(1)


def _small(pipeline: list[Any]) -> list[Any]:
    """The test's steps with small pictures."""
    for step in pipeline:
        if step["type"] == "Resize":
            step["scale"] = SCALE
    return pipeline


def _checkpoint(network: Any, config: Config) -> dict[str, Any]:
    """What mmengine's runner saves, with the log of a training."""
    hub = MessageHub.get_instance("training")
    hub.update_scalar("train/loss", 0.5)
    hub.update_info("iter", np.int64(1000))
    meta = {
        "cfg": config.pretty_text,
        "dataset_meta": {"classes": CLASSES, "palette": PALETTE},
        "iter": 1000,
    }
    return {"meta": meta, "state_dict": network.state_dict(), "message_hub": hub.state_dict()}
