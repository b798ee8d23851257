"""The sizes that a graph takes: what it declares, and what it does with trial pictures."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeplab.spec import InputSize
from scripts.networks.given_facts import LARGEST_MULTIPLE
from scripts.readers.graphs.formats import GraphError
from scripts.readers.graphs.running import RunningGraph, random_picture
from scripts.readers.graphs.signature import ImageInput

ASSUMED_LONG_SIDE = 512
MULTIPLES = (1, 2, 4, 8, 16, 32, 64)
SMALLEST_TRIALS = (160, 224)  # pixels, height and width
FIXED_SQUARES = (256, 224, 320, 384, 512, 513, 520, 640, 1024)


@dataclass(frozen=True)
class Trial:
    """A size that works. outputs: of the graph for it. multiple: what both sides must be of.

    is_fixed: whether no other size works.
    """

    size: tuple[int, int]
    outputs: list[NDArray[Any]]
    multiple: int = 1
    is_fixed: bool = False


def try_sizes(graph: RunningGraph, picture: ImageInput, hints: Sequence[tuple[int, int]]) -> Trial:
    """Find out which sizes the graph takes. hints: (height, width) that it was made for.

    Raises GraphError if it takes none.
    """
    if picture.height is not None and picture.width is not None:
        size = (picture.height, picture.width)
        return Trial(size, run(graph, picture, size), is_fixed=True)
    problem: GraphError | None = None
    for multiple in MULTIPLES:
        size, other = _odd_multiples(multiple)
        try:
            outputs, others = run(graph, picture, size), run(graph, picture, other)
        except GraphError as exc:
            problem = problem or exc
            continue
        if _have_one_size(outputs, others):
            return _fixed_by_output(graph, picture, outputs, hints)
        return Trial(size, outputs, multiple)
    return _only_size(graph, picture, hints, problem)


def _odd_multiples(multiple: int) -> Iterator[tuple[int, int]]:
    """Two sizes whose sides are odd multiples: no larger power of two divides them."""
    height, width = (multiple * (2 * (side // (2 * multiple)) + 1) for side in SMALLEST_TRIALS)
    yield height, width
    yield width, height + 2 * multiple


def run(graph: RunningGraph, picture: ImageInput, size: tuple[int, int]) -> list[NDArray[Any]]:
    """The converted graph's outputs for noise; the original must take it too."""
    noise = random_picture((1, 3, *size), np.float32) * (255 if picture.takes_bytes else 1)
    arranged = picture.arranged(noise.astype(np.float32))
    graph.run(arranged)
    return graph.run(arranged, converted=True)


def _have_one_size(outputs: Sequence[NDArray[Any]], others: Sequence[NDArray[Any]]) -> bool:
    """Whether every image among the outputs has one size, whatever the picture's."""
    pairs = [(a.shape, b.shape) for a, b in zip(outputs, others, strict=True) if a.ndim >= 3]
    return bool(pairs) and all(a == b and min(a[-2:]) > 1 for a, b in pairs)


def _fixed_by_output(
    graph: RunningGraph,
    picture: ImageInput,
    outputs: Sequence[NDArray[Any]],
    hints: Sequence[tuple[int, int]],
) -> Trial:
    """A graph that resizes to a size of its own: that is the size of its pictures."""
    shape = next(each.shape for each in outputs if each.ndim >= 3)
    own = shape[1:3] if picture.layout == "NHWC" and len(shape) == 4 else shape[-2:]
    for size in (*hints, (int(own[0]), int(own[1]))):
        try:
            return Trial(size, run(graph, picture, size), is_fixed=True)
        except GraphError:
            continue
    raise GraphError(f"its output is always {own[1]} x {own[0]}: pass --size with the input's size")


def _only_size(
    graph: RunningGraph,
    picture: ImageInput,
    hints: Sequence[tuple[int, int]],
    problem: GraphError | None,
) -> Trial:
    for size in (*hints, *((side, side) for side in FIXED_SQUARES)):
        try:
            return Trial(size, run(graph, picture, size), is_fixed=True)
        except GraphError:
            continue
    raise GraphError(f"no size works, pass --size with the size it was exported for; {problem}")


def input_size(trial: Trial, wanted: InputSize | None, known: tuple[int, int] | None) -> InputSize:
    """The size of a graph's pictures.

    wanted: by a flag. known: (height, width) by the file's metadata. Raises GraphError if the graph
    cannot take what is wanted.
    """
    if trial.is_fixed:
        return _fixed_size(trial.size, wanted)
    if wanted is None:
        long_side = max(known) if known else ASSUMED_LONG_SIDE
        rounded = max(1, round(long_side / trial.multiple)) * trial.multiple
        return InputSize(long_side=rounded, multiple=trial.multiple)
    if wanted.fit == "fixed":
        if wanted.width % trial.multiple or wanted.height % trial.multiple:
            raise GraphError(f"it takes sides that are multiples of {trial.multiple}: see --size")
        return wanted
    both = int(np.lcm(wanted.multiple, trial.multiple))
    if both > LARGEST_MULTIPLE:
        raise GraphError(f"it takes sides that are multiples of {trial.multiple}: see --size")
    return replace(wanted, multiple=both)


def _fixed_size(size: tuple[int, int], wanted: InputSize | None) -> InputSize:
    height, width = size
    fixed = InputSize(long_side=max(size), fit="fixed", width=width, height=height)
    if wanted is None:
        return fixed
    is_square = width == height and wanted.long_side == width and wanted.fit != "short_side"
    if (wanted.fit, wanted.width, wanted.height) == ("fixed", width, height):
        return wanted
    if is_square and wanted.fit == "long_side":
        return replace(fixed, interpolation=wanted.interpolation, antialias=wanted.antialias)
    raise GraphError(f"it takes pictures of {width} x {height} only: leave --size out")
