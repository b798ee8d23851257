"""Export a checkpoint as one graph, from uint8 RGB to uint8 class ids, and prove it.

``python -m scripts.export_model --output DIR`` exits 0 only if the artefact gives the eager
model's class on at least 99.5 % of the pixels of real photographs.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.export import Dim
from torch.nn import functional as F

from deeplab.decode import decode
from deeplab.engines import load_engine
from deeplab.preprocess import preprocess
from deeplab.spec import EngineName, InputSize, ModelSpec, Precision
from scripts.checkpoints import Checkpoint, CheckpointError, load_checkpoint
from scripts.choices import add_model_arguments, choice_from
from scripts.digests import file_sha256
from scripts.normalisation import MEAN, STD
from scripts.openvino_ir import write_ir
from scripts.places import ROOT
from scripts.published import DownloadError

PHOTOGRAPHS = ROOT / "ui" / "examples"
REQUIRED_AGREEMENT = 0.995
SMALLEST_SIDE, LARGEST_SIDE = 32, 8192  # pixels, the range of sizes that the graph is traced for
CPU = torch.device("cpu")
EXAMPLE_SIZE = (385, 513)


class ExportError(RuntimeError):
    """The artefact does not do what the eager model does."""


@dataclass(frozen=True)
class Reference:
    """A photograph and what the eager model says of it.

    pixels: (1, h, w, 3) uint8 RGB; ids: (h, w) uint8 class ids, in fp32.
    """

    name: str
    pixels: NDArray[np.uint8]
    ids: NDArray[np.uint8]


@dataclass(frozen=True)
class Export:
    """An exported network and the proof that it is right."""

    spec: ModelSpec
    agreement: dict[str, float]

    @property
    def mean_agreement(self) -> float:
        """Share of pixels with the eager model's class, 0..1, averaged over the photographs."""
        return float(np.mean(list(self.agreement.values())))


class SegmentationGraph(nn.Module):
    """(1, H, W, 3) uint8 RGB -> (1, H, W) uint8 class ids: nothing per pixel is left to Python."""

    scale: Tensor
    shift: Tensor

    def __init__(self, network: nn.Module, *, aligned: bool):
        super().__init__()
        self.network = network
        self.aligned = aligned
        std, mean = torch.tensor(STD) * 255, torch.tensor(MEAN) * 255
        self.register_buffer("scale", (1 / std).view(1, 3, 1, 1))
        self.register_buffer("shift", (mean / std).view(1, 3, 1, 1))

    def forward(self, image: Tensor) -> Tensor:
        normalised = image.permute(0, 3, 1, 2).float() * self.scale - self.shift
        logits = self.network(normalised)
        size = (image.shape[1], image.shape[2])
        full = F.interpolate(logits, size=size, mode="bilinear", align_corners=self.aligned)
        return full.argmax(dim=1).to(torch.uint8)


def graph_of(checkpoint: Checkpoint) -> SegmentationGraph:
    """What is exported: the checkpoint's network from pixels to class ids, in eval mode."""
    return SegmentationGraph(checkpoint.network, aligned=checkpoint.input.aligned).eval()


def export(checkpoint: Checkpoint, engine: EngineName, folder: Path) -> Export:
    """Write the artefact for ``engine`` into ``folder`` and compare it with the eager model.

    bf16 is tried first; where the hardware lacks it, or it costs more pixels than the limit,
    the specification says f32. Raises ExportError if f32 fails too.
    """
    graph = graph_of(checkpoint)
    artefact, weights = _write_artefact(graph, engine, folder)
    spec = ModelSpec(
        architecture=checkpoint.architecture,
        classes=len(checkpoint.labels),
        input=checkpoint.input,
        mean=MEAN,
        std=STD,
        engine=engine,
        precision="bf16",
        artefact=artefact,
        sha256=file_sha256(folder / weights),
    )
    references = eager_references(graph, spec.input)
    precisions: tuple[Precision, ...] = ("bf16", "f32")
    for precision in precisions:
        result = compare(references, replace(spec, precision=precision), folder)
        if result.mean_agreement >= REQUIRED_AGREEMENT:
            return result
    raise ExportError(
        f"the artefact agrees with the eager model on {result.mean_agreement:.2%} of the pixels, "
        f"{REQUIRED_AGREEMENT:.1%} are required"
    )


