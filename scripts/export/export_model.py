"""Export a checkpoint as one graph, from uint8 RGB to coarse logits, and prove it.

``python -m scripts.export.export_model --output DIR`` exits 0 only if the artefact gives the eager
model's class on nearly all pixels of real photographs: 99.5 % in f32 and bf16, 99 % in int8.
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch.export import Dim

from deeplab.spec import EngineName, ModelSpec, Precision
from scripts.archives.digests import file_sha256
from scripts.export.export_check import (
    Proof,
    ProofError,
    Reference,
    compare,
    eager_references,
    lack_of_evidence,
)
from scripts.export.graphs import LogitsGraph, SegmentationGraph, graph_of
from scripts.export.model_options import Target, add_model_arguments, choice_from
from scripts.export.openvino_ir import write_ir
from scripts.export.quantise import write_int8
from scripts.export.torch_program import write_program
from scripts.networks.checkpoints import Checkpoint, CheckpointError, load_checkpoint
from scripts.networks.normalisation import MEAN, STD
from scripts.networks.torchvision_weights import DownloadError

SMALLEST_SIDE, LARGEST_SIDE = 32, 8192  # pixels, the range of sizes that the graph is traced for
EXAMPLE_SIZE = (385, 513)
# What is tried where the precision is left to us.
PRECISIONS: dict[EngineName, tuple[Precision, ...]] = {
    "openvino": ("int8", "bf16", "f32"),
    "torch": ("bf16", "f32"),
}
ARTEFACTS: dict[EngineName, str] = {"openvino": "network.xml", "torch": "network.pt2"}


class ExportError(RuntimeError):
    """The artefact does not do what the eager model does."""


@dataclass(frozen=True)
class Export:
    """An exported network and the proof that it is right.

    no_int8: why int8 was not even tried; None where it was, or could not be meant.
    """

    spec: ModelSpec
    proof: Proof
    no_int8: str | None = None


def export(checkpoint: Checkpoint, target: Target, folder: Path) -> Export:
    """Write the artefact for ``target`` into ``folder`` and compare it with the eager model.

    Where the precision is left open, the fastest of those that pass is taken, int8 only if the
    photographs show enough to tell; where the hardware lacks bf16, the specification says f32.
    Raises ExportError if none passes.
    """
    graph = graph_of(checkpoint)
    with tempfile.TemporaryDirectory() as name:
        written = Path(name) / "written"
        spec = _write(checkpoint, graph, target, written)
        references = eager_references(graph, spec.input)
        no_int8 = _why_no_int8(references, target)
        precisions = _precisions(target, with_int8=no_int8 is None)
        work = _Work(graph, target, references, written)
        candidates = list(_compared(spec, precisions, work))
        chosen, place = _chosen(candidates, target)
        shutil.copytree(place, folder, dirs_exist_ok=True)
    return replace(chosen, no_int8=no_int8)


def _write(
    checkpoint: Checkpoint, graph: SegmentationGraph, target: Target, folder: Path
) -> ModelSpec:
    """The network in the engine's form, and what is true of it in every precision."""
    artefact = ARTEFACTS[target.engine]
    _write_artefact(graph.logits, "f32", folder / artefact)
    return ModelSpec(
        architecture=checkpoint.architecture,
        classes=len(checkpoint.labels),
        input=checkpoint.input,
        mean=MEAN,
        std=STD,
        engine=target.engine,
        precision="f32",
        artefact=artefact,
        sha256=file_sha256(weights_of(folder / artefact)),
    )


def _why_no_int8(references: Sequence[Reference], target: Target) -> str | None:
    """Asked for, or without any proof, int8 needs no evidence; others may not have it at all."""
    is_left_to_us = target.precision is None and "int8" in PRECISIONS[target.engine]
    return lack_of_evidence(references) if is_left_to_us and target.is_proved else None


def _precisions(target: Target, *, with_int8: bool) -> tuple[Precision, ...]:
    """What is tried. Raises ExportError for a precision that the engine lacks."""
    possible = PRECISIONS[target.engine]
    if target.precision is None:
        return tuple(each for each in possible if with_int8 or each != "int8")
    if target.precision not in possible:
        raise ExportError(f"{target.precision} is not for {target.engine}: {', '.join(possible)}")
    return (target.precision,)


