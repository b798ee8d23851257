"""Candidate artefacts of an export, one for each precision, each checked."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from deeplab.spec import EngineName, InputSize, ModelSpec, Precision
from scripts.archives.digests import file_sha256
from scripts.export.export_check import ExportCheck, Reference, compare
from scripts.export.graphs import (
    EXAMPLE_SIZE,
    LogitsGraph,
    SegmentationGraph,
    example_size,
    free_axes,
)
from scripts.export.model_options import ExportTarget
from scripts.export.openvino_ir import with_normalisation, write_ir, write_model
from scripts.export.quantise import write_int8
from scripts.export.torch_program import write_program
from scripts.networks.ready_graph import ReadyGraph

# What is tried where the precision is left to us.
PRECISIONS: dict[EngineName, tuple[Precision, ...]] = {
    "openvino": ("int8", "bf16", "f32"),
    "torch": ("bf16", "f32"),
}
ARTEFACTS: dict[EngineName, str] = {"openvino": "network.xml", "torch": "network.pt2"}


@dataclass(frozen=True)
class Export:
    """An exported network and its check.

    no_int8: why int8 was not even tried; None where it was, or could not be meant.
    warning: why the check proves nothing; None if it does.
    """

    spec: ModelSpec
    proof: ExportCheck
    no_int8: str | None = None
    warning: str | None = None


@dataclass(frozen=True)
class Attempt:
    """The inputs of every candidate.

    written: the folder of the artefact in f32. is_published: whether the weights are bundled or
    published, and their mIoU in int8 is known.
    """

    graph: SegmentationGraph
    target: ExportTarget
    references: Sequence[Reference]
    written: Path
    is_published: bool = False


def candidates(
    spec: ModelSpec, precisions: Sequence[Precision], attempt: Attempt
) -> Iterator[tuple[Export, Path]]:
    """(export, folder) of each precision, int8 in one kind or two."""
    for precision in precisions:
        wanted = replace(spec, precision=precision)
        if precision == "int8":
            yield from _int8_candidates(wanted, attempt)
            continue
        folder = attempt.written
        if spec.engine == "torch" and precision == "bf16":  # its weights are bf16 in the file
            folder = folder.with_name("bf16")
            write_artefact(attempt.graph.logits, precision, folder / spec.artefact)
            wanted = replace(wanted, sha256=file_sha256(folder / spec.artefact))
        proof = compare(attempt.references, wanted, folder)
        proof = replace(proof, is_exact=attempt.target.precision == "f32")
        yield Export(replace(wanted, precision=proof.precision), proof), folder


def _int8_candidates(spec: ModelSpec, attempt: Attempt) -> Iterator[tuple[Export, Path]]:
    """int8 with one range per tensor, and where that does not pass with one per channel."""
    for kind in ("int8", "int8-per-channel"):
        folder = attempt.written.with_name(kind)
        artefact = folder / spec.artefact
        per_channel = kind == "int8-per-channel"
        write_int8(attempt.written / spec.artefact, artefact, spec.input, per_channel=per_channel)
        wanted = replace(spec, sha256=file_sha256(weights_of(artefact)))
        is_measured = attempt.is_published or attempt.target.precision == "int8"
        proof = compare(attempt.references, wanted, folder)
        proof = replace(proof, is_measured=is_measured)
        yield Export(wanted, proof), folder
        if proof.is_sufficient or not attempt.target.is_checked:
            return


def weights_of(artefact: Path) -> Path:
    """The file with an artefact's weights: its own, or the .bin beside an IR."""
    return artefact.with_suffix(".bin") if artefact.suffix == ".xml" else artefact


def write_artefact(
    graph: LogitsGraph, precision: Precision, path: Path, *, exact: bool = False
) -> None:
    """Write the artefact in the format of the file's suffix.

    OpenVINO computes one file in f32 and in bf16. exact: whether its weights are kept in f32.
    """
    path.parent.mkdir()
    size = graph.facts.input if graph.facts else InputSize(max(EXAMPLE_SIZE))
    axes = free_axes(size)
    if path.suffix == ".pt2":
        write_program(graph, precision, path, example_size(size), axes)
        return
    if isinstance(graph.network, ReadyGraph):
        write_model(with_normalisation(graph, graph.network), path, exact=exact)
        return
    example = torch.zeros(1, *example_size(size), 3, dtype=torch.uint8)
    write_ir(torch.export.export(graph, (example,), dynamic_shapes=(axes,)), path, exact=exact)
