"""Folders of Hugging Face's transformers: semantic segmentation behind its image processor."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from scripts.archives.digests import file_sha256
from scripts.networks.checkpoints import Checkpoint, CheckpointError
from scripts.networks.facts import InputFacts, ReadOptions
from scripts.networks.single_output import TwoClasses
from scripts.readers.libraries.image_processor import facts_of
from scripts.readers.libraries.labels import labels_of
from scripts.readers.libraries.packages import imported

LIBRARY = "transformers"
KIND = "a folder of Hugging Face's transformers"
WEIGHTS = ("model.safetensors", "pytorch_model.bin")
PROCESSOR = "preprocessor_config.json"
# The families whose code can be traced for any size; others compute with the sizes as numbers.
FREE = {"segformer"}


class LogitsOnly(nn.Module):
    """Normalised (N, 3, H, W) float32 -> logits (N, classes, h, w)."""

    def __init__(self, model: Any):
        super().__init__()
        self.model = model

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.model(pixel_values=image).logits
        return logits


class ProcessedModel:
    """The model behind its own processor, which shows it the whole picture."""

    def __init__(self, model: Any, processor: Any, size: dict[str, int] | None):
        self._model, self._processor = model, processor
        # The processor's own size unless the network takes one only.
        self._flags = {"do_center_crop": False, **({"size": size} if size else {})}

    def logits(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(height, width, 3) uint8 upright RGB -> (classes, h, w) float32 logits, not upsampled."""
        inputs = self._processor(Image.fromarray(image), return_tensors="pt", **self._flags)
        with torch.inference_mode():
            logits: NDArray[np.float32] = self._model(**inputs).logits[0].numpy()
        return logits


def _original(model: Any, processor: Any, facts: InputFacts) -> ProcessedModel | None:
    if processor is None:
        return None
    size = facts.input
    fixed = {"height": size.height, "width": size.width} if size.fit == "fixed" else None
    return ProcessedModel(model, processor, fixed)


def read(path: Path, options: ReadOptions) -> Checkpoint | None:
    """Read a folder with config.json and weights; None if it is none of the library's.

    Raises CheckpointError.
    """
    config = _config(path)
    if config is None:
        return None
    library = imported(LIBRARY, LIBRARY, KIND)
    weights = _weights_file(path)
    model = _model(library, path)
    processor = _processor(library, path)
    facts = _facts(processor, free=config["model_type"] in FREE)
    network, is_single = LogitsOnly(model).eval(), model.config.num_labels == 1
    return Checkpoint(
        architecture=f"hf_{str(config['model_type']).replace('-', '_')}",
        network=TwoClasses(network, options.threshold).eval() if is_single else network,
        labels=labels_of(options, model.config.num_labels, _names(model)),
        input=facts.input,
        origin=f"the user's folder {path.name} of {LIBRARY}",
        sha256=file_sha256(weights),
        facts=facts,
        output="sigmoid" if is_single else "logits",
        threshold=options.threshold,
        original=None if is_single else _original(model, processor, facts),
    )


def _config(path: Path) -> Mapping[str, Any] | None:
    """The library's config.json in a folder; None if there is none."""
    if not path.is_dir():
        return None
    try:
        config = json.loads((path / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return config if isinstance(config, dict) and "model_type" in config else None


def _weights_file(folder: Path) -> Path:
    for name in WEIGHTS:
        if (folder / name).is_file():
            return folder / name
    raise CheckpointError(f"--weights {folder}: has config.json, but none of {', '.join(WEIGHTS)}")


def _model(library: Any, path: Path) -> Any:
    """The model with all of its weights; a head that the file lacks would be random."""
    library.logging.set_verbosity_error()
    try:
        model, report = library.AutoModelForSemanticSegmentation.from_pretrained(
            path, local_files_only=True, trust_remote_code=False, output_loading_info=True
        )
    except Exception as exc:  # the library raises what it likes
        first = next(iter(str(exc).strip().splitlines()), type(exc).__name__)[:200]
        raise CheckpointError(
            f"--weights {path}: no semantic segmentation that {LIBRARY} "
            f"{library.__version__} reads ({first})"
        ) from exc
    missing = sorted([*report["missing_keys"], *map(str, report["mismatched_keys"])])
    if missing:
        raise CheckpointError(
            f"--weights {path}: the weights lack {missing[0]} ({len(missing)} parameters in all): "
            "save the segmentation model with save_pretrained"
        )
    return model.float().eval()


def _processor(library: Any, path: Path) -> Any:
    """The image processor; None if the folder has none."""
    if not (path / PROCESSOR).is_file() and not (path / "processor_config.json").is_file():
        return None
    try:
        return library.AutoImageProcessor.from_pretrained(path, local_files_only=True)
    except Exception as exc:  # as above
        first = next(iter(str(exc).strip().splitlines()), type(exc).__name__)[:200]
        raise CheckpointError(f"--weights {path}: unusable {PROCESSOR} ({first})") from exc


def _facts(processor: Any, *, free: bool) -> InputFacts:
    if processor is not None:
        return facts_of(processor.to_dict(), free=free)
    assumed = facts_of({"size": {"height": 512, "width": 512}, **IMAGENET}, free=False)
    return InputFacts(
        assumed.input, assumed.mean, assumed.std, "rgb", dict.fromkeys(assumed.sources, "assumed")
    )


IMAGENET = {
    "do_normalize": True,
    "image_mean": [0.485, 0.456, 0.406],
    "image_std": [0.229, 0.224, 0.225],
}


def _names(model: Any) -> list[str]:
    """The classes' names by id; [] where some are missing."""
    names: Mapping[int, str] = model.config.id2label
    count = model.config.num_labels
    return [str(names[each]) for each in range(count)] if set(names) == set(range(count)) else []
