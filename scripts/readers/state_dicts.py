"""State dicts of our architectures, however they were wrapped, renamed or rounded."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from scripts.archives.digests import file_sha256
from scripts.networks.architectures import DEEPLAB_ARCHITECTURES
from scripts.networks.checkpoints import (
    CLASSIFIERS,
    Checkpoint,
    CheckpointError,
    build_network,
    labels_for,
    published_facts,
)
from scripts.networks.facts import ReadOptions
from scripts.networks.single_output import TwoClasses
from scripts.networks.soundness import weight_fault
from scripts.readers import pickles
from scripts.readers.files import Content, read_content, unreadable
from scripts.readers.normalisation_buffers import Buffers, normalisation_in
from scripts.readers.parameter_names import COUNTER, Fit, expected_state, fits, known_architectures
from scripts.readers.tensor_maps import TensorMap, tensor_maps, whole_branches

SAVE = "save model.state_dict()"
OTHERS = (
    "export another network to ONNX or TorchScript, or torch.save(model) it and pass --trust-pickle"
)
# They have no parameters, so that a network with others has the same names and shapes.
ASSUMED_RATES = (
    "assumed, as weights do not show it: ASPP's rates and the backbone's strides are torchvision's "
    "(rates 12, 24, 36); with others pass an ONNX file, or the pickled network and --trust-pickle"
)
HEADS = ("classifier.", "head.")
AVERAGES = re.compile(r"(?<![a-z])(ema|swa|shadow|averaged?)(?![a-z])|(model|net)ema(?![a-z])")


@dataclass(frozen=True)
class Weights:
    """The weights of a network of ours, in float32.

    taken: a clause about which of several networks in the file they are, else "".
    normalisation: what stands beside the network, which normalises by itself.
    """

    architecture: str
    state: dict[str, Tensor]
    taken: str = ""
    normalisation: Buffers | None = None

    @property
    def outputs(self) -> int:
        """Outputs of the last layer: the classes, or one."""
        return self.state[f"{CLASSIFIERS[self.architecture]}.weight"].shape[0]


def read(path: Path, options: ReadOptions) -> Checkpoint | None:
    """Read a state dict of ours; the last reader, so it refuses where it knows no more.

    Raises CheckpointError.
    """
    content = read_content(path)
    weights = find_weights(content, path, options.architecture, may_be_module=options.trust_pickle)
    if weights is None:
        return pickles.read(path, options, lambda state: _of_state(state, path, options))
    return checkpoint_of(weights, path, options)


def _of_state(content: Content, path: Path, options: ReadOptions) -> Checkpoint | None:
    """The checkpoint of a pickled network's state dict; None if it is none of ours."""
    try:
        weights = find_weights(content, path, None)
    except CheckpointError:
        return None
    return None if weights is None else checkpoint_of(weights, path, options)


def read_weights(path: Path, architecture: str | None = None) -> Weights:
    """The weights alone, without labels. Raises CheckpointError."""
    weights = find_weights(read_content(path), path, architecture)
    assert weights is not None  # noqa: S101 - a module was refused
    return weights


def checkpoint_of(weights: Weights, path: Path, options: ReadOptions) -> Checkpoint:
    """The network with these weights, its labels and its recipe's facts."""
    labels = labels_for(options.labels, weights.outputs)
    network = build_network(weights.architecture, weights.outputs)
    network.load_state_dict(weights.state)
    facts = published_facts(weights.architecture)
    if weights.normalisation is not None:
        facts = weights.normalisation.over(facts)
    is_single = weights.outputs == 1
    whole: nn.Module = TwoClasses(network, options.threshold) if is_single else network
    return Checkpoint(
        architecture=weights.architecture,
        network=whole.eval(),
        labels=labels,
        input=facts.input,
        origin=f"the user's checkpoint {path.name}{weights.taken}",
        sha256=file_sha256(path),
        facts=facts,
        output="sigmoid" if is_single else "logits",
        threshold=options.threshold if is_single else 0.5,
        assumption=ASSUMED_RATES if weights.architecture in DEEPLAB_ARCHITECTURES else "",
    )


def find_weights(
    content: Content, path: Path, architecture: str | None, *, may_be_module: bool = False
) -> Weights | None:
    """The weights in a file. Raises CheckpointError if there are none that fit.

    None if it holds a whole pickled module instead, and may.
    """
    maps = tensor_maps(content.value)
    found = _found(maps, architecture) or _found(whole_branches(content.value), architecture)
    if not found:
        module = pickles.module_in(content)
        if module and may_be_module:
            return None
        raise _nothing(content, path, maps, architecture, module)
    places = list(dict.fromkeys(each.place for each in found if each.fit.is_whole))
    chosen = min(found, key=lambda each: _rank(each, found))
    state = _usable(chosen.fit, path)
    others = ", ".join(repr(place or "top level") for place in places if place != chosen.place)
    taken = f", {chosen.place or 'top level'!r} (not taken: {others})" if others else ""
    return Weights(chosen.fit.architecture, state, taken, normalisation_in(chosen.around))