@dataclass(frozen=True)
class _Work:
    """What every attempt at an artefact starts from. written: the folder of the one in f32."""

    graph: SegmentationGraph
    target: Target
    references: Sequence[Reference]
    written: Path


def _compared(
    spec: ModelSpec, precisions: Sequence[Precision], work: _Work
) -> Iterator[tuple[Export, Path]]:
    """Each precision that may be taken, with its proof and its folder."""
    for precision in precisions:
        wanted = replace(spec, precision=precision)
        if precision == "int8":
            yield from _compared_int8(wanted, work)
            continue
        folder = work.written
        if spec.engine == "torch" and precision == "bf16":  # whose weights are bf16 in the file
            folder = folder.with_name("bf16")
            _write_artefact(work.graph.logits, precision, folder / spec.artefact)
            wanted = replace(wanted, sha256=file_sha256(folder / spec.artefact))
        proof = compare(work.references, wanted, folder)
        yield Export(replace(wanted, precision=proof.precision), proof), folder


def _compared_int8(spec: ModelSpec, work: _Work) -> Iterator[tuple[Export, Path]]:
    """The fast kind of int8, and where that does not pass the finer one too."""
    for kind in ("int8", "int8-per-channel"):
        folder = work.written.with_name(kind)
        artefact = folder / spec.artefact
        per_channel = kind == "int8-per-channel"
        write_int8(work.written / spec.artefact, artefact, spec.input, per_channel=per_channel)
        wanted = replace(spec, sha256=file_sha256(weights_of(artefact)))
        proof = compare(work.references, wanted, folder)
        yield Export(wanted, proof), folder
        if proof.is_sufficient or not work.target.is_proved:
            return


def _chosen(candidates: Sequence[tuple[Export, Path]], target: Target) -> tuple[Export, Path]:
    """The fastest that passes; where no proof is asked for, the fastest."""
    sound = [each for each in candidates if each[0].proof.is_sufficient or not target.is_proved]
    if sound:
        return min(sound, key=lambda each: each[0].proof.ms)
    best = max((each.proof for each, _ in candidates), key=lambda proof: proof.mean_agreement)
    raise ExportError(
        f"the artefact agrees with the eager model on {best.mean_agreement:.2%} of the pixels, "
        f"{best.required:.1%} are required"
    )


def weights_of(artefact: Path) -> Path:
    """The file with an artefact's weights: its own, or the .bin beside an IR."""
    return artefact.with_suffix(".bin") if artefact.suffix == ".xml" else artefact


def _write_artefact(graph: LogitsGraph, precision: Precision, path: Path) -> None:
    """In the form that the file's name says; OpenVINO computes one file in f32 and in bf16."""
    path.parent.mkdir()
    sides = {"min": SMALLEST_SIDE, "max": LARGEST_SIDE}
    axes = {1: Dim("height", **sides), 2: Dim("width", **sides)}
    if path.suffix == ".pt2":
        write_program(graph, precision, path, EXAMPLE_SIZE, axes)
        return
    example = torch.zeros(1, *EXAMPLE_SIZE, 3, dtype=torch.uint8)
    write_ir(torch.export.export(graph, (example,), dynamic_shapes=(axes,)), path)


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; 0 only when the artefact is proved."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_model_arguments(parser)
    parser.add_argument("--output", type=Path, required=True, help="folder for the artefact")
    options = parser.parse_args(arguments)
    try:
        choice, target = choice_from(options)
        checkpoint = load_checkpoint(choice)
        result = export(checkpoint, target, options.output)
    except (CheckpointError, DownloadError, ExportError, ProofError) as exc:
        print(f"export: {exc}", file=sys.stderr)
        return 1
    print(describe(checkpoint, result))
    return 0


def describe(checkpoint: Checkpoint, result: Export) -> str:
    """What was done, for people."""
    proof = result.proof
    rows = [f"  {name:<24} {share:.3%}" for name, share in proof.agreement.items()]
    head = (
        f"exported {checkpoint.architecture} ({checkpoint.origin}) for {result.spec.engine}, "
        f"precision {result.spec.precision}; pixels with the eager model's class:"
    )
    lines = [head, *rows, f"  {'mean':<24} {proof.mean_agreement:.3%}"]
    if result.no_int8:
        lines.append(
            f"int8 was not tried, for {result.no_int8}; measure both with `make evaluate`, "
            "then PRECISION=int8 takes it"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