def eager_references(graph: nn.Module, wanted: InputSize) -> list[Reference]:
    """The eager model's answer for every example photograph. ExportError if there is none."""
    references = []
    for photograph in sorted(PHOTOGRAPHS.glob("*.jpg")):
        pixels = network_input(photograph, wanted)
        references.append(Reference(photograph.name, pixels, eager(graph, pixels)))
    if not references:
        raise ExportError(f"there are no photographs in {PHOTOGRAPHS} to compare with")
    return references


def network_input(photograph: Path, wanted: InputSize) -> NDArray[np.uint8]:
    """(1, h, w, 3) uint8 RGB, by the handler's own decoding and resizing."""
    return preprocess(decode(photograph.read_bytes(), wanted.long_side), wanted)


def compare(references: Sequence[Reference], spec: ModelSpec, folder: Path) -> Export:
    """Run the artefact on the photographs; the result has the precision that was really used."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    engine = load_engine(folder, spec, threads=0, device=device)
    agreement = {
        each.name: float(np.mean(engine.predict(each.pixels) == each.ids)) for each in references
    }
    return Export(replace(spec, precision=engine.precision), agreement)


def eager(
    graph: nn.Module, pixels: NDArray[np.uint8], device: torch.device = CPU
) -> NDArray[np.uint8]:
    """The eager model's (h, w) uint8 class ids for (1, h, w, 3) uint8 RGB, in fp32."""
    with torch.inference_mode():
        ids: NDArray[np.uint8] = graph(torch.from_numpy(pixels.copy()).to(device))[0].cpu().numpy()
    return ids


def _write_artefact(graph: nn.Module, engine: EngineName, folder: Path) -> tuple[str, str]:
    """(file to load, file with the weights), names inside ``folder``."""
    sides = {"min": SMALLEST_SIDE, "max": LARGEST_SIDE}
    example = torch.zeros(1, *EXAMPLE_SIZE, 3, dtype=torch.uint8)
    program = torch.export.export(
        graph, (example,), dynamic_shapes=({1: Dim("height", **sides), 2: Dim("width", **sides)},)
    )
    folder.mkdir(parents=True, exist_ok=True)
    if engine == "openvino":
        write_ir(program, folder / "network.xml")
        return "network.xml", "network.bin"
    torch.export.save(program, folder / "network.pt2")
    return "network.pt2", "network.pt2"


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; 0 only when the artefact is proved."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_model_arguments(parser)
    parser.add_argument("--output", type=Path, required=True, help="folder for the artefact")
    options = parser.parse_args(arguments)
    try:
        choice, engine = choice_from(options)
        checkpoint = load_checkpoint(choice)
        result = export(checkpoint, engine, options.output)
    except (CheckpointError, DownloadError, ExportError) as exc:
        print(f"export: {exc}", file=sys.stderr)
        return 1
    print(describe(checkpoint, result))
    return 0


def describe(checkpoint: Checkpoint, result: Export) -> str:
    """What was done, for people."""
    rows = [f"  {name:<24} {share:.3%}" for name, share in result.agreement.items()]
    head = (
        f"exported {checkpoint.architecture} ({checkpoint.origin}) for {result.spec.engine}, "
        f"precision {result.spec.precision}; pixels with the eager model's class:"
    )
    return "\n".join([head, *rows, f"  {'mean':<24} {result.mean_agreement:.3%}"])


if __name__ == "__main__":
    sys.exit(main())
