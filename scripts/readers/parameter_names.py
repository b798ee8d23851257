"""The parameters of a network of ours among the names that trainers and wrappers gave them."""

import functools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from scripts.networks.architectures import ARCHITECTURES
from scripts.networks.checkpoints import CLASSIFIERS, build_network

# Wrappers put these before, or into the middle of, the network's own names.
WRAPPERS = re.compile(
    r"(?:^|(?<=\.))(?:module|_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module"
    r"|_forward_module|_fpw_module)\."
)
PARTS = ("backbone.", "classifier.", "head.")
PROFILERS = ("total_ops", "total_params")  # thop leaves these counters in every layer
COUNTER = "num_batches_tracked"
State = Mapping[str, Tensor]


def _width(state: Mapping[str, object], name: str) -> int:
    value = state.get(name)
    return value.shape[0] if isinstance(value, Tensor) and value.ndim else 0


def _lite(block: int, width: int) -> Callable[[Mapping[str, object]], bool]:
    name = f"backbone.blocks.{block}.project.weight"
    return lambda state: _width(state, name) == width


def _has(*names: str) -> Callable[[Mapping[str, object]], bool]:
    return lambda state: all(name in state for name in names)


_FCN = "classifier.0.weight"  # DeepLabV3's classifier.0 is the pyramid
MARKS: tuple[tuple[str, Callable[[Mapping[str, object]], bool]], ...] = (
    ("deeplabv3_efficientnet_lite2", _lite(20, 352)),
    ("deeplabv3_efficientnet_lite1", _lite(20, 320)),
    ("deeplabv3_efficientnet_lite0", _lite(15, 320)),
    ("fcn_resnet101", _has("backbone.layer3.22.conv1.weight", _FCN)),
    ("fcn_resnet50", _has("backbone.layer3.5.conv1.weight", _FCN)),
    ("deeplabv3_resnet101", _has("backbone.layer3.22.conv1.weight")),
    ("deeplabv3_resnet50", _has("backbone.layer3.5.conv1.weight")),
    ("lraspp_mobilenet_v3_large", _has("backbone.16.0.weight", "classifier.cbr.0.weight")),
    ("deeplabv3_mobilenet_v3_large", _has("backbone.16.0.weight")),
)


@dataclass(frozen=True)
class Fit:
    """An architecture and the tensors of a file that have its names.

    prefix: what stood before these names. missing, unexpected: the names that differ from the
    network's, sorted.
    """

    architecture: str
    prefix: str
    state: dict[str, object]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]

    @property
    def is_whole(self) -> bool:
        """Whether the names are exactly the network's."""
        return not self.missing and not self.unexpected


def architecture_of(state: Mapping[str, object]) -> str | None:
    """The architecture that the parameters' names and shapes mark; None if it is none of ours."""
    return next((architecture for architecture, is_marked in MARKS if is_marked(state)), None)


def fits(tensors: Mapping[str, object], architecture: str | None = None) -> Iterator[Fit]:
    """Yield the networks of ours in a dictionary of tensors, under every prefix.

    architecture: what it has to be; None for any.
    """
    unwrapped = _unpruned({WRAPPERS.sub("", name): value for name, value in tensors.items()})
    for prefix in _prefixes(unwrapped):
        inner = {
            name.removeprefix(prefix): value
            for name, value in unwrapped.items()
            if name.startswith(tuple(prefix + part for part in PARTS))
            and not name.endswith(PROFILERS)
        }
        marked = architecture_of(inner)
        if marked is not None and architecture in (None, marked):
            yield _fit(marked, prefix, inner)


def _prefixes(names: Mapping[str, object]) -> list[str]:
    """What stands before the names of a backbone, in the file's order."""
    found = (re.finditer(r"(?:^|\.)(?=backbone\.)", name) for name in names)
    return list(dict.fromkeys(match.string[: match.end()] for each in found for match in each))


def _unpruned(tensors: dict[str, object]) -> dict[str, object]:
    """torch.nn.utils.prune's pairs of weight_orig and weight_mask, multiplied."""
    for name in [name for name in tensors if name.endswith("_mask")]:
        stem = name.removesuffix("_mask")
        mask, original = tensors[name], tensors.get(f"{stem}_orig")
        if isinstance(mask, Tensor) and isinstance(original, Tensor):
            tensors[stem] = original * mask
            del tensors[name], tensors[f"{stem}_orig"]
    return tensors


def _fit(architecture: str, prefix: str, state: dict[str, object]) -> Fit:
    expected = expected_state(architecture, _width(state, f"{CLASSIFIERS[architecture]}.weight"))
    missing = sorted(name for name in expected.keys() - state.keys() if COUNTER not in name)
    unexpected = sorted(state.keys() - expected.keys())
    return Fit(architecture, prefix, state, tuple(missing), tuple(unexpected))


@functools.lru_cache(maxsize=8)
def expected_state(architecture: str, classes: int) -> State:
    """The network's state dict without memory: names, shapes and types."""
    with torch.device("meta"):
        return build_network(architecture, max(classes, 1)).state_dict()


def known_architectures() -> str:
    """The names, for a message."""
    return ", ".join(ARCHITECTURES)
