"""Networks of segmentation_models.pytorch: a folder that it saved, or bare weights and --like."""

import ast
import inspect
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from deeplab.spec import InputSize
from scripts.archives.digests import file_sha256
from scripts.networks.checkpoints import Checkpoint, CheckpointError, labels_for
from scripts.networks.facts import InputFacts, ReadOptions
from scripts.networks.single_output import TwoClasses
from scripts.readers.files import read_content
from scripts.readers.libraries.packages import imported
from scripts.readers.libraries.smp_recipes import Recipe, recipe_of
from scripts.readers.libraries.stored import state_of
from scripts.readers.normalisation_buffers import normalisation_in

LIBRARY = "segmentation_models.pytorch"
KIND = f"a network of {LIBRARY}"
LIKE = "smp:"
EXAMPLE = "--like smp:DeepLabV3Plus:resnet34"
CLASS_KEY = "_model_class"  # in the config.json that the library writes
LAST = "segmentation_head.0.weight"
WEIGHTS = ("model.safetensors", "pytorch_model.bin")
# Every size of its networks is a multiple of 32; the library saves no size to resize to.
ASSUMED = InputSize(long_side=512, multiple=32)


@dataclass(frozen=True)
class Design:
    """The network to build: a class of the library and its arguments."""

    kind: str
    arguments: dict[str, Any]
    source: str

    @property
    def encoder(self) -> str:
        """The encoder's name."""
        return str(self.arguments.get("encoder_name", "resnet34"))


class SegmentationOnly(nn.Module):
    """Normalised (N, 3, H, W) float32 -> logits (N, classes, H, W), without activation."""

    def __init__(self, network: Any):
        super().__init__()
        self.encoder, self.decoder = network.encoder, network.decoder
        self.head = network.segmentation_head

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.head(self.decoder(self.encoder(image)))
        return logits


def read(path: Path, options: ReadOptions) -> Checkpoint | None:
    """Read a folder with config.json, or weights; None if they are not of the library's networks.

    Raises CheckpointError.
    """
    config = _config(path) if path.is_dir() else None
    if path.is_dir() and config is None:
        return None
    is_like = (options.like or "").startswith(LIKE)
    weights = _weights_file(path) if path.is_dir() else path
    state = state_of(read_content(weights).value)
    own = _own(state)
    if not own and not is_like and config is None:
        return None
    design = _design(config, options, path)
    network = _network(design, own, weights)
    facts = _facts(design.encoder, _buffers(state))
    classes = own[LAST].shape[0]
    return Checkpoint(
        architecture=f"smp_{design.kind.lower()}_{design.encoder}",
        network=TwoClasses(network, options.threshold).eval() if classes == 1 else network,
        labels=labels_for(options.labels, classes),
        input=facts.input,
        origin=f"the user's checkpoint {path.name} of {LIBRARY}",
        sha256=file_sha256(weights),
        facts=facts,
        output="sigmoid" if classes == 1 else "logits",
        threshold=options.threshold,
    )


def _config(folder: Path) -> dict[str, Any] | None:
    """The library's config.json in the folder; None if it is another's, or none."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    known = isinstance(config, dict) and (CLASS_KEY in config or "encoder_name" in config)
    return config if known else None


def _weights_file(folder: Path) -> Path:
    for name in WEIGHTS:
        if (folder / name).is_file():
            return folder / name
    raise CheckpointError(f"--weights {folder}: has config.json, but none of {', '.join(WEIGHTS)}")


def _own(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The network's parameters, without a wrapper's prefix; {} if it has none."""
    last = next((name for name in state if name.endswith(LAST)), None)
    if last is None:
        return {}
    prefix = last.removesuffix(LAST)
    inner = {name[len(prefix) :]: each for name, each in state.items() if name.startswith(prefix)}
    parts = ("encoder.", "decoder.", "segmentation_head.")
    own = {name: each for name, each in inner.items() if name.startswith(parts)}
    return own if all(any(name.startswith(part) for name in own) for part in parts) else {}


def _buffers(state: Mapping[str, Tensor]) -> Recipe | None:
    """Mean and deviation that a training module registered beside the network, as its tutorial."""
    found = normalisation_in(state)
    return None if found is None else Recipe(found.mean, found.std, found.source)


def _design(config: Mapping[str, Any] | None, options: ReadOptions, path: Path) -> Design:
    if options.like and options.like.startswith(LIKE):
        return parse_like(options.like)
    if config is None or CLASS_KEY not in config:
        raise CheckpointError(
            f"--weights {path}: weights of {LIBRARY}; say of which network and encoder, "
            f"such as {EXAMPLE}"
        )
    arguments = {name: value for name, value in config.items() if not name.startswith("_")}
    return Design(str(config[CLASS_KEY]), arguments, "config.json")


def parse_like(text: str) -> Design:
    """Parse "smp:Network:encoder[,argument=value...]". Raises CheckpointError."""
    parts = text.split(":", 2)
    if len(parts) != 3 or not parts[1] or not parts[2]:
        raise CheckpointError(f"--like {text}: write {EXAMPLE.removeprefix('--like ')}, or so")
    encoder, *pairs = parts[2].split(",")
    arguments: dict[str, Any] = {"encoder_name": encoder}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise CheckpointError(f"--like {text}: {pair!r} is not argument=value")
        arguments[name.strip()] = _literal(value.strip())
    return Design(parts[1], arguments, "--like")


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _network(design: Design, own: Mapping[str, Tensor], weights: Path) -> nn.Module:
    library = imported("segmentation_models_pytorch", "segmentation-models-pytorch", KIND)
    if LAST not in own:
        raise CheckpointError(f"--weights {weights}: no {LAST} in it, as {KIND} has")
    build = getattr(library, design.kind, None)
    if not isinstance(build, type) or not issubclass(build, library.base.SegmentationModel):
        raise CheckpointError(f"{design.source}: {LIBRARY} has no network {design.kind!r}")
    _check_arguments(design, build)
    # Weights come from the file, never from a download; of the outputs only the logits are wanted.
    fixed = {"encoder_weights": None, "activation": None, "aux_params": None}
    arguments = {"classes": own[LAST].shape[0], **design.arguments, **fixed}
    try:
        network: Any = build(**arguments)
        network.load_state_dict(dict(own))
    except (KeyError, TypeError, ValueError, RuntimeError) as exc:
        first = str(exc).splitlines()[-1].strip()[:160]
        raise CheckpointError(
            f"--weights {weights} does not fit {design.kind} with {design.encoder}, "
            f"as {design.source} says: {first}"
        ) from exc
    return SegmentationOnly(network).eval()


def _check_arguments(design: Design, build: type) -> None:
    """Refuse misspelt arguments: the library ignores them, but for timm's encoders."""
    known = inspect.signature(build).parameters
    unknown = [name for name in design.arguments if name not in known]
    if unknown and not design.encoder.startswith("tu-"):
        raise CheckpointError(f"{design.source}: {design.kind} has no argument {unknown[0]!r}")


def _facts(encoder: str, found: Recipe | None) -> InputFacts:
    recipe = found or recipe_of(encoder)
    return InputFacts(
        input=ASSUMED,
        mean=recipe.mean,
        std=recipe.std,
        channels=recipe.channels,
        sources={
            "size": "assumed",
            "interpolation": "assumed",
            **dict.fromkeys(("mean", "std", "channels"), recipe.source),
        },
    )
