"""The check of an exported network: agreement with the eager model on photographs."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from deeplab.decode import decode
from deeplab.engines import load_engine, predict
from deeplab.preprocess import min_long_side, preprocess, upright
from deeplab.spec import InputSize, ModelSpec, Precision
from scripts.archives.paths import ROOT
from scripts.export.eager import eager
from scripts.networks.checkpoints import Original

EXAMPLES = ROOT / "ui" / "examples"
FOLDERS = (EXAMPLES, ROOT / "model_store" / "photographs")
# Share of the pixels, averaged over the photographs. What int8 changes beyond bf16 costs no mIoU
# (decision record 0015).
REQUIRED_AGREEMENT: dict[Precision, float] = {"f32": 0.995, "bf16": 0.995, "int8": 0.99}
# int8 of a network whose mIoU in int8 was not measured, unless it was asked for.
UNMEASURED_INT8 = 0.995
EXACT_AGREEMENT = 0.999  # where f32 was asked for: the weights are the original's, not rounded
# int8 learns its ranges from the same photographs, and on mere background anything agrees: fewer
# photographs with a class, or a smaller share of their pixels, are no evidence for it.
LEAST_PHOTOGRAPHS, LEAST_SHARE = 3, 0.02
TIMED_PASSES = 3
FULL_SCALE = 1 << 16  # pixels, above any side: no photograph is decoded at a reduced scale


class ExportCheckError(RuntimeError):
    """There is nothing to compare with."""


@dataclass(frozen=True)
class Reference:
    """A photograph and the eager model's prediction.

    pixels: (1, h, w, 3) uint8 RGB; ids: (h, w) uint8 class ids, in fp32.
    """

    name: str
    pixels: NDArray[np.uint8]
    ids: NDArray[np.uint8]


@dataclass(frozen=True)
class ExportCheck:
    """The result of a check.

    precision: that of the computation. agreement: photograph -> share of pixels with the
    eager model's class, 0..1. ms: median time of the network for one photograph.
    is_exact: whether f32 was asked for, weights included. is_measured: whether int8 was asked for,
    or is known to cost no mIoU.
    """

    precision: Precision
    agreement: dict[str, float]
    ms: float
    is_exact: bool = False
    is_measured: bool = True

    @property
    def mean_agreement(self) -> float:
        """Share of pixels with the eager model's class, 0..1, averaged over the photographs."""
        return float(np.mean(list(self.agreement.values())))

    @property
    def required(self) -> float:
        """The least mean agreement that this precision must reach."""
        if self.precision == "int8" and not self.is_measured:
            return UNMEASURED_INT8
        return EXACT_AGREEMENT if self.is_exact else REQUIRED_AGREEMENT[self.precision]

    @property
    def is_sufficient(self) -> bool:
        """Whether the artefact may be served."""
        return self.mean_agreement >= self.required


def eager_references(
    graph: nn.Module, wanted: InputSize, original: Original | None = None
) -> list[Reference]:
    """The eager model's predictions of all photographs. ExportCheckError if there are none.

    original: the model behind its own preprocessing; without it the network of ``graph`` behind
    the handler's.
    """
    references = []
    for photograph in photographs():
        pixels = network_input(photograph, wanted)
        if original is None:
            ids = eager(graph, pixels)
        else:
            ids = original_ids(original, photograph, (pixels.shape[1], pixels.shape[2]))
        references.append(Reference(photograph.name, pixels, ids))
    return references


def original_ids(original: Original, photograph: Path, size: tuple[int, int]) -> NDArray[np.uint8]:
    """(height, width) uint8 class ids that the model's own code gives for a photograph.

    size: (height, width) to which its logits are interpolated. The handler's last step, from the
    network's size to the image's, is left out on both sides.
    """
    return ids_at(original, upright(decode(photograph.read_bytes(), FULL_SCALE)), size)


def ids_at(
    original: Original, image: NDArray[np.uint8], size: tuple[int, int]
) -> NDArray[np.uint8]:
    """(height, width, 3) uint8 upright RGB -> (*size) uint8 class ids of the model's own code."""
    logits = torch.from_numpy(original.logits(image)).unsqueeze(0)
    resized = F.interpolate(logits, size=size, mode="bilinear", align_corners=False)
    ids: NDArray[np.uint8] = resized[0].argmax(dim=0).to(torch.uint8).numpy()
    return ids


def lack_of_evidence(references: Sequence[Reference]) -> str | None:
    """The reason why the photographs cannot validate int8; None if they can."""
    shown = sum(bool(each.ids.any()) for each in references)
    pixels = sum(int(np.count_nonzero(each.ids)) for each in references)
    share = pixels / sum(each.ids.size for each in references)
    if shown >= LEAST_PHOTOGRAPHS and share >= LEAST_SHARE:
        return None
    return (
        f"the model finds something on {shown} of the {len(references)} photographs and on "
        f"{share:.1%} of their pixels, {LEAST_PHOTOGRAPHS} and {LEAST_SHARE:.0%} are needed"
    )


def photographs() -> list[Path]:
    """The photographs for checks and calibration. ExportCheckError if there are none."""
    found = sorted(file for folder in FOLDERS for file in folder.glob("*.jpg"))
    if not found:
        raise ExportCheckError(f"no photographs to compare with in {', '.join(map(str, FOLDERS))}")
    return found


def network_input(photograph: Path, wanted: InputSize) -> NDArray[np.uint8]:
    """(1, h, w, 3) uint8 RGB, by the handler's own decoding and resizing."""
    return preprocess(decode(photograph.read_bytes(), min_long_side(wanted)), wanted)


def compare(references: Sequence[Reference], spec: ModelSpec, folder: Path) -> ExportCheck:
    """Run the artefact in ``folder`` on the photographs, as the handler will."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    engine = load_engine(folder, spec, threads=0, device=device)
    agreement = {
        each.name: float(np.mean(predict(engine, each.pixels) == each.ids)) for each in references
    }
    times = []
    for each in [*references] * TIMED_PASSES:
        start = time.perf_counter()
        predict(engine, each.pixels)
        times.append((time.perf_counter() - start) * 1e3)
    return ExportCheck(engine.precision, agreement, median(times))
