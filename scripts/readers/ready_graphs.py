"""Reader of ready graphs: ONNX, TorchScript, torch.export's programs and OpenVINO IR."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deeplab.engines import import_openvino
from deeplab.spec import InputSize, InvalidSpecError, Output, read_labels
from scripts.archives.digests import files_sha256
from scripts.archives.paths import ROOT
from scripts.networks.architectures import VOC_LABELS
from scripts.networks.checkpoints import Checkpoint, CheckpointError
from scripts.networks.facts import MEAN, STD, Channels, InputFacts, ReadOptions
from scripts.networks.labels import read_label_file
from scripts.networks.ready_graph import ReadyGraph
from scripts.readers.graphs.contract import classes_of_argmax, with_contract
from scripts.readers.graphs.formats import TITLES, GraphError, Source, recognise
from scripts.readers.graphs.metadata import Metadata, Triple, read_metadata
from scripts.readers.graphs.outputs import Meaning, check_ids, check_values, kind_of
from scripts.readers.graphs.running import RunningGraph
from scripts.readers.graphs.signature import ImageInput, image_input, mask_output
from scripts.readers.graphs.sizes import Trial, input_size, try_sizes
from scripts.readers.own_normalisation import own_range
from scripts.readers.ready_original import ReadyOriginal, normalised, resized

PHOTOGRAPHS = ROOT / "model_store" / "photographs"
LOOKED_AT = 4  # photographs that show the kind of output
BINARY = {0: "background", 1: "foreground"}


def read(path: Path, options: ReadOptions) -> Checkpoint | None:
    """Read a ready graph; None if ``path`` is something else. Raises CheckpointError."""
    try:
        source = recognise(path)
        return None if source is None else _checkpoint(source, options)
    except GraphError as exc:
        raise CheckpointError(f"--weights {path}: {exc}") from exc


def _checkpoint(source: Source, options: ReadOptions) -> Checkpoint:
    wanted = cast("InputSize | None", options.overrides.get("input"))
    graph = RunningGraph(source, _hints(wanted, None))
    stated = read_metadata(graph.metadata)
    model = import_openvino().Core().read_model(graph.converted)
    picture = image_input(model)
    trial = try_sizes(graph, picture, _hints(wanted, stated.size))
    facts = _facts(source, _of_graph(picture, model), trial, stated, options)
    meaning, labels = _meaning(graph, picture, trial, facts, _Classes(model, stated, options))
    original = ReadyOriginal(graph, picture, meaning, facts)
    return Checkpoint(
        architecture=f"{TITLES[source.format]} graph",
        network=ReadyGraph(with_contract(model, picture, meaning), original.run).eval(),
        labels=labels,
        input=facts.input,
        origin=f"the user's {TITLES[source.format]} file {source.path.name}",
        sha256=files_sha256(source.files),
        facts=facts,
        output=meaning.kind,
        threshold=meaning.threshold,
        original=original,
    )


def _hints(wanted: InputSize | None, stated: tuple[int, int] | None) -> list[tuple[int, int]]:
    """(height, width) that a graph may be made for."""
    flagged = [(wanted.height, wanted.width)] if wanted and wanted.fit == "fixed" else []
    return flagged + ([stated] if stated else [])


@dataclass(frozen=True)
class _OfGraph:
    """Facts that the graph itself shows, and the words for their source."""

    facts: dict[str, object]
    source: str


def _of_graph(picture: ImageInput, model: Any) -> _OfGraph:
    if picture.takes_bytes:
        top, source = 255.0, "the graph's input, uint8"
    else:
        top, source = own_range(model) or 0.0, "the graph, which normalises"
    return _OfGraph({"mean": (0.0,) * 3, "std": (1 / top,) * 3} if top else {}, source)


def _facts(
    source: Source, by_graph: _OfGraph, trial: Trial, stated: Metadata, options: ReadOptions
) -> InputFacts:
    """What flags say, else the graph itself, else the file's metadata, else what is usual."""
    flags, metadata = options.overrides, f"{TITLES[source.format]} metadata"
    size = input_size(trial, cast("InputSize | None", flags.get("input")), stated.size)
    sources = {"size": "assumed"}
    if trial.is_fixed:
        sources["size"] = "the graph's input"
    elif "input" in flags:
        sources["size"] = "--size"
    elif stated.size:
        sources["size"] = metadata
    usual: dict[str, object] = {"mean": MEAN, "std": STD, "channels": "rgb"}
    chosen: dict[str, object] = {}
    for name, flag in (("mean", "--mean"), ("std", "--std"), ("channels", "--bgr")):
        candidates = (
            (flags.get(name), flag),
            (by_graph.facts.get(name), by_graph.source),
            (getattr(stated, name), metadata),
            (usual[name], "assumed"),
        )
        chosen[name], sources[name] = next(each for each in candidates if each[0] is not None)
    mean, std = cast(Triple, chosen["mean"]), cast(Triple, chosen["std"])
    return InputFacts(size, mean, std, cast(Channels, chosen["channels"]), sources)