@dataclass(frozen=True)
class _Found:
    """A network in a file, by the keys and the prefix that lead to it."""

    place: str
    fit: Fit
    around: Mapping[str, object]


def _found(maps: Sequence[TensorMap], architecture: str | None) -> list[_Found]:
    return [
        _Found(f"{each.place}.{fit.prefix}".strip("."), fit, each.tensors)
        for each in maps
        for fit in fits(each.tensors, architecture)
    ]


def _rank(each: _Found, found: Sequence[_Found]) -> tuple[int, ...]:
    """Whole before incomplete; then a moving average, then the best, then the file's order.

    An average whose batch normalisation never counted a batch, while another's did, is none: its
    means and variances are those of the beginning.
    """
    place, fit = each.place.casefold(), each.fit
    counted = max((_batches(other.fit) for other in found if other.fit.is_whole), default=0)
    is_stale = _batches(fit) == 0 and counted > 0
    is_average = AVERAGES.search(place) is not None and not is_stale
    return (len(fit.missing) + len(fit.unexpected), is_stale, not is_average, "best" not in place)


def _batches(fit: Fit) -> int:
    counters = (value for name, value in fit.state.items() if name.endswith(COUNTER))
    return max((int(each.max()) for each in counters if isinstance(each, Tensor)), default=0)


def _nothing(
    content: Content,
    path: Path,
    maps: Sequence[TensorMap],
    architecture: str | None,
    module: str | None,
) -> CheckpointError:
    """The error for a file without weights of ours."""
    if module:
        return unreadable(path, pickles.refusal(module))
    if not maps:
        what = "tensors" if isinstance(content.value, dict) else "state dict"
        return CheckpointError(f"--weights {path}: holds no {what}; {SAVE}")
    if architecture:
        last = f"{CLASSIFIERS[architecture]}.weight"
        if not any(name.endswith(last) for each in maps for name in each.tensors):
            return CheckpointError(f"the weights are not of {architecture}: {last} is missing")
        return CheckpointError(f"the weights are not of {architecture}: leave --model out")
    largest = max(maps, key=lambda each: len(each.tensors))
    place = f" under {largest.place!r}" if largest.place else ""
    names = ", ".join(list(largest.tensors)[:3])
    return CheckpointError(
        f"--weights {path}: the weights fit none of {known_architectures()}; "
        f"the file has {len(largest.tensors)} tensors{place}: {names}, ...; {OTHERS}"
    )


def _usable(fit: Fit, path: Path) -> dict[str, Tensor]:
    """The state as the network takes it, in float32. Raises CheckpointError."""
    wrong = f"--weights {path} does not fit {fit.architecture}: "
    if not any(name.startswith(HEADS) for name in fit.state):
        raise CheckpointError(
            f"--weights {path} has a backbone without a head: pass the whole segmentation network, "
            "or `segserve train` trains one"
        )
    if fit.missing:
        more = f" (and {len(fit.missing) - 1} more)" if len(fit.missing) > 1 else ""
        raise CheckpointError(f"{wrong}{fit.missing[0]} is missing{more}")
    if fit.unexpected:
        raise CheckpointError(f"{wrong}it has no {fit.unexpected[0]}; is the network changed?")
    classifier = fit.state[f"{CLASSIFIERS[fit.architecture]}.weight"]
    outputs = classifier.shape[0] if isinstance(classifier, Tensor) and classifier.ndim else 1
    expected = expected_state(fit.architecture, outputs)
    state = {
        name: _converted(name, fit.state.get(name), own, wrong) for name, own in expected.items()
    }
    if fault := weight_fault(state):
        raise CheckpointError(
            f"--weights {path}: {fault}: the training diverged, take an earlier checkpoint"
        )
    return state


def _converted(name: str, value: object, own: Tensor, wrong: str) -> Tensor:
    """A tensor with the network's own type; ``own`` has only shape and type."""
    if value is None:  # torch before 0.4.1 counted no batches
        return torch.zeros(own.shape, dtype=own.dtype)
    if not isinstance(value, Tensor):
        kind = getattr(value, "kind", type(value).__name__)
        raise CheckpointError(f"{wrong}{name} is {kind}; save the network in float32")
    if value.shape != own.shape:
        shapes = f"{tuple(value.shape)} instead of {tuple(own.shape)}"
        raise CheckpointError(f"{wrong}{name} is {shapes}")
    if own.is_floating_point() and (value.is_quantized or not value.is_floating_point()):
        raise CheckpointError(f"{wrong}{name} is {value.dtype}; save the network in float32")
    return value.detach().to(own.dtype).contiguous()
