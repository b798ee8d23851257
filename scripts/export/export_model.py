"""Export a checkpoint as one graph, from uint8 RGB to coarse logits, and check the artefact.

An artefact passes if it gives the eager model's class on nearly all pixels of real photographs:
99.5 % in bf16 and with weights that are rounded, 99.9 % where f32 was asked for, 99 % in
int8 where that was asked for, or of the bundled and published weights.
"""

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from torch import Tensor

from deeplab.spec import ModelSpec, Precision
from scripts.archives.digests import file_sha256
from scripts.export.candidates import (
    ARTEFACTS,
    PRECISIONS,
    Attempt,
    Export,
    candidates,
    weights_of,
    write_artefact,
)
from scripts.export.export_check import (
    Reference,
    eager_references,
    lack_of_evidence,
)
from scripts.export.graphs import SegmentationGraph, graph_of
from scripts.export.model_options import ExportTarget
from scripts.networks.checkpoints import Checkpoint
from scripts.networks.facts import facts_of
from scripts.networks.ready_graph import ReadyGraph
from scripts.networks.soundness import degeneracy, noting_faults, output_fault
from scripts.readers.input_facts import table


class ExportError(RuntimeError):
    """The artefact does not do what the eager model does."""


class RoundedError(ExportError):
    """No artefact with rounded weights does what the eager model does."""


def export(checkpoint: Checkpoint, target: ExportTarget, folder: Path) -> Export:
    """Write the artefact for ``target`` into ``folder`` and compare it with the eager model.

    Where the precision is left open, the fastest of those that pass is taken, int8 only if the
    photographs show enough to tell, and f32 with the original's weights if none passes; where the
    hardware lacks bf16, the specification says f32. Raises ExportError if none passes.
    """
    if isinstance(checkpoint.network, ReadyGraph) and target.engine != "openvino":
        raise ExportError(
            f"{checkpoint.origin} is served by OpenVINO on a CPU: pass --device cpu, or for CUDA "
            "the checkpoint that it was exported from"
        )
    graph = graph_of(checkpoint)
    with noting_faults(graph.logits) as faulty:
        references = eager_references(graph, checkpoint.input, checkpoint.original)
    _refuse_faults(graph, faulty)
    original = _Original(checkpoint, graph, references)
    try:
        result = _export(original, target, folder)
    except RoundedError:
        # Rounding the weights to fp16 changed too many pixels; its own weights never do.
        result = _export(original, replace(target, precision="f32"), folder)
    warning = degeneracy([each.ids for each in references], checkpoint.labels)
    return replace(result, warning=warning)


@dataclass(frozen=True)
class _Original:
    """What is exported, with its masks of the photographs."""

    checkpoint: Checkpoint
    graph: SegmentationGraph
    references: Sequence[Reference]


def _export(original: _Original, target: ExportTarget, folder: Path) -> Export:
    """Write the fastest artefact that passes; raises ExportError."""
    checkpoint, graph, references = original.checkpoint, original.graph, original.references
    with tempfile.TemporaryDirectory() as name:
        written = Path(name) / "written"
        spec = _write(checkpoint, graph, target, written)
        no_int8 = _why_no_int8(references, target)
        precisions = _precisions(target, with_int8=no_int8 is None)
        attempt = Attempt(graph, target, references, written, checkpoint.is_published)
        found = list(candidates(spec, precisions, attempt))
        chosen, place = _chosen(found, target)
        shutil.copytree(place, folder, dirs_exist_ok=True)
    return replace(chosen, no_int8=no_int8)


def _refuse_faults(graph: SegmentationGraph, inputs: Sequence[Tensor]) -> None:
    """Raise ExportError that names the first layer without numbers, if there are such inputs."""
    if inputs:
        raise ExportError(
            "the network computes NaN or infinity on the photographs; the first layer that does "
            f"is {output_fault(graph.logits, inputs[0])}: check its weights and normalisation"
        )


def _write(
    checkpoint: Checkpoint, graph: SegmentationGraph, target: ExportTarget, folder: Path
) -> ModelSpec:
    """Write the artefact in f32; returns its specification."""
    artefact = ARTEFACTS[target.engine]
    # What is asked for in f32 has the original's weights; the rest is rounded more than to fp16.
    exact = target.precision == "f32"
    write_artefact(graph.logits, "f32", folder / artefact, exact=exact)
    facts = facts_of(checkpoint)
    return ModelSpec(
        architecture=checkpoint.architecture,
        classes=len(checkpoint.labels),
        input=checkpoint.input,
        mean=facts.mean,
        std=facts.std,
        engine=target.engine,
        precision="f32",
        artefact=artefact,
        sha256=file_sha256(weights_of(folder / artefact)),
        channels=facts.channels,
        output=checkpoint.output,
        threshold=checkpoint.threshold,
    )


def _why_no_int8(references: Sequence[Reference], target: ExportTarget) -> str | None:
    """The reason why int8 is left out; None if it is tried or was not a candidate."""
    is_left_to_us = target.precision is None and "int8" in PRECISIONS[target.engine]
    return lack_of_evidence(references) if is_left_to_us and target.is_checked else None


def _precisions(target: ExportTarget, *, with_int8: bool) -> tuple[Precision, ...]:
    """The candidate precisions. Raises ExportError for one that the engine lacks."""
    possible = PRECISIONS[target.engine]
    if target.precision is None:
        return tuple(each for each in possible if with_int8 or each != "int8")
    if target.precision not in possible:
        raise ExportError(f"{target.precision} is not for {target.engine}: {', '.join(possible)}")
    return (target.precision,)


def _chosen(candidates: Sequence[tuple[Export, Path]], target: ExportTarget) -> tuple[Export, Path]:
    """The fastest candidate that passes its check; unchecked, the fastest of all."""
    sound = [each for each in candidates if each[0].proof.is_sufficient or not target.is_checked]
    if sound:
        return min(sound, key=lambda each: each[0].proof.ms)
    best = max((each.proof for each, _ in candidates), key=lambda proof: proof.mean_agreement)
    is_rounded = target.engine == "openvino" and target.precision is None
    raise (RoundedError if is_rounded else ExportError)(
        f"the artefact agrees with the eager model on {best.mean_agreement:.2%} of the pixels, "
        f"{best.required:.1%} are required"
    )


def describe(checkpoint: Checkpoint, result: Export) -> str:
    """A description of the export: the agreement on each photograph, and the mean."""
    proof = result.proof
    rows = [f"  {name:<24} {share:.3%}" for name, share in proof.agreement.items()]
    head = (
        f"exported {checkpoint.architecture} ({checkpoint.origin}) for {result.spec.engine}, "
        f"precision {result.spec.precision}; pixels with the eager model's class:"
    )
    lines = [table(facts_of(checkpoint)), head, *rows, f"  {'mean':<24} {proof.mean_agreement:.3%}"]
    if checkpoint.assumption:
        lines.append(checkpoint.assumption)
    if result.warning:
        lines.append(f"warning: {result.warning}")
    if result.no_int8:
        lines.append(
            f"int8 was not tried, for {result.no_int8}; measure both with `segserve evaluate`, "
            "then `--precision int8` takes it"
        )
    return "\n".join(lines)