@dataclass(frozen=True)
class _Classes:
    """All that can say how many classes there are, and their names."""

    model: Any
    stated: Metadata
    options: ReadOptions


def _meaning(
    graph: RunningGraph, picture: ImageInput, trial: Trial, facts: InputFacts, classes: _Classes
) -> tuple[Meaning, dict[int, str]]:
    """What the output means, and the labels, from a look at photographs."""
    given = _given_labels(classes)
    count = len(given) if given and len(given) > 1 else None
    output = mask_output(trial.outputs, graph.names, picture, trial.size, count)
    seen = []
    for name, image in _photographs():
        arranged = picture.arranged(normalised(resized(image, facts.input), facts))
        planes = output.planes(graph.run(arranged))
        check_values(name, planes)
        seen.append(planes)
    kind: Output = classes.options.output or kind_of(seen)
    planes = seen[0].shape[0]
    _check_told(kind, planes, seen)
    count = max(planes, 2) if kind != "ids" else classes_of_argmax(classes.model, output.index)
    if count is None and max(each.max() for each in seen) <= 1:
        count = 2
    named = _labels(given, count, classes.options.labels, is_single=planes == 1 and kind != "ids")
    for ids in seen if kind == "ids" else ():
        check_ids(ids, len(named))
    return Meaning(output, kind, planes, len(named), classes.options.threshold), named


def _check_told(kind: Output, planes: int, seen: Sequence[NDArray[Any]]) -> None:
    """Raise GraphError if the output cannot be of the kind that was told."""
    low, high = min(each.min() for each in seen), max(each.max() for each in seen)
    if kind == "ids" and planes != 1:
        raise GraphError(f"its output has {planes} channels and cannot be class ids")
    if kind == "probabilities" and planes == 1:
        raise GraphError("its output has one channel: it is of kind sigmoid or logits")
    if kind in ("probabilities", "sigmoid") and (low < 0 or high > 1):
        raise GraphError(f"its output is {low:.3g} to {high:.3g} and cannot be of kind {kind}")


def _photographs() -> list[tuple[str, NDArray[np.uint8]]]:
    """Names of some photographs, and (height, width, 3) uint8 RGB."""
    found = []
    for path in sorted(PHOTOGRAPHS.glob("*.jpg"))[:LOOKED_AT]:
        with Image.open(path) as file:
            found.append((path.name, np.asarray(file.convert("RGB"))))
    return found


def _labels(
    named: dict[int, str] | None, count: int | None, path: Path | None, *, is_single: bool
) -> dict[int, str]:
    """The labels that were given, if they fit, else those of Pascal VOC or of two classes.

    path: the file of the given ones; None for those of the graph's metadata.
    """
    where = f"--labels {path} names" if path else "its metadata names"
    if is_single and named and len(named) == 1:
        named = {0: "background", 1: next(iter(named.values()))}
    if named is None and count == len(BINARY):
        return BINARY
    if named is None and count == len(voc := read_labels(VOC_LABELS)):
        return voc
    if count is None and named is None:
        raise GraphError("its output is class ids, and nothing says how many: pass --labels")
    if named is None or (count is not None and len(named) != count):
        have = f"{where} {len(named)}" if named else "no --labels are given"
        raise GraphError(
            f"it has {count} classes, but {have}: pass --labels labels.json with "
            f'{{"0": "background", ..., "{(count or 1) - 1}": "..."}}'
        )
    return named


def _given_labels(classes: _Classes) -> dict[int, str] | None:
    """The labels that a flag names, else the file's metadata's; None without either."""
    path = classes.options.labels
    return _named(path) if path else classes.stated.labels


def _named(path: Path) -> dict[int, str]:
    try:
        return read_label_file(path)
    except InvalidSpecError as exc:
        raise CheckpointError(f"--labels {exc}") from exc
